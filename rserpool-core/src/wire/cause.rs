//! Error causes (RFC 5354 section 3.12).

use alloc::vec::Vec;

use bytes::Bytes;

/// The code of an error cause, known or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct CauseCode(pub u16);

impl CauseCode {
    /// Unspecified Error.
    pub const UNSPECIFIED: Self = Self(0x0);
    /// Unrecognized Parameter; carries the parameter.
    pub const UNRECOGNIZED_PARAMETER: Self = Self(0x1);
    /// Unrecognized Message; carries the message.
    pub const UNRECOGNIZED_MESSAGE: Self = Self(0x2);
    /// Invalid Values; carries the parameter that holds them.
    pub const INVALID_VALUES: Self = Self(0x3);
    /// Non-unique PE Identifier.
    pub const NON_UNIQUE_IDENTIFIER: Self = Self(0x4);
    /// Inconsistent Pooling Policy; carries the pool's policy parameter.
    pub const INCONSISTENT_POLICY: Self = Self(0x5);
    /// Lack of Resources.
    pub const LACK_OF_RESOURCES: Self = Self(0x6);
    /// Inconsistent Transport Type; carries a transport parameter of the pool's type.
    pub const INCONSISTENT_TRANSPORT: Self = Self(0x7);
    /// Inconsistent Data/Control Configuration.
    pub const INCONSISTENT_TRANSPORT_USE: Self = Self(0x8);
    /// Unknown Pool Handle.
    pub const UNKNOWN_POOL_HANDLE: Self = Self(0x9);
    /// Rejected for security reasons.
    pub const SECURITY: Self = Self(0xa);
}

/// One error cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorCause {
    /// What is wrong.
    pub code: CauseCode,
    /// Cause-specific information, as it is on the wire.
    pub information: Bytes,
}

impl ErrorCause {
    /// A cause without information.
    pub const fn bare(code: CauseCode) -> Self {
        Self { code, information: Bytes::new() }
    }
}

/// The Operation Error parameter: one cause or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationError {
    /// The causes.
    pub causes: Vec<ErrorCause>,
}

impl From<ErrorCause> for OperationError {
    fn from(cause: ErrorCause) -> Self {
        Self { causes: alloc::vec![cause] }
    }
}

/// The causes as one line of text, for error messages.
pub(crate) fn causes_text(error: &Option<OperationError>) -> alloc::string::String {
    use core::fmt::Write;
    let mut text = alloc::string::String::new();
    for cause in error.iter().flat_map(|e| &e.causes) {
        let separator = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{separator}cause {:#x}", cause.code.0);
    }
    if text.is_empty() { "no cause given".into() } else { text }
}
