//! The search for an element: which one is tried next, and how many at the same time.
//!
//! The first search of a session opens it; every later one is a failover. Candidates come from the cache at
//! once, and also from a registrar. Up to three are tried at the same time, staggered, because over UDP a
//! dead element and a slow one look the same.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use super::interface::UserError;
use crate::base::{CommandId, ConnectId, ElementId, Instant, TransportAddress};
use crate::endpoint::control::has_control_channel;
use crate::wire::PoolElement;

/// The most elements that are tried at the same time for one session.
pub(super) const MAX_ATTEMPTS: usize = 3;

/// A search that is under way.
#[derive(Debug)]
pub(super) struct Search {
    purpose: Purpose,
    attempts: BTreeMap<ConnectId, Attempt>,
    /// The elements that may be tried, the preferred one first.
    candidates: VecDeque<ElementId>,
    /// The elements that were tried in this sweep.
    tried: BTreeSet<ElementId>,
    question: Question,
    /// Why the last question to the registrar failed.
    error: Option<UserError>,
}

/// An element that is being tried.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) element: ElementId,
    pub(super) peer: TransportAddress,
    /// Whether there will be a control channel.
    pub(super) control: bool,
}

impl Attempt {
    /// An attempt at an element as it is listed; `None` if it serves users in no way that we know.
    pub(super) fn at(element: &PoolElement) -> Option<Self> {
        let peer = element.session_address()?;
        Some(Self { element: element.id, peer, control: has_control_channel(element) })
    }
}

/// The purpose of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To open the session, which this command asked for.
    Open(CommandId),
    /// To replace this element.
    Replace(ElementId),
}

/// The question for elements in this sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    NotAsked,
    Asked,
    Answered,
}

/// What to do now that an attempt may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Give the attempts under way their time first.
    Wait,
    Try(ElementId),
    NoCandidate,
}

/// What to do when there is no candidate.
#[derive(Debug)]
pub(super) enum Exhausted {
    /// An attempt or an answer is still expected.
    Wait,
    /// Ask a registrar for elements.
    Ask,
    /// Pause, then begin another sweep.
    Pause,
    /// The search has failed.
    GiveUp(UserError),
}

impl Search {
    pub(super) const fn new(purpose: Purpose) -> Self {
        Self {
            purpose,
            attempts: BTreeMap::new(),
            candidates: VecDeque::new(),
            tried: BTreeSet::new(),
            question: Question::NotAsked,
            error: None,
        }
    }

    pub(super) const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Replaces the candidates.
    pub(super) fn set_candidates(&mut self, candidates: VecDeque<ElementId>) {
        self.candidates = candidates;
    }

    /// Begins another sweep: every candidate may be tried again, and the registrar has yet to be asked.
    pub(super) fn begin_sweep(&mut self) {
        debug_assert_ne!(self.question, Question::Asked, "a search pauses after the answer");
        self.tried.clear();
        self.question = Question::NotAsked;
    }

    /// A registrar is asked for elements from now on; false if one is being asked already.
    pub(super) fn begin_question(&mut self) -> bool {
        core::mem::replace(&mut self.question, Question::Asked) != Question::Asked
    }

    /// Whether nothing was tried yet in this sweep, because the answer to the question is awaited.
    pub(super) fn waits_only(&self) -> bool {
        self.question == Question::Asked && self.tried.is_empty() && self.candidates.is_empty()
    }

    /// The question has ended.
    pub(super) fn end_question(&mut self, outcome: Result<(), UserError>) {
        self.question = Question::Answered;
        self.error = outcome.err();
    }

    /// The candidate to be tried now. `staggered`: the attempts under way are to have their time first. `excluded` tells
    /// when an element failed, if that excludes it.
    pub(super) fn next(&mut self, staggered: bool, excluded: impl Fn(ElementId) -> Option<Instant>) -> Next {
        // Attempts at elements that have failed do not delay others.
        let hopeful = self.attempts.values().any(|attempt| excluded(attempt.element).is_none());
        if self.attempts.len() >= MAX_ATTEMPTS || (hopeful && staggered) {
            return Next::Wait;
        }
        let Self { candidates, tried, .. } = self;
        candidates.retain(|element| !tried.contains(element));
        let index = match candidates.iter().position(|element| excluded(*element).is_none()) {
            Some(index) => Some(index),
            // An element that has failed is tried only while there is no other one, and then the one that
            // failed longest ago first.
            None if self.attempts.is_empty() => (0..candidates.len())
                .min_by_key(|index| candidates.get(*index).and_then(|element| excluded(*element))),
            None => return Next::Wait,
        };
        let Some(element) = index.and_then(|index| candidates.remove(index)) else {
            return Next::NoCandidate;
        };
        tried.insert(element);
        Next::Try(element)
    }

    /// What follows when [`Search::next`] finds no candidate.
    pub(super) fn exhausted(&mut self) -> Exhausted {
        match (self.question, self.purpose) {
            _ if !self.attempts.is_empty() => Exhausted::Wait,
            (Question::Asked, _) => Exhausted::Wait,
            (Question::NotAsked, _) => Exhausted::Ask,
            (Question::Answered, Purpose::Replace(_)) => Exhausted::Pause,
            (Question::Answered, Purpose::Open(_)) => {
                Exhausted::GiveUp(self.take_error().unwrap_or(UserError::NoElement))
            }
        }
    }

    pub(super) const fn take_error(&mut self) -> Option<UserError> {
        self.error.take()
    }

    /// An attempt has begun.
    pub(super) fn begin_attempt(&mut self, request: ConnectId, attempt: Attempt) {
        self.tried.insert(attempt.element);
        self.attempts.insert(request, attempt);
    }

    /// An attempt has ended.
    pub(super) fn end_attempt(&mut self, request: ConnectId) -> Option<Attempt> {
        self.attempts.remove(&request)
    }

    /// The elements whose attempts began before this one, and are still under way.
    pub(super) fn tried_before(&self, request: ConnectId) -> impl Iterator<Item = ElementId> {
        self.attempts.range(..request).map(|(_, attempt)| attempt.element)
    }

    /// The addresses that are being tried.
    pub(super) fn under_way(&self) -> Vec<TransportAddress> {
        self.attempts.values().map(|attempt| attempt.peer.clone()).collect()
    }

    /// Ends all attempts.
    pub(super) fn take_attempts(&mut self) -> impl Iterator<Item = ConnectId> + use<> {
        core::mem::take(&mut self.attempts).into_keys()
    }
}
