//! The world: hosts, a network, a clock, and the heap of what is going to happen.

mod datagrams;
mod faults;
mod presets;
mod processes;
mod queue;
mod steps;

pub(crate) use queue::{Occurrence, Queue};

use std::collections::BTreeMap;
use std::time::Duration;

use rserpool_core::base::{AssociationId, Instant, TransportAddress};

use crate::applications::{Client, Note, Server, Violation};
use crate::hosts::Host;
use crate::hosts::{Process, Program};
use crate::id::{HostId, UDP_PORT};
use crate::judges::History;
use crate::network::Association;
use crate::network::{Cable, Network, Sctp};
use crate::random::{Purpose, stream};
use crate::record::Capture;
use crate::record::{Trace, TraceMode};

/// How endpoints talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Encoded messages over modelled associations: fast.
    Messages,
    /// Whole nodes, whose SCTP stacks send packets.
    Packets,
}

/// What a world is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorldConfig {
    /// How endpoints talk.
    pub mode: Mode,
    /// Where all randomness comes from.
    pub seed: u64,
    /// The cables between all hosts.
    pub cable: Cable,
    /// The timers of the modelled SCTP.
    pub sctp: Sctp,
    /// How much of the trace is kept.
    pub trace: TraceMode,
    /// Whether every notice is kept for [`World::notes`].
    pub notes: bool,
    /// Whether every message is kept for [`World::take_capture`].
    pub capture: bool,
}

impl WorldConfig {
    /// A LAN with the fast timers of SCTP; notes and the whole trace are kept.
    pub const fn lan(seed: u64) -> Self {
        let (mode, cable, sctp, trace) = (Mode::Messages, Cable::LAN, Sctp::FAST, TraceMode::Text);
        Self { mode, seed, cable, sctp, trace, notes: true, capture: false }
    }

    /// The same LAN with whole nodes and real packets.
    pub const fn packets(seed: u64) -> Self {
        Self { mode: Mode::Packets, ..Self::lan(seed) }
    }
}

/// A simulated world.
#[derive(Debug)]
pub struct World {
    pub(crate) mode: Mode,
    pub(crate) seed: u64,
    pub(crate) clock: Instant,
    pub(crate) sctp: Sctp,
    pub(crate) network: Network,
    pub(crate) associations: BTreeMap<u64, Association>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) queue: Queue,
    last_association: u64,
    pub(crate) steps: u64,
    pub(crate) trace: Trace,
    pub(crate) notes: Option<Vec<(Instant, HostId, Note)>>,
    pub(crate) history: History,
    pub(crate) capture: Option<Capture>,
}

impl World {
    /// A world without hosts.
    pub fn new(config: WorldConfig) -> Self {
        Self {
            mode: config.mode,
            seed: config.seed,
            clock: Instant::ORIGIN,
            sctp: config.sctp,
            network: Network::new(config.seed, config.cable),
            associations: BTreeMap::new(),
            hosts: Vec::new(),
            queue: Queue::default(),
            last_association: 0,
            steps: 0,
            trace: Trace::new(config.trace),
            notes: config.notes.then(Vec::new),
            history: History::default(),
            capture: config.capture.then(Capture::new),
        }
    }

    /// Adds a host on which nothing runs until it is started.
    pub fn add_idle(&mut self, name: impl Into<String>, program: Program) -> HostId {
        let id = HostId(self.hosts.len());
        self.network.assign_address(id);
        self.hosts.push(Host {
            name: name.into(),
            program,
            body: None,
            life: 0,
            element: None,
            paused: false,
            stopping: false,
            slowness: Duration::ZERO,
            ready: Instant::ORIGIN,
            inbox: Default::default(),
            wake: None,
            disturbed: self.clock,
            died: None,
            last_association: 0,
            last_port: 49_151,
            multicast: true,
            random: stream(self.seed, id, Purpose::Host),
            peers: BTreeMap::new(),
            attempts: BTreeMap::new(),
            known: BTreeMap::new(),
            paths: BTreeMap::new(),
            involved: Default::default(),
        });
        id
    }

    // Looking

    /// The present time.
    pub const fn now(&self) -> Instant {
        self.clock
    }

    /// How many things have happened.
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// A host.
    ///
    /// # Panics
    /// If it belongs to another world.
    pub fn host(&self, host: HostId) -> &Host {
        &self.hosts[host.0]
    }

    /// All hosts.
    pub fn hosts(&self) -> impl Iterator<Item = (HostId, &Host)> {
        self.hosts.iter().enumerate().map(|(n, host)| (HostId(n), host))
    }

    /// The registrar that runs on a host.
    pub fn registrar(&self, host: HostId) -> Option<&rserpool_core::registrar::Registrar> {
        match self.host(host).process() {
            Some(Process::Registrar(registrar)) => Some(registrar),
            _ => None,
        }
    }

    /// The element that runs on a host, with its application.
    pub fn server(&self, host: HostId) -> Option<&Server> {
        match self.host(host).process() {
            Some(Process::Element(server)) => Some(server),
            _ => None,
        }
    }

    /// The user that runs on a host, with its application.
    pub fn client(&self, host: HostId) -> Option<&Client> {
        match self.host(host).process() {
            Some(Process::User(client)) => Some(client),
            _ => None,
        }
    }

    /// The endpoint of somebody's own that runs on a host, if it is an `E`.
    pub fn custom<E: 'static>(&self, host: HostId) -> Option<&E> {
        match self.host(host).process() {
            Some(Process::Custom(machinery)) => machinery.0.as_any().downcast_ref(),
            _ => None,
        }
    }

    /// Where a host serves `port`, as others must be told.
    pub fn address(&self, host: HostId, port: u16) -> TransportAddress {
        TransportAddress::new(self.network.address(host), port, UDP_PORT)
    }

    /// Every notice so far, if they are kept.
    pub fn notes(&self) -> &[(Instant, HostId, Note)] {
        self.notes.as_deref().unwrap_or_default()
    }

    /// What has happened so far.
    pub const fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The first violation of an invariant.
    pub const fn violation(&self) -> Option<&Violation> {
        self.history.violation.as_ref()
    }

    /// The capture, if one is made, as the content of a pcapng file.
    pub fn take_capture(&mut self) -> Option<Vec<u8>> {
        self.capture.take().map(Capture::finish)
    }

    // The machinery

    pub(crate) fn host_mut(&mut self, host: HostId) -> &mut Host {
        &mut self.hosts[host.0]
    }

    pub(crate) fn schedule(&mut self, at: Instant, occurrence: Occurrence) {
        self.queue.push(at, occurrence);
    }

    pub(crate) fn next_association(&mut self) -> u64 {
        self.last_association += 1;
        self.last_association
    }

    pub(crate) fn name_association(&mut self, host: HostId) -> AssociationId {
        let host = self.host_mut(host);
        host.last_association += 1;
        AssociationId::sctp(host.last_association)
    }
}
