//! Error causes (RFC 5354 section 3.12).

use bytes::Bytes;

use super::code_point::code_points;
use super::writer::Writer;
use super::{Policy, Transport};

/// The code of an error cause, known or not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct CauseCode(pub u16);

// The last four are private to RSPLIB (reading A19).
code_points!(CauseCode, "{:#06x}", {
    UNSPECIFIED = 0x0 => "Unspecified Error",
    UNRECOGNIZED_PARAMETER = 0x1 => "Unrecognized Parameter",
    UNRECOGNIZED_MESSAGE = 0x2 => "Unrecognized Message",
    INVALID_VALUES = 0x3 => "Invalid Values",
    NON_UNIQUE_IDENTIFIER = 0x4 => "Non-unique PE Identifier",
    INCONSISTENT_POLICY = 0x5 => "Inconsistent Pooling Policy",
    LACK_OF_RESOURCES = 0x6 => "Lack of Resources",
    INCONSISTENT_TRANSPORT = 0x7 => "Inconsistent Transport Type",
    INCONSISTENT_TRANSPORT_USE = 0x8 => "Inconsistent Data/Control Configuration",
    UNKNOWN_POOL_HANDLE = 0x9 => "Unknown Pool Handle",
    SECURITY = 0xa => "Rejected due to security considerations",
    PRIVATE_INVALID_MESSAGE = 0x10 => "Invalid Message",
    PRIVATE_INVALID_VALUE = 0x11 => "Invalid Value",
    PRIVATE_WRONG_PROTOCOL = 0x100a => "Wrong Protocol",
    PRIVATE_UNSUPPORTED_POLICY = 0x100b => "Unsupported Policy",
});

/// How many octets a cause may quote: so many that an ENRP_ERROR with this one cause is not longer
/// than a length of 16 bits can say (reading A18). What is longer is cut.
/// Both ENRP's header and two parameter headers are taken off.
pub(super) const MAX_INFORMATION: usize = 65_532 - 12 - 2 * 4;

/// One error cause.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct ErrorCause {
    /// What is wrong.
    pub code: CauseCode,
    /// Cause-specific information, as it is on the wire.
    #[cfg_attr(feature = "arbitrary", arbitrary(with = super::generate::octets))]
    pub information: Bytes,
}

impl ErrorCause {
    /// A cause without information.
    pub const fn bare(code: CauseCode) -> Self {
        Self { code, information: Bytes::new() }
    }

    /// Cause 0x1 with the parameter that is not known.
    pub fn unrecognized_parameter(tlv: Bytes) -> Self {
        Self::quoting(CauseCode::UNRECOGNIZED_PARAMETER, tlv)
    }

    /// Cause 0x2 with the message that is not known.
    pub fn unrecognized_message(message: Bytes) -> Self {
        Self::quoting(CauseCode::UNRECOGNIZED_MESSAGE, message)
    }

    /// Cause 0x3 with the parameter that holds the invalid values.
    pub fn invalid_values(tlv: Bytes) -> Self {
        Self::quoting(CauseCode::INVALID_VALUES, tlv)
    }

    /// Cause 0x5 with the policy of the pool.
    pub fn inconsistent_policy(pool: &Policy) -> Self {
        Self::quoting(CauseCode::INCONSISTENT_POLICY, Writer::quote(|w| pool.write(w)).unwrap_or_default())
    }

    /// Cause 0x7 with a transport of the kind that the pool has.
    pub fn inconsistent_transport(pool: &Transport) -> Self {
        Self::quoting(CauseCode::INCONSISTENT_TRANSPORT, Writer::quote(|w| pool.write(w)).unwrap_or_default())
    }

    /// A cause with information, cut so that an ERROR message with this one cause can be encoded.
    fn quoting(code: CauseCode, mut information: Bytes) -> Self {
        information.truncate(MAX_INFORMATION);
        Self { code, information }
    }
}
