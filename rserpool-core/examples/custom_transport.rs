//! A transport of one's own: endpoints that talk through memory, without SCTP, sockets or a clock.
//!
//!     cargo run -p rserpool-core --example custom_transport
//!
//! A registrar, two elements and a user are plugged into a switchboard, which does for them what the
//! contract asks of a transport (`rserpool_core::endpoint`). The user sends a request to one element, that
//! one is unplugged before it answers, and the session moves to the other. Nothing here waits: time is a
//! number that jumps to the next deadline.

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::net::IpAddr;

use rserpool_core::base::{
    ASAP_PORT, AssociationId, CommandId, ElementId, Instant, ProtocolId, RegistrarId, SctpAddress, SctpPort,
    UdpPort,
};
use rserpool_core::element::{self, Element, ElementConfig};
use rserpool_core::endpoint::{
    AbortReason, Action, ConnectError, Connected, DownReason, Endpoint, Event, Origin, Output, OutputOf,
};
use rserpool_core::registrar::{Registrar, RegistrarConfig};
use rserpool_core::user::{self, Delivery, RequestId, User, UserConfig};

/// The socket at which an endpoint is plugged in, by its number.
type Plug = usize;
const REGISTRAR: Plug = 0;
const ELEMENTS: [Plug; 2] = [1, 2];
const USER: Plug = 3;

/// The SCTP port of the elements; here a number that must match, as in `Action::Connect`.
const ECHO_PORT: SctpPort = SctpPort(7);

/// The transport: it knows which associations exist, and what each endpoint has not been told yet.
#[derive(Default)]
struct Switchboard {
    inboxes: [VecDeque<Event>; 4],
    unplugged: [bool; 4],
    /// The two ends of an association. Both know it by the same name, which is never used again.
    associations: BTreeMap<AssociationId, [Plug; 2]>,
    last: u64,
}

impl Switchboard {
    /// All that a transport has to understand: six actions, which it answers with events.
    fn carry_out(&mut self, from: Plug, action: Action) {
        match action {
            // Exactly one `Connected` or `ConnectFailed` answers; the other end sees a `Connected` of
            // which its peer is the origin.
            Action::Connect { request, local_port, peer, deadline: _ } => {
                let sctp = peer.as_sctp();
                let called =
                    (0..USER).find(|&plug| sctp.is_some_and(|to| to.is_same_endpoint(&address(plug))));
                let Some(to) = called.filter(|&plug| !self.unplugged[plug]) else {
                    let reason = ConnectError::NoRoute;
                    self.inboxes[from].push_back(Event::ConnectFailed { request, reason });
                    return;
                };
                self.last += 1;
                let association = AssociationId::sctp(self.last);
                self.associations.insert(association, [from, to]);
                let caller = SctpAddress { port: local_port, ..address(from) };
                let (origin, port) = (Origin::Attempt(request), address(to).port);
                let accepted = Connected::new(association, Origin::Peer, port, caller);
                self.inboxes[to].push_back(Event::Connected(accepted));
                let answer = Connected::new(association, origin, local_port, peer);
                self.inboxes[from].push_back(Event::Connected(answer));
            }
            // Connecting takes no time here, so there is never an attempt to be cancelled.
            Action::CancelConnect { .. } => {}
            Action::Send { association, protocol, stream, bytes } => {
                if let Some(to) = self.other_end(association, from) {
                    self.inboxes[to].push_back(Event::Message { association, protocol, stream, bytes });
                }
            }
            // There is no window that could make a peer wait.
            Action::Hold { .. } | Action::Release { .. } => {}
            // What was sent has arrived, so there is nothing to be delivered before the end.
            Action::Shutdown { association, .. } => self.end(association, from, DownReason::PeerShutdown),
            Action::Abort { association, .. } => {
                self.end(association, from, DownReason::Aborted(AbortReason::default()));
            }
            Action::Announce { .. } => {}
        }
    }

    fn other_end(&self, association: AssociationId, end: Plug) -> Option<Plug> {
        let [a, b] = *self.associations.get(&association)?;
        Some(if a == end { b } else { a })
    }

    /// Tells both ends that an association is over; its name is not used any more.
    fn end(&mut self, association: AssociationId, by: Plug, told: DownReason) {
        let Some(other) = self.other_end(association, by) else { return };
        self.associations.remove(&association);
        self.inboxes[by].push_back(Event::Disconnected { association, reason: DownReason::Local });
        self.inboxes[other].push_back(Event::Disconnected { association, reason: told });
    }

    fn unplug(&mut self, plug: Plug) {
        self.unplugged[plug] = true;
        let ends = |ends: &[Plug; 2]| ends.contains(&plug);
        let cut: Vec<_> = self.associations.iter().filter(|(_, e)| ends(e)).map(|(id, _)| *id).collect();
        for association in cut {
            self.end(association, plug, DownReason::Silent);
        }
        self.inboxes[plug].clear();
    }
}

/// Where an endpoint is plugged in. Addresses are names here: nothing is sent to them.
fn address(plug: Plug) -> SctpAddress {
    let port = if plug == REGISTRAR { ASAP_PORT } else { ECHO_PORT };
    SctpAddress::new(IpAddr::from([192, 0, 2, plug as u8]), port, UdpPort(1))
}

/// An endpoint, where it is plugged in, and what the application wants of it.
struct Plugged<E: Endpoint> {
    plug: Plug,
    endpoint: E,
    commands: VecDeque<E::Command>,
}

impl<E: Endpoint> Plugged<E> {
    fn new(plug: Plug, endpoint: E) -> Self {
        Self { plug, endpoint, commands: VecDeque::new() }
    }

    /// One turn of the contract: one thing goes in, actions are carried out, answers and notices come back.
    fn turn(&mut self, now: Instant, board: &mut Switchboard) -> Vec<OutputOf<E>> {
        if let Some(event) = board.inboxes[self.plug].pop_front() {
            self.endpoint.handle_event(now, event);
        } else if let Some(command) = self.commands.pop_front() {
            self.endpoint.handle_command(now, CommandId(0), command);
        } else {
            self.endpoint.handle_timeout(now);
        }
        while let Some(action) = self.endpoint.poll_action() {
            board.carry_out(self.plug, action);
        }
        std::iter::from_fn(|| self.endpoint.poll_output()).collect()
    }

    /// When it has to do something; at once if something waits for it.
    fn due(&self, now: Instant, board: &Switchboard) -> Option<Instant> {
        let waits = !board.inboxes[self.plug].is_empty() || !self.commands.is_empty();
        if waits { Some(now) } else { self.endpoint.poll_timeout() }
    }
}

fn element(plug: Plug, now: Instant) -> Plugged<Element> {
    let mut config = ElementConfig::rfc("EchoPool".into(), 1);
    config.id = Some(ElementId(plug as u32));
    config.addresses = address(plug).addresses;
    config.port = ECHO_PORT;
    config.udp_port = UdpPort(1);
    config.hunt.registrars = vec![address(REGISTRAR)];
    Plugged::new(plug, Element::new(config, now))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut now = Instant::ORIGIN;
    let mut board = Switchboard::default();
    let config = RegistrarConfig::rfc(Some(RegistrarId(1)), 1);
    let mut registrar = Plugged::new(REGISTRAR, Registrar::new(config, now));
    let mut elements = ELEMENTS.map(|plug| element(plug, now));
    let mut config = UserConfig::rfc(1);
    config.hunt.registrars = vec![address(REGISTRAR).into()];
    let mut user = Plugged::new(USER, User::new(config));

    let mut story = Vec::new();
    let mut opened = false;
    while story.len() < 3 {
        for output in registrar.turn(now, &mut board) {
            println!("{now:?} registrar: {output:?}");
        }
        for element in &mut elements {
            if board.unplugged[element.plug] {
                continue;
            }
            for output in element.turn(now, &mut board) {
                println!("{now:?} element {}: {output:?}", element.plug);
                if let Output::Notice(element::Notice::Received {
                    session, protocol, stream, bytes, ..
                }) = output
                {
                    // The first server dies with the first request in its hands.
                    match story.len() {
                        1 => board.unplug(element.plug),
                        _ => {
                            let answer = element::Message::new(session, protocol, bytes).stream(stream);
                            element.commands.push_back(element::Command::Send(answer));
                        }
                    }
                }
            }
        }
        if !opened && elements.iter().all(|element| element.endpoint.is_registered()) {
            opened = true;
            user.commands.push_back(user::Command::Open(user::Open::new("EchoPool".into())));
        }
        for output in user.turn(now, &mut board) {
            println!("{now:?} user: {output:?}");
            match output {
                Output::Answer(_, user::Answer::Opened(opened)) => {
                    let opened = opened?;
                    story.push(format!("opened with {}", opened.element));
                    let request = user::Message::new(opened.session, ProtocolId(0), "hello")
                        .delivery(Delivery::Retry(RequestId(1)));
                    user.commands.push_back(user::Command::Send(request));
                }
                Output::Notice(user::Notice::FailedOver { from, to, resent, .. }) => {
                    story.push(format!("moved from {from} to {to} with {resent:?}"));
                }
                Output::Notice(user::Notice::Received { element, bytes, .. }) => {
                    story.push(format!("{bytes:?} from {element}"));
                }
                _ => {}
            }
        }
        // Sleep until the first deadline: an addition.
        let running = elements.iter().filter(|element| !board.unplugged[element.plug]);
        let due = running.map(|element| element.due(now, &board));
        let due = due.chain([registrar.due(now, &board), user.due(now, &board)]);
        now = due.flatten().min().ok_or("nobody waits for anything")?.max(now);
    }
    assert_eq!(story[0], "opened with 0x1");
    assert_eq!(story[1], "moved from 0x1 to 0x2 with [RequestId(1)]");
    assert_eq!(story[2], "b\"hello\" from 0x2");
    println!("{story:#?}");
    Ok(())
}

#[test]
fn the_session_moves() -> Result<(), Box<dyn Error>> {
    main()
}
