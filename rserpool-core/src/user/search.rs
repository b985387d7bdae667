//! The search for an element: which one is tried next, and beside which others.
//!
//! The first search opens a session; every later one is a failover. Candidates come from the cache
//! at once and from a registrar beside it. Up to three are tried, staggered, because over UDP a
//! dead element and a slow one look the same.

use alloc::collections::BTreeMap;

use super::resolution::Waiter;
use super::state::{Purpose, Search, Serving, Session, State};
use super::{Answer, FailureReason, Notice, Opened, SessionId, UserError};
use super::{Timer, User};
use crate::base::{AssociationId, ConnectId, ElementId, Instant, PoolHandle};
use crate::endpoint::{AbortCause, Action, DownReason};
use crate::wire::PoolElement;

/// How many elements are tried at the same time for one session.
const MAX_ATTEMPTS: usize = 3;

impl User {
    /// Begins to search for an element for a session whose state is [`State::Searching`].
    pub(super) fn search(&mut self, now: Instant, id: SessionId) {
        let Some((handle, search)) = searching(&mut self.sessions, id) else { return };
        self.timers.set(Timer::Search(id), now + self.config.failover_deadline);
        let fresh = self.cache.is_fresh(now, &handle);
        // To open a session only a fresh entry will do; in a failover a stale one is better than
        // waiting, and the registrar may know of elements that have joined since.
        let opening = matches!(search.purpose, Purpose::Open(_));
        if fresh || !opening {
            search.candidates = self.cache.select(&handle, &mut self.random).into();
        }
        if !fresh || !opening {
            self.ask_for_elements(now, id);
        }
        self.advance(now, id);
    }

    /// A resolution that a session has waited for has come to its end.
    pub(super) fn pool_resolved(&mut self, now: Instant, id: SessionId, outcome: Result<(), UserError>) {
        let Some((handle, search)) = searching(&mut self.sessions, id) else { return };
        search.resolving = false;
        search.asked = true;
        match outcome {
            Ok(()) => {
                search.error = None;
                search.candidates = self.cache.select(&handle, &mut self.random).into();
            }
            Err(error) => search.error = Some(error),
        }
        self.advance(now, id);
    }

    /// The stagger has passed: another candidate may be tried beside those that do not answer.
    pub(super) fn stagger_timeout(&mut self, now: Instant, id: SessionId) {
        self.advance(now, id);
    }

    /// The pause after a sweep in vain is over: everybody is tried again, and the registrar asked.
    pub(super) fn retry_timeout(&mut self, now: Instant, id: SessionId) {
        let Some((handle, search)) = searching(&mut self.sessions, id) else { return };
        search.tried.clear();
        search.asked = false;
        search.candidates = self.cache.select(&handle, &mut self.random).into();
        self.ask_for_elements(now, id);
        self.advance(now, id);
    }

    /// The search has lasted too long.
    pub(super) fn search_timeout(&mut self, id: SessionId) {
        let Some((_, search)) = searching(&mut self.sessions, id) else { return };
        let error = search.error.take();
        let error = error.unwrap_or_else(|| match self.hunt.tried() {
            tried if self.home.is_none() && !tried.is_empty() => UserError::NoRegistrar { tried },
            _ => UserError::NoElement,
        });
        self.search_failed(id, error);
    }

    /// An attempt has succeeded: the element serves the session, all other attempts are given up.
    pub(super) fn element_connected(
        &mut self,
        now: Instant,
        request: ConnectId,
        association: AssociationId,
    ) -> bool {
        let Some(id) = self.attempts.remove(&request) else { return false };
        let Some((handle, search)) = searching(&mut self.sessions, id) else { return false };
        let Some((element, peer)) = search.attempts.remove(&request) else { return false };
        let purpose = search.purpose;
        self.end_search(id);
        self.health.works(&handle, element);
        self.associations.insert(association, id);
        let Some(session) = self.sessions.get_mut(&id) else { return false };
        session.state = State::Serving(Serving { association, element, congested: false });
        match purpose {
            Purpose::Open(command) => {
                self.counters.sessions_opened += 1;
                self.out.answer(command, Answer::Opened(Ok(Opened { session: id, element, peer })));
            }
            Purpose::Replace(from) => {
                self.counters.failovers += 1;
                let resent = self.send_unanswered(now, id);
                self.out.tell(Notice::FailedOver { session: id, from, to: element, peer, resent });
                self.tell_writable(id);
            }
        }
        true
    }

    /// An attempt has failed: the element is not selected for a while, and another is tried.
    pub(super) fn element_unconnected(&mut self, now: Instant, request: ConnectId) {
        let Some(id) = self.attempts.remove(&request) else { return };
        let Some((handle, search)) = searching(&mut self.sessions, id) else { return };
        let Some((element, _)) = search.attempts.remove(&request) else { return };
        self.counters.connects_failed += 1;
        self.health.failed(now, &handle, element);
        self.advance(now, id);
    }

    /// The element that serves a session has failed, or counts as failed.
    pub(super) fn element_failed(&mut self, now: Instant, id: SessionId, reason: FailureReason) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let State::Serving(Serving { association, element, .. }) = session.state else { return };
        let handle = session.handle.clone();
        self.timers.clear(&Timer::Response(id));
        if self.associations.remove(&association).is_some() {
            self.out.act(Action::Abort { association, cause: AbortCause::User });
        }
        self.counters.element_failures += 1;
        session.state = State::Searching(Search::new(Purpose::Replace(element)));
        let reports = session.requests.take_reports();
        self.health.failed(now, &handle, element);
        // A server that closes its associations is being stopped; its registrar knows. A queue that
        // was full is ours.
        let innocent = [DownReason::PeerShutdown, DownReason::QueueFull, DownReason::Local];
        if !matches!(&reason, FailureReason::Disconnected(down) if innocent.contains(down)) {
            self.report(now, &handle, element);
        }
        self.out.tell(Notice::ElementFailed { session: id, element, reason });
        for request in reports {
            self.out.tell(Notice::Unanswered { session: id, request });
        }
        self.search(now, id);
    }

    /// Ends a search: timers and attempts.
    pub(super) fn end_search(&mut self, id: SessionId) {
        for timer in [Timer::Search(id), Timer::Stagger(id), Timer::Retry(id)] {
            self.timers.clear(&timer);
        }
        let Some((handle, search)) = searching(&mut self.sessions, id) else { return };
        for request in core::mem::take(&mut search.attempts).into_keys() {
            self.attempts.remove(&request);
            self.out.act(Action::CancelConnect { request });
        }
        let awaited = self.timers.get(&Timer::Request(handle.clone())).is_some();
        if !self.resolutions.forget(&handle, id, awaited) {
            self.timers.clear(&Timer::Wait(handle));
        }
        self.stop_idle_hunt();
    }

    /// Tries the next candidate if it is its turn; looks for more if there is none.
    fn advance(&mut self, now: Instant, id: SessionId) {
        loop {
            let Some((handle, search)) = searching(&mut self.sessions, id) else { return };
            let excluded = |element: &ElementId| self.health.excluded_since(now, &handle, *element);
            // An attempt at an element that has failed holds nobody else back.
            let hopeful = search.attempts.values().any(|(element, _)| excluded(element).is_none());
            let staggered = hopeful && self.timers.get(&Timer::Stagger(id)).is_some();
            if search.attempts.len() >= MAX_ATTEMPTS || staggered {
                return;
            }
            let Search { candidates, tried, .. } = search;
            candidates.retain(|element| !tried.contains(element));
            let place = match candidates.iter().position(|element| excluded(element).is_none()) {
                Some(place) => Some(place),
                // An element that has failed is tried only while there is nobody else, the one
                // that failed longest ago first.
                None if search.attempts.is_empty() => {
                    (0..candidates.len()).min_by_key(|place| candidates.get(*place).and_then(excluded))
                }
                None => return,
            };
            let Some(element) = place.and_then(|place| candidates.remove(place)) else {
                break;
            };
            tried.insert(element);
            let Some(peer) = self.cache.element(&handle, element).and_then(PoolElement::user_address) else {
                continue;
            };
            let request = self.connects.next_id();
            search.attempts.insert(request, (element, peer.clone()));
            self.attempts.insert(request, id);
            let deadline = now + self.config.connect_timeout;
            self.out.act(Action::Connect { request, local_port: 0, peer, deadline });
            self.timers.set(Timer::Stagger(id), now + self.config.connect_stagger);
        }
        self.timers.clear(&Timer::Stagger(id));
        let Some((_, search)) = searching(&mut self.sessions, id) else { return };
        match search.purpose {
            _ if search.resolving || !search.attempts.is_empty() => {}
            _ if !search.asked => self.ask_for_elements(now, id),
            Purpose::Replace(_) => self.timers.set(Timer::Retry(id), now + self.config.retry_interval),
            Purpose::Open(_) => {
                let error = search.error.take().unwrap_or(UserError::NoElement);
                self.search_failed(id, error);
            }
        }
    }

    fn ask_for_elements(&mut self, now: Instant, id: SessionId) {
        let Some((handle, search)) = searching(&mut self.sessions, id) else { return };
        if search.resolving {
            return;
        }
        search.resolving = true;
        if let Err(error) = self.resolve(now, handle, None, Waiter::Session(id)) {
            self.pool_resolved(now, id, Err(error));
        }
    }

    /// No element was found: the session is over.
    fn search_failed(&mut self, id: SessionId, error: UserError) {
        self.end_search(id);
        let Some(session) = self.sessions.remove(&id) else { return };
        match session.state {
            State::Searching(Search { purpose: Purpose::Open(command), .. }) => {
                self.out.answer(command, Answer::Opened(Err(error)));
            }
            _ => self.tell_closed(id, Some(error)),
        }
    }
}

/// The pool and the search of a session that searches.
fn searching(
    sessions: &mut BTreeMap<SessionId, Session>,
    id: SessionId,
) -> Option<(PoolHandle, &mut Search)> {
    let session = sessions.get_mut(&id)?;
    match &mut session.state {
        State::Searching(search) => Some((session.handle.clone(), search)),
        State::Serving(_) | State::Closing { .. } => None,
    }
}
