//! The peer list, and whether those in it live (RFC 5353 sections 3.4.1 and 3.4.3).

use alloc::vec::Vec;

use super::audit::Audit;
use super::download::Pages;
use super::offer::Offers;
use super::place::{address_of, describe};
use crate::base::{AssociationId, Instant, RegistrarId, TransportAddress};
use crate::endpoint::{AbortCause, Action};
use crate::registrar::{Notice, PeerState, PeerStatus, Registrar, Timer};
use crate::wire::{EnrpBody, ServerInformation};

/// How many peers are kept: an operational scope has fewer than ten registrars, and every group-cast
/// is one message for each.
pub(super) const MAX_PEERS: usize = 64;

/// Another registrar.
#[derive(Debug)]
pub(super) struct Peer {
    /// The association with it, while one is up.
    pub(super) association: Option<AssociationId>,
    /// Where it speaks ENRP, if that is known.
    pub(super) address: Option<TransportAddress>,
    /// How it describes itself.
    pub(super) server: Option<ServerInformation>,
    pub(super) last_heard: Instant,
    pub(super) state: PeerState,
    /// The checksum that it sent last.
    pub(super) announced: Option<u16>,
    pub(super) audit: Audit,
    pub(super) offers: Offers,
    pub(super) pages: Pages,
    /// Whether there was ever an association with it.
    pub(super) met: bool,
    pub(super) list: PeerList,
}

/// Whether a peer was asked whom it knows, since the association with it came up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PeerList {
    Unasked,
    Asked,
    /// It has said so: nobody tells us of registrars without end.
    Told,
}

impl Registrar {
    /// The other registrars, in the order of their identifiers.
    pub fn peers(&self) -> Vec<PeerStatus> {
        let status = |(id, peer): (&RegistrarId, &Peer)| PeerStatus {
            id: *id,
            address: peer.address.clone(),
            connected: peer.association.is_some(),
            state: peer.state,
            elements: self.handlespace.owned(*id),
            checksum: self.handlespace.checksum(*id),
            announced_checksum: peer.announced,
        };
        self.enrp.peers.iter().map(status).collect()
    }

    /// Takes note of who speaks over an association, and that it lives. False if what it says must
    /// not be heeded: it speaks in another's name, or there are too many peers.
    pub(super) fn meet(&mut self, now: Instant, from: AssociationId, id: RegistrarId) -> bool {
        let Some(link) = self.links.get(&from) else { return false };
        match link.registrar {
            Some(known) if known != id => {
                self.counters.spoofed += 1;
                return false;
            }
            Some(_) if self.enrp.peers.contains_key(&id) => {}
            _ => {
                if !self.attach(now, from, id) {
                    return false;
                }
            }
        }
        let Some(peer) = self.enrp.peers.get_mut(&id) else { return false };
        peer.last_heard = now;
        if peer.state == PeerState::Suspect {
            self.trust(now, id);
        }
        true
    }

    /// Ties an association to a peer, which may be new.
    fn attach(&mut self, now: Instant, from: AssociationId, id: RegistrarId) -> bool {
        self.know_peer(now, id);
        let (Some(peer), Some(link)) = (self.enrp.peers.get(&id), self.links.get(&from)) else {
            self.counters.peers_refused += 1;
            self.outbox.act(Action::Abort { association: from, cause: AbortCause::User });
            return false;
        };
        let address = link.peer.clone();
        if let Some(old) = peer.association.filter(|old| *old != from)
            && !self.keep_newer(now, old, from, id)
        {
            return false;
        }
        if let Some(link) = self.links.get_mut(&from) {
            link.registrar = Some(id);
        }
        self.enrp.meetings += 1;
        self.enrp.contacts.is_met_at(&address, id);
        if let Some(peer) = self.enrp.peers.get_mut(&id) {
            peer.association = Some(from);
            peer.met = true;
            peer.offers = Offers::default();
            peer.list = PeerList::Unasked;
            peer.address.get_or_insert_with(|| address.clone());
        }
        self.target_lives(now, id);
        self.start_heartbeats(now);
        self.outbox.tell(Notice::PeerFound { peer: id, address: address.clone() });
        if self.links.get(&from).is_some_and(|link| !link.greeted) {
            self.greet(from, id);
        }
        self.bury_predecessors(now, id, &address);
        self.seek_mentor(now);
        true
    }

    /// Of two associations with the same peer the one opened by the larger identifier stays, so
    /// that both ends choose the same; if one end has opened both, the newer one. That holds if both
    /// lead to the same place. Else somebody may have taken the peer's name: the older one stays and
    /// is asked for a sign of life, and the newcomer is told where its name is taken.
    fn keep_newer(&mut self, now: Instant, old: AssociationId, new: AssociationId, id: RegistrarId) -> bool {
        let (Some(a), Some(b)) = (self.links.get(&old), self.links.get(&new)) else { return true };
        let Some(peer) = self.enrp.peers.get(&id) else { return true };
        let described = peer.address.as_ref().is_some_and(|place| place.is_same_endpoint(&b.peer));
        let deadline = now + self.config.enrp.max_time_no_response;
        if !described && !a.peer.is_same_endpoint(&b.peer) {
            self.counters.spoofed += 1;
            let servers = peer.information(id).into_iter().collect();
            self.send_enrp(new, id, EnrpBody::ListResponse { rejected: false, servers });
            self.outbox.act(Action::Shutdown { association: new, deadline });
            // Who is being taken over is asked already.
            if peer_is_monitored(&self.enrp.peers, id) {
                self.suspect(now, id);
            }
            return false;
        }
        let keep_new = a.opened == b.opened || b.opened == (self.id > id);
        if !keep_new && let Some(link) = self.links.get_mut(&new) {
            // What is on its way over it is still the peer's word.
            link.registrar = Some(id);
        }
        self.outbox.act(Action::Shutdown { association: if keep_new { old } else { new }, deadline });
        keep_new
    }

    /// Enters a registrar into the peer list, if there is room.
    pub(super) fn know_peer(&mut self, now: Instant, id: RegistrarId) -> bool {
        if self.enrp.peers.contains_key(&id) {
            return true;
        }
        if id == RegistrarId::NONE || id == self.id || self.enrp.peers.len() >= MAX_PEERS {
            return false;
        }
        let peer = Peer {
            association: None,
            address: None,
            server: None,
            last_heard: now,
            state: PeerState::Active,
            announced: None,
            audit: Audit::default(),
            offers: Offers::default(),
            pages: Pages::default(),
            met: false,
            list: PeerList::Unasked,
        };
        self.enrp.peers.insert(id, peer);
        self.trust(now, id);
        true
    }

    /// Learns of a registrar from what is said about it, and contacts it.
    pub(super) fn learn_peer(&mut self, now: Instant, server: &ServerInformation) {
        let address = address_of(server, None);
        if server.id == self.id {
            // Only who answers there under our name proves that it is taken.
            if let Some(address) = address.filter(|_| !self.config.addresses.is_empty()) {
                self.contact(now, &address, false, None);
            }
            return;
        }
        if !self.know_peer(now, server.id) {
            self.counters.peers_refused += 1;
            return;
        }
        if let Some(peer) = self.enrp.peers.get_mut(&server.id)
            && peer.server.is_none()
        {
            peer.address = peer.address.take().or_else(|| address.clone());
        }
        if let Some(address) = address {
            self.contact(now, &address, false, Some(server.id));
        }
    }

    /// Asks a peer whom it knows, once it serves and we do. The RFC has a registrar ask its mentor
    /// only; but two that are both configured to know a third one, and were there first, would never
    /// hear of each other.
    pub(super) fn ask_for_list(&mut self, id: RegistrarId) {
        if !self.is_serving() || self.shutdown.is_some() {
            return;
        }
        if let Some(peer) = self.enrp.peers.get_mut(&id)
            && peer.list == PeerList::Unasked
        {
            peer.list = PeerList::Asked;
            self.send_to_peer(id, EnrpBody::ListRequest);
        }
    }

    /// The peer is taken to be alive from now on.
    pub(super) fn trust(&mut self, now: Instant, id: RegistrarId) {
        if let Some(peer) = self.enrp.peers.get_mut(&id) {
            peer.state = PeerState::Active;
            peer.last_heard = now;
            self.deadlines.set(Timer::Peer(id), now + self.config.enrp.max_time_last_heard);
        }
    }

    /// Asks a peer for a sign of life.
    pub(super) fn suspect(&mut self, now: Instant, id: RegistrarId) {
        let Some(peer) = self.enrp.peers.get_mut(&id) else { return };
        // Who is suspected already, and loses its association as well, gets no more time for it.
        if peer.state != PeerState::Suspect {
            peer.state = PeerState::Suspect;
            self.deadlines.set(Timer::Peer(id), now + self.config.enrp.max_time_no_response);
        }
        match peer.association {
            Some(association) => {
                let presence = self.presence(true);
                self.send_enrp(association, id, presence);
            }
            None => {
                let address = peer.address.clone();
                self.contact_peer(now, id, address);
            }
        }
    }

    /// The deadline of a peer: MAX-TIME-LAST-HEARD, then MAX-TIME-NO-RESPONSE; or the end of the
    /// time in which somebody else should have taken it over (reading B3).
    pub(in crate::registrar) fn check_peer(&mut self, now: Instant, id: RegistrarId) {
        let Some(peer) = self.enrp.peers.get(&id) else { return };
        match peer.state {
            PeerState::Active => {
                let silent = peer.last_heard + self.config.enrp.max_time_last_heard;
                if now < silent {
                    self.deadlines.set(Timer::Peer(id), silent);
                } else {
                    self.suspect(now, id);
                }
            }
            PeerState::Inactive => self.suspect(now, id),
            PeerState::Suspect => self.peer_died(now, id),
            PeerState::TakenOver => {}
        }
    }

    /// The association with a peer has ended. It gets MAX-TIME-NO-RESPONSE to be found again.
    pub(in crate::registrar) fn peer_disconnected(
        &mut self,
        now: Instant,
        id: RegistrarId,
        association: AssociationId,
    ) {
        let Some(peer) = self.enrp.peers.get_mut(&id) else { return };
        if peer.association != Some(association) {
            return;
        }
        peer.association = None;
        peer.announced = None;
        let address = peer.address.clone();
        self.stop_audit(now, id);
        self.forget_pages(id);
        if peer_is_monitored(&self.enrp.peers, id) {
            self.suspect(now, id);
        } else {
            self.contact_peer(now, id, address);
        }
        self.mentor_gone(now, id);
    }

    /// Nobody accepts associations any more where the peer was.
    pub(super) fn peer_refused(&mut self, now: Instant, id: RegistrarId) {
        let gone = |peer: &Peer| peer.association.is_none() && peer.state == PeerState::Suspect;
        if self.enrp.peers.get(&id).is_some_and(gone) {
            self.peer_died(now, id);
        }
    }

    /// Who was where this peer is now, under another identifier, has been restarted.
    fn bury_predecessors(&mut self, now: Instant, id: RegistrarId, address: &TransportAddress) {
        let there = |peer: &Peer| peer.address.as_ref().is_some_and(|a| a.is_same_endpoint(address));
        let gone = |peer: &Peer| peer.association.is_none() && peer.state != PeerState::TakenOver;
        let peers = self.enrp.peers.iter();
        let dead: Vec<RegistrarId> = peers
            .filter(|(other, peer)| **other != id && there(peer) && gone(peer))
            .map(|(other, _)| *other)
            .collect();
        for other in dead {
            self.peer_died(now, other);
        }
    }

    /// A peer is taken to be dead: its elements need another home.
    fn peer_died(&mut self, now: Instant, id: RegistrarId) {
        self.outbox.tell(Notice::PeerLost { peer: id });
        self.stop_audit(now, id);
        if self.is_serving() && self.shutdown.is_none() {
            self.begin_takeover(now, id);
        } else {
            self.forget_peer(now, id);
        }
    }

    /// Strikes a peer off the list. Where it was, it is looked for.
    pub(super) fn forget_peer(&mut self, now: Instant, id: RegistrarId) {
        let Some(peer) = self.enrp.peers.remove(&id) else { return };
        self.deadlines.clear(&Timer::Peer(id));
        self.deadlines.clear(&Timer::Audit(id));
        if let Some(association) = peer.association {
            // It may only stand still: when it goes on, it shall see that it was given up.
            if let Some(link) = self.links.get_mut(&association) {
                link.registrar = None;
            }
            self.outbox.act(Action::Abort { association, cause: AbortCause::User });
        }
        let place = peer.address.clone();
        self.contact_peer(now, id, peer.address);
        if let Some(place) = place.filter(|_| peer.met) {
            self.enrp.contacts.is_met_at(&place, id);
        }
        self.mentor_gone(now, id);
        self.no_ack_from(now, id);
    }

    pub(super) fn answer_list_request(&mut self, from: AssociationId, sender: RegistrarId) {
        self.counters.enrp_requests += 1;
        let rejected = !self.is_serving();
        let peers = self.enrp.peers.iter().filter(|(id, _)| !rejected && **id != sender);
        let servers = peers.filter_map(|(id, peer)| peer.information(*id)).collect();
        self.send_enrp(from, sender, EnrpBody::ListResponse { rejected, servers });
    }
}

impl Peer {
    /// How it is described to others: as it describes itself, or as it was met.
    pub(super) fn information(&self, id: RegistrarId) -> Option<ServerInformation> {
        self.server.clone().or_else(|| self.address.as_ref().map(|address| describe(id, address)))
    }
}

fn peer_is_monitored(peers: &alloc::collections::BTreeMap<RegistrarId, Peer>, id: RegistrarId) -> bool {
    let monitored = |peer: &Peer| matches!(peer.state, PeerState::Active | PeerState::Suspect);
    peers.get(&id).is_some_and(monitored)
}
