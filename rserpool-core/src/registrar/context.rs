//! What every part of a registrar may use: the present moment, the configuration, randomness, deadlines,
//! attempts to connect, the group of peers, counters, and the ways out. A context decides nothing, and knows no
//! part but those two tables.

use bytes::Bytes;

use super::attempts::{Attempt, Attempts, ContactId};
use super::config::RegistrarConfig;
use super::counters::Counters;
use super::group::Group;
use super::interface::{Answer, Notice};
use crate::base::{
    AssociationId, ConnectId, Deadlines, Instant, PoolHandle, ProtocolId, Random, RegistrarId, SctpAddress,
    SctpPort,
};
use crate::endpoint::TransportCounters;
use crate::endpoint::{AbortCause, Action, Outbox};
use crate::handlespace::PeHandle;
use crate::wire::{AsapMessage, EnrpBody, EnrpMessage};

/// A deadline of the registrar. The deadlines of keep-alives are kept with the elements in the handlespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The registration life of an element of ours ends.
    Life(PeHandle),
    /// The next announcement is due.
    Announce,
    /// The next heartbeat to our peers is due.
    Heartbeat,
    /// A peer is silent, or has not answered.
    Peer(RegistrarId),
    /// Some peers have not acknowledged the takeover of this one.
    Takeover(RegistrarId),
    /// The next page of a resynchronisation with a peer has not come.
    Audit(RegistrarId),
    /// The mentor has not answered, or the pause after a refusal is over.
    Join,
    /// The time to find a mentor is over.
    MentorTimeout,
    /// A contact is tried again, or has not named itself.
    Contact(ContactId),
    /// The next page of a download of our handle table has not been asked for.
    Download(AssociationId),
    /// A former element has not answered.
    Reclaim(PeHandle),
    /// An element of another home has not answered, or may be asked again.
    Foreign(PeHandle),
    /// Elements that we hand over have not been taken.
    HandOver,
    /// A subscriber may be told of the changes of a pool.
    Subscription(PoolHandle, AssociationId),
}

/// The hand-over of our elements before we leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HandOver {
    /// When every association must be closed.
    pub(super) deadline: Instant,
    /// Whether elements that were not taken have been offered to all.
    pub(super) repeated: bool,
}

/// How far the life of a registrar has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It has yet to learn the handlespace.
    Joining,
    /// It offers its services.
    Serving,
    /// Its elements are offered to its peers; everything else goes on.
    HandingOver(HandOver),
    /// Every association is being closed.
    Closing,
    Stopped,
}

/// What all parts of one registrar share.
#[derive(Debug)]
pub(super) struct Context {
    /// The time of the input that is being handled.
    pub(super) now: Instant,
    /// The time of the start.
    pub(super) started: Instant,
    pub(super) id: RegistrarId,
    pub(super) config: RegistrarConfig,
    pub(super) random: Random,
    pub(super) deadlines: Deadlines<Timer>,
    pub(super) attempts: Attempts,
    pub(super) group: Group,
    pub(super) counters: Counters,
    /// What the transport has told last of its own.
    pub(super) transport: TransportCounters,
    pub(super) outbox: Outbox<Answer, Notice>,
    pub(super) phase: Phase,
    /// Until when peers may list elements of an earlier life of ours, of which we know nothing.
    pub(super) past: Option<Instant>,
    /// Whether another registrar may have heard our identifier: it never changes after that.
    spoken: bool,
}

impl Context {
    pub(super) fn new(config: RegistrarConfig, now: Instant) -> Self {
        let mut random = Random::new(config.seed);
        Self {
            now,
            started: now,
            id: config.id.unwrap_or_else(|| RegistrarId(random.identifier())),
            config,
            random,
            deadlines: Deadlines::default(),
            attempts: Attempts::default(),
            group: Group::default(),
            counters: Counters::default(),
            transport: TransportCounters::default(),
            outbox: Outbox::default(),
            phase: Phase::Joining,
            past: None,
            spoken: false,
        }
    }

    pub(super) const fn is_joining(&self) -> bool {
        matches!(self.phase, Phase::Joining)
    }

    /// Whether it offers its services, perhaps while it hands its elements over.
    pub(super) const fn is_serving(&self) -> bool {
        matches!(self.phase, Phase::Serving | Phase::HandingOver(_))
    }

    /// Whether a shutdown has begun: nothing new is begun then.
    pub(super) const fn is_leaving(&self) -> bool {
        matches!(self.phase, Phase::HandingOver(_) | Phase::Closing | Phase::Stopped)
    }

    /// Whether incoming messages are ignored.
    pub(super) const fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing | Phase::Stopped)
    }

    /// Draws another identifier if no registrar has heard this one and it was not configured.
    pub(super) fn draw_another_id(&mut self) -> bool {
        let free = !self.spoken && self.config.id.is_none() && self.is_joining();
        if free {
            self.id = RegistrarId(self.random.identifier());
        }
        free
    }

    /// When a peer that is asked something now must have answered: MAX-TIME-NO-RESPONSE.
    pub(super) fn answer_due(&self) -> Instant {
        self.now + self.config.enrp.max_time_no_response
    }

    pub(super) fn connect(
        &mut self,
        attempt: Attempt,
        local_port: SctpPort,
        peer: SctpAddress,
        deadline: Instant,
    ) -> ConnectId {
        let request = self.attempts.begin(attempt);
        self.outbox.act(Action::Connect { request, local_port, peer: peer.into(), deadline });
        request
    }

    /// Gives an attempt up.
    pub(super) fn cancel(&mut self, request: ConnectId) {
        let attempt = self.attempts.end(request);
        debug_assert!(attempt.is_some(), "{request:?} has ended already");
        self.outbox.act(Action::CancelConnect { request });
    }

    pub(super) fn abort(&mut self, association: AssociationId, cause: AbortCause) {
        self.outbox.act(Action::Abort { association, cause });
    }

    /// Sends an ASAP message. Handles, elements and their number are bounded; therefore everything fits.
    pub(super) fn send_asap(&mut self, to: AssociationId, message: &AsapMessage) {
        if let Ok(bytes) = message.encode(self.config.padding) {
            self.outbox.send(to, ProtocolId::ASAP, bytes);
        }
    }

    pub(super) fn send_enrp(&mut self, to: AssociationId, receiver: RegistrarId, body: EnrpBody) {
        if let Some(bytes) = self.encode_enrp(receiver, body) {
            self.outbox.send(to, ProtocolId::ENRP, bytes);
        }
    }

    /// Sends to one peer, if an association with it is up.
    pub(super) fn send_to_peer(&mut self, peer: RegistrarId, body: EnrpBody) {
        if let Some(association) = self.group.get(&peer).copied() {
            self.send_enrp(association, peer, body);
        }
    }

    /// Sends to all peers with which an association is up, encoded once, with receiver 0 (reading B19). The
    /// audit brings the others up to date.
    pub(super) fn cast(&mut self, body: EnrpBody) {
        if self.group.is_empty() {
            return;
        }
        if let Some(bytes) = self.encode_enrp(RegistrarId::NONE, body) {
            for association in self.group.values() {
                self.outbox.send(*association, ProtocolId::ENRP, bytes.clone());
            }
        }
    }

    pub(super) fn encode_enrp(&mut self, receiver: RegistrarId, body: EnrpBody) -> Option<Bytes> {
        self.spoken = true;
        // Handles, elements and pages are bounded; therefore everything fits.
        EnrpMessage { sender: self.id, receiver, body }.encode(self.config.padding).ok()
    }
}
