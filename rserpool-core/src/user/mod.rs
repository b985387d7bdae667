//! The pool user: resolves pool handles, talks to elements, and moves on when one dies.
//!
//! It finds a registrar, resolves handles, keeps a cache, reports unreachable elements (RFC 5352
//! sections 3.3, 3.5 and 3.7) and holds sessions: an association with one element at a time,
//! replaced by another when the element fails. The application marks the requests that are to
//! be sent again; nothing is resent silently.

mod cache;
mod config;
mod counters;
mod health;
mod interface;
mod registrar;
mod requests;
mod resolution;
mod search;
mod session;
mod state;
#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use bytes::Bytes;

use crate::base::{
    AssociationId, CommandId, ConnectId, Deadlines, ElementId, Instant, PoolHandle, ProtocolId, Random,
    TransportAddress,
};
use crate::endpoint::hunt::{ConnectIds, Hunt};
use crate::endpoint::received::{Received, asap_error};
use crate::endpoint::{AbortCause, Action, Channel, DownReason, Endpoint, Event, Outbox, Output, Refusal};
use crate::wire::AsapMessage;
use cache::Cache;
pub use config::UserConfig;
pub use counters::Counters;
use health::Health;
pub use interface::{
    Answer, Command, Delivery, FailureReason, Message, Notice, Open, Opened, RequestId, Resolution, Resolve,
    SessionId, UserError,
};
use registrar::Home;
pub use requests::MAX_UNANSWERED;
use resolution::Resolutions;
use state::{Purpose, Search, Session, State};

/// A pool user.
///
/// ```
/// use rserpool_core::base::{CommandId, Instant, TransportAddress};
/// use rserpool_core::endpoint::{Action, Endpoint, hunt::HuntConfig};
/// use rserpool_core::user::{Command, Open, User, UserConfig};
///
/// let registrar = TransportAddress::new([127, 0, 0, 1].into(), 3863, 20001);
/// let config = UserConfig::fast(HuntConfig::fast(vec![registrar.clone()]), 1);
/// config.check()?;
/// let mut user = User::new(config);
/// user.handle_command(Instant::ORIGIN, CommandId(1), Command::Open(Open::new("EchoPool".into())));
/// let Some(Action::Connect { peer, .. }) = user.poll_action() else { panic!() };
/// assert_eq!(peer, registrar);
/// # Ok::<(), rserpool_core::endpoint::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct User {
    config: UserConfig,
    random: Random,
    out: Outbox<Answer, Notice>,
    counters: Counters,
    connects: ConnectIds,
    hunt: Hunt,
    home: Option<Home>,
    /// The registrar that was lost last, not to be tried first.
    failed_registrar: Option<TransportAddress>,
    /// Unreachable elements to be reported when there is a registrar.
    reports: VecDeque<(PoolHandle, ElementId)>,
    resolutions: Resolutions,
    cache: Cache,
    health: Health,
    sessions: BTreeMap<SessionId, Session>,
    last_session: u64,
    /// The associations of sessions.
    associations: BTreeMap<AssociationId, SessionId>,
    /// The attempts of sessions that search.
    attempts: BTreeMap<ConnectId, SessionId>,
    timers: Deadlines<Timer>,
    /// When a shutdown that was begun must be over.
    shutdown: Option<Instant>,
    stopped: bool,
}

/// What a deadline is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// T1 of a resolution.
    Request(PoolHandle),
    /// The oldest unanswered request of a session.
    Response(SessionId),
    /// The next candidate of a search may be tried.
    Stagger(SessionId),
    /// A search that found nobody begins anew.
    Retry(SessionId),
    /// A search is given up.
    Search(SessionId),
    /// A resolution that waits for a registrar is given up.
    Wait(PoolHandle),
}

impl User {
    /// A user that does nothing until it is asked for something.
    ///
    /// The configuration is taken as it is; [`UserConfig::check`] finds what cannot work.
    pub fn new(config: UserConfig) -> Self {
        Self {
            random: Random::new(config.seed),
            out: Outbox::default(),
            counters: Counters::default(),
            connects: ConnectIds::default(),
            hunt: Hunt::of_user(config.hunt.clone()),
            home: None,
            failed_registrar: None,
            reports: VecDeque::new(),
            resolutions: Resolutions::default(),
            cache: Cache::new(config.cache_life, config.max_cached_pools, config.policies.clone()),
            health: Health::new(config.exclusion),
            sessions: BTreeMap::new(),
            last_session: 0,
            associations: BTreeMap::new(),
            attempts: BTreeMap::new(),
            timers: Deadlines::default(),
            shutdown: None,
            stopped: false,
            config,
        }
    }

    /// Where the registrar is that is asked, while there is one.
    pub fn registrar(&self) -> Option<&TransportAddress> {
        self.home.as_ref().map(|home| &home.registrar)
    }

    /// How many sessions there are, those that look for an element included.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// What has happened so far, in numbers.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    fn connected(&mut self, now: Instant, association: AssociationId, request: Option<ConnectId>) {
        let Some(request) = request else {
            self.counters.associations_refused += 1;
            self.out.act(Action::Abort { association, cause: AbortCause::User });
            return;
        };
        if let Some(registrar) = self.hunt.handle_connected(request, &mut self.out.actions) {
            self.registrar_found(now, Home { association, registrar });
        } else if !self.element_connected(now, request, association) {
            self.out.act(Action::Abort { association, cause: AbortCause::User });
        }
    }

    fn message(&mut self, now: Instant, association: AssociationId, protocol: ProtocolId, bytes: Bytes) {
        let session = self.associations.get(&association).copied();
        match (protocol, session) {
            (_, None) if !self.is_home(association) => self.counters.messages_late += 1,
            (ProtocolId::ASAP, _) => self.asap_message(now, association, &bytes),
            (ProtocolId::ENRP, _) | (_, None) => self.counters.unexpected += 1,
            (_, Some(id)) => self.application_message(id, protocol, bytes),
        }
    }

    fn asap_message(&mut self, now: Instant, association: AssociationId, bytes: &Bytes) {
        let Received { message, report } = AsapMessage::decode(bytes).into();
        if let Some(error) = report.and_then(|report| asap_error(report, self.config.padding)) {
            self.counters.errors_sent += 1;
            self.out.send(association, ProtocolId::ASAP, error);
        }
        let Ok(message) = message else {
            self.counters.malformed += 1;
            return;
        };
        match message {
            AsapMessage::HandleResolutionResponse { handle, policy, elements, error, updates: _ }
                if self.is_home(association) =>
            {
                self.resolution_response(now, &handle, policy, elements, error);
            }
            AsapMessage::Error { .. } => self.counters.errors_received += 1,
            AsapMessage::Cookie { .. }
            | AsapMessage::CookieEcho { .. }
            | AsapMessage::BusinessCard { .. } => {
                self.counters.unsupported += 1;
            }
            _ => self.counters.unexpected += 1,
        }
    }

    fn disconnected(&mut self, now: Instant, association: AssociationId, reason: DownReason) {
        if self.is_home(association) {
            self.registrar_lost(now);
        } else if let Some(id) = self.associations.remove(&association) {
            self.session_disconnected(now, id, reason);
        }
        self.stop_if_closed();
    }

    fn stop_if_closed(&mut self) {
        if self.shutdown.is_some() && !self.stopped && self.sessions.is_empty() && self.home.is_none() {
            self.stopped = true;
            self.timers = Deadlines::default();
            self.out.tell(Notice::Stopped);
        }
    }

    /// The shutdown has lasted too long: whatever is left is aborted.
    fn shutdown_timeout(&mut self, now: Instant) {
        if self.stopped || self.shutdown.is_none_or(|deadline| now < deadline) {
            return;
        }
        let home = self.home.take().map(|home| home.association);
        let sessions = core::mem::take(&mut self.associations);
        for association in sessions.into_keys().chain(home) {
            self.out.act(Action::Abort { association, cause: AbortCause::User });
        }
        for id in core::mem::take(&mut self.sessions).into_keys() {
            self.tell_closed(id, None);
        }
        self.stop_if_closed();
    }
}

impl Endpoint for User {
    type Command = Command;
    type Answer = Answer;
    type Notice = Notice;

    fn handle_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Connected { association, request, .. } => self.connected(now, association, request),
            Event::ConnectFailed { request, reason } => {
                let (ids, actions) = (&mut self.connects, &mut self.out.actions);
                if !self.hunt.handle_connect_failed(now, request, &reason, ids, actions) {
                    self.element_unconnected(now, request);
                }
            }
            Event::Message { association, protocol, bytes, stream: _ } => {
                self.message(now, association, protocol, bytes);
            }
            Event::Congested { association } => {
                if let Some(id) = self.associations.get(&association).copied() {
                    self.set_congested(id, true);
                }
            }
            Event::Drained { association } => {
                if let Some(id) = self.associations.get(&association).copied() {
                    self.set_congested(id, false);
                }
            }
            Event::Disconnected { association, reason } => self.disconnected(now, association, reason),
            Event::Announce { channel: Channel::Asap, source, bytes } => {
                let (ids, actions) = (&mut self.connects, &mut self.out.actions);
                match self.hunt.handle_announce(now, source, &bytes, ids, actions) {
                    true => self.counters.announces += 1,
                    false => self.counters.bad_announces += 1,
                }
            }
            Event::Addresses { .. }
            | Event::HungUp { .. }
            | Event::Announce { channel: Channel::Enrp, .. } => {}
        }
    }

    fn handle_command(&mut self, now: Instant, id: CommandId, command: Command) {
        let running = self.shutdown.is_none();
        let answer = match command {
            Command::Resolve(question) if running => return self.resolve_command(now, id, question),
            Command::Resolve(_) => Answer::Resolved(Err(UserError::ShuttingDown)),
            Command::Open(Open { handle }) if running => return self.open(now, id, handle),
            Command::Open(_) => Answer::Opened(Err(UserError::ShuttingDown)),
            Command::Purge { handle } => {
                self.cache.purge(&handle);
                Answer::Noted
            }
            Command::ReportUnreachable { handle, element } => {
                self.health.failed(now, &handle, element);
                self.report(now, &handle, element);
                Answer::Noted
            }
            Command::Answered { session, request } => Answer::Done(self.answered(session, request)),
            Command::Send(_) | Command::Failover { .. } | Command::Close { .. } if !running => {
                Answer::Done(Err(Refusal::ShuttingDown))
            }
            Command::Send(message) => Answer::Done(self.send(now, message)),
            Command::Failover { session } | Command::Close { session } if !self.is_open(session) => {
                Answer::Done(Err(Refusal::UnknownSession))
            }
            // The answer comes before what follows from the command.
            Command::Failover { session } => {
                self.out.answer(id, Answer::Done(Ok(())));
                return self.failover(now, session);
            }
            Command::Close { session } => {
                self.out.answer(id, Answer::Done(Ok(())));
                return self.close(now, session);
            }
        };
        self.out.answer(id, answer);
    }

    fn handle_timeout(&mut self, now: Instant) {
        // No more than were armed: what is armed meanwhile has its own turn.
        for _ in 0..self.timers.len() {
            let Some(timer) = self.timers.pop_due(now) else { break };
            match timer {
                Timer::Request(handle) => self.request_timeout(now, &handle),
                Timer::Response(id) => self.response_timeout(now, id),
                Timer::Stagger(id) => self.stagger_timeout(now, id),
                Timer::Retry(id) => self.retry_timeout(now, id),
                Timer::Search(id) => self.search_timeout(id),
                Timer::Wait(handle) => self.wait_timeout(now, &handle),
            }
        }
        self.hunt_timeout(now);
        self.shutdown_timeout(now);
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.out.actions.pop_front()
    }

    fn poll_output(&mut self) -> Option<Output<Answer, Notice>> {
        self.out.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let shutdown = self.shutdown.filter(|_| !self.stopped);
        [shutdown, self.timers.next(), self.hunt.poll_timeout()].into_iter().flatten().min()
    }

    fn begin_shutdown(&mut self, now: Instant, deadline: Instant) {
        if self.shutdown.is_some() {
            return;
        }
        self.shutdown = Some(deadline);
        self.hunt.stop(&mut self.out.actions);
        self.reports.clear();
        for id in self.resolutions.drain() {
            self.out.answer(id, Answer::Resolved(Err(UserError::ShuttingDown)));
        }
        let ids: Vec<SessionId> = self.sessions.keys().copied().collect();
        for id in ids {
            match self.sessions.get(&id).map(|session| &session.state) {
                Some(State::Searching(Search { purpose: Purpose::Open(command), .. })) => {
                    let command = *command;
                    self.end_search(id);
                    self.sessions.remove(&id);
                    self.out.answer(command, Answer::Opened(Err(UserError::ShuttingDown)));
                }
                Some(State::Searching(_)) => {
                    self.close(now, id);
                }
                Some(State::Serving(_)) => self.begin_close(id, deadline),
                Some(State::Closing { .. }) | None => {}
            }
        }
        self.timers = Deadlines::default();
        if let Some(home) = &self.home {
            self.out.act(Action::Shutdown { association: home.association, deadline });
        }
        self.stop_if_closed();
    }

    fn is_stopped(&self) -> bool {
        self.stopped
    }
}
