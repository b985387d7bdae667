//! The world: hosts, a network, a clock, and the heap of what is going to happen.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use rserpool_core::base::{AssociationId, ConnectId, Instant, TransportAddress};
use rserpool_core::endpoint::Event;
use rserpool_core::{element, user};

use crate::app::{Client, Note, Server, Violation};
use crate::association::{Association, Item, Side};
use crate::capture::Capture;
use crate::fault::Fault;
use crate::host::{Host, HostId, Process, Program};
use crate::invariants::Books;
use crate::network::{Link, Network, Sctp};
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

/// Something that is going to happen.
#[derive(Clone, Debug)]
pub(crate) enum Occurrence {
    /// A process wants to be woken.
    Wake {
        host: HostId,
        life: u32,
    },
    /// A slow process is ready for the next input.
    Ready {
        host: HostId,
        life: u32,
    },
    Input {
        host: HostId,
        life: u32,
        event: Event,
    },
    Handshake {
        host: HostId,
        life: u32,
        request: ConnectId,
        step: crate::handshake::Step,
    },
    Arrive {
        key: u64,
        side: Side,
        item: Item,
    },
    Abort {
        key: u64,
        side: Side,
    },
    Flush {
        key: u64,
        side: Side,
    },
    Silence {
        key: u64,
        side: Side,
    },
    GiveUp {
        key: u64,
        side: Side,
    },
    Orphan {
        key: u64,
        side: Side,
        once: bool,
    },
    CloseDeadline {
        key: u64,
        side: Side,
    },
    Fault(Fault),
}

/// An entry of the heap: earliest first, and of those at the same time the one scheduled first.
#[derive(Debug)]
struct Entry {
    at: Instant,
    sequence: u64,
    occurrence: Occurrence,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.sequence == other.sequence
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
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
    queue: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
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
            queue: BinaryHeap::new(),
            sequence: 0,
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
            match self.queue.peek() {
                Some(Reverse(entry)) if entry.at <= end => {}
                _ => {
                    self.clock = self.clock.max(end);
                    return;
                }
            }
            if let Some(Reverse(entry)) = self.queue.pop() {
                self.clock = entry.at;
                self.steps += 1;
                self.happen(entry.occurrence);
            }
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
        self.sequence += 1;
        self.queue.push(Reverse(Entry { at, sequence: self.sequence, occurrence }));
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

    /// Hands a process an event after what happens now.
    pub(crate) fn input_soon(&mut self, host: HostId, event: Event) {
        let life = self.host(host).life;
        self.schedule(self.clock, Occurrence::Input { host, life, event });
    }

    /// Hands a process an event, or keeps it until the process can take it.
    pub(crate) fn input(&mut self, host: HostId, event: Event) {
        let clock = self.clock;
        let target = self.host_mut(host);
        if target.process.is_none() {
            return;
        }
        if target.paused {
            target.inbox.push_back(event);
        } else if clock < target.ready || !target.inbox.is_empty() {
            target.inbox.push_back(event);
            if target.inbox.len() == 1 {
                let (at, life) = (target.ready, target.life);
                self.schedule(at, Occurrence::Ready { host, life });
            }
        } else {
            self.handle(host, event);
        }
    }

    fn handle(&mut self, host: HostId, event: Event) {
        self.note_event(host, &event);
        let clock = self.clock;
        let target = self.host_mut(host);
        let Some(process) = &mut target.process else { return };
        process.handle_event(clock, event);
        target.ready = clock + target.slowness;
        self.drain(host);
    }

    fn ready(&mut self, host: HostId, life: u32) {
        let target = self.host_mut(host);
        if target.life != life || target.paused {
            return;
        }
        let Some(event) = target.inbox.pop_front() else { return };
        self.handle(host, event);
        let target = self.host(host);
        if !target.inbox.is_empty() {
            self.schedule(target.ready.max(self.clock), Occurrence::Ready { host, life });
        }
    }

    fn wake(&mut self, host: HostId, life: u32) {
        let clock = self.clock;
        let target = self.host_mut(host);
        if target.life != life || target.wake.is_none_or(|at| clock < at) {
            return;
        }
        target.wake = None;
        if target.paused {
            return;
        }
        if clock < target.ready {
            let at = target.ready;
            target.wake = Some(at);
            return self.schedule(at, Occurrence::Wake { host, life });
        }
        self.time_out(host);
    }

    fn time_out(&mut self, host: HostId) {
        let clock = self.clock;
        let target = self.host_mut(host);
        let Some(process) = &mut target.process else { return };
        process.handle_timeout(clock);
        target.ready = clock + target.slowness;
        self.drain(host);
    }

    /// Lets a process that was stopped catch up: what has arrived, and its timers, in any order.
    pub(crate) fn catch_up(&mut self, host: HostId) {
        let timers_first = self.host_mut(host).random.below(2) == 0;
        if timers_first {
            self.time_out(host);
        }
        let life = self.host(host).life;
        for _ in 0..self.host(host).inbox.len() {
            if self.host(host).slowness > Duration::ZERO {
                return self.ready(host, life);
            }
            if let Some(event) = self.host_mut(host).inbox.pop_front() {
                self.handle(host, event);
            }
        }
        self.time_out(host);
    }

    /// Starts the host's program.
    pub(crate) fn start(&mut self, id: HostId) {
        let (clock, address) = (self.clock, self.network.address(id));
        let host = &mut self.hosts[id.0];
        host.life += 1;
        host.disturbed = clock;
        host.ready = clock;
        host.died = None;
        let seed = stream(self.seed, id, Purpose::Process(host.life)).next_u64();
        let process = match &mut host.program {
            Program::Registrar(config) => {
                config.addresses = vec![address];
                config.udp_port = UDP_PORT;
                config.seed = seed;
                Process::Registrar(Box::new(rserpool_core::registrar::Registrar::new(config.clone(), clock)))
            }
            Program::Element(config, service) => {
                config.addresses = vec![address];
                config.udp_port = UDP_PORT;
                config.seed = seed;
                let config = element::ElementConfig { id: config.id.or(host.element), ..config.clone() };
                Process::Element(Box::new(Server::new(config, *service, clock)))
            }
            Program::User(config, load) => {
                config.seed = seed;
                Process::User(Box::new(Client::new(config.clone(), load.clone(), clock)))
            }
        };
        host.process = Some(process);
        if let Some(Process::Element(server)) = &host.process {
            host.element = Some(server.element.id());
        }
        self.mark(id, "starts");
        self.drain(id);
        self.reassess_all();
    }

    /// Ends the process on a host, without a word to anybody.
    pub(crate) fn exit(&mut self, host: HostId) {
        let clock = self.clock;
        let gone = self.host_mut(host);
        gone.process = None;
        gone.inbox.clear();
        gone.wake = None;
        gone.paused = false;
        gone.stopping = false;
        gone.slowness = Duration::ZERO;
        gone.disturbed = clock;
        gone.died = Some(clock);
        self.forget_all(host);
    }

    /// Carries out what a process has decided, until it wants nothing more.
    pub(crate) fn drain(&mut self, host: HostId) {
        let clock = self.clock;
        loop {
            let Some(process) = &mut self.hosts[host.0].process else { return };
            if let Some(action) = process.poll_action() {
                self.carry_out(host, action);
            } else if let Some((note, verdict)) = process.poll_note(clock) {
                if let Err(violation) = verdict {
                    self.violated(violation);
                }
                self.note_notice(host, note);
            } else {
                break;
            }
        }
        let target = &self.hosts[host.0];
        let Some(process) = &target.process else { return };
        if process.is_stopped() {
            self.mark(host, "has stopped");
            return self.exit(host);
        }
        let (next, life) = (process.poll_timeout(), target.life);
        if let Some(at) = next.map(|at| at.max(clock).max(target.ready))
            && target.wake.is_none_or(|wake| at < wake)
        {
            self.hosts[host.0].wake = Some(at);
            self.schedule(at, Occurrence::Wake { host, life });
        }
    }
}
