//! The handlespace of a registrar, and the only part that writes to it.
//!
//! Every write returns a [`Change`], from which everything else follows: today the update that tells our
//! peers of an element of ours ([`Listing::publish`]). Statistics belong there, too. It also notes which pools have
//! changed for those who follow them ([`Listing::take_changed`]), whoever has changed them.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::ops::Deref;

use super::config::RegistrarConfig;
use super::context::Context;
use super::shares::{Founders, Holder};
use crate::base::{ElementId, Instant, PoolHandle, Random, RegistrarId};
use crate::handlespace::{Admission, AdmissionError, Handlespace, Inconsistent, Limits, PeHandle, Selected};
use crate::wire::{
    CauseCode, EnrpBody, ErrorCause, Policy, PoolElement, PoolEntry, RegistrationLife, UpdateAction,
};

/// The longest Pool Element parameter that is kept: room for 64 IPv6 addresses, RSPLIB's limit, and for
/// what a home registrar adds. Therefore memory is bounded by the number of elements, and any element fits
/// into any message about it.
const MAX_ELEMENT_OCTETS: usize = 2048;

/// What has changed in the handlespace.
#[must_use = "what follows from a change is done by `publish`"]
#[derive(Debug)]
pub(super) enum Change {
    /// An element is listed that was not listed before.
    Entered,
    /// A listed element has other attributes, or has said again that it has these.
    Renewed,
    /// This element is not listed any more.
    Removed(PoolElement),
}

/// Whether our peers learn of a change by an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Update {
    /// It is a change of an element of ours, or we have found that one of another home is gone: news to them.
    Sent,
    /// It is not for us to tell, or they learn of it in another way.
    Needless,
}

/// What has happened to elements since a resynchronisation with a peer began.
#[derive(Debug, Default)]
struct Since {
    /// Those that the peer has named as its own. All others of its elements are marked: thus it costs nothing to
    /// mark them.
    unmarked: BTreeSet<PeHandle>,
    /// Those for which another home has spoken. The pages of the peer may be older.
    elsewhere: BTreeSet<PeHandle>,
}

/// What an element is entered upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// It has registered, or its home says so in an update.
    Registered,
    /// A handle table or a takeover names it. That is no registration: its load degradation goes on
    /// (RFC 5356 section 5.2.2).
    Listed,
}

/// The handlespace. Reading goes through [`Deref`].
#[derive(Debug)]
pub(super) struct Listing {
    handlespace: Handlespace,
    /// The resynchronisations that are under way.
    resynchronisations: BTreeMap<RegistrarId, Since>,
    /// The elements whose home has taken over the one before it, and has not named them since: it may not know
    /// of them.
    inherited: BTreeSet<PeHandle>,
    founders: Founders,
    /// The pools of which somebody wants to hear.
    followed: BTreeSet<PoolHandle>,
    /// Those that have changed for their users since that was asked last.
    changed: BTreeSet<PoolHandle>,
    limits: Limits,
    /// The longest pool handle that is listed, in octets.
    max_handle_octets: usize,
}

impl Listing {
    pub(super) fn new(config: &RegistrarConfig) -> Self {
        let handlespace = Handlespace::with_policies(config.limits, config.policies.clone());
        let max_handle_octets = config.max_handle_octets.min(PoolHandle::MAX_OCTETS);
        Self {
            handlespace,
            resynchronisations: BTreeMap::new(),
            inherited: BTreeSet::new(),
            founders: Founders::default(),
            followed: BTreeSet::new(),
            changed: BTreeSet::new(),
            limits: config.limits,
            max_handle_octets,
        }
    }

    /// Lists an element with the home that is named in it.
    ///
    /// # Errors
    /// The cause for which it cannot be listed; nothing has changed then.
    pub(super) fn enter(&mut self, pe: &PeHandle, element: PoolElement) -> Result<Change, ErrorCause> {
        self.enter_for(&[], pe, element, Word::Registered)
    }

    /// The same for a registration: those for whom it counts get shares of the pools.
    ///
    /// # Errors
    /// As [`Self::enter`].
    pub(super) fn register(
        &mut self,
        pe: &PeHandle,
        element: PoolElement,
        holders: [Holder; 2],
    ) -> Result<Change, ErrorCause> {
        self.enter_for(&holders, pe, element, Word::Registered)
    }

    /// The same for an element of a peer: it gets a share of the pools and elements.
    ///
    /// # Errors
    /// As [`Self::enter`].
    pub(super) fn enter_of_peer(
        &mut self,
        pe: &PeHandle,
        element: PoolElement,
        word: Word,
    ) -> Result<Change, ErrorCause> {
        let home = element.home;
        let has_it = self.handlespace.get(pe).is_some_and(|listed| listed.home == home);
        if !has_it && self.handlespace.owned(home) >= Holder::Peer(home).share(self.limits.elements) {
            return Err(ErrorCause::bare(CauseCode::LACK_OF_RESOURCES));
        }
        self.enter_for(&[Holder::Peer(home)], pe, element, word)
    }

    fn enter_for(
        &mut self,
        holders: &[Holder],
        pe: &PeHandle,
        element: PoolElement,
        word: Word,
    ) -> Result<Change, ErrorCause> {
        self.check_values(pe, &element)?;
        let founds = self.handlespace.pool(&pe.pool).is_none();
        if founds && !self.founders.may_found(holders, self.limits.pools) {
            return Err(ErrorCause::bare(CauseCode::LACK_OF_RESOURCES));
        }
        let news = self.is_news(pe, &element);
        let (before, home) = (self.handlespace.get(pe).map(|known| known.home), element.home);
        let admission = match word {
            Word::Registered => self.handlespace.admit(&pe.pool, element),
            Word::Listed => self.handlespace.amend(&pe.pool, element),
        };
        let admission = admission.map_err(admission_cause)?;
        if news {
            self.changed.insert(pe.pool.clone());
        }
        if founds && !holders.is_empty() {
            self.founders.found(&pe.pool, holders);
        }
        if let Some(before) = before.filter(|before| *before != home) {
            self.forget_mark(pe, before);
        }
        self.note_home(pe, home);
        Ok(match admission {
            Admission::New => Change::Entered,
            Admission::Renewed => Change::Renewed,
        })
    }

    /// Names another home for a listed element; `None` if it is not listed.
    pub(super) fn rehome(&mut self, pe: &PeHandle, home: RegistrarId) -> Option<Change> {
        let known = self.handlespace.get(pe)?.clone();
        self.forget_mark(pe, known.home);
        self.note_home(pe, home);
        let element = PoolElement { home, ..known };
        let admission = self.handlespace.amend(&pe.pool, element);
        debug_assert_eq!(admission, Ok(Admission::Renewed), "{pe} fits its pool already");
        Some(Change::Renewed)
    }

    /// Lists an element as it is known now, without its having registered again. `None` if it does not fit.
    pub(super) fn amend(&mut self, pe: &PeHandle, element: PoolElement) -> Option<Change> {
        self.check_values(pe, &element).ok()?;
        self.handlespace.get(pe)?;
        let news = self.is_news(pe, &element);
        self.handlespace.amend(&pe.pool, element).ok()?;
        if news {
            self.changed.insert(pe.pool.clone());
        }
        Some(Change::Renewed)
    }

    /// Takes an element off the list; `None` if it is not listed.
    pub(super) fn remove(&mut self, pe: &PeHandle) -> Option<Change> {
        let removed = self.handlespace.remove(pe)?;
        if self.followed.contains(&pe.pool) {
            self.changed.insert(pe.pool.clone());
        }
        if self.handlespace.pool(&pe.pool).is_none() {
            self.founders.forget(&pe.pool);
        }
        self.forget_mark(pe, removed.home);
        self.inherited.remove(pe);
        Some(Change::Removed(removed))
    }

    /// Somebody wants to hear of changes of this pool.
    pub(super) fn follow(&mut self, pool: &PoolHandle) {
        self.followed.insert(pool.clone());
    }

    /// Nobody wants to hear of this pool any more.
    pub(super) fn unfollow(&mut self, pool: &PoolHandle) {
        self.followed.remove(pool);
        self.changed.remove(pool);
    }

    /// The followed pools that have changed for their users since this was called last.
    pub(super) fn take_changed(&mut self) -> BTreeSet<PoolHandle> {
        core::mem::take(&mut self.changed)
    }

    /// Whether somebody follows the pool, and will see another element than before. Another home, or another registration
    /// life, is nothing to users.
    fn is_news(&self, pe: &PeHandle, element: &PoolElement) -> bool {
        let same = |known: &PoolElement| {
            known.user_transport == element.user_transport
                && known.encapsulation == element.encapsulation
                && known.policy == element.policy
        };
        self.followed.contains(&pe.pool) && !self.handlespace.get(pe).is_some_and(same)
    }

    /// An element is not one of this home any more.
    fn forget_mark(&mut self, pe: &PeHandle, home: RegistrarId) {
        if let Some(since) = self.resynchronisations.get_mut(&home) {
            since.unmarked.remove(pe);
        }
    }

    /// A home speaks for an element. A resynchronisation with it must not remove the element; one with another
    /// peer must not give the element back.
    fn note_home(&mut self, pe: &PeHandle, home: RegistrarId) {
        for (peer, since) in &mut self.resynchronisations {
            if *peer == home {
                since.unmarked.insert(pe.clone());
                since.elsewhere.remove(pe);
            } else {
                since.elsewhere.insert(pe.clone());
            }
        }
        self.inherited.remove(pe);
    }

    /// Does what follows from a change of this element.
    pub(super) fn publish(&self, ctx: &mut Context, pe: &PeHandle, change: Change, update: Update) {
        if update == Update::Needless {
            return;
        }
        ctx.counters.updates_sent += 1;
        if ctx.group.is_empty() {
            return;
        }
        let (action, element) = match change {
            Change::Entered | Change::Renewed => (UpdateAction::ADD_PE, self.handlespace.get(pe).cloned()),
            Change::Removed(element) => (UpdateAction::DEL_PE, Some(element)),
        };
        let Some(element) = element else { return };
        debug_assert!(action == UpdateAction::DEL_PE || element.home == ctx.id, "{pe} is not ours");
        let handle = pe.pool.clone();
        ctx.cast(EnrpBody::HandleUpdate { takeover_suggested: false, action, handle, element });
    }

    /// Says once more that an element of ours is ours.
    pub(super) fn affirm(&self, ctx: &mut Context, pe: &PeHandle) {
        self.publish(ctx, pe, Change::Renewed, Update::Sent);
    }

    /// The name of an element, with its pool handle as it is kept.
    pub(super) fn name(&self, pool: &PoolHandle, element: ElementId) -> PeHandle {
        PeHandle { pool: self.handlespace.intern(pool), element }
    }

    /// The elements of one home.
    pub(super) fn of_home(&self, home: RegistrarId) -> Vec<PeHandle> {
        self.handlespace.names_of_home(home).cloned().collect()
    }

    /// The whole handlespace, pool by pool.
    pub(super) fn pool_entries(&self) -> Vec<PoolEntry> {
        let pools = self.handlespace.pools().map(|(handle, pool)| PoolEntry {
            handle: handle.clone(),
            elements: pool.elements_after(None).cloned().collect(),
        });
        pools.collect()
    }

    /// Marks every element of a home; each is unmarked when it is entered with that home.
    pub(super) fn mark(&mut self, home: RegistrarId) {
        self.resynchronisations.insert(home, Since::default());
    }

    /// Takes the marks of a home away.
    pub(super) fn unmark(&mut self, home: RegistrarId) {
        self.resynchronisations.remove(&home);
    }

    /// Takes the marks of a home away, and returns those of its elements that had them.
    pub(super) fn take_marked(&mut self, home: RegistrarId) -> Vec<PeHandle> {
        let Some(Since { unmarked, .. }) = self.resynchronisations.remove(&home) else { return Vec::new() };
        let names = self.handlespace.names_of_home(home);
        names.filter(|pe| !unmarked.contains(*pe)).cloned().collect()
    }

    /// Whether another home has spoken for an element since the elements of this one were marked.
    pub(super) fn is_elsewhere(&self, pe: &PeHandle, home: RegistrarId) -> bool {
        self.resynchronisations.get(&home).is_some_and(|since| since.elsewhere.contains(pe))
    }

    /// A listed element has got its home by a takeover.
    pub(super) fn inherit(&mut self, pe: &PeHandle) {
        debug_assert!(self.handlespace.get(pe).is_some(), "{pe} is not listed");
        self.inherited.insert(pe.clone());
    }

    /// Whether the home of an element may not know of it.
    pub(super) fn is_inherited(&self, pe: &PeHandle) -> bool {
        self.inherited.contains(pe)
    }

    /// A home has the same elements as we list for it.
    pub(super) fn agree(&mut self, home: RegistrarId) {
        let Self { inherited, handlespace, .. } = self;
        inherited.retain(|pe| handlespace.get(pe).is_some_and(|listed| listed.home != home));
    }

    /// Refuses the values that no listed element may have: cause 0x3 with the parameter that holds them, and a
    /// lack of resources for an element or a handle that is too long.
    pub(super) fn check_values(&self, pe: &PeHandle, element: &PoolElement) -> Result<(), ErrorCause> {
        let fits = element.encoded_len().is_some_and(|octets| octets <= MAX_ELEMENT_OCTETS);
        if pe.pool.as_bytes().len() > self.max_handle_octets || !fits {
            return Err(ErrorCause::bare(CauseCode::LACK_OF_RESOURCES));
        }
        let life_ok = element.life == RegistrationLife::INFINITE || element.life.0 > 0;
        let reachable = element.user_transport.port() != Some(0);
        if element.id == ElementId(0) || !life_ok || !reachable || pe.pool.as_bytes().is_empty() {
            return Err(ErrorCause::invalid_values(element.to_parameter()));
        }
        Ok(())
    }

    /// See [`Handlespace::select`].
    pub(super) fn select(
        &mut self,
        pool: &PoolHandle,
        count: usize,
        random: &mut Random,
    ) -> Option<(&Policy, Selected<'_>)> {
        self.handlespace.select(pool, count, random)
    }

    /// Sets the deadline for a sign of life of an element of ours.
    pub(super) fn watch(&mut self, pe: &PeHandle, at: Instant) {
        let listed = self.handlespace.watch(pe, at);
        debug_assert!(listed, "{pe} is ours and not listed");
    }

    pub(super) fn unwatch(&mut self, pe: &PeHandle) {
        self.handlespace.unwatch(pe);
    }

    pub(super) fn unwatch_all(&mut self) {
        self.handlespace.unwatch_all();
    }

    pub(super) fn pop_watch(&mut self, now: Instant) -> Option<PeHandle> {
        self.handlespace.pop_watch(now)
    }
}

#[cfg(test)]
impl Listing {
    pub(super) const fn followed(&self) -> &BTreeSet<PoolHandle> {
        &self.followed
    }

    pub(super) fn is_marked(&self, home: RegistrarId) -> bool {
        self.resynchronisations.contains_key(&home)
    }
}

impl Deref for Listing {
    type Target = Handlespace;

    fn deref(&self) -> &Self::Target {
        &self.handlespace
    }
}

/// The error cause of a refused admission.
fn admission_cause(error: AdmissionError) -> ErrorCause {
    match error {
        AdmissionError::UnsupportedPolicy(policy) => ErrorCause::invalid_values(policy.to_parameter()),
        AdmissionError::Inconsistent(Inconsistent::Policy(policy)) => {
            ErrorCause::inconsistent_policy(&policy)
        }
        AdmissionError::Inconsistent(Inconsistent::Transport(transport)) => {
            ErrorCause::inconsistent_transport(&transport)
        }
        AdmissionError::Inconsistent(Inconsistent::Use(_)) => {
            ErrorCause::bare(CauseCode::INCONSISTENT_TRANSPORT_USE)
        }
        AdmissionError::Full(_) => ErrorCause::bare(CauseCode::LACK_OF_RESOURCES),
    }
}
