//! The transports of Reliable Server Pooling (RFC 5351 to 5356), without I/O.
//!
//! Associations on one side, UDP datagrams or TCP connections on the other. A transport never looks into
//! an ASAP or ENRP message (of a message over TCP it reads the length); endpoints never see a packet. They
//! meet in the actions and events of [`rserpool_core::endpoint`].
//!
//! ```text
//!        datagrams, octets of TCP connections, the present time
//!            │ handle_*                        ▲ poll_*
//!   ┌────────▼─────────────────────────────────┴───────────────┐
//!   │ node         several endpoints share one transport       │
//!   ├──────────────────────────────────────────────────────────┤
//!   │ Carriers     both of these side by side                  │
//!   │   sctp       SCTP over UDP (RFC 6951), for everything    │
//!   │   tcp        ASAP over TCP, for pool users               │
//!   └────────┬─────────────────────────────────▲───────────────┘
//!      Event │                                 │ Action
//!   ┌────────▼─────────────────────────────────┴───────────────┐
//!   │ rserpool-core     registrar, element, user, inspector    │
//!   └──────────────────────────────────────────────────────────┘
//! ```
//!
//! # Example
//!
//! A registrar on one blocking socket: `cargo run -p rserpool-transport --example blocking` runs it.
//!
//! ```no_run
#![doc = include_str!("../examples/blocking.rs")]
//! ```
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `dcsctp` | SCTP on the library dcsctp, to be chosen by type. It is not `Send`, therefore not for `rserpool-driver` |
#![cfg_attr(docsrs, feature(doc_cfg))]

use core::net::SocketAddr;

use bytes::Bytes;

use rserpool_core::base::Instant;
use rserpool_core::endpoint::{Action, Event};

mod carriers;
mod connection;
pub mod node;
pub mod sctp;
pub mod tcp;

pub use carriers::Carriers;
pub use connection::{ConnectionAction, ConnectionEvent, ConnectionId};

/// A datagram to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Where to.
    pub destination: SocketAddr,
    /// What.
    pub bytes: Bytes,
}

/// A transport stack: datagrams and actions in, datagrams and events out, one deadline.
///
/// It is driven like an endpoint: after every `handle_*` drain [`Stack::poll_event`],
/// [`Stack::poll_datagram`] and [`Stack::poll_connection`] until `None`. A stack without TCP leaves
/// what concerns connections as it is.
pub trait Stack {
    /// Accept associations on this SCTP port from now on.
    fn listen(&mut self, local_port: u16);

    /// Refuse whoever wants to associate from now on; what is open goes on.
    fn stop_listening(&mut self);

    /// A datagram has arrived.
    fn handle_datagram(&mut self, now: Instant, source: SocketAddr, bytes: Bytes);

    /// Somebody has connected by TCP; `None` if he is to be dropped at once.
    fn accept(&mut self, _now: Instant, _peer: SocketAddr) -> Option<ConnectionId> {
        None
    }

    /// Something has happened to a TCP connection.
    fn handle_connection(&mut self, _now: Instant, _connection: ConnectionId, _event: ConnectionEvent) {}

    /// Whether to read from a TCP connection. What the peer sends meanwhile stays where it is, so that
    /// it has to wait.
    fn reads(&self, _connection: ConnectionId) -> bool {
        false
    }

    /// An endpoint wants something done. [`Action::Announce`] is not the stack's business and
    /// is ignored.
    fn handle_action(&mut self, now: Instant, action: Action);

    /// Time has passed; does nothing if no deadline is due.
    fn handle_timeout(&mut self, now: Instant);

    /// The next event for an endpoint.
    fn poll_event(&mut self) -> Option<Event>;

    /// The next datagram for the network.
    fn poll_datagram(&mut self) -> Option<Datagram>;

    /// The next thing to be done with a TCP connection.
    fn poll_connection(&mut self) -> Option<ConnectionAction> {
        None
    }

    /// The one deadline at which [`Stack::handle_timeout`] wants to be called.
    fn poll_timeout(&self) -> Option<Instant>;

    /// How many associations exist, attempts included; 0 means that the stack is idle.
    fn associations(&self) -> usize;
}
