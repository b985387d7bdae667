//! The applications of the simulated hosts, and what they observe.

mod client;
mod commands;
mod conversation;
mod load;
mod memory;
mod occasional;
mod server;

pub use client::Client;
pub(crate) use commands::Commands;
pub use conversation::{Conversation, Failover};
pub use load::Load;
pub use occasional::Occasional;
pub use server::{Closing, Server, Service};

use rserpool_core::{element, registrar, user};

/// A notice or an answer that a simulated application was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// By a registrar.
    Registrar(registrar::Notice),
    /// By an element.
    Element(element::Notice),
    /// By an element that was commanded.
    ElementAnswer(element::Answer),
    /// By a user.
    User(user::Notice),
    /// By a user that was commanded.
    UserAnswer(user::Answer),
    /// By an endpoint of your own, as text.
    Custom(String),
}

/// The protocol identifier of the simulated application.
pub(crate) const ECHO: rserpool_core::base::ProtocolId = rserpool_core::base::ProtocolId(0x1234);

/// The number of a request and of its answer: the first eight octets.
pub(crate) fn request_of(bytes: &[u8]) -> Option<user::RequestId> {
    bytes.first_chunk().map(|octets| user::RequestId(u64::from_be_bytes(*octets)))
}

/// The ninth octet of a request on which servers close the session, if they do so.
const POISON: u8 = 0xff;

/// Whether a request is one of those.
fn is_poison(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&POISON)
}
