//! Stacks that talk to each other over an emulated network in virtual time.

mod data;
mod greedy;
mod handshake;
mod hostile;
mod multihoming;
mod path_mtu;
mod ports;
mod scale;
mod shutdown;
mod silence;
mod undelivered;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{
    AssociationId, ConnectId, Instant, ProtocolId, Random, SctpAddress, SctpPort, UdpPort,
};
use rserpool_core::endpoint::{AbortReason, Action, ConnectError, Connected, DownReason, Event};

use super::Tested;
use crate::sctp::chunk::Data;
use crate::sctp::packet::{self, Chunk, Header};
use crate::sctp::{Sctp, SctpConfig};
use crate::{Datagrams, Obstacle, Stack, Undelivered};

const PORT: u16 = 3863;

/// A network of stacks. Whatever it does is decided by its seed.
struct Net {
    now: Instant,
    stacks: Vec<Sctp<Tested>>,
    /// All events but those that only say that something is on its way.
    events: Vec<Vec<Event>>,
    /// How many of those there were.
    arriving: usize,
    /// Who receives what is sent to an address; other datagrams vanish.
    hosts: BTreeMap<SocketAddr, usize>,
    wire: BTreeMap<(Instant, u64), (usize, Arrival)>,
    /// What becomes of datagrams to these addresses: their senders hear of it after a round trip.
    obstacles: BTreeMap<SocketAddr, Obstacle>,
    /// Octets of a datagram that come back at most.
    quoted: usize,
    /// Every datagram that was sent: source, destination, octets.
    tap: Vec<(SocketAddr, SocketAddr, Bytes)>,
    /// Stacks that neither receive nor run their timers.
    frozen: BTreeSet<usize>,
    /// Stacks that send everything from one address.
    sources: BTreeMap<usize, SocketAddr>,
    /// Stacks whose endpoints answer every message by an ASAP message of so many octets.
    answers: BTreeMap<usize, usize>,
    /// Networks that carry nothing: see [`network`].
    cut: BTreeSet<u8>,
    /// Octets of the largest packet of IPv4 that the network carries. Larger ones vanish.
    mtu: usize,
    sent: u64,
    random: Random,
    delay: Duration,
    /// Added to the delay, at random up to this: packets overtake each other.
    jitter: Duration,
    /// In percent.
    loss: u64,
    duplication: u64,
    /// The bits per second on the way to each stack, if the links have a bound, and until when each is busy. Their
    /// queues hold 64 KB; what does not fit is lost.
    rate: Option<u64>,
    busy: BTreeMap<usize, Instant>,
}

/// What reaches a stack.
enum Arrival {
    Datagram(SocketAddr, Bytes),
    Undelivered(Undelivered),
}

/// Octets that wait in front of a slow link.
const LINK_QUEUE: u64 = 64_000;

fn address(stack: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 20_001 + stack as u16))
}

fn peer(stack: usize) -> SctpAddress {
    SctpAddress::new(address(stack).ip(), SctpPort(PORT), UdpPort(address(stack).port()))
}

/// Where a stack is in another network than the first: 10.0.N.x.
fn address_in(network: u8, stack: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, network, 1 + stack as u8], 20_001 + stack as u16))
}

/// The network to which an address belongs; 0 is the first.
fn network(address: SocketAddr) -> u8 {
    match address.ip() {
        IpAddr::V4(ip) if ip.octets()[..2] == [10, 0] => ip.octets()[2],
        _ => 0,
    }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl Net {
    fn new(configs: &[SctpConfig]) -> Self {
        let mut stacks: Vec<_> = configs
            .iter()
            .enumerate()
            .map(|(n, config)| Sctp::with_engine(config.clone(), address(n)))
            .collect();
        stacks.iter_mut().for_each(|stack| stack.listen(SctpPort(PORT)));
        Self {
            now: Instant::from_nanos(5_000_000_000),
            events: stacks.iter().map(|_| Vec::new()).collect(),
            arriving: 0,
            hosts: (0..stacks.len()).map(|n| (address(n), n)).collect(),
            stacks,
            wire: BTreeMap::new(),
            obstacles: BTreeMap::new(),
            quoted: 520,
            tap: Vec::new(),
            frozen: BTreeSet::new(),
            sources: BTreeMap::new(),
            answers: BTreeMap::new(),
            cut: BTreeSet::new(),
            mtu: usize::MAX,
            sent: 0,
            random: Random::new(1),
            delay: millis(1),
            jitter: Duration::ZERO,
            loss: 0,
            duplication: 0,
            rate: None,
            busy: BTreeMap::new(),
        }
    }

    /// Two stacks with the fast preset.
    fn fast() -> Self {
        Self::new(&[SctpConfig::fast(1), SctpConfig::fast(2)])
    }

    /// A bad network.
    fn bad(mut self, seed: u64) -> Self {
        self.random = Random::new(seed);
        (self.loss, self.duplication, self.jitter) = (10, 10, millis(20));
        self
    }

    fn act(&mut self, stack: usize, action: Action) {
        self.stacks[stack].handle_action(self.now, action);
        self.drain(stack);
    }

    fn connect(&mut self, from: usize, to: usize) {
        self.connect_to(from, peer(to), millis(5000));
    }

    fn connect_to(&mut self, from: usize, peer: SctpAddress, patience: Duration) {
        let deadline = self.now + patience;
        self.act(
            from,
            Action::Connect { request: ConnectId(7), local_port: SctpPort(0), peer: peer.into(), deadline },
        );
    }

    fn send(&mut self, from: usize, association: AssociationId, protocol: u32, bytes: impl Into<Bytes>) {
        let (protocol, bytes) = (ProtocolId(protocol), bytes.into());
        self.act(from, Action::Send { association, protocol, stream: 0, bytes });
    }

    /// Connects stack 0 to stack 1; the names of the association at both.
    fn pair(&mut self) -> (AssociationId, AssociationId) {
        self.connect(0, 1);
        self.run_until(|net| net.events.iter().all(|events| !events.is_empty()));
        let names = (0..2).map(|n| match self.take(n)[..] {
            [Event::Connected(Connected { association, .. })] => association,
            ref other => panic!("stack {n}: {other:?}"),
        });
        let names: Vec<_> = names.collect();
        (names[0], names[1])
    }

    fn take(&mut self, stack: usize) -> Vec<Event> {
        std::mem::take(&mut self.events[stack])
    }

    /// The messages a stack has received, and nothing else.
    fn messages(&mut self, stack: usize) -> Vec<(u32, Bytes)> {
        let events = self.take(stack).into_iter();
        let messages = events.map(|event| match event {
            Event::Message { protocol, bytes, .. } => (protocol.0, bytes),
            other => panic!("stack {stack}: {other:?}"),
        });
        messages.collect()
    }

    fn drain(&mut self, stack: usize) {
        while let Some(event) = self.stacks[stack].poll_event() {
            if let (Event::Message { association, .. }, Some(octets)) = (&event, self.answers.get(&stack)) {
                let (association, bytes) = (*association, vec![0; *octets].into());
                let answer = Action::Send { association, protocol: ProtocolId::ASAP, stream: 0, bytes };
                self.stacks[stack].handle_action(self.now, answer);
            }
            match event {
                Event::Arriving { .. } => self.arriving += 1,
                event => self.events[stack].push(event),
            }
        }
        while let Some(datagram) = self.stacks[stack].poll_datagram() {
            // The operating system leaves by the network of the destination, if it is there.
            let there = network(datagram.destination);
            let source = if let Some(source) = self.sources.get(&stack) {
                *source
            } else if self.hosts.get(&address_in(there, stack)) == Some(&stack) {
                address_in(there, stack)
            } else {
                address(stack)
            };
            self.put(source, datagram.destination, datagram.bytes);
        }
        assert_eq!(self.stacks[stack].poll_event(), None, "an event that nobody would have seen");
    }

    /// Puts a datagram on the wire.
    fn put(&mut self, source: SocketAddr, destination: SocketAddr, bytes: Bytes) {
        self.tap.push((source, destination, bytes.clone()));
        if let Some(&obstacle) = self.obstacles.get(&destination) {
            let quote = bytes.slice(..bytes.len().min(self.quoted));
            self.sent += 1;
            let report = Arrival::Undelivered(Undelivered { destination, obstacle, quote });
            self.wire.insert((self.now + self.delay * 2, self.sent), (self.hosts[&source], report));
            return;
        }
        let Some(&host) = self.hosts.get(&destination) else { return };
        if self.cut.contains(&network(destination)) || bytes.len() + 28 > self.mtu {
            return;
        }
        let copies = 1 + u64::from(self.random.below(100) < self.duplication);
        for _ in 0..copies {
            if self.random.below(100) < self.loss {
                continue;
            }
            let jitter = Duration::from_nanos(self.random.below(self.jitter.as_nanos() as u64));
            let Some(leaves) = self.leaves(host, bytes.len() as u64) else { continue };
            self.sent += 1;
            self.wire.insert(
                (leaves + self.delay + jitter, self.sent),
                (host, Arrival::Datagram(source, bytes.clone())),
            );
        }
    }

    /// When a datagram leaves the link to a stack; `None` if the queue in front of it is full.
    fn leaves(&mut self, host: usize, octets: u64) -> Option<Instant> {
        let Some(rate) = self.rate else { return Some(self.now) };
        let time = |octets: u64| Duration::from_nanos(octets * 8_000_000_000 / rate);
        let begins = self.busy.get(&host).map_or(self.now, |busy| self.now.max(*busy));
        let leaves = begins + time(octets);
        (begins.since(self.now) <= time(LINK_QUEUE))
            .then(|| *self.busy.entry(host).insert_entry(leaves).get())
    }

    /// Jumps to the next thing that happens, at most to `limit`. False if nothing does.
    fn step(&mut self, limit: Instant) -> bool {
        let running = (0..self.stacks.len()).filter(|n| !self.frozen.contains(n));
        let timer = running.filter_map(|n| Some((self.stacks[n].poll_timeout()?, n))).min();
        let arrival = self.wire.keys().next().map(|(at, _)| *at);
        let Some(at) = [timer.map(|(at, _)| at), arrival].into_iter().flatten().min() else { return false };
        if at > limit {
            return false;
        }
        self.now = self.now.max(at);
        if arrival == Some(at) {
            let Some((_, (host, arrival))) = self.wire.pop_first() else { return false };
            if !self.frozen.contains(&host) {
                let stack = &mut self.stacks[host];
                match arrival {
                    Arrival::Datagram(source, bytes) => stack.handle_datagram(self.now, source, bytes),
                    Arrival::Undelivered(report) => stack.handle_undelivered(self.now, report),
                }
                self.drain(host);
            }
        } else if let Some((_, stack)) = timer {
            self.serve_deadlines(stack);
        }
        true
    }

    /// Serves all that is due, in as many calls as that needs.
    fn serve_deadlines(&mut self, stack: usize) {
        for _ in 0..16 {
            self.stacks[stack].handle_timeout(self.now);
            self.drain(stack);
            if self.stacks[stack].poll_timeout().is_none_or(|next| next > self.now) {
                return;
            }
        }
        panic!("a deadline that does not pass: {:?}", self.stacks[stack].poll_timeout());
    }

    fn run_for(&mut self, duration: Duration) {
        let limit = self.now + duration;
        while self.step(limit) {}
        self.now = limit;
    }

    /// Runs until something is the case; how long that took. Panics after ten minutes.
    fn run_until(&mut self, reached: impl Fn(&Self) -> bool) -> Duration {
        let start = self.now;
        while !reached(self) {
            assert!(self.step(start + Duration::from_secs(600)), "not reached: {:?}", self.events);
        }
        self.now.since(start)
    }

    /// The packets on the wire since the last call, taken apart.
    fn tapped(&mut self) -> Vec<(SocketAddr, Header, Vec<Chunk>)> {
        let packets = std::mem::take(&mut self.tap).into_iter();
        packets
            .map(|(source, _, bytes)| {
                let (header, chunks) = packet::parse(&bytes).expect("a packet with a good checksum");
                (source, header, chunks.collect())
            })
            .collect()
    }

    /// The types of the chunks on the wire since the last call, with their sender.
    fn kinds(&mut self) -> Vec<(usize, Vec<u8>)> {
        let sender = |source: SocketAddr| usize::from(source.port() - 20_001);
        let packets = self.tapped().into_iter();
        packets.map(|(source, _, chunks)| (sender(source), chunks.iter().map(|c| c.kind).collect())).collect()
    }
}

fn down(association: AssociationId, reason: DownReason) -> Event {
    Event::Disconnected { association, reason }
}

fn aborted(cause: impl Into<Option<u16>>, text: &str) -> DownReason {
    DownReason::Aborted(AbortReason { cause: cause.into(), text: text.into() })
}

fn failed(reason: ConnectError) -> Event {
    Event::ConnectFailed { request: ConnectId(7), reason }
}

fn message(association: AssociationId, protocol: u32, bytes: impl Into<Bytes>) -> Event {
    Event::Message { association, protocol: ProtocolId(protocol), stream: 0, bytes: bytes.into() }
}

fn data_chunks(packets: &[(SocketAddr, Header, Vec<Chunk>)]) -> Vec<Data> {
    packets
        .iter()
        .flat_map(|(_, _, chunks)| chunks)
        .filter(|c| c.kind == 0)
        .map(|c| Data::parse(c).unwrap())
        .collect()
}
