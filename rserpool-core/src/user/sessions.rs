//! All sessions of a user: from the search for an element to the end.

mod calls;
mod control;
mod standby;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::context::{Context, Timer};
use super::health::Health;
use super::interface::{
    Answer, Awaited, CallError, FailureReason, Message, Notice, Open, Opened, RequestId, SessionId,
    SessionStatus, UnansweredReason, UserError,
};
use super::requests::Overdue;
use super::resolution::{Resolved, Resolver, Waiter};
use super::search::{Attempt, Exhausted, Next, Purpose, Search};
use super::session::{Queue, Serving, Session, Stage};
use crate::base::{
    AssociationId, Carrier, CommandId, ConnectId, ElementId, Instant, PoolHandle, ProtocolId, SctpPort,
    TransportAddress,
};
use crate::endpoint::{AbortCause, Action, ConnectError, DownReason, MAX_MESSAGE, Refusal, pieces};

/// How long closing one session may take. What the element has not acknowledged by then is lost.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// The cause of an ABORT that the application at the peer has asked for (RFC 9260 section 3.3.10.12).
const USER_ABORT: u16 = 12;

/// When the application is told what a session waits for that is being opened. A person wonders after a second.
const TELL_AFTER: Duration = Duration::from_secs(1);

/// What a session needs to handle one input: the time, and the parts on which it is built.
pub(super) struct Turn<'a> {
    pub(super) now: Instant,
    pub(super) context: &'a mut Context,
    pub(super) resolver: &'a mut Resolver,
}

/// The sessions, by name, by association, and by attempt.
#[derive(Debug)]
pub(super) struct Sessions {
    sessions: BTreeMap<SessionId, Session>,
    last: u64,
    associations: BTreeMap<AssociationId, SessionId>,
    /// The elements that are connected for the next failover of a session.
    standbys: BTreeMap<AssociationId, SessionId>,
    /// The attempts of sessions that search or want a standby.
    attempts: BTreeMap<ConnectId, SessionId>,
    /// The calls that are unanswered, each with the command that its end answers.
    calls: BTreeMap<(SessionId, RequestId), CommandId>,
    health: Health,
}

impl Sessions {
    pub(super) const fn new(health: Health) -> Self {
        Self {
            sessions: BTreeMap::new(),
            last: 0,
            associations: BTreeMap::new(),
            standbys: BTreeMap::new(),
            attempts: BTreeMap::new(),
            calls: BTreeMap::new(),
            health,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// How a session is, if it is open.
    pub(super) fn status(&self, id: SessionId) -> Option<SessionStatus> {
        self.sessions.get(&id)?.status()
    }

    /// The session over an association.
    pub(super) fn at(&self, association: AssociationId) -> Option<SessionId> {
        self.associations.get(&association).copied()
    }

    pub(super) fn open(&mut self, turn: &mut Turn<'_>, command: CommandId, Open { handle, within }: Open) {
        if self.sessions.len() >= turn.context.config.max_sessions {
            turn.context.outbox.answer(command, Answer::Opened(Err(UserError::TooMany)));
            return;
        }
        self.last += 1;
        let id = SessionId(self.last);
        self.sessions.insert(id, Session::new(handle, command));
        let limit = within.unwrap_or(turn.context.config.open_timeout);
        turn.context.deadlines.set(Timer::Search(id), turn.now + limit);
        turn.context.deadlines.set(Timer::Tell(id), turn.now + TELL_AFTER);
        self.begin_search(turn, id);
    }

    /// Opening a session takes long: tells what is still missing.
    pub(super) fn tell_opening(&mut self, turn: &mut Turn<'_>, id: SessionId) {
        let Some((handle, search)) = self.searching(id) else { return };
        let elements = search.under_way();
        let awaited = match turn.resolver.registrar().home() {
            _ if !elements.is_empty() => Awaited::Element { tried: elements },
            Some(home) => Awaited::Answer { registrar: home.registrar.clone() },
            None => Awaited::Registrar { tried: turn.resolver.registrar().tried() },
        };
        turn.context.outbox.tell(Notice::Opening { handle: handle.clone(), awaited });
    }

    /// Begins to search for an element.
    fn begin_search(&mut self, turn: &mut Turn<'_>, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if session.stage() == Stage::FailingOver {
            let since = session.troubled_since().unwrap_or(turn.now);
            turn.context.deadlines.set(Timer::Search(id), since + turn.context.config.failover_deadline);
        }
        if let Some(pause) = session.take_pause(turn.context.config.retry_interval) {
            turn.context.deadlines.set(Timer::Retry(id), turn.now + pause);
            return;
        }
        let Some((handle, search)) = session.search_mut() else { return };
        let fresh = turn.resolver.is_fresh(turn.now, handle);
        // Only a fresh cache entry is good enough to open a session, unless no registrar answers. In a failover,
        // a stale one is better than waiting, and the registrar may know elements that have joined since.
        let opening = matches!(search.purpose(), Purpose::Open(_));
        if fresh || !opening || turn.resolver.registrar().is_silent() {
            self.select_candidates(turn, id);
        }
        if !fresh || !opening {
            self.ask_for_elements(turn, id);
        }
        self.advance(turn, id);
    }

    /// Makes one selection by the policy of the pool: its elements become the candidates of a search.
    fn select_candidates(&mut self, turn: &mut Turn<'_>, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some((handle, _)) = session.search_mut() else { return };
        let excluded = self.health.excluded(turn.now, handle);
        let selected = turn.resolver.select(turn.context, handle, &excluded);
        let candidates = self.prefer_card(turn, id, selected);
        if let Some((_, search)) = self.searching(id) {
            search.set_candidates(candidates);
        }
    }

    /// Tries the next candidate if its turn has come; looks for more if there is none.
    fn advance(&mut self, turn: &mut Turn<'_>, id: SessionId) {
        loop {
            let Some(session) = self.sessions.get_mut(&id) else { return };
            let Some((handle, search)) = session.search_mut() else { return };
            let staggered =
                turn.context.deadlines.get(&Timer::Stagger(id)).is_some() || turn.resolver.is_ranked(handle);
            let element = match search
                .next(staggered, |element| self.health.excluded_since(turn.now, handle, element))
            {
                Next::Wait => return,
                Next::NoCandidate => break,
                Next::Try(element) => element,
            };
            let Some(attempt) = self.attempt_at(turn, id, element) else { continue };
            let (request, peer) = (turn.context.connects.next_id(), attempt.peer.clone());
            let Some((_, search)) = self.searching(id) else { return };
            search.begin_attempt(request, attempt);
            self.attempts.insert(request, id);
            let deadline = turn.now + turn.context.config.connect_timeout;
            turn.context.outbox.act(Action::Connect { request, local_port: SctpPort(0), peer, deadline });
            turn.context.deadlines.set(Timer::Stagger(id), turn.now + turn.context.config.connect_stagger);
        }
        turn.context.deadlines.clear(&Timer::Stagger(id));
        let Some((_, search)) = self.searching(id) else { return };
        match search.exhausted() {
            Exhausted::Wait => {}
            Exhausted::Ask => self.ask_for_elements(turn, id),
            Exhausted::Pause => {
                let interval = turn.context.config.retry_interval;
                let pause = self.sessions.get_mut(&id).and_then(|session| session.take_pause(interval));
                turn.context.deadlines.set(Timer::Retry(id), turn.now + pause.unwrap_or(interval));
            }
            Exhausted::GiveUp(error) => self.search_failed(turn, id, error),
        }
    }

    fn ask_for_elements(&mut self, turn: &mut Turn<'_>, id: SessionId) {
        let Some((handle, search)) = self.searching(id) else { return };
        if !search.begin_question() {
            return;
        }
        let handle = handle.clone();
        if let Err(error) = turn.resolver.resolve(turn.now, turn.context, handle, None, Waiter::Session(id)) {
            self.end_question(turn, id, Err(error));
        }
    }

    /// No registrar has answered so far: sessions that wait for one try the elements that were known before.
    pub(super) fn handle_silence(&mut self, turn: &mut Turn<'_>) {
        let waits =
            |session: &mut Session| session.search_mut().is_some_and(|(_, search)| search.waits_only());
        let waiting = self.sessions.iter_mut().filter_map(|(id, session)| waits(session).then_some(*id));
        for id in waiting.collect::<Vec<_>>() {
            self.select_candidates(turn, id);
            self.advance(turn, id);
        }
    }

    /// A resolution has ended: the sessions that have waited for it go on.
    pub(super) fn handle_resolved(&mut self, turn: &mut Turn<'_>, resolved: Resolved) {
        let Resolved { sessions, outcome } = resolved;
        for id in sessions {
            self.end_question(turn, id, outcome.clone());
        }
        if outcome.is_err() {
            turn.resolver.stop_idle_hunt(turn.context);
        }
    }

    fn end_question(&mut self, turn: &mut Turn<'_>, id: SessionId, outcome: Result<(), UserError>) {
        let Some((_, search)) = self.searching(id) else {
            if outcome.is_ok() {
                self.seek_standby(turn, id);
            }
            return;
        };
        let usable = matches!(outcome, Ok(()) | Err(UserError::NoRegistrar { .. }));
        search.end_question(outcome);
        // If no registrar has answered, what was known before is good enough.
        if usable {
            self.select_candidates(turn, id);
        }
        self.advance(turn, id);
    }

    /// The stagger has passed: another candidate may be tried beside those that do not answer.
    pub(super) fn handle_stagger_due(&mut self, turn: &mut Turn<'_>, id: SessionId) {
        self.advance(turn, id);
    }

    /// The pause after a sweep that found no element is over: every element is tried again, and the registrar
    /// is asked.
    pub(super) fn handle_retry_due(&mut self, turn: &mut Turn<'_>, id: SessionId) {
        let Some((_, search)) = self.searching(id) else { return };
        search.begin_sweep();
        self.select_candidates(turn, id);
        self.ask_for_elements(turn, id);
        self.advance(turn, id);
    }

    /// The search has lasted too long.
    pub(super) fn handle_search_due(&mut self, turn: &mut Turn<'_>, id: SessionId) {
        let Some((_, search)) = self.searching(id) else { return };
        let error = search.take_error().unwrap_or_else(|| match turn.resolver.registrar().tried() {
            tried if turn.resolver.registrar().home().is_none() && !tried.is_empty() => {
                UserError::NoRegistrar { tried }
            }
            _ => UserError::NoElement,
        });
        self.search_failed(turn, id, error);
    }

    /// No element was found: the session is over.
    fn search_failed(&mut self, turn: &mut Turn<'_>, id: SessionId, error: UserError) {
        self.end_search(turn, id);
        turn.context.deadlines.clear(&Timer::Limits(id));
        match self.sessions.remove(&id).map(|session| session.stage()) {
            Some(Stage::Opening(command)) => turn.context.outbox.answer(command, Answer::Opened(Err(error))),
            Some(_) => self.tell_closed(turn.context, id, Some(error)),
            None => {}
        }
    }

    /// Ends a search with its timers, its attempts and its question.
    fn end_search(&mut self, turn: &mut Turn<'_>, id: SessionId) {
        for timer in [Timer::Search(id), Timer::Tell(id), Timer::Stagger(id), Timer::Retry(id)] {
            turn.context.deadlines.clear(&timer);
        }
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some((handle, search)) = session.search_mut() else { return };
        for request in search.take_attempts() {
            self.attempts.remove(&request);
            turn.context.outbox.act(Action::CancelConnect { request });
        }
        turn.resolver.forget(turn.context, handle, id);
    }

    /// An attempt has succeeded: the element serves the session, and all other attempts are given up. False
    /// if it is not the attempt of a session.
    pub(super) fn handle_connected(
        &mut self,
        turn: &mut Turn<'_>,
        request: ConnectId,
        association: AssociationId,
    ) -> bool {
        let Some(id) = self.attempts.remove(&request) else { return false };
        if self.standby_connected(turn, id, request, association) {
            return true;
        }
        let Some(session) = self.sessions.get_mut(&id) else { return false };
        let ended = session.search_mut().and_then(|(handle, search)| {
            let ended = search.end_attempt(request);
            // Those that were tried before have been silent for the stagger at least, and another one was not.
            for element in search.tried_before(request) {
                self.health.failed(turn.now, handle, element);
            }
            ended
        });
        debug_assert!(ended.is_some(), "each attempt belongs to a search");
        let Some(Attempt { element, peer, control }) = ended else { return false };
        self.end_search(turn, id);
        if self.sessions.get(&id).is_some_and(Session::is_held) {
            turn.context.outbox.act(Action::Hold { association });
        }
        self.serve(turn, id, Serving { association, element, since: turn.now, control }, peer);
        true
    }

    /// An element that is connected serves the session from now on.
    fn serve(&mut self, turn: &mut Turn<'_>, id: SessionId, serving: Serving, peer: TransportAddress) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Serving { association, element, .. } = serving;
        self.associations.insert(association, id);
        match session.begin_serving(serving) {
            Some(Purpose::Open(command)) => {
                self.give_due_card(turn.context, id);
                turn.context.counters.sessions_opened += 1;
                turn.context
                    .outbox
                    .answer(command, Answer::Opened(Ok(Opened { session: id, element, peer })));
            }
            Some(Purpose::Replace(from)) => {
                turn.context.counters.failovers += 1;
                let cookie_echoed = self.hand_over(turn.context, id);
                self.give_due_card(turn.context, id);
                let resent = self.send_unanswered(turn.now, turn.context, id);
                turn.context.outbox.tell(Notice::FailedOver {
                    session: id,
                    from,
                    to: element,
                    peer,
                    cookie_echoed,
                    resent,
                });
                self.tell_writable(turn.context, id);
            }
            None => {}
        }
        self.seek_standby(turn, id);
    }

    /// An attempt has failed: the element is not selected for a while, and another is tried. An element that
    /// nobody can connect to is unreachable (ASAP-3.5-01).
    pub(super) fn handle_connect_failed(
        &mut self,
        turn: &mut Turn<'_>,
        request: ConnectId,
        error: &ConnectError,
    ) {
        let Some(id) = self.attempts.remove(&request) else { return };
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let handle = session.handle().clone();
        let standby = session.standby_mut().and_then(|standby| standby.take_attempt(request));
        let for_standby = standby.is_some();
        let sought = session.search_mut().and_then(|(_, search)| search.end_attempt(request));
        let Some(Attempt { element, .. }) = standby.or(sought) else { return };
        session.handover_mut().strike(element);
        turn.context.counters.connects_failed += 1;
        self.health.failed(turn.now, &handle, element);
        if matches!(error, ConnectError::TimedOut | ConnectError::Refused) {
            self.report_failure(turn, &handle, element);
        }
        if for_standby {
            return self.seek_standby(turn, id);
        }
        // The next one is selected anew: otherwise all turns of this one would go to its neighbour.
        self.select_candidates(turn, id);
        self.advance(turn, id);
    }

    /// A session leaves its element, and another one is looked for. A session that searches is left alone: it is
    /// failing over already.
    pub(super) fn fail_over(&mut self, turn: &mut Turn<'_>, id: SessionId, reason: FailureReason) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(serving) = session.serving() else { return };
        let Serving { association, element, .. } = serving;
        let handle = session.handle().clone();
        let silent = reason == FailureReason::Disconnected(DownReason::Silent);
        session.handover_mut().strike(element);
        let standby = session.standby_mut().map(core::mem::take).unwrap_or_default();
        let ended = session.begin_failover(turn.now, serving, silent, &turn.context.config);
        if self.associations.remove(&association).is_some() {
            turn.context.outbox.act(Action::Abort { association, cause: AbortCause::User });
        }
        turn.context.counters.element_failures += 1;
        self.health.failed(turn.now, &handle, element);
        if is_unreachable(&reason) {
            self.report_failure(turn, &handle, element);
        }
        turn.context.outbox.tell(Notice::ElementFailed { session: id, element, reason });
        for (request, reason) in ended {
            self.tell_unanswered(turn.context, id, request, reason);
        }
        self.supervise(turn.context, id);
        if !self.use_standby(turn, id, standby) {
            self.begin_search(turn, id);
        }
    }

    /// The application wants another element for a session. Unless it says that the present one is `unreachable`, that
    /// is not reported: an element that refuses to work, or to which the session does not want to talk, lives.
    pub(super) fn move_on(&mut self, turn: &mut Turn<'_>, id: SessionId, unreachable: bool) {
        let Some(session) = self.sessions.get(&id) else { return };
        if let Some(Serving { element, .. }) = session.serving().filter(|_| unreachable) {
            let handle = session.handle().clone();
            self.report_unreachable(turn, &handle, element);
        }
        self.fail_over(turn, id, FailureReason::Asked);
    }

    /// The application reports an element, which is then not selected for a while.
    pub(super) fn report_unreachable(
        &mut self,
        turn: &mut Turn<'_>,
        handle: &PoolHandle,
        element: ElementId,
    ) {
        self.health.failed(turn.now, handle, element);
        let due = self.health.take_complaint(handle, element);
        report(turn, handle, element, due);
    }

    /// The transport says that an element is unreachable.
    fn report_failure(&mut self, turn: &mut Turn<'_>, handle: &PoolHandle, element: ElementId) {
        let due = self.health.take_failure(turn.now, handle, element);
        report(turn, handle, element, due);
    }

    pub(super) fn send(
        &mut self,
        now: Instant,
        context: &mut Context,
        message: Message,
    ) -> Result<(), Refusal> {
        if matches!(message.protocol, ProtocolId::ASAP | ProtocolId::ENRP) {
            return Err(Refusal::ReservedProtocol);
        }
        if !(1..=MAX_MESSAGE).contains(&message.bytes.len()) {
            return Err(Refusal::Length);
        }
        self.send_of_any_length(now, context, message)
    }

    /// Sends a message that was checked. A long one goes piece by piece.
    fn send_of_any_length(
        &mut self,
        now: Instant,
        context: &mut Context,
        message: Message,
    ) -> Result<(), Refusal> {
        let id = message.session;
        let session = self.sessions.get_mut(&id).ok_or(Refusal::UnknownSession)?;
        let octets_only =
            session.serving().is_some_and(|serving| serving.association.carrier() == Carrier::Tcp);
        if octets_only && message.protocol == ProtocolId::CALL {
            return Err(Refusal::OctetsOnly);
        }
        session.admit(&message, context.config.max_unanswered_octets)?;
        context.counters.messages_sent += 1;
        session.keep(now, &message, &context.config);
        if message.bytes.len() > MAX_MESSAGE {
            self.send_pieces(now, context, id);
        } else if let Some(Serving { association, element, .. }) = session.serving() {
            self.health.sent(now, session.handle(), element);
            let Message { protocol, bytes, .. } = message;
            context.outbox.act(Action::Send { association, protocol, stream: 0, bytes });
        }
        self.supervise(context, id);
        Ok(())
    }

    /// Sends all unanswered requests to the element that serves the session now. Returns those that had been
    /// sent to another one before.
    fn send_unanswered(&mut self, now: Instant, context: &mut Context, id: SessionId) -> Vec<RequestId> {
        let mut resent = Vec::new();
        let Some(session) = self.sessions.get_mut(&id) else { return resent };
        let Some(Serving { association, element, .. }) = session.serving() else { return resent };
        let handle = session.handle().clone();
        for due in session.deliver(now) {
            if due.again {
                resent.push(due.request);
            }
            self.health.sent(now, &handle, element);
            let Some((protocol, bytes)) = due.message else { continue };
            context.outbox.act(Action::Send { association, protocol, stream: 0, bytes });
        }
        context.counters.messages_resent += resent.len() as u64;
        self.send_pieces(now, context, id);
        self.supervise(context, id);
        resent
    }

    /// A request was answered, or is given up.
    pub(super) fn answered(
        &mut self,
        context: &mut Context,
        id: SessionId,
        request: RequestId,
    ) -> Result<(), Refusal> {
        let session = self.sessions.get_mut(&id).ok_or(Refusal::UnknownSession)?;
        if session.forget(request) {
            self.end_call(context, id, request, Err(CallError::GivenUp));
            self.supervise(context, id);
            self.tell_writable(context, id);
        }
        Ok(())
    }

    /// Limits of requests are reached: some are given up, or the session is to try another element.
    pub(super) fn handle_limit_due(&mut self, turn: &mut Turn<'_>, id: SessionId) {
        let mut move_on = false;
        while let Some(overdue) = self.sessions.get_mut(&id).and_then(|session| session.take_limit(turn.now))
        {
            match overdue {
                Overdue::GivenUp(request) => {
                    self.tell_unanswered(turn.context, id, request, UnansweredReason::Deadline);
                }
                Overdue::Move => move_on = true,
            }
        }
        self.supervise(turn.context, id);
        self.tell_writable(turn.context, id);
        if move_on {
            self.fail_over(turn, id, FailureReason::Unanswered);
        }
    }

    /// Whether the application knows the session and has not closed it.
    pub(super) fn is_open(&self, id: SessionId) -> bool {
        self.sessions.get(&id).is_some_and(Session::is_open)
    }

    /// The application has no room for the messages of a session, or has room again.
    pub(super) fn hold(&mut self, context: &mut Context, id: SessionId, held: bool) -> Result<(), Refusal> {
        let session = self.sessions.get_mut(&id).filter(|session| session.is_open());
        let session = session.ok_or(Refusal::UnknownSession)?;
        if session.set_held(held) != held
            && let Some(Serving { association, .. }) = session.serving()
        {
            context.outbox.act(match held {
                true => Action::Hold { association },
                false => Action::Release { association },
            });
        }
        Ok(())
    }

    /// Closes a session after delivering what is queued.
    pub(super) fn close(&mut self, turn: &mut Turn<'_>, id: SessionId) {
        match self.sessions.get(&id).map(Session::stage) {
            Some(Stage::Serving) => self.begin_closing(turn.context, id, turn.now + CLOSE_TIMEOUT),
            Some(Stage::Opening(_) | Stage::FailingOver) => {
                self.end_search(turn, id);
                self.sessions.remove(&id);
                turn.context.deadlines.clear(&Timer::Limits(id));
                self.tell_closed(turn.context, id, None);
            }
            Some(Stage::Closing) | None => {}
        }
    }

    fn begin_closing(&mut self, context: &mut Context, id: SessionId, deadline: Instant) {
        self.drop_standby(context, id);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(association) = session.begin_closing() else { return };
        if session.set_held(false) {
            // Otherwise what the element has still to deliver would keep the association open.
            context.outbox.act(Action::Release { association });
        }
        context.deadlines.clear(&Timer::Limits(id));
        self.end_calls(context, id);
        context.outbox.act(Action::Shutdown { association, deadline });
    }

    /// The user is leaving: searches are given up, served sessions are closed.
    pub(super) fn begin_shutdown(&mut self, turn: &mut Turn<'_>, deadline: Instant) {
        let ids: Vec<SessionId> = self.sessions.keys().copied().collect();
        for id in ids {
            match self.sessions.get(&id).map(Session::stage) {
                Some(Stage::Opening(_)) => {
                    self.search_failed(turn, id, UserError::ShuttingDown);
                }
                Some(Stage::FailingOver) => self.close(turn, id),
                Some(Stage::Serving) => self.begin_closing(turn.context, id, deadline),
                Some(Stage::Closing) | None => {}
            }
        }
    }

    /// Ends everything at once.
    pub(super) fn abort_all(&mut self, context: &mut Context) {
        debug_assert!(self.standbys.is_empty(), "only a session that is served has a standby");
        for association in core::mem::take(&mut self.associations).into_keys() {
            context.outbox.act(Action::Abort { association, cause: AbortCause::User });
        }
        for id in core::mem::take(&mut self.sessions).into_keys() {
            self.tell_closed(context, id, None);
        }
    }

    /// An association has ended.
    pub(super) fn handle_disconnected(
        &mut self,
        turn: &mut Turn<'_>,
        association: AssociationId,
        reason: DownReason,
    ) {
        let Some(id) = self.associations.remove(&association) else {
            return self.standby_lost(turn, association, reason);
        };
        match self.sessions.get(&id).map(Session::stage) {
            Some(Stage::Closing) => {
                self.sessions.remove(&id);
                self.tell_closed(turn.context, id, None);
            }
            Some(Stage::Serving) => {
                self.fail_over(turn, id, FailureReason::Disconnected(reason));
            }
            Some(Stage::Opening(_) | Stage::FailingOver) | None => {
                debug_assert!(false, "a session that searches has no association");
            }
        }
    }

    /// An application message has come: the element lives, whether or not the application takes it.
    pub(super) fn handle_message(
        &mut self,
        context: &mut Context,
        id: SessionId,
        protocol: ProtocolId,
        bytes: Bytes,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(element) = session.element() else { return };
        session.answered();
        self.health.answers(session.handle(), element);
        context.counters.messages_received += 1;
        if protocol == ProtocolId::CALL {
            return self.handle_call(context, id, &bytes);
        }
        if pieces::is_of_call(protocol, &bytes) {
            return self.handle_piece_of_call(context, id, protocol, bytes);
        }
        context.outbox.tell(Notice::Received { session: id, element, protocol, bytes });
    }

    /// The queue of an association is full, or free again.
    pub(super) fn handle_queue(
        &mut self,
        now: Instant,
        context: &mut Context,
        association: AssociationId,
        queue: Queue,
    ) {
        let Some(id) = self.at(association) else { return };
        if self.sessions.get_mut(&id).is_some_and(|session| session.set_queue(queue)) {
            self.give_due_card(context, id);
            self.send_pieces(now, context, id);
            self.tell_writable(context, id);
        }
    }

    /// Tells the application that a session takes data again, if it was told otherwise before.
    fn tell_writable(&mut self, context: &mut Context, id: SessionId) {
        let limit = context.config.max_unanswered_octets;
        if self.sessions.get_mut(&id).is_some_and(|session| session.take_writable(limit)) {
            context.outbox.tell(Notice::Writable { session: id });
        }
    }

    /// Sends the next piece of a long request, if the queue is not full. The one after it follows when that has been carried
    /// out, and others have had their turn.
    pub(super) fn send_pieces(&mut self, now: Instant, context: &mut Context, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if context.deadlines.get(&Timer::Piece(id)).is_some_and(|due| due > now) {
            return;
        }
        let Some(Serving { association, element, .. }) = session.awaits_piece() else { return };
        let Some((protocol, bytes)) = session.next_piece(now) else { return };
        self.health.sent(now, session.handle(), element);
        context.outbox.act(Action::Send { association, protocol, stream: 0, bytes });
        if session.awaits_piece().is_some() {
            context.deadlines.set(Timer::Piece(id), now + Duration::from_nanos(1));
        }
        self.supervise(context, id);
    }

    /// Watches the limits of the requests of a session.
    fn supervise(&self, context: &mut Context, id: SessionId) {
        match self.sessions.get(&id).and_then(Session::next_limit) {
            Some(at) => context.deadlines.set(Timer::Limits(id), at),
            None => {
                context.deadlines.clear(&Timer::Limits(id));
            }
        }
    }

    /// A request has ended without an answer.
    fn tell_unanswered(
        &mut self,
        context: &mut Context,
        session: SessionId,
        request: RequestId,
        reason: UnansweredReason,
    ) {
        if reason != UnansweredReason::ElementFailed {
            context.counters.requests_given_up += 1;
        }
        if !self.end_call(context, session, request, Err(CallError::Unanswered(reason))) {
            context.outbox.tell(Notice::Unanswered { session, request, reason });
        }
    }

    fn tell_closed(&mut self, context: &mut Context, id: SessionId, error: Option<UserError>) {
        self.end_calls(context, id);
        context.counters.sessions_closed += 1;
        context.outbox.tell(Notice::Closed { session: id, error });
    }

    /// The pool and the search of a session that searches.
    fn searching(&mut self, id: SessionId) -> Option<(&PoolHandle, &mut Search)> {
        self.sessions.get_mut(&id)?.search_mut()
    }

    #[cfg(test)]
    pub(super) fn unanswered(&self) -> usize {
        self.sessions.values().map(Session::unanswered).sum()
    }

    #[cfg(test)]
    pub(super) fn associations(&self) -> usize {
        self.associations.len()
    }

    #[cfg(test)]
    pub(super) fn attempts(&self) -> usize {
        self.attempts.len()
    }

    #[cfg(test)]
    pub(super) fn has_attempt(&self, request: ConnectId) -> bool {
        self.attempts.contains_key(&request)
    }

    #[cfg(test)]
    pub(super) fn is_closing(&self, id: SessionId) -> bool {
        self.sessions.get(&id).is_some_and(|session| session.stage() == Stage::Closing)
    }

    pub(super) fn check_invariants(&self, context: &Context) {
        debug_assert!(self.len() <= context.config.max_sessions, "sessions are bounded");
        debug_assert!(self.associations.len() <= self.len(), "each association is that of a session");
        debug_assert!(
            self.calls.keys().all(|(id, request)| {
                self.sessions.get(id).is_some_and(|session| session.has_request(*request))
            }),
            "each call is an unanswered request"
        );
        debug_assert!(self.standbys.len() <= self.len(), "each standby is that of a session");
        debug_assert!(
            self.attempts.len() <= self.len() * super::search::MAX_ATTEMPTS,
            "attempts are bounded"
        );
    }
}

/// Whether the transport says that an element cannot be reached. A slow application, the wish of ours, and an
/// element that closes, refuses or starts anew are none of that: who answers lives. If our queue was full, the
/// element has not failed either.
fn is_unreachable(reason: &FailureReason) -> bool {
    match reason {
        FailureReason::Disconnected(DownReason::Silent | DownReason::Unreachable | DownReason::Violation) => {
            true
        }
        FailureReason::Disconnected(DownReason::Aborted(reason)) => reason.cause != Some(USER_ABORT),
        FailureReason::Disconnected(_) | FailureReason::Unanswered | FailureReason::Asked => false,
    }
}

/// Tells the registrar that an element is unreachable, if that is due.
fn report(turn: &mut Turn<'_>, handle: &PoolHandle, element: ElementId, due: bool) {
    match due {
        true => turn.resolver.registrar_mut().report(turn.now, turn.context, handle, element),
        false => turn.context.counters.reports_suppressed += 1,
    }
}
