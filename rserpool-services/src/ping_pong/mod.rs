//! Ping pong: the user asks, and the element answers with a number that counts up over the whole session, whichever
//! element serves it. The number is the state of the session, and travels in its cookie.

mod client;
mod service;
#[cfg(test)]
mod tests;

use bytes::{BufMut, Bytes};
use rserpool_core::base::ProtocolId;

pub use client::{PingPongClient, PingPongConfig, Pong, Summary};
pub use service::PingPong;

use crate::wire::{FormatError, message, read_head, read_u64};

/// The payload protocol identifier.
pub const PROTOCOL: ProtocolId = ProtocolId(33);

/// The pool in which it is offered.
pub const POOL: &str = "PingPongPool";

/// What a cookie of ping pong begins with.
const COOKIE_MAGIC: &[u8; 8] = b"<PP-TD1>";

/// The most octets of data in a pong: its length has 16 bits.
const MAX_DATA: usize = u16::MAX as usize - 20;

/// A message of ping pong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// The question.
    Ping {
        /// Its number, by which the answer is known.
        message: u64,
        /// Anything; it comes back.
        data: Bytes,
    },
    /// The answer.
    Pong {
        /// The number of the ping.
        message: u64,
        /// The number of the answer in the whole session.
        reply: u64,
        /// The data of the ping.
        data: Bytes,
    },
}

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    ///
    /// If it is not one of ping pong.
    pub fn decode(bytes: &Bytes) -> Result<Self, FormatError> {
        let (kind, rest) = read_head(bytes)?;
        let (number, rest) = read_u64(rest)?;
        match kind {
            1 => Ok(Self::Ping { message: number, data: bytes.slice_ref(rest) }),
            2 => {
                let (reply, rest) = read_u64(rest)?;
                Ok(Self::Pong { message: number, reply, data: bytes.slice_ref(rest) })
            }
            other => Err(FormatError::Type(other)),
        }
    }

    /// Its octets. Data beyond 65,515 octets does not fit and is left out.
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Ping { message: number, data } => message(1, |octets| {
                octets.put_u64(*number);
                octets.put_slice(&data[..data.len().min(MAX_DATA)]);
            }),
            Self::Pong { message: number, reply, data } => message(2, |octets| {
                octets.put_u64(*number);
                octets.put_u64(*reply);
                octets.put_slice(&data[..data.len().min(MAX_DATA)]);
            }),
        }
    }
}

/// The cookie that says which number the next reply has, as RSPLIB's elements say it.
fn cookie(next: u64) -> Bytes {
    [COOKIE_MAGIC.as_slice(), &next.to_be_bytes()].concat().into()
}

/// The number that the next reply has by this cookie.
fn read_cookie(cookie: &[u8]) -> Result<u64, FormatError> {
    let next = cookie.strip_prefix(COOKIE_MAGIC).ok_or(FormatError::Cookie)?;
    Ok(u64::from_be_bytes(next.try_into().map_err(|_| FormatError::Cookie)?))
}
