//! Elements that users give up: only with a reason.

use rserpool_core::base::ElementId;
use rserpool_core::handlespace::PeHandle;
use rserpool_core::user::FailureReason;

use super::view::View;
use crate::id::HostId;
use crate::violation::Violation;

/// The remembered facts about users.
#[derive(Debug, Default)]
pub(super) struct Failures {
    /// A user was told to report elements that may be well.
    told_to_report: bool,
}

impl Failures {
    /// A user was told to report its elements.
    pub(super) const fn told_to_report(&mut self) {
        self.told_to_report = true;
    }

    /// Whether users may have reported elements that are well: they were told to.
    pub(super) const fn may_be_false(&self) -> bool {
        self.told_to_report
    }

    /// No element counts as failed while it works and can be reached.
    pub(super) fn judge(
        view: &View<'_>,
        user: HostId,
        element: ElementId,
        reason: &FailureReason,
    ) -> Result<(), Violation> {
        let Some(client) = view.client(user) else { return Ok(()) };
        let pool = &client.load().pool;
        let serving = view.hosts_of_element(&PeHandle { pool: pool.clone(), element });
        let &[server] = serving.as_slice() else { return Ok(()) };
        let settled = (view.sctp.heartbeat + view.sctp.max_silence) * 2;
        let since = view.calm_since(user, server).filter(|_| *reason != FailureReason::Asked);
        match since.filter(|since| view.now.since(*since) > settled) {
            None => Ok(()),
            Some(since) => {
                let (a, b) = (view.name(user), view.name(server));
                let detail = format!("{a} gave {b} up ({reason}) although they could talk since {since:?}");
                Err(Violation::new("no element is given up without a reason", detail))
            }
        }
    }
}
