//! Calls: requests whose answers name them, so that both ends know which belongs to which.
//!
//! The framing is ours, with a payload protocol identifier of its own ([`ProtocolId::CALL`]). A message is 24 octets,
//! big-endian, and then what the application says:
//!
//! | octets | content |
//! |---|---|
//! | 1 | 1: a request; 2: an answer; 3: a request that is to be carried out at most once; 4: the same, sent again; 5: such a request is not known here |
//! | 3 | 0, and ignored |
//! | 4 | the payload protocol identifier of what the application says |
//! | 8 | the caller: a number that no two sessions share |
//! | 8 | the number of the request in its session |
//!
//! An answer repeats caller, number and payload protocol identifier of its request.
//!
//! What was sent again is carried out by nobody who does not know it: an element that remembers it repeats its answer, and
//! any other says that it does not know it, and does nothing. Then the user cannot tell whether it was carried out.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::MAX_MESSAGE;
use crate::base::ProtocolId;

/// The longest request or answer of a call that is one message, in octets: a message less its 24 octets of framing. What is
/// longer travels in [`pieces`](super::pieces).
pub const MAX_CALL: usize = MAX_MESSAGE - HEADER;

pub(super) const HEADER: usize = 24;

/// Names a call wherever it is sent: no two calls of all users have the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId {
    /// The session that has made it, by a number that its user has drawn.
    pub caller: u64,
    /// Its number in the session.
    pub number: u64,
}

/// What a message of a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// What a user asks.
    Request,
    /// What an element answers.
    Answer,
    /// What a user asks, to be carried out at most once.
    OnceRequest,
    /// The same, sent again: only who knows it may answer it.
    OnceRepeated,
    /// A [`CallKind::OnceRepeated`] is not known to the element, and was not carried out now.
    Unknown,
}

impl CallKind {
    const ALL: [(u8, Self); 5] = [
        (1, Self::Request),
        (2, Self::Answer),
        (3, Self::OnceRequest),
        (4, Self::OnceRepeated),
        (5, Self::Unknown),
    ];

    /// Whether a user says it, and not an element.
    pub const fn is_request(self) -> bool {
        matches!(self, Self::Request | Self::OnceRequest | Self::OnceRepeated)
    }
}

/// A message of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallFrame {
    /// What it is.
    pub kind: CallKind,
    /// The name of the call.
    pub call: CallId,
    /// The payload protocol identifier of what the application says.
    pub protocol: ProtocolId,
    /// What the application says: up to [`MAX_LONG_MESSAGE`](super::pieces::MAX_LONG_MESSAGE) octets.
    pub bytes: Bytes,
}

impl CallFrame {
    /// Writes the message.
    pub fn encode(&self) -> Bytes {
        let mut octets = BytesMut::with_capacity(HEADER + self.bytes.len());
        let number =
            CallKind::ALL.iter().find(|(_, kind)| *kind == self.kind).map_or(0, |(number, _)| *number);
        octets.put_u8(number);
        octets.put_slice(&[0; 3]);
        octets.put_u32(self.protocol.0);
        octets.put_u64(self.call.caller);
        octets.put_u64(self.call.number);
        octets.put_slice(&self.bytes);
        octets.freeze()
    }

    /// Reads a message; `None` if it is none of a call.
    pub fn decode(octets: &Bytes) -> Option<Self> {
        let mut header = octets.get(..HEADER)?;
        let number = header.get_u8();
        let kind = CallKind::ALL.iter().find(|(known, _)| *known == number)?.1;
        header.advance(3);
        let protocol = ProtocolId(header.get_u32());
        let call = CallId { caller: header.get_u64(), number: header.get_u64() };
        Some(Self { kind, call, protocol, bytes: octets.slice(HEADER..) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_octets_of_a_call() {
        let call = CallId { caller: 0x0102, number: 3 };
        for (first, kind) in CallKind::ALL {
            let frame = CallFrame { kind, call, protocol: ProtocolId(0x21), bytes: "hi".into() };
            let octets = frame.encode();
            let rest = b"\0\0\0\0\0\0\x21\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\0\x03hi";
            assert_eq!((octets[0], &octets[1..]), (first, &rest[..]));
            assert_eq!(CallFrame::decode(&octets), Some(frame));
            for length in 0..HEADER {
                assert_eq!(CallFrame::decode(&octets.slice(..length)), None);
            }
        }
        let mut other = [0; HEADER];
        assert_eq!(CallFrame::decode(&Bytes::copy_from_slice(&other)), None);
        other[0] = 6;
        assert_eq!(CallFrame::decode(&Bytes::copy_from_slice(&other)), None);
    }
}
