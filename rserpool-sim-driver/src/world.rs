//! The world: hosts, a network, a clock, and the heap of what is going to happen.

use std::collections::BTreeMap;
use std::time::Duration;

use rserpool_core::base::{AssociationId, Instant, TransportAddress};
use rserpool_core::{element, user};

use crate::app::{Client, Note, Server, Violation};
use crate::association::Association;
use crate::capture::Capture;
use crate::fault::Fault;
use crate::host::{Host, HostId, Process, Program};
use crate::invariants::Books;
use crate::network::{Link, Network, Sctp};
use crate::queue::{Occurrence, Queue};
use crate::random::{Purpose, stream};
use crate::trace::{Trace, TraceMode};

/// The UDP port of every host.
pub const UDP_PORT: u16 = 9899;

/// What a world is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorldConfig {
    /// Where all randomness comes from.
    pub seed: u64,
    /// The links between all hosts.
    pub link: Link,
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
        Self { seed, link: Link::LAN, sctp: Sctp::FAST, trace: TraceMode::Text, notes: true, capture: false }
    }
}

/// A simulated world.
#[derive(Debug)]
pub struct World {
    pub(crate) seed: u64,
    pub(crate) clock: Instant,
    pub(crate) sctp: Sctp,
    pub(crate) network: Network,
    pub(crate) associations: BTreeMap<u64, Association>,
    pub(crate) hosts: Vec<Host>,
    queue: Queue,
    last_association: u64,
    steps: u64,
    pub(crate) trace: Trace,
    pub(crate) notes: Option<Vec<(Instant, HostId, Note)>>,
    pub(crate) books: Books,
    pub(crate) capture: Option<Capture>,
}

impl World {
    /// A world without hosts.
    pub fn new(config: WorldConfig) -> Self {
        Self {
            seed: config.seed,
            clock: Instant::ORIGIN,
            sctp: config.sctp,
            network: Network::new(config.seed, config.link),
            associations: BTreeMap::new(),
            hosts: Vec::new(),
            queue: Queue::default(),
            last_association: 0,
            steps: 0,
            trace: Trace::new(config.trace),
            notes: config.notes.then(Vec::new),
            books: Books::default(),
            capture: config.capture.then(Capture::new),
        }
    }

    /// Adds a host on which `program` starts at once. Seeds, and the addresses of elements and
    /// registrars, are set here.
    pub fn add(&mut self, name: impl Into<String>, program: Program) -> HostId {
        let id = self.add_idle(name, program);
        self.start(id);
        id
    }

    /// Adds a host on which nothing runs until it is started.
    pub fn add_idle(&mut self, name: impl Into<String>, program: Program) -> HostId {
        let id = HostId(self.hosts.len());
        self.network.assign_address(id);
        self.hosts.push(Host {
            name: name.into(),
            program,
            process: None,
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
        self.books.violation.as_ref()
    }

    /// The capture, if one is made, as the content of a pcapng file.
    pub fn take_capture(&mut self) -> Option<Vec<u8>> {
        self.capture.take().map(Capture::finish)
    }

    // Acting

    /// Lets time pass. Stops early, and for good, at the first violation of an invariant.
    pub fn run_for(&mut self, duration: Duration) {
        self.run_until(self.clock + duration);
    }

    /// Lets time pass until `end`.
    pub fn run_until(&mut self, end: Instant) {
        while self.books.violation.is_none() {
            let Some((at, occurrence)) = self.queue.pop_until(end) else {
                self.clock = self.clock.max(end);
                return;
            };
            self.clock = at;
            self.steps += 1;
            self.happen(occurrence);
        }
    }

    /// Makes something happen at a time to come.
    pub fn at(&mut self, time: Instant, fault: Fault) {
        self.schedule(time.max(self.clock), Occurrence::Fault(fault));
    }

    /// Gives the element on a host a command.
    pub fn element_command(&mut self, host: HostId, command: element::Command) {
        let now = self.clock;
        if let Some(process) = &mut self.host_mut(host).process {
            process.element_command(now, command);
            self.drain(host);
        }
    }

    /// Gives the user on a host a command.
    pub fn user_command(&mut self, host: HostId, command: user::Command) {
        let now = self.clock;
        if let Some(process) = &mut self.host_mut(host).process {
            process.user_command(now, command);
            self.drain(host);
        }
    }

    /// Lets the user on a host ask for its pool.
    pub fn resolve(&mut self, host: HostId) {
        let now = self.clock;
        if let Some(Process::User(client)) = &mut self.host_mut(host).process {
            client.resolve(now);
            self.drain(host);
        }
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
        AssociationId(host.last_association)
    }

    fn happen(&mut self, occurrence: Occurrence) {
        match occurrence {
            Occurrence::Wake { host, life } => self.wake(host, life),
            Occurrence::Ready { host, life } => self.ready(host, life),
            Occurrence::Input { host, life, event } => {
                if self.host(host).life == life {
                    self.input(host, event);
                }
            }
            Occurrence::Handshake { host, life, request, step } => self.handshake(host, life, request, step),
            Occurrence::Arrive { key, side, item } => self.arrive(key, side, item),
            Occurrence::Abort { key, side } => self.abort_arrives(key, side),
            Occurrence::Flush { key, side } => self.flush(key, side),
            Occurrence::Silence { key, side } => self.silence(key, side),
            Occurrence::GiveUp { key, side } => self.give_up(key, side),
            Occurrence::Orphan { key, side, once } => self.orphan(key, side, once),
            Occurrence::CloseDeadline { key, side } => self.close_deadline(key, side),
            Occurrence::Fault(fault) => self.apply(fault),
        }
    }
}
