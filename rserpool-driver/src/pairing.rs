//! Calls in protocols of the application: which message answers which request.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_channel::Sender;
use bytes::Bytes;
use rserpool_core::base::ProtocolId;
use rserpool_core::element::Refusal;
use rserpool_core::user::{CallError, Notice, RequestId, SessionId};

use crate::role::Remark;

/// How many answers to calls that have ended an element may owe, if it answers in order. Then it is stuck, and the
/// session moves on.
const MAX_OWED: usize = 1_024;

/// How a session finds the answers to its calls, if its service does not know the framing of ours; see
/// [`Session::pairing`](crate::Session::pairing).
#[derive(Clone)]
pub struct Pairing(Way);

#[derive(Clone)]
enum Way {
    InOrder,
    ByName(Arc<dyn Correlator>),
}

impl Pairing {
    /// The service answers every request with one message, in the order of the requests, and sends nothing else.
    pub const fn in_order() -> Self {
        Self(Way::InOrder)
    }

    /// Requests and their answers have the same name in them, which differs from the names of all other requests that
    /// are unanswered. Messages without the name of such a request are
    /// [events](crate::SessionEvent::Received), as ever.
    ///
    /// ```
    /// use rserpool_driver::Pairing;
    /// use rserpool_driver::vocabulary::Bytes;
    ///
    /// // The first four octets are a number.
    /// let pairing = Pairing::by_name(|message: &Bytes| message.get(..4).map(|_| message.slice(..4)));
    /// ```
    pub fn by_name(correlator: impl Correlator) -> Self {
        Self(Way::ByName(Arc::new(correlator)))
    }
}

impl fmt::Debug for Pairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Way::InOrder => "in order",
            Way::ByName(_) => "by name",
        })
    }
}

/// Finds the name of a call in messages of the application. It runs in the event loop, so it should be quick; if it
/// panics, the user ends. A function from a message to its name is one.
pub trait Correlator: Send + Sync + 'static {
    /// The name of a request; `None`: it cannot be a call.
    fn request(&self, protocol: ProtocolId, bytes: &Bytes) -> Option<Bytes>;

    /// The name of the request that a message answers; `None`: it is no answer.
    fn answer(&self, protocol: ProtocolId, bytes: &Bytes) -> Option<Bytes>;
}

impl<F: Fn(&Bytes) -> Option<Bytes> + Send + Sync + 'static> Correlator for F {
    fn request(&self, _protocol: ProtocolId, bytes: &Bytes) -> Option<Bytes> {
        self(bytes)
    }

    fn answer(&self, _protocol: ProtocolId, bytes: &Bytes) -> Option<Bytes> {
        self(bytes)
    }
}

/// A call that is being handed over.
pub(super) struct Expected {
    pub(super) request: RequestId,
    pub(super) end: End,
}

/// Where the end of a call goes. Dropped: its session has ended.
type End = Sender<Result<Bytes, CallError>>;

/// The calls of one session that are paired by the application's own messages. The handle says which names are taken.
/// Everything else is done by the event loop, in the order in which things happen.
#[derive(Clone, Default)]
#[expect(unnameable_types, reason = "seals `Configuration`")]
pub struct Pairs(Arc<Mutex<Calls>>);

#[derive(Default)]
struct Calls {
    pairing: Option<Pairing>,
    names: BTreeMap<Bytes, RequestId>,
    /// In the order in which they were handed over: so they are sent, and sent again.
    unanswered: BTreeMap<u64, Unanswered>,
    /// Those that have not ended.
    number: BTreeMap<RequestId, u64>,
    last: u64,
    /// How often the session has left an element.
    left: u64,
    /// The session looks for another element: nothing that it keeps has been sent to that.
    moves: bool,
}

/// A request without an answer.
enum Unanswered {
    Call(RequestId, End),
    /// The call has ended, but its element may answer it all the same, in order.
    Owed,
}

/// The name of a call, until it has ended.
pub(super) struct Name<'a> {
    pairs: &'a Pairs,
    name: Option<Bytes>,
}

impl Drop for Name<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            self.pairs.calls().names.remove(name);
        }
    }
}

impl Pairs {
    /// Calls are paired so from now on.
    pub(super) fn set(&self, pairing: Pairing) {
        self.calls().pairing = Some(pairing);
    }

    /// Whether calls are paired here, and not by the framing of ours.
    pub(super) fn are_set(&self) -> bool {
        self.calls().pairing.is_some()
    }

    /// How often the session has left an element.
    pub(super) fn left(&self) -> u64 {
        self.calls().left
    }

    /// Takes the name of a request.
    pub(super) fn name(
        &self,
        request: RequestId,
        protocol: ProtocolId,
        bytes: &Bytes,
    ) -> Result<Name<'_>, CallError> {
        let mut calls = self.calls();
        let Some(Pairing(Way::ByName(correlator))) = &calls.pairing else {
            return Ok(Name { pairs: self, name: None });
        };
        let name = correlator.request(protocol, bytes).ok_or(CallError::Nameless)?;
        if calls.names.contains_key(&name) {
            return Err(CallError::Refused(Refusal::DuplicateRequest));
        }
        calls.names.insert(name.clone(), request);
        Ok(Name { pairs: self, name: Some(name) })
    }

    /// A call has been handed over.
    pub(super) fn begin(&self, Expected { request, end }: Expected) {
        let mut calls = self.calls();
        calls.last += 1;
        let number = calls.last;
        calls.number.insert(request, number);
        calls.unanswered.insert(number, Unanswered::Call(request, end));
    }

    /// A call is given up, or was answered. The endpoint is told the remark.
    pub(super) fn give_up(&self, session: SessionId, request: RequestId) -> Option<Remark> {
        let mut calls = self.calls();
        calls.end(request, None);
        calls.is_stuck().then_some(Remark::Stuck(session))
    }

    /// Something has happened in the session. What is left is for the application; the endpoint is told the remark.
    pub(super) fn handle(&self, notice: Notice) -> (Option<Notice>, Option<Remark>) {
        let mut calls = self.calls();
        match &notice {
            Notice::Received { session, protocol, bytes, .. } => {
                let Some(number) = calls.answered_by(*protocol, bytes) else { return (Some(notice), None) };
                (None, calls.answer(number, bytes).map(|request| Remark::Request(*session, request)))
            }
            Notice::Unanswered { session, request, reason, .. } => {
                match calls.end(*request, Some(CallError::Unanswered(*reason))) {
                    true => (None, calls.is_stuck().then_some(Remark::Stuck(*session))),
                    false => (Some(notice), None),
                }
            }
            Notice::ElementFailed { .. } => {
                calls.leave_element();
                (Some(notice), None)
            }
            Notice::FailedOver { .. } => {
                calls.moves = false;
                (Some(notice), None)
            }
            Notice::Closed { .. } => {
                calls.unanswered.clear();
                calls.number.clear();
                (Some(notice), None)
            }
            _ => (Some(notice), None),
        }
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Calls {
    /// The number of the request that a message answers.
    fn answered_by(&self, protocol: ProtocolId, bytes: &Bytes) -> Option<u64> {
        if matches!(protocol, ProtocolId::PIECE | ProtocolId::LAST_PIECE) {
            return None;
        }
        match &self.pairing.as_ref()?.0 {
            Way::InOrder => self.unanswered.keys().next().copied(),
            Way::ByName(correlator) => {
                let request = self.names.get(&correlator.answer(protocol, bytes)?)?;
                self.number.get(request).copied()
            }
        }
    }

    /// Ends a call with its answer, if it has not ended before.
    fn answer(&mut self, number: u64, bytes: &Bytes) -> Option<RequestId> {
        let Some(Unanswered::Call(request, end)) = self.unanswered.remove(&number) else { return None };
        self.number.remove(&request);
        // If its caller has gone, nobody wants the answer.
        let _ = end.try_send(Ok(bytes.clone()));
        Some(request)
    }

    /// A call ends without an answer. In a service that answers in order, the answer may still come, if the element has
    /// the request. False if it was no call.
    fn end(&mut self, request: RequestId, error: Option<CallError>) -> bool {
        let Some(number) = self.number.remove(&request) else { return false };
        let Some(Unanswered::Call(_, end)) = self.unanswered.remove(&number) else { return false };
        if !self.moves && matches!(self.pairing, Some(Pairing(Way::InOrder))) {
            self.unanswered.insert(number, Unanswered::Owed);
        }
        if let Some(error) = error {
            let _ = end.try_send(Err(error));
        }
        true
    }

    /// The element has failed: what it owes is not asked of the next one.
    fn leave_element(&mut self) {
        self.moves = true;
        self.left += 1;
        self.unanswered.retain(|_, request| matches!(request, Unanswered::Call(..)));
    }

    /// Whether the element owes more answers than one that works.
    fn is_stuck(&self) -> bool {
        self.unanswered.len() - self.number.len() > MAX_OWED
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_channel::{Receiver, bounded};
    use rserpool_core::user::UnansweredReason;

    type Ended = Receiver<Result<Bytes, CallError>>;

    const DEADLINE: Option<CallError> = Some(CallError::Unanswered(UnansweredReason::Deadline));

    fn pairs(pairing: Pairing) -> Pairs {
        let pairs = Pairs::default();
        pairs.set(pairing);
        pairs
    }

    fn begin(pairs: &Pairs, request: u64) -> Ended {
        let (end, ended) = bounded(1);
        pairs.begin(Expected { request: RequestId(request), end });
        ended
    }

    /// A message arrives: which request it answers, or that it is for the application.
    fn receive(pairs: &Pairs, bytes: &'static str) -> Option<Option<u64>> {
        let (mut calls, bytes) = (pairs.calls(), Bytes::from(bytes));
        let number = calls.answered_by(ProtocolId(0), &bytes)?;
        Some(calls.answer(number, &bytes).map(|request| request.0))
    }

    fn answer(bytes: &'static str) -> Result<Result<Bytes, CallError>, async_channel::TryRecvError> {
        Ok(Ok(bytes.into()))
    }

    /// Answers that come in order belong to the requests in order, also those that nobody waits for any more.
    #[test]
    fn answers_in_order_find_their_requests() {
        let pairs = pairs(Pairing::in_order());
        let [first, second, third, fourth] = [1, 2, 3, 4].map(|request| begin(&pairs, request));
        assert_eq!(pairs.give_up(SessionId(1), RequestId(2)), None);
        assert!(pairs.calls().end(RequestId(3), DEADLINE));
        assert!(!pairs.calls().end(RequestId(3), DEADLINE), "once");
        assert_eq!([1, 2, 3].map(|_| receive(&pairs, "a")), [Some(Some(1)), Some(None), Some(None)]);
        assert_eq!(receive(&pairs, "d"), Some(Some(4)));
        assert_eq!(receive(&pairs, "more"), None);
        assert_eq!((first.try_recv(), fourth.try_recv()), (answer("a"), answer("d")));
        assert_eq!(third.try_recv(), Ok(Err(DEADLINE.unwrap())));
        assert!(second.is_closed());
    }

    /// The next element gets the requests that are unanswered, and no others.
    #[test]
    fn what_one_element_owes_the_next_does_not() {
        let pairs = pairs(Pairing::in_order());
        let [_first, _second, third, fourth] = [1, 2, 3, 4].map(|request| begin(&pairs, request));
        // Its answer would have come first.
        pairs.give_up(SessionId(1), RequestId(1));
        pairs.calls().leave_element();
        // Ended between two elements: not sent to the next one.
        pairs.give_up(SessionId(1), RequestId(2));
        pairs.calls().moves = false;
        assert_eq!(receive(&pairs, "c"), Some(Some(3)));
        assert_eq!(receive(&pairs, "d"), Some(Some(4)));
        assert_eq!((third.try_recv(), fourth.try_recv()), (answer("c"), answer("d")));
    }

    #[test]
    fn an_element_that_owes_too_much_is_left() {
        let pairs = pairs(Pairing::in_order());
        for request in 0..=MAX_OWED as u64 {
            begin(&pairs, request);
            let stuck = (request == MAX_OWED as u64).then_some(Remark::Stuck(SessionId(1)));
            assert_eq!(pairs.give_up(SessionId(1), RequestId(request)), stuck);
        }
        pairs.calls().leave_element();
        let calls = pairs.calls();
        assert_eq!((calls.unanswered.len(), calls.number.len()), (0, 0));
    }

    #[test]
    fn answers_with_names_find_their_requests() {
        let pairs = pairs(Pairing::by_name(|bytes: &Bytes| bytes.get(..1).map(|_| bytes.slice(..1))));
        let name =
            |request, bytes: &'static str| pairs.name(RequestId(request), ProtocolId(0), &bytes.into());
        let (x, y) = (name(1, "x1").unwrap(), name(2, "y1").unwrap());
        assert_eq!(name(3, "x2").err(), Some(CallError::Refused(Refusal::DuplicateRequest)));
        assert_eq!(name(3, "").err(), Some(CallError::Nameless));
        let (first, second) = (begin(&pairs, 1), begin(&pairs, 2));
        assert_eq!((receive(&pairs, "z"), receive(&pairs, "")), (None, None));
        assert_eq!(receive(&pairs, "y!"), Some(Some(2)));
        assert_eq!(receive(&pairs, "y!"), None, "it is answered");
        pairs.give_up(SessionId(1), RequestId(1));
        assert_eq!(receive(&pairs, "x!"), None, "nobody waits for it");
        assert_eq!((second.try_recv(), first.is_closed()), (answer("y!"), true));
        drop((x, y));
        assert!(name(3, "x2").is_ok());
        let calls = pairs.calls();
        assert_eq!((calls.unanswered.len(), calls.number.len(), calls.names.len()), (0, 0, 0));
    }
}
