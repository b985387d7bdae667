//! One modelled association: two ends, and what each host knows of it.
//!
//! An association delivers in order and exactly once, after as many retransmissions as the cable makes
//! necessary.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use rserpool_core::base::{AssociationId, ConnectId, Instant, SctpAddress, SctpPort};

use crate::id::HostId;
use crate::schedule::{Item, Side};

/// What distinguishes the associations of a host: its port, and the peer's address and port.
pub(super) type Path = (SctpPort, IpAddr, SctpPort);

/// An attempt to connect.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) local_port: SctpPort,
    pub(super) peer: SctpAddress,
    /// The wait before the next try.
    pub(super) rto: Duration,
    /// The association that the peer has accepted already.
    pub(super) accepted: Option<u64>,
}

/// The state of one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
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
pub(super) struct End {
    pub(super) host: HostId,
    pub(super) id: AssociationId,
    pub(super) address: IpAddr,
    pub(super) port: SctpPort,
    pub(super) state: State,
    /// When the peer counts as silent, unless it is heard before.
    pub(super) silent_at: Option<Instant>,
    /// Its heartbeats will find out that the peer does not know the association.
    pub(super) watched: bool,
    /// What it could not send yet.
    pub(super) unsent: VecDeque<Item>,
    /// When the cable has taken up everything that it has sent.
    pub(super) occupied_until: Instant,
    /// When the last thing that it has sent arrives.
    pub(super) last_arrival: Instant,
}

impl End {
    pub(super) const fn new(
        now: Instant,
        host: HostId,
        id: AssociationId,
        (address, port): (IpAddr, SctpPort),
        state: State,
    ) -> Self {
        Self {
            host,
            id,
            address,
            port,
            state,
            silent_at: None,
            watched: false,
            unsent: VecDeque::new(),
            occupied_until: now,
            last_arrival: now,
        }
    }

    /// Whether its process still knows it.
    pub(super) const fn is_known(&self) -> bool {
        !matches!(self.state, State::Gone)
    }
}

/// An association.
#[derive(Debug)]
pub(super) struct Association {
    pub(super) opener: End,
    pub(super) acceptor: End,
}

impl Association {
    pub(super) const fn end(&self, side: Side) -> &End {
        match side {
            Side::Opener => &self.opener,
            Side::Acceptor => &self.acceptor,
        }
    }

    pub(super) const fn end_mut(&mut self, side: Side) -> &mut End {
        match side {
            Side::Opener => &mut self.opener,
            Side::Acceptor => &mut self.acceptor,
        }
    }

    /// What distinguishes it on the host of one end.
    pub(super) const fn path(&self, side: Side) -> Path {
        let (own, peer) = (self.end(side), self.end(side.other()));
        (own.port, peer.address, peer.port)
    }
}

/// What one host has to do with associations.
#[derive(Debug)]
pub(super) struct Sockets {
    last_association: u64,
    last_port: u16,
    pub(super) attempts: BTreeMap<ConnectId, Attempt>,
    /// The associations that its process knows.
    pub(super) known: BTreeMap<AssociationId, (u64, Side)>,
    /// The same by our port and the peer's address and port: two between the same would be one.
    pub(super) paths: BTreeMap<Path, (u64, Side)>,
    /// The associations with an end on the host, also those that its process does not know.
    pub(super) involved: BTreeSet<u64>,
}

impl Default for Sockets {
    fn default() -> Self {
        Self {
            last_association: 0,
            last_port: 49_151,
            attempts: BTreeMap::new(),
            known: BTreeMap::new(),
            paths: BTreeMap::new(),
            involved: BTreeSet::new(),
        }
    }
}

impl Sockets {
    /// A name for a new association, never used before on this host.
    pub(super) const fn name_association(&mut self) -> AssociationId {
        self.last_association += 1;
        AssociationId::sctp(self.last_association)
    }

    /// A port of the dynamic range (RFC 6335).
    pub(super) const fn free_port(&mut self) -> SctpPort {
        self.last_port = match self.last_port.checked_add(1) {
            Some(port) => port,
            None => 49_152,
        };
        SctpPort(self.last_port)
    }

    /// Whether an association between a port and a peer exists or is being opened.
    pub(super) fn is_taken(&self, port: SctpPort, peer: &SctpAddress) -> bool {
        let tried = |attempt: &Attempt| attempt.local_port == port && attempt.peer == *peer;
        let open = |address: &IpAddr| self.paths.contains_key(&(port, *address, peer.port));
        self.attempts.values().any(tried) || peer.addresses.iter().any(open)
    }
}
