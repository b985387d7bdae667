//! What registrars tell users: no dead elements, and no pool unknown that another registrar knows.

use std::time::Duration;

use rserpool_core::base::{ElementId, Instant, PoolHandle};
use rserpool_core::handlespace::PeHandle;
use rserpool_core::registrar::RegistrarConfig;

use super::scope::{Scope, settles_within};
use super::view::View;
use crate::hosts::Program;
use crate::id::HostId;
use crate::violation::Violation;

/// A registrar has selected these elements: none may have been dead for longer than its keep-alives explain.
pub(super) fn selected(
    view: &View<'_>,
    scope: &Scope,
    host: HostId,
    pool: &PoolHandle,
    elements: impl Iterator<Item = ElementId>,
) -> Result<(), Violation> {
    let Some(config) = view.registrar_config(host) else { return Ok(()) };
    for element in elements {
        let Some((dead, patience)) = dead_for(view, scope, host, config, (pool, element)) else { continue };
        if dead > patience {
            let name = view.name(host);
            let detail =
                format!("{name} selects {pool}/{element}, dead for {dead:?}, more than {patience:?}");
            return Err(Violation::new("no selection of an element that is long dead", detail));
        }
    }
    Ok(())
}

/// How long an element has been dead, and how long a registrar may fail to notice; `None` if it lives, or if
/// nothing can be said.
fn dead_for(
    view: &View<'_>,
    scope: &Scope,
    registrar: HostId,
    config: &RegistrarConfig,
    (pool, element): (&PoolHandle, ElementId),
) -> Option<(Duration, Duration)> {
    let mut died: Option<Instant> = None;
    for (_, host) in view.hosts() {
        let Program::Element(program, _) = host.program() else { continue };
        let same = host.element() == Some(element) && program.handle == *pool;
        if same && host.process().is_some() {
            return None;
        }
        if same && let Some(when) = host.died() {
            died = died.max(Some(when.max(view.host(registrar).disturbed())));
        }
    }
    let died = died.filter(|_| view.host(registrar).is_well())?;
    // It learns of other registrars' elements from those registrars, or when it has taken them over.
    let registrars = view.hosts().filter(|(_, host)| matches!(host.program(), Program::Registrar(_)));
    let patience = view.patience_with_element(config);
    Some(match registrars.count() {
        1 => (view.now.since(died), patience),
        _ => {
            let died = died.max(scope.calm_since(view)?);
            (view.now.since(died), settles_within(view.sctp, config) + patience)
        }
    })
}

/// A registrar has said that it does not know a pool: then no registrar of its scope may know it.
pub(super) fn unknown_pool(
    view: &View<'_>,
    scope: &Scope,
    host: HostId,
    pool: &PoolHandle,
    false_reports: bool,
) -> Result<(), Violation> {
    let Some(config) = view.registrar_config(host) else { return Ok(()) };
    let lacks_pools = config.limits.pools < RegistrarConfig::rfc(None, 0).limits.pools;
    if false_reports || lacks_pools || !scope.has_noticed_the_dead(view, config) {
        return Ok(());
    }
    let settled = settles_within(view.sctp, config) + view.patience_with_element(config);
    let calm = |a: HostId, b: HostId| view.calm_for(a, b, settled);
    let users: Vec<HostId> = view.clients().map(|(id, _)| id).collect();
    let running = view.running_registrars();
    let mut others = scope.around(view, host).into_iter();
    let elsewhere = others.find_map(|other| view.registrar(other)?.handlespace().pool(pool));
    let Some(elsewhere) = elsewhere.filter(|elements| !elements.is_empty()) else { return Ok(()) };
    let element = view.hosts().find(|(element, _)| {
        view.server(*element).is_some_and(|server| {
            let registered = server.element().is_registered() && !server.has_left();
            let pe = PeHandle { pool: pool.clone(), element: server.element().id() };
            registered
                // Two with one identifier expel each other.
                && view.hosts_of_element(&pe).len() == 1
                && server.config().handle == *pool
                && elsewhere.get(server.element().id()).is_some()
                && running.iter().all(|r| calm(*r, *element))
                // Users that could not reach it have reported it.
                && users.iter().all(|u| calm(*u, *element))
        })
    });
    match element {
        None => Ok(()),
        Some((_, element)) => {
            let detail = format!("{} does not know {pool}, in which {} is", view.name(host), element.name());
            Err(Violation::new("users resolve what reachable registrars know", detail))
        }
    }
}
