//! The application of a user: it sends supervised requests over sessions, and remembers what became of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use rserpool_core::base::{CommandId, Deadlines, ElementId, Instant, PoolHandle};
use rserpool_core::endpoint::Endpoint;
use rserpool_core::user::{
    Answer, Call, CallDelivery, CallError, Command, Delivery, Message, Notice, Open, Refusal, RequestId,
    Resolve, SessionId, UnansweredReason, User, UserConfig, UserError,
};

use super::{Commands, Conversation, ECHO, Failover, Load, Occasional, POISON, request_of};
use crate::fault::Order;
use crate::violation::Violation;

/// A timer of the application; the number is that of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Open(usize),
    Ask(usize),
    Resolve,
    Watch,
    /// The application takes an answer.
    Take,
}

/// What a command was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Open(usize),
    Ask(usize, RequestId),
    Call(usize, RequestId),
    Resolve,
    Watch,
    Other,
}

/// A user with its application.
#[derive(Debug)]
pub struct Client {
    user: User,
    config: UserConfig,
    load: Load,
    commands: Commands,
    purposes: BTreeMap<CommandId, Purpose>,
    timers: Deadlines<Timer>,
    conversations: Vec<Conversation>,
    last_request: u64,
    /// The answers that have arrived, with the time at which the application has dealt with each.
    inbox: VecDeque<(Instant, SessionId, RequestId)>,
    resolved: Option<(Instant, Vec<ElementId>)>,
    /// The elements of the watched pool as they were told last.
    watched: Option<BTreeSet<ElementId>>,
    leaving: bool,
}

impl Client {
    pub(crate) fn new(config: UserConfig, load: Load, now: Instant) -> Self {
        let mut timers = Deadlines::default();
        for n in 0..load.sessions {
            // Spread: sessions do not ask in step.
            timers.set(Timer::Open(n), now + load.interval * n as u32 / load.sessions as u32);
        }
        if let Some(interval) = load.resolve {
            timers.set(Timer::Resolve, now + interval);
        }
        if load.watch {
            timers.set(Timer::Watch, now);
        }
        Self {
            user: User::new(config.clone()),
            config,
            commands: Commands::default(),
            purposes: BTreeMap::new(),
            timers,
            conversations: (0..load.sessions).map(|_| Conversation::default()).collect(),
            last_request: 0,
            inbox: VecDeque::new(),
            resolved: None,
            watched: None,
            leaving: false,
            load,
        }
    }

    /// The endpoint.
    pub const fn user(&self) -> &User {
        &self.user
    }

    pub(crate) const fn user_mut(&mut self) -> &mut User {
        &mut self.user
    }

    /// Its configuration.
    pub const fn config(&self) -> &UserConfig {
        &self.config
    }

    /// What it does.
    pub const fn load(&self) -> &Load {
        &self.load
    }

    /// Its sessions.
    pub fn conversations(&self) -> &[Conversation] {
        &self.conversations
    }

    /// When a question for the pool was last answered, and with which elements; none if the pool
    /// was not known.
    pub fn resolved(&self) -> Option<(Instant, &[ElementId])> {
        self.resolved.as_ref().map(|(at, elements)| (*at, elements.as_slice()))
    }

    /// The elements of the pool that it watches, as it was told last: none if there is no such pool, `None` if it
    /// watches none or was told nothing yet.
    pub const fn watched(&self) -> Option<&BTreeSet<ElementId>> {
        self.watched.as_ref()
    }

    pub(crate) const fn commands(&self) -> &Commands {
        &self.commands
    }

    pub(crate) fn begin_shutdown(&mut self, now: Instant, deadline: Instant) {
        self.leaving = true;
        self.timers = Deadlines::default();
        self.user.begin_shutdown(now, deadline);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Open(n) => {
                    let handle = self.load.pool.clone();
                    self.command(now, Purpose::Open(n), Command::Open(Open::new(handle)));
                }
                Timer::Ask(n) => self.ask(now, n),
                Timer::Take => self.take(now),
                Timer::Watch => {
                    let handle = self.load.pool.clone();
                    self.command(now, Purpose::Watch, Command::Watch { handle });
                }
                Timer::Resolve => {
                    self.resolve(now);
                    if let Some(interval) = self.load.resolve {
                        self.timers.set(Timer::Resolve, now + interval);
                    }
                }
            }
        }
    }

    /// Asks a registrar for the pool, past the cache.
    pub(crate) fn resolve(&mut self, now: Instant) {
        let handle = self.load.pool.clone();
        self.command(now, Purpose::Resolve, Command::Resolve(Resolve::new(handle).past_cache()));
    }

    /// Gives a command whose outcome changes nothing here.
    pub(crate) fn other_command(&mut self, now: Instant, command: Command) {
        self.command(now, Purpose::Other, command);
    }

    pub(crate) fn order(&mut self, now: Instant, order: Order) {
        let handle = self.load.pool.clone();
        let sessions: Vec<_> =
            self.conversations.iter().filter_map(|c| Some((c.session?, c.element))).collect();
        for (session, element) in sessions {
            match (order, element) {
                (Order::Failover, _) => {
                    self.other_command(now, Command::Failover { session, unreachable: false });
                }
                (Order::Close, _) => {
                    if let Some((n, conversation)) = self.find(session) {
                        conversation.closing = true;
                        self.timers.clear(&Timer::Ask(n));
                    }
                    self.other_command(now, Command::Close { session });
                }
                (Order::Report, Some(element)) => {
                    let handle = handle.clone();
                    self.other_command(now, Command::ReportUnreachable { handle, element });
                }
                _ => {}
            }
        }
        if order == Order::Purge {
            self.other_command(now, Command::Purge { handle });
        }
    }

    fn ask(&mut self, now: Instant, n: usize) {
        self.timers.set(Timer::Ask(n), now + self.load.interval);
        let Some(conversation) = self.conversations.get_mut(n) else { return };
        let Some(session) = conversation.session else { return };
        if conversation.unanswered.len() >= self.load.window {
            return;
        }
        self.last_request += 1;
        let request = RequestId(self.last_request);
        conversation.unanswered.insert(request, now);
        conversation.asked += 1;
        let bytes = self.bytes(request);
        if let Some(delivery) = self.load.calls {
            let call = Call::new(session, request, ECHO, bytes).delivery(delivery);
            let id = self.commands.begin_lasting();
            return self.give(now, id, Purpose::Call(n, request), Command::Call(call));
        }
        let message = Message::new(session, ECHO, bytes).delivery(Delivery::Retry(request));
        self.command(now, Purpose::Ask(n, request), Command::Send(message));
    }

    /// The octets of a request.
    fn bytes(&self, request: RequestId) -> Vec<u8> {
        let large = self.load.large.and_then(|large| large.at(request.0));
        let poison = self.load.poison.and_then(|one_of| Occasional { one_of, value: POISON }.at(request.0));
        let mut octets = request.0.to_be_bytes().to_vec();
        octets.extend(poison);
        let length = large.unwrap_or(self.load.octets).max(octets.len());
        octets.resize(length, 0);
        octets
    }

    fn command(&mut self, now: Instant, purpose: Purpose, command: Command) {
        let id = self.commands.begin(now);
        self.give(now, id, purpose, command);
    }

    fn give(&mut self, now: Instant, id: CommandId, purpose: Purpose, command: Command) {
        self.purposes.insert(id, purpose);
        self.user.handle_command(now, id, command);
    }

    /// The end of a command.
    pub(crate) fn answer(&mut self, now: Instant, id: CommandId, answer: &Answer) -> Result<(), Violation> {
        self.commands.end(id)?;
        match (self.purposes.remove(&id).unwrap_or(Purpose::Other), answer) {
            (Purpose::Open(n), Answer::Opened(Ok(opened))) => {
                if let Some(conversation) = self.conversations.get_mut(n) {
                    conversation.session = Some(opened.session);
                    conversation.element = Some(opened.element);
                    conversation.opened += 1;
                }
                self.timers.set(Timer::Ask(n), now);
                self.handle_timeout(now);
            }
            (Purpose::Open(n), Answer::Opened(Err(_))) => self.reopen(now, n),
            (Purpose::Ask(n, request), Answer::Done(Err(_))) => {
                if let Some(conversation) = self.conversations.get_mut(n) {
                    conversation.unanswered.remove(&request);
                    conversation.asked -= 1;
                }
            }
            (Purpose::Call(n, request), Answer::Called(result)) => {
                return self.called(now, n, request, result);
            }
            (Purpose::Resolve, Answer::Resolved(Ok(resolution))) => {
                self.resolved = Some((now, resolution.elements.iter().map(|element| element.id).collect()));
            }
            (Purpose::Resolve, Answer::Resolved(Err(error))) => {
                if *error == UserError::UnknownPool {
                    self.resolved = Some((now, Vec::new()));
                }
            }
            (Purpose::Watch, Answer::Watching(Ok(())))
            | (Purpose::Ask(..), Answer::Done(Ok(())))
            | (Purpose::Other, Answer::Done(_) | Answer::Noted) => {}
            (purpose, answer) => {
                let detail = format!("{purpose:?} was answered by {answer:?}");
                return Err(Violation::new(
                    "commands get the answers that their documentation names",
                    detail,
                ));
            }
        }
        Ok(())
    }

    /// The end of a call.
    fn called(
        &mut self,
        now: Instant,
        n: usize,
        request: RequestId,
        result: &Result<Bytes, CallError>,
    ) -> Result<(), Violation> {
        let Some(conversation) = self.conversations.get_mut(n) else { return Ok(()) };
        let Some(asked) = conversation.unanswered.remove(&request) else {
            // It was asked before the application had heard that the session is over.
            if matches!(result, Err(CallError::Refused(Refusal::UnknownSession))) {
                return Ok(());
            }
            let detail = format!("{request:?}, {result:?}");
            return Err(Violation::new("a call ends before its session", detail));
        };
        match result {
            Ok(bytes) if request_of(bytes) == Some(request) => {
                conversation.answered += 1;
                conversation.last_call = Some(request);
                conversation.slowest = conversation.slowest.max(now - asked);
            }
            Ok(bytes) => {
                let detail = format!("{request:?} was answered for {:?}", request_of(bytes));
                return Err(Violation::new("an answer belongs to its call", detail));
            }
            Err(CallError::Refused(_)) => conversation.asked -= 1,
            Err(CallError::Unanswered(UnansweredReason::ElementFailed))
                if self.load.calls == Some(CallDelivery::Retry) =>
            {
                let detail = format!("{request:?}");
                return Err(Violation::new("a call that may be repeated outlives its element", detail));
            }
            Err(_) => conversation.given_up += 1,
        }
        Ok(())
    }

    pub(crate) fn notice(&mut self, now: Instant, notice: &Notice) -> Result<(), Violation> {
        let odd = |what: &'static str| Err(Violation::new(what, format!("{notice:?}")));
        match notice {
            Notice::ElementFailed { session, element, reason, .. } => {
                let Some((_, conversation)) = self.find(*session) else {
                    return odd("notices name sessions that are open");
                };
                if conversation.element.take() != Some(*element) {
                    return odd("the element that fails is the one that served");
                }
                conversation.failovers.push(Failover {
                    from: *element,
                    to: None,
                    noticed: now,
                    done: None,
                    reason: reason.clone(),
                    resent: Vec::new(),
                });
            }
            Notice::FailedOver { session, from, to, resent, .. } => {
                let Some((_, conversation)) = self.find(*session) else {
                    return odd("notices name sessions that are open");
                };
                let known = resent.iter().all(|request| conversation.unanswered.contains_key(request));
                let repeated = resent.iter().filter(|request| conversation.arrived.contains(request));
                conversation.repeated.extend(repeated.copied());
                match conversation.failovers.last_mut() {
                    Some(last) if last.from == *from && last.to.is_none() => {
                        last.to = Some(*to);
                        last.done = Some(now);
                        last.resent.clone_from(resent);
                    }
                    _ => return odd("a failover follows a failure"),
                }
                conversation.element = Some(*to);
                if !known {
                    return odd("only unanswered requests are resent");
                }
            }
            Notice::Unanswered { session, request, .. } => {
                let Some((_, conversation)) = self.find(*session) else {
                    return odd("notices name sessions that are open");
                };
                if conversation.unanswered.remove(request).is_none() {
                    return odd("only unanswered requests are given up");
                }
                conversation.given_up += 1;
                conversation.abandoned.insert(*request);
            }
            Notice::PoolChanged(pool) => {
                return self.pool_is(&pool.handle, pool.elements.iter().map(|e| e.id));
            }
            Notice::PoolGone { handle, .. } => return self.pool_is(handle, std::iter::empty()),
            Notice::Received { session, element, bytes, .. } => {
                return self.received(now, *session, *element, bytes);
            }
            Notice::Closed { session, .. } => {
                let Some((n, conversation)) = self.find(*session) else {
                    return odd("notices name sessions that are open");
                };
                conversation.session = None;
                conversation.closing = false;
                conversation.element = None;
                conversation.given_up += conversation.unanswered.len() as u64;
                conversation.unanswered.clear();
                conversation.arrived.clear();
                conversation.repeated.clear();
                conversation.abandoned.clear();
                self.timers.clear(&Timer::Ask(n));
                self.reopen(now, n);
            }
            _ => {}
        }
        Ok(())
    }

    /// The user was told of a change of the pool that it watches.
    fn pool_is(
        &mut self,
        handle: &PoolHandle,
        elements: impl Iterator<Item = ElementId>,
    ) -> Result<(), Violation> {
        if !self.load.watch || *handle != self.load.pool {
            return Err(Violation::new("only watched pools are told of", handle.to_string()));
        }
        self.watched = Some(elements.collect());
        Ok(())
    }

    /// An element has sent something.
    fn received(
        &mut self,
        now: Instant,
        session: SessionId,
        element: ElementId,
        bytes: &Bytes,
    ) -> Result<(), Violation> {
        let Some((_, conversation)) = self.find(session) else {
            return Err(Violation::new(
                "notices name sessions that are open",
                format!("data for {session:?}"),
            ));
        };
        if conversation.element != Some(element) {
            let detail = format!("data of {element} while {:?} serves {session:?}", conversation.element);
            return Err(Violation::new("the failover notice comes before data of the new element", detail));
        }
        let request = request_of(bytes);
        if request.is_some_and(|request| conversation.abandoned.remove(&request)) {
            return Ok(());
        }
        let expected = |request: &RequestId| conversation.unanswered.contains_key(request);
        let fresh = request.filter(expected).filter(|request| conversation.arrived.insert(*request));
        if fresh.is_none() && request.is_some_and(|request| conversation.repeated.remove(&request)) {
            return Ok(());
        }
        let Some(request) = fresh else {
            let detail = format!("{request:?} in {session:?}, answered by {element}");
            return Err(Violation::new("no request is answered twice", detail));
        };
        let free = self.inbox.back().map_or(now, |(at, ..)| *at);
        self.inbox.push_back((free + self.load.consuming, session, request));
        self.take(now);
        Ok(())
    }

    /// The application takes the answers for which it has had the time.
    fn take(&mut self, now: Instant) {
        while let Some(&(at, session, request)) = self.inbox.front() {
            if at > now {
                return self.timers.set(Timer::Take, at);
            }
            self.inbox.pop_front();
            let Some((_, conversation)) = self.find(session) else { continue };
            conversation.arrived.remove(&request);
            let Some(asked) = conversation.unanswered.remove(&request) else { continue };
            conversation.answered += 1;
            conversation.slowest = conversation.slowest.max(now - asked);
            self.command(now, Purpose::Other, Command::Answered { session, request });
        }
    }

    fn reopen(&mut self, now: Instant, n: usize) {
        if !self.leaving {
            self.timers.set(Timer::Open(n), now + self.load.reopen);
        }
    }

    fn find(&mut self, session: SessionId) -> Option<(usize, &mut Conversation)> {
        self.conversations.iter_mut().enumerate().find(|(_, c)| c.session == Some(session))
    }
}
