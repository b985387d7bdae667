//! The world: it owns all parts, lets scheduled things happen, and carries out what the parts decide.

mod faults;
mod presets;
mod processes;
mod time;

use std::time::Duration;

use rserpool_core::base::{Instant, SctpAddress, SctpPort};
use rserpool_core::registrar::Registrar;

use crate::applications::{Client, Note, Server};
use crate::associations::{Associations, Surroundings};
use crate::hosts::{Host, Hosts, Mode, Process, Program};
use crate::id::HostId;
use crate::judges::{self, Judges, View};
use crate::network::{Cable, Network, Sctp};
use crate::record::{Keep, Record, Trace, TraceMode, Traffic};
use crate::schedule::Schedule;
use crate::violation::Violation;

/// The configuration of a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorldConfig {
    /// How endpoints talk.
    pub mode: Mode,
    /// The seed of all random choices.
    pub seed: u64,
    /// The cables between all hosts.
    pub cable: Cable,
    /// The timers of SCTP.
    pub sctp: Sctp,
    /// How much of the trace is kept.
    pub trace: TraceMode,
    /// Whether every notice is kept for [`World::notes`].
    pub notes: bool,
    /// Whether every message is kept for [`World::take_capture`].
    pub capture: bool,
    /// Whether judges look at every step. Measurements that repeat one and the same world may do without.
    pub judged: bool,
}

impl WorldConfig {
    /// A LAN with the fast timers of SCTP; notes and the whole trace are kept.
    pub const fn lan(seed: u64) -> Self {
        let (mode, cable, sctp, trace) = (Mode::Messages, Cable::LAN, Sctp::FAST, TraceMode::Text);
        Self { mode, seed, cable, sctp, trace, notes: true, capture: false, judged: true }
    }

    /// The same LAN with whole nodes and real packets.
    pub const fn packets(seed: u64) -> Self {
        Self { mode: Mode::Packets, ..Self::lan(seed) }
    }
}

/// A simulated world.
#[derive(Debug)]
pub struct World {
    mode: Mode,
    seed: u64,
    sctp: Sctp,
    clock: Instant,
    steps: u64,
    schedule: Schedule,
    network: Network,
    hosts: Hosts,
    associations: Associations,
    record: Record,
    /// Whether the judges look.
    judged: bool,
    judges: Judges,
    traffic: Traffic,
    /// The first violation: nothing more happens after it.
    violation: Option<Violation>,
}

impl World {
    /// A world without hosts.
    pub fn new(config: WorldConfig) -> Self {
        let WorldConfig { mode, seed, cable, sctp, trace, notes, capture, judged } = config;
        let keep = |keep| if keep { Keep::All } else { Keep::Nothing };
        Self {
            mode,
            seed,
            sctp,
            clock: Instant::ORIGIN,
            steps: 0,
            schedule: Schedule::default(),
            network: Network::new(seed, cable),
            hosts: Hosts::new(seed),
            associations: Associations::new(sctp),
            record: Record::new(trace, keep(notes), keep(capture)),
            judged,
            judges: Judges::default(),
            traffic: Traffic::default(),
            violation: None,
        }
    }

    /// Adds a host on which nothing runs until it is started.
    pub fn add_idle(&mut self, name: impl Into<String>, program: Program) -> HostId {
        let id = self.hosts.add(self.clock, name.into(), program);
        self.network.assign_address(id);
        self.associations.add_host();
        id
    }

    /// Adds a host on which `program` starts at once. Seeds, and the addresses of elements and
    /// registrars, are set here.
    pub fn add(&mut self, name: impl Into<String>, program: Program) -> HostId {
        let id = self.add_idle(name, program);
        self.start(id);
        id
    }

    /// Puts a host at another site than the first one, where all are at the beginning: packets between two sites
    /// take a time of their own. Judges that know the longest time of a packet do not know of sites.
    pub fn set_site(&mut self, host: HostId, site: u32) {
        self.network.set_site(host, site);
    }

    /// How long packets take between two sites.
    pub fn set_between_sites(&mut self, delay: Duration) {
        self.network.set_between_sites(delay);
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
        self.hosts.get(host)
    }

    /// All hosts.
    pub fn hosts(&self) -> impl Iterator<Item = (HostId, &Host)> {
        self.hosts.iter()
    }

    /// The registrar that runs on a host.
    pub fn registrar(&self, host: HostId) -> Option<&Registrar> {
        self.hosts.registrar(host)
    }

    /// The element that runs on a host, with its application.
    pub fn server(&self, host: HostId) -> Option<&Server> {
        self.hosts.server(host)
    }

    /// The user that runs on a host, with its application.
    pub fn client(&self, host: HostId) -> Option<&Client> {
        self.hosts.client(host)
    }

    /// The endpoint of your own that runs on a host, if it is an `E`.
    pub fn custom<E: 'static>(&self, host: HostId) -> Option<&E> {
        match self.host(host).process() {
            Some(Process::Custom(process)) => process.endpoint(),
            _ => None,
        }
    }

    /// Where a host serves the SCTP port `port`, as told to others.
    pub fn address(&self, host: HostId, port: SctpPort) -> SctpAddress {
        self.network.service(host, port)
    }

    /// Every notice so far, if they are kept.
    pub fn notes(&self) -> &[(Instant, HostId, Note)] {
        self.record.notes()
    }

    /// What has happened so far.
    pub const fn trace(&self) -> &Trace {
        self.record.trace()
    }

    /// The first violation of an invariant.
    pub const fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// The messages that were sent so far.
    pub const fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// The capture, if one is made, as the content of a pcapng file.
    pub fn take_capture(&mut self) -> Option<Vec<u8>> {
        self.record.take_capture()
    }

    // Judging

    /// Since when two hosts have been able to work and talk undisturbed; `None` if they cannot.
    pub fn calm_since(&self, a: HostId, b: HostId) -> Option<Instant> {
        self.view().calm_since(a, b)
    }

    /// Whether these registrars know each other, serve, have one and the same handlespace with the
    /// same homes, and the checksums that follow from it. Those that do not run are left out.
    ///
    /// # Errors
    /// The first of these that does not hold.
    pub fn agreement(&self, registrars: &[HostId]) -> Result<(), Violation> {
        judges::agreement(&self.view(), registrars)
    }

    /// Whether the checksum that each of these registrars has for each of its peers is the one that the peer
    /// has sent last. While elements come, go or move, this takes a heartbeat.
    ///
    /// # Errors
    /// The first checksum that differs.
    pub fn checksums_agree(&self, registrars: &[HostId]) -> Result<(), Violation> {
        judges::checksums_agree(&self.view(), registrars)
    }

    /// The world as judges see it.
    pub(crate) const fn view(&self) -> View<'_> {
        View::new(self.clock, self.mode, &self.sctp, &self.hosts, &self.network)
    }

    pub(crate) const fn judges(&self) -> &Judges {
        &self.judges
    }

    /// The timers of SCTP.
    pub(crate) const fn sctp(&self) -> &Sctp {
        &self.sctp
    }

    /// The modelled associations that are open, in words; `None` if there are none.
    pub(crate) fn open_associations(&self) -> Option<String> {
        self.associations.leftovers()
    }

    /// Something has happened that must never happen: the first violation is kept.
    pub(crate) fn violated(&mut self, violation: Violation) {
        self.record.violation(self.clock, &violation);
        self.violation.get_or_insert(violation);
    }

    /// Takes note of what a judge has found.
    fn verdict(&mut self, verdict: Result<(), Violation>) {
        if let Err(violation) = verdict {
            self.violated(violation);
        }
    }

    // Parts

    /// The judges, and what they look at.
    const fn judges_and_view(&mut self) -> (&mut Judges, View<'_>) {
        let view = View::new(self.clock, self.mode, &self.sctp, &self.hosts, &self.network);
        (&mut self.judges, view)
    }

    /// The modelled associations, and what they depend on.
    const fn associations_and_surroundings(&mut self) -> (&mut Associations, Surroundings<'_>) {
        let around = Surroundings {
            now: self.clock,
            hosts: &mut self.hosts,
            network: &mut self.network,
            schedule: &mut self.schedule,
        };
        (&mut self.associations, around)
    }

    /// A line of the trace about a host.
    fn mark(&mut self, host: HostId, what: &str) {
        self.record.mark(self.clock, &self.hosts, host, what);
    }
}
