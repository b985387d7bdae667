//! Error causes (RFC 5354 section 3.12).

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::code_point::code_points;
use super::reader::{Reader, Tlv};
use super::writer::Writer;
use super::{DecodeError, EncodeError, ParameterType, Policy, Transport};

/// The code of an error cause, known or not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct CauseCode(pub u16);

// The last four are private to RSPLIB (`ambiguities` A19).
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
/// than a length of 16 bits can say (`ambiguities` A18). What is longer is cut.
pub(super) const MAX_INFORMATION: usize = 65_532 - 12 - 2 * Tlv::HEADER;

/// The next multiple of four.
pub(super) const fn padded(length: usize) -> usize {
    length.next_multiple_of(4)
}

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

/// The Operation Error parameter: one cause or more.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct OperationError {
    /// The causes.
    #[cfg_attr(feature = "arbitrary", arbitrary(with = super::generate::some))]
    pub causes: Vec<ErrorCause>,
}

impl OperationError {
    pub(super) fn read(reader: &mut Reader<'_>, tlv: &Tlv) -> Result<Self, DecodeError> {
        let mut inner = reader.enter(tlv);
        let mut causes = Vec::new();
        while let Some((code, information)) = inner.cause()? {
            causes.push(ErrorCause { code: CauseCode(code), information });
        }
        if causes.is_empty() { Err(inner.missing("error cause")) } else { Ok(Self { causes }) }
    }

    pub(super) fn take(reader: &mut Reader<'_>) -> Result<Option<Self>, DecodeError> {
        match reader.take(ParameterType::OPERATION_ERROR)? {
            Some(tlv) => Self::read(reader, &tlv).map(Some),
            None => Ok(None),
        }
    }

    pub(super) fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        if self.causes.is_empty() {
            return Err(EncodeError::Missing("error cause"));
        }
        writer.parameter(ParameterType::OPERATION_ERROR, |w| {
            self.causes.iter().try_for_each(|cause| {
                w.tlv(cause.code.0, cause.code.name(), |w| {
                    w.octets(&cause.information);
                    Ok(())
                })
            })
        })
    }
}

impl From<ErrorCause> for OperationError {
    fn from(cause: ErrorCause) -> Self {
        Self { causes: alloc::vec![cause] }
    }
}

/// The causes as one line of text, for error messages.
pub(crate) fn causes_text(error: &Option<OperationError>) -> String {
    use core::fmt::Write;
    let mut text = String::new();
    for cause in error.iter().flat_map(|e| &e.causes) {
        let separator = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{separator}{}", cause.code);
    }
    if text.is_empty() { "no cause given".into() } else { text }
}
