//! One session with a pool: it looks for an element, is served by one, or is being closed.

use alloc::vec::Vec;

use bytes::Bytes;

use super::interface::{Delivery, RequestId};
use super::requests::{Kept, Requests};
use super::search::{Purpose, Search};
use crate::base::{AssociationId, CommandId, ElementId, Instant, PoolHandle, ProtocolId};
use crate::endpoint::Refusal;

#[derive(Debug)]
pub(super) struct Session {
    handle: PoolHandle,
    state: State,
    requests: Requests,
    /// A message was refused, and the application waits for [`Notice::Writable`](super::Notice::Writable).
    awaits_room: bool,
}

#[derive(Debug)]
enum State {
    Searching(Search),
    Serving(Serving, Queue),
    /// The association is being closed.
    Closing(ElementId),
}

/// The element that serves a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Serving {
    pub(super) association: AssociationId,
    pub(super) element: ElementId,
}

/// The queue of the association, as last reported by the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    Free,
    Full,
}

/// How far a session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It looks for its first element, which this command asked for.
    Opening(CommandId),
    /// It looks for another element.
    FailingOver,
    Serving,
    Closing,
}

impl Session {
    /// A session that looks for its first element.
    pub(super) fn new(handle: PoolHandle, command: CommandId) -> Self {
        let state = State::Searching(Search::new(Purpose::Open(command)));
        Self { handle, state, requests: Requests::default(), awaits_room: false }
    }

    pub(super) const fn handle(&self) -> &PoolHandle {
        &self.handle
    }

    pub(super) const fn stage(&self) -> Stage {
        match &self.state {
            State::Searching(search) => match search.purpose() {
                Purpose::Open(command) => Stage::Opening(command),
                Purpose::Replace(_) => Stage::FailingOver,
            },
            State::Serving(..) => Stage::Serving,
            State::Closing(_) => Stage::Closing,
        }
    }

    /// Whether the application knows the session and has not closed it.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.stage(), Stage::FailingOver | Stage::Serving)
    }

    /// The pool and the search of a session that searches.
    pub(super) fn search_mut(&mut self) -> Option<(&PoolHandle, &mut Search)> {
        match &mut self.state {
            State::Searching(search) => Some((&self.handle, search)),
            State::Serving(..) | State::Closing(_) => None,
        }
    }

    /// The element that serves the session.
    pub(super) const fn serving(&self) -> Option<Serving> {
        match self.state {
            State::Serving(serving, _) => Some(serving),
            State::Searching(_) | State::Closing(_) => None,
        }
    }

    /// The element at the other end, even of a session that is being closed.
    pub(super) const fn element(&self) -> Option<ElementId> {
        match self.state {
            State::Serving(Serving { element, .. }, _) | State::Closing(element) => Some(element),
            State::Searching(_) => None,
        }
    }

    /// Whether a message may be taken; unanswered requests may have `limit` octets in all. If the message is
    /// refused for lack of room, the application waits for room.
    pub(super) fn admit(&mut self, octets: usize, delivery: Delivery, limit: usize) -> Result<(), Refusal> {
        let supervised = Requests::supervised(delivery);
        if supervised.is_some_and(|request| self.requests.contains(request)) {
            return Err(Refusal::DuplicateRequest);
        }
        if !self.is_open() {
            return Err(Refusal::UnknownSession);
        }
        let blocked = match self.state {
            State::Serving(_, queue) => queue == Queue::Full,
            // Requests are kept for the next element; other messages are not.
            _ => supervised.is_none(),
        };
        if blocked || (supervised.is_some() && !self.requests.has_room(octets, limit)) {
            self.awaits_room = true;
            return Err(Refusal::Congested);
        }
        Ok(())
    }

    /// Keeps a message if it is supervised. `sent`: when it was sent, if an element serves the session.
    pub(super) fn keep(
        &mut self,
        delivery: Delivery,
        protocol: ProtocolId,
        bytes: Bytes,
        sent: Option<Instant>,
    ) {
        self.requests.keep(delivery, protocol, bytes, sent);
    }

    /// Forgets a request that was answered; false if it was not there.
    pub(super) fn answered(&mut self, request: RequestId) -> bool {
        self.requests.answered(request)
    }

    /// All unanswered requests.
    pub(super) fn unanswered_mut(&mut self) -> impl Iterator<Item = &mut Kept> {
        self.requests.iter_mut()
    }

    /// When the oldest unanswered request was last sent to the element that serves the session.
    pub(super) fn oldest_sent(&self) -> Option<Instant> {
        self.serving().and_then(|_| self.requests.oldest_sent())
    }

    /// An element serves the session from now on; returns the purpose of the search.
    pub(super) fn begin_serving(&mut self, serving: Serving) -> Option<Purpose> {
        let purpose = self.search_mut().map(|(_, search)| search.purpose());
        debug_assert!(purpose.is_some(), "only a session that searches finds an element");
        self.state = State::Serving(serving, Queue::Free);
        purpose
    }

    /// The element has failed; returns the requests whose failure is to be reported.
    pub(super) fn begin_failover(&mut self, failed: ElementId) -> Vec<RequestId> {
        debug_assert_eq!(self.element(), Some(failed), "only the element that serves can fail");
        self.state = State::Searching(Search::new(Purpose::Replace(failed)));
        self.requests.take_reports()
    }

    /// Closes a session that is served; returns its association.
    pub(super) fn begin_closing(&mut self) -> Option<AssociationId> {
        let Serving { association, element } = self.serving()?;
        self.state = State::Closing(element);
        self.requests = Requests::default();
        Some(association)
    }

    /// The queue of the association is full, or free again; false if no element serves the session.
    pub(super) fn set_queue(&mut self, now: Queue) -> bool {
        match &mut self.state {
            State::Serving(_, queue) => {
                *queue = now;
                true
            }
            State::Searching(_) | State::Closing(_) => false,
        }
    }

    /// Whether the application is to be told that the session takes data again.
    pub(super) fn take_writable(&mut self, limit: usize) -> bool {
        let free = matches!(self.state, State::Serving(_, Queue::Free));
        let writable = self.awaits_room && free && self.requests.has_room(1, limit);
        self.awaits_room &= !writable;
        writable
    }
}
