//! The elements whose home this registrar is: who may speak for them, and whether they are alive (RFC 5352
//! sections 3.4 and 3.5).

use alloc::collections::{BTreeMap, BTreeSet};
use core::ops::Deref;

use super::answers::{self, HomeFlag};
use super::attempts::Attempt;
use super::context::{Context, Timer};
use super::interface::RemovalReason;
use super::links::{Link, Links};
use super::listing::Listing;
use crate::base::{AssociationId, ConnectId, RegistrarId, TransportAddress};
use crate::endpoint::{AbortCause, ConnectError};
use crate::handlespace::PeHandle;
use crate::wire::{PoolElement, RegistrationLife, Transport};

/// What is waited for before an element of ours is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watch {
    /// The next keep-alive over the association from which it speaks.
    Scheduled(AssociationId),
    /// The answer to a keep-alive over that association.
    Asked(AssociationId),
    /// Its association is down: the next attempt to reach it.
    Down,
    /// The end of this attempt to reach it.
    Probing(ConnectId),
    /// Room for an attempt to reach it.
    Queued(Ticket),
}

/// A place among the elements that wait for room: a smaller ticket is served earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// A registration under an identifier whose owner is being asked whether it is alive.
#[derive(Debug)]
pub(super) struct Challenger {
    pub(super) association: AssociationId,
    pub(super) element: PoolElement,
}

/// What a registrar knows of an element of its own beside the handlespace. Its fields are written by [`Own`]
/// alone.
#[derive(Debug)]
pub(super) struct OwnElement {
    pub(super) watch: Watch,
    /// Where it registered from: its ASAP transport.
    pub(super) peer: TransportAddress,
    /// The user transport as it was registered, if addresses of it were left out.
    pub(super) stated: Option<Transport>,
    /// Whether one attempt to reach it has failed already; the next failure removes it.
    pub(super) hindered: bool,
    /// Whether it has registered with us. Otherwise we have made ourselves its home, and our keep-alives say
    /// so.
    pub(super) home_flag: HomeFlag,
    /// The epoch of the group when this registration was last announced; if it has grown since, some peer
    /// has not been told.
    pub(super) announced_in: Option<u64>,
    /// The peer that was offered to become its home; [`RegistrarId::NONE`] for all peers.
    pub(super) offered: Option<RegistrarId>,
    /// The associations over which it was reported as unreachable since its last registration. Not more than
    /// MAX-BAD-PE-REPORT, because the next one removes the element.
    pub(super) reporters: BTreeSet<AssociationId>,
    /// Another element that wants to register under its identifier.
    pub(super) challenger: Option<Challenger>,
}

impl OwnElement {
    fn new(watch: Watch, peer: TransportAddress, home_flag: HomeFlag) -> Self {
        Self {
            watch,
            peer,
            stated: None,
            hindered: false,
            home_flag,
            announced_in: None,
            offered: None,
            reporters: BTreeSet::new(),
            challenger: None,
        }
    }

    /// The association over which it speaks, while that is up.
    pub(super) const fn registrant(&self) -> Option<AssociationId> {
        match self.watch {
            Watch::Scheduled(association) | Watch::Asked(association) => Some(association),
            Watch::Down | Watch::Probing(_) | Watch::Queued(_) => None,
        }
    }

    /// Whether what comes over an association may be taken as the word of this element: it is the one that
    /// registered it, or that one is down and the peer is the recorded one.
    pub(super) fn is_spoken_for(&self, from: AssociationId, link: &Link) -> bool {
        match self.registrant() {
            Some(registrant) => registrant == from,
            None => self.peer.is_same_endpoint(&link.peer),
        }
    }
}

/// What a look at an element has led to.
#[must_use = "an element that goes is removed by the caller"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Stays,
    Goes(RemovalReason),
}

/// How a registration stands to what is registered under its identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contender {
    /// Nobody else is registered under it.
    Rightful,
    /// Another element is, over an association that is up.
    New,
    /// Another element is, and a third one waits for its place already.
    Waiting,
}

/// Whether a registration has made an element speak from elsewhere, or ours at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Moved,
    AsBefore,
}

/// The elements of this registrar. Reading goes through [`Deref`].
#[derive(Debug, Default)]
pub(super) struct Own {
    elements: BTreeMap<PeHandle, OwnElement>,
    /// Those that wait for room for an attempt.
    queue: BTreeMap<Ticket, PeHandle>,
}

impl Deref for Own {
    type Target = BTreeMap<PeHandle, OwnElement>;

    fn deref(&self) -> &Self::Target {
        &self.elements
    }
}

/// Coming and going.
impl Own {
    /// How a registration over an association stands to what is registered under its identifier.
    pub(super) fn contender(&self, pe: &PeHandle, from: AssociationId, link: &Link) -> Contender {
        let Some(own) = self.elements.get(pe) else { return Contender::Rightful };
        let Some(registrant) = own.registrant() else { return Contender::Rightful };
        if registrant == from || own.peer.is_same_endpoint(&link.peer) {
            return Contender::Rightful;
        }
        match &own.challenger {
            Some(other) if other.association != from => Contender::Waiting,
            _ => Contender::New,
        }
    }

    /// An element is registered over this association, and its registration is announced.
    pub(super) fn take(
        &mut self,
        ctx: &mut Context,
        listing: &mut Listing,
        links: &mut Links,
        from: AssociationId,
        pe: &PeHandle,
        peer: TransportAddress,
    ) -> Taken {
        links.tie(from, pe);
        let Some(own) = self.elements.get_mut(pe) else {
            let own = OwnElement::new(Watch::Scheduled(from), peer, HomeFlag::Clear);
            self.elements.insert(pe.clone(), own);
            return Taken::Moved;
        };
        if own.registrant() == Some(from) {
            own.reporters.clear();
            own.home_flag = HomeFlag::Clear;
            own.offered = None;
            return Taken::AsBefore;
        }
        let mut old = core::mem::replace(own, OwnElement::new(Watch::Scheduled(from), peer, HomeFlag::Clear));
        own.challenger = old.challenger.take();
        if let Some(registrant) = old.registrant() {
            links.untie(registrant, pe);
        }
        self.stop_probe(ctx, &old);
        listing.unwatch(pe);
        Taken::Moved
    }

    /// A registration was announced to all peers, with this user transport left as it was stated.
    pub(super) fn announced(&mut self, ctx: &Context, pe: &PeHandle, stated: Option<Transport>) {
        if let Some(own) = self.elements.get_mut(pe) {
            own.announced_in = Some(ctx.group.epoch());
            own.stated = stated;
        }
    }

    /// An element has become ours without having registered with us: it is called at once.
    pub(super) fn adopt(
        &mut self,
        ctx: &mut Context,
        listing: &mut Listing,
        pe: &PeHandle,
        registrant: Option<AssociationId>,
        peer: TransportAddress,
    ) {
        let watch = registrant.map_or(Watch::Down, Watch::Scheduled);
        let before = self.elements.insert(pe.clone(), OwnElement::new(watch, peer, HomeFlag::Set));
        debug_assert!(before.is_none(), "{pe} was ours");
        self.check_alive(ctx, listing, pe);
    }

    /// The registration ends after its life from now on, if it ends at all.
    pub(super) fn renew_life(&self, ctx: &mut Context, pe: &PeHandle, life: RegistrationLife) {
        debug_assert!(self.elements.contains_key(pe), "{pe} is not ours");
        let timer = Timer::Life(pe.clone());
        match ctx.config.life_unit.duration(life) {
            Some(life) => ctx.deadlines.set(timer, ctx.now + life),
            None => {
                ctx.deadlines.clear(&timer);
            }
        }
    }

    /// An element is ours no longer.
    pub(super) fn release(
        &mut self,
        ctx: &mut Context,
        listing: &mut Listing,
        pe: &PeHandle,
    ) -> Option<OwnElement> {
        let own = self.elements.remove(pe)?;
        listing.unwatch(pe);
        ctx.deadlines.clear(&Timer::Life(pe.clone()));
        self.stop_probe(ctx, &own);
        Some(own)
    }

    /// Gives the attempt to reach an element up, if there is one or it waits for it.
    fn stop_probe(&mut self, ctx: &mut Context, own: &OwnElement) {
        match own.watch {
            Watch::Queued(ticket) => {
                self.queue.remove(&ticket);
            }
            Watch::Probing(request) => ctx.cancel(request),
            Watch::Scheduled(_) | Watch::Asked(_) | Watch::Down => {}
        }
    }

    /// More is known of where the peer of an element is. True if its addresses have changed.
    pub(super) fn set_peer(&mut self, pe: &PeHandle, peer: &TransportAddress) -> bool {
        let Some(own) = self.elements.get_mut(pe) else { return false };
        let changed = own.peer.addresses != peer.addresses;
        own.peer = peer.clone();
        changed
    }

    pub(super) fn set_challenger(&mut self, pe: &PeHandle, challenger: Challenger) {
        let own = self.elements.get_mut(pe);
        debug_assert!(own.is_some(), "{pe} is not ours and has a challenger");
        if let Some(own) = own {
            own.challenger = Some(challenger);
        }
    }

    /// An association has ended: registrations that waited over it are void.
    pub(super) fn drop_challenges(&mut self, association: AssociationId, challenged: &BTreeSet<PeHandle>) {
        for pe in challenged {
            let own = self.elements.get_mut(pe);
            if let Some(own) = own
                && own.challenger.as_ref().is_some_and(|challenger| challenger.association == association)
            {
                own.challenger = None;
            }
        }
    }

    pub(super) fn set_offered(&mut self, pe: &PeHandle, to: RegistrarId) {
        if let Some(own) = self.elements.get_mut(pe) {
            own.offered = Some(to);
        }
    }

    /// Takes all offers back; returns the peers that were offered something.
    pub(super) fn take_offers(&mut self) -> BTreeSet<RegistrarId> {
        self.elements.values_mut().filter_map(|own| own.offered.take()).collect()
    }
}

/// Keep-alives.
impl Own {
    /// Asks an element for a sign of life, unless that is under way.
    pub(super) fn check_alive(&mut self, ctx: &mut Context, listing: &mut Listing, pe: &PeHandle) {
        let Some(own) = self.elements.get_mut(pe) else { return };
        let deadline = ctx.now + ctx.config.keep_alive_timeout;
        own.watch = match own.watch {
            Watch::Asked(_) | Watch::Probing(_) | Watch::Queued(_) => return,
            Watch::Scheduled(registrant) => {
                debug_assert!(!own.hindered, "{pe} is reached");
                listing.unwatch(pe);
                listing.watch(pe, deadline);
                answers::keep_alive(ctx, registrant, pe, own.home_flag);
                Watch::Asked(registrant)
            }
            Watch::Down if ctx.attempts.are_full() => {
                listing.unwatch(pe);
                let ticket = Ticket(self.queue.last_key_value().map_or(0, |(last, _)| last.0 + 1));
                self.queue.insert(ticket, pe.clone());
                Watch::Queued(ticket)
            }
            Watch::Down => {
                listing.unwatch(pe);
                // Over UDP a dead element and a lost packet look alike, so the deadline decides.
                let (attempt, port) = (Attempt::Element(pe.clone()), ctx.config.asap_port);
                Watch::Probing(ctx.connect(attempt, port, own.peer.clone(), deadline))
            }
        };
        debug_assert!(self.is_watched_rightly(listing, pe), "{pe}");
    }

    /// Connects to elements that wait for that, as far as there is room now.
    pub(super) fn connect_waiting(&mut self, ctx: &mut Context, listing: &mut Listing) {
        while !self.queue.is_empty() && !ctx.attempts.are_full() && !ctx.is_closing() {
            let Some((ticket, pe)) = self.queue.pop_first() else { return };
            let own = self.elements.get_mut(&pe).filter(|own| own.watch == Watch::Queued(ticket));
            debug_assert!(own.is_some(), "{pe} waits for nothing");
            if let Some(own) = own {
                own.watch = Watch::Down;
            }
            self.check_alive(ctx, listing, &pe);
        }
    }

    /// Tells an element of ours at once that we are its home.
    pub(super) fn call_home(&mut self, ctx: &mut Context, listing: &mut Listing, pe: &PeHandle) {
        let Some(own) = self.elements.get_mut(pe) else { return };
        let before = core::mem::replace(&mut own.home_flag, HomeFlag::Set);
        match own.watch {
            // One that says so is on its way: a peer that contests our claim must not make us send a flood.
            Watch::Asked(_) if before == HomeFlag::Set => {}
            Watch::Asked(association) => answers::keep_alive(ctx, association, pe, HomeFlag::Set),
            _ => self.check_alive(ctx, listing, pe),
        }
    }

    /// The association to an element whose own one is down has come up, and takes its place.
    pub(super) fn probe_connected(
        &mut self,
        ctx: &mut Context,
        listing: &mut Listing,
        links: &mut Links,
        association: AssociationId,
        pe: &PeHandle,
    ) -> Verdict {
        let (Some(own), Some(link)) = (self.elements.get_mut(pe), links.get(&association)) else {
            debug_assert!(false, "{pe} was released and its attempt not cancelled");
            ctx.abort(association, AbortCause::User);
            return Verdict::Stays;
        };
        debug_assert!(matches!(own.watch, Watch::Probing(_)), "{pe} {own:?}");
        own.hindered = false;
        if own.peer.is_same_endpoint(&link.peer) {
            own.watch = Watch::Scheduled(association);
            links.tie(association, pe);
            self.check_alive(ctx, listing, pe);
            return Verdict::Stays;
        }
        own.watch = Watch::Down;
        ctx.abort(association, AbortCause::ProtocolViolation);
        Verdict::Goes(RemovalReason::Silent)
    }

    /// An element whose association is down could not be reached. Only what the network said is evidence
    /// against it: what hindered us is tried once more. (A peer that has restarted opens an association
    /// between the same ports before we can, and registers over it.) An element that we have just become
    /// the home of gets a second attempt as well: they are many at once, and it cannot be told that it was
    /// removed.
    pub(super) fn probe_failed(
        &mut self,
        ctx: &mut Context,
        listing: &mut Listing,
        links: &mut Links,
        pe: &PeHandle,
        reason: &ConnectError,
    ) -> Verdict {
        let Some(own) = self.elements.get_mut(pe) else {
            debug_assert!(false, "{pe} was released and its attempt not cancelled");
            return Verdict::Stays;
        };
        debug_assert!(matches!(own.watch, Watch::Probing(_)), "{pe} {own:?}");
        own.watch = Watch::Down;
        if *reason == ConnectError::InUse && self.use_open_association(ctx, listing, links, pe) {
            return Verdict::Stays;
        }
        let Some(own) = self.elements.get_mut(pe) else { return Verdict::Stays };
        let ours = matches!(reason, ConnectError::InUse | ConnectError::TooMany | ConnectError::NoRoute);
        let spared = ours || own.home_flag == HomeFlag::Set;
        if spared && !core::mem::replace(&mut own.hindered, true) {
            listing.watch(pe, ctx.now + ctx.config.keep_alive_timeout);
            debug_assert!(self.is_watched_rightly(listing, pe), "{pe}");
            return Verdict::Stays;
        }
        Verdict::Goes(RemovalReason::Silent)
    }

    /// Asks an element over an association that leads to it although it has not registered over it: one
    /// from its time with us before it had another home, or one of a peer that has restarted.
    fn use_open_association(
        &mut self,
        ctx: &mut Context,
        listing: &mut Listing,
        links: &mut Links,
        pe: &PeHandle,
    ) -> bool {
        let Some(own) = self.elements.get_mut(pe) else { return false };
        let Some(id) =
            links.iter().find(|(_, link)| own.peer.is_same_endpoint(&link.peer)).map(|(id, _)| *id)
        else {
            return false;
        };
        own.watch = Watch::Scheduled(id);
        own.hindered = false;
        links.tie(id, pe);
        self.check_alive(ctx, listing, pe);
        true
    }

    /// An element has answered a keep-alive, or somebody says so. Returns the one that wanted its identifier:
    /// it is to be refused.
    pub(super) fn handle_ack(
        &mut self,
        ctx: &mut Context,
        listing: &mut Listing,
        from: AssociationId,
        pe: &PeHandle,
    ) -> Option<Challenger> {
        let Some(own) = self.elements.get_mut(pe).filter(|own| own.watch == Watch::Asked(from)) else {
            ctx.counters.keep_alive_acks_ignored += 1;
            return None;
        };
        ctx.counters.keep_alive_acks += 1;
        own.watch = Watch::Scheduled(from);
        // ASAP-3.5-11: keep-alives to many elements are spread. Therefore each interval varies by half.
        let wait = ctx.random.vary_by_half(ctx.config.keep_alive_interval);
        listing.watch(pe, ctx.now + wait);
        own.challenger.take()
    }

    /// It is time for the next keep-alive or attempt, or the answer to the last keep-alive has not come.
    pub(super) fn keep_alive_due(
        &mut self,
        ctx: &mut Context,
        listing: &mut Listing,
        pe: &PeHandle,
    ) -> Verdict {
        let own = self.elements.get(pe);
        debug_assert!(
            own.is_some_and(|own| !matches!(own.watch, Watch::Probing(_) | Watch::Queued(_))),
            "{pe} {own:?} has no deadline"
        );
        if own.is_some_and(|own| matches!(own.watch, Watch::Asked(_))) {
            return Verdict::Goes(RemovalReason::Silent);
        }
        self.check_alive(ctx, listing, pe);
        Verdict::Stays
    }

    /// Somebody says that an element cannot be reached. The element is asked at once. Its answer does not
    /// reset the count, because users may fail to reach what we can. Each reporter counts once: otherwise a
    /// single user could expel an element that serves everybody else (reading B4).
    pub(super) fn handle_unreachable(
        &mut self,
        ctx: &mut Context,
        listing: &mut Listing,
        from: AssociationId,
        pe: &PeHandle,
    ) -> Verdict {
        ctx.counters.unreachable_reports += 1;
        let Some(own) = self.elements.get_mut(pe) else { return Verdict::Stays };
        own.reporters.insert(from);
        if own.reporters.len() > ctx.config.max_bad_pe_reports as usize {
            return Verdict::Goes(RemovalReason::Reported);
        }
        self.check_alive(ctx, listing, pe);
        Verdict::Stays
    }

    /// The association over which an element registered has ended: it is asked over a new one. If another
    /// element waits for its place, that one gets it at once.
    pub(super) fn registrant_lost(
        &mut self,
        ctx: &mut Context,
        listing: &mut Listing,
        pe: &PeHandle,
        from: AssociationId,
    ) -> Verdict {
        let own = self.elements.get_mut(pe).filter(|own| own.registrant() == Some(from));
        let Some(own) = own else { return Verdict::Stays };
        own.watch = Watch::Down;
        if own.challenger.is_some() {
            return Verdict::Goes(RemovalReason::Silent);
        }
        self.check_alive(ctx, listing, pe);
        Verdict::Stays
    }
}

impl Own {
    /// Whether the handlespace holds a deadline for an element exactly if one is waited for.
    fn is_watched_rightly(&self, listing: &Listing, pe: &PeHandle) -> bool {
        self.elements.get(pe).is_some_and(|own| {
            let waits_for_network = matches!(own.watch, Watch::Probing(_) | Watch::Queued(_));
            listing.watched(pe).is_some() != waits_for_network
        })
    }
}

#[cfg(test)]
impl Own {
    /// How many elements wait for room for an attempt.
    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn ticket_of(&self, pe: &PeHandle) -> Option<Ticket> {
        self.queue.iter().find(|(_, queued)| *queued == pe).map(|(ticket, _)| *ticket)
    }
}
