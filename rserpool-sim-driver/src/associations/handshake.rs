//! How modelled associations come up: the four packets of SCTP, tried again until a deadline.

use std::net::IpAddr;
use std::time::Duration;

use rserpool_core::base::{ConnectId, Instant, SctpAddress, SctpPort, TransportAddress};
use rserpool_core::endpoint::{AbortCause, ConnectError, Connected, DownReason, Event, Origin};

use super::association::{Association, Attempt, End, State};
use super::{Associations, Delivery, Surroundings};
use crate::id::{HostId, UDP_PORT};
use crate::schedule::{AssociationStep, HandshakeStep, Side};

impl Associations {
    /// A process wants to connect; local port 0 stands for any.
    pub(crate) fn connect(
        &mut self,
        around: &mut Surroundings<'_>,
        host: HostId,
        request: ConnectId,
        local_port: SctpPort,
        peer: TransportAddress,
        deadline: Instant,
    ) {
        // Only SCTP is modelled.
        let TransportAddress::Sctp(peer) = peer else {
            return connect_failed(around, host, request, ConnectError::NoRoute);
        };
        if !peer.is_complete() {
            return connect_failed(around, host, request, ConnectError::NoRoute);
        }
        let sockets = &mut self.sockets[host.0];
        let local_port = if local_port.is_set() { local_port } else { sockets.free_port() };
        // Two associations between the same ports would be one.
        if sockets.is_taken(local_port, &peer) {
            return connect_failed(around, host, request, ConnectError::InUse);
        }
        let attempt = Attempt { local_port, peer, rto: self.sctp.rto_initial, accepted: None };
        let replaced = sockets.attempts.insert(request, attempt);
        debug_assert!(replaced.is_none(), "a request has one attempt");
        schedule(around, around.now, host, request, HandshakeStep::Init);
        schedule(around, deadline.max(around.now), host, request, HandshakeStep::Deadline);
    }

    /// A process does not want to connect any more.
    pub(crate) fn cancel(&mut self, around: &mut Surroundings<'_>, host: HostId, request: ConnectId) {
        if let Some(attempt) = self.sockets[host.0].attempts.remove(&request) {
            self.abandon(around, &attempt);
        }
    }

    pub(super) fn handshake(
        &mut self,
        around: &mut Surroundings<'_>,
        host: HostId,
        life: u32,
        request: ConnectId,
        step: HandshakeStep,
    ) -> Option<Delivery> {
        if around.hosts.get(host).life() != life {
            return None;
        }
        let attempt = self.sockets[host.0].attempts.get(&request)?;
        match step {
            HandshakeStep::Init if attempt.accepted.is_none() => self.send_init(around, host, request),
            HandshakeStep::Cookie(peer, peer_life) if attempt.accepted.is_none() => {
                self.accept(around, host, request, peer, peer_life);
            }
            HandshakeStep::Refused if attempt.accepted.is_none() => {
                self.sockets[host.0].attempts.remove(&request);
                connect_failed(around, host, request, ConnectError::Refused);
            }
            HandshakeStep::CookieAck(key) => return self.complete(around, host, request, key),
            HandshakeStep::Deadline => {
                if let Some(attempt) = self.sockets[host.0].attempts.remove(&request) {
                    self.abandon(around, &attempt);
                    connect_failed(around, host, request, ConnectError::TimedOut);
                }
            }
            HandshakeStep::Init | HandshakeStep::Cookie(..) | HandshakeStep::Refused => {}
        }
        None
    }

    /// Repeats a step after the retransmission time-out.
    fn again(
        &mut self,
        around: &mut Surroundings<'_>,
        host: HostId,
        request: ConnectId,
        step: HandshakeStep,
    ) {
        let Some(attempt) = self.sockets[host.0].attempts.get_mut(&request) else { return };
        let at = around.now + attempt.rto;
        attempt.rto = (attempt.rto * 2).min(self.sctp.rto_max);
        schedule(around, at, host, request, step);
    }

    fn send_init(&mut self, around: &mut Surroundings<'_>, host: HostId, request: ConnectId) {
        let Some(attempt) = self.sockets[host.0].attempts.get(&request) else { return };
        let port = attempt.peer.port;
        let served = attempt.peer.udp_port == UDP_PORT;
        let peer = attempt.peer.addresses.iter().find_map(|address| around.network.owner(*address));
        let answers =
            |id: &HostId| served && around.hosts.get(host).answers() && around.hosts.get(*id).answers();
        let Some(peer) = peer.filter(answers) else {
            return self.again(around, host, request, HandshakeStep::Init);
        };
        // INIT, INIT ACK, COOKIE ECHO.
        let legs = [(host, peer), (peer, host), (host, peer)];
        let legs = legs.into_iter().map(|(from, to)| around.network.datagram(from, to));
        let Some(legs) = legs.collect::<Option<Vec<Duration>>>() else {
            return self.again(around, host, request, HandshakeStep::Init);
        };
        let target = around.hosts.get(peer);
        let (time, step) = match target.program().ports().contains(&port) {
            true => (legs.iter().sum(), HandshakeStep::Cookie(peer, target.life())),
            false => (legs.iter().take(2).sum::<Duration>(), HandshakeStep::Refused),
        };
        schedule(around, around.now + time, host, request, step);
    }

    /// The peer's half of the handshake is complete.
    fn accept(
        &mut self,
        around: &mut Surroundings<'_>,
        host: HostId,
        request: ConnectId,
        peer: HostId,
        peer_life: u32,
    ) {
        let Some(attempt) = self.sockets[host.0].attempts.get(&request) else { return };
        let (local_port, port) = (attempt.local_port, attempt.peer.port);
        if around.hosts.get(peer).life() != peer_life || !around.hosts.get(peer).answers() {
            return self.again(around, host, request, HandshakeStep::Init);
        }
        let (address, peer_address) = (around.network.address(host), around.network.address(peer));
        let here = around.network.service(host, local_port);
        self.replace_old(around, peer, port, &here);
        // If both have connected to each other, that is one association.
        let collision = self.sockets[peer.0].attempts.iter().find_map(|(id, other)| {
            let crossing = other.accepted.is_none()
                && other.local_port == port
                && other.peer.port == local_port
                && other.peer.addresses.contains(&address);
            crossing.then_some(*id)
        });
        if let Some(collision) = collision {
            self.sockets[peer.0].attempts.remove(&collision);
        }
        self.last_key += 1;
        let key = self.last_key;
        let (id, peer_id) =
            (self.sockets[host.0].name_association(), self.sockets[peer.0].name_association());
        let opener = End::new(around.now, host, id, (address, local_port), State::Opening);
        let acceptor = End::new(around.now, peer, peer_id, (peer_address, port), State::Up);
        self.open.insert(key, Association { opener, acceptor });
        for host in [host, peer] {
            self.sockets[host.0].involved.insert(key);
        }
        self.learn(key, Side::Acceptor);
        if let Some(attempt) = self.sockets[host.0].attempts.get_mut(&request) {
            attempt.accepted = Some(key);
        }
        let event = Event::Connected(Connected::new(peer_id, collision.into(), port, here));
        // After the end of the old association, if there was one.
        around.input_soon(peer, event);
        match around.network.datagram(peer, host) {
            Some(delay) => {
                schedule(around, around.now + delay, host, request, HandshakeStep::CookieAck(key));
            }
            None => self.again(around, host, request, HandshakeStep::CookieAck(key)),
        }
        self.reassess(around, key);
    }

    /// A process knows its end of an association from now on.
    fn learn(&mut self, key: u64, side: Side) {
        let Some(open) = self.open.get(&key) else { return };
        let sockets = &mut self.sockets[open.end(side).host.0];
        sockets.known.insert(open.end(side).id, (key, side));
        sockets.paths.insert(open.path(side), (key, side));
    }

    /// A peer that has started anew opens an association between the ports of an old one.
    fn replace_old(
        &mut self,
        around: &mut Surroundings<'_>,
        host: HostId,
        port: SctpPort,
        peer: &SctpAddress,
    ) {
        let paths = &self.sockets[host.0].paths;
        let path = |address: &IpAddr| paths.get(&(port, *address, peer.port)).copied();
        if let Some((key, side)) = peer.addresses.iter().find_map(path) {
            self.end(around, key, side, DownReason::Restarted);
        }
    }

    /// The opener's half of the handshake is complete.
    fn complete(
        &mut self,
        around: &mut Surroundings<'_>,
        host: HostId,
        request: ConnectId,
        key: u64,
    ) -> Option<Delivery> {
        let Some(open) = self.open.get(&key) else {
            // The peer has ended it in the meantime.
            self.sockets[host.0].attempts.remove(&request);
            connect_failed(around, host, request, ConnectError::Refused);
            return None;
        };
        let acceptor = open.acceptor.host;
        if !around.network.is_open(acceptor, host) || !around.network.is_open(host, acceptor) {
            self.again(around, host, request, HandshakeStep::CookieAck(key));
            return None;
        }
        let (id, local_port, port) = (open.opener.id, open.opener.port, open.acceptor.port);
        let address = open.acceptor.address;
        let attempt = self.sockets[host.0].attempts.remove(&request)?;
        if let Some(open) = self.open.get_mut(&key) {
            open.opener.state = State::Up;
        }
        self.learn(key, Side::Opener);
        let peer = SctpAddress::new(address, port, attempt.peer.udp_port);
        let event = Event::Connected(Connected::new(id, Origin::Attempt(request), local_port, peer));
        Some(Delivery { host, event, established: Some(key) })
    }

    /// The opener has been handed the event that its association is up.
    pub(crate) fn established(&mut self, around: &mut Surroundings<'_>, key: u64) {
        self.reassess(around, key);
        self.flush(around, key, Side::Acceptor);
    }

    /// The opener does not want the association any more.
    fn abandon(&mut self, around: &mut Surroundings<'_>, attempt: &Attempt) {
        if let Some(key) = attempt.accepted
            && let Some(open) = self.open.get_mut(&key)
        {
            open.opener.state = State::Gone;
            self.send_abort(around, key, Side::Opener, AbortCause::User);
            self.reassess(around, key);
        }
    }
}

fn connect_failed(around: &mut Surroundings<'_>, host: HostId, request: ConnectId, reason: ConnectError) {
    around.input_soon(host, Event::ConnectFailed { request, reason });
}

fn schedule(
    around: &mut Surroundings<'_>,
    at: Instant,
    host: HostId,
    request: ConnectId,
    step: HandshakeStep,
) {
    let life = around.hosts.get(host).life();
    around.schedule.add_step(at, AssociationStep::Handshake { host, life, request, step });
}
