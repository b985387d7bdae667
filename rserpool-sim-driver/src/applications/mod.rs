//! The applications of the simulated hosts, and what they observe.

mod client;
mod commands;
mod server;

pub use client::{Client, Conversation, Failover, Load};
pub(crate) use commands::Commands;
pub use server::{Server, Service};

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
