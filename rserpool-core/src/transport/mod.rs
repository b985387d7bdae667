//! How messages travel: associations on one side, UDP datagrams on the other.
//!
//! A transport never looks into an ASAP or ENRP message; endpoints never see a packet. They meet
//! in the actions and events of [`crate::endpoint`]. SCTP over UDP is the first transport.

use core::net::SocketAddr;

use bytes::Bytes;

use crate::base::Instant;
use crate::endpoint::{Action, Event};

pub mod sctp;

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
/// It is driven like an endpoint: after every `handle_*` drain [`Stack::poll_event`] and
/// [`Stack::poll_datagram`] until `None`.
pub trait Stack {
    /// Accept associations on this SCTP port from now on.
    fn listen(&mut self, local_port: u16);

    /// Refuse whoever wants to associate from now on; what is open goes on.
    fn stop_listening(&mut self);

    /// A datagram has arrived.
    fn handle_datagram(&mut self, now: Instant, source: SocketAddr, bytes: Bytes);

    /// An endpoint wants something done. [`Action::Announce`] is not the stack's business and
    /// is ignored.
    fn handle_action(&mut self, now: Instant, action: Action);

    /// Time has passed; does nothing if no deadline is due.
    fn handle_timeout(&mut self, now: Instant);

    /// The next event for an endpoint.
    fn poll_event(&mut self) -> Option<Event>;

    /// The next datagram for the network.
    fn poll_datagram(&mut self) -> Option<Datagram>;

    /// The one deadline at which [`Stack::handle_timeout`] wants to be called.
    fn poll_timeout(&self) -> Option<Instant>;

    /// How many associations exist, attempts included; 0 means that the stack is idle.
    fn associations(&self) -> usize;
}
