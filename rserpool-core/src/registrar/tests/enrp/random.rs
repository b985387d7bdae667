//! The state stays sound, no matter what happens in which order.

use crate::base::UdpPort;
use proptest::prelude::*;

use super::*;

/// One thing that can happen.
#[derive(Clone, Debug)]
enum Step {
    /// A registrar, or an element, opens an association; this is its name among those of the test.
    Called(usize, u32),
    Element(usize, u32),
    /// The attempt that comes next succeeds, or fails.
    Reached(usize),
    Failed(usize, u8),
    Lost(usize),
    /// A message over an association, perhaps cut.
    Says(usize, u32, u32, Says),
    Cut(usize, u32, u32, Says, usize),
    Asap(usize, u8, u32),
    Announced(u32),
    /// Time passes; registrars and elements give signs of life meanwhile, or do not.
    Wait(u64, bool),
    Leave(u64),
}

#[derive(Clone, Debug)]
enum Says {
    Presence(bool, Option<Vec<u32>>, bool),
    TableRequest(bool),
    Table(bool, bool, Vec<(u32, u32)>),
    Add(bool, u32, u32, bool),
    Del(u32, u32),
    ListRequest,
    List(bool, Vec<u32>),
    InitTakeover(u32),
    Ack(u32),
    TakeoverServer(u32),
    Error,
}

/// Identifiers: of three other registrars, of the one under test, and none.
fn id() -> impl Strategy<Value = u32> {
    prop_oneof![6 => Just(LOW.0), 6 => Just(HIGH.0), 4 => Just(TOP.0), 2 => Just(US.0), 1 => Just(0)]
}

fn says() -> impl Strategy<Value = Says> {
    let element = 1u32..5;
    let elements = proptest::collection::vec((1u32..5, id()), 0..4);
    prop_oneof![
        3 => (any::<bool>(), proptest::option::of(proptest::collection::vec(1u32..5, 0..3)), any::<bool>())
            .prop_map(|(reply, sum, server)| Says::Presence(reply, sum, server)),
        1 => any::<bool>().prop_map(Says::TableRequest),
        3 => (prop::bool::weighted(0.2), any::<bool>(), elements).prop_map(|(r, m, e)| Says::Table(r, m, e)),
        4 => (prop::bool::weighted(0.3), element.clone(), id(), prop::bool::weighted(0.1))
            .prop_map(|(offered, element, home, other)| Says::Add(offered, element, home, other)),
        2 => (element, id()).prop_map(|(element, home)| Says::Del(element, home)),
        1 => Just(Says::ListRequest),
        2 => (prop::bool::weighted(0.2), proptest::collection::vec(id(), 0..3))
            .prop_map(|(rejected, servers)| Says::List(rejected, servers)),
        2 => id().prop_map(Says::InitTakeover),
        2 => id().prop_map(Says::Ack),
        2 => id().prop_map(Says::TakeoverServer),
        1 => Just(Says::Error),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let link = 0usize..6;
    prop_oneof![
        3 => (link.clone(), id()).prop_map(|(link, id)| Step::Called(link, id)),
        2 => (link.clone(), 1u32..5).prop_map(|(link, id)| Step::Element(link, id)),
        3 => link.clone().prop_map(Step::Reached),
        3 => (0usize..6, 0u8..3).prop_map(|(which, why)| Step::Failed(which, why)),
        1 => link.clone().prop_map(Step::Lost),
        12 => (link.clone(), id(), id(), says()).prop_map(|(l, s, r, says)| Step::Says(l, s, r, says)),
        1 => (link.clone(), id(), id(), says(), 0usize..99)
            .prop_map(|(l, s, r, says, cut)| Step::Cut(l, s, r, says, cut)),
        5 => (link, 0u8..4, 1u32..5).prop_map(|(link, what, id)| Step::Asap(link, what, id)),
        1 => id().prop_map(Step::Announced),
        3 => (1u64..9_000, prop::bool::weighted(0.8)).prop_map(|(ms, alive)| Step::Wait(ms, alive)),
        1 => (1u64..70_000, prop::bool::weighted(0.8)).prop_map(|(ms, alive)| Step::Wait(ms, alive)),
    ]
}

impl Says {
    fn body(&self, sender: RegistrarId) -> EnrpBody {
        match self.clone() {
            Self::Presence(reply_required, sum, described) => EnrpBody::Presence {
                reply_required,
                checksum: sum.map(|ids| checksum(&ids)),
                server: described.then(|| server(sender)),
            },
            Self::TableRequest(own_only) => table_request(own_only),
            Self::Table(true, ..) => no_table(),
            Self::Table(false, more, elements) => {
                let home = |home| if home == TOP.0 { TOP } else { sender };
                let elements: Vec<_> = elements.into_iter().map(|(id, other)| (id, home(other))).collect();
                page(more, &elements)
            }
            Self::Add(offered, id, home, inconsistent) => {
                let policy = if inconsistent { Policy::Random } else { Policy::RoundRobin };
                let home = if home == TOP.0 { TOP } else { sender };
                let element = PoolElement { policy, ..listed(id, home) };
                update(UpdateAction::ADD_PE, offered, element)
            }
            Self::Del(id, home) => del(id, RegistrarId(home)),
            Self::ListRequest => EnrpBody::ListRequest,
            Self::List(true, _) => no_list(),
            Self::List(false, ids) => list(&ids.into_iter().map(RegistrarId).collect::<Vec<_>>()),
            Self::InitTakeover(target) => init_takeover(RegistrarId(target)),
            Self::Ack(target) => takeover_ack(RegistrarId(target)),
            Self::TakeoverServer(target) => takeover_server(RegistrarId(target)),
            Self::Error => EnrpBody::Error { error: ErrorCause::bare(CauseCode::UNSPECIFIED).into() },
        }
    }
}

/// What is at the other end of an association.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Other {
    Registrar(u32),
    Element(u32),
}

impl Other {
    fn at(udp_port: u16) -> Self {
        match udp_port.checked_sub(20_000) {
            Some(id) => Self::Registrar(id.into()),
            None => Self::Element(u32::from(udp_port) % 1_000),
        }
    }
}

/// The world around the registrar: which associations are up, and which attempts under way.
struct World {
    rig: Rig,
    up: BTreeMap<usize, (AssociationId, Other)>,
    attempts: BTreeMap<ConnectId, (SctpPort, TransportAddress)>,
    last: u64,
    /// When it must have stopped, once it leaves.
    left: Option<Instant>,
}

impl World {
    fn open(&mut self, link: usize, port: SctpPort, peer: TransportAddress, request: Option<ConnectId>) {
        self.last += 1;
        let association = AssociationId::sctp(self.last);
        self.up.insert(
            link,
            (association, Other::at(peer.as_sctp().expect("registrars use SCTP alone").udp_port.0)),
        );
        self.rig.registrar.handle_event(
            self.rig.now,
            Event::Connected(Connected::new(association, request.into(), port, peer)),
        );
    }

    fn take(&mut self, step: Step) {
        let now = self.rig.now;
        match step {
            Step::Called(link, id) if !self.up.contains_key(&link) => {
                self.open(link, ENRP_PORT, place(RegistrarId(id)).into(), None);
            }
            Step::Element(link, id) if !self.up.contains_key(&link) => {
                self.open(link, ASAP_PORT, peer(4000 + id as u16).into(), None);
            }
            Step::Reached(link) if !self.up.contains_key(&link) => {
                if let Some((request, (port, peer))) = self.attempts.pop_first() {
                    self.open(link, port, peer, Some(request));
                }
            }
            Step::Failed(which, why) => {
                let request = self.attempts.keys().nth(which).copied();
                if let Some(request) = request {
                    self.attempts.remove(&request);
                    let reasons = [ConnectError::TimedOut, ConnectError::Refused, ConnectError::InUse];
                    let reason = reasons[usize::from(why)].clone();
                    self.rig.registrar.handle_event(now, Event::ConnectFailed { request, reason });
                }
            }
            Step::Lost(link) => {
                if let Some((association, _)) = self.up.remove(&link) {
                    let reason = DownReason::Silent;
                    self.rig.registrar.handle_event(now, Event::Disconnected { association, reason });
                }
            }
            Step::Says(link, sender, receiver, says) => self.says(link, sender, receiver, &says, 0),
            Step::Cut(link, sender, receiver, says, cut) => self.says(link, sender, receiver, &says, cut),
            Step::Asap(link, what, id) => {
                let messages = [registration(id), deregistration(id), ack(id), unreachable(id)];
                let bytes = messages[usize::from(what)].encode(Padding::Padded).unwrap();
                self.message(link, ProtocolId::ASAP, bytes);
            }
            Step::Announced(id) => {
                let id = RegistrarId(id);
                let bytes = EnrpMessage { sender: id, receiver: NONE, body: heartbeat(1, id) };
                let bytes = bytes.encode(Padding::Padded).unwrap();
                let source = "127.0.0.1:9901".parse().unwrap();
                let event = Event::Announce { channel: Channel::Enrp, source, bytes };
                self.rig.registrar.handle_event(now, event);
            }
            Step::Wait(ms, alive) => {
                let end = now + Duration::from_millis(ms);
                if alive {
                    // More often than keep-alives and heartbeats time out.
                    let beat = self.rig.registrar.ctx.config.enrp.max_time_no_response / 2;
                    while self.rig.now + beat < end {
                        self.take(Step::Wait(beat.as_millis() as u64, false));
                        self.give_signs_of_life();
                    }
                }
                while let Some(next) = self.rig.registrar.poll_timeout().filter(|next| *next <= end) {
                    self.rig.now = next.max(self.rig.now);
                    self.rig.registrar.handle_timeout(self.rig.now);
                    self.settle();
                }
                self.rig.now = end;
            }
            Step::Leave(ms) => {
                let deadline = now + Duration::from_millis(ms);
                self.rig.registrar.begin_shutdown(now, deadline);
                self.left = self.left.or(Some(deadline));
            }
            _ => {}
        }
        self.settle();
    }

    /// Mostly the process at the other end speaks, in its own name.
    fn says(&mut self, link: usize, sender: u32, receiver: u32, says: &Says, cut: usize) {
        let Some((_, who)) = self.up.get(&link) else { return };
        let sender = match who {
            Other::Registrar(id) if sender != US.0 => RegistrarId(*id),
            _ => RegistrarId(sender),
        };
        let receiver = match RegistrarId(receiver) {
            HIGH => US,
            US => TOP,
            _ => NONE,
        };
        let bytes =
            EnrpMessage { sender, receiver, body: says.body(sender) }.encode(Padding::Padded).unwrap();
        self.message(link, ProtocolId::ENRP, bytes.slice(..bytes.len().saturating_sub(cut)));
    }

    /// Registrars send heartbeats, most with the right checksum, and elements answer keep-alives.
    fn give_signs_of_life(&mut self) {
        for (link, (_, other)) in self.up.clone() {
            match other {
                Other::Registrar(id) => {
                    let sum = self.rig.registrar.elements.listing.checksum(RegistrarId(id));
                    let body = heartbeat(sum, RegistrarId(id));
                    let message = EnrpMessage { sender: RegistrarId(id), receiver: NONE, body };
                    self.message(link, ProtocolId::ENRP, message.encode(Padding::Padded).unwrap());
                }
                Other::Element(id) => {
                    self.message(link, ProtocolId::ASAP, ack(id).encode(Padding::Padded).unwrap());
                }
            }
        }
        self.settle();
    }

    fn message(&mut self, link: usize, protocol: ProtocolId, bytes: Bytes) {
        if let Some((association, _)) = self.up.get(&link) {
            let association = *association;
            let event = Event::Message { association, protocol, stream: 0, bytes };
            self.rig.registrar.handle_event(self.rig.now, event);
        }
    }

    /// Carries the actions out: attempts wait, aborted and closed associations end at once.
    fn settle(&mut self) {
        for _ in 0..100 {
            let mut ended = Vec::new();
            while let Some(action) = self.rig.registrar.poll_action() {
                match action {
                    Action::Connect { request, local_port, peer, deadline } => {
                        assert!(deadline > self.rig.now);
                        self.attempts.insert(request, (local_port, peer));
                    }
                    Action::CancelConnect { request } => {
                        self.attempts.remove(&request);
                    }
                    Action::Abort { association, .. } | Action::Shutdown { association, .. } => {
                        ended.push(association);
                    }
                    Action::Send { .. }
                    | Action::Hold { .. }
                    | Action::Release { .. }
                    | Action::Announce { .. } => {}
                }
            }
            self.check();
            if ended.is_empty() {
                return;
            }
            for association in ended {
                let link = self.up.iter().find(|(_, (a, _))| *a == association).map(|(link, _)| *link);
                if let Some(link) = link {
                    self.up.remove(&link);
                    let event = Event::Disconnected { association, reason: DownReason::Local };
                    self.rig.registrar.handle_event(self.rig.now, event);
                }
            }
        }
        panic!("a storm");
    }

    fn check(&mut self) {
        self.rig.notices();
        let registrar = &self.rig.registrar;
        if registrar.ctx.is_closing() {
            assert!(registrar.ctx.deadlines.is_empty() && self.attempts.is_empty());
        }
        if registrar.ctx.is_leaving() {
            return;
        }
        let timers = registrar.check_enrp();
        assert_eq!(registrar.ctx.deadlines.len(), timers.len(), "{:?}\n{timers:?}", registrar.ctx.deadlines);
        let attempts: Vec<_> = registrar.ctx.attempts.keys().copied().collect();
        assert_eq!(attempts, self.attempts.keys().copied().collect::<Vec<_>>());
    }
}

/// How the registrar is configured.
#[derive(Clone, Copy, Debug)]
struct Settings {
    joining: bool,
    balance: bool,
    fast: bool,
    suppress: bool,
}

fn run(settings: Settings, mut steps: Vec<Step>, leave: Option<(usize, u64)>) {
    let Settings { joining, balance, fast, suppress } = settings;
    let rig = Rig::serving_with(|config| {
        if fast {
            *config = RegistrarConfig { addresses: vec![localhost()], ..RegistrarConfig::fast(Some(US), 1) };
            config.udp_port = UdpPort(20_050);
            config.enrp.takeover_winner = TakeoverWinner::SmallerId;
        }
        config.enrp.balance = balance;
        config.enrp.suppress_unchanged = suppress;
        config.enrp.announce = joining;
        if joining {
            config.enrp.peers = vec![place(HIGH), place(LOW)];
        }
    });
    let (up, attempts) = (BTreeMap::new(), BTreeMap::new());
    let mut world = World { rig, up, attempts, last: 0, left: None };
    if let Some((after, ms)) = leave {
        steps.insert(after.min(steps.len()), Step::Leave(ms));
    }
    world.settle();
    if !joining {
        // A scope that is complete.
        for (link, id) in [(0, HIGH), (1, LOW), (2, TOP)] {
            world.take(Step::Called(link, id.0));
        }
        for (link, id) in [(3, 1), (4, 2)] {
            world.take(Step::Element(link, id));
            world.take(Step::Asap(link, 0, id));
        }
        world.give_signs_of_life();
    }
    for step in steps {
        // A wait that is long with one preset is long with the other.
        world.take(match step {
            Step::Wait(ms, alive) if fast => Step::Wait(ms / 20, alive),
            other => other,
        });
    }
    if let Some(deadline) = world.left {
        let left = deadline.since(world.rig.now).as_millis() as u64;
        world.take(Step::Wait(left + 1, false));
        assert!(world.rig.registrar.is_stopped());
        assert_eq!(world.rig.registrar.poll_timeout(), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// No sequence of events, time included, breaks what `check_enrp` says; and nothing panics.
    #[test]
    fn no_sequence_of_events_breaks_enrp(
        (joining, balance, fast, suppress) in any::<(bool, bool, bool, bool)>(),
        steps in proptest::collection::vec(step(), 0..150),
        leave in proptest::option::of((0usize..150, 1u64..20_000)),
    ) {
        run(Settings { joining, balance, fast, suppress }, steps, leave);
    }
}
