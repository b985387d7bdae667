//! Elements that were resolved, for as long as they may be used again (RFC 5352 section 3.3, C1 to C4).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

use crate::base::{Deadlines, ElementId, Instant, PoolHandle, Random};
use crate::policy::{Policies, Selection, SelectionPolicy, Slot};
use crate::wire::{Policy, PoolElement};

/// The cache of a user. A stale entry is kept until it is replaced, or until another one needs its room: when
/// no registrar answers, it still says where elements were.
#[derive(Debug)]
pub(super) struct Cache {
    pools: BTreeMap<PoolHandle, Pool>,
    stale: Deadlines<PoolHandle>,
    life: Duration,
    limit: usize,
    policies: Policies,
}

#[derive(Debug)]
struct Pool {
    policy: Policy,
    /// In the registrar's order, each element once; the index of an element is its slot.
    elements: Vec<PoolElement>,
    slots: BTreeMap<ElementId, Slot>,
    /// `None` if the registrar's order is kept.
    selection: Option<Selection>,
    /// The elements that the selection leaves out at present.
    left_out: BTreeSet<ElementId>,
}

impl Cache {
    pub(super) fn new(life: Duration, limit: usize, policies: Policies) -> Self {
        Self { pools: BTreeMap::new(), stale: Deadlines::default(), life, limit, policies }
    }

    /// Stores the answer of a registrar, instead of an earlier one.
    pub(super) fn store(
        &mut self,
        now: Instant,
        handle: &PoolHandle,
        policy: Policy,
        elements: Vec<PoolElement>,
        random: &mut Random,
    ) {
        if !self.pools.contains_key(handle)
            && self.pools.len() >= self.limit
            && let Some(oldest) = self.stale.pop_due(Instant::from_nanos(u64::MAX))
        {
            self.pools.remove(&oldest);
        }
        let mut pool = Pool {
            selection: self.policies.selection_of_user(&policy, random),
            policy,
            elements: Vec::new(),
            slots: BTreeMap::new(),
            left_out: BTreeSet::new(),
        };
        for element in elements {
            if pool.slots.contains_key(&element.id) {
                continue;
            }
            let slot = Slot(pool.elements.len() as u32);
            pool.slots.insert(element.id, slot);
            if let Some(selection) = &mut pool.selection {
                selection.append(slot, &element.policy);
            }
            pool.elements.push(element);
        }
        self.stale.set(handle.clone(), now + self.life);
        self.pools.insert(handle.clone(), pool);
        debug_assert_eq!(self.pools.len(), self.stale.len(), "each pool becomes stale");
        debug_assert!(self.pools.len() <= self.limit.max(1), "the cache is bounded");
    }

    pub(super) fn purge(&mut self, handle: &PoolHandle) {
        self.pools.remove(handle);
        self.stale.clear(handle);
    }

    pub(super) fn is_fresh(&self, now: Instant, handle: &PoolHandle) -> bool {
        self.stale.get(handle).is_some_and(|stale| now < stale)
    }

    /// The number of elements of a pool that are known, stale or not.
    pub(super) fn len(&self, handle: &PoolHandle) -> usize {
        self.pools.get(handle).map_or(0, |pool| pool.elements.len())
    }

    /// The policy and up to `count` elements of a pool in the registrar's order.
    pub(super) fn listing(&self, handle: &PoolHandle, count: usize) -> Option<(Policy, Vec<PoolElement>)> {
        let pool = self.pools.get(handle)?;
        Some((pool.policy.clone(), pool.elements.iter().take(count).cloned().collect()))
    }

    /// One element of a pool, stale or not.
    pub(super) fn element(&self, handle: &PoolHandle, id: ElementId) -> Option<&PoolElement> {
        let pool = self.pools.get(handle)?;
        pool.elements.get(pool.slots.get(&id)?.index())
    }

    /// Whether the preferred element has to be used as long as it lives, and not just the one that answers first
    /// (RFC 5356 section 4.5.3: the one of the highest priority MUST be).
    pub(super) fn is_ranked(&self, handle: &PoolHandle) -> bool {
        self.pools.get(handle).is_some_and(|pool| matches!(pool.policy, Policy::Priority { .. }))
    }

    /// Makes one selection by the pool's policy among the elements that are not `excluded`: all of them, the
    /// preferred one first, and behind them the excluded ones (ASAP-6.5.2-01, ASAP-6.5.2.1-01: the user
    /// selects by the policy of the pool).
    pub(super) fn select(
        &mut self,
        handle: &PoolHandle,
        excluded: &BTreeSet<ElementId>,
        random: &mut Random,
    ) -> Vec<ElementId> {
        let Some(pool) = self.pools.get_mut(handle) else { return Vec::new() };
        pool.leave_out(excluded);
        let Pool { selection: Some(selection), elements, left_out, .. } = pool else {
            return pool.elements.iter().map(|element| element.id).collect();
        };
        let mut selected = Vec::new();
        selection.select(random, elements.len(), &mut selected);
        let selected =
            selected.iter().filter_map(|slot| elements.get(slot.index())).map(|element| element.id);
        selected.chain(left_out.iter().copied()).collect()
    }
}

impl Pool {
    /// Takes the `excluded` elements out of the selection, and puts back those that are not excluded any more. In
    /// the selection they would keep their turns, which would all go to those behind them.
    fn leave_out(&mut self, excluded: &BTreeSet<ElementId>) {
        let Self { elements, slots, selection: Some(selection), left_out, .. } = self else { return };
        left_out.retain(|id| {
            let stays = excluded.contains(id);
            if !stays && let Some(slot) = slots.get(id) {
                selection.insert(*slot, &elements[slot.index()].policy);
            }
            stays
        });
        for id in excluded {
            if let Some(slot) = slots.get(id)
                && left_out.insert(*id)
            {
                selection.remove(*slot);
            }
        }
    }
}
