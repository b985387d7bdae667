//! The registrar: keeps the handlespace, answers elements and users (RFC 5352), and keeps it
//! together with other registrars (RFC 5353).
//!
//! One value holds everything a registrar knows. It opens associations to other registrars, and to
//! ask an element whose own association is down whether it is alive.

mod announce;
mod config;
mod counters;
mod enrp;
mod interface;
mod keep_alive;
mod management;
mod own;
mod peer_status;
mod registration;
mod resolution;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use bytes::Bytes;

pub use config::{EnrpConfig, MAX_CONFIGURED_PEERS, RegistrarConfig, TakeoverWinner};
pub use counters::{Counters, Figures, Sizes};
use enrp::{ContactId, Enrp, HandOver};
pub use interface::{Answer, Command, Notice, RemovalReason};
#[cfg(test)]
use keep_alive::MAX_PROBES;
use own::OwnElement;
pub use peer_status::{PeerState, PeerStatus};

use crate::base::{
    AssociationId, CommandId, ConnectId, Deadlines, Instant, ProtocolId, Random, RegistrarId,
    TransportAddress,
};
use crate::endpoint::hunt::ConnectIds;
use crate::endpoint::{AbortCause, Action, Channel, Endpoint, Event, Outbox, Output};
use crate::handlespace::{Handlespace, PeHandle};
use crate::wire::{AsapMessage, DecodeError, EnrpBody, EnrpMessage, ErrorCause, OperationError, Reaction};

/// A deadline of the registrar, beside those of the handlespace, which are for keep-alives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The registration life of an element of ours.
    Life(PeHandle),
    /// The next announcement.
    Announce,
    /// The next heartbeat to our peers.
    Heartbeat,
    /// A peer is silent, or has not answered.
    Peer(RegistrarId),
    /// Not everybody has acknowledged the takeover of this peer.
    Takeover(RegistrarId),
    /// The next page in a resynchronisation with a peer.
    Audit(RegistrarId),
    /// The mentor's answer, or the end of the pause after a refusal.
    Join,
    /// The time to find a mentor is over.
    MentorTimeout,
    /// A place where a registrar may be is tried again.
    Contact(ContactId),
    /// A download of our handle table that is not gone on with.
    Download(AssociationId),
    /// A former element has not answered.
    Reclaim(PeHandle),
    /// Elements that we hand over have not been taken.
    HandOver,
}

/// What an attempt to connect is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Attempt {
    /// To ask an element of ours whether it is alive.
    Element(PeHandle),
    /// To meet another registrar.
    Registrar(ContactId),
}

/// An association, with what must be known when it ends.
#[derive(Debug)]
struct Link {
    peer: TransportAddress,
    /// Whether we have opened it.
    opened: bool,
    /// Whether we have sent ENRP_PRESENCE over it.
    greeted: bool,
    /// The registrar at the other end, once it has named itself.
    registrar: Option<RegistrarId>,
    /// The place that was contacted by it.
    contact: Option<ContactId>,
    /// The elements that registered over it.
    elements: BTreeSet<PeHandle>,
    /// The elements whose identifiers it contests.
    challenges: BTreeSet<PeHandle>,
    /// Where the download of a handle table over it stands.
    table: Option<enrp::TableCursor>,
}

impl Link {
    fn new(peer: TransportAddress, opened: bool) -> Self {
        let (elements, challenges) = (BTreeSet::new(), BTreeSet::new());
        let (greeted, registrar, contact, table) = (false, None, None, None);
        Self { peer, opened, greeted, registrar, contact, elements, challenges, table }
    }
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
    enrp: Enrp,
    /// Attempts to connect that are under way.
    attempts: BTreeMap<ConnectId, Attempt>,
    /// Elements that wait until they may be connected to, in their order.
    waiting: BTreeMap<u64, PeHandle>,
    connects: ConnectIds,
    others: announce::OtherRegistrars,
    deadlines: Deadlines<Timer>,
    counters: Counters,
    outbox: Outbox<Answer, Notice>,
    shutdown: Option<Shutdown>,
}

/// How far a shutdown has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shutdown {
    /// Our elements are offered to our peers; everything else goes on.
    HandingOver(HandOver),
    /// Every association is being closed.
    Closing,
    Stopped,
}

impl Registrar {
    /// A registrar that serves from now on, or begins to look for its mentor.
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
            enrp: Enrp::default(),
            attempts: BTreeMap::new(),
            waiting: BTreeMap::new(),
            connects: ConnectIds::default(),
            others: announce::OtherRegistrars::default(),
            deadlines: Deadlines::default(),
            counters: Counters::default(),
            outbox: Outbox::default(),
            shutdown: None,
            config,
        };
        registrar.start_joining(now);
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
    pub fn figures(&self) -> Figures {
        let sizes = Sizes {
            pools: self.handlespace.pool_count() as u64,
            elements: self.handlespace.element_count() as u64,
            own_elements: self.own.len() as u64,
            associations: self.links.len() as u64,
            peers: self.enrp.peer_count() as u64,
            contacts: self.enrp.contact_count() as u64,
            timers: (self.deadlines.len() + self.handlespace.watch_count()) as u64,
        };
        Figures { counters: self.counters, sizes }
    }

    fn handle_message(&mut self, now: Instant, from: AssociationId, protocol: ProtocolId, bytes: &Bytes) {
        match protocol {
            // Elements and users come in by another port, and not before we serve.
            ProtocolId::ASAP if !self.is_serving() => self.counters.unexpected += 1,
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
                    self.handle_enrp(now, from, decoded.message);
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
        local_port: u16,
        peer: TransportAddress,
    ) {
        let attempt = request.map(|request| self.attempts.remove(&request));
        // An attempt that was cancelled as it succeeded, an element that came before we serve, or
        // anybody while we leave. An association that nobody uses would keep its peer from opening
        // one of its own between the same ports; and who is turned away tries another registrar.
        let early = local_port == self.config.asap_port && !self.is_serving();
        let unwanted = match &attempt {
            Some(attempt) => attempt.is_none() || self.is_closing(),
            None => early || self.shutdown.is_some(),
        };
        if unwanted {
            return self.outbox.act(Action::Abort { association: id, cause: AbortCause::User });
        }
        self.counters.tcp_accepted += u64::from(peer.is_tcp());
        self.links.insert(id, Link::new(peer, request.is_some()));
        match attempt.flatten() {
            Some(Attempt::Element(pe)) => self.probe_connected(now, id, &pe),
            Some(Attempt::Registrar(contact)) => self.contact_made(now, contact, id),
            None => {}
        }
    }

    /// More is known of where a peer is. What it has registered is listed with it: its other addresses
    /// are needed when the first has failed.
    fn handle_addresses(&mut self, id: AssociationId, peer: TransportAddress) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.peer = peer.clone();
        // A UDP port may change with every packet: it is told when an element registers again.
        let mut grown = Vec::new();
        for pe in &link.elements {
            if let Some(own) = self.own.get_mut(pe) {
                if own.peer.addresses != peer.addresses {
                    grown.push(pe.clone());
                }
                own.peer = peer.clone();
            }
        }
        for pe in grown {
            self.list_anew(&pe, &peer);
        }
    }

    fn handle_disconnected(&mut self, now: Instant, id: AssociationId) {
        let Some(link) = self.links.remove(&id) else { return };
        self.drop_challenges(id, &link.challenges);
        self.deadlines.clear(&Timer::Download(id));
        if self.is_closing() {
            // Nobody is sought any more, and nothing is waited for.
            return self.stop_if_closed();
        }
        // First, so that no peer is told over it what follows for the elements.
        if let Some(contact) = link.contact {
            self.contact_lost(now, contact);
        }
        if let Some(registrar) = link.registrar {
            self.peer_disconnected(now, registrar, id);
        }
        for pe in &link.elements {
            self.former_left(pe, id);
            self.registrant_disconnected(now, pe, id);
        }
    }

    /// What may follow from anything: a place for an element that waits to be asked, or the end of a
    /// hand-over.
    fn settle(&mut self, now: Instant) {
        self.connect_waiting(now);
        self.handed_over();
    }

    /// Whether we listen to nobody any more.
    const fn is_closing(&self) -> bool {
        matches!(self.shutdown, Some(Shutdown::Closing | Shutdown::Stopped))
    }

    fn close_all(&mut self, deadline: Instant) {
        self.shutdown = Some(Shutdown::Closing);
        self.deadlines = Deadlines::default();
        self.handlespace.unwatch_all();
        for request in core::mem::take(&mut self.attempts).into_keys() {
            self.outbox.act(Action::CancelConnect { request });
        }
        for association in self.links.keys() {
            self.outbox.act(Action::Shutdown { association: *association, deadline });
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
    type Answer = Answer;
    type Notice = Notice;

    fn handle_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Connected { association, request, local_port, peer } => {
                self.handle_connected(now, association, request, local_port, peer);
            }
            Event::Addresses { association, peer } => self.handle_addresses(association, peer),
            Event::ConnectFailed { request, reason } => match self.attempts.remove(&request) {
                Some(Attempt::Element(pe)) => self.probe_failed(now, &pe, &reason),
                Some(Attempt::Registrar(contact)) => self.contact_failed(now, contact, &reason),
                None => {}
            },
            Event::Message { association, protocol, stream: _, bytes } => {
                if !self.is_closing() && self.links.contains_key(&association) {
                    self.handle_message(now, association, protocol, &bytes);
                }
            }
            Event::Disconnected { association, reason: _ } => self.handle_disconnected(now, association),
            Event::Announce { channel: Channel::Asap, source: _, bytes } => self.handle_announce(now, &bytes),
            Event::Announce { channel: Channel::Enrp, source, bytes } => {
                self.handle_enrp_announce(now, source, &bytes);
            }
            Event::HungUp { local_port: _, peer, reason } => {
                self.counters.hung_up(reason);
                self.outbox.tell(Notice::HungUp { peer, reason });
            }
            // All we send is control messages, whose queue the transport bounds, and counters,
            // which are lost with whoever does not read them.
            Event::Congested { .. } | Event::Drained { .. } => {}
        }
        self.settle(now);
    }

    fn handle_command(&mut self, _now: Instant, id: CommandId, command: Command) {
        let answer = match command {
            Command::Pools => Answer::Pools(self.pool_entries()),
            Command::Counters => Answer::Counters(Box::new(self.figures())),
            Command::Peers => Answer::Peers(self.peers()),
        };
        self.outbox.answer(id, answer);
    }

    fn handle_timeout(&mut self, now: Instant) {
        loop {
            let timers = self.deadlines.next();
            if self.handlespace.next_watch().is_some_and(|at| timers.is_none_or(|next| at <= next))
                && let Some(pe) = self.handlespace.pop_watch(now)
            {
                self.keep_alive_due(now, &pe);
                continue;
            }
            let Some(timer) = self.deadlines.pop_due(now) else { break };
            match timer {
                Timer::Life(pe) => self.remove_own(now, &pe, RemovalReason::Expired),
                Timer::Announce => self.announce(now),
                Timer::Heartbeat => self.heartbeat(now),
                Timer::Peer(id) => self.check_peer(now, id),
                Timer::Takeover(id) => self.takeover_due(now, id),
                Timer::Audit(id) => self.audit_due(now, id),
                Timer::Join => self.join_due(now),
                Timer::MentorTimeout => self.mentor_timeout(now),
                Timer::Contact(contact) => self.contact_due(now, contact),
                Timer::Download(association) => self.download_given_up(association),
                Timer::Reclaim(pe) => self.reclaim_unanswered(&pe),
                Timer::HandOver => self.hand_over_due(now),
            }
        }
        self.settle(now);
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.outbox.actions.pop_front()
    }

    fn poll_output(&mut self) -> Option<Output<Answer, Notice>> {
        self.outbox.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next().into_iter().chain(self.handlespace.next_watch()).min()
    }

    fn begin_shutdown(&mut self, now: Instant, deadline: Instant) {
        if self.shutdown.is_none() && !self.hand_over(now, deadline) {
            self.close_all(deadline);
        }
    }

    fn is_stopped(&self) -> bool {
        self.shutdown == Some(Shutdown::Stopped)
    }
}

#[cfg(test)]
mod tests;
