//! The part of a registrar in ENRP: one handlespace, kept together with its peers (RFC 5353).
//!
//! ```text
//! contacts   where registrars may be, and the attempts to reach them
//! peers      who they are, and whether they live          presence   heartbeats and what they tell
//! join       from the start to the first service          table      pages of the handle table
//! update     changes of own elements, sent and received   audit      what updates have missed
//! ownership  an element whose home is claimed twice       takeover   the elements of a dead peer
//! offer      giving elements away: to leave, to balance   download   asking for pages
//! namesake   two registrars with the same identifier      place      where a registrar is
//! ```
//!
//! Nothing here waits without a bound, and every table has a limit that a hostile peer cannot move.

mod audit;
mod contacts;
mod download;
#[cfg(test)]
mod invariants;
mod join;
mod namesake;
mod offer;
mod ownership;
mod peers;
mod place;
mod presence;
mod table;
mod takeover;
mod update;

use alloc::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

pub(super) use contacts::ContactId;
use contacts::Contacts;
use join::Phase;
pub(super) use offer::HandOver;
use ownership::Former;
use peers::Peer;
pub(super) use table::TableCursor;
use takeover::Takeover;

use super::Registrar;
use crate::base::{AssociationId, Instant, ProtocolId, RegistrarId};
use crate::handlespace::PeHandle;
use crate::wire::{EnrpBody, EnrpMessage};

/// What a registrar knows of the others.
#[derive(Debug, Default)]
pub(super) struct Enrp {
    phase: Phase,
    /// Whether anybody may have heard our identifier: it never changes after that.
    spoken: bool,
    peers: BTreeMap<RegistrarId, Peer>,
    contacts: Contacts,
    /// Counts the associations with peers: who was away when an element changed was not told.
    pub(super) meetings: u64,
    /// The peers that we are taking over.
    takeovers: BTreeMap<RegistrarId, Takeover>,
    /// Elements that are not ours any more, over whose association we could still ask them.
    former: BTreeMap<PeHandle, Former>,
    /// Former elements whose new home has given them up, being asked whether they live.
    reclaims: BTreeSet<PeHandle>,
}

impl Enrp {
    /// How many peers are known.
    pub(super) fn peer_count(&self) -> usize {
        self.peers.len()
    }

    /// How many places are known where a registrar may be.
    pub(super) fn contact_count(&self) -> usize {
        self.contacts.len()
    }
}

impl Registrar {
    pub(super) fn handle_enrp(&mut self, now: Instant, from: AssociationId, message: EnrpMessage) {
        let EnrpMessage { sender, receiver, body } = message;
        if receiver != RegistrarId::NONE && receiver != self.id {
            self.counters.wrong_receiver += 1;
            return;
        }
        if sender == self.id && !self.take_another_name() {
            return self.meet_namesake(now, from, &body);
        }
        // Anyone may ask, also with sender identifier 0; asking so makes nobody a peer.
        if sender != RegistrarId::NONE && !self.meet(now, from, sender) {
            return;
        }
        match body {
            EnrpBody::ListRequest => self.answer_list_request(from, sender),
            EnrpBody::HandleTableRequest { own_only } => {
                self.answer_table_request(now, from, sender, own_only);
            }
            EnrpBody::Error { .. } => self.counters.errors_received += 1,
            _ if sender == RegistrarId::NONE => self.counters.unexpected += 1,
            EnrpBody::Presence { reply_required, checksum, server } => {
                self.handle_presence(now, from, sender, reply_required, checksum, server);
            }
            EnrpBody::ListResponse { rejected, servers } => {
                self.handle_list(now, sender, rejected, servers);
            }
            EnrpBody::HandleTableResponse { rejected, more, pools } => {
                self.handle_table(now, sender, rejected, more, pools);
            }
            EnrpBody::HandleUpdate { takeover_suggested, action, handle, element } => {
                let pe = PeHandle { pool: self.handlespace.intern(&handle), element: element.id };
                let offered = takeover_suggested && self.is_offered_to_us(sender, receiver, &pe);
                self.handle_update(now, sender, offered, action, &pe, element);
            }
            EnrpBody::InitTakeover { target } => self.handle_init_takeover(now, sender, target),
            EnrpBody::InitTakeoverAck { target } => self.handle_takeover_ack(now, sender, target),
            EnrpBody::TakeoverServer { target } => self.handle_takeover_server(now, sender, target),
        }
    }

    pub(super) fn send_enrp(&mut self, to: AssociationId, receiver: RegistrarId, body: EnrpBody) {
        if let Some(bytes) = self.encode_enrp(receiver, body) {
            self.outbox.send(to, ProtocolId::ENRP, bytes);
        }
    }

    /// Sends to one peer, if an association with it is up.
    fn send_to_peer(&mut self, peer: RegistrarId, body: EnrpBody) {
        if let Some(association) = self.enrp.peers.get(&peer).and_then(|peer| peer.association) {
            self.send_enrp(association, peer, body);
        }
    }

    /// Announces to all peers with which an association is up: encoded once, with receiver 0
    /// (reading B19). Who cannot be reached now is brought up to date by the audit.
    fn group_cast(&mut self, body: EnrpBody) {
        if self.enrp.peers.values().all(|peer| peer.association.is_none()) {
            return;
        }
        if let Some(bytes) = self.encode_enrp(RegistrarId::NONE, body) {
            for association in self.enrp.peers.values().filter_map(|peer| peer.association) {
                self.outbox.send(association, ProtocolId::ENRP, bytes.clone());
            }
        }
    }

    fn encode_enrp(&mut self, receiver: RegistrarId, body: EnrpBody) -> Option<Bytes> {
        self.enrp.spoken = true;
        // Handles, elements and pages are bounded, so everything fits.
        EnrpMessage { sender: self.id, receiver, body }.encode(self.config.padding).ok()
    }
}
