//! SCTP over UDP (RFC 6951): one socket, any number of associations, no I/O.
//!
//! ```text
//!   actions, events          Sctp (stack)          which association, which deadline
//!        │                      │
//!        │      ┌───────────────┼─────────────────┐
//!        │   dispatch        attempt          association   shutdown, heartbeats, silence
//!        │   cookie, stray   active side      ledger        what is queued, whose TSN is whose
//!        │      │               │             engine        DATA and SACK, by a library
//!        │      └───────────────┼─────────────────┘
//!   datagrams               packet, chunk          octets, checksum
//! ```
//!
//! Handshake, shutdown, aborts and failure detection follow RFC 9260 and are done here; the
//! transfer of data is done by a library ([`Engine`]). An association has one path: multiple
//! homing, dynamic addresses, chunk authentication and path MTU discovery are not supported, and
//! a peer that changes its UDP port is lost.

mod allowance;
mod association;
mod attempt;
mod chunk;
mod config;
mod cookie;
mod dispatch;
mod engine;
mod ledger;
mod liveness;
mod packet;
mod shared;
mod spent;
mod stray;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use bytes::Bytes;

use self::association::{Association, End};
use self::attempt::{Attempt, MAX_ADDRESSES};
use self::chunk::{Init, cause};
use self::cookie::Bakery;
use self::engine::Outgoing;
use self::packet::Path;
use self::shared::Core;
use self::spent::Spent;
use crate::base::{AssociationId, ConnectId, Deadlines, Instant, Random, TransportAddress};
use crate::endpoint::{AbortCause, Action, ConnectError, DownReason, Event};
use crate::transport::{Datagram, Stack};

pub use config::SctpConfig;
#[cfg(feature = "dcsctp")]
pub use engine::Dcsctp;
pub use engine::{Engine, SctpProto};
pub use shared::Counters;

/// SCTP over UDP (RFC 6951) on one socket.
#[derive(Debug)]
pub struct Sctp<E: Engine = SctpProto> {
    core: Core,
    engine: E,
    local: SocketAddr,
    bakery: Bakery,
    listening: BTreeSet<u16>,
    paths: BTreeMap<Path, Owner>,
    associations: BTreeMap<AssociationId, Association<E>>,
    attempts: BTreeMap<ConnectId, Attempt>,
    deadlines: Deadlines<Owner>,
    /// Associations that may have something to send.
    dirty: BTreeSet<AssociationId>,
    spent: Spent,
    last_association: u64,
}

/// Whose a path or a deadline is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Association(AssociationId),
    Attempt(ConnectId),
}

impl Sctp {
    /// A stack for the socket bound to `local`, whose address family decides which peers can be
    /// reached. The configuration must be [valid](SctpConfig::check).
    pub fn new(config: SctpConfig, local: SocketAddr) -> Self {
        Self::with_engine(config, local)
    }
}

impl<E: Engine> Sctp<E> {
    /// The same as [`Sctp::new`] with any engine: `Sctp::<Dcsctp>::with_engine(config, local)`.
    pub fn with_engine(config: SctpConfig, local: SocketAddr) -> Self {
        let mut random = Random::new(config.seed);
        let bakery = Bakery::new(&mut random, config.cookie_life);
        let engine = E::new(&config);
        let core = Core::new(config, random);
        Self {
            core,
            engine,
            local,
            bakery,
            listening: BTreeSet::new(),
            paths: BTreeMap::new(),
            associations: BTreeMap::new(),
            attempts: BTreeMap::new(),
            deadlines: Deadlines::default(),
            dirty: BTreeSet::new(),
            spent: Spent::default(),
            last_association: 0,
        }
    }

    /// What has happened since the start.
    pub const fn counters(&self) -> Counters {
        self.core.counters
    }

    /// Whether one more association would exceed the limit.
    fn is_full(&self) -> bool {
        self.associations.len() + self.attempts.len() >= self.core.config.max_associations
    }

    /// A handshake is complete. `None` if the engine refuses what the peer has stated.
    fn establish(
        &mut self,
        path: Path,
        (local, peer): (&Init, &Init),
        request: Option<ConnectId>,
    ) -> Option<AssociationId> {
        let core = &mut self.core;
        let flow = self.engine.open(core.now, local, peer)?;
        self.last_association += 1;
        let id = AssociationId(self.last_association);
        let association = Association::new(id, path, (local, peer), flow, core.now, &core.config);
        self.associations.insert(id, association);
        self.paths.insert(path, Owner::Association(id));
        core.named += 1;
        core.counters.connected += 1;
        core.events.push_back(Event::Connected {
            association: id,
            request,
            local_port: path.local_port,
            peer: TransportAddress::new(path.remote.ip(), path.remote_port, path.remote.port()),
        });
        self.touch(id);
        Some(id)
    }

    /// Lets an association act, and takes the consequences.
    fn with(
        &mut self,
        id: AssociationId,
        act: impl FnOnce(&mut Association<E>, &mut Core, &mut E) -> Result<(), End>,
    ) {
        let Some(association) = self.associations.get_mut(&id) else { return };
        match act(association, &mut self.core, &mut self.engine) {
            Ok(()) => self.touch(id),
            Err(end) => self.end(id, end),
        }
    }

    /// Ends an association.
    fn end(&mut self, id: AssociationId, end: End) {
        let Some(mut association) = self.associations.remove(&id) else { return };
        let path = association.path;
        if let Some(parting) = end.parting {
            let bytes = packet::single(path.header(association.peer_tag), &[parting]);
            self.core.emit(path.remote, bytes);
        }
        if std::mem::take(&mut association.named) {
            self.core.disconnected(id, end.reason);
        }
        self.engine.close(&association.flow);
        self.spent.add(association.local_tag);
        self.paths.remove(&path);
        self.deadlines.clear(&Owner::Association(id));
        self.dirty.remove(&id);
    }

    /// Ends an attempt without an association.
    fn fail(&mut self, request: ConnectId, reason: ConnectError) {
        if self.forget(request, None) {
            self.core.failed(request, reason);
        }
    }

    /// Removes an attempt and its paths, except the one that won.
    fn forget(&mut self, request: ConnectId, winner: Option<Path>) -> bool {
        let Some(attempt) = self.attempts.remove(&request) else { return false };
        attempt.abandon(&mut self.core, winner);
        for path in attempt.paths() {
            self.paths.remove(&path);
        }
        self.deadlines.clear(&Owner::Attempt(request));
        true
    }

    /// Takes the deadline of an attempt again.
    fn rearm(&mut self, request: ConnectId) {
        if let Some(attempt) = self.attempts.get(&request) {
            self.deadlines.set(Owner::Attempt(request), attempt.deadline());
        }
    }

    fn touch(&mut self, id: AssociationId) {
        self.dirty.insert(id);
        if let Some(association) = self.associations.get(&id) {
            self.deadlines.set(Owner::Association(id), association.deadline(&self.engine));
        }
    }

    fn connect(&mut self, request: ConnectId, local_port: u16, peer: &TransportAddress, deadline: Instant) {
        if self.is_full() {
            return self.core.failed(request, ConnectError::TooMany);
        }
        let reachable = peer.addresses.iter().filter(|address| {
            address.is_ipv4() == self.local.is_ipv4() && !address.is_unspecified() && !address.is_multicast()
        });
        let mut paths: Vec<Path> = reachable
            .take(MAX_ADDRESSES)
            .map(|address| Path {
                remote: SocketAddr::new(*address, peer.udp_port),
                remote_port: peer.port,
                local_port,
            })
            .collect();
        if paths.is_empty() || peer.udp_port == 0 || peer.port == 0 {
            return self.core.failed(request, ConnectError::NoRoute);
        }
        if local_port == 0 {
            let Some(port) = self.free_port(&paths) else {
                return self.core.failed(request, ConnectError::TooMany);
            };
            paths.iter_mut().for_each(|path| path.local_port = port);
        }
        // Two associations with the same ports at both ends would be one.
        paths.retain(|path| !self.paths.contains_key(path));
        if paths.is_empty() || self.attempts.contains_key(&request) {
            return self.core.failed(request, ConnectError::InUse);
        }
        paths.iter().for_each(|path| {
            self.paths.insert(*path, Owner::Attempt(request));
        });
        let attempt = Attempt::new(&mut self.core, paths, deadline);
        self.attempts.insert(request, attempt);
        self.rearm(request);
    }

    /// An SCTP port above 32,767 that is free on all these paths. The dynamic range of IANA is half
    /// as large, less than the limit of associations.
    fn free_port(&mut self, paths: &[Path]) -> Option<u16> {
        const FIRST: u16 = 32_768;
        const COUNT: u16 = u16::MAX - FIRST;
        let start = self.core.random.below(u64::from(COUNT)) as u16;
        (0..COUNT).map(|n| FIRST + (start + n) % COUNT).find(|&local_port| {
            !self.listening.contains(&local_port)
                && paths.iter().all(|path| !self.paths.contains_key(&Path { local_port, ..*path }))
        })
    }
}

impl<E: Engine> Stack for Sctp<E> {
    fn listen(&mut self, local_port: u16) {
        self.listening.insert(local_port);
    }

    fn stop_listening(&mut self) {
        self.listening.clear();
    }

    fn handle_datagram(&mut self, now: Instant, source: SocketAddr, bytes: Bytes) {
        self.core.now = self.core.now.max(now);
        self.core.counters.datagrams_received += 1;
        dispatch::datagram(self, source, &bytes);
    }

    fn handle_action(&mut self, now: Instant, action: Action) {
        self.core.now = self.core.now.max(now);
        match action {
            Action::Connect { request, local_port, peer, deadline } => {
                self.connect(request, local_port, &peer, deadline);
            }
            Action::CancelConnect { request } => {
                self.forget(request, None);
            }
            Action::Send { association, protocol, stream, bytes } => {
                self.with(association, |a, core, _| a.send(core, Outgoing { protocol, stream, bytes }));
            }
            Action::Shutdown { association, deadline } => self.with(association, |a, core, _| {
                a.shutdown(core, deadline);
                Ok(())
            }),
            Action::Abort { association, cause } => {
                let cause = match cause {
                    AbortCause::User => cause::USER_ABORT,
                    AbortCause::ProtocolViolation => cause::PROTOCOL_VIOLATION,
                };
                let parting = Some(chunk::abort(cause));
                self.end(association, End { reason: DownReason::Local, parting });
            }
            Action::Announce { .. } => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.core.now = self.core.now.max(now);
        // Fetched first: what is due again at once waits for the next call.
        let now = self.core.now;
        let due: Vec<Owner> = std::iter::from_fn(|| self.deadlines.pop_due(now)).collect();
        for owner in due {
            match owner {
                Owner::Association(id) => self.with(id, Association::handle_timeout),
                Owner::Attempt(request) => {
                    if let Some(attempt) = self.attempts.get_mut(&request) {
                        let progress = attempt.handle_timeout(&mut self.core);
                        dispatch::progress(self, request, progress);
                    }
                }
            }
        }
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.core.events.pop_front()
    }

    fn poll_datagram(&mut self) -> Option<Datagram> {
        loop {
            if let Some(datagram) = self.core.packets.pop_front() {
                return Some(datagram);
            }
            let id = self.dirty.pop_first()?;
            if let Some(association) = self.associations.get_mut(&id) {
                association.flush(&mut self.core, &mut self.engine);
                let deadline = association.deadline(&self.engine);
                self.deadlines.set(Owner::Association(id), deadline);
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Attempts, and associations that an endpoint knows. One that only waits for the last
    /// packet of its shutdown has delivered everything and does not count.
    fn associations(&self) -> usize {
        self.core.named + self.attempts.len()
    }
}
