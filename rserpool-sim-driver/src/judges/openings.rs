//! Sessions that are opened while no registrar is there: what the user knows is used (reading B62).

use std::collections::BTreeMap;

use rserpool_core::base::{ElementId, Instant};
use rserpool_core::handlespace::PeHandle;
use rserpool_core::user::{Answer, UserError};

use super::scope::Scope;
use super::view::View;
use crate::applications::{Client, Server};
use crate::id::HostId;
use crate::violation::Violation;

/// What users have in their caches, in one life of the process: an element by which they were served, and when they
/// opened that session.
#[derive(Debug, Default)]
pub(super) struct Openings(BTreeMap<(HostId, u32), (Instant, ElementId)>);

impl Openings {
    /// A user was told to forget what it knows.
    pub(super) fn purged(&mut self, user: HostId) {
        self.0.retain(|(other, _), _| *other != user);
    }

    /// A command of a user has ended. A session opens if no registrar is there, the user knows an element of the pool,
    /// and all that it may know have been well ever since.
    pub(super) fn judge(
        &mut self,
        view: &View<'_>,
        scope: &Scope,
        user: HostId,
        answer: &Answer,
    ) -> Result<(), Violation> {
        let place = (user, view.host(user).life());
        let Some(client) = view.client(user) else { return Ok(()) };
        let error = match answer {
            Answer::Opened(Ok(opened)) => {
                self.0.insert(place, (view.now, opened.element));
                return Ok(());
            }
            // The pool was empty at a registrar.
            Answer::Opened(Err(UserError::UnknownPool)) | Answer::Resolved(Err(UserError::UnknownPool)) => {
                self.0.remove(&place);
                return Ok(());
            }
            Answer::Opened(Err(error @ (UserError::NoRegistrar { .. } | UserError::NoElement))) => error,
            _ => return Ok(()),
        };
        let Some((known, element)) = self.0.get(&place).copied() else { return Ok(()) };
        // One round in vain comes first.
        let config = client.config();
        let vain = config.request_timeout * (config.max_request_retransmits + 1) + config.hunt.timeout;
        let deserted = scope.deserted_since(view).is_some_and(|since| view.now.since(since) > vain);
        if !deserted || !serves(view, client, user, element, known) {
            return Ok(());
        }
        let detail = format!(
            "{} could not open a session ({error}), although it has known element {element:?} since {known:?}",
            view.name(user),
        );
        Err(Violation::new("a session opens with what is known when no registrar is there", detail))
    }
}

/// Whether all elements of the pool of a user have been well since it was served by this one.
fn serves(view: &View<'_>, client: &Client, user: HostId, element: ElementId, known: Instant) -> bool {
    let pool = &client.load().pool;
    let pe = PeHandle { pool: pool.clone(), element };
    let servers: Vec<(HostId, &Server)> =
        view.hosts().filter_map(|(host, _)| Some((host, view.server(host)?))).collect();
    let of_pool = servers.iter().filter(|(_, server)| server.config().handle == *pool);
    view.hosts_of_element(&pe).len() == 1
        && of_pool.clone().any(|(_, server)| server.element().id() == element)
        && of_pool.clone().all(|(host, server)| {
            let calm = view.calm_since(user, *host).is_some_and(|since| since < known);
            calm && !server.has_left() && !server.turns_away()
        })
}
