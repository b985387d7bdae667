//! Failovers: only so many in a time.

use std::collections::{BTreeMap, VecDeque};

use rserpool_core::base::Instant;
use rserpool_core::user::{FailureReason, SessionId};

use super::view::View;
use crate::hosts::Program;
use crate::id::HostId;
use crate::violation::Violation;

/// Failovers are counted in so many times the interval in which a session tries again.
const INTERVALS: u32 = 10;

/// The failovers of each session of late.
#[derive(Debug, Default)]
pub(super) struct Failovers(BTreeMap<(HostId, u32, SessionId), VecDeque<Instant>>);

impl Failovers {
    /// The element of a session counts as failed. Within some intervals, a session may try every element of
    /// its pool at once, and then one in each interval.
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
        let recent = self.0.entry((user, view.host(user).life(), session)).or_default();
        recent.push_back(view.now);
        while recent.front().is_some_and(|at| view.now.since(*at) > window) {
            recent.pop_front();
        }
        if recent.len() <= most {
            return Ok(());
        }
        let detail = format!(
            "{session:?} of {} failed over {} times in {window:?}, {most} at most ({reason})",
            view.name(user),
            recent.len(),
        );
        Err(Violation::new("failovers are bounded by time", detail))
    }
}
