//! A host: a machine with one address on which one process may run.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use rserpool_core::base::{AssociationId, ElementId, Instant, Random};
use rserpool_core::endpoint::Channel;
use rserpool_core::registrar::{Registrar, RegistrarConfig};

use super::body::{Body, Input, Mode, Output};
use super::custom_endpoint::Startup;
use super::process::{CustomProcess, Process, Wish};
use super::program::Program;
use crate::applications::{Client, Server};
use crate::id::{HostId, UDP_PORT};
use crate::network::Sctp;
use crate::random::{Purpose, stream};

/// A host.
#[derive(Debug)]
pub struct Host {
    id: HostId,
    name: String,
    program: Program,
    body: Option<Body>,
    /// How many processes it has run.
    life: u32,
    /// The identifier of its element, kept over a restart.
    element: Option<ElementId>,
    /// The process was stopped by SIGSTOP.
    paused: bool,
    /// The process was asked to end.
    stopping: bool,
    /// How long the process takes for every input.
    slowness: Duration,
    /// When a slow process is ready for the next input.
    ready: Instant,
    /// What has arrived and was not handled yet.
    inbox: VecDeque<Input>,
    /// When the process is woken next.
    wake: Option<Instant>,
    /// When the host was last disturbed by anything but the network.
    disturbed: Instant,
    /// When its last process ended, if none runs.
    died: Option<Instant>,
    /// Whether announcements reach it.
    multicast: bool,
    random: Random,
    /// The peers at the other end of the associations of which its process was told.
    peers: BTreeMap<AssociationId, HostId>,
}

/// What a process needs of the world when it starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conditions {
    pub(crate) now: Instant,
    pub(crate) mode: Mode,
    pub(crate) sctp: Sctp,
    /// The seed of the world.
    pub(crate) seed: u64,
    pub(crate) address: IpAddr,
}

/// What has become of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handed {
    /// The process has handled it and may want something.
    Handled,
    /// The process is slow; it takes the next input at this time.
    ReadyAt(Instant),
    /// Nothing is to be done: no process runs, or the input waits behind others.
    Nothing,
}

/// What has become of a wake-up call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// Timers have expired; the process may want something.
    TimedOut,
    /// The process is slow; it is woken at this time.
    At(Instant),
    /// The call was out of date.
    Nothing,
}

impl Host {
    pub(super) fn new(id: HostId, seed: u64, now: Instant, name: String, program: Program) -> Self {
        Self {
            id,
            name,
            program,
            body: None,
            life: 0,
            element: None,
            paused: false,
            stopping: false,
            slowness: Duration::ZERO,
            ready: Instant::ORIGIN,
            inbox: VecDeque::new(),
            wake: None,
            disturbed: now,
            died: None,
            multicast: true,
            random: stream(seed, id, Purpose::Host),
            peers: BTreeMap::new(),
        }
    }

    // What it is

    /// Its name in traces.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process that runs there.
    pub fn process(&self) -> Option<&Process> {
        self.body.as_ref().map(Body::process)
    }

    /// What it runs.
    pub const fn program(&self) -> &Program {
        &self.program
    }

    /// The number of its present process, or of the last one.
    pub(crate) const fn life(&self) -> u32 {
        self.life
    }

    pub(crate) const fn is_running(&self) -> bool {
        self.body.is_some()
    }

    /// Whether a process runs and is not stopped by SIGSTOP.
    pub(crate) const fn answers(&self) -> bool {
        self.body.is_some() && !self.paused
    }

    /// Whether its process works at full speed.
    pub(crate) const fn is_well(&self) -> bool {
        self.answers() && self.slowness.is_zero() && !self.stopping
    }

    pub(crate) const fn is_paused(&self) -> bool {
        self.paused
    }

    pub(crate) const fn is_slow(&self) -> bool {
        !self.slowness.is_zero()
    }

    /// The identifier that its element has, or last had.
    pub(crate) const fn element(&self) -> Option<ElementId> {
        self.element
    }

    /// When it was last disturbed by anything but the network.
    pub(crate) const fn disturbed(&self) -> Instant {
        self.disturbed
    }

    /// When its last process ended, if none runs.
    pub(crate) const fn died(&self) -> Option<Instant> {
        self.died
    }

    /// Whether announcements reach it.
    pub(crate) const fn has_multicast(&self) -> bool {
        self.multicast
    }

    /// Whether its process hears announcements of a channel.
    pub(crate) const fn hears(&self, channel: Channel) -> bool {
        self.program.hears(channel) && self.multicast && self.body.is_some()
    }

    /// How many inputs wait for its process.
    pub(crate) fn waiting(&self) -> usize {
        self.inbox.len()
    }

    /// The peer at the other end of an association of which its process was told.
    pub(crate) fn peer(&self, association: AssociationId) -> Option<HostId> {
        self.peers.get(&association).copied()
    }

    /// How many associations its process was told of.
    pub(crate) fn associations(&self) -> usize {
        self.peers.len()
    }

    /// The timers of its SCTP, in a world with these.
    pub(crate) const fn sctp(&self, world: Sctp) -> Sctp {
        match self.program {
            Program::User(..) => world.of_user(),
            Program::Registrar(_) | Program::Element(..) | Program::Custom(_) => world,
        }
    }

    // Its process

    /// Starts its program.
    pub(crate) fn start(&mut self, conditions: Conditions) {
        debug_assert!(!self.is_running(), "{} runs a process already", self.name);
        debug_assert!(self.inbox.is_empty() && self.wake.is_none(), "{} has old input", self.name);
        let Conditions { now, mode, sctp, seed, address } = conditions;
        self.life += 1;
        self.disturbed = now;
        self.ready = now;
        self.died = None;
        let own_seed = stream(seed, self.id, Purpose::Process(self.life)).next_u64();
        let process = self.launch(Startup { now, address, seed: own_seed });
        self.body = Some(match mode {
            Mode::Messages => Body::endpoint(now, process),
            Mode::Packets => {
                let seed = stream(seed, self.id, Purpose::Stack(self.life)).next_u64();
                let ports = self.program.ports();
                let config = self.sctp(sctp).config(seed);
                Body::node(now, process, &ports, config, (address, UDP_PORT.0).into())
            }
        });
    }

    fn launch(&mut self, startup: Startup) -> Process {
        let Startup { now, address, seed } = startup;
        match &mut self.program {
            Program::Registrar(config) => {
                config.addresses = vec![address];
                config.udp_port = UDP_PORT;
                config.seed = seed;
                Process::Registrar(Box::new(Registrar::new(config.clone(), now)))
            }
            Program::Element(config, service) => {
                config.addresses = vec![address];
                config.udp_port = UDP_PORT;
                config.seed = seed;
                let mut config = config.clone();
                config.id = config.id.or(self.element);
                let server = Server::new(config, *service, now);
                self.element = Some(server.element().id());
                Process::Element(Box::new(server))
            }
            Program::User(config, load) => {
                config.seed = seed;
                Process::User(Box::new(Client::new(config.clone(), load.clone(), now)))
            }
            Program::Custom(custom) => Process::Custom(CustomProcess::new(custom.start(startup))),
        }
    }

    /// Its process has ended, and what waited for it is lost.
    pub(crate) fn exit(&mut self, now: Instant) {
        debug_assert!(self.is_running(), "{} runs no process", self.name);
        self.body = None;
        self.peers.clear();
        self.inbox.clear();
        self.wake = None;
        self.paused = false;
        self.stopping = false;
        self.slowness = Duration::ZERO;
        self.disturbed = now;
        self.died = Some(now);
    }

    /// Hands the process something, or keeps it until the process can take it.
    pub(crate) fn input(&mut self, now: Instant, input: Input) -> Handed {
        if self.body.is_none() {
            return Handed::Nothing;
        }
        if self.paused {
            self.inbox.push_back(input);
            return Handed::Nothing;
        }
        if now < self.ready || !self.inbox.is_empty() {
            self.inbox.push_back(input);
            return match self.inbox.len() {
                1 => Handed::ReadyAt(self.ready),
                _ => Handed::Nothing,
            };
        }
        self.handle(now, input);
        Handed::Handled
    }

    fn handle(&mut self, now: Instant, input: Input) {
        let Some(body) = &mut self.body else { return };
        body.handle(now, input);
        self.ready = now + self.slowness;
    }

    /// Hands the process what has waited longest; returns whether there was something.
    pub(crate) fn handle_waiting(&mut self, now: Instant) -> bool {
        let Some(input) = self.inbox.pop_front() else { return false };
        self.handle(now, input);
        true
    }

    /// When the process takes the next input, if one waits.
    pub(crate) fn ready_at(&self, now: Instant) -> Option<Instant> {
        (!self.inbox.is_empty()).then(|| self.ready.max(now))
    }

    /// Wakes the process if it is time.
    pub(crate) fn wake(&mut self, now: Instant) -> Woken {
        if self.wake.is_none_or(|at| now < at) {
            return Woken::Nothing;
        }
        self.wake = None;
        if self.paused {
            return Woken::Nothing;
        }
        if now < self.ready {
            self.wake = Some(self.ready);
            return Woken::At(self.ready);
        }
        self.time_out(now);
        Woken::TimedOut
    }

    /// Time has passed for the process.
    pub(crate) fn time_out(&mut self, now: Instant) {
        let Some(body) = &mut self.body else { return };
        body.handle_timeout(now);
        self.ready = now + self.slowness;
    }

    /// Lets the process, or its application, do something.
    pub(crate) fn wish(&mut self, now: Instant, wish: Wish) {
        if let Some(body) = &mut self.body {
            body.wish(now, wish);
        }
    }

    /// What the process wants done next, or reports.
    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.body.as_mut()?.poll()
    }

    /// Whether the process has come to its end.
    pub(crate) fn is_over(&self) -> bool {
        self.body.as_ref().is_some_and(Body::is_over)
    }

    /// When the process is to be woken, if no earlier call is on its way.
    pub(crate) fn poll_wake(&mut self, now: Instant) -> Option<Instant> {
        let at = self.body.as_ref()?.poll_timeout()?.max(now).max(self.ready);
        if self.wake.is_some_and(|wake| wake <= at) {
            return None;
        }
        self.wake = Some(at);
        Some(at)
    }

    /// The process was told of an association.
    pub(crate) fn connected(&mut self, association: AssociationId, peer: HostId) {
        self.peers.insert(association, peer);
    }

    /// The process was told of the end of an association.
    pub(crate) fn disconnected(&mut self, association: AssociationId) {
        self.peers.remove(&association);
    }

    /// A number below `bound` that depends on this host alone.
    pub(crate) fn draw(&mut self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    // What is done to it

    /// Its timing, or that of its process, is not what it was.
    pub(crate) const fn disturb(&mut self, now: Instant) {
        self.disturbed = now;
    }

    pub(crate) fn pause(&mut self, now: Instant) {
        debug_assert!(self.answers(), "only what runs can be paused");
        self.disturb(now);
        self.paused = true;
    }

    pub(crate) fn thaw(&mut self, now: Instant) {
        debug_assert!(self.paused && self.is_running(), "only what is paused goes on");
        self.disturb(now);
        self.paused = false;
    }

    pub(crate) const fn slow(&mut self, now: Instant, slowness: Duration) {
        self.disturb(now);
        self.slowness = slowness;
    }

    /// Asks the process to end.
    pub(crate) fn stop(&mut self, now: Instant, deadline: Instant) {
        self.disturb(now);
        self.stopping = true;
        if let Some(body) = &mut self.body {
            body.begin_shutdown(now, deadline);
        }
    }

    pub(crate) const fn deafen(&mut self) {
        self.multicast = false;
    }

    pub(crate) const fn undeafen(&mut self) {
        self.multicast = true;
    }

    /// Its next process draws a new identifier.
    pub(crate) fn forget_identity(&mut self) {
        self.element = None;
        self.configure_registrar(|config| config.id = None);
    }

    /// Changes what it runs from its next start on.
    pub(crate) fn set_program(&mut self, program: Program) {
        self.program = program;
    }

    /// Changes the configuration of its registrar, if it has one, from its next start on.
    pub(crate) fn configure_registrar(&mut self, change: impl FnOnce(&mut RegistrarConfig)) {
        if let Program::Registrar(config) = &mut self.program {
            change(config);
        }
    }
}
