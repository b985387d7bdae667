//! What is going to happen, in the order of its time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;

use bytes::Bytes;
use rserpool_core::base::{ConnectId, Instant, ProtocolId};
use rserpool_core::endpoint::{AbortCause, Event};
use rserpool_transport::Undelivered;

use crate::fault::Fault;
use crate::id::HostId;

/// Something that is going to happen. `life` is the number of the process that it is meant for: what was
/// meant for an earlier process of the host does not happen.
#[derive(Clone, Debug)]
pub(crate) enum Occurrence {
    /// A process has asked to be woken.
    Wake {
        host: HostId,
        life: u32,
    },
    /// A slow process is ready for the next input.
    Ready {
        host: HostId,
        life: u32,
    },
    /// A process is handed an event.
    Input {
        host: HostId,
        life: u32,
        event: Event,
    },
    /// A datagram of an SCTP stack arrives.
    Datagram {
        source: SocketAddr,
        destination: SocketAddr,
        bytes: Bytes,
    },
    /// A host is told that a datagram was not delivered.
    Undelivered {
        host: HostId,
        undelivered: Undelivered,
    },
    Association(AssociationStep),
    Fault(Fault),
}

/// What happens to a modelled association. `key` names it in the world; `side` is the end that it happens to.
#[derive(Clone, Debug)]
pub(crate) enum AssociationStep {
    Handshake {
        host: HostId,
        life: u32,
        request: ConnectId,
        step: HandshakeStep,
    },
    Arrive {
        key: u64,
        side: Side,
        item: Item,
    },
    /// An ABORT arrives.
    Abort {
        key: u64,
        side: Side,
        cause: AbortCause,
    },
    /// What could not be sent is sent.
    Flush {
        key: u64,
        side: Side,
    },
    /// The peer is given up, unless it was heard meanwhile.
    Silence {
        key: u64,
        side: Side,
    },
    /// The peer is given up.
    GiveUp {
        key: u64,
        side: Side,
    },
    /// A packet is sent to a peer that does not know the association.
    Orphan {
        key: u64,
        side: Side,
        repeat: Repeat,
    },
    CloseDeadline {
        key: u64,
        side: Side,
    },
}

/// A step of a handshake, by the side that opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandshakeStep {
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

/// One of the two ends of an association.
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

/// What travels through an association.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Message {
        protocol: ProtocolId,
        stream: u16,
        bytes: Bytes,
    },
    /// A part of a message that takes long on a slow cable.
    Part,
    /// The sender has delivered everything and closes.
    Shutdown,
    /// The sender has delivered everything after the peer wanted to close.
    ShutdownAck,
}

/// Whether a packet is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Once only.
    Never,
    /// With every heartbeat, until it is answered.
    EachHeartbeat,
}

/// An entry of the heap: earliest first, and of those at the same time the one scheduled first.
#[derive(Debug)]
struct Entry {
    at: Instant,
    sequence: u64,
    occurrence: Occurrence,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.sequence == other.sequence
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

/// The heap of what is going to happen.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    heap: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
    /// The time of what happened last.
    last: Instant,
}

impl Schedule {
    /// Adds something that happens at `at`, after what was added earlier for the same time.
    pub(crate) fn add(&mut self, at: Instant, occurrence: Occurrence) {
        debug_assert!(at >= self.last, "{occurrence:?} is scheduled for {at:?}, and it is {:?}", self.last);
        self.sequence += 1;
        self.heap.push(Reverse(Entry { at, sequence: self.sequence, occurrence }));
    }

    pub(crate) fn add_step(&mut self, at: Instant, step: AssociationStep) {
        self.add(at, Occurrence::Association(step));
    }

    /// What happens next, if that is not after `end`.
    pub(crate) fn pop_until(&mut self, end: Instant) -> Option<(Instant, Occurrence)> {
        self.heap.peek().filter(|Reverse(entry)| entry.at <= end)?;
        let Reverse(entry) = self.heap.pop()?;
        self.last = entry.at;
        Some((entry.at, entry.occurrence))
    }
}
