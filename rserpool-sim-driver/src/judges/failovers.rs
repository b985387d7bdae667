//! Failovers: only so many in a time, but those of sessions that get on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rserpool_core::base::Instant;
use rserpool_core::user::{FailureReason, SessionId};

use super::view::View;
use crate::hosts::Program;
use crate::id::HostId;
use crate::violation::Violation;

/// Failovers are counted in so many times the interval in which a session tries again.
const INTERVALS: u32 = 10;

/// A session of a user, in one life of its process.
type Session = (HostId, u32, SessionId);

#[derive(Debug, Default)]
pub(super) struct Failovers {
    /// The failovers of each session of late.
    recent: BTreeMap<Session, VecDeque<Instant>>,
    /// The sessions that have heard of an element since their last failover.
    getting_on: BTreeSet<Session>,
}

impl Failovers {
    /// An element has sent something over a session.
    pub(super) fn received(&mut self, view: &View<'_>, user: HostId, session: SessionId) {
        self.getting_on.insert((user, view.host(user).life(), session));
    }

    /// The element of a session counts as failed. Within some intervals, a session may try every element of
    /// its pool at once, and then one in each interval. Whoever has answered in the meantime does not count: each
    /// server may well die of the next request but a few.
    pub(super) fn judge(
        &mut self,
        view: &View<'_>,
        user: HostId,
        session: SessionId,
        reason: &FailureReason,
    ) -> Result<(), Violation> {
        let Some(client) = view.client(user).filter(|_| *reason != FailureReason::Asked) else {
            return Ok(());
        };
        let window = client.config().retry_interval * INTERVALS;
        let pool = &client.load().pool;
        let elements = view.hosts().filter(|(_, host)| match host.program() {
            Program::Element(config, _) => config.handle == *pool,
            Program::Registrar(_) | Program::User(..) | Program::Custom(_) => false,
        });
        let most = elements.count() + INTERVALS as usize + 2;
        let session = (user, view.host(user).life(), session);
        if self.getting_on.remove(&session) {
            return Ok(());
        }
        let recent = self.recent.entry(session).or_default();
        recent.push_back(view.now);
        while recent.front().is_some_and(|at| view.now.since(*at) > window) {
            recent.pop_front();
        }
        if recent.len() <= most {
            return Ok(());
        }
        let detail = format!(
            "{:?} of {} failed over {} times in {window:?}, {most} at most ({reason})",
            session.2,
            view.name(user),
            recent.len(),
        );
        Err(Violation::new("failovers are bounded by time", detail))
    }
}
