//! The supervised requests of a session: each is kept until it is answered, or until one of its limits ends it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::config::UserConfig;
use super::interface::{Delivery, Message, RequestId, UnansweredReason};
use crate::base::{Deadlines, Instant, ProtocolId};
use crate::endpoint::pieces::{self, MAX_LONG_MESSAGE};
use crate::endpoint::{CallFrame, CallKind, MAX_MESSAGE};

/// The most supervised requests of one session that may be unanswered at the same time. It bounds memory if
/// requests are so short that the bound of their octets does not.
pub const MAX_UNANSWERED: usize = 10_000;

/// The unanswered requests of one session, in the order in which the application sent them.
#[derive(Debug, Default)]
pub(super) struct Requests {
    queue: BTreeMap<u64, Kept>,
    number: BTreeMap<RequestId, u64>,
    next: u64,
    /// Those of all but the long ones.
    octets: usize,
    /// Those of the long ones, which travel in pieces.
    long_octets: usize,
    /// The long ones that the present element does not have whole. The first is on its way.
    in_pieces: BTreeSet<u64>,
    deadlines: Deadlines<Timer>,
}

/// What happens to a request when its element fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnFailure {
    Resend,
    Report,
}

/// A timer of the request with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// It is given up.
    GiveUp(u64),
    /// It is tried elsewhere.
    Move(u64),
}

/// One unanswered request.
#[derive(Debug)]
struct Kept {
    request: RequestId,
    protocol: ProtocolId,
    bytes: Bytes,
    /// How much of a long one the present element was sent.
    sent: usize,
    on_failure: OnFailure,
    /// How often it was sent whole, and may be.
    deliveries: u32,
    max_deliveries: u32,
    move_after: Option<Duration>,
}

impl Kept {
    const fn is_long(&self) -> bool {
        is_long(self.bytes.len())
    }

    /// It is sent again: a call that is to be carried out at most once says so.
    fn repeat(&mut self) {
        if self.protocol == ProtocolId::CALL
            && let Some(frame) = CallFrame::decode(&self.bytes)
            && frame.kind == CallKind::OnceRequest
        {
            self.bytes = CallFrame { kind: CallKind::OnceRepeated, ..frame }.encode();
        }
    }
}

/// A request that is to be sent to an element that has taken over.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) request: RequestId,
    /// The message; `None`: it is long, and comes piece by piece.
    pub(super) message: Option<(ProtocolId, Bytes)>,
    /// Whether another element had it before.
    pub(super) again: bool,
}

/// What the time has brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// This request was given up.
    GivenUp(RequestId),
    /// A request wants to be tried elsewhere.
    Move,
}

impl Requests {
    /// The identifier of a supervised message; `None` if the message is not supervised.
    pub(super) const fn supervised(delivery: Delivery) -> Option<RequestId> {
        match delivery {
            Delivery::Once => None,
            Delivery::Retry(request) | Delivery::Report(request) => Some(request),
        }
    }

    pub(super) fn contains(&self, request: RequestId) -> bool {
        self.number.contains_key(&request)
    }

    /// Whether there is room for a request of this many `octets`, if all requests together may have `limit`.
    /// A single request is always taken. Long ones have room of their own, as much as one of them may need.
    pub(super) fn has_room(&self, octets: usize, limit: usize) -> bool {
        let (held, limit) = match is_long(octets) {
            true => (self.long_octets, MAX_LONG_MESSAGE),
            false => (self.octets, limit),
        };
        held == 0 || (self.queue.len() < MAX_UNANSWERED && held.saturating_add(octets) <= limit)
    }

    /// Keeps a message if it is supervised. `sent`: it is being sent now.
    pub(super) fn keep(&mut self, now: Instant, message: &Message, sent: bool, config: &UserConfig) {
        let (request, on_failure) = match message.delivery {
            Delivery::Once => return,
            Delivery::Retry(request) => (request, OnFailure::Resend),
            Delivery::Report(request) => (request, OnFailure::Report),
        };
        let (number, limits) = (self.next, message.limits);
        let sent = sent && !is_long(message.bytes.len());
        let kept = Kept {
            request,
            protocol: message.protocol,
            bytes: message.bytes.clone(),
            sent: 0,
            on_failure,
            deliveries: u32::from(sent),
            max_deliveries: limits.deliveries.unwrap_or(config.max_deliveries).max(1),
            move_after: limits.move_after,
        };
        self.deadlines.set(Timer::GiveUp(number), now + limits.deadline.unwrap_or(config.answer_deadline));
        if let Some(time) = limits.move_after.filter(|_| sent) {
            self.deadlines.set(Timer::Move(number), now + time);
        }
        match kept.is_long() {
            true => {
                self.long_octets += kept.bytes.len();
                self.in_pieces.insert(number);
            }
            false => self.octets = self.octets.saturating_add(kept.bytes.len()),
        }
        self.number.insert(request, number);
        self.queue.insert(number, kept);
        self.next += 1;
        debug_assert_eq!(self.queue.len(), self.number.len(), "each request is kept once");
    }

    /// Forgets a request that was answered or is given up; false if it was not there.
    pub(super) fn forget(&mut self, request: RequestId) -> bool {
        let Some(number) = self.number.remove(&request) else { return false };
        self.deadlines.clear(&Timer::GiveUp(number));
        self.deadlines.clear(&Timer::Move(number));
        self.in_pieces.remove(&number);
        if let Some(kept) = self.queue.remove(&number) {
            match kept.is_long() {
                true => self.long_octets -= kept.bytes.len(),
                false => self.octets = self.octets.saturating_sub(kept.bytes.len()),
            }
        }
        true
    }

    /// Whether the element that serves the session has a request.
    pub(super) fn are_out(&self) -> bool {
        self.queue.values().any(|kept| kept.deliveries > 0 || kept.sent > 0)
    }

    /// When [`Requests::handle_timeout`] wants to be called.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Takes one thing that is due.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<Overdue> {
        match self.deadlines.pop_due(now)? {
            Timer::GiveUp(number) => {
                let request = self.queue.get(&number)?.request;
                self.forget(request);
                Some(Overdue::GivenUp(request))
            }
            Timer::Move(_) => Some(Overdue::Move),
        }
    }

    /// The session has left its element: removes and returns the requests that are not sent again, and why.
    pub(super) fn leave_element(&mut self) -> Vec<(RequestId, UnansweredReason)> {
        let mut ended = Vec::new();
        for (number, kept) in &self.queue {
            self.deadlines.clear(&Timer::Move(*number));
            match kept.on_failure {
                OnFailure::Report if kept.deliveries > 0 => {
                    ended.push((kept.request, UnansweredReason::ElementFailed));
                }
                OnFailure::Resend if kept.deliveries >= kept.max_deliveries => {
                    ended.push((kept.request, UnansweredReason::Deliveries));
                }
                OnFailure::Report | OnFailure::Resend => {}
            }
        }
        for (request, _) in &ended {
            self.forget(*request);
        }
        ended
    }

    /// All requests, to be sent to the element that has taken over.
    pub(super) fn deliver(&mut self, now: Instant) -> impl Iterator<Item = Due> {
        let Self { queue, deadlines, in_pieces, .. } = self;
        queue.iter_mut().map(move |(number, kept)| {
            if kept.is_long() {
                kept.sent = 0;
                in_pieces.insert(*number);
                return Due { request: kept.request, message: None, again: kept.deliveries > 0 };
            }
            if let Some(time) = kept.move_after {
                deadlines.set(Timer::Move(*number), now + time);
            }
            let again = kept.deliveries > 0;
            kept.deliveries = kept.deliveries.saturating_add(1);
            if again {
                kept.repeat();
            }
            Due { request: kept.request, message: Some((kept.protocol, kept.bytes.clone())), again }
        })
    }

    /// Whether a long request is on its way to the element.
    pub(super) fn are_in_pieces(&self) -> bool {
        !self.in_pieces.is_empty()
    }

    /// The next piece for the element that serves the session. The long requests go one after the other. One of which an
    /// element has not got the last piece was not sent: nobody can have carried it out.
    pub(super) fn next_piece(&mut self, now: Instant) -> Option<(ProtocolId, Bytes)> {
        let number = *self.in_pieces.first()?;
        let kept = self.queue.get_mut(&number)?;
        if kept.sent == 0 && kept.deliveries > 0 {
            kept.repeat();
        }
        // Two that follow each other have different numbers.
        let (protocol, piece, next) = pieces::piece(kept.protocol, number as u32, &kept.bytes, kept.sent)?;
        kept.sent = next;
        if next == kept.bytes.len() {
            kept.deliveries = kept.deliveries.saturating_add(1);
            if let Some(time) = kept.move_after {
                self.deadlines.set(Timer::Move(number), now + time);
            }
            self.in_pieces.remove(&number);
        }
        Some((protocol, piece))
    }

    /// How many are unanswered.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }
}

/// Whether a message has to travel in pieces.
const fn is_long(octets: usize) -> bool {
    octets > MAX_MESSAGE
}
