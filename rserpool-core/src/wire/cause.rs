//! Error causes (RFC 5354 section 3.12).

use core::fmt;

use bytes::Bytes;

use super::code_point::code_points;
use super::writer::Writer;
use super::{Policy, PolicyType, Transport};

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

/// The most octets that a cause quotes (reading A18); what is longer is cut. An ENRP_ERROR with one such
/// cause, its header and two parameter headers, is as long as a 16-bit length can say.
pub(super) const MAX_INFORMATION: usize = 65_532 - 12 - 2 * 4;

/// One error cause.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct ErrorCause {
    /// The kind of error; determines what `information` holds.
    pub code: CauseCode,
    /// Information about the error, as it is on the wire.
    #[cfg_attr(feature = "arbitrary", arbitrary(with = super::generate::octets))]
    pub information: Bytes,
}

impl ErrorCause {
    /// A cause with empty information.
    pub const fn bare(code: CauseCode) -> Self {
        Self { code, information: Bytes::new() }
    }

    /// Cause 0x1, Unrecognized Parameter, with that parameter.
    pub fn unrecognized_parameter(tlv: Bytes) -> Self {
        Self::quoting(CauseCode::UNRECOGNIZED_PARAMETER, tlv)
    }

    /// Cause 0x2, Unrecognized Message, with that message.
    pub fn unrecognized_message(message: Bytes) -> Self {
        Self::quoting(CauseCode::UNRECOGNIZED_MESSAGE, message)
    }

    /// Cause 0x3, Invalid Values, with the parameter that holds them.
    pub fn invalid_values(tlv: Bytes) -> Self {
        Self::quoting(CauseCode::INVALID_VALUES, tlv)
    }

    /// Cause 0x5, Inconsistent Pooling Policy, with the policy of the pool.
    pub fn inconsistent_policy(pool: &Policy) -> Self {
        Self::quoting(CauseCode::INCONSISTENT_POLICY, Writer::quote(|w| pool.write(w)).unwrap_or_default())
    }

    /// Cause 0x7, Inconsistent Transport Type, with a transport of the kind that the pool has.
    pub fn inconsistent_transport(pool: &Transport) -> Self {
        Self::quoting(CauseCode::INCONSISTENT_TRANSPORT, Writer::quote(|w| pool.write(w)).unwrap_or_default())
    }

    /// The number of the policy that the information quotes, if it quotes one.
    fn policy(&self) -> Option<PolicyType> {
        let (&[0, 8, _, _, a, b, c, d], _) = self.information.split_first_chunk()? else { return None };
        Some(PolicyType(u32::from_be_bytes([a, b, c, d])))
    }

    /// A cause whose information is cut if an ERROR message could not hold it.
    fn quoting(code: CauseCode, mut information: Bytes) -> Self {
        information.truncate(MAX_INFORMATION);
        Self { code, information }
    }
}

impl fmt::Display for ErrorCause {
    /// The code, and the policy if it is a policy that is at fault.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code.fmt(f)?;
        match (self.code, self.policy()) {
            (CauseCode::INVALID_VALUES, Some(policy)) => write!(f, ": policy {policy}"),
            (CauseCode::INCONSISTENT_POLICY, Some(policy)) => write!(f, ": the pool has {policy}"),
            _ => Ok(()),
        }
    }
}
