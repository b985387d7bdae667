//! The hosts of a world and what runs on them: programs, and the processes that they become.

mod actor;
mod body;
pub mod custom_endpoint;
mod host;
mod peer_message;
mod process;
mod program;

pub use body::Mode;
pub(crate) use body::{Input, Output};
pub use custom_endpoint::{Custom, Startup};
pub use host::Host;
pub(crate) use host::{Conditions, Handed, Woken};
pub use process::{CustomProcess, Process};
pub(crate) use process::{Report, Wish};
pub use program::Program;

use rserpool_core::base::Instant;
use rserpool_core::registrar::Registrar;

use crate::applications::{Client, Server};
use crate::id::HostId;

/// All hosts of a world.
#[derive(Debug)]
pub(crate) struct Hosts {
    seed: u64,
    hosts: Vec<Host>,
}

impl Hosts {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed, hosts: Vec::new() }
    }

    /// Adds a host on which nothing runs.
    pub(crate) fn add(&mut self, now: Instant, name: String, program: Program) -> HostId {
        let id = HostId(self.hosts.len());
        self.hosts.push(Host::new(id, self.seed, now, name, program));
        id
    }

    /// # Panics
    /// If the host belongs to another world.
    pub(crate) fn get(&self, host: HostId) -> &Host {
        &self.hosts[host.0]
    }

    pub(crate) fn get_mut(&mut self, host: HostId) -> &mut Host {
        &mut self.hosts[host.0]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (HostId, &Host)> {
        self.hosts.iter().enumerate().map(|(n, host)| (HostId(n), host))
    }

    /// The registrar that runs on a host.
    pub(crate) fn registrar(&self, host: HostId) -> Option<&Registrar> {
        match self.get(host).process() {
            Some(Process::Registrar(registrar)) => Some(registrar),
            _ => None,
        }
    }

    /// The element that runs on a host, with its application.
    pub(crate) fn server(&self, host: HostId) -> Option<&Server> {
        match self.get(host).process() {
            Some(Process::Element(server)) => Some(server),
            _ => None,
        }
    }

    /// The user that runs on a host, with its application.
    pub(crate) fn client(&self, host: HostId) -> Option<&Client> {
        match self.get(host).process() {
            Some(Process::User(client)) => Some(client),
            _ => None,
        }
    }
}
