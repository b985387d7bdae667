//! The messages of ASAP (RFC 5352) and ENRP (RFC 5353) and their parameters (RFC 5354), typed.
//!
//! This module turns bytes into messages and messages into bytes. What a message *means* to a registrar, an
//! element or a user is decided by the modules above. Decoding never panics, allocates in proportion to the
//! message, and shares opaque content (handles, cookies, causes) with the input instead of copying it.
//! Unknown code points are kept, not refused. If a message cannot be decoded, the error says which reaction
//! the RFCs ask for: silence, or an ERROR with a cause.
//!
//! ```
//! use rserpool_core::wire::{AsapMessage, Padding, Reaction, describe_asap};
//!
//! let question = AsapMessage::HandleResolution {
//!     handle: "EchoPool".into(),
//!     subscribe: false,
//!     items: Some(3),
//! };
//! let octets = question.encode(Padding::Strict)?;
//! assert_eq!(AsapMessage::decode(&octets)?.message, question);
//! println!("{}", describe_asap(&octets));
//!
//! let unknown = bytes::Bytes::from_static(&[0x42, 0, 0, 4]);
//! let error = AsapMessage::decode(&unknown).unwrap_err();
//! assert!(matches!(error.reaction, Reaction::Report(error) if error.causes[0].information == unknown));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use alloc::vec::Vec;

mod addresses;
mod asap;
mod cause;
mod code_point;
mod enrp;
mod error;
#[cfg(feature = "arbitrary")]
mod generate;
mod measure;
mod message;
mod operation_error;
mod padding;
mod parameter;
mod policy;
mod policy_text;
mod quote;
mod reach;
mod reader;
#[cfg(feature = "proptest")]
pub mod strategy;
#[cfg(test)]
mod tests;
mod transport;
mod tree;
mod writer;

pub use addresses::Addresses;
pub use asap::{AsapMessage, AsapType};

pub use cause::{CauseCode, ErrorCause};
pub use enrp::{EnrpBody, EnrpMessage, EnrpType, UpdateAction};
pub use error::{DecodeError, EncodeError, Malformed, Reaction};
pub(crate) use measure::{octets_for_users, octets_of_element, octets_of_handle, room_for_elements};
pub use operation_error::OperationError;
pub(crate) use operation_error::causes_text;
pub use padding::Padding;
pub use parameter::{
    EncapsulationPorts, LifeUnit, ParameterType, PoolElement, PoolEntry, RegistrationLife, ServerInformation,
};
pub use policy::{Policy, PolicyField, PolicyType};
pub use policy_text::ParsePolicyError;
pub use transport::{SctpTransport, Transport, TransportKind, TransportUse};
pub use tree::{Field, describe_asap, describe_enrp};

/// A decoded message, with what its receiver has to report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded<M> {
    /// The message itself.
    pub message: M,
    /// Parameters that were skipped and have to be reported, as the top bits 11 of their type ask (RFC 5354
    /// section 3): for each, an Unrecognized Parameter cause that quotes it.
    pub report: Vec<ErrorCause>,
}
