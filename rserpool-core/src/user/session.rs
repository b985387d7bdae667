//! One session with a pool: it looks for an element, is served by one, or is being closed.

use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::config::UserConfig;
use super::handover::Handover;
use super::interface::{Message, RequestId, SessionStatus, UnansweredReason};
use super::requests::{Due, Overdue, Requests};
use super::search::{Purpose, Search};
use super::standby::Standby;
use crate::base::{AssociationId, CommandId, ElementId, Instant, PoolHandle, ProtocolId, Random};
use crate::endpoint::pieces::{Arrived, Assembly};
use crate::endpoint::{MAX_MESSAGE, Refusal};

/// How often the pause between two searches doubles.
const MAX_DOUBLINGS: u32 = 3;

#[derive(Debug)]
pub(super) struct Session {
    handle: PoolHandle,
    state: State,
    trouble: Option<Trouble>,
    requests: Requests,
    handover: Handover,
    /// A message was refused, and the application waits for [`Notice::Writable`](super::Notice::Writable).
    awaits_room: bool,
    /// The application has no room for messages.
    held: bool,
    /// The element is to get the card when the queue is free.
    card_due: bool,
    /// A card of the present element has made the user resolve a pool.
    card_resolved: bool,
    /// The name of the session in its calls, once it has made one.
    caller: Option<u64>,
    /// The long answer that arrives.
    assembly: Assembly,
    /// How often another element has taken over.
    failovers: u64,
}

#[derive(Debug)]
enum State {
    Searching(Search),
    Serving(Serving, Queue, Standby),
    /// The association is being closed.
    Closing(Serving),
}

/// A session has left an element, and none has proved itself since: by an answer, or by serving for long enough.
/// Connections prove nothing, since an element may accept one after the other and end them at once.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    since: Instant,
    /// The searches since then that led to nothing.
    in_vain: u32,
}

/// The element that serves a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Serving {
    pub(super) association: AssociationId,
    pub(super) element: ElementId,
    pub(super) since: Instant,
    /// Whether there is a control channel.
    pub(super) control: bool,
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
        Self {
            handle,
            state,
            trouble: None,
            requests: Requests::default(),
            handover: Handover::default(),
            awaits_room: false,
            held: false,
            card_due: false,
            card_resolved: false,
            caller: None,
            assembly: Assembly::default(),
            failovers: 0,
        }
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
            State::Serving(serving, ..) => Some(serving),
            State::Searching(_) | State::Closing(_) => None,
        }
    }

    /// Its next element, if one serves it now.
    pub(super) const fn standby_mut(&mut self) -> Option<&mut Standby> {
        match &mut self.state {
            State::Serving(_, _, standby) => Some(standby),
            State::Searching(_) | State::Closing(_) => None,
        }
    }

    /// The other end, even of a session that is being closed.
    const fn other_end(&self) -> Option<Serving> {
        match self.state {
            State::Serving(serving, ..) | State::Closing(serving) => Some(serving),
            State::Searching(_) => None,
        }
    }

    /// The element at the other end.
    pub(super) fn element(&self) -> Option<ElementId> {
        self.other_end().map(|serving| serving.element)
    }

    /// Whether there is a control channel to the other end.
    pub(super) fn has_control_channel(&self) -> bool {
        self.other_end().is_some_and(|serving| serving.control)
    }

    /// What the elements so far have left for the next one.
    pub(super) const fn handover(&self) -> &Handover {
        &self.handover
    }

    pub(super) const fn handover_mut(&mut self) -> &mut Handover {
        &mut self.handover
    }

    /// Whether a message may be taken; unanswered requests may have `limit` octets in all. If the message is
    /// refused for lack of room, the application waits for room.
    pub(super) fn admit(&mut self, message: &Message, limit: usize) -> Result<(), Refusal> {
        let supervised = Requests::supervised(message.delivery);
        if supervised.is_some_and(|request| self.requests.contains(request)) {
            return Err(Refusal::DuplicateRequest);
        }
        if !self.is_open() {
            return Err(Refusal::UnknownSession);
        }
        let blocked = match self.state {
            // What goes in pieces waits by itself.
            State::Serving(_, queue, _) => queue == Queue::Full && message.bytes.len() <= MAX_MESSAGE,
            // Requests are kept for the next element; other messages are not.
            _ => supervised.is_none(),
        };
        if blocked || (supervised.is_some() && !self.requests.has_room(message.bytes.len(), limit)) {
            self.awaits_room = true;
            return Err(Refusal::Congested);
        }
        Ok(())
    }

    /// The name of the session in its calls.
    pub(super) fn caller(&mut self, random: &mut Random) -> u64 {
        *self.caller.get_or_insert_with(|| random.next_u64())
    }

    pub(super) fn is_caller(&self, caller: u64) -> bool {
        self.caller == Some(caller)
    }

    pub(super) fn has_request(&self, request: RequestId) -> bool {
        self.requests.contains(request)
    }

    /// Keeps a message if it is supervised.
    pub(super) fn keep(&mut self, now: Instant, message: &Message, config: &UserConfig) {
        self.requests.keep(now, message, self.serving().is_some(), config);
    }

    /// Forgets a request that was answered or is given up; false if it was not there.
    pub(super) fn forget(&mut self, request: RequestId) -> bool {
        self.requests.forget(request)
    }

    /// All unanswered requests, to be sent to the element that has taken over.
    pub(super) fn deliver(&mut self, now: Instant) -> impl Iterator<Item = Due> {
        self.requests.deliver(now)
    }

    /// The association that has room for the next piece of a long request, if there is one.
    pub(super) fn awaits_piece(&self) -> Option<Serving> {
        match self.state {
            State::Serving(serving, Queue::Free, _) if self.requests.are_in_pieces() => Some(serving),
            _ => None,
        }
    }

    /// The next piece of a long request.
    pub(super) fn next_piece(&mut self, now: Instant) -> Option<(ProtocolId, Bytes)> {
        self.requests.next_piece(now)
    }

    /// A piece of a long answer has come.
    pub(super) fn assemble(&mut self, protocol: ProtocolId, piece: Bytes) -> Arrived {
        self.assembly.add(protocol, piece)
    }

    /// What there is of a long answer is of no use.
    pub(super) fn drop_incomplete(&mut self) {
        self.assembly.clear();
    }

    /// When a limit of a request is reached.
    pub(super) fn next_limit(&self) -> Option<Instant> {
        self.requests.poll_timeout()
    }

    /// Takes one limit that is reached.
    pub(super) fn take_limit(&mut self, now: Instant) -> Option<Overdue> {
        self.requests.handle_timeout(now)
    }

    /// An element serves the session from now on; returns the purpose of the search.
    pub(super) fn begin_serving(&mut self, serving: Serving) -> Option<Purpose> {
        let purpose = self.search_mut().map(|(_, search)| search.purpose());
        debug_assert!(purpose.is_some(), "only a session that searches finds an element");
        self.state = State::Serving(serving, Queue::Free, Standby::None);
        self.failovers += u64::from(matches!(purpose, Some(Purpose::Replace(_))));
        (self.card_due, self.card_resolved) = (true, false);
        purpose
    }

    /// The element has sent data or a cookie. A business card is no answer: whoever accepts, gives one and closes has
    /// served nobody.
    pub(super) const fn answered(&mut self) {
        self.trouble = None;
    }

    /// The session leaves its element, because that has fallen `silent` or for another reason; returns the
    /// requests that end by that.
    pub(super) fn begin_failover(
        &mut self,
        now: Instant,
        Serving { element, since, .. }: Serving,
        silent: bool,
        config: &UserConfig,
    ) -> Vec<(RequestId, UnansweredReason)> {
        debug_assert_eq!(self.element(), Some(element), "only the element that serves can be left");
        self.state = State::Searching(Search::new(Purpose::Replace(element)));
        // The silence of an element that owes an answer may have begun with the connection.
        let owes = silent && self.requests.are_out();
        let proof = if owes { config.failover_deadline } else { config.exclusion };
        let trouble = self.trouble.filter(|_| now < since + proof);
        self.assembly.clear();
        self.trouble = trouble.or(Some(Trouble { since: now, in_vain: 0 }));
        self.requests.leave_element()
    }

    /// Since when a session that fails over has been looking for an element that answers.
    pub(super) fn troubled_since(&self) -> Option<Instant> {
        self.trouble.map(|trouble| trouble.since)
    }

    /// The pause before the next search, which grows with each that leads to nothing; `None` before the first.
    pub(super) fn take_pause(&mut self, interval: Duration) -> Option<Duration> {
        let trouble = self.trouble.as_mut()?;
        let in_vain = trouble.in_vain;
        trouble.in_vain = in_vain.saturating_add(1);
        let doublings = in_vain.checked_sub(1)?.min(MAX_DOUBLINGS);
        Some(interval.saturating_mul(1 << doublings))
    }

    /// Whether the application has no room for messages, from now on; returns how it was before.
    pub(super) const fn set_held(&mut self, held: bool) -> bool {
        core::mem::replace(&mut self.held, held)
    }

    pub(super) const fn is_held(&self) -> bool {
        self.held
    }

    /// Another card is to be given to the element.
    pub(super) const fn owe_card(&mut self) {
        self.card_due = true;
    }

    /// The association over which the card may be sent now, if it is due. True once.
    pub(super) const fn take_card_due(&mut self) -> Option<AssociationId> {
        match self.state {
            State::Serving(Serving { association, control: true, .. }, Queue::Free, _) if self.card_due => {
                self.card_due = false;
                Some(association)
            }
            _ => None,
        }
    }

    /// Whether a card may make the user resolve a pool: one for each element, so that none makes it ask without end.
    pub(super) const fn take_card_resolution(&mut self) -> bool {
        !core::mem::replace(&mut self.card_resolved, true)
    }

    /// Closes a session that is served; returns its association.
    pub(super) fn begin_closing(&mut self) -> Option<AssociationId> {
        let serving = self.serving()?;
        self.state = State::Closing(serving);
        self.requests = Requests::default();
        self.assembly.clear();
        Some(serving.association)
    }

    /// The queue of the association is full, or free again; false if no element serves the session.
    pub(super) fn set_queue(&mut self, now: Queue) -> bool {
        match &mut self.state {
            State::Serving(_, queue, _) => {
                *queue = now;
                true
            }
            State::Searching(_) | State::Closing(_) => false,
        }
    }

    /// Whether the application is to be told that the session takes data again.
    pub(super) fn take_writable(&mut self, limit: usize) -> bool {
        let free = matches!(self.state, State::Serving(_, Queue::Free, _));
        let writable = self.awaits_room && free && self.requests.has_room(1, limit);
        self.awaits_room &= !writable;
        writable
    }

    /// How many requests are unanswered.
    pub(super) fn unanswered(&self) -> usize {
        self.requests.len()
    }

    /// How it is, if the application knows it and has not closed it.
    pub(super) fn status(&self) -> Option<SessionStatus> {
        self.is_open().then(|| SessionStatus {
            handle: self.handle.clone(),
            element: self.serving().map(|serving| serving.element),
            unanswered: self.unanswered(),
            cookie_octets: self.handover.cookie().map(Bytes::len),
            failovers: self.failovers,
        })
    }
}
