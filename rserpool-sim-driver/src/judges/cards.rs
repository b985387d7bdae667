//! Business cards: a session moves to the element that the latest one prefers (RFC 5352 section 3.9).

use std::collections::BTreeMap;

use rserpool_core::base::{ElementId, Instant, PoolHandle};
use rserpool_core::handlespace::PeHandle;
use rserpool_core::user::SessionId;

use super::view::View;
use crate::id::HostId;
use crate::violation::Violation;

/// A session of a user, in one life of its process.
type Session = (HostId, u32, SessionId);

/// What users have been told by business cards.
#[derive(Debug, Default)]
pub(super) struct Cards {
    /// The latest card of each session: when it came, and its elements that have not failed since in this session.
    latest: BTreeMap<Session, (Instant, Vec<ElementId>)>,
    /// When an element failed last for any session of a user.
    failed: BTreeMap<(HostId, ElementId), Instant>,
}

impl Cards {
    /// A session of a user has got a card.
    pub(super) fn kept(
        &mut self,
        view: &View<'_>,
        user: HostId,
        session: SessionId,
        pool: &PoolHandle,
        elements: impl Iterator<Item = ElementId>,
    ) {
        let ours = view.client(user).is_some_and(|client| client.load().pool == *pool);
        let elements = elements.filter(|_| ours).collect();
        self.latest.insert((user, view.host(user).life(), session), (view.now, elements));
    }

    /// A session has ended, and its card with it.
    pub(super) fn closed(&mut self, view: &View<'_>, user: HostId, session: SessionId) {
        self.latest.remove(&(user, view.host(user).life(), session));
    }

    /// A session has left its element.
    pub(super) fn failed(&mut self, view: &View<'_>, user: HostId, session: SessionId, element: ElementId) {
        self.failed.insert((user, element), view.now);
        if let Some((_, elements)) = self.latest.get_mut(&(user, view.host(user).life(), session)) {
            elements.retain(|other| *other != element);
        }
    }

    /// A session has moved: to the preferred element, if that has been well all the time.
    pub(super) fn moved(
        &self,
        view: &View<'_>,
        user: HostId,
        session: SessionId,
        to: ElementId,
    ) -> Result<(), Violation> {
        let session = (user, view.host(user).life(), session);
        let Some((since, elements)) = self.latest.get(&session) else { return Ok(()) };
        let Some(&preferred) = elements.first().filter(|preferred| **preferred != to) else { return Ok(()) };
        if !self.is_well(view, user, preferred, *since) {
            return Ok(());
        }
        let detail = format!(
            "{:?} of {} moved to {to}, although its card of {since:?} prefers {preferred}",
            session.2,
            view.name(user),
        );
        Err(Violation::new("a session moves to the element that its card prefers", detail))
    }

    /// Whether an element has been able to serve a user since then, and for so long before that no attempt can have
    /// failed; and whether attempts are so fast that no other one begins beside them.
    fn is_well(&self, view: &View<'_>, user: HostId, element: ElementId, since: Instant) -> bool {
        let Some(client) = view.client(user) else { return false };
        let pe = PeHandle { pool: client.load().pool.clone(), element };
        let [host] = view.hosts_of_element(&pe)[..] else { return false };
        let excluded = self
            .failed
            .get(&(user, element))
            .is_some_and(|failed| view.now.since(*failed) <= client.config().exclusion);
        let fast = view.never_loses() && view.longest_delay() * 5 < client.config().connect_stagger;
        let calm = view.calm_since(user, host).is_some_and(|calm| {
            calm < since && since.since(calm) > client.config().exclusion + view.settled()
        });
        let serves = view.server(host).is_some_and(|server| !server.turns_away() && !server.has_left());
        serves && calm && fast && !excluded
    }
}
