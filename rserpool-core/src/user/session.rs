//! A session while an element serves it: messages, supervision, the end.

use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::requests::Requests;
use super::state::{Purpose, Search, Serving, Session, State};
use super::{Answer, FailureReason, Message, Notice, RequestId, SessionId, UserError};
use super::{Timer, User};
use crate::base::{CommandId, Instant, PoolHandle, ProtocolId};
use crate::endpoint::{Action, DownReason, MAX_MESSAGE, Refusal};

/// How long closing one session may take; what the element has not acknowledged by then is lost.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

impl User {
    pub(super) fn open(&mut self, now: Instant, command: CommandId, handle: PoolHandle) {
        if self.sessions.len() >= self.config.max_sessions {
            self.out.answer(command, Answer::Opened(Err(UserError::TooMany)));
            return;
        }
        self.last_session += 1;
        let id = SessionId(self.last_session);
        let state = State::Searching(Search::new(Purpose::Open(command)));
        let session = Session { handle, state, requests: Requests::default(), refused: false };
        self.sessions.insert(id, session);
        self.search(now, id);
    }

    pub(super) fn send(&mut self, now: Instant, message: Message) -> Result<(), Refusal> {
        let Message { session: id, protocol, bytes, delivery } = message;
        if matches!(protocol, ProtocolId::ASAP | ProtocolId::ENRP) {
            return Err(Refusal::ReservedProtocol);
        }
        if !(1..=MAX_MESSAGE).contains(&bytes.len()) {
            return Err(Refusal::Length);
        }
        let limit = self.config.max_unanswered_octets;
        let session = self.sessions.get_mut(&id).ok_or(Refusal::UnknownSession)?;
        let supervised = Requests::supervised(delivery);
        if supervised.is_some_and(|request| session.requests.contains(request)) {
            return Err(Refusal::DuplicateRequest);
        }
        let serving = match &session.state {
            State::Serving(serving) => Some(serving),
            State::Searching(Search { purpose: Purpose::Replace(_), .. }) => None,
            State::Searching(_) | State::Closing { .. } => return Err(Refusal::UnknownSession),
        };
        let blocked = match serving {
            Some(serving) => serving.congested,
            None => supervised.is_none(),
        };
        if blocked || (supervised.is_some() && !session.requests.has_room(bytes.len(), limit)) {
            session.refused = true;
            return Err(Refusal::Congested);
        }
        self.counters.messages_sent += 1;
        let sent = serving.map(|_| now);
        if let Some(Serving { association, element, .. }) = serving {
            self.health.sent(now, &session.handle, *element);
            let (association, bytes) = (*association, bytes.clone());
            self.out.act(Action::Send { association, protocol, stream: 0, bytes });
        }
        session.requests.keep(delivery, protocol, bytes, sent);
        self.supervise(id);
        Ok(())
    }

    pub(super) fn answered(&mut self, id: SessionId, request: RequestId) -> Result<(), Refusal> {
        let session = self.sessions.get_mut(&id).ok_or(Refusal::UnknownSession)?;
        if session.requests.answered(request) {
            self.supervise(id);
            self.tell_writable(id);
        }
        Ok(())
    }

    /// Sends everything that is unanswered to the element that serves the session now; returns
    /// what was sent before to another one.
    pub(super) fn send_unanswered(&mut self, now: Instant, id: SessionId) -> Vec<RequestId> {
        let mut resent = Vec::new();
        let Some(session) = self.sessions.get_mut(&id) else { return resent };
        let State::Serving(Serving { association, element, .. }) = session.state else { return resent };
        for kept in session.requests.iter_mut() {
            if kept.sent.replace(now).is_some() {
                resent.push(kept.request);
            }
            self.health.sent(now, &session.handle, element);
            let (protocol, bytes) = (kept.protocol, kept.bytes.clone());
            self.out.act(Action::Send { association, protocol, stream: 0, bytes });
        }
        self.counters.messages_resent += resent.len() as u64;
        self.supervise(id);
        resent
    }

    /// The oldest request has gone unanswered for too long.
    pub(super) fn response_timeout(&mut self, now: Instant, id: SessionId) {
        self.element_failed(now, id, FailureReason::Unanswered);
    }

    /// Whether the application knows the session and has not closed it.
    pub(super) fn is_open(&self, id: SessionId) -> bool {
        match self.sessions.get(&id).map(|session| &session.state) {
            Some(State::Serving(_)) => true,
            Some(State::Searching(search)) => matches!(search.purpose, Purpose::Replace(_)),
            Some(State::Closing { .. }) | None => false,
        }
    }

    pub(super) fn failover(&mut self, now: Instant, id: SessionId) {
        // A search that is on is a failover already; `element_failed` leaves it alone.
        self.element_failed(now, id, FailureReason::Asked);
    }

    pub(super) fn close(&mut self, now: Instant, id: SessionId) {
        match self.sessions.get(&id).map(|session| &session.state) {
            Some(State::Serving(_)) => self.begin_close(id, now + CLOSE_TIMEOUT),
            Some(State::Searching(_)) => {
                self.end_search(id);
                self.sessions.remove(&id);
                self.tell_closed(id, None);
            }
            Some(State::Closing { .. }) | None => {}
        }
    }

    /// Shuts the association of a session down, after what is queued has been delivered.
    pub(super) fn begin_close(&mut self, id: SessionId, deadline: Instant) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let State::Serving(Serving { association, element, .. }) = session.state else { return };
        session.state = State::Closing { element };
        session.requests = Requests::default();
        self.timers.clear(&Timer::Response(id));
        self.out.act(Action::Shutdown { association, deadline });
    }

    pub(super) fn session_disconnected(&mut self, now: Instant, id: SessionId, reason: DownReason) {
        match self.sessions.get(&id).map(|session| &session.state) {
            Some(State::Closing { .. }) => {
                self.sessions.remove(&id);
                self.tell_closed(id, None);
            }
            Some(State::Serving(_)) => self.element_failed(now, id, FailureReason::Disconnected(reason)),
            Some(State::Searching(_)) | None => {}
        }
    }

    pub(super) fn application_message(&mut self, id: SessionId, protocol: ProtocolId, bytes: Bytes) {
        let Some(session) = self.sessions.get(&id) else { return };
        if let State::Serving(Serving { element, .. }) | State::Closing { element, .. } = session.state {
            self.counters.messages_received += 1;
            self.out.tell(Notice::Received { session: id, element, protocol, bytes });
        }
    }

    pub(super) fn set_congested(&mut self, id: SessionId, is_congested: bool) {
        if let Some(Session { state: State::Serving(serving), .. }) = self.sessions.get_mut(&id) {
            serving.congested = is_congested;
            self.tell_writable(id);
        }
    }

    /// Tells the application that a session takes data again, if it was told that it does not.
    pub(super) fn tell_writable(&mut self, id: SessionId) {
        let limit = self.config.max_unanswered_octets;
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let serves = matches!(session.state, State::Serving(Serving { congested: false, .. }));
        if session.refused && serves && session.requests.has_room(1, limit) {
            session.refused = false;
            self.out.tell(Notice::Writable { session: id });
        }
    }

    pub(super) fn tell_closed(&mut self, id: SessionId, error: Option<UserError>) {
        self.counters.sessions_closed += 1;
        self.out.tell(Notice::Closed { session: id, error });
    }

    /// Watches the oldest unanswered request, from when it was last sent.
    fn supervise(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get(&id) else { return };
        let serves = matches!(session.state, State::Serving(_));
        match session.requests.oldest_sent().filter(|_| serves) {
            Some(sent) => self.timers.set(Timer::Response(id), sent + self.config.response_timeout),
            None => {
                self.timers.clear(&Timer::Response(id));
            }
        }
    }
}
