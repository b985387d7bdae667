//! Hosts with the fast presets, for tests that want a world in a few lines.

use rserpool_core::base::{ASAP_PORT, ENRP_PORT, SctpAddress};
use rserpool_core::element::ElementConfig;
use rserpool_core::registrar::RegistrarConfig;
use rserpool_core::user::UserConfig;

use super::World;
use crate::applications::{Load, Service};
use crate::hosts::Program;
use crate::id::{ELEMENT_PORT, HostId};

impl World {
    /// Adds a registrar.
    pub fn fast_registrar(&mut self, name: &str) -> HostId {
        self.add(name, fast_program())
    }

    /// Adds registrars "r1" to "rn" that are all configured to know each other.
    pub fn fast_registrars(&mut self, n: usize) -> Vec<HostId> {
        let registrars = self.idle_registrars(n);
        for registrar in &registrars {
            self.start(*registrar);
        }
        registrars
    }

    /// The same, not started yet.
    pub fn idle_registrars(&mut self, n: usize) -> Vec<HostId> {
        let add = |n| self.add_idle(format!("r{n}"), fast_program());
        let registrars: Vec<HostId> = (1..=n).map(add).collect();
        for registrar in &registrars {
            let others: Vec<HostId> = registrars.iter().copied().filter(|other| other != registrar).collect();
            self.introduce(*registrar, &others);
        }
        registrars
    }

    /// Adds a registrar that is configured to know these, in this order.
    pub fn fast_peer(&mut self, name: &str, peers: &[HostId]) -> HostId {
        let registrar = self.add_idle(name, fast_program());
        self.introduce(registrar, peers);
        self.start(registrar);
        registrar
    }

    /// Configures which peers a registrar knows from its next start on.
    pub fn introduce(&mut self, registrar: HostId, peers: &[HostId]) {
        let addresses = peers.iter().map(|peer| self.address(*peer, ENRP_PORT)).collect();
        self.configure_registrar(registrar, |config| config.enrp.peers = addresses);
    }

    /// Changes the configuration of a registrar from its next start on.
    pub fn configure_registrar(&mut self, registrar: HostId, change: impl FnOnce(&mut RegistrarConfig)) {
        self.hosts.get_mut(registrar).configure_registrar(change);
    }

    /// Adds an element that knows these registrars.
    pub fn fast_element(&mut self, name: &str, pool: &str, registrars: &[HostId]) -> HostId {
        let config = self.element_config(pool, registrars);
        self.add(name, Program::Element(config, Service::default()))
    }

    /// Adds a user with one session, ten requests a second, that knows these registrars.
    pub fn fast_user(&mut self, name: &str, pool: &str, registrars: &[HostId]) -> HostId {
        let config = self.user_config(registrars);
        self.add(name, Program::User(config, Load::light(pool.into())))
    }

    /// The configuration of [`World::fast_element`].
    pub fn element_config(&self, pool: &str, registrars: &[HostId]) -> ElementConfig {
        let mut config = ElementConfig::fast(pool.into(), 0);
        config.port = ELEMENT_PORT;
        config.hunt.registrars = self.asap_addresses(registrars);
        config
    }

    /// The configuration of [`World::fast_user`].
    pub fn user_config(&self, registrars: &[HostId]) -> UserConfig {
        let mut config = UserConfig::fast(0);
        config.hunt.registrars = self.asap_addresses(registrars);
        config
    }

    /// Where registrars serve ASAP.
    pub fn asap_addresses<A: From<SctpAddress>>(&self, registrars: &[HostId]) -> Vec<A> {
        registrars.iter().map(|registrar| self.address(*registrar, ASAP_PORT).into()).collect()
    }
}

/// A registrar without peers; hosts set its seed and its addresses.
fn fast_program() -> Program {
    Program::Registrar(RegistrarConfig::fast(None, 0))
}
