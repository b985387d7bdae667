//! The Operation Error parameter (0xc, RFC 5354 section 3.12): error causes in a message.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::reader::{Fault, Reader, Tlv};
use super::writer::Writer;
use super::{CauseCode, EncodeError, ErrorCause, ParameterType};

/// The Operation Error parameter (RFC 5354 section 3.12).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct OperationError {
    /// At least one cause.
    #[cfg_attr(feature = "arbitrary", arbitrary(with = super::generate::some))]
    pub causes: Vec<ErrorCause>,
}

impl OperationError {
    pub(super) fn read(reader: &mut Reader<'_>, tlv: &Tlv) -> Result<Self, Fault> {
        let mut inner = reader.enter(tlv);
        let mut causes = Vec::new();
        while let Some((code, information)) = inner.cause()? {
            causes.push(ErrorCause { code: CauseCode(code), information });
        }
        if causes.is_empty() { Err(inner.missing("error cause")) } else { Ok(Self { causes }) }
    }

    pub(super) fn take(reader: &mut Reader<'_>) -> Result<Option<Self>, Fault> {
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

impl fmt::Display for OperationError {
    /// The causes as one line of text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.causes.is_empty() {
            return f.write_str("no cause given");
        }
        for (n, cause) in self.causes.iter().enumerate() {
            let separator = if n == 0 { "" } else { ", " };
            write!(f, "{separator}{cause}")?;
        }
        Ok(())
    }
}

/// The causes as one line of text, for error messages.
pub(crate) fn causes_text(error: &Option<OperationError>) -> String {
    error.as_ref().map_or_else(|| "no cause given".into(), OperationError::to_string)
}
