//! SCTP over UDP (RFC 6951): one socket, any number of associations, no I/O.
//!
//! ```text
//!   actions, events          stack, Sctp           which association, which deadline
//!        │                      │
//!        │      ┌───────────────┼─────────────────┐
//!        │   dispatch        attempt          association   shutdown, silence
//!        │   cookie, stray   active side      ledger        what is queued, and how much
//!        │      │               │             destinations  the peer's addresses, HEARTBEATs
//!        │  undelivered          │             doubt         what the network says against one of them
//!        │      │               │             path_mtu      how large packets may be
//!        │      │               │             receiver      what the peer sends, and when it is told
//!        │      │               │             engine        what we send, by a library
//!        │      └───────────────┼─────────────────┘
//!   datagrams       packet, chunk, parameters      octets, checksum
//! ```
//!
//! Handshake, shutdown, aborts, failure detection and the choice among the peer's addresses follow
//! RFC 9260 and are done here, and so is receiving; sending is done by a library ([`Engine`]), to which an
//! association looks as if it had one path.
//!
//! A packet belongs to the association whose tag it carries, if its ports are right and its address is
//! one that the peer has named; the UDP port may change at any time. Addresses of the peer beyond the
//! first are used once they are verified ([`Event::Addresses`]); ours are told if the configuration
//! says so ([`SctpConfig::tell_addresses`]). From which of our addresses a packet leaves is the choice
//! of the operating system.
//!
//! Not supported: dynamic addresses (RFC 5061), chunk authentication (RFC 4895) and partial reliability.

mod allowance;
mod association;
mod attempt;
mod budget;
#[expect(unnameable_types, reason = "seals `Engine`")]
mod chunk;
mod config;
mod cookie;
mod destinations;
mod dispatch;
mod doubt;
#[expect(unnameable_types, reason = "seals `Engine`")]
mod engine;
mod ledger;
mod liveness;
#[expect(unnameable_types, reason = "seals `Engine`")]
mod packet;
mod parameters;
mod path_mtu;
mod receiver;
mod shared;
mod spent;
mod stack;
mod stray;
#[cfg(test)]
mod tests;
mod undelivered;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

use rserpool_core::base::{
    AssociationId, ConnectId, Deadlines, Instant, MAX_TRIED_ADDRESSES, Random, SctpAddress, SctpPort, Source,
    UdpPort, is_usable_address,
};
use rserpool_core::endpoint::{ConnectError, Connected, DownReason, Event, TransportCounters};

use crate::families::reaches;

use self::association::{Association, End};
use self::attempt::{Attempt, Handshake};
use self::budget::Budget;
use self::cookie::Bakery;
use self::packet::{Chunks, Path};
use self::shared::Core;
use self::spent::Spent;
use crate::places::{Places, Victim};

pub use association::ARRIVING;
pub use config::SctpConfig;
#[cfg(feature = "dcsctp")]
pub use engine::Dcsctp;
pub use engine::{Engine, SctpProto};

/// SCTP over UDP (RFC 6951) on one socket.
#[derive(Debug)]
pub struct Sctp<E: Engine = SctpProto> {
    core: Core,
    engine: E,
    local: SocketAddr,
    bakery: Bakery,
    listening: BTreeSet<SctpPort>,
    /// Where the packets of associations and attempts come from; verified addresses only.
    paths: BTreeMap<Path, Owner>,
    /// The tags that their peers put into packets to us.
    tags: BTreeMap<u32, Owner>,
    associations: BTreeMap<AssociationId, Association<E>>,
    attempts: BTreeMap<ConnectId, Attempt>,
    deadlines: Deadlines<Owner>,
    /// Associations that may have something to send.
    dirty: BTreeSet<AssociationId>,
    /// Associations that have a message for their endpoint, in the order of their turns.
    ready: VecDeque<AssociationId>,
    /// What the associations keep of what they have received, and of what they are to send.
    received: Budget,
    queued: Budget,
    /// Those that peers have opened.
    places: Places<AssociationId>,
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
        let (received, queued) = (Budget::new(config.receive_memory), Budget::new(config.send_memory));
        let core = Core::new(config, random);
        Self {
            core,
            engine,
            local,
            bakery,
            listening: BTreeSet::new(),
            paths: BTreeMap::new(),
            tags: BTreeMap::new(),
            associations: BTreeMap::new(),
            attempts: BTreeMap::new(),
            deadlines: Deadlines::default(),
            dirty: BTreeSet::new(),
            ready: VecDeque::new(),
            received,
            queued,
            places: Places::new(),
            spent: Spent::default(),
            last_association: 0,
        }
    }

    /// What has happened since the start.
    pub const fn counters(&self) -> TransportCounters {
        self.core.counters
    }

    /// Whether one more association would exceed the limit.
    fn is_full(&self) -> bool {
        self.associations.len() + self.attempts.len() >= self.core.config.max_associations
    }

    /// Whether peers have all places that they may have. What we open ourselves takes none of these.
    fn is_full_for_peers(&self) -> bool {
        self.places.len() >= self.core.config.max_accepted() || self.is_full()
    }

    /// Whether a peer at this address would get a place.
    fn has_place(&self, address: IpAddr) -> bool {
        !self.is_full_for_peers() || self.places.victim(Source::of(address)).is_some()
    }

    /// Makes room for a peer at this address, if another has to give its place up. False if there is none.
    fn make_place(&mut self, address: IpAddr) -> bool {
        if !self.is_full_for_peers() {
            return true;
        }
        let (id, reason) = match self.places.victim(Source::of(address)) {
            Some(Victim::Silent(id)) => (id, DownReason::Silent),
            Some(Victim::Greedy(id)) => (id, DownReason::QueueFull),
            None => return false,
        };
        self.core.counters.sctp_displaced += 1;
        self.end(id, End { reason, parting: Some(chunk::abort(chunk::cause::OUT_OF_RESOURCE, "")) });
        !self.is_full_for_peers()
    }

    /// A handshake is complete. `None` if the engine refuses what the peer has stated.
    fn establish(&mut self, handshake: Handshake, request: Option<ConnectId>) -> Option<AssociationId> {
        let Handshake { path, local, peer, others } = handshake;
        if self.tags.contains_key(&local.tag) {
            return None;
        }
        let flow = self.engine.open(self.core.now, &local, &peer)?;
        self.last_association += 1;
        let id = AssociationId::sctp(self.last_association);
        let mut association = Association::new(
            id,
            path,
            (&local, &peer),
            request.is_none(),
            flow,
            self.core.now,
            &self.core.config,
        );
        for remote in others {
            if self.is_candidate(&path, remote.ip()) {
                association.propose(remote, &self.core);
            }
        }
        self.associations.insert(id, association);
        if request.is_none() {
            self.places.add(Source::of(path.remote.ip()), id);
        }
        let other = self.paths.insert(path, Owner::Association(id));
        debug_assert_eq!(other, None, "a path leads to one association or attempt");
        self.tags.insert(local.tag, Owner::Association(id));
        let core = &mut self.core;
        core.named += 1;
        core.counters.sctp_connected += 1;
        core.events.push_back(Event::Connected(Connected::new(
            id,
            request.into(),
            path.local_port,
            SctpAddress::new(path.remote.ip(), path.remote_port, UdpPort(path.remote.port())),
        )));
        self.touch(id);
        Some(id)
    }

    /// Whether an address that a peer has told may be asked if it is the peer's. Another host
    /// names a loopback address only by mistake, and an address of a link says too little.
    fn is_candidate(&self, path: &Path, address: IpAddr) -> bool {
        let local_link = matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
        let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
        reaches(self.local.ip(), address)
            && is_usable_address(&address)
            && !(broadcast || local_link)
            && (!address.is_loopback() || path.remote.ip().is_loopback())
    }

    /// A packet of the peer has arrived, from this of its addresses and this UDP port.
    fn deliver(&mut self, id: AssociationId, index: usize, udp_port: u16, chunks: Chunks) {
        let mut news = self.follow_port(id, index, udp_port);
        self.with(id, |association, core, engine| association.receive(core, engine, index, chunks));
        let proved = self.associations.get_mut(&id).map(Association::take_proved).unwrap_or_default();
        for path in proved {
            let owner = *self.paths.entry(path).or_insert(Owner::Association(id));
            if owner == Owner::Association(id) {
                news = true;
            } else if let Some(association) = self.associations.get_mut(&id) {
                association.withdraw(path.remote.ip());
            }
        }
        if let Some(association) = self.associations.get(&id).filter(|a| news && a.named) {
            let peer = association.peer();
            self.core.events.push_back(Event::Addresses { association: id, peer: peer.into() });
        }
    }

    /// The UDP port of an address follows its packets (RFC 6951 section 5.4), if no other association
    /// is there. Tells whether anything has changed for those who know the address.
    fn follow_port(&mut self, id: AssociationId, index: usize, udp_port: u16) -> bool {
        let Some(association) = self.associations.get_mut(&id) else { return false };
        let old = association.path(index);
        let new = Path { remote: SocketAddr::new(old.remote.ip(), udp_port), ..old };
        if new == old || udp_port == 0 || self.paths.contains_key(&new) {
            return false;
        }
        association.set_port(index, udp_port);
        let known = association.is_verified(index);
        if known {
            self.paths.remove(&old);
            self.paths.insert(new, Owner::Association(id));
        }
        known
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
        if let Some(parting) = end.parting {
            association.part(&mut self.core, parting);
        }
        if std::mem::take(&mut association.named) {
            self.core.disconnected(id, end.reason);
        }
        self.engine.close(&association.flow);
        let source = association.source_of_peer;
        self.received.set(source, id, &mut association.received, 0);
        self.queued.set(source, id, &mut association.sending, 0);
        self.places.remove(source, id);
        let owner = self.tags.get(&association.local_tag);
        debug_assert_eq!(owner, Some(&Owner::Association(id)), "an association is found by its tag");
        self.spent.add(association.local_tag);
        self.tags.remove(&association.local_tag);
        for path in association.verified() {
            // One that was proved by the packet that ends the association may be another's.
            if self.paths.get(&path) == Some(&Owner::Association(id)) {
                self.paths.remove(&path);
            }
        }
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
        for tag in attempt.tags() {
            if self.tags.get(&tag) == Some(&Owner::Attempt(request)) {
                self.tags.remove(&tag);
            }
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

    /// Something has happened to an association: it may have something to send, and its deadline is taken when
    /// that is fetched; it may have a message, and gets its turn.
    fn touch(&mut self, id: AssociationId) {
        self.dirty.insert(id);
        if let Some(association) = self.associations.get_mut(&id)
            && association.has_message()
            && !std::mem::replace(&mut association.queued, true)
        {
            self.ready.push_back(id);
        }
        self.account(id);
    }

    /// Takes into account what an association keeps. If that makes it too much in all, someone has to give.
    fn account(&mut self, id: AssociationId) {
        let Some(association) = self.associations.get_mut(&id) else { return };
        let (received, queued) = association.kept();
        let source = association.source_of_peer;
        self.received.set(source, id, &mut association.received, received);
        self.queued.set(source, id, &mut association.sending, queued);
        while let Some(greedy) = self.received.excess().or_else(|| self.queued.excess()) {
            self.core.counters.sctp_memory_full += 1;
            let parting = Some(chunk::abort(chunk::cause::OUT_OF_RESOURCE, ""));
            self.end(greedy, End { reason: DownReason::QueueFull, parting });
        }
    }

    fn connect(&mut self, request: ConnectId, local_port: SctpPort, peer: &SctpAddress, deadline: Instant) {
        if self.is_full() {
            return self.core.failed(request, ConnectError::TooMany);
        }
        let reachable = peer
            .addresses
            .iter()
            .filter(|address| reaches(self.local.ip(), **address) && is_usable_address(address));
        let mut paths: Vec<Path> = reachable
            .take(MAX_TRIED_ADDRESSES)
            .map(|address| Path {
                remote: SocketAddr::new(*address, peer.udp_port.0),
                remote_port: peer.port,
                local_port,
            })
            .collect();
        if paths.is_empty() || !peer.is_complete() {
            return self.core.failed(request, ConnectError::NoRoute);
        }
        if !local_port.is_set() {
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
        for tag in attempt.tags() {
            // Once in 2^32 another attempt or association has it: then answers must come from where we have asked.
            self.tags.entry(tag).or_insert(Owner::Attempt(request));
        }
        self.attempts.insert(request, attempt);
        self.rearm(request);
    }

    /// An SCTP port above 32,767 that is free on all these paths. The dynamic range of IANA is half
    /// as large, less than the limit of associations.
    fn free_port(&mut self, paths: &[Path]) -> Option<SctpPort> {
        const FIRST: u16 = 32_768;
        const COUNT: u16 = u16::MAX - FIRST;
        let start = self.core.random.below(u64::from(COUNT)) as u16;
        (0..COUNT).map(|n| SctpPort(FIRST + (start + n) % COUNT)).find(|&local_port| {
            !self.listening.contains(&local_port)
                && paths.iter().all(|path| !self.paths.contains_key(&Path { local_port, ..*path }))
        })
    }
}
