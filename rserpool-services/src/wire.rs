//! The head that messages of ping pong and CalcApp begin with: type, flags, and the length of the whole message.

use alloc::vec::Vec;

use bytes::{BufMut, Bytes};

/// The octets of a head.
pub(crate) const HEAD: usize = 4;

/// Why octets are not a message of this service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// It is shorter than its type demands.
    #[error("the message has {0} octets, which is too few for its type")]
    Short(usize),
    /// The length that it states is not the one it has.
    #[error("the message says that it has {stated} octets, but it has {real}")]
    Length {
        /// What it says.
        stated: usize,
        /// What it has.
        real: usize,
    },
    /// The service has no such message.
    #[error("there is no message of type {0}")]
    Type(u8),
    /// A cookie that does not begin as those of this service do.
    #[error("the cookie is not one of this service")]
    Cookie,
}

/// Reads the head; returns the type and what follows.
pub(crate) fn read_head(bytes: &[u8]) -> Result<(u8, &[u8]), FormatError> {
    let ([kind, _flags, high, low], rest) =
        bytes.split_first_chunk::<HEAD>().ok_or(FormatError::Short(bytes.len()))?;
    let stated = usize::from(u16::from_be_bytes([*high, *low]));
    if stated != bytes.len() {
        return Err(FormatError::Length { stated, real: bytes.len() });
    }
    Ok((*kind, rest))
}

/// Takes a number of 64 bits from the front.
pub(crate) fn read_u64(bytes: &[u8]) -> Result<(u64, &[u8]), FormatError> {
    let (octets, rest) = bytes.split_first_chunk().ok_or(FormatError::Short(bytes.len()))?;
    Ok((u64::from_be_bytes(*octets), rest))
}

/// Takes a number of 32 bits from the front.
pub(crate) fn read_u32(bytes: &[u8]) -> Result<(u32, &[u8]), FormatError> {
    let (octets, rest) = bytes.split_first_chunk().ok_or(FormatError::Short(bytes.len()))?;
    Ok((u32::from_be_bytes(*octets), rest))
}

/// A message of this type with these numbers and this data, which is cut where the length would not fit its field.
pub(crate) fn message(kind: u8, fill: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut octets = Vec::new();
    octets.put_slice(&[kind, 0, 0, 0]);
    fill(&mut octets);
    octets.truncate(usize::from(u16::MAX));
    let length = u16::try_from(octets.len()).unwrap_or(u16::MAX);
    octets[2..HEAD].copy_from_slice(&length.to_be_bytes());
    octets.into()
}
