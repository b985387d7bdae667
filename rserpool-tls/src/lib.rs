//! TLS 1.3 between a transport and its endpoints (RFC 5352 section 9, RFC 5353 section 6), without I/O.
//!
//! ```text
//!        datagrams, octets of TCP connections, the present time
//!            │ handle_*                        ▲ poll_*
//!   ┌────────▼─────────────────────────────────┴───────────────┐
//!   │ rserpool-transport     associations and connections      │
//!   └────────┬─────────────────────────────────▲───────────────┘
//!     Event: │ records of TLS          Action: │ records of TLS
//!   ┌────────▼─────────────────────────────────┴───────────────┐
//!   │ Secured      handshake, then messages                    │
//!   └────────┬─────────────────────────────────▲───────────────┘
//!     Event: │ messages, and who says them     │ Action: messages
//!   ┌────────▼─────────────────────────────────┴───────────────┐
//!   │ rserpool-core     registrar, element, user, inspector    │
//!   └──────────────────────────────────────────────────────────┘
//! ```
//!
//! Endpoints hear of an association when its handshake has succeeded. What the peer has proved to be stands in
//! [`Connected::security`](rserpool_core::endpoint::Connected::security); what it may do is for the endpoint to judge.
//!
//! # On the wire
//!
//! One connection of TLS runs over stream 0 of an association, each record in one message (RFC 3436 sections 3.2 and
//! 5), or over a TCP connection. Inside, messages of ASAP and ENRP follow each other, each as long as its own header
//! says and filled up to a multiple of four. Which of the two it is, the port of the end that was connected to tells.
//! Everything else, such as the data of sessions, has a header of 12 octets, big-endian, before it (reading T1):
//!
//! | octets | content |
//! |---|---|
//! | 1 | 255: no type of a message of ASAP or ENRP |
//! | 1 | 0, and ignored |
//! | 2 | the stream on which the message was sent |
//! | 4 | its payload protocol identifier |
//! | 4 | its length in octets: 1 to 1,048,576 |
//!
//! # Time and randomness
//!
//! The time is handed in, as everywhere ([`Tls::new`] says what the origin of time is on the calendar). Keys must be
//! secret, so the randomness of TLS comes from the operating system and not from a seed: the same inputs cause the same
//! events in the same order, but other octets in the records.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod clock;
mod credentials;
mod error;
mod frames;
mod identity;
mod link;
mod secured;
mod settings;
mod verifier;

pub use credentials::Credentials;
pub use error::TlsError;
pub use secured::Secured;
pub use settings::{ServerNames, Settings, Tls};

/// SCTP and TCP port of ASAP over TLS (RFC 5352 section 8.2).
pub const ASAP_TLS_PORT: u16 = 3864;

/// SCTP port of ENRP over TLS (RFC 5353 section 5.3).
pub const ENRP_TLS_PORT: u16 = 9902;
