//! Receiving ASAP: what every role does with bytes before it looks at the message.

use bytes::Bytes;

use crate::wire::{AsapMessage, OperationError, Padding, Reaction};

/// What bytes with the payload protocol identifier of ASAP turned out to be.
pub(crate) struct Received {
    /// The message, if there is one.
    pub(crate) message: Option<AsapMessage>,
    /// ASAP_ERROR for the sender, if the RFC asks for a report.
    pub(crate) answer: Option<Bytes>,
}

/// Decodes a message and prepares the report that RFC 5354 section 3 asks for (ASAP-2.2.14-02). The
/// decoder never asks for one on ASAP_ERROR itself.
pub(crate) fn receive(bytes: &Bytes, padding: Padding) -> Received {
    let (message, error) = match AsapMessage::decode(bytes) {
        Ok(decoded) if decoded.report.is_empty() => (Some(decoded.message), None),
        Ok(decoded) => (Some(decoded.message), Some(OperationError { causes: decoded.report })),
        Err(error) => match error.reaction {
            Reaction::Discard => (None, None),
            Reaction::Report(cause) => (None, Some(cause.into())),
        },
    };
    let answer = error.and_then(|error| AsapMessage::Error { error }.encode(padding).ok());
    Received { message, answer }
}
