//! SCTP packets made and read by hand (RFC 9260 section 3), independent of the stack under test.

use bytes::Bytes;

/// Chunk types.
pub(super) mod kind {
    #![allow(missing_docs, reason = "they are called as in RFC 9260")]
    pub(in crate::transport) const DATA: u8 = 0;
    pub(in crate::transport) const INIT: u8 = 1;
    pub(in crate::transport) const INIT_ACK: u8 = 2;
    pub(in crate::transport) const SACK: u8 = 3;
    pub(in crate::transport) const HEARTBEAT: u8 = 4;
    pub(in crate::transport) const HEARTBEAT_ACK: u8 = 5;
    pub(in crate::transport) const ABORT: u8 = 6;
    pub(in crate::transport) const SHUTDOWN: u8 = 7;
    pub(in crate::transport) const SHUTDOWN_ACK: u8 = 8;
    pub(in crate::transport) const ERROR: u8 = 9;
    pub(in crate::transport) const COOKIE_ECHO: u8 = 10;
    pub(in crate::transport) const COOKIE_ACK: u8 = 11;
    pub(in crate::transport) const SHUTDOWN_COMPLETE: u8 = 14;
}

/// Parameter types.
pub(super) mod parameter {
    #![allow(missing_docs, reason = "they are called as in RFC 9260")]
    pub(in crate::transport) const IPV4: u16 = 5;
    pub(in crate::transport) const IPV6: u16 = 6;
    pub(in crate::transport) const COOKIE: u16 = 7;
    pub(in crate::transport) const UNRECOGNIZED: u16 = 8;
    pub(in crate::transport) const PRESERVATIVE: u16 = 9;
    pub(in crate::transport) const ADDRESS_TYPES: u16 = 12;
    pub(in crate::transport) const ECN: u16 = 0x8000;
    pub(in crate::transport) const FORWARD_TSN: u16 = 0xc000;
}

/// The T bit.
pub(super) const REFLECTED: u8 = 1;

/// A packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    /// The sender's SCTP port.
    pub(super) source: u16,
    /// The receiver's SCTP port.
    pub(super) destination: u16,
    /// The verification tag.
    pub(super) tag: u32,
    /// The chunks.
    pub(super) chunks: Vec<Chunk>,
}

/// A chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Its type.
    pub(super) kind: u8,
    /// Its flags.
    pub(super) flags: u8,
    /// What follows its length.
    pub(super) body: Vec<u8>,
    /// What its padding is made of.
    pub(super) padding: u8,
}

impl Packet {
    /// The octets, with their checksum.
    pub(super) fn encode(&self) -> Bytes {
        let mut octets = Vec::new();
        octets.extend(self.source.to_be_bytes());
        octets.extend(self.destination.to_be_bytes());
        octets.extend(self.tag.to_be_bytes());
        octets.extend([0; 4]);
        for chunk in &self.chunks {
            octets.extend([chunk.kind, chunk.flags]);
            octets.extend((4 + chunk.body.len() as u16).to_be_bytes());
            octets.extend(&chunk.body);
            octets.resize(octets.len().next_multiple_of(4), chunk.padding);
        }
        let sum = checksum(&octets);
        octets[8..12].copy_from_slice(&sum.to_le_bytes());
        octets.into()
    }

    /// Reads a packet; `None` if its checksum is wrong or its chunks do not fit.
    pub(super) fn decode(octets: &[u8]) -> Option<Self> {
        if octets.len() < 12 {
            return None;
        }
        let mut zeroed = octets.to_vec();
        zeroed[8..12].fill(0);
        if octets[8..12] != checksum(&zeroed).to_le_bytes() {
            return None;
        }
        let mut chunks = Vec::new();
        let mut rest = &octets[12..];
        while !rest.is_empty() {
            let length = usize::from(u16_at(rest, 2)?);
            let body = rest.get(4..length)?.to_vec();
            chunks.push(Chunk { kind: rest[0], flags: rest[1], body, padding: 0 });
            rest = &rest[length.next_multiple_of(4).min(rest.len())..];
        }
        Some(Self {
            source: u16_at(octets, 0)?,
            destination: u16_at(octets, 2)?,
            tag: u32_at(octets, 4)?,
            chunks,
        })
    }

    /// The first chunk of a type.
    pub(super) fn find(&self, kind: u8) -> Option<&Chunk> {
        self.chunks.iter().find(|chunk| chunk.kind == kind)
    }
}

impl Chunk {
    /// A chunk without flags.
    pub(super) fn new(kind: u8, body: impl Into<Vec<u8>>) -> Self {
        Self { kind, flags: 0, body: body.into(), padding: 0 }
    }

    /// The same with flags.
    pub(super) fn flagged(self, flags: u8) -> Self {
        Self { flags, ..self }
    }

    /// An INIT with these parameters behind its fixed part; one stream, a window of 128 KiB.
    pub(super) fn init(tag: u32, tsn: u32, parameters: &[u8]) -> Self {
        let mut body = Vec::new();
        body.extend(tag.to_be_bytes());
        body.extend(131_072_u32.to_be_bytes());
        body.extend([0, 1, 0, 1]);
        body.extend(tsn.to_be_bytes());
        body.extend(parameters);
        Self::new(kind::INIT, body)
    }

    /// A whole message in one DATA chunk, on stream 0.
    pub(super) fn data(tsn: u32, sequence: u16, protocol: u32, payload: &[u8]) -> Self {
        let mut body = Vec::new();
        body.extend(tsn.to_be_bytes());
        body.extend([0, 0]);
        body.extend(sequence.to_be_bytes());
        body.extend(protocol.to_be_bytes());
        body.extend(payload);
        Self { kind: kind::DATA, flags: 3, body, padding: 0 }
    }

    /// An ABORT or ERROR with one cause.
    pub(super) fn with_cause(kind: u8, cause: u16, detail: &[u8]) -> Self {
        Self::new(kind, parameter(cause, detail))
    }

    /// The four octets at this place of the body.
    pub(super) fn word(&self, at: usize) -> Option<u32> {
        u32_at(&self.body, at)
    }

    /// The parameters behind `fixed` octets: type and value.
    pub(super) fn parameters(&self, fixed: usize) -> Vec<(u16, Vec<u8>)> {
        let mut found = Vec::new();
        let mut rest = self.body.get(fixed..).unwrap_or_default();
        while let (Some(kind), Some(length)) = (u16_at(rest, 0), u16_at(rest, 2)) {
            let Some(value) = rest.get(4..usize::from(length)) else { break };
            found.push((kind, value.to_vec()));
            rest = rest.get(usize::from(length).next_multiple_of(4)..).unwrap_or_default();
        }
        found
    }

    /// The first parameter of a type in an INIT or INIT ACK.
    pub(super) fn parameter(&self, kind: u16) -> Option<Vec<u8>> {
        self.parameters(16).into_iter().find(|(k, _)| *k == kind).map(|(_, value)| value)
    }
}

/// The octets of a parameter or cause, padded.
pub(super) fn parameter(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    octets.extend(kind.to_be_bytes());
    octets.extend((4 + value.len() as u16).to_be_bytes());
    octets.extend(value);
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(octets.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(octets.get(at..at + 4)?.try_into().ok()?))
}

/// CRC32c, bit by bit into a table: slow and plain, so that it shares no error with the stack.
fn checksum(octets: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            let mut value = index as u32;
            let mut bit = 0;
            while bit < 8 {
                value = if value & 1 == 0 { value >> 1 } else { value >> 1 ^ POLYNOMIAL };
                bit += 1;
            }
            table[index] = value;
            index += 1;
        }
        table
    };
    !octets.iter().fold(!0, |sum: u32, octet| TABLE[usize::from(sum as u8 ^ octet)] ^ sum >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of RFC 3720 appendix B.4.
    #[test]
    fn the_checksum_is_crc32c() {
        assert_eq!(checksum(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn packets_round_trip() {
        let chunks = vec![Chunk::init(7, 9, &parameter(parameter::ECN, &[])), Chunk::data(9, 0, 11, b"abc")];
        let packet = Packet { source: 1, destination: 2, tag: 0, chunks };
        assert_eq!(Packet::decode(&packet.encode()), Some(packet.clone()));
        let mut wrong = packet.encode().to_vec();
        wrong[20] ^= 1;
        assert_eq!(Packet::decode(&wrong), None);
        assert_eq!(packet.chunks[0].parameters(16), [(parameter::ECN, vec![])]);
    }
}
