//! The network: which host reaches which, at what address, and how long a packet takes.
//!
//! It knows hosts, addresses and cables only. Associations, which repair its losses, are in
//! `associations`.

mod cable;
mod errors;
mod sctp;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use rserpool_core::base::{Instant, Random, SctpAddress, SctpPort};

pub use cable::Cable;
use errors::Errors;
pub(crate) use errors::quote;
pub use sctp::Sctp;

use crate::id::{HostId, UDP_PORT};
use crate::random::{Purpose, stream};

/// Whether something passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    Open,
    Closed,
}

/// Cables and addresses.
#[derive(Debug)]
pub(crate) struct Network {
    seed: u64,
    cable: Cable,
    /// Directions in which nothing passes.
    blocked: BTreeSet<(HostId, HostId)>,
    /// Directions in which updates of the handlespace are lost, and nothing else.
    losing: BTreeSet<(HostId, HostId)>,
    /// Hosts that are cut off from all others.
    unplugged: BTreeSet<HostId>,
    owners: BTreeMap<IpAddr, HostId>,
    addresses: BTreeMap<HostId, IpAddr>,
    streams: BTreeMap<(HostId, HostId), Random>,
    /// The sites of hosts that are not at the first one, and how long a packet takes between two sites.
    sites: BTreeMap<HostId, u32>,
    between_sites: Duration,
    next_address: u32,
    /// When a pair of hosts was last disturbed.
    disturbed: BTreeMap<(HostId, HostId), Instant>,
    /// When the network as a whole was last disturbed.
    all_disturbed: Instant,
    errors: Errors,
}

impl Network {
    pub(crate) fn new(seed: u64, cable: Cable) -> Self {
        Self {
            seed,
            cable,
            blocked: BTreeSet::new(),
            losing: BTreeSet::new(),
            unplugged: BTreeSet::new(),
            owners: BTreeMap::new(),
            addresses: BTreeMap::new(),
            streams: BTreeMap::new(),
            sites: BTreeMap::new(),
            between_sites: Duration::ZERO,
            next_address: 0x0a00_0001,
            disturbed: BTreeMap::new(),
            all_disturbed: Instant::ORIGIN,
            errors: Errors::new(seed),
        }
    }

    // Addresses

    /// Gives a host a new address, which replaces the one that it has.
    pub(crate) fn assign_address(&mut self, host: HostId) -> IpAddr {
        let address = IpAddr::V4(Ipv4Addr::from(self.next_address));
        self.next_address += 1;
        self.owners.insert(address, host);
        if let Some(old) = self.addresses.insert(host, address) {
            self.owners.remove(&old);
        }
        debug_assert_eq!(self.owners.len(), self.addresses.len(), "each host has one address");
        address
    }

    /// The address of a host; the unspecified one for a host that does not exist.
    pub(crate) fn address(&self, host: HostId) -> IpAddr {
        self.addresses.get(&host).copied().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    /// The address of the UDP socket of a host.
    pub(crate) fn socket(&self, host: HostId) -> SocketAddr {
        SocketAddr::new(self.address(host), UDP_PORT.0)
    }

    /// Where a host serves an SCTP port.
    pub(crate) fn service(&self, host: HostId, port: SctpPort) -> SctpAddress {
        SctpAddress::new(self.address(host), port, UDP_PORT)
    }

    /// The host that has an address now.
    pub(crate) fn owner(&self, address: IpAddr) -> Option<HostId> {
        self.owners.get(&address).copied()
    }

    // Sites

    /// Puts a host at a site; all are at site 0 first.
    pub(crate) fn set_site(&mut self, host: HostId, site: u32) {
        self.sites.insert(host, site);
    }

    /// How long a packet takes between two sites.
    pub(crate) fn set_between_sites(&mut self, delay: Duration) {
        self.between_sites = delay;
    }

    // Faults

    /// Opens or closes one direction.
    pub(crate) fn set_passage(&mut self, now: Instant, from: HostId, to: HostId, passage: Passage) {
        match passage {
            Passage::Closed => self.blocked.insert((from, to)),
            Passage::Open => self.blocked.remove(&(from, to)),
        };
        self.disturbed.insert(pair(from, to), now);
    }

    /// Lets updates of the handlespace get lost in one direction, or pass.
    pub(crate) fn set_updates(&mut self, now: Instant, from: HostId, to: HostId, passage: Passage) {
        match passage {
            Passage::Closed => self.losing.insert((from, to)),
            Passage::Open => self.losing.remove(&(from, to)),
        };
        self.disturbed.insert(pair(from, to), now);
    }

    /// Whether updates of the handlespace from one host reach the other, if anything does.
    pub(crate) fn passes_updates(&self, from: HostId, to: HostId) -> bool {
        !self.losing.contains(&(from, to))
    }

    /// Opens all directions.
    pub(crate) fn open_all(&mut self, now: Instant) {
        let closed = std::mem::take(&mut self.blocked).into_iter().chain(std::mem::take(&mut self.losing));
        for (from, to) in closed {
            self.disturbed.insert(pair(from, to), now);
        }
    }

    pub(crate) fn unplug(&mut self, host: HostId) {
        self.unplugged.insert(host);
    }

    pub(crate) fn plug(&mut self, host: HostId) {
        self.unplugged.remove(&host);
    }

    pub(crate) fn is_unplugged(&self, host: HostId) -> bool {
        self.unplugged.contains(&host)
    }

    /// What all cables are like.
    pub(crate) const fn cable(&self) -> &Cable {
        &self.cable
    }

    pub(crate) fn set_cable(&mut self, now: Instant, cable: Cable) {
        self.cable = cable;
        self.all_disturbed = now;
    }

    /// Whether packets from one host reach the other.
    pub(crate) fn is_open(&self, from: HostId, to: HostId) -> bool {
        !self.blocked.contains(&(from, to))
            && !self.unplugged.contains(&from)
            && !self.unplugged.contains(&to)
    }

    /// Since when everything that two hosts send each other arrives in time; `None` if it does not.
    pub(crate) fn calm_since(&self, a: HostId, b: HostId) -> Option<Instant> {
        let passes = |from, to| self.is_open(from, to) && self.passes_updates(from, to);
        let open = passes(a, b) && passes(b, a) && self.cable.loss == 0;
        let since = self.disturbed.get(&pair(a, b)).copied().unwrap_or_default();
        open.then(|| since.max(self.all_disturbed))
    }

    // Travel

    /// How long one packet takes; `None` if it is lost.
    pub(crate) fn datagram(&mut self, from: HostId, to: HostId) -> Option<Duration> {
        if !self.is_open(from, to) {
            return None;
        }
        let cable = self.cable_between(from, to);
        if cable.is_certain() {
            return Some(cable.delay);
        }
        let random = self.stream(from, to);
        if cable.loses(random) {
            return None;
        }
        Some(cable.travel(random))
    }

    /// How often a datagram is delivered that is not lost: once or twice.
    pub(crate) fn copies(&mut self, from: HostId, to: HostId) -> u32 {
        let duplication = u64::from(self.cable.duplication);
        1 + u32::from(duplication > 0 && self.stream(from, to).below(1_000_000) < duplication)
    }

    /// How long one message takes that is sent again until it arrives; `None` if the sender gives its
    /// peer up first.
    pub(crate) fn reliable(&mut self, sctp: &Sctp, from: HostId, to: HostId) -> Option<Duration> {
        let cable = self.cable_between(from, to);
        if cable.is_certain() {
            return Some(cable.delay);
        }
        let random = self.stream(from, to);
        let mut waited = Duration::ZERO;
        let mut rto = sctp.rto_initial;
        while cable.loses(random) {
            waited += rto;
            rto = (rto * 2).min(sctp.rto_max);
            if waited > sctp.max_silence {
                return None;
            }
        }
        Some(waited + cable.travel(random))
    }

    /// The cable between two hosts: longer between two sites.
    fn cable_between(&self, from: HostId, to: HostId) -> Cable {
        let site = |host| self.sites.get(&host).copied().unwrap_or_default();
        let far = !self.sites.is_empty() && site(from) != site(to);
        if far { Cable { delay: self.between_sites, ..self.cable } } else { self.cable }
    }

    fn stream(&mut self, from: HostId, to: HostId) -> &mut Random {
        let seed = self.seed;
        self.streams.entry((from, to)).or_insert_with(|| stream(seed, from, Purpose::Cable(to)))
    }
}

fn pair(a: HostId, b: HostId) -> (HostId, HostId) {
    (a.min(b), a.max(b))
}
