//! A modelled SCTP association: two ends and a pipe in each direction.
//!
//! A pipe delivers in order and exactly once, after as many retransmissions as the link makes
//! necessary. The rules by which associations come up and break are in [`crate::transport`].

use std::collections::VecDeque;
use std::net::IpAddr;

use bytes::Bytes;
use rserpool_core::base::{AssociationId, Instant, ProtocolId};

use crate::HostId;
use crate::host::Path;

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
