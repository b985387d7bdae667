//! Elements that are removed, or believe that they were: neither without a reason.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rserpool_core::base::Instant;
use rserpool_core::element::DeregistrationError;
use rserpool_core::handlespace::PeHandle;
use rserpool_core::registrar::{Registrar, RegistrarConfig, RemovalReason};

use super::scope::Scope;
use super::view::View;
use crate::applications::Server;
use crate::id::HostId;
use crate::violation::Violation;

/// The remembered facts about elements.
#[derive(Debug, Default)]
pub(super) struct Removals {
    /// When elements last sent a registration.
    registrations: BTreeMap<HostId, Instant>,
    /// Elements that got another address and have not been registered with it: where they are listed, it is
    /// with the old one. Also registrars whose address is not the one that others are configured with.
    moved: BTreeSet<HostId>,
    /// Hosts that ever got another address.
    movers: BTreeSet<HostId>,
}

impl Removals {
    /// An element has sent a registration.
    pub(super) fn registering(&mut self, now: Instant, host: HostId) {
        self.registrations.insert(host, now);
    }

    /// When elements last sent a registration.
    pub(super) const fn registrations(&self) -> &BTreeMap<HostId, Instant> {
        &self.registrations
    }

    /// An element is registered.
    pub(super) fn registered(&mut self, host: HostId) {
        self.moved.remove(&host);
    }

    /// A host got another address.
    pub(super) fn moved(&mut self, host: HostId) {
        self.moved.insert(host);
        self.movers.insert(host);
    }

    /// Whether a host is at another address than others know.
    pub(super) fn is_elsewhere(&self, host: HostId) -> bool {
        debug_assert!(self.moved.is_subset(&self.movers), "what is elsewhere has moved");
        self.moved.contains(&host)
    }

    /// No element believes that it was removed while its home lists it.
    pub(super) fn judge_expulsion(&self, view: &View<'_>, host: HostId) -> Result<(), Violation> {
        let Some(server) = view.server(host).filter(|server| !server.has_left()) else { return Ok(()) };
        let element = server.element();
        let pe = PeHandle { pool: server.config().handle.clone(), element: element.id() };
        // A removal and a registration may cross; what follows is the answer to the latter.
        let crossing = view.longest_delay() * 2;
        if self.registrations.get(&host).is_some_and(|sent| view.now.since(*sent) <= crossing) {
            return Ok(());
        }
        let lists = |registrar: &Registrar| {
            registrar.id() == element.home() && registrar.handlespace().get(&pe).is_some()
        };
        let mut hosts = view.hosts().map(|(id, _)| id);
        let home = hosts.find(|id| view.registrar(*id).is_some_and(lists));
        let settled = (view.sctp.heartbeat + view.sctp.max_silence) * 2;
        match home.filter(|home| view.calm_for(*home, host, settled)) {
            None => Ok(()),
            Some(home) => {
                let (a, b) = (view.name(host), view.name(home));
                let detail = format!("{a} ({pe}) believes that it was removed, but its home {b} lists it");
                Err(Violation::new("elements know whether they are listed", detail))
            }
        }
    }

    /// No registrar refuses the deregistration of an element that it lists, whoever is its home. From another address
    /// anybody could ask for it: an element that comes back there has to be registered first.
    pub(super) fn judge_refusal(
        &self,
        view: &View<'_>,
        host: HostId,
        outcome: &Result<(), DeregistrationError>,
    ) -> Result<(), Violation> {
        let Err(DeregistrationError::Rejected(_)) = outcome else {
            return Ok(());
        };
        let Some(server) = view.server(host) else { return Ok(()) };
        let pe = PeHandle { pool: server.config().handle.clone(), element: server.element().id() };
        let lists = |registrar: &Registrar| registrar.handlespace().get(&pe).is_some();
        let registrars = view.running_registrars();
        let all_list = registrars.iter().all(|id| view.registrar(*id).is_some_and(lists));
        if !all_list || view.hosts_of_element(&pe).len() > 1 || self.is_elsewhere(host) {
            return Ok(());
        }
        let detail = format!("{} ({pe}), which all registrars list: {outcome:?}", view.name(host));
        Err(Violation::new("any registrar carries a deregistration out", detail))
    }

    /// No registration is lost while its element and the registrar that removes it live and can talk, whatever
    /// users report.
    pub(super) fn judge_removal(
        &self,
        view: &View<'_>,
        scope: &Scope,
        registrar: HostId,
        (pe, reason): (&PeHandle, RemovalReason),
    ) -> Result<(), Violation> {
        let Some(config) = view.registrar_config(registrar) else { return Ok(()) };
        let owners = view.hosts_of_element(pe);
        // Two with one identifier may well replace each other.
        let &[element] = owners.as_slice() else { return Ok(()) };
        // An element that has left answers no former home any more.
        let Some(server) = view.server(element).filter(|server| !server.has_left()) else { return Ok(()) };
        let patience = match reason {
            RemovalReason::Deregistered => None,
            RemovalReason::Silent | RemovalReason::Reported => {
                self.patience_with_silence(view, scope, config, element)
            }
            RemovalReason::Expired => patience_with_age(view, config, registrar, server),
            // A reason that no judge knows yet does not count.
            _ => Some(Duration::ZERO),
        };
        let Some(patience) = patience else { return Ok(()) };
        match view.calm_since(registrar, element).filter(|since| view.now.since(*since) > patience) {
            None => Ok(()),
            Some(since) => {
                let name = view.name(registrar);
                let detail =
                    format!("{name} removed {pe} ({reason}) although both could talk since {since:?}");
                Err(Violation::new("no registration is lost without a reason", detail))
            }
        }
    }

    /// How long an element that was removed for its silence may have been within reach; `None` if it may be
    /// removed at any time.
    fn patience_with_silence(
        &self,
        view: &View<'_>,
        scope: &Scope,
        config: &RegistrarConfig,
        element: HostId,
    ) -> Option<Duration> {
        // No process is left to answer where it was.
        if self.is_elsewhere(element) {
            return None;
        }
        // Registrars that are cut off from this one may be the ones that know where it is.
        if self.movers.contains(&element) && !scope.has_noticed_the_dead(view, config) {
            return None;
        }
        Some(view.settled() + asked(config))
    }
}

/// The same for one whose registration life has ended.
fn patience_with_age(
    view: &View<'_>,
    config: &RegistrarConfig,
    registrar: HostId,
    server: &Server,
) -> Option<Duration> {
    let element = server.config();
    let life = element.life.duration()?;
    if Some(server.element().home()) != view.registrar(registrar).map(Registrar::id) {
        return None;
    }
    let attempts = element.registration_timeout * 4 + element.hunt.timeout_max * 2;
    Some(life + element.reregistration() + view.settled() + asked(config) + attempts)
}

/// How long a registrar may take to ask an element and wait for its answer.
fn asked(config: &RegistrarConfig) -> Duration {
    config.keep_alive_interval * 2 + config.keep_alive_timeout * 2
}
