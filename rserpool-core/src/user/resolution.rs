//! Handle resolution: one question per pool at a time, T1, repetitions (RFC 5352 sections 3.3, 3.7).

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use super::cache::Cache;
use super::context::{Context, Timer};
use super::interface::{Answer, Resolve, SessionId, UserError};
use super::registrar::Registrar;
use super::watches::Watches;
use crate::base::{CommandId, ElementId, Instant, PoolHandle, TransportAddress};
use crate::wire::{AsapMessage, CauseCode, OperationError, Policy, PoolElement};

/// The most pools that are resolved at the same time.
const MAX_RESOLUTIONS: usize = 1_024;

/// The most commands that wait for one resolution.
const MAX_WAITING: usize = 1_024;

/// The most questions about one pool, with different `items`, that wait for their turn.
const MAX_LATER: usize = 8;

/// The most registrars that are asked one question. An operational scope has fewer than ten.
const MAX_ASKED: usize = 16;

/// How many T1 an answer may take to arrive, if parts of it keep arriving. A registrar that sends an answer octet by
/// octet is not waited for any longer.
const MAX_STRETCH: u32 = 8;

/// How soon a watched pool that is not known, or whose registrar does not answer, is asked for again.
const WATCH_AGAIN: Duration = Duration::from_secs(1);

/// How soon a watched pool is asked for again although its registrar tells of changes: a transport that hangs up on
/// silent clients must not end the subscription (over TCP after 5 minutes).
const WATCH_RENEWAL: Duration = Duration::from_secs(120);

/// A watched pool is asked for with all its elements.
const WHOLE: Option<u32> = Some(u32::MAX);

/// What waits for a resolution.
#[derive(Clone, Copy, Debug)]
pub(super) enum Waiter {
    Command(CommandId),
    Session(SessionId),
    /// Nothing: the cache is to know the pool.
    Cache,
    /// The pool is watched: its registrar is asked to tell of changes, too (S flag).
    Watch,
}

/// The known pools, and the resolutions that are under way, one for each pool: answers name nothing but the
/// pool, so a second question about it waits (reading B41).
#[derive(Debug)]
pub(super) struct Resolver {
    resolutions: BTreeMap<PoolHandle, Inquiry>,
    cache: Cache,
    watches: Watches,
    registrar: Registrar,
}

/// The end of a resolution, for the sessions that have waited for it.
#[derive(Debug)]
#[must_use]
pub(super) struct Resolved {
    pub(super) sessions: BTreeSet<SessionId>,
    pub(super) outcome: Result<(), UserError>,
}

/// A resolution that is under way.
#[derive(Debug, Default)]
struct Inquiry {
    question: Question,
    /// Questions with other `items`, to be asked afterwards.
    later: VecDeque<Question>,
    /// The number of times the question was sent.
    sent: u32,
    /// When it was last sent.
    asked_at: Option<Instant>,
    /// The registrars to which it was sent.
    asked: Vec<TransportAddress>,
}

/// One question and what waits for its answer.
#[derive(Debug, Default)]
struct Question {
    items: Option<u32>,
    commands: Vec<CommandId>,
    sessions: BTreeSet<SessionId>,
    watched: bool,
}

impl Question {
    fn is_empty(&self) -> bool {
        self.commands.is_empty() && self.sessions.is_empty() && !self.watched
    }

    fn add(&mut self, waiter: Waiter) -> Result<(), UserError> {
        match waiter {
            Waiter::Command(_) if self.commands.len() >= MAX_WAITING => return Err(UserError::TooMany),
            Waiter::Command(id) => self.commands.push(id),
            Waiter::Session(id) => {
                self.sessions.insert(id);
            }
            Waiter::Cache => {}
            Waiter::Watch => self.watched = true,
        }
        Ok(())
    }
}

impl Resolver {
    pub(super) fn new(cache: Cache, registrar: Registrar) -> Self {
        Self { resolutions: BTreeMap::new(), cache, watches: Watches::default(), registrar }
    }

    pub(super) const fn registrar(&self) -> &Registrar {
        &self.registrar
    }

    pub(super) const fn registrar_mut(&mut self) -> &mut Registrar {
        &mut self.registrar
    }

    pub(super) const fn cache_mut(&mut self) -> &mut Cache {
        &mut self.cache
    }

    /// The pools about which there is a question.
    pub(super) fn handles(&self) -> Vec<PoolHandle> {
        self.resolutions.keys().cloned().collect()
    }

    /// All elements of a pool that are known, the preferred one first and the `excluded` ones last.
    pub(super) fn select(
        &mut self,
        context: &mut Context,
        handle: &PoolHandle,
        excluded: &BTreeSet<ElementId>,
    ) -> VecDeque<ElementId> {
        self.cache.select(handle, excluded, &mut context.random).into()
    }

    /// Whether what is known of a pool holds: for a while, or as long as its registrar tells of changes.
    pub(super) fn is_fresh(&self, now: Instant, handle: &PoolHandle) -> bool {
        let told = self.watches.is_promised(handle) && self.cache.len(handle) > 0;
        told || self.cache.is_fresh(now, handle)
    }

    /// Whether the preferred element of a pool is to be used as long as it lives.
    pub(super) fn is_ranked(&self, handle: &PoolHandle) -> bool {
        self.cache.is_ranked(handle)
    }

    /// Whether elements of a pool are known, stale or not.
    pub(super) fn is_known(&self, handle: &PoolHandle) -> bool {
        self.cache.len(handle) > 0
    }

    /// An element of a pool, as far as it is known.
    pub(super) fn element(&self, handle: &PoolHandle, element: ElementId) -> Option<&PoolElement> {
        self.cache.element(handle, element)
    }

    /// The application wants a handle resolved, from the cache if it allows that (C1, C4).
    pub(super) fn resolve_command(
        &mut self,
        now: Instant,
        context: &mut Context,
        id: CommandId,
        Resolve { handle, items, cached }: Resolve,
    ) {
        let wanted = items.map_or(usize::MAX, |items| items as usize);
        // The number of elements that the registrar would list for 0 or for all is not known here.
        let enough = items.is_none() || (wanted != 0 && wanted <= self.cache.len(&handle));
        if cached
            && enough
            && self.is_fresh(now, &handle)
            && let Some((policy, elements)) = self.cache.listing(&handle, wanted)
        {
            context.counters.cache_hits += 1;
            context.outbox.answer(id, Answer::resolved(handle, policy, elements));
        } else if let Err(error) = self.resolve(now, context, handle, items, Waiter::Command(id)) {
            context.outbox.answer(id, Answer::Resolved(Err(error)));
        }
    }

    /// Asks a registrar for the elements of a pool, or joins a question about it.
    pub(super) fn resolve(
        &mut self,
        now: Instant,
        context: &mut Context,
        handle: PoolHandle,
        items: Option<u32>,
        waiter: Waiter,
    ) -> Result<(), UserError> {
        check_handle(&handle)?;
        if let Some(resolution) = self.resolutions.get_mut(&handle) {
            return resolution.add(items, waiter);
        }
        if self.resolutions.len() >= MAX_RESOLUTIONS {
            return Err(UserError::TooMany);
        }
        let mut question = Question { items, ..Question::default() };
        question.add(waiter)?;
        self.begin(now, context, handle, question, VecDeque::new());
        Ok(())
    }

    fn begin(
        &mut self,
        now: Instant,
        context: &mut Context,
        handle: PoolHandle,
        question: Question,
        later: VecDeque<Question>,
    ) {
        let resolution = Inquiry { question, later, ..Inquiry::default() };
        self.resolutions.insert(handle.clone(), resolution);
        match self.registrar.home() {
            Some(_) => self.ask(now, context, &handle),
            None => {
                let deadline = now + context.config.open_timeout;
                context.deadlines.set(Timer::Wait(handle), deadline);
                self.registrar.seek(now, context);
            }
        }
    }

    /// Sends the question to the registrar and starts T1 (NR1 to NR4).
    fn ask(&mut self, now: Instant, context: &mut Context, handle: &PoolHandle) {
        let (Some(home), Some(resolution)) = (self.registrar.home(), self.resolutions.get_mut(handle)) else {
            return;
        };
        let Question { items, watched: subscribe, .. } = resolution.question;
        let question = AsapMessage::HandleResolution { handle: handle.clone(), subscribe, items };
        if context.send(home.association, &question) {
            context.counters.resolutions_sent += 1;
        }
        resolution.asked_at = Some(now);
        resolution.sent = resolution.sent.saturating_add(1);
        if !resolution.asked.contains(&home.registrar) {
            resolution.asked.push(home.registrar.clone());
        }
        context.deadlines.clear(&Timer::Wait(handle.clone()));
        context.deadlines.set(Timer::Request(handle.clone()), now + context.config.request_timeout);
    }

    /// Whether the question may be sent once more to the same registrar: 1 + MAX-REQUEST-RETRANSMIT times in all
    /// (reading B11).
    fn may_ask(&self, context: &Context, handle: &PoolHandle) -> bool {
        let max = context.config.max_request_retransmits;
        self.resolutions.get(handle).is_some_and(|resolution| resolution.sent <= max)
    }

    /// A message of the registrar is on its way, presumably an answer: T1 begins anew, for a while.
    pub(super) fn handle_arriving(&mut self, now: Instant, context: &mut Context) {
        let timeout = context.config.request_timeout;
        for (handle, resolution) in &self.resolutions {
            let timer = Timer::Request(handle.clone());
            if let Some(asked) = resolution.asked_at
                && context.deadlines.get(&timer).is_some()
            {
                let until = (now + timeout).min(asked + timeout.saturating_mul(MAX_STRETCH));
                context.deadlines.set(timer, until);
            }
        }
    }

    /// There is a registrar now: it is asked everything that is unanswered (ASAP-3.3-05 and ASAP-3.7.2-03: a
    /// question is repeated to the next registrar, even if the last one was asked as often as permitted).
    pub(super) fn handle_home(&mut self, now: Instant, context: &mut Context) {
        self.watches.forget_promises();
        for handle in self.handles() {
            if self.may_ask(context, &handle) || self.is_new_to(&handle) {
                self.ask(now, context, &handle);
            }
        }
        self.look_at_all(now, context);
    }

    /// Whether the registrar was not asked this question before.
    fn is_new_to(&self, handle: &PoolHandle) -> bool {
        let (Some(home), Some(resolution)) = (self.registrar.home(), self.resolutions.get(handle)) else {
            return false;
        };
        resolution.asked.len() < MAX_ASKED && !resolution.asked.contains(&home.registrar)
    }

    /// The registrar is lost: the question about a pool waits for another one, if it may be sent again
    /// (ASAP-3.3-05, ASAP-3.7.1-01: another registrar is looked for).
    pub(super) fn handle_home_lost(
        &mut self,
        now: Instant,
        context: &mut Context,
        handle: &PoolHandle,
    ) -> Option<Resolved> {
        context.deadlines.clear(&Timer::Request(handle.clone()));
        if self.may_ask(context, handle) {
            context.deadlines.set(Timer::Wait(handle.clone()), now + context.config.open_timeout);
            return None;
        }
        self.unanswered(now, context, handle)
    }

    /// The application wants to hear of the changes of a pool.
    pub(super) fn watch(
        &mut self,
        now: Instant,
        context: &mut Context,
        handle: &PoolHandle,
    ) -> Result<(), UserError> {
        check_handle(handle)?;
        if !self.watches.add(handle) {
            return Err(UserError::TooMany);
        }
        self.look(now, context, handle);
        Ok(())
    }

    /// The application has heard enough of a pool. The registrar is asked once more, without the S flag, which ends the
    /// subscription (reading B80).
    pub(super) fn unwatch(&mut self, now: Instant, context: &mut Context, handle: &PoolHandle) {
        context.deadlines.clear(&Timer::Watch(handle.clone()));
        let promised = self.watches.remove(handle);
        if promised && !self.resolutions.contains_key(handle) && self.resolutions.len() < MAX_RESOLUTIONS {
            let question = Question { items: WHOLE, ..Question::default() };
            self.begin(now, context, handle.clone(), question, VecDeque::new());
        }
    }

    /// Asks for a watched pool, and to be told of its changes. When that is not possible, it is tried again.
    pub(super) fn look(&mut self, now: Instant, context: &mut Context, handle: &PoolHandle) {
        context.deadlines.set(Timer::Watch(handle.clone()), now + WATCH_AGAIN);
        // Failing that, the deadline asks again.
        let _ = self.resolve(now, context, handle.clone(), WHOLE, Waiter::Watch);
    }

    /// The registrar has changed, and knows nothing of what the last one has promised (ASAP-2.2.5-03).
    pub(super) fn look_at_all(&mut self, now: Instant, context: &mut Context) {
        for handle in self.watches.handles() {
            self.look(now, context, &handle);
        }
    }

    /// The registrar is lost, and its promises with it.
    pub(super) fn forget_promises(&mut self) {
        self.watches.forget_promises();
    }

    /// A question about a watched pool has ended: tells what has changed, and sets when to ask again.
    fn note_watched(
        &mut self,
        now: Instant,
        context: &mut Context,
        handle: &PoolHandle,
        promised: bool,
        result: &Result<(Policy, Vec<PoolElement>), UserError>,
    ) {
        if !self.watches.contains(handle) {
            return;
        }
        self.watches.set_promised(handle, promised);
        let (news, again) = match result {
            Ok((policy, elements)) => {
                let life = context.config.cache_life.max(WATCH_AGAIN);
                let again = if promised { WATCH_RENEWAL } else { life };
                (self.watches.seen(handle, policy, elements), again)
            }
            Err(UserError::UnknownPool) => (self.watches.gone(handle), WATCH_AGAIN),
            Err(_) => (None, WATCH_AGAIN),
        };
        if let Some(news) = news {
            context.outbox.tell(news);
        }
        context.deadlines.set(Timer::Watch(handle.clone()), now + again);
    }

    /// Looks for a registrar if there is something to ask.
    pub(super) fn seek_if_asked(&mut self, now: Instant, context: &mut Context) {
        if !self.resolutions.is_empty() {
            self.registrar.seek(now, context);
        }
    }

    /// No registrar was found in the time that a search may take.
    pub(super) fn handle_wait_due(
        &mut self,
        now: Instant,
        context: &mut Context,
        handle: &PoolHandle,
    ) -> Option<Resolved> {
        let tried = self.registrar.tried();
        self.resolved(now, context, handle, Err(UserError::NoRegistrar { tried }))
    }

    /// T1 has expired: the question is repeated and meanwhile another registrar is looked for, until the
    /// question has been sent 1 + MAX-REQUEST-RETRANSMIT times (ASAP-3.7.2-01: resend and hunt in parallel;
    /// ASAP-3.7.2-02: then report the error).
    pub(super) fn handle_request_due(
        &mut self,
        now: Instant,
        context: &mut Context,
        handle: &PoolHandle,
    ) -> Option<Resolved> {
        context.counters.resolutions_unanswered += 1;
        self.registrar.note_silence();
        if !self.may_ask(context, handle) {
            return self.unanswered(now, context, handle);
        }
        self.ask(now, context, handle);
        self.registrar.seek(now, context);
        None
    }

    /// The question was sent as often as permitted and not answered.
    fn unanswered(&mut self, now: Instant, context: &mut Context, handle: &PoolHandle) -> Option<Resolved> {
        let tried = self.resolutions.get(handle).map(|resolution| resolution.asked.clone());
        let error = UserError::NoRegistrar { tried: tried.unwrap_or_default() };
        self.resolved(now, context, handle, Err(error))
    }

    /// The registrar has answered.
    pub(super) fn handle_response(
        &mut self,
        now: Instant,
        context: &mut Context,
        handle: &PoolHandle,
        updates: bool,
        answer: Result<(Policy, Vec<PoolElement>), OperationError>,
    ) -> Option<Resolved> {
        let asked = context.deadlines.get(&Timer::Request(handle.clone())).is_some();
        let watched = self.resolutions.get(handle).is_some_and(|inquiry| inquiry.question.watched);
        let promised = self.watches.is_promised(handle);
        // An answer to a question without the S flag has no A flag (ASAP-2.2.6-02): an update was on its way already.
        let asked = asked && (watched || !(promised && updates));
        if !asked && !promised {
            context.counters.unexpected += 1;
            return None;
        }
        self.registrar.answered();
        // Another one is not needed.
        self.registrar.stop_hunt(context);
        let result = match answer {
            Ok(answer) => {
                context.counters.resolutions_answered += 1;
                Ok(answer)
            }
            Err(error) => {
                context.counters.resolutions_refused += 1;
                if error.causes.iter().any(|cause| cause.code == CauseCode::UNKNOWN_POOL_HANDLE) {
                    self.cache.purge(handle);
                    Err(UserError::UnknownPool)
                } else {
                    Err(UserError::Rejected(error))
                }
            }
        };
        if !asked {
            context.counters.pool_updates += 1;
            self.note_update(now, context, handle, updates, &result);
            return None;
        }
        if watched {
            self.note_watched(now, context, handle, updates, &result);
        }
        let resolved = self.resolved(now, context, handle, result);
        if !watched && self.watches.contains(handle) {
            // This question had no S flag, and has ended the subscription.
            self.look(now, context, handle);
        }
        resolved
    }

    /// The registrar tells of a change without being asked.
    fn note_update(
        &mut self,
        now: Instant,
        context: &mut Context,
        handle: &PoolHandle,
        updates: bool,
        result: &Result<(Policy, Vec<PoolElement>), UserError>,
    ) {
        if let Ok((policy, elements)) = result {
            self.cache.store(now, handle, policy.clone(), elements.clone(), &mut context.random);
        }
        self.note_watched(now, context, handle, updates, result);
    }

    /// A resolution has ended: answers the commands that have waited for it, and asks the next question about
    /// the pool. Returns what to tell the sessions that have waited.
    pub(super) fn resolved(
        &mut self,
        now: Instant,
        context: &mut Context,
        handle: &PoolHandle,
        result: Result<(Policy, Vec<PoolElement>), UserError>,
    ) -> Option<Resolved> {
        context.deadlines.clear(&Timer::Request(handle.clone()));
        context.deadlines.clear(&Timer::Wait(handle.clone()));
        let Inquiry { question, mut later, .. } = self.resolutions.remove(handle)?;
        if let Some(next) = later.pop_front() {
            self.begin(now, context, handle.clone(), next, later);
        }
        let answer = match &result {
            Ok((policy, elements)) => {
                // A question for a few must not make the cache forget the others.
                let few = question.items.is_some() && elements.len() < self.cache.len(handle);
                if !(few && self.cache.is_fresh(now, handle)) {
                    self.cache.store(now, handle, policy.clone(), elements.clone(), &mut context.random);
                }
                Answer::resolved(handle.clone(), policy.clone(), elements.clone())
            }
            Err(error) => Answer::Resolved(Err(error.clone())),
        };
        for id in question.commands {
            context.outbox.answer(id, answer.clone());
        }
        Some(Resolved { sessions: question.sessions, outcome: result.map(|_| ()) })
    }

    /// A session no longer waits. A question that was not sent, and that nothing waits for, is dropped.
    pub(super) fn forget(&mut self, context: &mut Context, handle: &PoolHandle, session: SessionId) {
        let awaited = context.deadlines.get(&Timer::Request(handle.clone())).is_some();
        if !self.forget_waiter(handle, session, awaited) {
            context.deadlines.clear(&Timer::Wait(handle.clone()));
        }
        self.stop_idle_hunt(context);
    }

    /// Tells whether there is still a question about the pool. One that was sent is `awaited`.
    fn forget_waiter(&mut self, handle: &PoolHandle, session: SessionId, awaited: bool) -> bool {
        let Some(resolution) = self.resolutions.get_mut(handle) else { return false };
        resolution.question.sessions.remove(&session);
        for question in &mut resolution.later {
            question.sessions.remove(&session);
        }
        resolution.later.retain(|question| !question.is_empty());
        if awaited || !resolution.question.is_empty() {
            return true;
        }
        match resolution.later.pop_front() {
            Some(question) => {
                let later = core::mem::take(&mut resolution.later);
                *resolution = Inquiry { question, later, ..Inquiry::default() };
                true
            }
            None => {
                self.resolutions.remove(handle);
                false
            }
        }
    }

    /// Whether something waits for a registrar.
    pub(super) fn needs_registrar(&self) -> bool {
        !self.resolutions.is_empty() || !self.registrar.is_idle()
    }

    /// Ends a hunt that nothing waits for any longer. After a silence it goes on to the end of its round:
    /// sessions that open from the cache meanwhile do not wait for it, and yet a registrar has to be found.
    pub(super) fn stop_idle_hunt(&mut self, context: &mut Context) {
        if !self.needs_registrar() && !self.registrar.is_silent() {
            self.registrar.stop_hunt(context);
        }
    }

    /// The user is leaving: every resolution is given up.
    pub(super) fn begin_shutdown(&mut self, context: &mut Context) {
        self.registrar.begin_shutdown(context);
        self.watches.clear();
        for resolution in core::mem::take(&mut self.resolutions).into_values() {
            for question in core::iter::once(resolution.question).chain(resolution.later) {
                for id in question.commands {
                    context.outbox.answer(id, Answer::Resolved(Err(UserError::ShuttingDown)));
                }
            }
        }
    }

    pub(super) fn check_invariants(&self) {
        let needed = self.needs_registrar() || self.registrar.is_silent();
        debug_assert!(needed || !self.registrar.is_hunting(), "a hunt has a purpose");
        debug_assert!(self.resolutions.len() <= MAX_RESOLUTIONS, "resolutions are bounded");
    }
}

fn check_handle(handle: &PoolHandle) -> Result<(), UserError> {
    match handle.as_bytes().len() {
        1..=PoolHandle::MAX_OCTETS => Ok(()),
        octets => Err(UserError::InvalidHandle { octets }),
    }
}

impl Inquiry {
    /// Adds a waiter to the question with these `items`, which is asked now or later.
    fn add(&mut self, items: Option<u32>, waiter: Waiter) -> Result<(), UserError> {
        if self.question.items == items {
            return self.question.add(waiter);
        }
        if let Some(question) = self.later.iter_mut().find(|question| question.items == items) {
            return question.add(waiter);
        }
        if self.later.len() >= MAX_LATER {
            return Err(UserError::TooMany);
        }
        let mut question = Question { items, ..Question::default() };
        question.add(waiter)?;
        self.later.push_back(question);
        Ok(())
    }
}
