//! Properties under random events: no panic, bounds kept, one answer for every command.

use alloc::collections::BTreeSet;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::base::SctpPort;
use crate::endpoint::testing::encode;
use crate::endpoint::{ConnectError, Connected};

#[derive(Clone, Debug)]
enum Input {
    Connected(bool),
    ConnectFailed,
    Disconnected(usize),
    Message(usize, Bytes),
    Data(usize),
    Congested(usize),
    Drained(usize),
    Announce(Bytes),
    Command(u8, usize),
    Wait(u64),
    Timeout,
    Shutdown,
}

fn message() -> impl Strategy<Value = Bytes> {
    let valid = (0..9u8, any::<bool>(), 1..4u32).prop_map(|(kind, flag, registrar)| {
        let (handle, element) = ("pool".into(), ID);
        let error = flag.then(|| ErrorCause::bare(CauseCode::LACK_OF_RESOURCES).into());
        let registrar = RegistrarId(registrar);
        encode(&match kind {
            0 | 1 => AsapMessage::RegistrationResponse {
                rejected: flag && kind == 1,
                handle,
                element,
                error: None,
            },
            2 => AsapMessage::DeregistrationResponse { handle, element, error },
            3 | 4 => AsapMessage::EndpointKeepAlive { home: flag, registrar, handle, element: None },
            5 => AsapMessage::ServerAnnounce { registrar, transports: vec![], encapsulation: None },
            6 => AsapMessage::Cookie { cookie: "c".into() },
            7 => AsapMessage::CookieEcho { cookie: "c".into() },
            _ => AsapMessage::BusinessCard { handle, policy: None, elements: vec![cards::listed(7)] },
        })
    });
    prop_oneof![4 => valid, 1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from)]
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        6 => any::<bool>().prop_map(Input::Connected),
        2 => Just(Input::ConnectFailed),
        3 => any::<usize>().prop_map(Input::Disconnected),
        8 => (any::<usize>(), message()).prop_map(|(index, bytes)| Input::Message(index, bytes)),
        4 => any::<usize>().prop_map(Input::Data),
        1 => any::<usize>().prop_map(Input::Congested),
        1 => any::<usize>().prop_map(Input::Drained),
        2 => message().prop_map(Input::Announce),
        4 => (0..10u8, any::<usize>()).prop_map(|(kind, index)| Input::Command(kind, index)),
        3 => (0..300u64).prop_map(Input::Wait),
        5 => Just(Input::Timeout),
        1 => Just(Input::Shutdown),
    ]
}

/// What the outside world knows: attempts and associations that are alive.
struct World {
    element: Element,
    now: u64,
    attempts: Vec<crate::base::ConnectId>,
    associations: Vec<AssociationId>,
    next: u64,
    commands: u64,
    answers: Vec<u64>,
    sessions: BTreeSet<AssociationId>,
}

impl World {
    fn pick(&self, index: usize) -> AssociationId {
        let count = self.associations.len().max(1);
        self.associations.get(index % count).copied().unwrap_or(AssociationId::sctp(0))
    }

    fn event(&mut self, event: Event) {
        self.element.handle_event(at(self.now), event);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        let (actions, outputs) = drain(&mut self.element);
        for action in actions {
            match action {
                Action::Connect { request, deadline, .. } => {
                    assert!(deadline > at(self.now));
                    self.attempts.push(request);
                }
                Action::CancelConnect { request } => {
                    assert!(self.attempts.contains(&request), "cancels what is under way");
                    self.attempts.retain(|attempt| *attempt != request);
                }
                Action::Abort { association, .. } => {
                    assert!(self.associations.contains(&association));
                    self.associations.retain(|alive| *alive != association);
                }
                Action::Send { association, .. } | Action::Shutdown { association, .. } => {
                    assert!(self.associations.contains(&association), "names what is alive");
                }
                Action::Hold { .. } | Action::Release { .. } | Action::Announce { .. } => {
                    panic!("an element does not do that")
                }
            }
        }
        assert!(self.attempts.len() <= 3, "ASAP-3.6-09");
        for output in outputs {
            let notice = match output {
                Output::Answer(id, _) => {
                    self.answers.push(id.0);
                    continue;
                }
                Output::Notice(notice) => notice,
            };
            match notice {
                Notice::SessionOpened { session, .. } => assert!(self.sessions.insert(session)),
                Notice::Received { session, .. }
                | Notice::CookieEcho { session, .. }
                | Notice::PeerCard { session, .. }
                | Notice::CookieWanted { session }
                | Notice::Writable { session } => {
                    assert!(self.sessions.contains(&session));
                }
                Notice::SessionClosed { session, .. } => assert!(self.sessions.remove(&session)),
                _ => {}
            }
        }
        assert_eq!(self.element.sessions(), self.sessions.len());
        if let Some(deadline) = self.element.poll_timeout() {
            assert!(deadline < at(self.now) + ms(700_000));
        }
    }

    fn step(&mut self, input: Input) {
        match input {
            Input::Connected(outbound) => {
                let request = outbound.then(|| self.attempts.pop()).flatten();
                if outbound && request.is_none() {
                    return;
                }
                self.next += 1;
                let association = AssociationId::sctp(self.next);
                self.associations.push(association);
                let peer: TransportAddress = registrar(self.next as u8 % 3);
                self.event(Event::Connected(Connected::new(association, request.into(), SctpPort(7), peer)));
            }
            Input::ConnectFailed => {
                if let Some(request) = self.attempts.pop() {
                    self.event(Event::ConnectFailed { request, reason: ConnectError::TimedOut });
                }
            }
            Input::Disconnected(index) => {
                let association = self.pick(index);
                self.associations.retain(|alive| *alive != association);
                self.event(Event::Disconnected { association, reason: DownReason::Silent });
            }
            Input::Message(index, bytes) => {
                let (association, protocol) = (self.pick(index), crate::base::ProtocolId::ASAP);
                self.event(Event::Message { association, protocol, stream: 0, bytes });
            }
            Input::Data(index) => {
                let association = self.pick(index);
                self.event(Event::Message { association, protocol: DATA, stream: 0, bytes: "d".into() });
            }
            Input::Congested(index) => self.event(Event::Congested { association: self.pick(index) }),
            Input::Drained(index) => self.event(Event::Drained { association: self.pick(index) }),
            Input::Announce(bytes) => {
                let source = SocketAddr::new(ip(9), 1);
                self.event(Event::Announce { channel: Channel::Asap, source, bytes });
            }
            Input::Command(kind, index) => {
                let session = self.pick(index);
                let command = match kind {
                    0 => Command::Deregister,
                    1 | 2 => Command::UpdatePolicy(Policy::RoundRobin),
                    3 => Command::Close { session },
                    4 => Command::SetCard(vec![cards::listed(8)]),
                    5 | 6 => Command::SendCookie { session, cookie: "state".into() },
                    _ => Command::Send(Message::new(session, DATA, "d")),
                };
                self.commands += 1;
                self.element.handle_command(at(self.now), CommandId(self.commands), command);
                self.carry_out();
            }
            Input::Wait(milliseconds) => {
                self.now += milliseconds;
                self.element.handle_timeout(at(self.now));
                self.carry_out();
            }
            Input::Timeout => {
                if let Some(deadline) = self.element.poll_timeout() {
                    self.now = self.now.max(deadline.as_nanos() / 1_000_000 + 1);
                    self.element.handle_timeout(at(self.now));
                    self.carry_out();
                }
            }
            Input::Shutdown => {
                self.element.begin_shutdown(at(self.now), at(self.now + 500));
                self.carry_out();
            }
        }
        assert!(self.element.sessions() <= 2);
        assert!(self.element.links.len() <= self.associations.len());
        let home = self.element.registrar.home().map(|home| home.association);
        assert!(home.is_none_or(|home| self.element.links.contains(home)));
        assert!(self.element.links.registrars_are_linked());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn survives_anything(inputs in prop::collection::vec(input(), 1..150)) {
        let element = Element::new(ElementConfig { max_sessions: 2, ..config(&[1, 2, 3, 4]) }, Instant::ORIGIN);
        let mut world = World {
            element, now: 0, attempts: vec![], associations: vec![], next: 0, commands: 0, answers: vec![], sessions: BTreeSet::new(),
        };
        world.carry_out();
        for input in inputs {
            world.step(input);
        }
        world.step(Input::Shutdown);
        for _ in 0..20 {
            world.step(Input::Timeout);
        }
        prop_assert!(world.element.is_stopped());
        prop_assert_eq!(world.element.poll_timeout(), None);
        prop_assert!(world.attempts.is_empty(), "no attempt outlives the element");
        world.answers.sort_unstable();
        prop_assert_eq!(world.answers, (1..=world.commands).collect::<Vec<_>>());
    }
}
