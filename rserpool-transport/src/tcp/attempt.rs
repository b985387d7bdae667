//! Opening a connection to a peer that may have several addresses.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;

use rserpool_core::base::{Instant, MAX_TRIED_ADDRESSES, SctpPort, TransportAddress, is_usable_address};
use rserpool_core::endpoint::ConnectError;

use super::config::TcpConfig;
use crate::ConnectionId;

/// An attempt: its addresses are tried one after the other, the next when one has failed or has not
/// answered for a while.
#[derive(Debug)]
pub(super) struct Attempt {
    /// Told again when it succeeds.
    pub(super) peer: TransportAddress,
    pub(super) local_port: SctpPort,
    deadline: Instant,
    /// When the next address is tried; meaningless when there is none.
    next: Instant,
    left: VecDeque<SocketAddr>,
    /// The connections that are being opened.
    pub(super) opening: BTreeSet<ConnectionId>,
    /// Why the last one failed.
    pub(super) error: ConnectError,
}

/// What is to be done about an attempt at a certain time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing yet.
    Wait,
    /// Try this address.
    Try(SocketAddr),
    /// Its time is over.
    GiveUp,
}

impl Attempt {
    /// An attempt that has not begun; `None` if no address can be reached at all.
    pub(super) fn new(
        now: Instant,
        local_port: SctpPort,
        peer: TransportAddress,
        deadline: Instant,
    ) -> Option<Self> {
        let usable = peer.sockets().filter(|socket| is_usable_address(&socket.ip()));
        let left: VecDeque<_> = usable.take(MAX_TRIED_ADDRESSES).collect();
        if left.is_empty() || !peer.is_complete() {
            return None;
        }
        let (opening, error) = (BTreeSet::new(), ConnectError::TimedOut);
        Some(Self { peer, local_port, deadline, next: now, left, opening, error })
    }

    /// What to do now. An address that is to be tried is not named again.
    pub(super) fn due(&mut self, now: Instant, config: &TcpConfig) -> Due {
        if self.deadline <= now {
            return Due::GiveUp;
        }
        if self.next > now && !self.opening.is_empty() {
            return Due::Wait;
        }
        match self.left.pop_front() {
            Some(address) => {
                self.next = now + config.stagger;
                Due::Try(address)
            }
            None if self.opening.is_empty() => Due::GiveUp,
            None => Due::Wait,
        }
    }

    /// When [`Attempt::due`] wants to be asked again.
    pub(super) fn deadline(&self) -> Instant {
        if self.left.is_empty() { self.deadline } else { self.next.min(self.deadline) }
    }
}
