//! What is going to happen, in the order of its time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;

use bytes::Bytes;
use rserpool_core::base::{ConnectId, Instant};
use rserpool_core::endpoint::Event;

use crate::fault::Fault;
use crate::id::HostId;
use crate::network::{Item, Side, Step};

/// Something that is going to happen.
#[derive(Clone, Debug)]
pub(crate) enum Occurrence {
    /// A process wants to be woken.
    Wake {
        host: HostId,
        life: u32,
    },
    /// A slow process is ready for the next input.
    Ready {
        host: HostId,
        life: u32,
    },
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
    Handshake {
        host: HostId,
        life: u32,
        request: ConnectId,
        step: Step,
    },
    Arrive {
        key: u64,
        side: Side,
        item: Item,
    },
    Abort {
        key: u64,
        side: Side,
    },
    Flush {
        key: u64,
        side: Side,
    },
    Silence {
        key: u64,
        side: Side,
    },
    GiveUp {
        key: u64,
        side: Side,
    },
    Orphan {
        key: u64,
        side: Side,
        once: bool,
    },
    CloseDeadline {
        key: u64,
        side: Side,
    },
    Fault(Fault),
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
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, at: Instant, occurrence: Occurrence) {
        self.sequence += 1;
        self.heap.push(Reverse(Entry { at, sequence: self.sequence, occurrence }));
    }

    /// What happens next, if that is not after `end`.
    pub(crate) fn pop_until(&mut self, end: Instant) -> Option<(Instant, Occurrence)> {
        self.heap.peek().filter(|Reverse(entry)| entry.at <= end)?;
        self.heap.pop().map(|Reverse(entry)| (entry.at, entry.occurrence))
    }
}
