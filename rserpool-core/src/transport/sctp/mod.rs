//! SCTP over UDP (RFC 6951): one socket, any number of associations, no I/O.
//!
//! ```text
//!   actions, events          Sctp (stack)          which association, which deadline
//!        │                      │
//!        │      ┌───────────────┼─────────────────┐
//!        │   dispatch        attempt          association   shutdown, heartbeats, silence
//!        │   cookie, stray   active side      ledger        what is queued, whose TSN is whose
//!        │      │               │             engine        sctp-proto: DATA and SACK
//!        │      └───────────────┼─────────────────┘
//!   datagrams               packet, chunk          octets, checksum
//! ```
//!
//! Handshake, shutdown, aborts and failure detection follow RFC 9260 and are done here; the
//! transfer of data is done by sctp-proto (see `engine`). An association has one path: multiple
//! homing, dynamic addresses, chunk authentication and path MTU discovery are not supported, and
//! a peer that changes its UDP port is lost.

mod association;
mod attempt;
mod chunk;
mod clock;
mod config;
mod cookie;
mod dispatch;
mod engine;
mod ledger;
mod liveness;
mod packet;
mod shared;
mod spent;
mod stack;
mod stray;
#[cfg(test)]
mod tests;

pub use config::{InvalidSctpConfig, SctpConfig};
pub use shared::Counters;
pub use stack::Sctp;
