//! What an element remembers of the calls that are to be carried out at most once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{AssociationId, Instant};
use rserpool_core::element::Message;
use rserpool_core::endpoint::pieces::MAX_LONG_MESSAGE;
use rserpool_core::endpoint::{CallId, CallKind, MAX_CALL};

use crate::serve::Incoming;

/// How much an element remembers of the calls that are to be carried out at most once
/// ([`CallDelivery::Once`](crate::vocabulary::CallDelivery::Once)). What it does not remember any more it does not carry
/// out again; it says so to the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remembering {
    /// How long a call is remembered, from when it has come, and again from when it was answered (default 60 s): as
    /// long as a user may need to come back. Zero: nothing is remembered.
    pub age: Duration,
    /// How many calls are remembered at most (default 10,000): 5 MB of memory, beside their answers. Then the oldest is
    /// forgotten.
    pub calls: usize,
    /// How many octets their answers may have in all (default 4 MiB). Then the oldest calls are forgotten. An answer that
    /// travels in pieces is never remembered, nor is its call then.
    pub octets: usize,
}

impl Default for Remembering {
    fn default() -> Self {
        Self { age: Duration::from_secs(60), calls: 10_000, octets: 4 << 20 }
    }
}

impl Remembering {
    /// The same for so long.
    #[must_use]
    pub const fn age(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }

    /// The same for so many calls at most.
    #[must_use]
    pub const fn calls(mut self, calls: usize) -> Self {
        self.calls = calls;
        self
    }

    /// The same for so many octets of answers at most.
    #[must_use]
    pub const fn octets(mut self, octets: usize) -> Self {
        self.octets = octets;
        self
    }
}

/// How many answers wait at most that are sent without the application, to users that take nothing at present.
const MAX_WAITING: usize = 1_024;

/// What an element has done about calls that are to be carried out at most once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CallCounters {
    /// They came for the first time, and were handed to the application.
    pub taken: u64,
    /// They came again while they were in work; their answer goes where they came from last.
    pub in_work_again: u64,
    /// They came again and were answered as before.
    pub answers_repeated: u64,
    /// They came again and were not known, or not any more. They were refused.
    pub unknown: u64,
    /// They were forgotten before their time, because there were too many, or their answers too long.
    pub forgotten_early: u64,
}

/// The calls that an element remembers.
pub(super) struct Memory(Mutex<Calls>);

#[derive(Default)]
struct Calls {
    limits: Remembering,
    known: BTreeMap<CallId, Known>,
    /// By age, the oldest first.
    order: BTreeMap<u64, CallId>,
    last: u64,
    /// Those of all answers.
    octets: usize,
    /// To these an answer is to be sent without the application.
    owed: VecDeque<Incoming>,
    /// Likewise, when their users take something again.
    waiting: Vec<Incoming>,
    counters: CallCounters,
}

/// A call that has come.
struct Known {
    /// Its place in the order.
    number: u64,
    since: Instant,
    /// As it came last: its answer goes there.
    incoming: Incoming,
    /// Its answer, if there is one.
    answer: Option<Bytes>,
}

impl Memory {
    pub(super) fn new(limits: Remembering) -> Self {
        Self(Mutex::new(Calls { limits, ..Calls::default() }))
    }

    pub(super) fn counters(&self) -> CallCounters {
        self.calls().counters
    }

    /// A call has come. Says whether the application is to carry it out.
    pub(super) fn arrive(&self, now: Instant, incoming: &Incoming) -> bool {
        if incoming.kind == CallKind::Request {
            return true;
        }
        let mut calls = self.calls();
        calls.forget_old(now);
        let Calls { known, counters, owed, .. } = &mut *calls;
        if let Some(known) = known.get_mut(&incoming.call) {
            known.incoming = incoming.name();
            match known.answer {
                Some(_) => {
                    counters.answers_repeated += 1;
                    owed.push_back(incoming.name());
                }
                None => counters.in_work_again += 1,
            }
            return false;
        }
        if incoming.kind == CallKind::OnceRepeated {
            counters.unknown += 1;
            owed.push_back(incoming.name());
            return false;
        }
        counters.taken += 1;
        calls.remember(now, incoming.name(), None);
        true
    }

    /// The application answers a call. Returned is the message, to where the call came from last.
    pub(super) fn answer(&self, now: Instant, incoming: &Incoming, bytes: Bytes) -> Message {
        let mut calls = self.calls();
        let latest = calls.known.get(&incoming.call).map(|known| known.incoming.clone());
        let latest = latest.filter(|_| incoming.kind != CallKind::Request);
        match &latest {
            Some(latest) if bytes.len() <= MAX_CALL => {
                calls.remember(now, latest.clone(), Some(bytes.clone()));
            }
            // Answered, and the answer is too long to be kept: it is not carried out again.
            Some(latest) if bytes.len() <= MAX_LONG_MESSAGE => calls.forget(latest.call),
            // The answer that cannot be sent is none.
            _ => {}
        }
        latest.as_ref().unwrap_or(incoming).answer(CallKind::Answer, bytes)
    }

    /// The first message that is to be sent without the application, and to what it is the answer.
    pub(super) fn owed(&self) -> Option<(Incoming, Message)> {
        let calls = self.calls();
        let incoming = calls.owed.front()?.clone();
        let answer = calls.known.get(&incoming.call).and_then(|known| known.answer.clone());
        let message = match answer {
            Some(answer) => incoming.answer(CallKind::Answer, answer),
            None => incoming.answer(CallKind::Unknown, Bytes::new()),
        };
        Some((incoming, message))
    }

    /// What was owed first has been sent, or its user has gone.
    pub(super) fn paid(&self, incoming: &Incoming) {
        let mut calls = self.calls();
        if calls.owed.front() == Some(incoming) {
            calls.owed.pop_front();
        }
    }

    /// What is owed first waits until its user takes something again. If too many wait, it is given up: the call ends at
    /// its deadline.
    pub(super) fn postpone(&self, incoming: &Incoming) {
        let mut calls = self.calls();
        if calls.owed.front() == Some(incoming) {
            let incoming = calls.owed.pop_front().filter(|_| calls.waiting.len() < MAX_WAITING);
            calls.waiting.extend(incoming);
        }
    }

    /// A user takes something again, or has gone.
    pub(super) fn resume(&self, session: AssociationId) {
        let mut calls = self.calls();
        let due = calls.waiting.extract_if(.., |incoming| incoming.session == session).collect::<Vec<_>>();
        calls.owed.extend(due);
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Calls {
    /// Remembers a call, with its answer if it has one, as the youngest.
    fn remember(&mut self, now: Instant, incoming: Incoming, answer: Option<Bytes>) {
        self.forget(incoming.call);
        self.last += 1;
        self.octets += answer.as_ref().map_or(0, Bytes::len);
        self.order.insert(self.last, incoming.call);
        self.known.insert(incoming.call, Known { number: self.last, since: now, incoming, answer });
        while self.known.len() > self.limits.calls || self.octets > self.limits.octets {
            let Some((_, oldest)) = self.order.first_key_value() else { break };
            self.forget(*oldest);
            self.counters.forgotten_early += 1;
        }
        debug_assert_eq!(self.known.len(), self.order.len(), "each call has its place");
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some((_, oldest)) = self.order.first_key_value()
            && self.known.get(oldest).is_none_or(|known| known.since + self.limits.age <= now)
        {
            self.forget(*oldest);
        }
    }

    fn forget(&mut self, call: CallId) {
        let Some(known) = self.known.remove(&call) else { return };
        self.order.remove(&known.number);
        self.octets -= known.answer.map_or(0, |answer| answer.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rserpool_core::base::ProtocolId;
    use rserpool_core::endpoint::CallFrame;

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    fn call(session: u64, number: u64, kind: CallKind) -> Incoming {
        let call = CallId { caller: 1, number };
        Incoming {
            session: AssociationId::sctp(session),
            protocol: ProtocolId(5),
            bytes: "q".into(),
            call,
            stream: 0,
            kind,
        }
    }

    fn first(session: u64, number: u64) -> Incoming {
        call(session, number, CallKind::OnceRequest)
    }

    fn again(session: u64, number: u64) -> Incoming {
        call(session, number, CallKind::OnceRepeated)
    }

    /// The session and the frame of a message.
    fn frame(message: &Message) -> (u64, CallKind, u64, Bytes) {
        let CallFrame { kind, call, bytes, .. } = CallFrame::decode(&message.bytes).unwrap();
        (message.session.number(), kind, call.number, bytes)
    }

    /// Everything that is owed.
    fn pay(memory: &Memory) -> Vec<(u64, CallKind, u64, Bytes)> {
        let mut paid = Vec::new();
        while let Some((incoming, message)) = memory.owed() {
            paid.push(frame(&message));
            memory.paid(&incoming);
        }
        paid
    }

    #[test]
    fn a_call_is_carried_out_once_and_its_answer_repeated() {
        let memory = Memory::new(Remembering::default());
        assert!(memory.arrive(at(0), &first(1, 7)));
        // In work: its answer goes where it came from last.
        assert!(!memory.arrive(at(1), &again(2, 7)));
        assert_eq!(pay(&memory), []);
        let answer = memory.answer(at(2), &first(1, 7), "a".into());
        assert_eq!(frame(&answer), (2, CallKind::Answer, 7, "a".into()));
        // Answered: as often as it comes.
        for session in [2, 3] {
            assert!(!memory.arrive(at(3), &again(session, 7)));
            assert_eq!(pay(&memory), [(session, CallKind::Answer, 7, "a".into())]);
        }
        // Never seen here.
        assert!(!memory.arrive(at(4), &again(3, 8)));
        assert_eq!(pay(&memory), [(3, CallKind::Unknown, 8, Bytes::new())]);
        // Others may be carried out as often as they come.
        let plain = call(3, 9, CallKind::Request);
        for _ in 0..2 {
            assert!(memory.arrive(at(5), &plain));
            assert_eq!(
                frame(&memory.answer(at(5), &plain, "b".into())),
                (3, CallKind::Answer, 9, "b".into())
            );
        }
        let counters =
            CallCounters { taken: 1, in_work_again: 1, answers_repeated: 2, unknown: 1, forgotten_early: 0 };
        assert_eq!(memory.counters(), counters);
    }

    #[test]
    fn a_call_is_forgotten_in_time() {
        let memory = Memory::new(Remembering::default().age(Duration::from_secs(10)));
        assert!(memory.arrive(at(0), &first(1, 1)));
        assert!(memory.arrive(at(1), &first(1, 2)));
        memory.answer(at(8), &first(1, 1), "a".into());
        // The second has been in work for too long, the first was answered two seconds ago.
        assert!(!memory.arrive(at(11), &again(2, 2)));
        assert!(!memory.arrive(at(11), &again(2, 1)));
        let paid = [(2, CallKind::Unknown, 2, Bytes::new()), (2, CallKind::Answer, 1, "a".into())];
        assert_eq!(pay(&memory), paid);
        // Its answer is still given to who has asked.
        let late = memory.answer(at(12), &first(1, 2), "b".into());
        assert_eq!(frame(&late), (1, CallKind::Answer, 2, "b".into()));
        assert!(!memory.arrive(at(18), &again(2, 1)));
        assert_eq!(pay(&memory), [(2, CallKind::Unknown, 1, Bytes::new())]);
        let calls = memory.calls();
        assert_eq!((calls.known.len(), calls.order.len(), calls.octets), (0, 0, 0));
        assert_eq!(calls.counters.forgotten_early, 0);
    }

    #[test]
    fn memory_is_bounded_in_calls_and_octets() {
        let memory = Memory::new(Remembering::default().calls(3).octets(100));
        for number in 1..=5 {
            assert!(memory.arrive(at(0), &first(1, number)));
        }
        assert_eq!(memory.counters().forgotten_early, 2);
        for number in 3..=5 {
            memory.answer(at(1), &first(1, number), vec![0; 40].into());
        }
        let known = |memory: &Memory| memory.calls().known.keys().map(|call| call.number).collect::<Vec<_>>();
        assert_eq!((known(&memory), memory.calls().octets), (vec![4, 5], 80));
        // One answer that is too long for all of it is not remembered.
        memory.answer(at(2), &first(1, 5), vec![0; 101].into());
        assert_eq!((known(&memory), memory.calls().octets), (vec![], 0));
        // Nor one that cannot be sent: the application may answer once more.
        assert!(memory.arrive(at(3), &first(1, 6)));
        memory.answer(at(3), &first(1, 6), vec![0; MAX_LONG_MESSAGE + 1].into());
        assert!(!memory.arrive(at(4), &again(1, 6)));
        assert_eq!((pay(&memory), memory.counters().in_work_again), (vec![], 1));
        // One that travels in pieces is sent and not remembered.
        memory.answer(at(5), &first(1, 6), vec![0; MAX_CALL + 1].into());
        assert!(!memory.arrive(at(6), &again(1, 6)));
        assert_eq!(pay(&memory), [(1, CallKind::Unknown, 6, Bytes::new())]);
        // What was asked is not kept.
        assert!(memory.arrive(at(7), &first(1, 7)));
        assert!(memory.calls().known.values().all(|known| known.incoming.bytes.is_empty()));
        let nothing = Memory::new(Remembering::default().age(Duration::ZERO));
        assert!(nothing.arrive(at(0), &first(1, 1)));
        assert!(!nothing.arrive(at(0), &again(1, 1)));
        assert_eq!(pay(&nothing), [(1, CallKind::Unknown, 1, Bytes::new())]);
    }

    /// An answer that finds no room waits for its user, and so do not too many.
    #[test]
    fn answers_wait_for_their_users() {
        let memory = Memory::new(Remembering::default());
        let asked = MAX_WAITING as u64 + 5;
        for number in 1..=asked {
            memory.arrive(at(0), &again(1 + number % 2, number));
        }
        while let Some((incoming, _)) = memory.owed() {
            memory.postpone(&incoming);
        }
        memory.resume(AssociationId::sctp(1));
        let paid = pay(&memory).into_iter().map(|(session, _, number, _)| (session, number));
        assert!(paid.eq((2..=asked - 5).step_by(2).map(|number| (1, number))));
        memory.resume(AssociationId::sctp(2));
        assert_eq!(pay(&memory).len(), MAX_WAITING / 2);
        assert_eq!(memory.calls().waiting.len(), 0);
    }
}
