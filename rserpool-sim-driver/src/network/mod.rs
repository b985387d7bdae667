//! The network: who can reach whom, and how long a packet takes.
//!
//! It knows hosts, addresses and cables. Associations, which make its losses good again, are in
//! [`crate::network`].

mod association;
mod handshake;
mod transfer;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use rserpool_core::base::{Instant, Random};
use rserpool_transport::sctp::SctpConfig;

use crate::id::HostId;
use crate::random::{Purpose, stream};

pub(crate) use association::{Association, Attempt, End, Item, Path, Side, State, Step};

/// What a cable does to packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cable {
    /// One way.
    pub delay: Duration,
    /// At most this much is added to the delay, evenly spread.
    pub jitter: Duration,
    /// Packets lost, of a million.
    pub loss: u32,
    /// Datagrams delivered twice, of a million. Associations hide it.
    pub duplication: u32,
    /// Packets held back so that others overtake them, of a million.
    pub reordering: u32,
}

impl Cable {
    /// A LAN: 1 ms, nothing lost.
    pub const LAN: Self = Self {
        delay: Duration::from_millis(1),
        jitter: Duration::ZERO,
        loss: 0,
        duplication: 0,
        reordering: 0,
    };

    /// The longest time a packet may take that is not lost.
    pub fn longest(&self) -> Duration {
        let held_back = if self.reordering > 0 { self.held_back() } else { Duration::ZERO };
        self.delay + self.jitter + held_back
    }

    /// How long a packet is held back that others overtake.
    fn held_back(&self) -> Duration {
        self.delay * 2
    }
}

/// The timers of the modelled SCTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sctp {
    /// After how long without a packet a peer is asked for a sign of life.
    pub heartbeat: Duration,
    /// For how long a peer may leave that, or data, unanswered.
    pub max_silence: Duration,
    /// The first wait for an acknowledgement; it doubles from loss to loss.
    pub rto_initial: Duration,
    /// The longest wait for an acknowledgement.
    pub rto_max: Duration,
}

impl Sctp {
    /// The fast preset of the SCTP stack in `rserpool-transport`.
    pub const FAST: Self = Self {
        heartbeat: Duration::from_millis(200),
        max_silence: Duration::from_millis(500),
        rto_initial: Duration::from_millis(100),
        rto_max: Duration::from_millis(250),
    };

    /// The timers of RFC 9260 section 16.
    pub const RFC: Self = Self {
        heartbeat: Duration::from_secs(30),
        max_silence: Duration::from_secs(363),
        rto_initial: Duration::from_secs(1),
        rto_max: Duration::from_secs(60),
    };
}

impl Sctp {
    /// The settings of a real stack with these timers.
    pub(crate) fn config(&self, seed: u64) -> SctpConfig {
        let preset = if *self == Self::FAST { SctpConfig::fast(seed) } else { SctpConfig::rfc(seed) };
        let Self { heartbeat, max_silence, rto_initial, rto_max } = *self;
        SctpConfig { heartbeat, max_silence, rto_initial, rto_max, ..preset }
    }
}

/// Links and addresses.
#[derive(Debug)]
pub(crate) struct Network {
    seed: u64,
    pub(crate) cable: Cable,
    /// Directions in which nothing passes.
    blocked: BTreeSet<(HostId, HostId)>,
    /// Hosts that are cut off from everybody.
    unplugged: BTreeSet<HostId>,
    owners: BTreeMap<IpAddr, HostId>,
    addresses: BTreeMap<HostId, IpAddr>,
    streams: BTreeMap<(HostId, HostId), Random>,
    next_address: u32,
    /// When a pair of hosts was last disturbed.
    disturbed: BTreeMap<(HostId, HostId), Instant>,
    /// When the network as a whole was last disturbed.
    all_disturbed: Instant,
}

impl Network {
    pub(crate) fn new(seed: u64, cable: Cable) -> Self {
        Self {
            seed,
            cable,
            blocked: BTreeSet::new(),
            unplugged: BTreeSet::new(),
            owners: BTreeMap::new(),
            addresses: BTreeMap::new(),
            streams: BTreeMap::new(),
            next_address: 0x0a00_0001,
            disturbed: BTreeMap::new(),
            all_disturbed: Instant::ORIGIN,
        }
    }

    /// Gives a host a new address, in place of the one it has.
    pub(crate) fn assign_address(&mut self, host: HostId) -> IpAddr {
        let address = IpAddr::V4(Ipv4Addr::from(self.next_address));
        self.next_address += 1;
        self.owners.insert(address, host);
        if let Some(old) = self.addresses.insert(host, address) {
            self.owners.remove(&old);
        }
        address
    }

    /// Where a host is, if it exists.
    pub(crate) fn address(&self, host: HostId) -> IpAddr {
        self.addresses.get(&host).copied().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    pub(crate) fn owner(&self, address: IpAddr) -> Option<HostId> {
        self.owners.get(&address).copied()
    }

    pub(crate) fn block(&mut self, now: Instant, from: HostId, to: HostId, block: bool) {
        match block {
            true => self.blocked.insert((from, to)),
            false => self.blocked.remove(&(from, to)),
        };
        self.disturbed.insert(pair(from, to), now);
    }

    /// Everything passes between all hosts.
    pub(crate) fn unblock_all(&mut self, now: Instant) {
        for (from, to) in std::mem::take(&mut self.blocked) {
            self.disturbed.insert(pair(from, to), now);
        }
    }

    pub(crate) fn unplug(&mut self, host: HostId, unplug: bool) {
        match unplug {
            true => self.unplugged.insert(host),
            false => self.unplugged.remove(&host),
        };
    }

    pub(crate) fn is_unplugged(&self, host: HostId) -> bool {
        self.unplugged.contains(&host)
    }

    pub(crate) fn set_cable(&mut self, now: Instant, cable: Cable) {
        self.cable = cable;
        self.all_disturbed = now;
    }

    /// Whether a packet from one host comes to the other.
    pub(crate) fn is_open(&self, from: HostId, to: HostId) -> bool {
        !self.blocked.contains(&(from, to))
            && !self.unplugged.contains(&from)
            && !self.unplugged.contains(&to)
    }

    /// Since when everything that two hosts send each other arrives in time; `None` if it does not.
    pub(crate) fn calm_since(&self, a: HostId, b: HostId) -> Option<Instant> {
        let open = self.is_open(a, b) && self.is_open(b, a) && self.cable.loss == 0;
        let since = self.disturbed.get(&pair(a, b)).copied().unwrap_or_default();
        open.then(|| since.max(self.all_disturbed))
    }

    /// How long one packet takes; `None` if it is lost.
    pub(crate) fn datagram(&mut self, from: HostId, to: HostId) -> Option<Duration> {
        if !self.is_open(from, to) {
            return None;
        }
        let cable = self.cable;
        let random = self.stream(from, to);
        if cable.loss > 0 && random.below(1_000_000) < u64::from(cable.loss) {
            return None;
        }
        Some(travel(&cable, random))
    }

    /// Whether this datagram is delivered twice.
    pub(crate) fn is_duplicated(&mut self, from: HostId, to: HostId) -> bool {
        let duplication = u64::from(self.cable.duplication);
        duplication > 0 && self.stream(from, to).below(1_000_000) < duplication
    }

    /// How long one message takes that is sent again until it arrives; `None` if the sender loses
    /// patience first.
    pub(crate) fn reliable(&mut self, sctp: &Sctp, from: HostId, to: HostId) -> Option<Duration> {
        let cable = self.cable;
        let random = self.stream(from, to);
        let mut waited = Duration::ZERO;
        let mut rto = sctp.rto_initial;
        while cable.loss > 0 && random.below(1_000_000) < u64::from(cable.loss) {
            waited += rto;
            rto = (rto * 2).min(sctp.rto_max);
            if waited > sctp.max_silence {
                return None;
            }
        }
        Some(waited + travel(&cable, random))
    }

    fn stream(&mut self, from: HostId, to: HostId) -> &mut Random {
        let seed = self.seed;
        self.streams.entry((from, to)).or_insert_with(|| stream(seed, from, Purpose::Cable(to)))
    }
}

fn travel(cable: &Cable, random: &mut Random) -> Duration {
    let jitter = u64::try_from(cable.jitter.as_nanos()).unwrap_or(u64::MAX);
    let jitter = if jitter > 0 { random.below(jitter + 1) } else { 0 };
    let late = cable.reordering > 0 && random.below(1_000_000) < u64::from(cable.reordering);
    let held_back = if late { cable.held_back() } else { Duration::ZERO };
    cable.delay + Duration::from_nanos(jitter) + held_back
}

fn pair(a: HostId, b: HostId) -> (HostId, HostId) {
    (a.min(b), a.max(b))
}
