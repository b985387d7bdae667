//! Handle resolution: one question per pool at a time, T1, repetitions (RFC 5352 sections 3.3, 3.7).

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use super::{Answer, Resolve, SessionId, UserError};
use super::{Timer, User};
use crate::base::{CommandId, Instant, PoolHandle, ProtocolId, TransportAddress};
use crate::wire::{AsapMessage, CauseCode, OperationError, Policy, PoolElement};

/// How many pools may be resolved at the same time.
const MAX_RESOLUTIONS: usize = 1_024;

/// How many commands may wait for one resolution.
const MAX_WAITING: usize = 1_024;

/// How many questions about one pool that differ in `items` may wait for their turn.
const MAX_LATER: usize = 8;

/// Who waits for a resolution.
#[derive(Clone, Copy, Debug)]
pub(super) enum Waiter {
    Command(CommandId),
    Session(SessionId),
}

/// The resolutions that are under way, one for each pool: answers name nothing but the pool, so a
/// second question about it waits (reading B41).
#[derive(Debug, Default)]
pub(super) struct Resolutions(BTreeMap<PoolHandle, Resolution>);

#[derive(Debug, Default)]
struct Resolution {
    question: Question,
    /// Questions with other `items`, to be asked afterwards.
    later: VecDeque<Question>,
    /// How often the question was sent.
    sent: u32,
    /// Whom it was sent to.
    asked: Vec<TransportAddress>,
}

/// One question and those who wait for its answer.
#[derive(Debug, Default)]
struct Question {
    items: Option<u32>,
    commands: Vec<CommandId>,
    sessions: BTreeSet<SessionId>,
}

impl Question {
    fn is_empty(&self) -> bool {
        self.commands.is_empty() && self.sessions.is_empty()
    }

    fn add(&mut self, waiter: Waiter) -> Result<(), UserError> {
        match waiter {
            Waiter::Command(_) if self.commands.len() >= MAX_WAITING => return Err(UserError::TooMany),
            Waiter::Command(id) => self.commands.push(id),
            Waiter::Session(id) => {
                self.sessions.insert(id);
            }
        }
        Ok(())
    }
}

impl Resolutions {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn handles(&self) -> Vec<PoolHandle> {
        self.0.keys().cloned().collect()
    }

    /// Whether the question may be sent once more: 1 + MAX-REQUEST-RETRANSMIT times in all
    /// (reading B11).
    pub(super) fn may_send(&self, handle: &PoolHandle, max_retransmits: u32) -> bool {
        self.0.get(handle).is_some_and(|resolution| resolution.sent <= max_retransmits)
    }

    /// A session waits no longer. A question that nobody waits for and that was not sent (so it
    /// is not `awaited`) is dropped; tells whether there is still a question about the pool.
    pub(super) fn forget(&mut self, handle: &PoolHandle, session: SessionId, awaited: bool) -> bool {
        let Some(resolution) = self.0.get_mut(handle) else { return false };
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
                *resolution = Resolution { question, later, ..Resolution::default() };
                true
            }
            None => {
                self.0.remove(handle);
                false
            }
        }
    }

    /// Gives every resolution up; returns the commands that waited.
    pub(super) fn drain(&mut self) -> Vec<CommandId> {
        let all = core::mem::take(&mut self.0).into_values();
        all.flat_map(|resolution| core::iter::once(resolution.question).chain(resolution.later))
            .flat_map(|question| question.commands)
            .collect()
    }
}

impl User {
    /// The application wants a handle resolved, from the cache if it may be (C1, C4).
    pub(super) fn resolve_command(
        &mut self,
        now: Instant,
        id: CommandId,
        Resolve { handle, items, cached }: Resolve,
    ) {
        let wanted = items.map_or(usize::MAX, |items| items as usize);
        // How many elements the registrar would give for 0 and for all is not known here.
        let enough = items.is_none() || (wanted != 0 && wanted <= self.cache.len(&handle));
        if cached
            && enough
            && self.cache.is_fresh(now, &handle)
            && let Some((policy, elements)) = self.cache.listing(&handle, wanted)
        {
            self.counters.cache_hits += 1;
            self.out.answer(id, Answer::resolved(handle, policy, elements));
        } else if let Err(error) = self.resolve(now, handle, items, Waiter::Command(id)) {
            self.out.answer(id, Answer::Resolved(Err(error)));
        }
    }

    /// Asks a registrar for the elements of a pool, or joins those who have asked.
    pub(super) fn resolve(
        &mut self,
        now: Instant,
        handle: PoolHandle,
        items: Option<u32>,
        waiter: Waiter,
    ) -> Result<(), UserError> {
        if handle.as_bytes().is_empty() || handle.as_bytes().len() > PoolHandle::MAX_OCTETS {
            return Err(UserError::UnknownPool);
        }
        if let Some(resolution) = self.resolutions.0.get_mut(&handle) {
            if resolution.question.items == items {
                return resolution.question.add(waiter);
            }
            if let Some(question) = resolution.later.iter_mut().find(|question| question.items == items) {
                return question.add(waiter);
            }
            if resolution.later.len() >= MAX_LATER {
                return Err(UserError::TooMany);
            }
            let mut question = Question { items, ..Question::default() };
            question.add(waiter)?;
            resolution.later.push_back(question);
            return Ok(());
        }
        if self.resolutions.0.len() >= MAX_RESOLUTIONS {
            return Err(UserError::TooMany);
        }
        let mut question = Question { items, ..Question::default() };
        question.add(waiter)?;
        self.begin(now, handle, question, VecDeque::new());
        Ok(())
    }

    fn begin(&mut self, now: Instant, handle: PoolHandle, question: Question, later: VecDeque<Question>) {
        let resolution = Resolution { question, later, ..Resolution::default() };
        self.resolutions.0.insert(handle.clone(), resolution);
        match self.home {
            Some(_) => self.ask(now, &handle),
            None => {
                self.timers.set(Timer::Wait(handle.clone()), now + self.config.failover_deadline);
                self.seek_registrar(now);
            }
        }
    }

    /// Sends the question to the registrar and starts T1 (NR1 to NR4).
    pub(super) fn ask(&mut self, now: Instant, handle: &PoolHandle) {
        let (Some(home), Some(resolution)) = (&self.home, self.resolutions.0.get_mut(handle)) else { return };
        let items = resolution.question.items;
        let question = AsapMessage::HandleResolution { handle: handle.clone(), subscribe: false, items };
        if let Ok(bytes) = question.encode(self.config.padding) {
            self.out.send(home.association, ProtocolId::ASAP, bytes);
            self.counters.resolutions_sent += 1;
        }
        resolution.sent = resolution.sent.saturating_add(1);
        if !resolution.asked.contains(&home.registrar) {
            resolution.asked.push(home.registrar.clone());
        }
        self.timers.clear(&Timer::Wait(handle.clone()));
        self.timers.set(Timer::Request(handle.clone()), now + self.config.request_timeout);
    }

    /// No registrar was found in the time that a search may take.
    pub(super) fn wait_timeout(&mut self, now: Instant, handle: &PoolHandle) {
        let tried = self.hunt.tried();
        self.resolved(now, handle, Err(UserError::NoRegistrar { tried }));
    }

    /// T1 has expired: the question is repeated and another registrar looked for beside it, until
    /// it was sent often enough (ASAP-3.7.2-01, ASAP-3.7.2-02).
    pub(super) fn request_timeout(&mut self, now: Instant, handle: &PoolHandle) {
        self.counters.resolutions_unanswered += 1;
        if self.resolutions.may_send(handle, self.config.max_request_retransmits) {
            self.ask(now, handle);
            self.seek_registrar(now);
        } else {
            self.unanswered(now, handle);
        }
    }

    /// The question was sent as often as permitted, in vain.
    pub(super) fn unanswered(&mut self, now: Instant, handle: &PoolHandle) {
        let tried =
            self.resolutions.0.get(handle).map(|resolution| resolution.asked.clone()).unwrap_or_default();
        self.resolved(now, handle, Err(UserError::NoRegistrar { tried }));
    }

    /// The registrar has answered.
    pub(super) fn resolution_response(
        &mut self,
        now: Instant,
        handle: &PoolHandle,
        policy: Option<Policy>,
        elements: Vec<PoolElement>,
        error: Option<OperationError>,
    ) {
        if self.timers.get(&Timer::Request(handle.clone())).is_none() {
            self.counters.unexpected += 1;
            return;
        }
        // It does answer, so no other one is needed.
        self.hunt.stop(&mut self.out.actions);
        let Some(error) = error else {
            self.counters.resolutions_answered += 1;
            // No policy parameter means round robin (ASAP-2.2.6-03).
            self.resolved(now, handle, Ok((policy.unwrap_or(Policy::RoundRobin), elements)));
            return;
        };
        self.counters.resolutions_refused += 1;
        if error.causes.iter().any(|cause| cause.code == CauseCode::UNKNOWN_POOL_HANDLE) {
            self.cache.purge(handle);
            self.resolved(now, handle, Err(UserError::UnknownPool));
        } else {
            self.resolved(now, handle, Err(UserError::Rejected(error)));
        }
    }

    /// A resolution has come to its end: tell all who wait, and ask the next question.
    pub(super) fn resolved(
        &mut self,
        now: Instant,
        handle: &PoolHandle,
        result: Result<(Policy, Vec<PoolElement>), UserError>,
    ) {
        self.timers.clear(&Timer::Request(handle.clone()));
        self.timers.clear(&Timer::Wait(handle.clone()));
        let Some(Resolution { question, mut later, .. }) = self.resolutions.0.remove(handle) else { return };
        if let Some(next) = later.pop_front() {
            self.begin(now, handle.clone(), next, later);
        }
        let answer = match &result {
            Ok((policy, elements)) => {
                // A question for a few must not make the cache forget the others.
                let few = question.items.is_some() && elements.len() < self.cache.len(handle);
                if !(few && self.cache.is_fresh(now, handle)) {
                    self.cache.store(now, handle, policy.clone(), elements.clone());
                }
                Answer::resolved(handle.clone(), policy.clone(), elements.clone())
            }
            Err(error) => Answer::Resolved(Err(error.clone())),
        };
        for id in question.commands {
            self.out.answer(id, answer.clone());
        }
        let outcome = result.map(|_| ());
        for session in question.sessions {
            self.pool_resolved(now, session, outcome.clone());
        }
        if outcome.is_err() {
            self.stop_idle_hunt();
        }
    }
}
