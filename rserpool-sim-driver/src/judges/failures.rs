//! Elements that users give up: only with a reason.

use rserpool_core::base::ElementId;
use rserpool_core::handlespace::PeHandle;
use rserpool_core::user::FailureReason;

use super::view::View;
use crate::applications::{Client, Server};
use crate::hosts::Mode;
use crate::id::HostId;
use crate::violation::Violation;

/// The remembered facts about users.
#[derive(Debug, Default)]
pub(super) struct Failures {
    /// A user was told to report or to give up elements that may be well.
    told_to_report: bool,
}

impl Failures {
    /// A user was told to report or to give up its elements.
    pub(super) const fn told_to_report(&mut self) {
        self.told_to_report = true;
    }

    /// Whether users may have reported elements that are well: they were told to, or are impatient.
    pub(super) fn may_be_false(&self, view: &View<'_>) -> bool {
        self.told_to_report || view.clients().any(|(_, client)| is_crowded(view, client))
    }

    /// No element counts as failed while it works and can be reached.
    pub(super) fn judge(
        view: &View<'_>,
        user: HostId,
        element: ElementId,
        reason: &FailureReason,
    ) -> Result<(), Violation> {
        let Some(client) = view.client(user) else { return Ok(()) };
        if is_crowded(view, client) && *reason == FailureReason::Unanswered {
            return Ok(());
        }
        let (pool, config) = (&client.load().pool, client.config());
        let serving = view.hosts_of_element(&PeHandle { pool: pool.clone(), element });
        let &[server] = serving.as_slice() else { return Ok(()) };
        if *reason != FailureReason::Unanswered && view.server(server).is_some_and(Server::turns_away) {
            return Ok(());
        }
        let settled = (view.sctp.heartbeat + view.sctp.max_silence) * 2 + config.response_timeout * 2;
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

/// Whether the requests of a user may come to wait for each other so long that they count as
/// unanswered: real flow control does that to long ones.
fn is_crowded(view: &View<'_>, client: &Client) -> bool {
    view.mode == Mode::Packets && client.load().octets > 1400
}
