//! The registrar: it keeps the handlespace, answers elements and users (RFC 5352), and shares the handlespace
//! with other registrars (RFC 5353).
//!
//! ```text
//!                      Registrar (this file): which part an input concerns
//!          │                      │                       │
//!    asap: registration     announce, management       enrp         see its own picture
//!          removal                │                       │
//!          resolution             │                       │
//!          subscriptions          │                       │
//!          └──────────┬───────────┴───────────────────────┘
//!                 Elements:  listing   the handlespace; the only part that writes to it
//!                            own       the elements whose home we are, and whether they live
//!                            former    elements that were ours and may come back
//!                            foreign   elements of other homes that somebody doubts
//!                     │
//!          links, attempts, group      associations: up, being opened, with peers
//!          answers                     what elements are told
//!          context                     time, configuration, randomness, deadlines, the ways out;
//!                                      it also holds attempts and group
//! ```
//!
//! Each part keeps its state to itself: others read it and call its methods, which take the `Context` and the
//! other parts that they need. A part returns what it decides about the parts above it.

mod announce;
mod answers;
mod asap;
mod attempts;
mod config;
mod context;
mod counters;
mod elements;
mod enrp;
mod foreign;
mod former;
mod group;
mod interface;
#[cfg(test)]
mod invariants;
mod links;
mod listing;
mod management;
mod own;
mod registration;
mod removal;
mod resolution;
mod rights;
mod shares;
mod subscriptions;

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;

#[doc(no_inline)]
pub use crate::endpoint::{PeerState, PeerStatus, RegistrarState, RegistrarStatus, TransportCounters};
pub use config::{EnrpConfig, MAX_CONFIGURED_PEERS, RegistrarConfig, TakeoverWinner};
pub use counters::{Counters, Figures, Sizes};
pub use interface::{Answer, Command, Notice, RemovalReason};
pub use rights::{Pattern, Rights, Rule};
pub use subscriptions::MAX_SUBSCRIPTIONS_PER_ASSOCIATION;

use self::announce::OtherRegistrars;
use self::attempts::Attempt;
use self::context::{Context, Phase, Timer};
use self::elements::Elements;
use self::enrp::audit;
use self::enrp::join::Join;
use self::enrp::namesake::{self, Namesake};
use self::enrp::offers::{self, Leaving};
use self::enrp::ourselves::{self, Reply};
use self::enrp::pages::TablePage;
use self::enrp::peers::{Fate, Meeting, Peers};
use self::enrp::presence::{self, Presence};
use self::enrp::table::Downloads;
use self::enrp::{claims, takeovers};
use self::foreign::Finding;
use self::links::{Links, Opener};
use self::own::Verdict;
use self::rights::Right;
use self::subscriptions::Subscriptions;
use crate::base::{
    AssociationId, CommandId, ConnectId, Deadlines, Instant, ProtocolId, RegistrarId, SctpPort, Source,
    TransportAddress,
};
use crate::endpoint::management::{COUNTERS_REQUEST, PEERS_REQUEST, STATUS_REQUEST, peers_text, status_text};
use crate::endpoint::received::Received;
use crate::endpoint::{
    AbortCause, Action, Channel, ConnectError, Connected, DownReason, Endpoint, Event, Origin, Output,
    Reservation, Security,
};
use crate::handlespace::{Handlespace, PeHandle};
use crate::wire::{
    AsapMessage, DecodeError, EnrpBody, EnrpMessage, OperationError, PoolElement, UpdateAction,
};

/// A registrar. See [`crate::endpoint`] for how it is driven.
#[derive(Debug)]
pub struct Registrar {
    ctx: Context,
    links: Links,
    elements: Elements,
    subscriptions: Subscriptions,
    peers: Peers,
    join: Join,
    downloads: Downloads,
    others: OtherRegistrars,
}

impl Registrar {
    /// A registrar that serves from now on, or begins to look for its mentor.
    ///
    /// The configuration is taken as it is; [`RegistrarConfig::check`] finds what cannot work.
    pub fn new(config: RegistrarConfig, now: Instant) -> Self {
        let elements = Elements::new(&config);
        let mut registrar = Self {
            ctx: Context::new(config, now),
            links: Links::default(),
            elements,
            subscriptions: Subscriptions::default(),
            peers: Peers::default(),
            join: Join::default(),
            downloads: Downloads::default(),
            others: OtherRegistrars::default(),
        };
        let Self { ctx, links, elements, peers, join, .. } = &mut registrar;
        join.start(ctx, links, elements, peers);
        registrar.note_configured();
        registrar
    }

    /// The transport has to be told of the addresses of configured peers, because they are new or are so no longer.
    fn note_configured(&mut self) {
        self.peers.contacts.configured().for_each(|a| self.elements.own.note_change(Source::of(*a)));
    }

    /// The ENRP server identifier. It may change until the first message that names it is sent.
    pub const fn id(&self) -> RegistrarId {
        self.ctx.id
    }

    /// Whether it offers its services: it has the handlespace of its peers, or is alone, and has not begun to
    /// close its associations.
    pub const fn is_serving(&self) -> bool {
        self.ctx.is_serving()
    }

    /// The elements of all registrars of the scope, as far as this one knows them.
    pub fn handlespace(&self) -> &Handlespace {
        &self.elements.listing
    }

    /// Everything counted since the start.
    pub const fn counters(&self) -> &Counters {
        &self.ctx.counters
    }

    /// The other registrars, in the order of their identifiers.
    pub fn peers(&self) -> Vec<PeerStatus> {
        self.peers.statuses(&self.ctx, &self.elements.listing)
    }

    /// Who it is, and how it is, at the time of the last input.
    pub fn status(&self) -> RegistrarStatus {
        management::status(&self.ctx, &self.elements, &self.peers, &self.join)
    }

    /// Counters, and the sizes of what is kept.
    pub fn figures(&self) -> Figures {
        management::figures(&self.ctx, &self.links, &self.elements, &self.subscriptions, &self.peers)
    }
}

/// Associations.
impl Registrar {
    fn handle_connected(
        &mut self,
        id: AssociationId,
        origin: Origin,
        local_port: SctpPort,
        peer: TransportAddress,
        security: Security,
    ) {
        let Self { ctx, links, elements, .. } = self;
        let attempt = origin.attempt().map(|request| ctx.attempts.end(request));
        // Not wanted: an attempt that was cancelled as it succeeded, an element or user that comes before we
        // serve, any peer while we leave. If the association stayed up unused, its peer could not open one of
        // its own between the same ports; and a client that is turned away tries another registrar.
        let early = local_port == ctx.config.asap_port && !ctx.is_serving();
        let unwanted = match &attempt {
            Some(attempt) => attempt.is_none() || ctx.is_closing(),
            None => early || ctx.is_leaving(),
        };
        if unwanted {
            return ctx.abort(id, AbortCause::User);
        }
        ctx.counters.tcp_accepted += u64::from(peer.is_tcp());
        links.open(id, peer, if attempt.is_some() { Opener::Us } else { Opener::Peer }, security);
        match attempt.flatten() {
            Some(Attempt::Element(pe)) => {
                let verdict = elements.own.probe_connected(ctx, &mut elements.listing, links, id, &pe);
                self.conclude(&pe, verdict);
            }
            Some(Attempt::Foreign(pe)) => {
                let finding = elements.foreign.connected(ctx, links, id, &pe);
                self.settle(&pe, finding);
            }
            Some(Attempt::Registrar(contact)) => {
                self.peers.contacts.contact_made(ctx, links, contact, id);
                ourselves::greet(ctx, links, &elements.listing, id, RegistrarId::NONE);
            }
            None => {}
        }
    }

    fn handle_connect_failed(&mut self, request: ConnectId, reason: &ConnectError) {
        let Self { ctx, links, elements, .. } = self;
        match ctx.attempts.end(request) {
            Some(Attempt::Element(pe)) => {
                let verdict = elements.own.probe_failed(ctx, &mut elements.listing, links, &pe, reason);
                self.conclude(&pe, verdict);
            }
            Some(Attempt::Foreign(pe)) => {
                let finding = elements.foreign.connect_failed(ctx, links, &pe, reason);
                self.settle(&pe, finding);
            }
            Some(Attempt::Registrar(contact)) => {
                if let Some(peer) = self.peers.contacts.contact_failed(ctx, contact, reason) {
                    let fate = self.peers.peer_refused(ctx, peer);
                    self.judge(peer, fate);
                }
            }
            None => {}
        }
    }

    fn handle_disconnected(&mut self, id: AssociationId, reason: &DownReason) {
        let Self { ctx, links, elements, subscriptions, peers, join, downloads, .. } = self;
        let Some(link) = links.close(id) else { return };
        subscriptions.disconnected(ctx, &mut elements.listing, id);
        elements.own.drop_challenges(id, &link.challenges);
        downloads.download_ended(ctx, id);
        if ctx.is_closing() {
            // No peer or element is sought any longer, and nothing is waited for.
            return self.stop_if_closed();
        }
        let asked = elements.foreign.disconnected(ctx, id, reason);
        // This comes first, so that no peer is told over it what follows for the elements.
        if let Some(contact) = link.contact {
            peers.contacts.contact_lost(ctx, contact);
        }
        if let Some(registrar) = link.registrar
            && peers.peer_lost(ctx, &mut elements.listing, registrar, id)
        {
            join.mentor_gone(ctx, links, elements, peers, registrar);
        }
        for (pe, finding) in asked {
            self.settle(&pe, Some(finding));
        }
        for pe in &link.elements {
            let Self { ctx, links, elements, peers, .. } = self;
            elements.former.left(ctx, links, pe, id);
            let is_known = |id| peers.contains_key(&id);
            let Elements { own, listing, .. } = elements;
            let verdict = own.registrant_lost(ctx, listing, pe, (id, &link), reason, is_known);
            self.conclude(pe, verdict);
        }
    }
}

/// Messages.
impl Registrar {
    fn handle_message(&mut self, from: AssociationId, protocol: ProtocolId, bytes: &Bytes) {
        match protocol {
            // Elements and users use another port, and are not accepted before we serve.
            ProtocolId::ASAP if !self.ctx.is_serving() => self.ctx.counters.unexpected += 1,
            ProtocolId::ASAP => {
                let Received { message, report } = AsapMessage::decode(bytes).into();
                if let (Err(error), Some(report)) = (&message, &report)
                    && let Some(pe) = registration::named_in(&self.elements, bytes, report)
                {
                    self.tell_malformed(from, error.clone());
                    let to = (from, 1);
                    return answers::reject(&mut self.ctx, &self.links, to, &pe, report.clone());
                }
                if let Some(error) = report {
                    self.ctx.counters.errors_sent += 1;
                    self.ctx.send_asap(from, &AsapMessage::Error { error });
                }
                match message {
                    Ok(AsapMessage::Error { error }) => self.handle_error(from, ProtocolId::ASAP, &error),
                    Ok(message) => {
                        let Self { ctx, links, elements, subscriptions, .. } = self;
                        asap::handle_asap(ctx, links, elements, subscriptions, from, message);
                    }
                    Err(error) => self.tell_malformed(from, error),
                }
            }
            ProtocolId::ENRP => {
                let Received { message, report } = EnrpMessage::decode(bytes).into();
                if let Some(error) = report {
                    self.ctx.counters.errors_sent += 1;
                    let known = self.links.get(&from).and_then(|link| link.registrar);
                    let sender = message.as_ref().map_or(known, |message| Some(message.sender));
                    self.ctx.send_enrp(from, sender.unwrap_or_default(), EnrpBody::Error { error });
                }
                match message {
                    Ok(message) => self.handle_enrp(from, message),
                    Err(error) => self.tell_malformed(from, error),
                }
            }
            ProtocolId::MANAGEMENT if self.ctx.config.management => self.handle_management(from, bytes),
            _ => self.ctx.counters.unknown_protocol += 1,
        }
    }

    fn tell_malformed(&mut self, from: AssociationId, error: DecodeError) {
        self.ctx.counters.malformed += 1;
        if let Some(link) = self.links.get(&from) {
            self.ctx.outbox.tell(Notice::Malformed { peer: link.peer.clone(), error });
        }
    }

    /// The receiver of a message of ours says what is wrong with it. It gets no answer, but the reason must be
    /// known to whoever runs us: an update that it refused is missing there.
    fn handle_error(&mut self, from: AssociationId, protocol: ProtocolId, error: &OperationError) {
        self.ctx.counters.errors_received += 1;
        if let (Some(link), Some(cause)) = (self.links.get(&from), error.causes.first()) {
            let (peer, cause) = (link.peer.clone(), cause.code);
            self.ctx.outbox.tell(Notice::ErrorReceived { peer, protocol, cause });
        }
    }

    fn handle_enrp(&mut self, from: AssociationId, message: EnrpMessage) {
        let EnrpMessage { sender, receiver, body } = message;
        if receiver != RegistrarId::NONE && receiver != self.ctx.id {
            self.ctx.counters.wrong_receiver += 1;
            return;
        }
        let asks = matches!(body, EnrpBody::ListRequest | EnrpBody::HandleTableRequest { .. });
        let right = if asks && sender == RegistrarId::NONE { Right::Inspect } else { Right::Peer };
        if !rights::permits(&mut self.ctx, &self.links, from, right) {
            return rights::expel(&mut self.ctx, from, sender);
        }
        if sender == self.ctx.id && !self.ctx.draw_another_id() {
            return self.handle_namesake(from, &body);
        }
        // Anyone may ask, even with sender identifier 0; that does not make a peer.
        if sender != RegistrarId::NONE {
            match self.meet(from, sender) {
                Met::Heeded => {}
                Met::Ignored => return,
                // Whoever asks is answered.
                Met::Spoofed => return self.refuse(from, sender, &body),
            }
        }
        let Self { ctx, links, elements, peers, join, .. } = self;
        match body {
            EnrpBody::ListRequest => peers.answer_list_request(ctx, from, sender),
            EnrpBody::HandleTableRequest { own_only }
                if own_only && audit::asks_for_our_past(peers, sender) =>
            {
                self.downloads.defer(from, sender);
            }
            EnrpBody::HandleTableRequest { own_only } => {
                self.downloads.answer_table_request(ctx, &elements.listing, from, sender, own_only);
            }
            EnrpBody::Error { error } => self.handle_error(from, ProtocolId::ENRP, &error),
            _ if sender == RegistrarId::NONE => ctx.counters.unexpected += 1,
            EnrpBody::Presence { reply_required, checksum, server } => {
                let reply = if reply_required { Reply::Required } else { Reply::Needless };
                let said = Presence { reply, checksum, server };
                presence::handle_presence(ctx, links, elements, peers, from, sender, said);
            }
            EnrpBody::ListResponse { rejected, servers } => {
                let list = (!rejected).then_some(servers);
                join.handle_list(ctx, links, elements, peers, sender, list);
            }
            EnrpBody::HandleTableResponse { rejected, more, pools } => {
                let page = TablePage { rejected, more, pools };
                join.handle_table(ctx, links, elements, peers, sender, page);
            }
            EnrpBody::HandleUpdate { takeover_suggested, action, handle, element } => {
                let pe = elements.listing.name(&handle, element.id);
                let offered =
                    takeover_suggested && offers::is_offered_to_us(ctx, peers, sender, receiver, &pe);
                let said = if offered { Said::Offer } else { Said::Claim };
                self.handle_update(sender, action, said, &pe, element);
            }
            EnrpBody::InitTakeover { target } => {
                takeovers::handle_init_takeover(ctx, links, elements, peers, join, sender, target);
            }
            EnrpBody::InitTakeoverAck { target } => {
                takeovers::handle_takeover_ack(ctx, links, elements, peers, join, sender, target);
            }
            EnrpBody::TakeoverServer { target } => {
                takeovers::handle_takeover_server(ctx, links, elements, peers, join, sender, target);
            }
        }
    }

    fn handle_update(
        &mut self,
        sender: RegistrarId,
        action: UpdateAction,
        said: Said,
        pe: &PeHandle,
        element: PoolElement,
    ) {
        let Self { ctx, links, elements, peers, .. } = self;
        ctx.counters.updates_received += 1;
        match (action, said) {
            // Only the home registrar speaks for an element (RFC 5353 section 2.4).
            (UpdateAction::ADD_PE, _) if element.home != sender => ctx.counters.updates_refused += 1,
            (UpdateAction::ADD_PE, Said::Offer) => {
                offers::accept_offer(ctx, links, elements, peers, sender, pe, element);
            }
            (UpdateAction::ADD_PE, Said::Claim) => {
                claims::handle_claim(ctx, links, elements, peers, sender, pe, element);
            }
            (UpdateAction::DEL_PE, _) => claims::handle_removal(ctx, elements, sender, pe),
            _ => ctx.counters.unexpected += 1,
        }
    }

    /// Refuses what is asked in another name than that of the registrar at the other end.
    fn refuse(&mut self, from: AssociationId, sender: RegistrarId, body: &EnrpBody) {
        let refusal = match body {
            EnrpBody::ListRequest => EnrpBody::ListResponse { rejected: true, servers: Vec::new() },
            EnrpBody::HandleTableRequest { .. } => {
                EnrpBody::HandleTableResponse { rejected: true, more: false, pools: Vec::new() }
            }
            _ => return,
        };
        self.ctx.send_enrp(from, sender, refusal);
    }

    /// Takes note of the registrar that speaks over an association.
    fn meet(&mut self, from: AssociationId, id: RegistrarId) -> Met {
        let Self { ctx, links, elements, peers, .. } = self;
        match peers.meet(ctx, links, &elements.listing, from, id) {
            Meeting::Refused => Met::Ignored,
            Meeting::Spoofed => Met::Spoofed,
            Meeting::Known => Met::Heeded,
            Meeting::New { predecessors } => {
                for predecessor in predecessors {
                    self.judge(predecessor, Fate::Died);
                }
                self.join.seek_mentor(&mut self.ctx, &self.peers);
                Met::Heeded
            }
        }
    }

    fn handle_namesake(&mut self, from: AssociationId, body: &EnrpBody) {
        let Self { ctx, links, elements, peers, .. } = self;
        let namesake = namesake::meet_namesake(ctx, links, &elements.listing, peers, from, body);
        if namesake == Namesake::WasFirst {
            let deadline = ctx.answer_due();
            self.leave(deadline);
        }
    }

    fn handle_management(&mut self, from: AssociationId, request: &Bytes) {
        if !rights::permits(&mut self.ctx, &self.links, from, Right::Inspect) {
            return self.ctx.abort(from, AbortCause::User);
        }
        let text = match &request[..] {
            COUNTERS_REQUEST => management::counters_text(&self.figures()),
            PEERS_REQUEST => peers_text(self.peers()),
            STATUS_REQUEST => status_text(&self.status()),
            _ => {
                self.ctx.counters.malformed += 1;
                return;
            }
        };
        self.ctx.outbox.send(from, ProtocolId::MANAGEMENT, text.into());
    }
}

/// What a message counts for, by its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    Heeded,
    Ignored,
    /// Another registrar has named itself over the association before.
    Spoofed,
}

/// The intent of the sender of an ADD_PE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// That we become the home of the element.
    Offer,
    /// That the element is its own.
    Claim,
}

/// Decisions and deadlines.
impl Registrar {
    /// Does what a look at an element of ours has led to.
    fn conclude(&mut self, pe: &PeHandle, verdict: Verdict) {
        let Self { ctx, links, elements, peers, .. } = self;
        if matches!(verdict, Verdict::Goes(_)) && claims::leave(ctx, links, elements, peers, pe) {
            return;
        }
        removal::conclude(ctx, links, elements, pe, verdict);
    }

    /// Does what has been found out about an element of another home, if anything has.
    fn settle(&mut self, pe: &PeHandle, finding: Option<Finding>) {
        if let Some(finding) = finding {
            let Self { ctx, links, elements, .. } = self;
            removal::settle_doubts(ctx, links, elements, pe, finding);
        }
    }

    /// Does what a look at a peer has led to.
    fn judge(&mut self, id: RegistrarId, fate: Fate) {
        let Self { ctx, links, elements, peers, join, .. } = self;
        takeovers::conclude(ctx, links, elements, peers, join, id, fate);
    }

    fn handle_timer(&mut self, timer: Timer) {
        let Self { ctx, links, elements, peers, join, .. } = self;
        match timer {
            Timer::Life(pe) => self.conclude(&pe, Verdict::Goes(RemovalReason::Expired)),
            Timer::Announce => self.others.announce_due(ctx),
            Timer::Heartbeat => presence::heartbeat(ctx, elements, peers),
            Timer::Peer(id) => {
                let fate = peers.peer_due(ctx, &elements.listing, id);
                self.judge(id, fate);
            }
            Timer::Takeover(id) => takeovers::takeover_due(ctx, links, elements, peers, join, id),
            Timer::Audit(id) => audit::audit_due(ctx, &mut elements.listing, peers, id),
            Timer::Join => join.join_due(ctx, links, elements, peers),
            Timer::MentorTimeout => join.mentor_search_due(ctx, links, elements, peers),
            Timer::Contact(contact) => peers.contacts.contact_due(ctx, links, contact),
            Timer::Download(association) => self.downloads.download_due(association),
            Timer::Reclaim(pe) => elements.former.reclaim_due(ctx, links, &pe),
            Timer::Foreign(pe) => {
                let finding = elements.foreign.due(ctx, links, &pe);
                self.settle(&pe, finding);
            }
            Timer::Subscription(handle, to) => {
                self.subscriptions.tell(ctx, &mut elements.listing, &handle, to);
            }
            Timer::HandOver => {
                let leaving = offers::hand_over_due(ctx, elements);
                self.close_if(leaving);
            }
        }
    }

    /// The consequences that any input may have: a changed pool that somebody follows, room for an element that waits to
    /// be asked, an answer that had to wait, or the end of a hand-over.
    fn finish_input(&mut self) {
        let Self { ctx, elements, subscriptions, peers, downloads, .. } = self;
        if !ctx.is_closing() {
            subscriptions.tell_changes(ctx, &mut elements.listing);
        }
        elements.own.connect_waiting(ctx, &mut elements.listing);
        downloads.answer_deferred(ctx, &elements.listing, |peer| !audit::asks_for_our_past(peers, peer));
        let leaving = offers::handed_over(ctx, elements);
        self.close_if(leaving);
    }
}

/// Shutdown.
impl Registrar {
    fn leave(&mut self, deadline: Instant) {
        let Self { ctx, elements, peers, .. } = self;
        if !ctx.is_leaving() {
            let leaving = offers::hand_over(ctx, elements, peers, deadline);
            // An announcement offers services (RFC 5352 section 3.6), and who comes now is turned away.
            ctx.deadlines.clear(&Timer::Announce);
            self.close_if(leaving);
        }
    }

    fn close_if(&mut self, leaving: Leaving) {
        let Leaving::Now(deadline) = leaving else { return };
        let Self { ctx, links, elements, .. } = self;
        ctx.phase = Phase::Closing;
        ctx.deadlines = Deadlines::default();
        elements.listing.unwatch_all();
        elements.foreign.forget_all();
        for request in ctx.attempts.end_all() {
            ctx.outbox.act(Action::CancelConnect { request });
        }
        for association in links.keys() {
            ctx.outbox.act(Action::Shutdown { association: *association, deadline });
        }
        self.stop_if_closed();
    }

    fn stop_if_closed(&mut self) {
        if self.ctx.phase == Phase::Closing && self.links.is_empty() {
            self.ctx.phase = Phase::Stopped;
            self.ctx.outbox.tell(Notice::Stopped);
        }
    }
}

impl Endpoint for Registrar {
    type Command = Command;
    type Answer = Answer;
    type Notice = Notice;

    fn handle_event(&mut self, now: Instant, event: Event) {
        self.ctx.now = now;
        match event {
            Event::Connected(Connected { association, origin, local_port, peer, security }) => {
                self.handle_connected(association, origin, local_port, peer, security);
            }
            Event::Addresses { association, peer } => {
                let Self { ctx, links, elements, .. } = self;
                registration::handle_addresses(ctx, links, elements, association, peer);
            }
            Event::ConnectFailed { request, reason } => self.handle_connect_failed(request, &reason),
            Event::Message { association, protocol, stream: _, bytes } => {
                if !self.ctx.is_closing() && self.links.contains_key(&association) {
                    self.handle_message(association, protocol, &bytes);
                }
            }
            Event::Disconnected { association, reason } => self.handle_disconnected(association, &reason),
            Event::Announce { channel: Channel::Asap, source: _, bytes } => {
                self.others.handle_announce(&mut self.ctx, &bytes);
            }
            Event::Announce { channel: Channel::Enrp, source, bytes } => {
                let Self { ctx, elements, peers, .. } = self;
                presence::handle_enrp_announce(ctx, &elements.listing, peers, source, &bytes);
            }
            Event::HungUp { local_port: SctpPort(_), peer, reason } => {
                self.ctx.counters.hung_up(reason);
                self.ctx.outbox.tell(Notice::HungUp { peer, reason });
            }
            Event::Arriving { .. } => {}
            // All we send is control messages, whose queue the transport bounds, and counters, which are lost
            // if the client does not read them.
            Event::Congested { .. } | Event::Drained { .. } => {}
        }
        self.finish_input();
    }

    fn handle_command(&mut self, now: Instant, id: CommandId, command: Command) {
        self.ctx.now = now;
        let answer = match command {
            Command::Pools => Answer::Pools(self.elements.listing.pool_entries()),
            Command::Counters => Answer::Counters(Box::new(self.figures())),
            Command::Peers => Answer::Peers(self.peers()),
            Command::UsePeers(addresses) => {
                // The answer comes before what follows from the command.
                self.ctx.outbox.answer(id, Answer::Done);
                self.note_configured();
                self.peers.contacts.configure(&mut self.ctx, &addresses);
                return self.note_configured();
            }
            Command::UseRights(rights) => {
                self.ctx.config.rights = Some(*rights);
                Answer::Done
            }
            Command::NoteLinesLost(lines) => {
                self.ctx.counters.log_lines_lost = lines;
                Answer::Done
            }
        };
        self.ctx.outbox.answer(id, answer);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.ctx.now = now;
        loop {
            let Self { ctx, elements, .. } = self;
            let timers = ctx.deadlines.next();
            if elements.listing.next_watch().is_some_and(|at| timers.is_none_or(|next| at <= next))
                && let Some(pe) = elements.listing.pop_watch(now)
            {
                let verdict = elements.own.keep_alive_due(ctx, &mut elements.listing, &pe);
                self.conclude(&pe, verdict);
                continue;
            }
            let Some(timer) = ctx.deadlines.pop_due(now) else { break };
            self.handle_timer(timer);
        }
        self.finish_input();
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.ctx.outbox.actions.pop_front()
    }

    fn poll_output(&mut self) -> Option<Output<Answer, Notice>> {
        self.ctx.outbox.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.ctx.deadlines.next().into_iter().chain(self.elements.listing.next_watch()).min()
    }

    fn begin_shutdown(&mut self, now: Instant, deadline: Instant) {
        self.ctx.now = now;
        self.leave(deadline);
    }

    fn is_stopped(&self) -> bool {
        self.ctx.phase == Phase::Stopped
    }

    fn note_transport(&mut self, counters: &TransportCounters) {
        self.ctx.transport = *counters;
    }

    fn poll_reservation(&mut self) -> Option<Reservation> {
        let source = self.elements.own.take_change()?;
        let known = self.elements.own.count_from(source) + self.peers.contacts.configured_at(source);
        // One more, since a process that starts again comes before its former associations are gone.
        let associations = if known > 0 { known + 1 } else { 0 };
        Some(Reservation { address: source.address(), associations })
    }
}

#[cfg(test)]
mod tests;
