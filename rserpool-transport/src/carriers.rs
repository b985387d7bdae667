//! SCTP over UDP and ASAP over TCP side by side, as one stack.

use core::net::SocketAddr;

use bytes::Bytes;
use rserpool_core::base::{Carrier, Instant, SctpPort};
use rserpool_core::endpoint::{Action, Event, Reservation, TransportCounters};

use super::sctp::Sctp;
use super::tcp::Tcp;
use super::{
    ConnectionAction, ConnectionEvent, ConnectionId, Datagram, Datagrams, Stack, Streams, Undelivered,
};

/// Both carriers of ASAP. Which one an association belongs to, its identifier tells; which one opens
/// it, the address of the peer.
#[derive(Debug)]
pub struct Carriers {
    sctp: Sctp,
    tcp: Tcp,
}

impl Carriers {
    /// Both.
    pub const fn new(sctp: Sctp, tcp: Tcp) -> Self {
        Self { sctp, tcp }
    }

    /// SCTP, to be queried.
    pub const fn sctp(&self) -> &Sctp {
        &self.sctp
    }

    /// TCP, to be queried.
    pub const fn tcp(&self) -> &Tcp {
        &self.tcp
    }
}

impl Stack for Carriers {
    fn listen(&mut self, local_port: SctpPort) {
        self.sctp.listen(local_port);
    }

    fn stop_listening(&mut self) {
        self.sctp.stop_listening();
        self.tcp.stop_listening();
    }

    fn handle_action(&mut self, now: Instant, action: Action) {
        let carrier = match &action {
            Action::Connect { peer, .. } => peer.carrier(),
            Action::Send { association, .. }
            | Action::Hold { association }
            | Action::Release { association }
            | Action::Shutdown { association, .. }
            | Action::Abort { association, .. } => association.carrier(),
            // Attempts have names that are unique among both; the stack that does not know one ignores it.
            Action::CancelConnect { .. } => {
                self.tcp.handle_action(now, action.clone());
                Carrier::Sctp
            }
            Action::Announce { .. } => return,
        };
        match carrier {
            Carrier::Tcp => self.tcp.handle_action(now, action),
            // SCTP answers an attempt at an address that it does not know, too.
            _ => self.sctp.handle_action(now, action),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.sctp.handle_timeout(now);
        self.tcp.handle_timeout(now);
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.sctp.poll_event().or_else(|| self.tcp.poll_event())
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.sctp.poll_timeout(), self.tcp.poll_timeout()].into_iter().flatten().min()
    }

    /// Those of SCTP: what TCP counts is told as it happens ([`Event::HungUp`]).
    fn counters(&self) -> TransportCounters {
        self.sctp.counters()
    }

    /// Elements and registrars come over SCTP.
    fn reserve(&mut self, reservation: Reservation) {
        self.sctp.reserve(reservation);
    }

    fn associations(&self) -> usize {
        self.sctp.associations() + self.tcp.associations()
    }
}

impl Datagrams for Carriers {
    fn handle_datagram(&mut self, now: Instant, source: SocketAddr, bytes: Bytes) {
        self.sctp.handle_datagram(now, source, bytes);
    }

    fn handle_undelivered(&mut self, now: Instant, undelivered: Undelivered) {
        self.sctp.handle_undelivered(now, undelivered);
    }

    fn poll_datagram(&mut self) -> Option<Datagram> {
        self.sctp.poll_datagram()
    }
}

impl Streams for Carriers {
    fn accept(&mut self, now: Instant, peer: SocketAddr) -> Option<ConnectionId> {
        self.tcp.accept(now, peer)
    }

    fn handle_connection(&mut self, now: Instant, connection: ConnectionId, event: ConnectionEvent) {
        self.tcp.handle_connection(now, connection, event);
    }

    fn reads(&self, connection: ConnectionId) -> bool {
        self.tcp.reads(connection)
    }

    fn poll_connection(&mut self) -> Option<ConnectionAction> {
        self.tcp.poll_connection()
    }
}
