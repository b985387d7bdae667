//! A modelled SCTP association: how it comes up, two ends, and a pipe in each direction.
//!
//! A pipe delivers in order and exactly once, after as many retransmissions as the cable makes
//! necessary. The rules by which associations come up and break are in [`crate::transport`].

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{AssociationId, Instant, ProtocolId, TransportAddress};

use crate::id::HostId;

/// What tells the associations of a host apart: its port, and the peer's address and port.
pub(crate) type Path = (u16, IpAddr, u16);

/// An attempt to connect.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) local_port: u16,
    pub(crate) peer: TransportAddress,
    /// The wait before the next try.
    pub(crate) rto: Duration,
    /// The association that the peer has accepted already.
    pub(crate) accepted: Option<u64>,
}

/// A step of a handshake, by the side that opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// INIT is sent.
    Init,
    /// The peer has no such port.
    Refused,
    /// The cookie comes back to the peer, in this life of its process.
    Cookie(HostId, u32),
    /// The peer's answer to that arrives.
    CookieAck(u64),
    /// It has taken too long.
    Deadline,
}

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// The end that opened the association.
    Opener,
    /// The end that accepted it.
    Acceptor,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Opener, Self::Acceptor];

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Opener => Self::Acceptor,
            Self::Acceptor => Self::Opener,
        }
    }
}

/// What travels through a pipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Message {
        protocol: ProtocolId,
        stream: u16,
        bytes: Bytes,
    },
    /// The sender has delivered everything and closes.
    Shutdown,
    /// The sender has delivered everything after the peer wanted to close.
    ShutdownAck,
}

/// How far an end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The handshake is not complete.
    Opening,
    Up,
    /// It closes; what was queued before is still delivered.
    Closing,
    /// Its process does not know it any more.
    Gone,
}

/// One end of an association.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) host: HostId,
    pub(crate) id: AssociationId,
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    pub(crate) state: State,
    /// When the peer counts as silent, unless it is heard before.
    pub(crate) silent_at: Option<Instant>,
    /// Its heartbeats will find out that the peer does not know the association.
    pub(crate) watched: bool,
    /// What it could not send yet.
    pub(crate) unsent: VecDeque<Item>,
    /// When the last thing it has sent arrives.
    pub(crate) last_arrival: Instant,
}

impl End {
    /// Whether its process still knows it.
    pub(crate) const fn is_known(&self) -> bool {
        !matches!(self.state, State::Gone)
    }
}

/// An association.
#[derive(Debug)]
pub(crate) struct Association {
    pub(crate) opener: End,
    pub(crate) acceptor: End,
}

impl Association {
    pub(crate) const fn end(&self, side: Side) -> &End {
        match side {
            Side::Opener => &self.opener,
            Side::Acceptor => &self.acceptor,
        }
    }

    /// What tells it apart on the host of one end.
    pub(crate) const fn path(&self, side: Side) -> Path {
        let (own, peer) = (self.end(side), self.end(side.other()));
        (own.port, peer.address, peer.port)
    }

    pub(crate) const fn end_mut(&mut self, side: Side) -> &mut End {
        match side {
            Side::Opener => &mut self.opener,
            Side::Acceptor => &mut self.acceptor,
        }
    }
}
