//! Standbys: a session may keep its next element connected.
//!
//! The standby is chosen by the policy of the pool like any element, when an element begins to serve. If it dies, has
//! failed elsewhere, or leaves the pool, another one is chosen. The policy may prefer another element by the time the
//! standby is needed; that counts only where the preferred element has to be used (priorities).

use super::{Sessions, Turn, is_unreachable};
use crate::base::{AssociationId, ConnectId, ElementId, PoolHandle, SctpPort};
use crate::endpoint::{AbortCause, Action, DownReason};
use crate::user::context::{Context, Timer};
use crate::user::interface::{FailureReason, SessionId};
use crate::user::resolution::Waiter;
use crate::user::session::Serving;
use crate::user::standby::Standby;

impl Sessions {
    /// Looks for a standby, if the session is to have one and has none. If no other element is known, a registrar is
    /// asked, unless what is known is fresh; another look follows after the exclusion.
    pub(super) fn seek_standby(&mut self, turn: &mut Turn<'_>, id: SessionId) {
        if turn.context.config.standby == 0 || !turn.context.is_running() {
            return;
        }
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if session.standby_mut().is_none_or(|standby| !standby.is_none()) {
            return;
        }
        let handle = session.handle().clone();
        turn.context.deadlines.set(Timer::Standby(id), turn.now + turn.context.config.exclusion);
        let found = self.next_element(turn, id).and_then(|element| self.attempt_at(turn, id, element));
        if let Some(attempt) = found {
            let request = turn.context.connects.next_id();
            let (peer, deadline) = (attempt.peer.clone(), turn.now + turn.context.config.connect_timeout);
            turn.context.outbox.act(Action::Connect { request, local_port: SctpPort(0), peer, deadline });
            self.attempts.insert(request, id);
            self.set_standby(id, Standby::Connecting(request, attempt));
        } else if !turn.resolver.is_fresh(turn.now, &handle) {
            // Too many questions at once: the next look asks again.
            let _ = turn.resolver.resolve(turn.now, turn.context, handle, None, Waiter::Session(id));
        }
    }

    /// The element that would be tried first if the present one failed now: the first of the policy that has not failed.
    fn next_element(&self, turn: &mut Turn<'_>, id: SessionId) -> Option<ElementId> {
        let session = self.sessions.get(&id)?;
        let handle = session.handle().clone();
        let mut excluded = self.health.excluded(turn.now, &handle);
        excluded.extend(session.element());
        let selected = turn.resolver.select(turn.context, &handle, &excluded);
        let candidates = self.prefer_card(turn, id, selected);
        candidates.into_iter().find(|element| !excluded.contains(element))
    }

    /// It is time to look at the standby: whether there is one, and whether it is still a member of the pool.
    pub(in crate::user) fn handle_standby_due(&mut self, turn: &mut Turn<'_>, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let handle = session.handle().clone();
        let ready = match session.standby_mut() {
            Some(Standby::Ready(serving, _)) => Some(serving.element),
            _ => None,
        };
        if ready.is_some_and(|element| !self.may_serve(turn, &handle, element)) {
            self.drop_standby(turn.context, id);
        }
        self.seek_standby(turn, id);
        if self.sessions.get(&id).is_some_and(|session| session.serving().is_some()) {
            turn.context.deadlines.set(Timer::Standby(id), turn.now + turn.context.config.exclusion);
        }
    }

    /// Whether a standby is as good as when it was chosen: no session has found it dead since, and it is still listed.
    fn may_serve(&self, turn: &Turn<'_>, handle: &PoolHandle, element: ElementId) -> bool {
        let listed = !turn.resolver.is_known(handle) || turn.resolver.element(handle, element).is_some();
        listed && self.health.excluded_since(turn.now, handle, element).is_none()
    }

    /// A connection was asked for as a standby, and is there. False if it was asked for by a search.
    pub(super) fn standby_connected(
        &mut self,
        turn: &mut Turn<'_>,
        id: SessionId,
        request: ConnectId,
        association: AssociationId,
    ) -> bool {
        let standby = self.sessions.get_mut(&id).and_then(|session| session.standby_mut());
        let Some(attempt) = standby.and_then(|standby| standby.take_attempt(request)) else { return false };
        let serving =
            Serving { association, element: attempt.element, since: turn.now, control: attempt.control };
        self.standbys.insert(association, id);
        // What it says before it serves has to wait: it may be the beginning of the session.
        turn.context.outbox.act(Action::Hold { association });
        self.set_standby(id, Standby::Ready(serving, attempt.peer));
        true
    }

    /// The standby has gone; another one is looked for after a pause.
    pub(super) fn standby_lost(
        &mut self,
        turn: &mut Turn<'_>,
        association: AssociationId,
        reason: DownReason,
    ) {
        let Some(id) = self.standbys.remove(&association) else { return };
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let handle = session.handle().clone();
        let Some(serving) = session.standby_mut().and_then(|standby| standby.take_ready(association)) else {
            return;
        };
        session.handover_mut().strike(serving.element);
        self.health.failed(turn.now, &handle, serving.element);
        turn.context.counters.standbys_lost += 1;
        if is_unreachable(&FailureReason::Disconnected(reason)) {
            self.report_failure(turn, &handle, serving.element);
        }
        turn.context.deadlines.set(Timer::Standby(id), turn.now + turn.context.config.retry_interval);
    }

    /// The session has left its element: its standby serves it now. False if it has none that may; one that is still
    /// being connected is the first attempt of the search that follows.
    pub(super) fn use_standby(&mut self, turn: &mut Turn<'_>, id: SessionId, standby: Standby) -> bool {
        turn.context.deadlines.clear(&Timer::Standby(id));
        match standby {
            Standby::None => false,
            Standby::Connecting(request, attempt) => {
                if let Some((_, search)) = self.searching(id) {
                    search.begin_attempt(request, attempt);
                    let stagger = turn.now + turn.context.config.connect_stagger;
                    turn.context.deadlines.set(Timer::Stagger(id), stagger);
                }
                false
            }
            Standby::Ready(serving, peer) => {
                let Serving { association, element, .. } = serving;
                self.standbys.remove(&association);
                let Some(session) = self.sessions.get(&id) else { return false };
                let (handle, held) = (session.handle().clone(), session.is_held());
                let preferred =
                    !turn.resolver.is_ranked(&handle) || self.next_element(turn, id) == Some(element);
                if !preferred || !self.may_serve(turn, &handle, element) {
                    turn.context.outbox.act(Action::Abort { association, cause: AbortCause::User });
                    return false;
                }
                turn.context.counters.standbys_used += 1;
                // Before its messages, which come later, the application is told that it serves.
                if !held {
                    turn.context.outbox.act(Action::Release { association });
                }
                self.serve(turn, id, Serving { since: turn.now, ..serving }, peer);
                true
            }
        }
    }

    /// The session needs no standby any more.
    pub(super) fn drop_standby(&mut self, context: &mut Context, id: SessionId) {
        context.deadlines.clear(&Timer::Standby(id));
        let standby = self.sessions.get_mut(&id).and_then(|session| session.standby_mut());
        match standby.map(core::mem::take) {
            Some(Standby::Connecting(request, _)) => {
                self.attempts.remove(&request);
                context.outbox.act(Action::CancelConnect { request });
            }
            Some(Standby::Ready(Serving { association, .. }, _)) => {
                self.standbys.remove(&association);
                context.outbox.act(Action::Abort { association, cause: AbortCause::User });
            }
            Some(Standby::None) | None => {}
        }
    }

    fn set_standby(&mut self, id: SessionId, standby: Standby) {
        if let Some(place) = self.sessions.get_mut(&id).and_then(|session| session.standby_mut()) {
            *place = standby;
        }
    }
}
