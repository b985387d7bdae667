//! Why bytes are not a message, and what their sender has to be told.

use super::{OperationError, ParameterType};

/// Why bytes could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{malformed}")]
pub struct DecodeError {
    /// What is wrong with the message.
    pub malformed: Malformed,
    /// What the receiver has to do (RFC 5354 sections 3 and 4).
    pub reaction: Reaction,
}

/// What the receiver of a bad message has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Drop it silently.
    Discard,
    /// Drop it and answer with ASAP_ERROR or ENRP_ERROR that holds these causes: what stopped the reader comes
    /// last, behind skipped parameters that ask for a report.
    Report(OperationError),
}

/// What is wrong with a message. `at` is an offset from its first octet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The message, or the parameter, ends too early.
    #[error("message ends at octet {at} where {what} was expected")]
    Truncated {
        /// The offset at which it ends.
        at: usize,
        /// The field that was expected there.
        what: &'static str,
    },
    /// A length field is smaller than its own header, or points beyond what contains it.
    #[error("{what} at octet {at} has the impossible length {length}")]
    Length {
        /// The offset of the message, parameter or cause with that field.
        at: usize,
        /// The name of it.
        what: &'static str,
        /// The value of the length field.
        length: usize,
    },
    /// More octets follow the message than padding can explain.
    #[error("{extra} octets follow the end of the message")]
    Trailing {
        /// The number of octets that follow.
        extra: usize,
    },
    /// The message type is not known.
    #[error("unknown message type {0:#04x}")]
    UnknownMessage(u8),
    /// A parameter is not known, and the top bits of its type (00 or 01) ask receivers to stop there.
    #[error("unknown parameter {0:?}")]
    UnknownParameter(ParameterType),
    /// A known parameter is at a place where it is not permitted.
    #[error("parameter {found:?} at octet {at} is not expected here")]
    Unexpected {
        /// The offset of the parameter.
        at: usize,
        /// The type of the parameter.
        found: ParameterType,
    },
    /// A compulsory parameter is absent.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field holds a value that the RFC forbids.
    #[error("{what} at octet {at} has an invalid value")]
    Value {
        /// The offset of the field.
        at: usize,
        /// The name of the field.
        what: &'static str,
    },
}

impl Malformed {
    /// The offset at which the message is wrong, if there is a single one.
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
    /// A parameter or the message is longer than a 16-bit length can say: send fewer elements, or use a
    /// shorter handle.
    #[error("{0} is longer than 65,535 octets: send fewer elements, or a shorter handle")]
    TooLong(&'static str),
    /// The RFC requires at least one of these, and there is none: add one.
    #[error("there is no {0}, where at least one is needed: add one")]
    Missing(&'static str),
}
