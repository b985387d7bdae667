//! SCTP packets as octets: the common header, the chunks behind it, the checksum.
//!
//! Nothing here knows what a chunk means; see [`super::chunk`] for that.

use std::net::SocketAddr;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use rserpool_core::base::SctpPort;

/// Octets of the common header (RFC 9260 section 3.1).
pub(super) const HEADER: usize = 12;

/// Octets in front of a chunk's body (RFC 9260 section 3.2).
pub(super) const CHUNK_HEADER: usize = 4;

/// Where a packet comes from or goes to: unique for every association of one socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Path {
    /// The peer's IP address and UDP port.
    pub(super) remote: SocketAddr,
    /// The peer's SCTP port.
    pub(super) remote_port: SctpPort,
    /// Our SCTP port.
    pub(super) local_port: SctpPort,
}

impl Path {
    /// The header of a packet to the peer.
    pub(super) const fn header(&self, tag: u32) -> Header {
        Header { source_port: self.local_port, destination_port: self.remote_port, tag }
    }
}

/// The common header without its checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) source_port: SctpPort,
    pub(super) destination_port: SctpPort,
    /// The verification tag.
    pub(super) tag: u32,
}

impl Header {
    /// Its octets, with a checksum of 0.
    pub(super) fn put(self, to: &mut BytesMut) {
        to.put_u16(self.source_port.0);
        to.put_u16(self.destination_port.0);
        to.put_u32(self.tag);
        to.put_u32(0);
    }
}

/// One chunk, padding removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) body: Bytes,
}

impl Chunk {
    /// A chunk without flags.
    pub(super) const fn new(kind: u8, body: Bytes) -> Self {
        Self { kind, flags: 0, body }
    }

    /// Its octets on the wire, padding included.
    pub(super) fn size(&self) -> usize {
        (CHUNK_HEADER + self.body.len()).next_multiple_of(4)
    }
}

/// Takes a packet apart. `None` if it is too short, its checksum is wrong or a port is 0
/// (RFC 9260 sections 6.8 and 3.1).
pub(super) fn parse(packet: &Bytes) -> Option<(Header, Chunks)> {
    if packet.len() < HEADER + CHUNK_HEADER {
        return None;
    }
    let mut fields = packet.clone();
    let header = Header {
        source_port: SctpPort(fields.get_u16()),
        destination_port: SctpPort(fields.get_u16()),
        tag: fields.get_u32(),
    };
    let stated = fields.get_u32_le();
    let good = header.source_port.is_set() && header.destination_port.is_set() && stated == checksum(packet);
    good.then_some((header, Chunks { rest: fields }))
}

/// What a quote of one of our packets shows, however short it is: its header, and of its first chunk the type and as much
/// of the body as is there. `None` if not even the tag is. The checksum covers more than was quoted.
pub(super) fn parse_quote(quote: &Bytes) -> Option<(Header, Option<Chunk>)> {
    const PORTS_AND_TAG: usize = 8;
    if quote.len() < PORTS_AND_TAG {
        return None;
    }
    let mut fields = quote.clone();
    let header = Header {
        source_port: SctpPort(fields.get_u16()),
        destination_port: SctpPort(fields.get_u16()),
        tag: fields.get_u32(),
    };
    let chunk = (quote.len() >= HEADER + CHUNK_HEADER).then(|| {
        let length = usize::from(u16::from_be_bytes([quote[HEADER + 2], quote[HEADER + 3]]));
        let end = (HEADER + length).clamp(HEADER + CHUNK_HEADER, quote.len());
        let body = quote.slice(HEADER + CHUNK_HEADER..end);
        Chunk { kind: quote[HEADER], flags: quote[HEADER + 1], body }
    });
    Some((header, chunk))
}

/// The chunks of a packet in their order; ends at the first one that does not fit its packet.
#[derive(Clone, Debug)]
pub(super) struct Chunks {
    rest: Bytes,
}

impl Chunks {
    /// What stands behind a common header.
    pub(super) const fn of(rest: Bytes) -> Self {
        Self { rest }
    }

    /// Octets of the packet, if nothing has been taken from it.
    pub(super) const fn packet_octets(&self) -> usize {
        HEADER + self.rest.len()
    }
}

impl Iterator for Chunks {
    type Item = Chunk;

    fn next(&mut self) -> Option<Chunk> {
        if self.rest.len() < CHUNK_HEADER {
            return None;
        }
        let (kind, flags) = (self.rest[0], self.rest[1]);
        let length = usize::from(u16::from_be_bytes([self.rest[2], self.rest[3]]));
        if length < CHUNK_HEADER || length > self.rest.len() {
            self.rest.clear();
            return None;
        }
        let body = self.rest.slice(CHUNK_HEADER..length);
        // The last chunk may come without its padding; what the padding contains is ignored.
        self.rest.advance(length.next_multiple_of(4).min(self.rest.len()));
        Some(Chunk { kind, flags, body })
    }
}

/// Puts chunks into as few packets of at most `limit` octets as their order allows. A chunk that is larger has one of
/// its own.
pub(super) fn bundle(header: Header, chunks: &[Chunk], limit: usize, mut emit: impl FnMut(Bytes)) {
    let mut rest = chunks;
    while !rest.is_empty() {
        let mut size = HEADER + rest[0].size();
        let mut count = 1;
        while count < rest.len() && size + rest[count].size() <= limit {
            size += rest[count].size();
            count += 1;
        }
        let (these, others) = rest.split_at(count);
        emit(assemble(header, these, size));
        rest = others;
    }
}

/// One packet with these chunks, whatever its size.
pub(super) fn single(header: Header, chunks: &[Chunk]) -> Bytes {
    assemble(header, chunks, HEADER + chunks.iter().map(Chunk::size).sum::<usize>())
}

fn assemble(header: Header, chunks: &[Chunk], size: usize) -> Bytes {
    let mut packet = BytesMut::with_capacity(size);
    header.put(&mut packet);
    for chunk in chunks {
        packet.put_u8(chunk.kind);
        packet.put_u8(chunk.flags);
        // Bodies come out of a datagram or are made here: they always fit.
        packet.put_u16(u16::try_from(CHUNK_HEADER + chunk.body.len()).unwrap_or(u16::MAX));
        packet.put_slice(&chunk.body);
        packet.put_bytes(0, packet.len().next_multiple_of(4) - packet.len());
    }
    sign(packet)
}

/// The packet with its checksum filled in.
pub(super) fn sign(mut packet: BytesMut) -> Bytes {
    let sum = checksum(&packet);
    packet[8..HEADER].copy_from_slice(&sum.to_le_bytes());
    packet.freeze()
}

/// CRC32c of a packet with its checksum field taken as zero (RFC 9260 section 6.8).
fn checksum(packet: &[u8]) -> u32 {
    let sum = crc32c::crc32c(&packet[..8]);
    let sum = crc32c::crc32c_append(sum, &[0; 4]);
    crc32c::crc32c_append(sum, &packet[HEADER..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: Header =
        Header { source_port: SctpPort(3863), destination_port: SctpPort(9901), tag: 0x0102_0304 };

    fn chunk(kind: u8, length: usize) -> Chunk {
        Chunk { kind, flags: 1, body: vec![0xa5; length].into() }
    }

    #[test]
    fn chunks_come_back_without_their_padding() {
        let chunks: Vec<_> = (0..9).map(|n| chunk(n, usize::from(n))).collect();
        let packet = single(HEAD, &chunks);
        assert_eq!(packet.len() % 4, 0);
        let (header, parsed) = parse(&packet).unwrap();
        assert_eq!((header, parsed.collect::<Vec<_>>()), (HEAD, chunks));
    }

    /// RFC 3720 appendix B.4 gives 0x8a9136aa for 32 octets of zero; a packet whose octets are
    /// all covered twice would not.
    #[test]
    fn the_checksum_is_crc32c_in_little_endian() {
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        let packet = single(HEAD, &[chunk(4, 4)]);
        let mut zeroed = packet.to_vec();
        zeroed[8..12].fill(0);
        assert_eq!(packet[8..12], crc32c::crc32c(&zeroed).to_le_bytes());
    }

    #[test]
    fn a_wrong_octet_or_a_port_of_zero_is_refused() {
        let packet = single(HEAD, &[chunk(4, 4)]);
        for octet in 0..packet.len() {
            let mut wrong = packet.to_vec();
            wrong[octet] ^= 0x10;
            assert!(parse(&wrong.into()).is_none(), "octet {octet}");
        }
        assert!(parse(&single(Header { source_port: SctpPort(0), ..HEAD }, &[chunk(4, 4)])).is_none());
        assert!(parse(&single(Header { destination_port: SctpPort(0), ..HEAD }, &[chunk(4, 4)])).is_none());
    }

    #[test]
    fn non_zero_padding_and_missing_padding_are_accepted() {
        let mut packet = single(HEAD, &[chunk(4, 5), chunk(5, 1)]).to_vec();
        packet[HEADER + 9..HEADER + 12].fill(0xff);
        packet.truncate(packet.len() - 3);
        let sum = checksum(&packet);
        packet[8..12].copy_from_slice(&sum.to_le_bytes());
        let parsed: Vec<_> = parse(&packet.into()).unwrap().1.collect();
        assert_eq!(parsed, [chunk(4, 5), chunk(5, 1)]);
    }

    #[test]
    fn bundles_stay_within_the_limit_and_keep_the_order() {
        let chunks: Vec<_> = (0..200).map(|n| chunk(n, 1 + usize::from(n) * 5)).collect();
        let mut packets = Vec::new();
        bundle(HEAD, &chunks, 1200, |packet| packets.push(packet));
        assert!(packets.len() > 10 && packets.iter().all(|p| p.len() <= 1200));
        let parsed: Vec<_> = packets.iter().flat_map(|p| parse(p).unwrap().1).collect();
        assert_eq!(parsed, chunks);
    }

    proptest! {
        #[test]
        fn any_octets_are_parsed_without_panic(mut octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&octets.clone().into()).map(|(_, chunks)| chunks.count());
            let _ = parse_quote(&octets.clone().into()).and_then(|(_, chunk)| crate::sctp::chunk::parse_heartbeat(&chunk?));
            if octets.len() >= HEADER {
                let sum = checksum(&octets);
                octets[8..12].copy_from_slice(&sum.to_le_bytes());
                let _ = parse(&octets.into()).map(|(_, chunks)| chunks.count());
            }
        }
    }
}
