//! Octets from a peer, decoded, with the report that the RFC asks for. Every role and both protocols begin
//! here; what the message means is decided by the role.

use bytes::Bytes;

use crate::wire::{AsapMessage, DecodeError, Decoded, OperationError, Padding, Reaction};

/// What the octets of a message turned out to be.
pub(crate) struct Received<M> {
    /// The message, or why it cannot be read.
    pub(crate) message: Result<M, DecodeError>,
    /// What the sender is told with ASAP_ERROR or ENRP_ERROR (RFC 5354 section 3, ASAP-2.2.14-02: report
    /// unknown parameters and messages that ask for it). The decoder never asks for a report on an error
    /// message itself: two receivers would never stop.
    pub(crate) report: Option<OperationError>,
}

impl<M> From<Result<Decoded<M>, DecodeError>> for Received<M> {
    fn from(decoded: Result<Decoded<M>, DecodeError>) -> Self {
        match decoded {
            Ok(Decoded { message, report }) => {
                let report = (!report.is_empty()).then_some(OperationError { causes: report });
                Self { message: Ok(message), report }
            }
            Err(error) => {
                let report = match &error.reaction {
                    Reaction::Discard => None,
                    Reaction::Report(error) => Some(error.clone()),
                };
                Self { message: Err(error), report }
            }
        }
    }
}

/// ASAP_ERROR with this report; `None` if it quotes so much that no message can hold it.
pub(crate) fn asap_error(report: OperationError, padding: Padding) -> Option<Bytes> {
    AsapMessage::Error { error: report }.encode(padding).ok()
}
