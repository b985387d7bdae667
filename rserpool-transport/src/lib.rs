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
use rserpool_core::base::{Instant, SctpPort};
use rserpool_core::endpoint::{Action, Event, Reservation, TransportCounters};

mod carriers;
mod connection;
mod families;
pub mod node;
mod places;
pub mod sctp;
pub mod tcp;

pub use carriers::Carriers;
pub use connection::{ConnectionAction, ConnectionEvent, ConnectionId};
pub use families::reaches;

/// A datagram to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Where to.
    pub destination: SocketAddr,
    /// What.
    pub bytes: Bytes,
}

/// A datagram of ours that the network has returned, as an operating system reports it (Linux: `IP_RECVERR`).
/// Anybody may have made that up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// Where the datagram went.
    pub destination: SocketAddr,
    /// What was in its way.
    pub obstacle: Obstacle,
    /// The first octets of the datagram, without the UDP header; as many as the network has returned.
    pub quote: Bytes,
}

/// Why a datagram was not delivered: the codes of ICMP (RFC 792, RFC 1122 section 3.2.2.1) and ICMPv6 (RFC 4443) by
/// what follows from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Nobody listens at the UDP port, or the host does not know UDP.
    PortClosed,
    /// The host or its network cannot be reached, or a router does not let us. Routes come and go.
    NoRoute,
    /// The datagram is larger than a link on the way.
    TooBig {
        /// How many octets the link carries, IP header included.
        mtu: u32,
    },
}

/// A transport stack: actions in, events out, one deadline.
///
/// It is driven like an endpoint: after every call that takes `&mut self`, drain [`Stack::poll_event`] until
/// `None`. How it reaches its peers is not said here: a stack over UDP also implements [`Datagrams`], one over
/// TCP [`Streams`], and one over something else, say a kernel's own SCTP sockets, whatever its driver asks for.
pub trait Stack {
    /// Accept associations on this SCTP port from now on.
    fn listen(&mut self, local_port: SctpPort);

    /// Refuse new associations that peers want to open from now on; those that are open go on.
    fn stop_listening(&mut self);

    /// An endpoint wants something done. [`Action::Announce`] is not the stack's business and
    /// is ignored.
    fn handle_action(&mut self, now: Instant, action: Action);

    /// Time has passed; does nothing if no deadline is due. If very many are, it serves some of them, and
    /// [`Stack::poll_timeout`] is still not later than `now`: call it again when what has arrived is handled.
    fn handle_timeout(&mut self, now: Instant);

    /// The next event for an endpoint.
    fn poll_event(&mut self) -> Option<Event>;

    /// The one deadline at which [`Stack::handle_timeout`] wants to be called.
    fn poll_timeout(&self) -> Option<Instant>;

    /// What has been counted since the start, for those who ask an endpoint for counters. By default nothing.
    fn counters(&self) -> TransportCounters {
        TransportCounters::default()
    }

    /// An endpoint wants room to be kept; see [`Reservation`]. By default nothing is done, as suits a stack without a
    /// limit.
    fn reserve(&mut self, _reservation: Reservation) {}

    /// How many associations exist, attempts included; 0 means that the stack is idle.
    fn associations(&self) -> usize;
}

/// The side of a stack that faces a UDP socket. Drain [`Datagrams::poll_datagram`] after every call of
/// [`Stack`] or of this trait that takes `&mut self`.
pub trait Datagrams {
    /// A datagram has arrived.
    fn handle_datagram(&mut self, now: Instant, source: SocketAddr, bytes: Bytes);

    /// The network has returned a datagram. It is for the stack to decide whether that is believed; by default it
    /// is not.
    fn handle_undelivered(&mut self, _now: Instant, _undelivered: Undelivered) {}

    /// The next datagram for the network.
    fn poll_datagram(&mut self) -> Option<Datagram>;
}

/// The side of a stack that faces TCP connections. Drain [`Streams::poll_connection`] after every call of
/// [`Stack`] or of this trait that takes `&mut self`.
pub trait Streams {
    /// A client has connected. `None`: drop the connection.
    fn accept(&mut self, now: Instant, peer: SocketAddr) -> Option<ConnectionId>;

    /// Something has happened to a connection; one that is gone already does not matter.
    fn handle_connection(&mut self, now: Instant, connection: ConnectionId, event: ConnectionEvent);

    /// Whether to read from a connection at the moment. Octets that are not read wait in the network, and
    /// then the peer has to wait.
    fn reads(&self, connection: ConnectionId) -> bool;

    /// The next thing to be done with a connection.
    fn poll_connection(&mut self) -> Option<ConnectionAction>;
}
