//! A capture of all messages as a pcapng file, for Wireshark.
//!
//! Where associations are modelled, these are real ASAP and ENRP octets in synthetic packets of IP and
//! SCTP: nothing but DATA chunks, one message each unless it is too long for a packet. Whole nodes
//! make real packets of SCTP over UDP; only the headers of IP and UDP around them are made up.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use rserpool_core::base::{Instant, ProtocolId};

use crate::associations::Direction;
use crate::schedule::Side;

/// The link type of packets that begin with an IP header.
const LINKTYPE_RAW: u16 = 101;

/// Protocols of IP.
const UDP: u8 = 17;
const SCTP: u8 = 132;

/// The most octets of a message in one DATA chunk: what fits into an Ethernet frame.
const FRAGMENT: usize = 1400;

/// Flags of a DATA chunk.
const FIRST: u8 = 0x02;
const LAST: u8 = 0x01;

/// A capture that grows.
#[derive(Debug)]
pub(super) struct Capture {
    file: Vec<u8>,
    /// The last TSN of each direction of each association.
    tsn: BTreeMap<(u64, Side), u32>,
    /// The next stream sequence number.
    sequence: BTreeMap<(u64, Side, u16), u16>,
}

impl Capture {
    pub(super) fn new() -> Self {
        let mut file = Vec::new();
        let section = [&0x1a2b_3c4d_u32.to_le_bytes()[..], &1u16.to_le_bytes(), &[0; 2], &[0xff; 8]].concat();
        block(&mut file, 0x0a0d_0d0a, &section);
        // Option 9, if_tsresol: nanoseconds; then the end of the options.
        let options = [9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0];
        let interface = [&LINKTYPE_RAW.to_le_bytes()[..], &[0; 6], &options].concat();
        block(&mut file, 1, &interface);
        Self { file, tsn: BTreeMap::new(), sequence: BTreeMap::new() }
    }

    /// Adds a message that travels in a direction.
    pub(super) fn message(
        &mut self,
        now: Instant,
        direction: Direction,
        stream: u16,
        protocol: ProtocolId,
        bytes: &Bytes,
    ) {
        let Direction { key, side, from, to } = direction;
        let sequence = self.sequence.entry((key, side, stream)).or_default();
        let number = *sequence;
        *sequence = sequence.wrapping_add(1);
        let count = bytes.len().div_ceil(FRAGMENT).max(1);
        for n in 0..count {
            let part = bytes.get(n * FRAGMENT..).unwrap_or_default();
            let part = part.get(..FRAGMENT).unwrap_or(part);
            let tsn = self.tsn.entry((key, side)).or_insert(0);
            *tsn += 1;
            let flags = if n == 0 { FIRST } else { 0 } | if n + 1 == count { LAST } else { 0 };
            let mut chunk = vec![0, flags];
            chunk.extend((16 + part.len() as u16).to_be_bytes());
            chunk.extend(tsn.to_be_bytes());
            chunk.extend(stream.to_be_bytes());
            chunk.extend(number.to_be_bytes());
            chunk.extend(protocol.0.to_be_bytes());
            chunk.extend(part);
            chunk.resize(chunk.len().next_multiple_of(4), 0);
            let tag = (key as u32) << 1 | u32::from(side == Side::Acceptor) | 0x4000_0000;
            let packet = ip(SCTP, from.0, to.0, &sctp(from.1, to.1, tag, &chunk));
            self.packet(now, &packet);
        }
    }

    /// Adds a datagram; without a checksum, which IPv4 allows.
    pub(super) fn datagram(&mut self, now: Instant, from: SocketAddr, to: SocketAddr, bytes: &Bytes) {
        let length = (8 + bytes.len() as u16).to_be_bytes();
        let (source, destination) = (from.port().to_be_bytes(), to.port().to_be_bytes());
        let packet = [&source[..], &destination, &length, &[0; 2], bytes].concat();
        let packet = ip(UDP, from.ip(), to.ip(), &packet);
        self.packet(now, &packet);
    }

    fn packet(&mut self, now: Instant, packet: &[u8]) {
        let time = now.as_nanos();
        let mut body = 0u32.to_le_bytes().to_vec();
        body.extend(((time >> 32) as u32).to_le_bytes());
        body.extend((time as u32).to_le_bytes());
        body.extend((packet.len() as u32).to_le_bytes());
        body.extend((packet.len() as u32).to_le_bytes());
        body.extend(packet);
        body.resize(body.len().next_multiple_of(4), 0);
        block(&mut self.file, 6, &body);
    }

    /// The content of the file.
    pub(super) fn finish(self) -> Vec<u8> {
        self.file
    }
}

/// A block of pcapng.
fn block(file: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let length = (body.len() as u32 + 12).to_le_bytes();
    file.extend(kind.to_le_bytes());
    file.extend(length);
    file.extend(body);
    file.extend(length);
}

/// An SCTP packet with its checksum (RFC 9260 section 3.1 and appendix A).
fn sctp(from: u16, to: u16, tag: u32, chunk: &[u8]) -> Vec<u8> {
    let mut packet =
        [&from.to_be_bytes()[..], &to.to_be_bytes(), &tag.to_be_bytes(), &[0; 4], chunk].concat();
    let checksum = crc32c::crc32c(&packet).to_le_bytes();
    packet[8..12].copy_from_slice(&checksum);
    packet
}

/// An IPv4 packet; the world has no other addresses.
fn ip(protocol: u8, from: IpAddr, to: IpAddr, payload: &[u8]) -> Vec<u8> {
    let octets = |address| match address {
        IpAddr::V4(address) => address.octets(),
        IpAddr::V6(_) => [0; 4],
    };
    let length = (20 + payload.len() as u16).to_be_bytes();
    let mut packet = vec![0x45, 0, length[0], length[1], 0, 0, 0x40, 0, 64, protocol, 0, 0];
    packet.extend(octets(from));
    packet.extend(octets(to));
    let sum: u32 = packet.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let checksum = (!((sum & 0xffff) + (sum >> 16)) as u16).to_be_bytes();
    packet[10..12].copy_from_slice(&checksum);
    packet.extend(payload);
    packet
}
