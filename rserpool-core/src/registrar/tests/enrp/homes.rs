//! Two registrars and an element, in every order of their messages: whatever happens, both soon list the element
//! with the same home, and it is the right one. (See `enrp::claims` for the rule.)
//!
//! Every message, connection and end of an association is in flight until a schedule delivers it. A pause of one
//! of the three is a schedule in which nothing reaches it for long. A story is told in all schedules that depart
//! from the order of sending at most so many times.

use alloc::collections::VecDeque;

use super::*;

/// The element of the model.
const ELEMENT: u32 = 1;

/// An end of a channel: a registrar, or the element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Registrar(usize),
    Element,
}

/// What is in flight.
#[derive(Clone, Debug)]
enum Item {
    Opened(AssociationId, Option<ConnectId>),
    /// An attempt of a registrar to connect.
    Called(AssociationId, ConnectId),
    Said(AssociationId, ProtocolId, Bytes),
    Closed(AssociationId),
    /// Nothing is where a registrar has called.
    Failed(ConnectId),
}

/// The element: it registers with one home, and keeps an association with that home alone.
#[derive(Debug, Default)]
struct Element {
    home: Option<usize>,
    links: BTreeMap<AssociationId, usize>,
    /// Where it is: the number that its UDP port is made of.
    place: u16,
    /// Associations of an earlier process of it, which is gone without a word.
    dead: BTreeSet<AssociationId>,
}

struct World {
    rigs: Vec<Rig>,
    element: Element,
    /// In the order in which it was sent; what goes the same way stays in order.
    flight: VecDeque<(End, End, Item)>,
    last: u64,
}

const IDS: [RegistrarId; 2] = [LOW, HIGH];

/// The two registrars, by their places in [`IDS`]: the first is the home at the beginning.
#[derive(Clone, Copy, Debug)]
struct Order(usize, usize);

impl World {
    /// Two registrars that know each other, and an element that has registered with the first.
    fn new(order: Order) -> Self {
        let rig = |n: usize| {
            Rig::with(|config| {
                config.id = Some(IDS[n]);
                config.addresses = vec![localhost()];
                config.udp_port = place(IDS[n]).udp_port;
                config.enrp.balance = false;
            })
            .without_past()
        };
        let mut world = Self {
            rigs: vec![rig(0), rig(1)],
            element: Element { place: 4001, ..Element::default() },
            flight: VecDeque::new(),
            last: 0,
        };
        world.meet();
        world.element_registers(order.0);
        world.deliver_all();
        world.live(Duration::from_secs(2));
        world.check(order.0);
        world
    }

    fn next(&mut self) -> AssociationId {
        self.last += 1;
        AssociationId::sctp(self.last)
    }

    /// The registrars open an association.
    fn meet(&mut self) {
        let association = self.next();
        for (n, other) in [(0, 1), (1, 0)] {
            let connected = Connected::new(association, Origin::Peer, ENRP_PORT, place(IDS[other]));
            let now = self.rigs[n].now;
            self.rigs[n].registrar.handle_event(now, Event::Connected(connected));
        }
        let body = EnrpBody::ListRequest;
        let bytes = EnrpMessage { sender: IDS[1], receiver: NONE, body }.encode(Padding::Padded).unwrap();
        self.send(End::Registrar(1), End::Registrar(0), Item::Said(association, ProtocolId::ENRP, bytes));
        self.deliver_all();
    }

    /// The element opens an association with a registrar, unless there is one, and registers over it.
    fn element_registers(&mut self, with: usize) {
        let up = self.element.links.iter().find(|(_, to)| **to == with).map(|(link, _)| *link);
        let association = up.unwrap_or_else(|| {
            let association = self.next();
            self.element.links.insert(association, with);
            self.send(End::Element, End::Registrar(with), Item::Opened(association, None));
            association
        });
        self.element.home = Some(with);
        self.say(End::Element, End::Registrar(with), association, &registration(ELEMENT));
    }

    fn say(&mut self, from: End, to: End, association: AssociationId, message: &AsapMessage) {
        let bytes = message.encode(Padding::Padded).unwrap();
        self.send(from, to, Item::Said(association, ProtocolId::ASAP, bytes));
    }

    fn send(&mut self, from: End, to: End, item: Item) {
        self.flight.push_back((from, to, item));
    }

    /// Takes the actions of a registrar.
    fn collect(&mut self, n: usize) {
        let from = End::Registrar(n);
        for action in self.rigs[n].registrar.ctx.outbox.take_actions() {
            let other = |world: &Self, association: &AssociationId| {
                let known =
                    world.element.links.contains_key(association) || world.element.dead.contains(association);
                if known { End::Element } else { End::Registrar(1 - n) }
            };
            match action {
                Action::Connect { request, peer, .. } => {
                    let udp_port = peer.as_sctp().unwrap().udp_port.0;
                    let to = if udp_port >= 20_000 { End::Registrar(1 - n) } else { End::Element };
                    let gone = to == End::Element && udp_port != self.element.place;
                    let association = self.next();
                    match gone {
                        true => self.send(to, from, Item::Failed(request)),
                        false => self.send(from, to, Item::Called(association, request)),
                    }
                }
                Action::Send { association, protocol, bytes, .. } => {
                    let to = other(self, &association);
                    self.send(from, to, Item::Said(association, protocol, bytes));
                }
                Action::Abort { association, .. } | Action::Shutdown { association, .. } => {
                    let to = other(self, &association);
                    self.send(from, to, Item::Closed(association));
                    self.disconnected(n, association);
                }
                Action::CancelConnect { request } => {
                    self.flight.retain(|(_, _, item)| match item {
                        Item::Called(_, other) | Item::Failed(other) => *other != request,
                        _ => true,
                    });
                }
                Action::Hold { .. } | Action::Release { .. } | Action::Announce { .. } => {}
            }
        }
        self.rigs[n].notices();
    }

    fn disconnected(&mut self, n: usize, association: AssociationId) {
        let reason = DownReason::Local;
        let now = self.rigs[n].now;
        self.rigs[n].registrar.handle_event(now, Event::Disconnected { association, reason });
        self.collect(n);
    }

    /// What could be delivered next: the first of each way.
    fn deliverable(&self) -> Vec<usize> {
        let mut ways = BTreeSet::new();
        let first = |(at, (from, to, _)): (usize, &(End, End, Item))| ways.insert((*from, *to)).then_some(at);
        self.flight.iter().enumerate().filter_map(first).collect()
    }

    fn deliver(&mut self, at: usize) {
        let (from, to, item) = self.flight.remove(at).unwrap();
        match to {
            End::Element => self.element_gets(from, item),
            End::Registrar(n) => self.registrar_gets(n, from, item),
        }
    }

    fn registrar_gets(&mut self, n: usize, from: End, item: Item) {
        let now = self.rigs[n].now;
        let (port, address) = match from {
            End::Element => (ASAP_PORT, peer(self.element.place)),
            End::Registrar(other) => (ENRP_PORT, place(IDS[other])),
        };
        let registrar = &mut self.rigs[n].registrar;
        match item {
            Item::Opened(association, request) => registrar.handle_event(
                now,
                Event::Connected(Connected::new(association, request.into(), port, address)),
            ),
            Item::Called(association, request) => {
                registrar.handle_event(
                    now,
                    Event::Connected(Connected::new(association, Origin::Peer, port, address)),
                );
                self.send(End::Registrar(n), from, Item::Opened(association, Some(request)));
            }
            Item::Said(association, protocol, bytes) => {
                registrar.handle_event(now, Event::Message { association, protocol, stream: 0, bytes });
            }
            Item::Closed(association) => return self.disconnected(n, association),
            Item::Failed(request) => {
                let reason = ConnectError::TimedOut;
                registrar.handle_event(now, Event::ConnectFailed { request, reason });
            }
        }
        self.collect(n);
    }

    fn element_gets(&mut self, from: End, item: Item) {
        let End::Registrar(n) = from else { panic!("elements do not talk to themselves") };
        match item {
            Item::Opened(..) | Item::Failed(_) => panic!("the element waits for no connection"),
            Item::Called(association, request) => {
                self.element.links.insert(association, n);
                self.send(End::Element, from, Item::Opened(association, Some(request)));
            }
            Item::Closed(association) => {
                self.element.links.remove(&association);
            }
            Item::Said(association, _, _) if !self.element.links.contains_key(&association) => {}
            Item::Said(association, _, bytes) => {
                self.element_reads(n, association, AsapMessage::decode(&bytes).unwrap().message);
            }
        }
    }

    fn element_reads(&mut self, n: usize, association: AssociationId, message: AsapMessage) {
        match message {
            AsapMessage::EndpointKeepAlive { home, .. } => {
                self.say(End::Element, End::Registrar(n), association, &ack(ELEMENT));
                if home && self.element.home != Some(n) {
                    self.element.home = Some(n);
                    self.say(End::Element, End::Registrar(n), association, &registration(ELEMENT));
                }
            }
            AsapMessage::RegistrationResponse { rejected: false, .. } if self.element.home == Some(n) => {
                let others = self.element.links.iter().filter(|(_, to)| **to != n);
                for (link, to) in others.map(|(link, to)| (*link, *to)).collect::<Vec<_>>() {
                    self.element.links.remove(&link);
                    self.send(End::Element, End::Registrar(to), Item::Closed(link));
                }
            }
            AsapMessage::DeregistrationResponse { .. } if self.element.home == Some(n) => {
                self.say(End::Element, End::Registrar(n), association, &registration(ELEMENT));
            }
            _ => {}
        }
    }

    fn deliver_all(&mut self) {
        for _ in 0..10_000 {
            if self.flight.is_empty() {
                return;
            }
            self.deliver(0);
        }
        panic!("a storm: {:?}", self.flight);
    }

    /// Time passes, and everything arrives at once.
    fn live(&mut self, time: Duration) {
        let end = self.rigs[0].now + time;
        loop {
            let due = self.rigs.iter().filter_map(|rig| rig.registrar.poll_timeout()).min();
            let now = due.unwrap_or(end).min(end);
            for n in 0..2 {
                self.rigs[n].now = self.rigs[n].now.max(now);
                let now = self.rigs[n].now;
                self.rigs[n].registrar.handle_timeout(now);
                self.collect(n);
            }
            self.deliver_all();
            if now == end {
                return;
            }
        }
    }

    /// Whether both list the element with this home, which alone takes itself for it, and the element as well.
    fn is_settled(&self, home: usize) -> bool {
        let lists = |rig: &Rig| rig.home(ELEMENT) == Some(IDS[home]);
        let owns = |n: usize| self.rigs[n].registrar.elements.own.contains_key(&pe(ELEMENT));
        self.rigs.iter().all(lists) && owns(home) && !owns(1 - home) && self.element.home == Some(home)
    }

    fn report(&self) -> String {
        let lists: Vec<_> = self.rigs.iter().map(|rig| rig.home(ELEMENT)).collect();
        format!("the registrars list {lists:?}, {:?}", self.element)
    }

    fn check(&self, home: usize) {
        assert!(self.is_settled(home), "{}", self.report());
        for rig in &self.rigs {
            assert_eq!(rig.get(ELEMENT).asap_address().unwrap().udp_port, UdpPort(self.element.place));
            rig.registrar.check_enrp();
        }
    }
}

/// Runs a story in every schedule with so many departures, and returns their number. `happens` begins the story;
/// the home must be `home` in the end.
fn explore(order: Order, departures: usize, happens: impl Fn(&mut World), home: usize) -> usize {
    let mut schedules = vec![vec![]];
    let mut runs = 0;
    while let Some(schedule) = schedules.pop() {
        let mut world = World::new(order);
        happens(&mut world);
        let mut taken: Vec<usize> = Vec::new();
        while !world.flight.is_empty() {
            assert!(taken.len() < 300, "a storm: {:?}", world.flight);
            let choices = world.deliverable();
            let choice = match schedule.get(taken.len()) {
                Some(choice) => *choice,
                None => {
                    let departed = taken.iter().filter(|choice| **choice > 0).count();
                    if departed < departures {
                        let others = 1..choices.len();
                        schedules.extend(others.map(|other| [&taken[..], &[other]].concat()));
                    }
                    0
                }
            };
            taken.push(choice);
            world.deliver(choices[choice]);
        }
        world.live(Duration::from_secs(100));
        assert!(world.is_settled(home), "{order:?}, schedule {taken:?}: {}", world.report());
        world.check(home);
        runs += 1;
    }
    runs
}

const ORDERS: [Order; 2] = [Order(0, 1), Order(1, 0)];

/// RFC 5352 section 3.1, RFC 5353 section 3.3.1: a registration elsewhere moves the element, whichever registrar
/// has the larger identifier, and whoever pauses meanwhile.
#[test]
fn a_registration_elsewhere_moves_the_element() {
    for order in ORDERS {
        let runs = explore(order, 6, |world| world.element_registers(order.1), order.1);
        assert!(runs > 10, "{runs}");
    }
}

/// The same if it renews its registration with its home just before.
#[test]
fn updates_that_cross_leave_one_home() {
    for order in ORDERS {
        let story = |world: &mut World| {
            world.element_registers(order.0);
            world.element_registers(order.1);
        };
        explore(order, 4, story, order.1);
    }
}

/// It goes to the other one and comes back at once.
#[test]
fn an_element_may_come_back_at_once() {
    for order in ORDERS {
        let story = |world: &mut World| {
            world.element_registers(order.1);
            world.element_registers(order.0);
        };
        explore(order, 2, story, order.0);
    }
}

/// A peer claims it at an address of its own, again and again: it answers where it is, and stays.
#[test]
fn a_false_claim_moves_nothing() {
    for order in ORDERS {
        let story = |world: &mut World| {
            let elsewhere = PoolElement { id: ElementId(ELEMENT), ..listed(99, IDS[order.1]) };
            let body = update(UpdateAction::ADD_PE, false, elsewhere);
            let message = EnrpMessage { sender: IDS[order.1], receiver: NONE, body };
            let bytes = message.encode(Padding::Padded).unwrap();
            let association = world.rigs[order.0].registrar.association_with(IDS[order.1]).unwrap();
            for _ in 0..3 {
                let item = Item::Said(association, ProtocolId::ENRP, bytes.clone());
                world.send(End::Registrar(order.1), End::Registrar(order.0), item);
            }
        };
        explore(order, 2, story, order.0);
    }
}

/// Its process dies without a word and is started again elsewhere, with its old identifier, at the other
/// registrar. The first one still has an association with the dead one.
#[test]
fn an_element_that_is_restarted_elsewhere_moves() {
    for order in ORDERS {
        let story = |world: &mut World| {
            let links = core::mem::take(&mut world.element.links);
            world.element.dead = links.into_keys().collect();
            world.element.place = 4901;
            world.element_registers(order.1);
        };
        explore(order, 4, story, order.1);
    }
}

/// The other registrar takes the first one for dead and takes it over, while that only pauses: the association
/// between them has ended, and the element is told of its new home. Whichever it ends with, there is one.
#[test]
fn a_takeover_of_a_registrar_that_lives_leaves_one_home() {
    for order in ORDERS {
        let story = |world: &mut World| {
            let Order(first, second) = order;
            let association = world.rigs[second].registrar.association_with(IDS[first]).unwrap();
            world.disconnected(second, association);
            // Its attempt to come back is refused.
            let called = world.flight.iter().position(|(_, _, item)| matches!(item, Item::Called(..)));
            let Some((_, _, Item::Called(_, request))) = called.and_then(|at| world.flight.remove(at)) else {
                panic!("a lost peer is looked for")
            };
            let refused = Event::ConnectFailed { request, reason: ConnectError::Refused };
            let now = world.rigs[second].now;
            world.rigs[second].registrar.handle_event(now, refused);
            world.collect(second);
            assert_eq!(world.rigs[second].home(ELEMENT), Some(IDS[second]));
            world.send(End::Registrar(second), End::Registrar(first), Item::Closed(association));
        };
        explore(order, 1, story, order.1);
    }
}
