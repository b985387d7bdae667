//! The SCTP packet layer: two stacks with three addresses each, and between them somebody who drops,
//! repeats, reorders, changes and forges packets, cuts networks and moves ports.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{AssociationId, ConnectId, Instant, ProtocolId, SctpAddress, SctpPort, UdpPort};
use rserpool_core::endpoint::{AbortCause, Action, Connected, Event};
use rserpool_transport::sctp::{Dcsctp, Engine, Sctp, SctpConfig, SctpProto};
use rserpool_transport::{Datagrams, Stack};

use super::input::Input;

const PORT: u16 = 3863;
const MAX_STEPS: usize = 300;
const MAX_ASSOCIATIONS: usize = 4;
/// Ports, verification tag, checksum.
const HEADER: usize = 12;

/// In how many networks both ends are.
const NETWORKS: u8 = 3;

/// One end.
struct End<E: Engine> {
    stack: Sctp<E>,
    last_octet: u8,
    /// The UDP port at which the other end sees it; a NAT may change it.
    udp_port: u16,
    up: BTreeSet<AssociationId>,
    /// Packets on their way to the other end.
    sent: VecDeque<(SocketAddr, Bytes)>,
    /// The last packet that went to the other end, whose header a forger knows.
    seen: Option<Bytes>,
    attempts: u64,
}

/// Packets for two stacks. They never panic, name every association from its beginning to its end
/// and not beyond, and keep their limits.
pub fn sctp(octets: &[u8]) {
    run::<SctpProto>(octets);
    run::<Dcsctp>(octets);
}

fn run<E: Engine>(octets: &[u8]) {
    let mut input = Input::new(octets);
    let mut ends = [end::<E>(1), end::<E>(2)];
    let mut cut = BTreeSet::new();
    let mut now = Instant::ORIGIN;
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        let from = usize::from(input.below(2));
        step(&mut ends, from, &mut cut, &mut now, &mut input);
        ends.iter_mut().for_each(End::settle);
    }
    // Undisturbed, both come to rest or go on; either way without harm.
    cut.clear();
    for _ in 0..50 {
        for from in [0, 1] {
            while let Some(packet) = ends[from].sent.pop_front() {
                carry(&mut ends, from, &cut, now, packet);
            }
        }
        now += Duration::from_millis(100);
        for end in &mut ends {
            end.stack.handle_timeout(now);
            end.settle();
        }
    }
}

fn end<E: Engine>(last_octet: u8) -> End<E> {
    let mut config = SctpConfig::fast(last_octet.into());
    config.max_associations = MAX_ASSOCIATIONS;
    config.tell_addresses = true;
    config.addresses = (0..NETWORKS).map(|network| address(network, last_octet)).collect();
    let udp_port = 9899;
    let mut stack = Sctp::with_engine(config, SocketAddr::new(address(0, last_octet), udp_port));
    stack.listen(SctpPort(PORT));
    End { stack, last_octet, udp_port, up: BTreeSet::new(), sent: VecDeque::new(), seen: None, attempts: 0 }
}

fn address(network: u8, last_octet: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, network, last_octet))
}

fn step<E: Engine>(
    ends: &mut [End<E>; 2],
    from: usize,
    cut: &mut BTreeSet<u8>,
    now: &mut Instant,
    input: &mut Input<'_>,
) {
    let peer = ends[1 - from].socket(0);
    match input.below(14) {
        0 => {
            ends[from].attempts += 1;
            let request = ConnectId(ends[from].attempts);
            let local_port = [0, PORT][usize::from(input.below(2))];
            let peer = SctpAddress::new(peer.ip(), SctpPort(PORT), UdpPort(peer.port()));
            let deadline = *now + Duration::from_secs(2);
            ends[from].stack.handle_action(
                *now,
                Action::Connect { request, local_port: SctpPort(local_port), peer: peer.into(), deadline },
            );
        }
        // What is on its way arrives, all of it or the first.
        1 => {
            while let Some(packet) = ends[from].sent.pop_front() {
                carry(ends, from, cut, *now, packet);
                ends.iter_mut().for_each(End::settle);
            }
        }
        2 | 3 => {
            if let Some(packet) = ends[from].sent.pop_front() {
                carry(ends, from, cut, *now, packet);
            }
        }
        // It is lost, comes twice, or later than others.
        4 => {
            let end = &mut ends[from];
            match (input.below(3), end.sent.pop_front()) {
                (1, Some(packet)) => end.sent.extend([packet.clone(), packet]),
                (2, Some(packet)) => end.sent.push_back(packet),
                _ => {}
            }
        }
        // It is changed, with a checksum that is right.
        5 | 6 => {
            if let Some((destination, packet)) = ends[from].sent.pop_front() {
                let mut changed = packet.to_vec();
                let (place, value) = (usize::from(input.u16()), input.u8());
                if let Some(octet) = changed.get_mut(HEADER..).and_then(|rest| {
                    let length = rest.len().max(1);
                    rest.get_mut(place % length)
                }) {
                    *octet = value;
                }
                carry(ends, from, cut, *now, (destination, signed(changed)));
            }
        }
        // Chunks behind the header of a packet that was seen.
        7 | 8 => {
            let mut forged =
                ends[from].seen.as_ref().map_or_else(|| vec![0; HEADER], |seen| seen[..HEADER].to_vec());
            let source = ends[from].socket(input.below(NETWORKS + 1));
            forged.extend_from_slice(input.octets());
            deliver(ends, from, *now, source, signed(forged));
        }
        // Anything at all.
        9 => {
            let octets = Bytes::copy_from_slice(input.octets());
            let source = ends[from].socket(0);
            deliver(ends, from, *now, source, octets);
        }
        10 => {
            let count = ends[from].up.len().max(1);
            let Some(association) = ends[from].up.iter().nth(usize::from(input.u8()) % count).copied() else {
                return;
            };
            let action = match input.below(5) {
                0 => Action::Abort { association, cause: AbortCause::User },
                1 => Action::Shutdown { association, deadline: *now + Duration::from_secs(1) },
                _ => {
                    let bytes = Bytes::from(vec![b'x'; 1 + usize::from(input.u16())]);
                    Action::Send { association, protocol: ProtocolId(11), stream: 0, bytes }
                }
            };
            ends[from].stack.handle_action(*now, action);
        }
        // A network is cut, or carries again; a NAT forgets.
        11 => {
            let network = input.u8() % NETWORKS;
            if !cut.remove(&network) {
                cut.insert(network);
            }
        }
        12 => ends[from].udp_port = 9_000 + u16::from(input.u8()),
        _ => {
            *now += Duration::from_millis(u64::from(input.u16()) % 2_000);
            for end in ends {
                end.stack.handle_timeout(*now);
            }
        }
    }
}

/// A packet on its way: the operating system leaves by the network of the destination.
fn carry<E: Engine>(
    ends: &mut [End<E>; 2],
    from: usize,
    cut: &BTreeSet<u8>,
    now: Instant,
    (destination, packet): (SocketAddr, Bytes),
) {
    let arrives = |network: &u8| ends[1 - from].socket(*network) == destination && !cut.contains(network);
    if let Some(network) = (0..NETWORKS).find(arrives) {
        let source = ends[from].socket(network);
        deliver(ends, from, now, source, packet);
    }
}

fn deliver<E: Engine>(ends: &mut [End<E>; 2], from: usize, now: Instant, source: SocketAddr, packet: Bytes) {
    ends[1 - from].stack.handle_datagram(now, source, packet);
    ends[1 - from].settle();
}

/// With the checksum of RFC 9260 section 6.8.
fn signed(mut packet: Vec<u8>) -> Bytes {
    packet[8..HEADER].fill(0);
    let checksum = crc32c::crc32c(&packet);
    packet[8..HEADER].copy_from_slice(&checksum.to_le_bytes());
    packet.into()
}

impl<E: Engine> End<E> {
    /// Where the other end sees it in this network; one more than there are is nobody's.
    fn socket(&self, network: u8) -> SocketAddr {
        SocketAddr::new(address(network, self.last_octet), self.udp_port)
    }

    /// Takes what the stack has decided, and checks that it may.
    fn settle(&mut self) {
        while let Some(event) = self.stack.poll_event() {
            match event {
                Event::Connected(Connected { association, origin, .. }) => {
                    assert!(self.up.insert(association), "connected twice");
                    assert!(origin.attempt().is_none_or(|ConnectId(request)| request <= self.attempts));
                }
                Event::Disconnected { association, .. } => {
                    assert!(self.up.remove(&association), "disconnected without being connected");
                }
                Event::Addresses { association, peer } => {
                    assert!(self.up.contains(&association));
                    assert!((1..=8).contains(&peer.addresses().len()), "{peer:?}");
                }
                Event::Message { association, .. }
                | Event::Arriving { association }
                | Event::Congested { association }
                | Event::Drained { association } => assert!(self.up.contains(&association)),
                Event::ConnectFailed { request: ConnectId(request), .. } => assert!(request <= self.attempts),
                Event::Announce { .. } | Event::HungUp { .. } => panic!("{event:?}"),
            }
        }
        while let Some(datagram) = self.stack.poll_datagram() {
            assert!(datagram.bytes.len() > HEADER && datagram.bytes.len() <= 1500 - 28);
            assert_eq!(datagram.bytes, signed(datagram.bytes.to_vec()), "a wrong checksum");
            self.seen = Some(datagram.bytes.clone());
            // Nobody floods: what is not taken is lost.
            if self.sent.len() < 200 {
                self.sent.push_back((datagram.destination, datagram.bytes));
            }
        }
        assert!(self.stack.associations() <= MAX_ASSOCIATIONS);
    }
}
