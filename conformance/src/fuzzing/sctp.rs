//! The SCTP packet layer: two stacks, and between them somebody who drops, repeats, reorders,
//! changes and forges packets.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{AssociationId, ConnectId, Instant, ProtocolId, TransportAddress};
use rserpool_core::endpoint::{AbortCause, Action, Event};
use rserpool_core::transport::Stack;
use rserpool_core::transport::sctp::{Sctp, SctpConfig};

use super::input::Input;

const PORT: u16 = 3863;
const MAX_STEPS: usize = 300;
const MAX_ASSOCIATIONS: usize = 4;
/// Ports, verification tag, checksum.
const HEADER: usize = 12;

/// One end.
struct End {
    stack: Sctp,
    address: SocketAddr,
    up: BTreeSet<AssociationId>,
    /// Packets on their way to the other end.
    sent: VecDeque<Bytes>,
    /// The last packet that went to the other end, whose header a forger knows.
    seen: Option<Bytes>,
    attempts: u64,
}

/// Packets for two stacks. They never panic, name every association from its beginning to its end
/// and not beyond, and keep their limits.
pub fn sctp(octets: &[u8]) {
    let mut input = Input::new(octets);
    let mut ends = [end(1), end(2)];
    let mut now = Instant::ORIGIN;
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        let from = usize::from(input.below(2));
        step(&mut ends, from, &mut now, &mut input);
        ends.iter_mut().for_each(End::settle);
    }
    // Undisturbed, both come to rest or go on; either way without harm.
    for _ in 0..50 {
        for from in [0, 1] {
            while let Some(packet) = ends[from].sent.pop_front() {
                deliver(&mut ends, from, now, packet);
            }
        }
        now += Duration::from_millis(100);
        for end in &mut ends {
            end.stack.handle_timeout(now);
            end.settle();
        }
    }
}

fn end(last: u8) -> End {
    let config = SctpConfig { max_associations: MAX_ASSOCIATIONS, ..SctpConfig::fast(last.into()) };
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), 9899);
    let mut stack = Sctp::new(config, address);
    stack.listen(PORT);
    End { stack, address, up: BTreeSet::new(), sent: VecDeque::new(), seen: None, attempts: 0 }
}

fn step(ends: &mut [End; 2], from: usize, now: &mut Instant, input: &mut Input<'_>) {
    let peer = ends[1 - from].address;
    match input.below(12) {
        0 => {
            ends[from].attempts += 1;
            let request = ConnectId(ends[from].attempts);
            let local_port = [0, PORT][usize::from(input.below(2))];
            let peer = TransportAddress::new(peer.ip(), PORT, peer.port());
            let deadline = *now + Duration::from_secs(2);
            ends[from].stack.handle_action(*now, Action::Connect { request, local_port, peer, deadline });
        }
        // What is on its way arrives, all of it or the first.
        1 => {
            while let Some(packet) = ends[from].sent.pop_front() {
                deliver(ends, from, *now, packet);
                ends.iter_mut().for_each(End::settle);
            }
        }
        2 | 3 => {
            if let Some(packet) = ends[from].sent.pop_front() {
                deliver(ends, from, *now, packet);
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
            if let Some(packet) = ends[from].sent.pop_front() {
                let mut changed = packet.to_vec();
                let (place, value) = (usize::from(input.u16()), input.u8());
                if let Some(octet) = changed.get_mut(HEADER..).and_then(|rest| {
                    let length = rest.len().max(1);
                    rest.get_mut(place % length)
                }) {
                    *octet = value;
                }
                deliver(ends, from, *now, signed(changed));
            }
        }
        // Chunks behind the header of a packet that was seen.
        7 | 8 => {
            let mut forged =
                ends[from].seen.as_ref().map_or_else(|| vec![0; HEADER], |seen| seen[..HEADER].to_vec());
            forged.extend_from_slice(input.octets());
            deliver(ends, from, *now, signed(forged));
        }
        // Anything at all.
        9 => {
            let octets = Bytes::copy_from_slice(input.octets());
            deliver(ends, from, *now, octets);
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
        _ => {
            *now += Duration::from_millis(u64::from(input.u16()) % 2_000);
            for end in ends {
                end.stack.handle_timeout(*now);
            }
        }
    }
}

fn deliver(ends: &mut [End; 2], from: usize, now: Instant, packet: Bytes) {
    let source = ends[from].address;
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

impl End {
    /// Takes what the stack has decided, and checks that it may.
    fn settle(&mut self) {
        while let Some(event) = self.stack.poll_event() {
            match event {
                Event::Connected { association, request, .. } => {
                    assert!(self.up.insert(association), "connected twice");
                    assert!(request.is_none_or(|ConnectId(request)| request <= self.attempts));
                }
                Event::Disconnected { association, .. } => {
                    assert!(self.up.remove(&association), "disconnected without being connected");
                }
                Event::Addresses { association, .. }
                | Event::Message { association, .. }
                | Event::Congested { association }
                | Event::Drained { association } => assert!(self.up.contains(&association)),
                Event::ConnectFailed { request: ConnectId(request), .. } => assert!(request <= self.attempts),
                Event::Announce { .. } => panic!("a stack knows no announcements"),
            }
        }
        while let Some(datagram) = self.stack.poll_datagram() {
            assert!(datagram.bytes.len() > HEADER && datagram.bytes.len() <= 1500 - 28);
            self.seen = Some(datagram.bytes.clone());
            // Nobody floods: what is not taken is lost.
            if self.sent.len() < 200 {
                self.sent.push_back(datagram.bytes);
            }
        }
        assert!(self.stack.associations() <= MAX_ASSOCIATIONS);
    }
}
