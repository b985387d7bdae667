//! Properties under random events: no panic, bounds kept, one answer for every command.

use alloc::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::base::{Instant, SctpPort};
use crate::endpoint::Connected;
use crate::endpoint::testing::encode;
use crate::user::Card;

const MAX_SESSIONS: usize = 4;

#[derive(Clone, Debug)]
enum Input {
    Connected,
    Inbound,
    ConnectFailed,
    Disconnected(usize, bool),
    Message(usize, Bytes),
    Data(usize),
    Congested(usize),
    Drained(usize),
    Command(u8, u64, u64),
    Wait(u64),
    Timeout,
}

fn message() -> impl Strategy<Value = Bytes> {
    let ids = prop::collection::vec(1..6u32, 0..4);
    let valid = (any::<bool>(), any::<bool>(), ids).prop_map(|(other, bad, ids)| {
        let handle = if other { "other" } else { "pool" };
        let elements = ids.into_iter().map(element).collect();
        encode(&match bad {
            false => answer(handle, elements),
            true => AsapMessage::HandleResolutionResponse {
                updates: false,
                handle: handle.into(),
                policy: None,
                elements: vec![],
                error: Some(ErrorCause::bare(CauseCode::UNKNOWN_POOL_HANDLE).into()),
            },
        })
    });
    let left = (any::<bool>(), 1..6u32).prop_map(|(other, id)| {
        let handle = if other { "other" } else { "pool" }.into();
        encode(&match id {
            1 => AsapMessage::Cookie { cookie: "state".into() },
            _ => AsapMessage::BusinessCard { handle, policy: None, elements: vec![element(id)] },
        })
    });
    prop_oneof![6 => valid, 2 => left, 1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from)]
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        8 => Just(Input::Connected),
        1 => Just(Input::Inbound),
        3 => Just(Input::ConnectFailed),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(index, clean)| Input::Disconnected(index, clean)),
        8 => (any::<usize>(), message()).prop_map(|(index, bytes)| Input::Message(index, bytes)),
        3 => any::<usize>().prop_map(Input::Data),
        1 => any::<usize>().prop_map(Input::Congested),
        1 => any::<usize>().prop_map(Input::Drained),
        14 => (0..16u8, 0..6u64, 0..20u64).prop_map(|(kind, a, b)| Input::Command(kind, a, b)),
        3 => (0..300u64).prop_map(Input::Wait),
        5 => Just(Input::Timeout),
    ]
}

/// What the outside world knows: attempts and associations that are alive, and what is owed.
struct World {
    user: User,
    now: u64,
    attempts: Vec<ConnectId>,
    associations: Vec<AssociationId>,
    next: u64,
    commands: u64,
    answers: Vec<u64>,
    /// Sessions that were opened and not closed, with the element that serves them.
    open: BTreeMap<SessionId, Option<ElementId>>,
    /// Requests that were accepted and neither answered nor reported.
    owed: BTreeSet<(SessionId, RequestId)>,
    sending: BTreeMap<u64, (SessionId, RequestId)>,
}

impl World {
    fn new() -> Self {
        let config =
            UserConfig { max_sessions: MAX_SESSIONS, failover_deadline: ms(2_000), ..config(&[1, 2]) };
        Self {
            user: User::new(config),
            now: 0,
            attempts: vec![],
            associations: vec![],
            next: 0,
            commands: 0,
            answers: vec![],
            open: BTreeMap::new(),
            owed: BTreeSet::new(),
            sending: BTreeMap::new(),
        }
    }

    fn pick(&self, index: usize) -> AssociationId {
        let count = self.associations.len().max(1);
        self.associations.get(index % count).copied().unwrap_or(AssociationId::sctp(0))
    }

    fn event(&mut self, event: Event) {
        self.user.handle_event(at(self.now), event);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        let (actions, outputs) = drain(&mut self.user);
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
                Action::Send { association, .. }
                | Action::Hold { association }
                | Action::Release { association }
                | Action::Shutdown { association, .. } => {
                    assert!(self.associations.contains(&association), "names what is alive");
                }
                Action::Announce { .. } => panic!("a user announces nothing"),
            }
        }
        assert!(self.attempts.len() <= 3 + 3 * MAX_SESSIONS);
        for output in outputs {
            match output {
                Output::Answer(id, answer) => self.answer(id, answer),
                Output::Notice(notice) => self.notice(notice),
            }
        }
    }

    fn answer(&mut self, id: CommandId, answer: Answer) {
        self.answers.push(id.0);
        match answer {
            Answer::Opened(Ok(Opened { session, element, .. })) => {
                assert_eq!(self.open.insert(session, Some(element)), None);
            }
            Answer::Done(Ok(())) => self.owed.extend(self.sending.remove(&id.0)),
            _ => {}
        }
    }

    fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::ElementFailed { session, element, .. } => {
                assert_eq!(self.open.insert(session, None), Some(Some(element)));
            }
            Notice::FailedOver { session, to, resent, .. } => {
                assert_eq!(self.open.insert(session, Some(to)), Some(None));
                assert!(resent.iter().all(|request| self.owed.contains(&(session, *request))));
            }
            Notice::Received { session, element, .. }
            | Notice::CookieKept { session, element, .. }
            | Notice::PeerCard { session, element, .. } => {
                assert_eq!(self.open.get(&session), Some(&Some(element)), "told before its messages");
            }
            Notice::Unanswered { session, request, .. } => assert!(self.owed.remove(&(session, request))),
            Notice::Closed { session, .. } => {
                assert!(self.open.remove(&session).is_some());
                self.owed.retain(|(owner, _)| *owner != session);
            }
            _ => {}
        }
    }

    fn command(&mut self, kind: u8, a: u64, b: u64) {
        let (session, request) = (SessionId(a), RequestId(b));
        let handle: PoolHandle = if a == 5 { "other".into() } else { "pool".into() };
        self.commands += 1;
        let delivery = match b % 3 {
            0 => Delivery::Once,
            1 => Delivery::Retry(request),
            _ => Delivery::Report(request),
        };
        let command = match kind {
            0 | 1 => {
                let question = Resolve::new(handle).items((b > 10).then_some(b as u32));
                Command::Resolve(if b.is_multiple_of(2) { question } else { question.past_cache() })
            }
            2 | 3 => Command::Open(Open::new(handle)),
            4 if b < 3 => Command::SetCard(Some(Card::new(handle, vec![element(1)]))),
            4 => Command::Purge { handle },
            5 => Command::Failover { session, unreachable: b.is_multiple_of(2) },
            6 => Command::ReportUnreachable { handle, element: ElementId(b as u32) },
            7 if b < 3 => Command::Close { session },
            7 if b.is_multiple_of(2) => Command::Hold { session },
            7 => Command::Release { session },
            8 | 9 => {
                self.owed.remove(&(session, request));
                Command::Answered { session, request }
            }
            _ => {
                if delivery != Delivery::Once {
                    self.sending.insert(self.commands, (session, request));
                }
                Command::Send(Message::new(session, DATA, "d").delivery(delivery))
            }
        };
        self.user.handle_command(at(self.now), CommandId(self.commands), command);
        self.carry_out();
    }

    fn step(&mut self, input: Input) {
        match input {
            Input::Connected | Input::Inbound => {
                let request = match input {
                    Input::Connected if self.attempts.is_empty() => return,
                    Input::Connected => Some(self.attempts.remove(0)),
                    _ => None,
                };
                self.next += 1;
                let association = AssociationId::sctp(self.next);
                self.associations.push(association);
                self.event(Event::Connected(Connected::new(
                    association,
                    request.into(),
                    SctpPort(1),
                    registrar::<TransportAddress>(1),
                )));
            }
            Input::ConnectFailed => {
                if let Some(request) = self.attempts.pop() {
                    self.event(Event::ConnectFailed { request, reason: ConnectError::TimedOut });
                }
            }
            Input::Disconnected(index, clean) => {
                let association = self.pick(index);
                self.associations.retain(|alive| *alive != association);
                let reason = if clean { DownReason::PeerShutdown } else { DownReason::Silent };
                self.event(Event::Disconnected { association, reason });
            }
            Input::Message(index, bytes) => {
                let association = self.pick(index);
                self.event(Event::Message { association, protocol: ProtocolId::ASAP, stream: 0, bytes });
            }
            Input::Data(index) => {
                let association = self.pick(index);
                self.event(Event::Message { association, protocol: DATA, stream: 0, bytes: "d".into() });
            }
            Input::Congested(index) => self.event(Event::Congested { association: self.pick(index) }),
            Input::Drained(index) => self.event(Event::Drained { association: self.pick(index) }),
            Input::Command(kind, a, b) => self.command(kind, a, b),
            Input::Wait(milliseconds) => {
                self.now += milliseconds;
                self.user.handle_timeout(at(self.now));
                self.carry_out();
            }
            Input::Timeout => {
                if let Some(deadline) = self.user.poll_timeout() {
                    self.now = self.now.max(deadline.as_nanos() / 1_000_000 + 1);
                    self.user.handle_timeout(at(self.now));
                    self.carry_out();
                }
            }
        }
        let unanswered = self.user.sessions.unanswered();
        assert_eq!(unanswered, self.owed.iter().filter(|(id, _)| !self.is_closing(*id)).count());
        assert!(self.user.sessions() <= MAX_SESSIONS);
        assert!(self.user.sessions.associations() < MAX_SESSIONS + 1);
        assert_eq!(self.user.sessions.attempts() + self.hunting(), self.attempts.len());
    }

    fn is_closing(&self, id: SessionId) -> bool {
        self.user.sessions.is_closing(id)
    }

    /// How many attempts belong to the hunt.
    fn hunting(&self) -> usize {
        self.attempts.iter().filter(|request| !self.user.sessions.has_attempt(**request)).count()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn survives_anything(inputs in prop::collection::vec(input(), 1..200)) {
        let mut world = World::new();
        for input in inputs {
            world.step(input);
        }
        let deadline: Instant = at(world.now + 500);
        world.user.begin_shutdown(at(world.now), deadline);
        world.carry_out();
        for _ in 0..5 {
            world.step(Input::Timeout);
        }
        prop_assert!(world.user.is_stopped());
        prop_assert_eq!(world.user.poll_timeout(), None);
        prop_assert!(world.attempts.is_empty() && world.open.is_empty());
        world.answers.sort_unstable();
        prop_assert_eq!(world.answers, (1..=world.commands).collect::<Vec<_>>());
    }
}
