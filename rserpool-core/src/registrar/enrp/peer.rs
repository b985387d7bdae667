//! The records of one peer: how it stands, how well our copy of its elements agrees with it, and how it takes
//! offers.

use alloc::collections::BTreeSet;

use super::pages::{Extent, Pages};
use crate::base::{Instant, RegistrarId, SctpAddress};
use crate::endpoint::PeerState;
use crate::registrar::context::{Context, Timer};
use crate::wire::ServerInformation;

/// How often the time between two resynchronisations doubles: up to 16 heartbeat cycles.
const MAX_DOUBLINGS: u32 = 5;

/// The most heartbeat cycles for which a peer that takes no offers is spared.
const MAX_SPARED: u32 = 64;

/// Another registrar.
#[derive(Debug)]
pub(in crate::registrar) struct Peer {
    /// Where it speaks ENRP, if that is known.
    pub(super) address: Option<SctpAddress>,
    /// How it describes itself.
    pub(super) server: Option<ServerInformation>,
    pub(super) last_heard: Instant,
    standing: Standing,
    /// The checksum that it sent last.
    pub(super) announced: Option<u16>,
    pub(super) audit: Audit,
    pub(super) offers: Offers,
    pub(super) pages: Pages,
    /// Whether there was ever an association with it.
    pub(super) met: bool,
    /// Whether it has come from the address where it says to be.
    pub(super) proved: bool,
    /// Whether it was met at an address of the configuration.
    pub(super) configured: bool,
    pub(super) list: PeerList,
}

/// What we take a peer to be; [`PeerState`] without the details.
#[derive(Debug)]
pub(super) enum Standing {
    Active,
    Suspect,
    Inactive,
    TakingOver(Takeover),
}

/// An arbitration that we have begun about this peer.
#[derive(Debug)]
pub(super) struct Takeover {
    /// The peers that have not acknowledged yet.
    pub(super) waiting: BTreeSet<RegistrarId>,
    /// Whether the question was repeated.
    pub(super) repeated: bool,
}

impl Takeover {
    /// Sets the deadline for the acknowledgements.
    pub(super) fn wait(ctx: &mut Context, target: RegistrarId) {
        let due = ctx.answer_due();
        ctx.deadlines.set(Timer::Takeover(target), due);
    }
}

/// Whether a peer was asked for the registrars that it knows, since the association with it came up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PeerList {
    Unasked,
    Asked,
    /// It has told them. Further lists are ignored, so that a peer cannot name registrars without end.
    Told,
}

impl Peer {
    /// A peer that is about to be [moved](Self::stand) to its first standing.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            address: None,
            server: None,
            last_heard: now,
            standing: Standing::Active,
            announced: None,
            audit: Audit::default(),
            offers: Offers::default(),
            pages: Pages::default(),
            met: false,
            proved: false,
            configured: false,
            list: PeerList::Unasked,
        }
    }

    /// Gives the peer a standing, which is reviewed at `until`: every peer has exactly one deadline.
    pub(super) fn stand(&mut self, ctx: &mut Context, id: RegistrarId, standing: Standing, until: Instant) {
        let (here, other) = match standing {
            Standing::TakingOver(_) => (Timer::Takeover(id), Timer::Peer(id)),
            _ => (Timer::Peer(id), Timer::Takeover(id)),
        };
        ctx.deadlines.clear(&other);
        ctx.deadlines.set(here, until);
        self.standing = standing;
    }

    /// The peer is taken to be alive from now on.
    pub(super) fn trust(&mut self, ctx: &mut Context, id: RegistrarId) {
        self.last_heard = ctx.now;
        let silent = ctx.now + ctx.config.enrp.max_time_last_heard;
        self.stand(ctx, id, Standing::Active, silent);
    }

    /// The peer is about to be forgotten.
    pub(super) fn clear_deadlines(&mut self, ctx: &mut Context, id: RegistrarId) {
        ctx.deadlines.clear(&Timer::Peer(id));
        ctx.deadlines.clear(&Timer::Takeover(id));
        self.audit.end(ctx, id);
    }

    pub(in crate::registrar) const fn state(&self) -> PeerState {
        match self.standing {
            Standing::Active => PeerState::Active,
            Standing::Suspect => PeerState::Suspect,
            Standing::Inactive => PeerState::Inactive,
            Standing::TakingOver(_) => PeerState::TakingOver,
        }
    }

    pub(super) const fn is_active(&self) -> bool {
        matches!(self.standing, Standing::Active)
    }

    pub(super) const fn is_suspect(&self) -> bool {
        matches!(self.standing, Standing::Suspect)
    }

    /// Whether it takes part in decisions: neither we nor others take it over.
    pub(super) const fn is_alive(&self) -> bool {
        matches!(self.standing, Standing::Active | Standing::Suspect)
    }

    /// Our arbitration about it, if there is one.
    pub(super) const fn takeover(&mut self) -> Option<&mut Takeover> {
        match &mut self.standing {
            Standing::TakingOver(takeover) => Some(takeover),
            _ => None,
        }
    }

    /// How it is described to others: as it describes itself, or as it was met.
    pub(super) fn information(&self, id: RegistrarId) -> Option<ServerInformation> {
        self.server
            .clone()
            .or_else(|| self.address.as_ref().map(|address| ServerInformation::at(id, address)))
    }
}

/// How well our copy of a peer's elements agrees with the checksums that it sends.
#[derive(Debug, Default)]
pub(super) struct Audit {
    under_way: Option<Extent>,
    /// Whether the peer was asked for elements of an earlier life of ours.
    past_asked: bool,
    /// Resynchronisations since the checksums agreed last.
    attempts: u32,
    /// When the last one began.
    begun: Option<Instant>,
}

impl Audit {
    pub(super) const fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Whether the peer is being asked for everything that it lists.
    pub(super) fn asks_for_all(&self) -> bool {
        self.under_way == Some(Extent::Whole)
    }

    /// The checksums agree, the peer is reached anew, or elements were left to it: the next resynchronisation need
    /// not wait for longer than any other. (It has to wait all the same: checksums that change to and fro, by malice or not, must
    /// not cost more than two downloads in each heartbeat cycle.)
    pub(super) const fn agree(&mut self) {
        self.attempts = 0;
    }

    /// Whether the next resynchronisation may begin: the first that does not help doubles the pause before the
    /// next, and so on.
    pub(super) fn may_begin(&self, ctx: &Context) -> bool {
        let doublings = self.attempts.saturating_sub(1).min(MAX_DOUBLINGS);
        let pause = ctx.config.enrp.heartbeat_cycle / 2 * (1 << doublings);
        self.under_way.is_none() && self.begun.is_none_or(|begun| begun + pause <= ctx.now)
    }

    /// Whether the peer may list elements of an earlier life of ours.
    pub(super) fn may_know_our_past(&self, ctx: &Context) -> bool {
        !self.past_asked && ctx.past.is_some_and(|end| ctx.now < end)
    }

    /// Asks the peer for everything that it lists, because it may know elements of an earlier life of ours.
    pub(super) fn begin_with_our_past(&mut self, ctx: &mut Context, id: RegistrarId) {
        debug_assert!(self.under_way.is_none() && ctx.group.contains_key(&id), "{id} {self:?}");
        self.past_asked = true;
        self.under_way = Some(Extent::Whole);
        self.wait(ctx, id);
    }

    /// Begins a resynchronisation.
    pub(super) fn begin(&mut self, ctx: &mut Context, id: RegistrarId) {
        debug_assert!(self.under_way.is_none() && ctx.group.contains_key(&id), "{id} {self:?}");
        self.attempts = self.attempts.saturating_add(1);
        self.begun = Some(ctx.now);
        self.under_way = Some(Extent::OwnOnly);
        self.wait(ctx, id);
    }

    /// The next page has to come in time.
    pub(super) fn wait(&self, ctx: &mut Context, id: RegistrarId) {
        let due = ctx.answer_due();
        ctx.deadlines.set(Timer::Audit(id), due);
    }

    /// The resynchronisation has ended, if there was one.
    pub(super) fn end(&mut self, ctx: &mut Context, id: RegistrarId) {
        ctx.deadlines.clear(&Timer::Audit(id));
        self.under_way = None;
    }
}

/// How a peer takes what it is offered. One that lets an offer pass may not know offers, or may only be
/// joining: it is spared, each time for twice as long.
#[derive(Debug, Default)]
pub(super) struct Offers {
    /// The number of cycles for which it was spared last.
    pause: u32,
    /// How many of them are left.
    spared: u32,
}

impl Offers {
    /// It has taken an element: it knows offers, and serves.
    pub(super) const fn taken(&mut self) {
        (self.pause, self.spared) = (0, 0);
    }

    pub(super) fn next_cycle(&mut self, passed: bool) {
        self.spared = self.spared.saturating_sub(1);
        if passed {
            self.pause = (self.pause * 2).clamp(1, MAX_SPARED);
            self.spared = self.pause;
        }
    }

    pub(super) const fn is_spared(&self) -> bool {
        self.spared != 0
    }
}

#[cfg(test)]
impl Peer {
    pub(in crate::registrar) fn waits_for(&self, those: impl Fn(&RegistrarId) -> bool) -> bool {
        match &self.standing {
            Standing::TakingOver(takeover) => takeover.waiting.iter().all(those),
            _ => true,
        }
    }

    pub(in crate::registrar) const fn is_under_audit(&self) -> bool {
        self.audit.is_under_way()
    }

    pub(in crate::registrar) fn described_as(&self, id: RegistrarId) -> Option<ServerInformation> {
        self.information(id)
    }
}
