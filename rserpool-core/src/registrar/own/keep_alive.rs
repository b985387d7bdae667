//! Whether the elements of this registrar are alive (RFC 5352 sections 3.4 and 3.5).

use core::time::Duration;

use super::{Challenger, Claim, Hold, Own, OwnElement, Verdict, Watch};
use crate::base::{AssociationId, RegistrarId};
use crate::endpoint::{AbortCause, ConnectError, DownReason};
use crate::handlespace::PeHandle;
use crate::registrar::answers::{self, HomeFlag};
use crate::registrar::attempts::Attempt;
use crate::registrar::context::Context;
use crate::registrar::interface::RemovalReason;
use crate::registrar::links::{Link, Links, Opener};
use crate::registrar::listing::Listing;

/// How long after a registration the first keep-alive leaves: an element of RSPLIB that reads both at once may
/// forget to renew its registration.
pub(in crate::registrar) const FIRST_KEEP_ALIVE: Duration = Duration::from_millis(100);

/// The reports that an element cannot be reached, since it last answered a keep-alive that was sent after
/// them (reading B4).
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::registrar) struct Reports {
    /// Those that the answer to the last keep-alive refutes.
    asked: u32,
    /// Those that have come since, about which the element has yet to be asked.
    unasked: u32,
}

impl Reports {
    const fn add(&mut self) {
        self.unasked = self.unasked.saturating_add(1);
    }

    /// A keep-alive leaves.
    const fn ask(&mut self) {
        *self = Self { asked: self.asked.saturating_add(self.unasked), unasked: 0 };
    }

    /// The keep-alive has been answered. Returns whether the element must be asked once more.
    const fn refute(&mut self) -> bool {
        self.asked = 0;
        self.unasked > 0
    }

    /// Whether they are more than MAX-BAD-PE-REPORT.
    const fn exceed(self, limit: u32) -> bool {
        self.asked.saturating_add(self.unasked) > limit
    }
}

/// How an attempt to reach an element has ended, if the element has not answered a keep-alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempted {
    /// It has no room for the association, and says so: it lives.
    Busy,
    /// Something was in the way; there may be one more.
    Hindered,
    InVain,
}

/// Who wanted an element that has answered.
#[derive(Debug, Default)]
pub(in crate::registrar) struct Rivals {
    pub(in crate::registrar) challenger: Option<Challenger>,
    pub(in crate::registrar) claim: Option<Claim>,
}

impl OwnElement {
    /// It goes, because it cannot be reached.
    const fn goes(&self, ctx: &Context) -> Verdict {
        let reported = self.reports.exceed(ctx.config.max_bad_pe_reports);
        Verdict::Goes(if reported { RemovalReason::Reported } else { RemovalReason::Silent })
    }
}

impl Own {
    /// Asks an element that has just registered, a little later.
    pub(in crate::registrar) fn check_alive_soon(&self, ctx: &Context, listing: &mut Listing, pe: &PeHandle) {
        let wait = FIRST_KEEP_ALIVE.min(ctx.config.keep_alive_interval);
        listing.watch(pe, ctx.now + wait);
        debug_assert!(self.is_watched_rightly(listing, pe), "{pe}");
    }

    /// Somebody makes us ask an element over its association: at once, or when that has not happened for the
    /// `prompt_interval`.
    pub(in crate::registrar) fn prompt(&mut self, ctx: &mut Context, listing: &mut Listing, pe: &PeHandle) {
        let Some(own) = self.elements.get_mut(pe) else { return };
        if !matches!(own.watch, Watch::Scheduled(_)) {
            return;
        }
        let due = match own.prompted {
            Some(next) if next > ctx.now => next,
            Some(last) => ctx.now.max(last + ctx.config.prompt_interval),
            None => ctx.now,
        };
        own.prompted = Some(due);
        if due == ctx.now {
            self.check_alive(ctx, listing, pe);
        } else if listing.watched(pe).is_none_or(|planned| due < planned) {
            listing.watch(pe, due);
        }
    }

    /// Asks an element for a sign of life, unless that is under way.
    pub(in crate::registrar) fn check_alive(
        &mut self,
        ctx: &mut Context,
        listing: &mut Listing,
        pe: &PeHandle,
    ) {
        let Some(own) = self.elements.get_mut(pe) else {
            debug_assert!(false, "{pe} is not ours");
            return;
        };
        let deadline = ctx.now + ctx.config.keep_alive_timeout;
        own.watch = match own.watch {
            Watch::Asked(_) | Watch::Probing(_) | Watch::Queued(_) => return,
            Watch::Scheduled(registrant) => {
                listing.unwatch(pe);
                listing.watch(pe, deadline);
                own.reports.ask();
                answers::keep_alive(ctx, registrant, pe, own.home_flag);
                Watch::Asked(registrant)
            }
            Watch::Down if ctx.attempts.are_full() || self.probes.are_full(own.source) => {
                listing.unwatch(pe);
                Watch::Queued(self.probes.wait(own.source, pe))
            }
            Watch::Down => {
                listing.unwatch(pe);
                self.probes.begun(own.source);
                // Over UDP a dead element and a lost packet look alike. Therefore the deadline decides.
                let (attempt, port) = (Attempt::Element(pe.clone()), ctx.config.asap_port);
                Watch::Probing(ctx.connect(attempt, port, own.peer.clone(), deadline))
            }
        };
        debug_assert!(self.is_watched_rightly(listing, pe), "{pe}");
    }

    /// Connects to elements that wait for that, as far as there is room now.
    pub(in crate::registrar) fn connect_waiting(&mut self, ctx: &mut Context, listing: &mut Listing) {
        while !self.probes.is_empty() && !ctx.attempts.are_full() && !ctx.is_closing() {
            let Some((ticket, pe)) = self.probes.take_next() else { return };
            let own = self.elements.get_mut(&pe).filter(|own| own.watch == Watch::Queued(ticket));
            debug_assert!(own.is_some(), "{pe} waits for nothing");
            if let Some(own) = own {
                own.watch = Watch::Down;
            }
            self.check_alive(ctx, listing, &pe);
        }
    }

    /// Tells an element of ours at once, by a keep-alive, that we are its home.
    pub(in crate::registrar) fn tell_home(
        &mut self,
        ctx: &mut Context,
        listing: &mut Listing,
        pe: &PeHandle,
    ) {
        let Some(own) = self.elements.get_mut(pe) else { return };
        let before = core::mem::replace(&mut own.home_flag, HomeFlag::Set);
        match own.watch {
            // A keep-alive that says so is on its way: a peer that contests our claim must not make us send a
            // flood.
            Watch::Asked(_) if before == HomeFlag::Set => {}
            Watch::Asked(association) => answers::keep_alive(ctx, association, pe, HomeFlag::Set),
            Watch::Scheduled(_) => self.prompt(ctx, listing, pe),
            _ => self.check_alive(ctx, listing, pe),
        }
    }

    /// The association to an element whose own one is down has come up, and takes its place.
    pub(in crate::registrar) fn probe_connected(
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
        self.probes.ended(own.source);
        if link.is_at(&own.peer) {
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
    /// against it; after an obstacle on our side there is one more attempt. (A peer that has restarted opens
    /// an association between the same ports before we can, and registers over it.) An element that we have
    /// just become the home of gets a second attempt as well: many are asked at once, and it could not be
    /// told that it was removed. But not if more than MAX-BAD-PE-REPORT say that they cannot reach it either.
    pub(in crate::registrar) fn probe_failed(
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
        self.probes.ended(own.source);
        own.watch = Watch::Down;
        if *reason == ConnectError::InUse && self.use_open_association(ctx, listing, links, pe) {
            return Verdict::Stays;
        }
        let outcome = match reason {
            ConnectError::Busy => Attempted::Busy,
            ConnectError::InUse | ConnectError::TooMany | ConnectError::NoRoute => Attempted::Hindered,
            _ => Attempted::InVain,
        };
        self.attempted(ctx, listing, pe, outcome)
    }

    /// An attempt to reach an element whose association is down is over, and it has not answered.
    fn attempted(
        &mut self,
        ctx: &mut Context,
        listing: &mut Listing,
        pe: &PeHandle,
        outcome: Attempted,
    ) -> Verdict {
        let Some(own) = self.elements.get_mut(pe) else { return Verdict::Stays };
        debug_assert!(own.watch == Watch::Down, "{pe} {own:?}");
        if outcome == Attempted::Busy {
            // That is an answer. The next attempt takes the place of the next keep-alive.
            own.hindered = false;
            own.reports = Reports::default();
            let disputed = core::mem::take(&mut own.disputed);
            let wait = ctx.random.vary_by_half(ctx.config.keep_alive_interval);
            listing.watch(pe, ctx.now + wait);
            debug_assert!(self.is_watched_rightly(listing, pe), "{pe}");
            if disputed {
                listing.affirm(ctx, pe);
            }
            return Verdict::Stays;
        }
        let reported = own.reports.exceed(ctx.config.max_bad_pe_reports);
        let spared = outcome == Attempted::Hindered || (own.home_flag == HomeFlag::Set && !reported);
        if spared && !core::mem::replace(&mut own.hindered, true) {
            listing.watch(pe, ctx.now + ctx.config.keep_alive_timeout);
            debug_assert!(self.is_watched_rightly(listing, pe), "{pe}");
            return Verdict::Stays;
        }
        own.goes(ctx)
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
        let Some(id) = links.with(&own.peer) else { return false };
        own.watch = Watch::Scheduled(id);
        links.tie(id, pe);
        self.check_alive(ctx, listing, pe);
        true
    }

    /// A peer that is not the home of an element of ours has removed it. It is asked, and if it answers, it is
    /// announced again: the peer may be the only one that cannot reach it. If the peer has claimed it, it does so
    /// no longer.
    pub(in crate::registrar) fn handle_removed_by_peer(
        &mut self,
        ctx: &mut Context,
        listing: &mut Listing,
        pe: &PeHandle,
        peer: RegistrarId,
    ) {
        if let Some(own) = self.elements.get_mut(pe) {
            own.claim.take_if(|claim| claim.by == peer);
            own.disputed = true;
            self.handle_unreachable(ctx, listing, pe);
        }
    }

    /// An element has answered a keep-alive, or another peer says so. Returns who wanted it and must now be
    /// refused.
    pub(in crate::registrar) fn handle_ack(
        &mut self,
        ctx: &mut Context,
        listing: &mut Listing,
        from: AssociationId,
        pe: &PeHandle,
    ) -> Rivals {
        let Some(own) = self.elements.get_mut(pe).filter(|own| own.watch == Watch::Asked(from)) else {
            ctx.counters.keep_alive_acks_ignored += 1;
            return Rivals::default();
        };
        ctx.counters.keep_alive_acks += 1;
        own.watch = Watch::Scheduled(from);
        own.hindered = false;
        // ASAP-3.5-11: keep-alives to many elements are spread. Therefore each interval varies by half.
        let wait = ctx.random.vary_by_half(ctx.config.keep_alive_interval);
        listing.watch(pe, ctx.now + wait);
        let rivals = Rivals { challenger: own.challenger.take(), claim: own.claim.take() };
        if own.reports.refute() {
            self.prompt(ctx, listing, pe);
        } else if core::mem::take(&mut own.disputed) {
            listing.affirm(ctx, pe);
        }
        rivals
    }

    /// It is time for the next keep-alive or attempt, or the answer to the last keep-alive has not come.
    pub(in crate::registrar) fn keep_alive_due(
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
        if let Some(own) = own.filter(|own| matches!(own.watch, Watch::Asked(_))) {
            return own.goes(ctx);
        }
        self.check_alive(ctx, listing, pe);
        Verdict::Stays
    }

    /// A report says that an element of ours cannot be reached. It is asked; while that is under way already,
    /// it is asked once more when it has answered. Whoever answers stays, however many say otherwise: they may
    /// be slow, or lie (reading B4).
    pub(in crate::registrar) fn handle_unreachable(
        &mut self,
        ctx: &mut Context,
        listing: &mut Listing,
        pe: &PeHandle,
    ) {
        if let Some(own) = self.elements.get_mut(pe) {
            own.reports.add();
            self.prompt(ctx, listing, pe);
        }
    }

    /// The association over which an element registered has ended: it is asked over a new one. If another
    /// element waits for its place, or another home that we know claims it, that gets it at once. (One that was taken
    /// over in the meantime may be dead; and if it lives, it says again that the element is its own.) An association that we have
    /// opened to ask it, and that ends before it has answered, is an attempt that has failed: whoever accepts and
    /// closes must not be called again and again without a pause.
    pub(in crate::registrar) fn registrant_lost(
        &mut self,
        ctx: &mut Context,
        listing: &mut Listing,
        pe: &PeHandle,
        (from, link): (AssociationId, &Link),
        reason: &DownReason,
        is_known: impl Fn(RegistrarId) -> bool,
    ) -> Verdict {
        let own = self.elements.get_mut(pe).filter(|own| own.registrant() == Some(from));
        let Some(own) = own else { return Verdict::Stays };
        own.claim.take_if(|claim| !is_known(claim.by));
        let in_vain = link.opener == Opener::Us
            && own.watch == Watch::Asked(from)
            && !matches!(own.hold, Hold::Registered(_));
        own.watch = Watch::Down;
        if own.hold == Hold::Registered(from) {
            own.hold = Hold::Left;
            // It knew its home. If it has another one now, it must not come back only because it is asked.
            own.home_flag = HomeFlag::Clear;
        }
        if own.challenger.is_some() || own.claim.is_some() {
            return Verdict::Goes(RemovalReason::Silent);
        }
        if in_vain {
            let busy = *reason == DownReason::Busy;
            return self.attempted(
                ctx,
                listing,
                pe,
                if busy { Attempted::Busy } else { Attempted::Hindered },
            );
        }
        self.check_alive(ctx, listing, pe);
        Verdict::Stays
    }

    /// Whether the handlespace holds a deadline for an element exactly if one is waited for.
    fn is_watched_rightly(&self, listing: &Listing, pe: &PeHandle) -> bool {
        self.elements.get(pe).is_some_and(|own| {
            let waits_for_network = matches!(own.watch, Watch::Probing(_) | Watch::Queued(_));
            listing.watched(pe).is_some() != waits_for_network
        })
    }
}
