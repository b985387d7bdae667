//! The view that judges have of a world.

use std::time::Duration;

use rserpool_core::base::{Instant, RegistrarId, SctpAddress, SctpPort};
use rserpool_core::handlespace::PeHandle;
use rserpool_core::registrar::{Registrar, RegistrarConfig};

use crate::applications::{Client, Server};
use crate::hosts::{Host, Hosts, Mode, Program};
use crate::id::HostId;
use crate::network::{Network, Sctp};

/// The world as judges see it: they change nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(super) now: Instant,
    pub(super) mode: Mode,
    pub(super) sctp: &'a Sctp,
    hosts: &'a Hosts,
    network: &'a Network,
}

impl<'a> View<'a> {
    pub(crate) const fn new(
        now: Instant,
        mode: Mode,
        sctp: &'a Sctp,
        hosts: &'a Hosts,
        network: &'a Network,
    ) -> Self {
        Self { now, mode, sctp, hosts, network }
    }

    pub(super) fn host(&self, host: HostId) -> &'a Host {
        self.hosts.get(host)
    }

    pub(super) fn hosts(&self) -> impl Iterator<Item = (HostId, &'a Host)> + use<'a> {
        self.hosts.iter()
    }

    pub(super) fn name(&self, host: HostId) -> &'a str {
        self.host(host).name()
    }

    pub(super) fn registrar(&self, host: HostId) -> Option<&'a Registrar> {
        self.hosts.registrar(host)
    }

    pub(super) fn server(&self, host: HostId) -> Option<&'a Server> {
        self.hosts.server(host)
    }

    pub(super) fn client(&self, host: HostId) -> Option<&'a Client> {
        self.hosts.client(host)
    }

    pub(super) fn clients(&self) -> impl Iterator<Item = (HostId, &'a Client)> + use<'a> {
        let hosts = self.hosts;
        hosts.iter().filter_map(|(id, _)| Some((id, hosts.client(id)?)))
    }

    /// The configuration of a registrar, whether it runs or not.
    pub(super) fn registrar_config(&self, host: HostId) -> Option<&'a RegistrarConfig> {
        match self.host(host).program() {
            Program::Registrar(config) => Some(config),
            Program::Element(..) | Program::User(..) | Program::Custom(_) => None,
        }
    }

    /// The registrars that run.
    pub(super) fn running_registrars(&self) -> Vec<HostId> {
        self.hosts().filter(|(id, _)| self.registrar(*id).is_some()).map(|(id, _)| id).collect()
    }

    /// The host on which the registrar with this identifier runs.
    pub(super) fn host_of_registrar(&self, id: RegistrarId) -> Option<HostId> {
        let is_it = |host: &HostId| self.registrar(*host).is_some_and(|registrar| registrar.id() == id);
        self.hosts().map(|(host, _)| host).find(is_it)
    }

    /// The hosts whose element has, or last had, this name.
    pub(super) fn hosts_of_element(&self, pe: &PeHandle) -> Vec<HostId> {
        let is_it = |host: &Host| match host.program() {
            Program::Element(config, _) => host.element() == Some(pe.element) && config.handle == pe.pool,
            Program::Registrar(_) | Program::User(..) | Program::Custom(_) => false,
        };
        self.hosts().filter(|(_, host)| is_it(host)).map(|(id, _)| id).collect()
    }

    /// Where a host serves an SCTP port.
    pub(super) fn service(&self, host: HostId, port: SctpPort) -> SctpAddress {
        self.network.service(host, port)
    }

    /// The longest time that a packet takes.
    pub(super) fn longest_delay(&self) -> Duration {
        self.network.cable().longest()
    }

    /// Whether every packet arrives, if nothing is broken.
    pub(super) fn never_loses(&self) -> bool {
        self.network.cable().loss == 0
    }

    /// Whether packets overtake each other.
    pub(super) fn reorders(&self) -> bool {
        self.network.cable().reordering > 0 || !self.network.cable().jitter.is_zero()
    }

    /// Since when two hosts have been able to work and talk undisturbed; `None` if they cannot.
    pub(crate) fn calm_since(&self, a: HostId, b: HostId) -> Option<Instant> {
        let well = self.host(a).is_well() && self.host(b).is_well();
        let cables = self.network.calm_since(a, b)?;
        well.then(|| cables.max(self.host(a).disturbed()).max(self.host(b).disturbed()))
    }

    /// Since when a registrar has been able to reach an element. That the registrar has just started does not
    /// matter.
    pub(super) fn reach_since(&self, registrar: HostId, element: HostId) -> Option<Instant> {
        let (registrar_host, element_host) = (self.host(registrar), self.host(element));
        let cables = self.network.calm_since(registrar, element)?;
        let well = registrar_host.is_well() && element_host.is_well();
        well.then(|| cables.max(registrar_host.hindered()).max(element_host.disturbed()))
    }

    /// Whether everything that two hosts send each other has arrived in time for longer than this, whatever
    /// became of their processes.
    pub(super) fn cables_calm_for(&self, a: HostId, b: HostId, time: Duration) -> bool {
        self.network.calm_since(a, b).is_some_and(|since| self.now.since(since) > time)
    }

    /// How long associations need after a disturbance.
    pub(super) fn settled(&self) -> Duration {
        self.sctp.heartbeat + self.sctp.max_silence + self.sctp.rto_max
    }

    /// Whether two hosts have been able to work and talk undisturbed for longer than this.
    pub(super) fn calm_for(&self, a: HostId, b: HostId, time: Duration) -> bool {
        self.calm_since(a, b).is_some_and(|since| self.now.since(since) > time)
    }

    /// How long a registrar may list an element that is dead: until its next keep-alive, which is
    /// asked over the association and, should that break meanwhile, over a new one.
    pub(crate) fn patience_with_element(&self, config: &RegistrarConfig) -> Duration {
        config.keep_alive_interval * 3 / 2 + config.keep_alive_timeout * 2 + self.longest_delay() * 4
    }
}
