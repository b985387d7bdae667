//! How modelled associations come up: the four packets of SCTP, tried again until a deadline.

use std::net::IpAddr;
use std::time::Duration;

use rserpool_core::base::{ConnectId, Instant, TransportAddress};
use rserpool_core::endpoint::{ConnectError, DownReason, Event};

use crate::hosts::Input;
use crate::id::{HostId, UDP_PORT};
use crate::network::{Association, Attempt, End, Side, State, Step};
use crate::world::Occurrence;
use crate::world::World;

impl World {
    pub(crate) fn connect(
        &mut self,
        host: HostId,
        request: ConnectId,
        local_port: u16,
        peer: TransportAddress,
        deadline: Instant,
    ) {
        let (now, rto) = (self.now(), self.sctp.rto_initial);
        if peer.addresses.is_empty() || peer.port == 0 || peer.udp_port == 0 {
            return self.connect_failed(host, request, ConnectError::NoRoute);
        }
        let local_port = match local_port {
            0 => self.free_port(host),
            port => port,
        };
        // Two associations between the same ports would be one.
        if self.is_taken(host, local_port, &peer) {
            return self.connect_failed(host, request, ConnectError::InUse);
        }
        let life = self.host(host).life;
        let attempt = Attempt { local_port, peer, rto, accepted: None };
        self.host_mut(host).attempts.insert(request, attempt);
        self.schedule(now, Occurrence::Handshake { host, life, request, step: Step::Init });
        self.schedule(deadline.max(now), Occurrence::Handshake { host, life, request, step: Step::Deadline });
    }

    fn free_port(&mut self, host: HostId) -> u16 {
        let host = self.host_mut(host);
        host.last_port = host.last_port.checked_add(1).unwrap_or(49_152);
        host.last_port
    }

    fn is_taken(&self, host: HostId, port: u16, peer: &TransportAddress) -> bool {
        let host = self.host(host);
        let tried = |attempt: &Attempt| attempt.local_port == port && attempt.peer == *peer;
        let open = |address: &IpAddr| host.paths.contains_key(&(port, *address, peer.port));
        host.attempts.values().any(tried) || peer.addresses.iter().any(open)
    }

    fn connect_failed(&mut self, host: HostId, request: ConnectId, reason: ConnectError) {
        self.input_soon(host, Event::ConnectFailed { request, reason });
    }

    pub(crate) fn handshake(&mut self, host: HostId, life: u32, request: ConnectId, step: Step) {
        if self.host(host).life != life {
            return;
        }
        let Some(attempt) = self.host(host).attempts.get(&request) else { return };
        match step {
            Step::Init if attempt.accepted.is_none() => self.send_init(host, request),
            Step::Cookie(peer, peer_life) if attempt.accepted.is_none() => {
                self.accept(host, request, peer, peer_life);
            }
            Step::Refused if attempt.accepted.is_none() => {
                self.host_mut(host).attempts.remove(&request);
                self.connect_failed(host, request, ConnectError::Refused);
            }
            Step::CookieAck(key) => self.complete(host, request, key),
            Step::Deadline => {
                if let Some(attempt) = self.host_mut(host).attempts.remove(&request) {
                    self.abandon(&attempt);
                    self.connect_failed(host, request, ConnectError::TimedOut);
                }
            }
            Step::Init | Step::Cookie(..) | Step::Refused => {}
        }
    }

    /// Repeats a step after the retransmission time-out.
    fn again(&mut self, host: HostId, request: ConnectId, step: Step) {
        let (rto_max, now) = (self.sctp.rto_max, self.now());
        let life = self.host(host).life;
        let Some(attempt) = self.host_mut(host).attempts.get_mut(&request) else { return };
        let at = now + attempt.rto;
        attempt.rto = (attempt.rto * 2).min(rto_max);
        self.schedule(at, Occurrence::Handshake { host, life, request, step });
    }

    fn send_init(&mut self, host: HostId, request: ConnectId) {
        let Some(attempt) = self.host(host).attempts.get(&request) else { return };
        let port = attempt.peer.port;
        let served = attempt.peer.udp_port == UDP_PORT;
        let peer = attempt.peer.addresses.iter().find_map(|address| self.network.owner(*address));
        let answers = |id: &HostId| served && self.host(host).answers() && self.host(*id).answers();
        let Some(peer) = peer.filter(answers) else {
            return self.again(host, request, Step::Init);
        };
        // INIT, INIT ACK, COOKIE ECHO.
        let legs = [(host, peer), (peer, host), (host, peer)];
        let Some(legs) = legs.into_iter().map(|(from, to)| self.network.datagram(from, to)).collect() else {
            return self.again(host, request, Step::Init);
        };
        let legs: Vec<Duration> = legs;
        let life = self.host(host).life;
        let (time, step) = match self.host(peer).program.ports().contains(&port) {
            true => (legs.iter().sum(), Step::Cookie(peer, self.host(peer).life)),
            false => (legs.iter().take(2).sum::<Duration>(), Step::Refused),
        };
        self.schedule(self.now() + time, Occurrence::Handshake { host, life, request, step });
    }

    /// The peer's half of the handshake is complete.
    fn accept(&mut self, host: HostId, request: ConnectId, peer: HostId, peer_life: u32) {
        let now = self.now();
        let Some(attempt) = self.host(host).attempts.get(&request) else { return };
        let (local_port, port) = (attempt.local_port, attempt.peer.port);
        if self.host(peer).life != peer_life || !self.host(peer).answers() {
            return self.again(host, request, Step::Init);
        }
        let (address, peer_address) = (self.network.address(host), self.network.address(peer));
        let here = TransportAddress::new(address, local_port, UDP_PORT);
        self.replace_old(peer, port, &here);
        // Both have connected to each other: that is one association.
        let collision = self.host(peer).attempts.iter().find_map(|(id, other)| {
            (other.accepted.is_none() && other.local_port == port && other.peer.port == local_port)
                .then_some(other.peer.addresses.contains(&address).then_some(*id))
                .flatten()
        });
        if let Some(collision) = collision {
            self.host_mut(peer).attempts.remove(&collision);
        }
        let key = self.next_association();
        let (id, peer_id) = (self.name_association(host), self.name_association(peer));
        let end = |host: HostId, id, address, port, state| End {
            host,
            id,
            address,
            port,
            state,
            silent_at: None,
            watched: false,
            unsent: Default::default(),
            last_arrival: now,
        };
        let opener = end(host, id, address, local_port, State::Opening);
        let acceptor = end(peer, peer_id, peer_address, port, State::Up);
        self.associations.insert(key, Association { opener, acceptor });
        for host in [host, peer] {
            self.host_mut(host).involved.insert(key);
        }
        self.learn(key, Side::Acceptor);
        if let Some(attempt) = self.host_mut(host).attempts.get_mut(&request) {
            attempt.accepted = Some(key);
        }
        let event =
            Event::Connected { association: peer_id, request: collision, local_port: port, peer: here };
        // After the end of the old association, if there was one.
        self.input_soon(peer, event);
        match self.network.datagram(peer, host) {
            Some(delay) => {
                let (life, step) = (self.host(host).life, Step::CookieAck(key));
                self.schedule(now + delay, Occurrence::Handshake { host, life, request, step });
            }
            None => self.again(host, request, Step::CookieAck(key)),
        }
        self.reassess(key);
    }

    /// A process knows its end of an association from now on.
    fn learn(&mut self, key: u64, side: Side) {
        let Some(open) = self.associations.get(&key) else { return };
        let (host, id, path) = (open.end(side).host, open.end(side).id, open.path(side));
        let host = self.host_mut(host);
        host.known.insert(id, (key, side));
        host.paths.insert(path, (key, side));
    }

    /// A peer that has started anew opens an association between the ports of an old one.
    fn replace_old(&mut self, host: HostId, port: u16, peer: &TransportAddress) {
        let path = |address: &IpAddr| self.host(host).paths.get(&(port, *address, peer.port)).copied();
        let old = peer.addresses.iter().find_map(path);
        if let Some((key, side)) = old {
            self.end(key, side, DownReason::Restarted);
        }
    }

    /// The opener's half of the handshake is complete.
    fn complete(&mut self, host: HostId, request: ConnectId, key: u64) {
        let Some(open) = self.associations.get(&key) else {
            // The peer has ended it in the meantime.
            self.host_mut(host).attempts.remove(&request);
            return self.connect_failed(host, request, ConnectError::Refused);
        };
        let peer = open.acceptor.host;
        if !self.network.is_open(peer, host) || !self.network.is_open(host, peer) {
            return self.again(host, request, Step::CookieAck(key));
        }
        let (id, local_port, port) = (open.opener.id, open.opener.port, open.acceptor.port);
        let address = open.acceptor.address;
        let Some(attempt) = self.host_mut(host).attempts.remove(&request) else { return };
        if let Some(open) = self.associations.get_mut(&key) {
            open.opener.state = State::Up;
        }
        self.learn(key, Side::Opener);
        let peer = TransportAddress::new(address, port, attempt.peer.udp_port);
        let event = Event::Connected { association: id, request: Some(request), local_port, peer };
        self.input(host, Input::Event(event));
        self.reassess(key);
        self.flush(key, Side::Acceptor);
    }

    /// The opener does not want the association any more.
    pub(crate) fn abandon(&mut self, attempt: &Attempt) {
        if let Some(key) = attempt.accepted
            && let Some(open) = self.associations.get_mut(&key)
        {
            open.opener.state = State::Gone;
            self.send_abort(key, Side::Opener);
            self.reassess(key);
        }
    }
}
