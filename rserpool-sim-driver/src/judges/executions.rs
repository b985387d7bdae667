//! Requests that servers execute: each once, while its server lives and can be reached.

use std::collections::BTreeMap;
use std::time::Duration;

use rserpool_core::base::{AssociationId, Instant};
use rserpool_core::user::RequestId;

use super::view::View;
use crate::id::HostId;
use crate::violation::Violation;

/// The longest time for which a request may have been on its way when its user was told to move.
const ON_ITS_WAY: Duration = Duration::from_secs(60);

/// A request: of which host, in which life of its process, and its number there.
type Request = (HostId, u32, RequestId);

/// What has been executed so far.
#[derive(Debug, Default)]
pub(super) struct Executions {
    executed: BTreeMap<Request, Vec<Execution>>,
    /// When users were last told to move their sessions.
    told_to_move: BTreeMap<HostId, Instant>,
}

#[derive(Debug)]
struct Execution {
    server: HostId,
    /// The life of the process that executed it.
    life: u32,
    at: Instant,
}

impl Executions {
    /// A user was told to move its sessions to other elements.
    pub(super) fn told_to_move(&mut self, now: Instant, user: HostId) {
        self.told_to_move.insert(user, now);
    }

    /// A server was handed a request. It may have been executed before only if that server has died since,
    /// or could not be reached, or turns users away.
    pub(super) fn judge(
        &mut self,
        view: &View<'_>,
        server: HostId,
        session: AssociationId,
        number: RequestId,
    ) -> Result<(), Violation> {
        let Some(user) = view.host(server).peer(session) else { return Ok(()) };
        let earlier = self.executed.entry((user, view.host(user).life(), number)).or_default();
        let told = self.told_to_move.get(&user);
        let needless = earlier.iter().find(|execution| {
            let lives = view.host(execution.server).life() == execution.life;
            let calm = view.calm_since(user, execution.server);
            // What was sent before it could not be reached may wait for it.
            let sent_later = view.calm_since(user, server).is_some_and(|since| since < execution.at);
            lives
                && sent_later
                && calm
                    .is_some_and(|since| since < execution.at && execution.at.since(since) > view.settled())
                && told.is_none_or(|told| execution.at.since(*told) > ON_ITS_WAY)
                && view.server(execution.server).is_some_and(|server| !server.turns_away())
        });
        let verdict = needless.map_or(Ok(()), |execution| {
            let (a, b) = (view.name(execution.server), view.name(server));
            let detail = format!(
                "{a} executed {number:?} of {} at {:?}, and now {b} does, though {a} lives and can be reached",
                view.name(user),
                execution.at,
            );
            Err(Violation::new("a request is executed once while its server lives", detail))
        });
        earlier.push(Execution { server, life: view.host(server).life(), at: view.now });
        verdict
    }
}
