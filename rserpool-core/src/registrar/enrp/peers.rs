//! The peer list, and whether those in it live (RFC 5353 sections 3.4.1 and 3.4.3).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Deref;

use super::contacts::{Contacts, Origin};
use super::ourselves::{self, Reply};
use super::peer::{Offers, Peer, PeerList, Standing};
use crate::base::{AssociationId, RegistrarId, SctpAddress};
use crate::endpoint::{AbortCause, Action};
use crate::endpoint::{PeerState, PeerStatus};
use crate::registrar::config::MAX_CONFIGURED_PEERS;
use crate::registrar::context::Context;
use crate::registrar::interface::Notice;
use crate::registrar::links::{Links, Opener};
use crate::registrar::listing::Listing;
use crate::wire::{EnrpBody, ServerInformation};

/// The most peers that are kept: an operational scope has fewer than ten registrars, and a message to all is
/// sent once to each.
pub(super) const MAX_PEERS: usize = 64;

/// The registrar that speaks over an association.
#[derive(Debug)]
pub(in crate::registrar) enum Meeting {
    /// Its messages must not be heeded: the place of its identifier is taken, or there are too many peers.
    Refused,
    /// Another registrar has named itself over the association before.
    Spoofed,
    /// It has named itself over this association before.
    Known,
    /// It names itself for the first time. These peers were at its address before, under other identifiers:
    /// it has been restarted, and they are dead.
    New { predecessors: Vec<RegistrarId> },
}

/// Whether a peer goes on living, as far as we can tell.
#[must_use = "a dead peer is taken over by the caller"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::registrar) enum Fate {
    Lives,
    Died,
}

/// Which of two associations with the same peer is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Old,
    New,
}

/// The other registrars. Reading goes through [`Deref`].
#[derive(Debug, Default)]
pub(in crate::registrar) struct Peers {
    entries: BTreeMap<RegistrarId, Peer>,
    /// Where these and other registrars may be.
    pub(in crate::registrar) contacts: Contacts,
}

impl Deref for Peers {
    type Target = BTreeMap<RegistrarId, Peer>;

    fn deref(&self) -> &Self::Target {
        &self.entries
    }
}

impl Peers {
    /// The records of a peer.
    pub(super) fn peer_mut(&mut self, id: RegistrarId) -> Option<&mut Peer> {
        self.entries.get_mut(&id)
    }

    /// The records of all peers.
    pub(super) fn peers_mut(&mut self) -> impl Iterator<Item = (RegistrarId, &mut Peer)> {
        self.entries.iter_mut().map(|(id, peer)| (*id, peer))
    }

    /// The other registrars, in the order of their identifiers, as the application sees them.
    pub(in crate::registrar) fn statuses(&self, ctx: &Context, listing: &Listing) -> Vec<PeerStatus> {
        let status = |(id, peer): (&RegistrarId, &Peer)| PeerStatus {
            id: *id,
            address: peer.address.clone().map(Into::into),
            connected: ctx.group.contains_key(id),
            state: peer.state(),
            elements: listing.owned(*id),
            checksum: listing.checksum(*id),
            announced_checksum: peer.announced,
        };
        self.entries.iter().map(status).collect()
    }

    /// Takes note of the registrar that speaks over an association, and that it lives.
    pub(in crate::registrar) fn meet(
        &mut self,
        ctx: &mut Context,
        links: &mut Links,
        listing: &Listing,
        from: AssociationId,
        id: RegistrarId,
    ) -> Meeting {
        let Some(link) = links.up(from) else { return Meeting::Refused };
        if link.registrar.is_some_and(|known| known != id) {
            ctx.counters.spoofed += 1;
            return Meeting::Spoofed;
        }
        if link.registrar.is_some()
            && let Some(peer) = self.entries.get_mut(&id)
        {
            peer.last_heard = ctx.now;
            if peer.is_suspect() {
                peer.trust(ctx, id);
            }
            return Meeting::Known;
        }
        self.attach(ctx, links, listing, from, id)
    }

    /// Ties an association to a peer, which may be new.
    fn attach(
        &mut self,
        ctx: &mut Context,
        links: &mut Links,
        listing: &Listing,
        from: AssociationId,
        id: RegistrarId,
    ) -> Meeting {
        let Some(link) = links.get(&from) else { return Meeting::Refused };
        // ENRP is spoken over SCTP alone.
        let Some(address) = link.peer.as_sctp().cloned() else { return Meeting::Refused };
        let greeted = link.greeted;
        let configured = self.contacts.is_configured(&address);
        if !self.has_room(ctx, id, configured) {
            ctx.counters.peers_refused += 1;
            ctx.abort(from, AbortCause::User);
            return Meeting::Refused;
        }
        self.entries.entry(id).or_insert_with(|| Peer::new(ctx.now));
        let old = ctx.group.get(&id).copied().filter(|old| *old != from);
        if let Some(old) = old
            && self.choose(ctx, links, listing, old, from, id) == Kept::Old
        {
            return Meeting::Refused;
        }
        links.name(from, id);
        ctx.group.join(id, from);
        self.contacts.note_met_at(&address, id);
        if let Some(peer) = self.entries.get_mut(&id) {
            peer.met = true;
            peer.configured |= configured;
            peer.offers = Offers::default();
            peer.audit.agree();
            peer.list = PeerList::Unasked;
            peer.address.get_or_insert_with(|| address.clone());
        }
        self.shows_life(ctx, id);
        ourselves::start_heartbeats(ctx);
        ctx.outbox.tell(Notice::PeerFound { peer: id, address: address.clone() });
        if !greeted {
            ourselves::greet(ctx, links, listing, from, id);
        }
        Meeting::New { predecessors: self.predecessors(ctx, id, &address) }
    }

    /// The peers that were where this one is now, under other identifiers.
    fn predecessors(&self, ctx: &Context, id: RegistrarId, address: &SctpAddress) -> Vec<RegistrarId> {
        let there = |peer: &Peer| peer.address.as_ref().is_some_and(|a| a.is_same_endpoint(address));
        let others = self.entries.iter().filter(|(other, peer)| **other != id && there(peer));
        let gone = others
            .filter(|(other, peer)| !ctx.group.contains_key(other) && peer.state() != PeerState::TakingOver);
        gone.map(|(other, _)| *other).collect()
    }

    /// Of two associations with the same peer the one opened by the larger identifier stays, so that both
    /// ends choose the same; if one end has opened both, the newer one. That holds if both lead to the same
    /// address. Otherwise another registrar may have taken the peer's identifier: the older one stays and is
    /// asked for a sign of life, and the newcomer is told where its identifier is in use.
    fn choose(
        &mut self,
        ctx: &mut Context,
        links: &mut Links,
        listing: &Listing,
        old: AssociationId,
        new: AssociationId,
        id: RegistrarId,
    ) -> Kept {
        let (Some(a), Some(b), Some(peer)) = (links.get(&old), links.get(&new), self.entries.get(&id)) else {
            debug_assert!(false, "the group holds associations with peers that are up");
            return Kept::New;
        };
        let described = peer.address.as_ref().is_some_and(|address| b.is_at(address));
        let deadline = ctx.answer_due();
        if !described && !a.peer.is_same_endpoint(&b.peer) {
            ctx.counters.spoofed += 1;
            let servers = peer.information(id).into_iter().collect();
            ctx.send_enrp(new, id, EnrpBody::ListResponse { rejected: false, servers });
            ctx.outbox.act(Action::Shutdown { association: new, deadline });
            // One that is being taken over is asked already.
            if peer.is_alive() {
                self.suspect(ctx, listing, id);
            }
            return Kept::Old;
        }
        let larger_opened = (b.opener == Opener::Us) == (ctx.id > id);
        let kept = if a.opener == b.opener || larger_opened { Kept::New } else { Kept::Old };
        let closed = match kept {
            Kept::New => old,
            Kept::Old => {
                // Messages that are still on their way over it count as the peer's word.
                links.name(new, id);
                new
            }
        };
        ctx.outbox.act(Action::Shutdown { association: closed, deadline });
        kept
    }

    /// Whether a registrar is in the peer list or finds room there. Strangers leave a place for each configured
    /// peer.
    fn has_room(&self, ctx: &Context, id: RegistrarId, configured: bool) -> bool {
        if self.entries.contains_key(&id) {
            return true;
        }
        let known = self.entries.values().filter(|peer| peer.configured == configured).count();
        let places = ctx.config.enrp.peers.len().min(MAX_CONFIGURED_PEERS);
        let limit = if configured { MAX_PEERS } else { MAX_PEERS - places };
        id != RegistrarId::NONE && id != ctx.id && self.entries.len() < MAX_PEERS && known < limit
    }

    /// Enters a registrar into the peer list, if there is room. True if it is in the list.
    pub(super) fn enter(&mut self, ctx: &mut Context, id: RegistrarId) -> bool {
        if self.entries.contains_key(&id) {
            return true;
        }
        if !self.has_room(ctx, id, false) {
            return false;
        }
        let mut peer = Peer::new(ctx.now);
        peer.trust(ctx, id);
        self.entries.insert(id, peer);
        true
    }

    /// Learns of a registrar from what is said about it, and contacts it.
    pub(super) fn learn(&mut self, ctx: &mut Context, server: &ServerInformation) {
        let address = server.address(None);
        if server.id == ctx.id {
            // Only a registrar that answers there under our identifier proves that it is in use.
            if let Some(address) = address.filter(|_| !ctx.config.addresses.is_empty()) {
                self.contacts.contact_namesake(ctx, &address);
            }
            return;
        }
        if !self.enter(ctx, server.id) {
            ctx.counters.peers_refused += 1;
            return;
        }
        if let Some(peer) = self.entries.get_mut(&server.id)
            && peer.server.is_none()
        {
            peer.address = peer.address.take().or_else(|| address.clone());
        }
        if let Some(address) = address {
            self.contacts.contact(ctx, &address, Origin::Learned, Some(server.id));
        }
    }

    /// A peer describes itself over an association that leads to `seen`.
    pub(super) fn describe(
        &mut self,
        id: RegistrarId,
        mut server: ServerInformation,
        seen: Option<&SctpAddress>,
    ) {
        let Some(peer) = self.entries.get_mut(&id).filter(|_| server.id == id) else { return };
        if let Some(address) = server.address(seen) {
            self.contacts.note_met_at(&address, id);
            peer.proved =
                seen.is_some_and(|seen| seen.addresses.iter().any(|a| address.addresses.contains(a)));
            if peer.proved {
                self.contacts.note_proved(&address);
            }
            // A list of peers must fit into one message, whatever they say of themselves.
            server.transport.addresses = address.addresses.clone().into();
            peer.address = Some(address);
            peer.server = Some(server);
        }
    }

    /// Asks a peer which registrars it knows, once both it and we serve. In the RFC a registrar asks only its
    /// mentor; but two registrars that are both configured to know a third one, and start before it, would
    /// never hear of each other.
    pub(super) fn ask_for_list(&mut self, ctx: &mut Context, id: RegistrarId) {
        if !ctx.is_serving() || ctx.is_leaving() {
            return;
        }
        if let Some(peer) = self.entries.get_mut(&id)
            && peer.list == PeerList::Unasked
        {
            peer.list = PeerList::Asked;
            ctx.send_to_peer(id, EnrpBody::ListRequest);
        }
    }

    /// A peer shows that it lives (ENRP-3.5.1-10: that stops our takeover of it, and it is active again).
    pub(super) fn shows_life(&mut self, ctx: &mut Context, id: RegistrarId) {
        if let Some(peer) = self.entries.get_mut(&id) {
            if peer.takeover().is_some() {
                ctx.counters.takeovers_stopped += 1;
            }
            peer.trust(ctx, id);
        }
    }

    /// Asks a peer for a sign of life.
    pub(super) fn suspect(&mut self, ctx: &mut Context, listing: &Listing, id: RegistrarId) {
        let Some(peer) = self.entries.get_mut(&id) else {
            debug_assert!(false, "{id} is not in the list");
            return;
        };
        debug_assert!(peer.takeover().is_none(), "{id} is asked already");
        // One that is suspected already, and loses its association as well, gets no more time for it.
        if !peer.is_suspect() {
            let due = ctx.answer_due();
            peer.stand(ctx, id, Standing::Suspect, due);
        }
        match ctx.group.get(&id).copied() {
            Some(association) => {
                let presence = ourselves::presence(ctx, listing, Reply::Required);
                ctx.send_enrp(association, id, presence);
            }
            None => self.seek(ctx, id),
        }
    }

    /// Looks for a peer where it is said to be, and wherever it was met, at once.
    fn seek(&mut self, ctx: &mut Context, id: RegistrarId) {
        let peer = self.entries.get(&id);
        if let Some(address) = peer.and_then(|peer| peer.address.as_ref()) {
            self.contacts.seek_at(ctx, address, id, peer.is_some_and(|peer| peer.proved));
            if peer.is_some_and(|peer| peer.met) {
                self.contacts.note_met_at(address, id);
            }
        }
        self.contacts.seek(ctx, id);
    }

    /// The deadline of a peer: MAX-TIME-LAST-HEARD, then MAX-TIME-NO-RESPONSE; or the end of the time in
    /// which another registrar should have taken it over (reading B3).
    pub(in crate::registrar) fn peer_due(
        &mut self,
        ctx: &mut Context,
        listing: &Listing,
        id: RegistrarId,
    ) -> Fate {
        let Some(peer) = self.entries.get_mut(&id) else {
            debug_assert!(false, "the deadline of {id} outlived it");
            return Fate::Lives;
        };
        debug_assert!(peer.takeover().is_none(), "{id} is not watched while we take it over");
        if peer.is_suspect() {
            return Fate::Died;
        }
        let silent = peer.last_heard + ctx.config.enrp.max_time_last_heard;
        if peer.is_active() && ctx.now < silent {
            peer.stand(ctx, id, Standing::Active, silent);
        } else {
            self.suspect(ctx, listing, id);
        }
        Fate::Lives
    }

    /// The association with a peer has ended. The peer gets MAX-TIME-NO-RESPONSE to be found again. False if
    /// another association with it is up.
    pub(in crate::registrar) fn peer_lost(
        &mut self,
        ctx: &mut Context,
        listing: &mut Listing,
        id: RegistrarId,
        association: AssociationId,
    ) -> bool {
        if ctx.group.get(&id) != Some(&association) {
            return false;
        }
        ctx.group.leave(id);
        let Some(peer) = self.entries.get_mut(&id) else {
            debug_assert!(false, "the group holds peers");
            return false;
        };
        peer.announced = None;
        listing.unmark(id);
        peer.audit.end(ctx, id);
        peer.pages.association_ended();
        if peer.is_alive() {
            self.suspect(ctx, listing, id);
        } else {
            self.seek(ctx, id);
        }
        true
    }

    /// Where the peer was, associations are refused now.
    pub(in crate::registrar) fn peer_refused(&self, ctx: &Context, id: RegistrarId) -> Fate {
        let gone = |peer: &&Peer| !ctx.group.contains_key(&id) && peer.is_suspect();
        if self.entries.get(&id).filter(gone).is_some() { Fate::Died } else { Fate::Lives }
    }

    /// Strikes a peer off the list. It is looked for where it was. False if it was not in the list.
    pub(super) fn forget(
        &mut self,
        ctx: &mut Context,
        links: &mut Links,
        listing: &mut Listing,
        id: RegistrarId,
    ) -> bool {
        let Some(mut peer) = self.entries.remove(&id) else { return false };
        peer.clear_deadlines(ctx, id);
        listing.unmark(id);
        if let Some(association) = ctx.group.leave(id) {
            // It may only be frozen: when it thaws, it must see that it was given up.
            links.unname(association);
            ctx.abort(association, AbortCause::User);
        }
        if let Some(address) = &peer.address {
            self.contacts.seek_at(ctx, address, id, peer.proved);
        }
        self.contacts.seek(ctx, id);
        if let Some(address) = peer.address.filter(|_| peer.met) {
            self.contacts.note_met_at(&address, id);
        }
        true
    }

    pub(in crate::registrar) fn answer_list_request(
        &self,
        ctx: &mut Context,
        from: AssociationId,
        sender: RegistrarId,
    ) {
        ctx.counters.enrp_requests += 1;
        let rejected = !ctx.is_serving();
        let peers = self.entries.iter().filter(|(id, _)| !rejected && **id != sender);
        let servers = peers.filter_map(|(id, peer)| peer.information(*id)).collect();
        ctx.send_enrp(from, sender, EnrpBody::ListResponse { rejected, servers });
    }
}
