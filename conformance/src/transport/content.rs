//! What the messages of the table contain, so that both ends can tell whether one is whole.
//!
//! The peers in `peers/` make and digest the same octets.

use bytes::Bytes;

/// A message as either end saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// Its payload protocol identifier.
    pub(super) protocol: u32,
    /// Its stream.
    pub(super) stream: u16,
    /// Its octets.
    pub(super) length: usize,
    /// FNV-1a over them.
    pub(super) digest: u64,
}

impl Message {
    /// A message of the table as it has to arrive.
    pub(super) fn expected(protocol: u32, stream: u16, number: u32, length: usize) -> Self {
        Self { protocol, stream, length, digest: digest(&content(number, length)) }
    }

    /// A message that has arrived.
    pub(super) fn arrived(protocol: u32, stream: u16, bytes: &[u8]) -> Self {
        Self { protocol, stream, length: bytes.len(), digest: digest(bytes) }
    }
}

/// The octets of message `number`: no two messages and no two places of one are alike.
pub(super) fn content(number: u32, length: usize) -> Bytes {
    let octet =
        |at: usize| (number as usize).wrapping_mul(131).wrapping_add(at * 7).wrapping_add(at >> 8) as u8;
    (0..length).map(octet).collect::<Vec<_>>().into()
}

/// FNV-1a with 64 bits.
fn digest(octets: &[u8]) -> u64 {
    octets
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, octet| (sum ^ u64::from(*octet)).wrapping_mul(0x100_0000_01b3))
}
