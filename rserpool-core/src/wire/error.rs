//! Why bytes are no message, and what their sender is to be told.

use super::{ErrorCause, ParameterType};

/// Why bytes could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{malformed}")]
pub struct DecodeError {
    /// What is wrong.
    pub malformed: Malformed,
    /// What the receiver does about it.
    pub reaction: Reaction,
}

/// What the receiver of a bad message does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Drop it silently.
    Discard,
    /// Drop it and answer with ASAP_ERROR or ENRP_ERROR that holds this cause.
    Report(ErrorCause),
}

/// What is wrong with a message. `at` is an offset from its first octet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// It ends too early.
    #[error("message ends at octet {at} where {what} was expected")]
    Truncated {
        /// Where it ends.
        at: usize,
        /// What was to come.
        what: &'static str,
    },
    /// A length field is below its header or beyond what holds it.
    #[error("{what} at octet {at} has the impossible length {length}")]
    Length {
        /// Where the element starts.
        at: usize,
        /// What it is.
        what: &'static str,
        /// Its length field.
        length: usize,
    },
    /// More octets follow than padding explains.
    #[error("{extra} octets follow the end of the message")]
    Trailing {
        /// How many.
        extra: usize,
    },
    /// The message type is not known.
    #[error("unknown message type {0:#04x}")]
    UnknownMessage(u8),
    /// A parameter is not known and its type asks to stop there (top bits 00 and 01).
    #[error("unknown parameter {0:?}")]
    UnknownParameter(ParameterType),
    /// A known parameter stands where it may not.
    #[error("parameter {found:?} at octet {at} is not expected here")]
    Unexpected {
        /// Where.
        at: usize,
        /// Which.
        found: ParameterType,
    },
    /// A compulsory parameter is absent.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field holds a value that the RFC forbids.
    #[error("{what} at octet {at} has an invalid value")]
    Value {
        /// Where.
        at: usize,
        /// Which field.
        what: &'static str,
    },
}

impl Malformed {
    /// The offset at which the message goes wrong, if there is a single one.
    pub const fn at(&self) -> Option<usize> {
        match self {
            Self::Truncated { at, .. }
            | Self::Length { at, .. }
            | Self::Unexpected { at, .. }
            | Self::Value { at, .. } => Some(*at),
            Self::Trailing { .. }
            | Self::UnknownMessage(_)
            | Self::UnknownParameter(_)
            | Self::Missing(_) => None,
        }
    }
}

/// Why a message could not be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A parameter or the message is longer than a 16-bit length can say; send fewer elements
    /// or a shorter handle.
    #[error("{0} is longer than 65,535 octets; send fewer elements, or a shorter handle")]
    TooLong(&'static str),
    /// The RFC asks for at least one, and there is none; add one.
    #[error("there is no {0}, where at least one is needed; add one")]
    Missing(&'static str),
}
