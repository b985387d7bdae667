//! The pool user: resolves pool handles, talks to elements, and moves to another element when one dies.
//!
//! It finds a registrar, resolves handles, keeps a cache, and reports unreachable elements (RFC 5352,
//! sections 3.3, 3.5 and 3.7). It holds sessions: an association with one element at a time, which is
//! replaced by another one when the element fails. The application marks the requests that may be sent
//! again; nothing else is resent. It can also make calls, whose answers are paired with their requests here. State that an element has left in a cookie is handed to the next one first
//! (RFC 5352 section 3.8).
//!
//! Two questions are kept apart. *Does the element live?* The transport knows: an element has failed when its
//! association breaks or cannot be opened. *How long may a request take?* Each has a deadline and a number of
//! deliveries, and ends when one of them is used up; that says nothing about the element. See
//! [`RequestLimits`].
//!
//! Each part uses only the parts below it:
//!
//! ```text
//! sessions     all sessions, by name, by association and by attempt
//!   session    one session: its state and its unanswered requests
//!   search     the search of a session for an element
//!   standby    the element that is connected for the next failover
//!   requests   what is unanswered
//!   handover   what elements have left for those that replace them
//!   health     which elements have failed
//! resolution   questions to a registrar
//!   cache      its answers
//! registrar    the registrar that is asked, the hunt for it, reports to it
//! context      configuration, counters, deadlines, outbox
//! ```

mod cache;
mod config;
mod context;
mod counters;
mod handover;
mod health;
mod interface;
mod registrar;
mod requests;
mod resolution;
mod search;
mod session;
mod sessions;
mod standby;
#[cfg(test)]
mod tests;
mod watches;

use alloc::vec::Vec;

use bytes::Bytes;

use crate::base::{AssociationId, CommandId, Deadlines, Instant, ProtocolId, Random, TransportAddress};
#[doc(no_inline)]
pub use crate::endpoint::Refusal;
use crate::endpoint::hunt::{ConnectIds, RoundEnd};
use crate::endpoint::received::{Received, asap_error};
use crate::endpoint::{
    AbortCause, Action, Channel, Connected, DownReason, Endpoint, Event, Origin, Outbox, Output,
};
use crate::wire::{AsapMessage, Policy};
use cache::Cache;
pub use config::{CardUse, UserConfig};
use context::{Context, Phase, Timer};
pub use counters::Counters;
use health::Health;
pub use interface::{
    Answer, Awaited, Call, CallDelivery, CallError, Card, Command, Delivery, FailureReason, Message, Notice,
    Open, Opened, RequestId, RequestLimits, Resolution, Resolve, SessionId, SessionStatus, UnansweredReason,
    UserError,
};
use registrar::Registrar;
pub use requests::MAX_UNANSWERED;
use resolution::{Resolved, Resolver};
use session::Queue;
use sessions::{Sessions, Turn};
pub use watches::MAX_WATCHED;

/// A pool user.
///
/// ```
/// use rserpool_core::base::{CommandId, Instant, SctpAddress, SctpPort, TransportAddress, UdpPort};
/// use rserpool_core::endpoint::{Action, Endpoint};
/// use rserpool_core::user::{Command, Open, User, UserConfig};
///
/// let registrar: TransportAddress = SctpAddress::new([127, 0, 0, 1].into(), SctpPort(3863), UdpPort(20001)).into();
/// let mut config = UserConfig::fast(1);
/// config.hunt.registrars = vec![registrar.clone()];
/// config.check()?;
/// let mut user = User::new(config);
/// user.handle_command(Instant::ORIGIN, CommandId(1), Command::Open(Open::new("EchoPool".into())));
/// let Some(Action::Connect { peer, .. }) = user.poll_action() else { panic!() };
/// assert_eq!(peer, registrar);
/// # Ok::<(), rserpool_core::endpoint::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct User {
    context: Context,
    resolver: Resolver,
    sessions: Sessions,
}

impl User {
    /// A user that does nothing until it is asked for something.
    ///
    /// The configuration is not checked here: [`UserConfig::check`] does that.
    pub fn new(config: UserConfig) -> Self {
        let cache = Cache::new(config.cache_life, config.max_cached_pools, config.policies.clone());
        Self {
            resolver: Resolver::new(cache, Registrar::new(config.hunt.clone())),
            sessions: Sessions::new(Health::new(config.exclusion)),
            context: Context {
                random: Random::new(config.seed),
                outbox: Outbox::default(),
                counters: Counters::default(),
                connects: ConnectIds::default(),
                deadlines: Deadlines::default(),
                phase: Phase::Running,
                card: None,
                config,
            },
        }
    }

    /// The address of the registrar that is asked, while there is one.
    pub fn registrar(&self) -> Option<&TransportAddress> {
        self.resolver.registrar().home().map(|home| &home.registrar)
    }

    /// The registrars that were tried in the present search for one.
    pub fn tried(&self) -> Vec<TransportAddress> {
        self.resolver.registrar().tried()
    }

    /// The number of sessions, including those that look for an element.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// How a session is; `None` if it has ended, or is not open yet.
    pub fn session(&self, session: SessionId) -> Option<SessionStatus> {
        self.sessions.status(session)
    }

    /// Counts of what has happened so far.
    pub const fn counters(&self) -> &Counters {
        &self.context.counters
    }

    fn handle_connected(&mut self, now: Instant, association: AssociationId, origin: Origin) {
        let Self { context, resolver, sessions } = self;
        let Origin::Attempt(request) = origin else {
            context.counters.associations_refused += 1;
            context.outbox.act(Action::Abort { association, cause: AbortCause::User });
            return;
        };
        if resolver.registrar_mut().handle_connected(context, request, association) {
            resolver.handle_home(now, context);
        } else if !sessions.handle_connected(&mut Turn { now, context, resolver }, request, association) {
            context.outbox.act(Action::Abort { association, cause: AbortCause::User });
        }
    }

    fn handle_message(
        &mut self,
        now: Instant,
        association: AssociationId,
        protocol: ProtocolId,
        bytes: Bytes,
    ) {
        let counters = &mut self.context.counters;
        match (protocol, self.sessions.at(association)) {
            (_, None) if !self.resolver.registrar().is_home(association) => counters.messages_late += 1,
            (ProtocolId::ASAP, _) => self.handle_asap(now, association, &bytes),
            (ProtocolId::ENRP, _) | (_, None) => counters.unexpected += 1,
            (_, Some(id)) => self.sessions.handle_message(&mut self.context, id, protocol, bytes),
        }
    }

    fn handle_asap(&mut self, now: Instant, association: AssociationId, bytes: &Bytes) {
        let Self { context, resolver, sessions } = self;
        let Received { message, report } = AsapMessage::decode(bytes).into();
        if let Some(error) = report.and_then(|report| asap_error(report, context.config.padding)) {
            context.counters.errors_sent += 1;
            context.outbox.send(association, ProtocolId::ASAP, error);
        }
        let Ok(message) = message else {
            context.counters.malformed += 1;
            return;
        };
        match message {
            AsapMessage::HandleResolutionResponse { handle, policy, elements, error, updates }
                if resolver.registrar().is_home(association) =>
            {
                // No policy parameter means round robin (ASAP-2.2.6-03).
                let answer = error.map_or_else(|| Ok((policy.unwrap_or(Policy::RoundRobin), elements)), Err);
                let resolved = resolver.handle_response(now, context, &handle, updates, answer);
                self.handle_resolved(now, resolved);
            }
            AsapMessage::Error { error } => {
                context.counters.errors_received += 1;
                let home = resolver.registrar().home().filter(|home| home.association == association);
                if let Some(registrar) = home.map(|home| home.registrar.clone()) {
                    context.outbox.tell(Notice::ErrorReported { registrar, error });
                }
            }
            AsapMessage::Cookie { cookie } => sessions.handle_cookie(context, association, &cookie),
            AsapMessage::BusinessCard { handle, policy: _, elements } => {
                let turn = &mut Turn { now, context, resolver };
                sessions.handle_card(turn, association, handle, elements);
            }
            _ => context.counters.unexpected += 1,
        }
    }

    fn handle_resolved(&mut self, now: Instant, resolved: Option<Resolved>) {
        let Self { context, resolver, sessions } = self;
        if let Some(resolved) = resolved {
            sessions.handle_resolved(&mut Turn { now, context, resolver }, resolved);
        }
    }

    fn handle_disconnected(&mut self, now: Instant, association: AssociationId, reason: DownReason) {
        if self.resolver.registrar().is_home(association) {
            self.handle_home_lost(now);
        } else {
            let Self { context, resolver, sessions } = self;
            sessions.handle_disconnected(&mut Turn { now, context, resolver }, association, reason);
        }
        self.stop_if_closed();
    }

    /// The association with the registrar has ended.
    fn handle_home_lost(&mut self, now: Instant) {
        self.resolver.registrar_mut().handle_lost(&mut self.context);
        self.resolver.forget_promises();
        if !self.context.is_running() {
            return;
        }
        for handle in self.resolver.handles() {
            let resolved = self.resolver.handle_home_lost(now, &mut self.context, &handle);
            self.handle_resolved(now, resolved);
        }
        self.resolver.look_at_all(now, &mut self.context);
        self.resolver.seek_if_asked(now, &mut self.context);
    }

    fn handle_hunt_timeout(&mut self, now: Instant) {
        let Self { context, resolver, sessions } = self;
        let needed = resolver.needs_registrar();
        match resolver.registrar_mut().handle_timeout(now, context, needed) {
            Some(RoundEnd::GivenUp { tried }) => {
                for handle in self.resolver.handles() {
                    let error = UserError::NoRegistrar { tried: tried.clone() };
                    let resolved = self.resolver.resolved(now, &mut self.context, &handle, Err(error));
                    self.handle_resolved(now, resolved);
                }
            }
            Some(RoundEnd::GoesOn { .. }) => sessions.handle_silence(&mut Turn { now, context, resolver }),
            None => {}
        }
    }

    fn handle_timer(&mut self, now: Instant, timer: Timer) {
        let Self { context, resolver, sessions } = self;
        match timer {
            Timer::Request(handle) => {
                let resolved = resolver.handle_request_due(now, context, &handle);
                sessions.handle_silence(&mut Turn { now, context, resolver });
                self.handle_resolved(now, resolved);
            }
            Timer::Wait(handle) => {
                let resolved = resolver.handle_wait_due(now, context, &handle);
                self.handle_resolved(now, resolved);
            }
            Timer::Watch(handle) => resolver.look(now, context, &handle),
            Timer::Limits(id) => sessions.handle_limit_due(&mut Turn { now, context, resolver }, id),
            Timer::Piece(id) => sessions.send_pieces(now, context, id),
            Timer::Stagger(id) => sessions.handle_stagger_due(&mut Turn { now, context, resolver }, id),
            Timer::Retry(id) => sessions.handle_retry_due(&mut Turn { now, context, resolver }, id),
            Timer::Tell(id) => sessions.tell_opening(&mut Turn { now, context, resolver }, id),
            Timer::Standby(id) => sessions.handle_standby_due(&mut Turn { now, context, resolver }, id),
            Timer::Search(id) => sessions.handle_search_due(&mut Turn { now, context, resolver }, id),
        }
    }

    /// Carries a command out. Returns no answer if that has been given already or comes later.
    fn execute(&mut self, now: Instant, id: CommandId, command: Command) -> Option<Answer> {
        let Self { context, resolver, sessions } = self;
        let running = context.is_running();
        Some(match command {
            Command::Resolve(question) if running => {
                resolver.resolve_command(now, context, id, question);
                return None;
            }
            Command::Resolve(_) => Answer::Resolved(Err(UserError::ShuttingDown)),
            Command::Open(open) if running => {
                sessions.open(&mut Turn { now, context, resolver }, id, open);
                return None;
            }
            Command::Open(_) => Answer::Opened(Err(UserError::ShuttingDown)),
            Command::Watch { handle } if running => Answer::Watching(resolver.watch(now, context, &handle)),
            Command::Watch { .. } => Answer::Watching(Err(UserError::ShuttingDown)),
            Command::Unwatch { handle } => {
                if running {
                    resolver.unwatch(now, context, &handle);
                }
                Answer::Noted
            }
            Command::Purge { handle } => {
                resolver.cache_mut().purge(&handle);
                Answer::Noted
            }
            Command::UseRegistrars(registrars) => {
                resolver.registrar_mut().use_registrars(registrars);
                Answer::Noted
            }
            Command::ReportUnreachable { handle, element } => {
                sessions.report_unreachable(&mut Turn { now, context, resolver }, &handle, element);
                Answer::Noted
            }
            Command::Answered { session, request } => {
                Answer::Done(sessions.answered(context, session, request))
            }
            Command::Call(_) if !running => Answer::Called(Err(CallError::Refused(Refusal::ShuttingDown))),
            Command::Call(call) => {
                sessions.call(now, context, id, call);
                return None;
            }
            Command::Send(_) | Command::Failover { .. } | Command::Close { .. } if !running => {
                Answer::Done(Err(Refusal::ShuttingDown))
            }
            Command::Send(message) => Answer::Done(sessions.send(now, context, message)),
            Command::Failover { session, .. } | Command::Close { session } if !sessions.is_open(session) => {
                Answer::Done(Err(Refusal::UnknownSession))
            }
            Command::SetCard(card) => Answer::Done(sessions.set_card(context, card)),
            Command::Hold { session } => Answer::Done(sessions.hold(context, session, true)),
            Command::Release { session } => Answer::Done(sessions.hold(context, session, false)),
            // The answer comes before the consequences of the command.
            Command::Failover { session, unreachable } => {
                context.outbox.answer(id, Answer::Done(Ok(())));
                sessions.move_on(&mut Turn { now, context, resolver }, session, unreachable);
                return None;
            }
            Command::Close { session } => {
                context.outbox.answer(id, Answer::Done(Ok(())));
                sessions.close(&mut Turn { now, context, resolver }, session);
                return None;
            }
        })
    }

    fn stop_if_closed(&mut self) {
        let closing = matches!(self.context.phase, Phase::Closing { .. });
        if closing && self.sessions.len() == 0 && self.resolver.registrar().home().is_none() {
            self.context.phase = Phase::Stopped;
            self.context.deadlines = Deadlines::default();
            self.context.outbox.tell(Notice::Stopped);
        }
    }

    /// The shutdown has lasted too long: everything left is aborted.
    fn abort_all(&mut self) {
        let home = self.resolver.registrar_mut().take_association();
        self.sessions.abort_all(&mut self.context);
        if let Some(association) = home {
            self.context.outbox.act(Action::Abort { association, cause: AbortCause::User });
        }
        self.stop_if_closed();
    }

    fn check_invariants(&self) {
        self.resolver.check_invariants();
        self.sessions.check_invariants(&self.context);
        let stopped = self.context.phase == Phase::Stopped;
        debug_assert!(!stopped || self.sessions.len() == 0, "stopped without sessions");
    }
}

impl Endpoint for User {
    type Command = Command;
    type Answer = Answer;
    type Notice = Notice;

    fn handle_event(&mut self, now: Instant, event: Event) {
        let Self { context, resolver, sessions } = self;
        match event {
            Event::Connected(Connected { association, origin, .. }) => {
                self.handle_connected(now, association, origin);
            }
            Event::ConnectFailed { request, reason } => {
                if !resolver.registrar_mut().handle_connect_failed(now, context, request, &reason) {
                    sessions.handle_connect_failed(&mut Turn { now, context, resolver }, request, &reason);
                }
            }
            Event::Message { association, protocol, bytes, stream: _ } => {
                self.handle_message(now, association, protocol, bytes);
            }
            Event::Arriving { association } => {
                if resolver.registrar().is_home(association) {
                    resolver.handle_arriving(now, context);
                }
            }
            Event::Congested { association } => sessions.handle_queue(now, context, association, Queue::Full),
            Event::Drained { association } => sessions.handle_queue(now, context, association, Queue::Free),
            Event::Disconnected { association, reason } => {
                self.handle_disconnected(now, association, reason);
            }
            Event::Announce { channel: Channel::Asap, source, bytes } => {
                resolver.registrar_mut().handle_announce(now, context, source, &bytes);
            }
            Event::Addresses { .. }
            | Event::HungUp { .. }
            | Event::Announce { channel: Channel::Enrp, .. } => {}
        }
        self.check_invariants();
    }

    fn handle_command(&mut self, now: Instant, id: CommandId, command: Command) {
        if let Some(answer) = self.execute(now, id, command) {
            self.context.outbox.answer(id, answer);
        }
        self.check_invariants();
    }

    fn handle_timeout(&mut self, now: Instant) {
        // At most as many as are armed now: a timer that is armed meanwhile waits for the next call.
        for _ in 0..self.context.deadlines.len() {
            let Some(timer) = self.context.deadlines.pop_due(now) else { break };
            self.handle_timer(now, timer);
        }
        self.handle_hunt_timeout(now);
        if matches!(self.context.phase, Phase::Closing { deadline } if deadline <= now) {
            self.abort_all();
        }
        self.check_invariants();
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.context.outbox.actions.pop_front()
    }

    fn poll_output(&mut self) -> Option<Output<Answer, Notice>> {
        self.context.outbox.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let shutdown = match self.context.phase {
            Phase::Closing { deadline } => Some(deadline),
            Phase::Running | Phase::Stopped => None,
        };
        let hunt = self.resolver.registrar().poll_timeout();
        [shutdown, self.context.deadlines.next(), hunt].into_iter().flatten().min()
    }

    fn begin_shutdown(&mut self, now: Instant, deadline: Instant) {
        let Self { context, resolver, sessions } = self;
        if !context.is_running() {
            return;
        }
        context.phase = Phase::Closing { deadline };
        resolver.begin_shutdown(context);
        sessions.begin_shutdown(&mut Turn { now, context, resolver }, deadline);
        context.deadlines = Deadlines::default();
        if let Some(home) = resolver.registrar().home() {
            context.outbox.act(Action::Shutdown { association: home.association, deadline });
        }
        self.stop_if_closed();
        self.check_invariants();
    }

    fn is_stopped(&self) -> bool {
        self.context.phase == Phase::Stopped
    }
}
