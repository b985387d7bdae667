//! The registrar: keeps the handlespace, answers elements and users (RFC 5352), and will keep it
//! together with other registrars (RFC 5353).
//!
//! One value holds everything a registrar knows. It opens associations only to ask an element
//! whose own association is down whether it is alive. It answers ENRP requests for its peer list
//! and its handle table; taking part in ENRP as a peer is not here yet.

mod announce;
mod config;
mod counters;
mod enrp;
mod keep_alive;
pub(crate) mod management;
mod own;
mod registration;
mod resolution;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use bytes::Bytes;

pub use config::RegistrarConfig;
pub use counters::Counters;
use own::OwnElement;

use crate::base::{
    AssociationId, CommandId, ConnectId, Deadlines, Instant, ProtocolId, Random, RegistrarId,
    TransportAddress,
};
use crate::endpoint::hunt::ConnectIds;
use crate::endpoint::{AbortCause, Action, Channel, Endpoint, Event, Outbox};
use crate::handlespace::{Handlespace, PeHandle};
use crate::wire::{
    AsapMessage, CauseCode, DecodeError, EnrpBody, EnrpMessage, ErrorCause, OperationError, PoolEntry,
    Reaction,
};

/// What the application can ask a registrar for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The whole handlespace. Answered by [`Notice::Pools`].
    Pools,
    /// Counters and sizes. Answered by [`Notice::Counters`].
    Counters,
}

/// What the application is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The handlespace.
    Pools(Vec<PoolEntry>),
    /// Counters and sizes by name.
    Counters(Vec<(&'static str, u64)>),
    /// An element has entered a pool, or an element of ours speaks from elsewhere.
    Registered {
        /// The element.
        pe: PeHandle,
        /// Where it registered from.
        peer: TransportAddress,
    },
    /// A registration was refused.
    Rejected {
        /// The element.
        pe: PeHandle,
        /// Where it tried to register from.
        peer: TransportAddress,
        /// The error cause.
        cause: CauseCode,
    },
    /// An element has left its pool.
    Removed {
        /// The element.
        pe: PeHandle,
        /// Why.
        reason: RemovalReason,
    },
    /// A message was no valid ASAP or ENRP message.
    Malformed {
        /// Who sent it.
        peer: TransportAddress,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// All associations are closed and the registrar is done.
    Stopped,
}

/// Why an element has left its pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemovalReason {
    /// It deregistered.
    #[error("deregistered")]
    Deregistered,
    /// It did not answer a keep-alive.
    #[error("no answer to a keep-alive")]
    Silent,
    /// More users reported it than MAX-BAD-PE-REPORT allows.
    #[error("reported as unreachable too often")]
    Reported,
    /// Its registration life ended.
    #[error("registration life ended")]
    Expired,
}

/// A deadline of the registrar.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The next periodic keep-alive to an element of ours.
    KeepAlive(PeHandle),
    /// An element of ours has not answered a keep-alive.
    KeepAliveAnswer(PeHandle),
    /// The registration life of an element of ours.
    Life(PeHandle),
    /// The next announcement.
    Announce,
}

/// An association, with what must be known when it ends.
#[derive(Debug)]
struct Link {
    peer: TransportAddress,
    /// The elements that registered over it.
    elements: BTreeSet<PeHandle>,
    /// The elements whose identifiers it contests.
    challenges: BTreeSet<PeHandle>,
    /// Where the download of a handle table over it stands.
    table: Option<enrp::TableCursor>,
}

/// A registrar. See [`crate::endpoint`] for how it is driven.
#[derive(Debug)]
pub struct Registrar {
    id: RegistrarId,
    config: RegistrarConfig,
    random: Random,
    handlespace: Handlespace,
    own: BTreeMap<PeHandle, OwnElement>,
    links: BTreeMap<AssociationId, Link>,
    /// Attempts to reach elements whose association is down.
    probes: BTreeMap<ConnectId, PeHandle>,
    connects: ConnectIds,
    others: announce::OtherRegistrars,
    deadlines: Deadlines<Timer>,
    counters: Counters,
    outbox: Outbox<Notice>,
    shutdown: Option<Shutdown>,
}

/// How far a shutdown has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shutdown {
    Closing,
    Stopped,
}

impl Registrar {
    /// A registrar that serves from now on.
    ///
    /// The configuration is taken as it is; [`RegistrarConfig::check`] finds what cannot work.
    pub fn new(config: RegistrarConfig, now: Instant) -> Self {
        let mut random = Random::new(config.seed);
        let mut registrar = Self {
            id: config.id.unwrap_or_else(|| RegistrarId(random.identifier())),
            random,
            handlespace: Handlespace::with_policies(config.limits, config.policies.clone()),
            own: BTreeMap::new(),
            links: BTreeMap::new(),
            probes: BTreeMap::new(),
            connects: ConnectIds::default(),
            others: announce::OtherRegistrars::default(),
            deadlines: Deadlines::default(),
            counters: Counters::default(),
            outbox: Outbox::default(),
            shutdown: None,
            config,
        };
        registrar.start_announcing(now);
        registrar
    }

    /// The ENRP server identifier.
    pub const fn id(&self) -> RegistrarId {
        self.id
    }

    /// The handlespace.
    pub const fn handlespace(&self) -> &Handlespace {
        &self.handlespace
    }

    /// What has been done so far.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Counters, and the sizes of what is kept.
    pub fn figures(&self) -> Vec<(&'static str, u64)> {
        let sizes = [
            ("pools", self.handlespace.pool_count()),
            ("elements", self.handlespace.element_count()),
            ("own_elements", self.own.len()),
            ("associations", self.links.len()),
            ("timers", self.deadlines.len()),
        ];
        let sizes = sizes.into_iter().map(|(name, size)| (name, size as u64));
        self.counters.named().chain(sizes).collect()
    }

    fn handle_message(&mut self, now: Instant, from: AssociationId, protocol: ProtocolId, bytes: &Bytes) {
        match protocol {
            ProtocolId::ASAP => match AsapMessage::decode(bytes) {
                Ok(decoded) => {
                    self.report_parameters(from, protocol, decoded.report);
                    self.handle_asap(now, from, decoded.message);
                }
                Err(error) => self.handle_malformed(from, protocol, error),
            },
            ProtocolId::ENRP => match EnrpMessage::decode(bytes) {
                Ok(decoded) => {
                    self.report_parameters(from, protocol, decoded.report);
                    self.handle_enrp(from, decoded.message);
                }
                Err(error) => self.handle_malformed(from, protocol, error),
            },
            ProtocolId::MANAGEMENT if self.config.management => self.handle_management(from, bytes),
            _ => self.counters.unknown_protocol += 1,
        }
    }

    fn handle_asap(&mut self, now: Instant, from: AssociationId, message: AsapMessage) {
        match message {
            AsapMessage::Registration { handle, element } => {
                self.handle_registration(now, from, handle, element);
            }
            AsapMessage::Deregistration { handle, element } => {
                self.handle_deregistration(now, from, PeHandle { pool: handle, element });
            }
            AsapMessage::HandleResolution { handle, subscribe: _, items } => {
                self.handle_resolution(from, handle, items);
            }
            AsapMessage::EndpointKeepAliveAck { handle, element } => {
                self.handle_keep_alive_ack(now, from, &PeHandle { pool: handle, element });
            }
            AsapMessage::EndpointUnreachable { handle, element } => {
                self.handle_unreachable(now, from, &PeHandle { pool: handle, element });
            }
            AsapMessage::Error { .. } => self.counters.errors_received += 1,
            // RFC 5352 section 4 gives a registrar no part in these.
            AsapMessage::RegistrationResponse { .. }
            | AsapMessage::DeregistrationResponse { .. }
            | AsapMessage::HandleResolutionResponse { .. }
            | AsapMessage::EndpointKeepAlive { .. }
            | AsapMessage::ServerAnnounce { .. }
            | AsapMessage::Cookie { .. }
            | AsapMessage::CookieEcho { .. }
            | AsapMessage::BusinessCard { .. } => self.counters.unexpected += 1,
        }
    }

    fn handle_malformed(&mut self, from: AssociationId, protocol: ProtocolId, error: DecodeError) {
        self.counters.malformed += 1;
        if let Reaction::Report(cause) = &error.reaction {
            self.report_parameters(from, protocol, alloc::vec![cause.clone()]);
        }
        if let Some(link) = self.links.get(&from) {
            self.outbox.tell(Notice::Malformed { peer: link.peer.clone(), error });
        }
    }

    /// Sends ASAP_ERROR or ENRP_ERROR with these causes, if there are any.
    fn report_parameters(&mut self, to: AssociationId, protocol: ProtocolId, causes: Vec<ErrorCause>) {
        if causes.is_empty() {
            return;
        }
        self.counters.errors_sent += 1;
        let error = OperationError { causes };
        if protocol == ProtocolId::ENRP {
            self.send_enrp(to, RegistrarId::NONE, EnrpBody::Error { error });
        } else {
            self.send_asap(to, &AsapMessage::Error { error });
        }
    }

    fn send_asap(&mut self, to: AssociationId, message: &AsapMessage) {
        // Handles and elements are bounded, so everything fits but a resolution of many elements,
        // which checks for itself.
        if let Ok(bytes) = message.encode(self.config.padding) {
            self.outbox.send(to, ProtocolId::ASAP, bytes);
        }
    }

    fn handle_connected(
        &mut self,
        now: Instant,
        id: AssociationId,
        request: Option<ConnectId>,
        peer: TransportAddress,
    ) {
        let abort = Action::Abort { association: id, cause: AbortCause::User };
        let probed = request.map(|request| self.probes.remove(&request));
        if probed == Some(None) {
            // An attempt that was cancelled as it succeeded. An association that nobody uses would
            // keep the element from opening one of its own between the same ports.
            return self.outbox.act(abort);
        }
        if self.shutdown.is_some() {
            self.outbox.act(abort);
        }
        self.links
            .insert(id, Link { peer, elements: BTreeSet::new(), challenges: BTreeSet::new(), table: None });
        if let Some(pe) = probed.flatten() {
            self.probe_connected(now, id, &pe);
        }
    }

    fn handle_disconnected(&mut self, now: Instant, id: AssociationId) {
        let Some(link) = self.links.remove(&id) else { return };
        self.drop_challenges(id, &link.challenges);
        for pe in link.elements {
            self.registrant_disconnected(now, &pe);
        }
        self.stop_if_closed();
    }

    fn stop_if_closed(&mut self) {
        if self.shutdown == Some(Shutdown::Closing) && self.links.is_empty() {
            self.shutdown = Some(Shutdown::Stopped);
            self.outbox.tell(Notice::Stopped);
        }
    }
}

impl Endpoint for Registrar {
    type Command = Command;
    type Notice = Notice;

    fn handle_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Connected { association, request, local_port: _, peer } => {
                self.handle_connected(now, association, request, peer);
            }
            Event::ConnectFailed { request, reason } => {
                if let Some(pe) = self.probes.remove(&request) {
                    self.probe_failed(now, &pe, &reason);
                }
            }
            Event::Message { association, protocol, stream: _, bytes } => {
                if self.shutdown.is_none() && self.links.contains_key(&association) {
                    self.handle_message(now, association, protocol, &bytes);
                }
            }
            Event::Disconnected { association, reason: _ } => self.handle_disconnected(now, association),
            Event::Announce { channel: Channel::Asap, source: _, bytes } => self.handle_announce(now, &bytes),
            // ENRP's channel belongs to peers. All we send is control messages, whose queue the
            // transport bounds, and counters, which are lost with whoever does not read them.
            Event::Announce { channel: Channel::Enrp, .. }
            | Event::Congested { .. }
            | Event::Drained { .. } => {}
        }
    }

    fn handle_command(&mut self, _now: Instant, id: CommandId, command: Command) {
        let notice = match command {
            Command::Pools => Notice::Pools(self.pool_entries()),
            Command::Counters => Notice::Counters(self.figures()),
        };
        self.outbox.answer(id, notice);
    }

    fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.deadlines.pop_due(now) {
            match timer {
                Timer::KeepAlive(pe) => self.check_alive(now, &pe),
                Timer::KeepAliveAnswer(pe) => self.keep_alive_unanswered(now, &pe),
                Timer::Life(pe) => self.remove_own(now, &pe, RemovalReason::Expired),
                Timer::Announce => self.announce(now),
            }
        }
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.outbox.actions.pop_front()
    }

    fn poll_notice(&mut self) -> Option<(Option<CommandId>, Notice)> {
        self.outbox.notices.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    fn begin_shutdown(&mut self, _now: Instant, deadline: Instant) {
        if self.shutdown.is_some() {
            return;
        }
        self.shutdown = Some(Shutdown::Closing);
        self.deadlines = Deadlines::default();
        for request in core::mem::take(&mut self.probes).into_keys() {
            self.outbox.act(Action::CancelConnect { request });
        }
        for association in self.links.keys() {
            self.outbox.act(Action::Shutdown { association: *association, deadline });
        }
        self.stop_if_closed();
    }

    fn is_stopped(&self) -> bool {
        self.shutdown == Some(Shutdown::Stopped)
    }
}

#[cfg(test)]
mod tests;
