//! The elements whose home this registrar is: which associations may speak for them, what we wait for, and
//! how they come and go. `keep_alive` finds out whether they live.

mod keep_alive;
mod probes;

use alloc::collections::{BTreeMap, BTreeSet};
use core::ops::Deref;

#[cfg(test)]
pub(in crate::registrar) use self::keep_alive::FIRST_KEEP_ALIVE;
use self::keep_alive::Reports;
#[cfg(test)]
pub(in crate::registrar) use self::probes::MAX_PROBES_OF_ONE;
use self::probes::Probes;
use super::answers::HomeFlag;
use super::context::{Context, Timer};
use super::interface::RemovalReason;
use super::links::{Link, Links};
use super::listing::Listing;
use crate::base::{AssociationId, ConnectId, Instant, RegistrarId, SctpAddress, Source};
use crate::handlespace::PeHandle;
use crate::wire::{PoolElement, RegistrationLife, Transport};

/// What we wait for before we look at an element of ours again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::registrar) enum Watch {
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

/// A place among the elements that wait for room: of one source, a smaller ticket is served earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::registrar) struct Ticket(u64);

/// A registration that has yet to be answered. It waits if the owner of its identifier is being asked whether it
/// is alive.
#[derive(Debug)]
pub(in crate::registrar) struct Challenger {
    pub(in crate::registrar) association: AssociationId,
    pub(in crate::registrar) element: PoolElement,
    /// How many answers it gets: one for each time that it was sent (RFC 5352 section 3.1).
    pub(in crate::registrar) answers: u32,
}

/// How many registrations of one waiting process wait to be answered together. Older ones are refused, so that
/// nobody piles up answers.
const MAX_ANSWERS: u32 = 16;

impl Challenger {
    /// Takes the place of the one that waits. Returns that one, unless it is the same process that has said it
    /// again. The newest gets the place, because the older ones may be dead: a process that is restarted
    /// again and again leaves one each time.
    pub(in crate::registrar) fn displace(self, waiting: &mut Option<Self>) -> Option<Self> {
        match waiting {
            Some(waiting) if waiting.association == self.association => {
                let answers = waiting.answers + self.answers;
                let before = core::mem::replace(waiting, Self { answers: answers.min(MAX_ANSWERS), ..self });
                let surplus = answers.saturating_sub(MAX_ANSWERS);
                (surplus > 0).then_some(Self { answers: surplus, ..before })
            }
            _ => waiting.replace(self),
        }
    }
}

/// A peer's word that an element of ours is its own. The element is being asked.
#[derive(Debug)]
pub(in crate::registrar) struct Claim {
    pub(in crate::registrar) by: RegistrarId,
    pub(in crate::registrar) element: PoolElement,
}

/// What it rests on that we are the home of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::registrar) enum Hold {
    /// We have made ourselves its home. It has not registered with us since.
    Adopted,
    /// It has registered over this association, which is up. It has such an association with its home alone.
    Registered(AssociationId),
    /// It has registered, and the association has ended. It may have left us for another home.
    Left,
}

/// The record of an element of our own, beside the handlespace. Its fields are written by [`Own`] alone.
#[derive(Debug)]
pub(in crate::registrar) struct OwnElement {
    pub(in crate::registrar) watch: Watch,
    pub(in crate::registrar) hold: Hold,
    /// A claim of a peer that waits for the next answer of the element; only while that is registered.
    pub(in crate::registrar) claim: Option<Claim>,
    /// Whether we have said against a claim that it is ours, although it has not registered with us.
    pub(in crate::registrar) insisted: bool,
    /// Where it registered from: its ASAP transport.
    pub(in crate::registrar) peer: SctpAddress,
    /// For whom it counts, as long as it is ours.
    source: Source,
    /// The user transport as it was registered, if addresses of it were left out.
    pub(in crate::registrar) stated: Option<Transport>,
    /// Whether one attempt to reach it has failed since it last answered; the next failure removes it.
    pub(in crate::registrar) hindered: bool,
    /// What our keep-alives say: [`HomeFlag::Set`] from the time when we make ourselves its home until it
    /// registers with us.
    pub(in crate::registrar) home_flag: HomeFlag,
    /// The epoch of the group when this registration was last announced; if it has grown since, some peer
    /// has not been told.
    pub(in crate::registrar) announced_in: Option<u64>,
    /// The peer that was offered to become its home; [`RegistrarId::NONE`] for all peers.
    pub(in crate::registrar) offered: Option<RegistrarId>,
    /// The reports that it cannot be reached.
    pub(in crate::registrar) reports: Reports,
    /// Whether a peer that is not its home has removed it. It is announced again when it answers.
    pub(in crate::registrar) disputed: bool,
    /// When others last made us ask it, or will make us ask it next.
    pub(in crate::registrar) prompted: Option<Instant>,
    /// Another element that wants to register under its identifier.
    pub(in crate::registrar) challenger: Option<Challenger>,
}

impl OwnElement {
    fn new(watch: Watch, hold: Hold, peer: SctpAddress, home_flag: HomeFlag) -> Self {
        Self {
            watch,
            hold,
            claim: None,
            insisted: false,
            source: Source::of_peer(&peer),
            peer,
            stated: None,
            hindered: false,
            home_flag,
            announced_in: None,
            offered: None,
            reports: Reports::default(),
            disputed: false,
            prompted: None,
            challenger: None,
        }
    }

    /// The association over which it speaks, while that is up.
    pub(in crate::registrar) const fn registrant(&self) -> Option<AssociationId> {
        match self.watch {
            Watch::Scheduled(association) | Watch::Asked(association) => Some(association),
            Watch::Down | Watch::Probing(_) | Watch::Queued(_) => None,
        }
    }

    /// Whether what comes over an association may be taken as the word of this element: it is the association
    /// that registered it, or that one is down and the peer is the recorded one.
    pub(in crate::registrar) fn is_spoken_for(&self, from: AssociationId, link: &Link) -> bool {
        match self.registrant() {
            Some(registrant) => registrant == from,
            None => link.is_at(&self.peer),
        }
    }
}

/// The result of a look at an element.
#[must_use = "an element that goes is removed by the caller"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::registrar) enum Verdict {
    Stays,
    Goes(RemovalReason),
}

/// How the sender of a registration stands to the element that has its identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::registrar) enum Contender {
    /// It is that element, or there is none whose association is up.
    Rightful,
    /// It is another element.
    Challenger,
}

/// The part of a registration that is kept beside the element.
#[derive(Debug)]
pub(in crate::registrar) struct Registration<'a> {
    pub(in crate::registrar) from: AssociationId,
    pub(in crate::registrar) peer: &'a SctpAddress,
    /// The user transport as it was registered, if addresses of it were left out.
    pub(in crate::registrar) stated: Option<Transport>,
}

/// Whether a registration has changed the association over which an element speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::registrar) enum Taken {
    /// It speaks over another one now, or is new.
    Moved,
    AsBefore,
}

/// The most sources that wait to be told to the transport: one input concerns fewer elements of ours.
const MAX_CHANGED: usize = 4096;

/// The elements of this registrar. Reading goes through [`Deref`].
#[derive(Debug, Default)]
pub(in crate::registrar) struct Own {
    elements: BTreeMap<PeHandle, OwnElement>,
    /// How many of them come from each source.
    from: BTreeMap<Source, usize>,
    /// The sources of which that has changed since the transport was told.
    changed: BTreeSet<Source>,
    /// Those that wait for room for an attempt.
    probes: Probes,
}

impl Deref for Own {
    type Target = BTreeMap<PeHandle, OwnElement>;

    fn deref(&self) -> &Self::Target {
        &self.elements
    }
}

impl Own {
    /// How a registration over an association relates to what is registered under its identifier.
    pub(in crate::registrar) fn contender(
        &self,
        pe: &PeHandle,
        from: AssociationId,
        link: &Link,
    ) -> Contender {
        let Some(own) = self.elements.get(pe) else { return Contender::Rightful };
        let Some(registrant) = own.registrant() else { return Contender::Rightful };
        if registrant == from || link.is_at(&own.peer) {
            return Contender::Rightful;
        }
        Contender::Challenger
    }

    /// An element has registered, and all peers are told of it now.
    pub(in crate::registrar) fn take(
        &mut self,
        ctx: &mut Context,
        listing: &mut Listing,
        links: &mut Links,
        pe: &PeHandle,
        registration: Registration<'_>,
    ) -> Taken {
        let Registration { from, peer, stated } = registration;
        links.tie(from, pe);
        let own = self.elements.get_mut(pe);
        if let Some(own) = own
            && own.registrant() == Some(from)
        {
            own.hold = Hold::Registered(from);
            own.hindered = false;
            (own.claim, own.insisted) = (None, false);
            own.home_flag = HomeFlag::Clear;
            own.offered = None;
            own.announced_in = Some(ctx.group.epoch());
            own.stated = stated;
            return Taken::AsBefore;
        }
        let mut new =
            OwnElement::new(Watch::Scheduled(from), Hold::Registered(from), peer.clone(), HomeFlag::Clear);
        new.announced_in = Some(ctx.group.epoch());
        new.stated = stated;
        match self.elements.get_mut(pe) {
            None => {
                self.count(new.source);
                self.elements.insert(pe.clone(), new);
            }
            Some(own) => {
                let source = new.source;
                let mut old = core::mem::replace(own, new);
                own.challenger = old.challenger.take();
                self.count(source);
                self.uncount(old.source);
                if let Some(registrant) = old.registrant() {
                    links.untie(registrant, pe);
                }
                self.stop_probe(ctx, &old);
                listing.unwatch(pe);
            }
        }
        Taken::Moved
    }

    /// An element becomes ours without having registered with us. The caller asks whether it is alive.
    pub(in crate::registrar) fn adopt(
        &mut self,
        pe: &PeHandle,
        registrant: Option<AssociationId>,
        peer: SctpAddress,
    ) {
        let watch = registrant.map_or(Watch::Down, Watch::Scheduled);
        let new = OwnElement::new(watch, Hold::Adopted, peer, HomeFlag::Set);
        self.count(new.source);
        let before = self.elements.insert(pe.clone(), new);
        debug_assert!(before.is_none(), "{pe} was ours");
    }

    /// The registration ends after its life from now on, if it ends at all.
    pub(in crate::registrar) fn renew_life(&self, ctx: &mut Context, pe: &PeHandle, life: RegistrationLife) {
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
    pub(in crate::registrar) fn release(
        &mut self,
        ctx: &mut Context,
        listing: &mut Listing,
        pe: &PeHandle,
    ) -> Option<OwnElement> {
        let own = self.elements.remove(pe)?;
        self.uncount(own.source);
        listing.unwatch(pe);
        ctx.deadlines.clear(&Timer::Life(pe.clone()));
        self.stop_probe(ctx, &own);
        Some(own)
    }

    /// How many elements come from a source.
    pub(in crate::registrar) fn count_from(&self, source: Source) -> usize {
        self.from.get(&source).copied().unwrap_or_default()
    }

    fn count(&mut self, source: Source) {
        *self.from.entry(source).or_default() += 1;
        self.note_change(source);
    }

    /// The transport has to be told anew for how many associations from a source it keeps room. A driver that does
    /// not ask for that loses the first.
    pub(in crate::registrar) fn note_change(&mut self, source: Source) {
        self.changed.insert(source);
        if self.changed.len() > MAX_CHANGED {
            self.changed.pop_first();
        }
    }

    /// The next source of which the transport has to be told.
    pub(in crate::registrar) fn take_change(&mut self) -> Option<Source> {
        self.changed.pop_first()
    }

    fn uncount(&mut self, source: Source) {
        let Some(count) = self.from.get_mut(&source) else {
            debug_assert!(false, "nothing is counted for {source:?}");
            return;
        };
        *count -= 1;
        if *count == 0 {
            self.from.remove(&source);
        }
        self.note_change(source);
    }

    /// Gives up the attempt to reach an element, or its wait for one.
    fn stop_probe(&mut self, ctx: &mut Context, own: &OwnElement) {
        match own.watch {
            Watch::Queued(ticket) => self.probes.leave(own.source, ticket),
            Watch::Probing(request) => {
                self.probes.ended(own.source);
                ctx.cancel(request);
            }
            Watch::Scheduled(_) | Watch::Asked(_) | Watch::Down => {}
        }
    }

    /// More is known of where the peer of an element is. True if its addresses have changed.
    pub(in crate::registrar) fn set_peer(&mut self, pe: &PeHandle, peer: &SctpAddress) -> bool {
        let Some(own) = self.elements.get_mut(pe) else { return false };
        let changed = own.peer.addresses != peer.addresses;
        own.peer = peer.clone();
        changed
    }

    /// Another process wants the identifier of an element. Returns the one that has to make way for it.
    pub(in crate::registrar) fn set_challenger(
        &mut self,
        pe: &PeHandle,
        challenger: Challenger,
    ) -> Option<Challenger> {
        let own = self.elements.get_mut(pe);
        debug_assert!(own.is_some(), "{pe} is not ours and has a challenger");
        challenger.displace(&mut own?.challenger)
    }

    /// The registration that waits for an identifier over an association waits no longer.
    pub(in crate::registrar) fn take_challenge(
        &mut self,
        pe: &PeHandle,
        from: AssociationId,
    ) -> Option<Challenger> {
        self.elements.get_mut(pe)?.challenger.take_if(|challenger| challenger.association == from)
    }

    /// An element that is ours again has answered over the association by which it registered before.
    pub(in crate::registrar) fn confirm(&mut self, pe: &PeHandle) {
        if let Some(own) = self.elements.get_mut(pe)
            && let Some(registrant) = own.registrant()
        {
            own.hold = Hold::Registered(registrant);
        }
    }

    /// A peer claims an element that has registered with us: its next answer decides.
    pub(in crate::registrar) fn set_claim(&mut self, pe: &PeHandle, claim: Claim) {
        let own = self.elements.get_mut(pe);
        debug_assert!(own.as_ref().is_some_and(|own| matches!(own.hold, Hold::Registered(_))), "{pe}");
        if let Some(own) = own {
            own.claim = Some(claim);
            // Some registrar has been told that it is not ours.
            own.announced_in = None;
        }
    }

    pub(in crate::registrar) fn take_claim(&mut self, pe: &PeHandle) -> Option<Claim> {
        self.elements.get_mut(pe)?.claim.take()
    }

    pub(in crate::registrar) fn set_insisted(&mut self, pe: &PeHandle) {
        if let Some(own) = self.elements.get_mut(pe) {
            own.insisted = true;
        }
    }

    /// An association has ended: registrations that waited over it are void.
    pub(in crate::registrar) fn drop_challenges(
        &mut self,
        association: AssociationId,
        challenged: &BTreeSet<PeHandle>,
    ) {
        for pe in challenged {
            let own = self.elements.get_mut(pe);
            if let Some(own) = own
                && own.challenger.as_ref().is_some_and(|challenger| challenger.association == association)
            {
                own.challenger = None;
            }
        }
    }

    pub(in crate::registrar) fn set_offered(&mut self, pe: &PeHandle, to: RegistrarId) {
        if let Some(own) = self.elements.get_mut(pe) {
            own.offered = Some(to);
        }
    }

    /// Takes all offers back; returns the peers that were offered something.
    pub(in crate::registrar) fn take_offers(&mut self) -> BTreeSet<RegistrarId> {
        self.elements.values_mut().filter_map(|own| own.offered.take()).collect()
    }
}

#[cfg(test)]
impl Own {
    /// How many elements wait for room for an attempt.
    pub(in crate::registrar) fn queued(&self) -> usize {
        self.probes.waiting().count()
    }

    /// Whether each of them waits for a reason.
    pub(in crate::registrar) fn wait_rightly(&self, ctx: &Context) -> bool {
        let mut waiting = self.probes.waiting().filter_map(|(_, pe)| self.elements.get(pe));
        ctx.attempts.are_full() || waiting.all(|own| self.probes.are_full(own.source))
    }

    pub(in crate::registrar) fn ticket_of(&self, pe: &PeHandle) -> Option<Ticket> {
        self.probes.waiting().find(|(_, waiting)| *waiting == pe).map(|(ticket, _)| ticket)
    }
}
