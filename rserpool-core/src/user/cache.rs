//! What was resolved, for as long as it may be used again (RFC 5352 section 3.3, C1 to C4).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::mem::discriminant;
use core::time::Duration;

use crate::base::{Deadlines, ElementId, Instant, PoolHandle, Random};
use crate::policy::{Selection, SelectionPolicy};
use crate::wire::{Policy, PoolElement};

/// The cache of a user. A stale entry is kept until it is replaced or makes room: when no
/// registrar answers, it still says where elements were.
#[derive(Debug)]
pub(super) struct Cache {
    pools: BTreeMap<PoolHandle, Pool>,
    stale: Deadlines<PoolHandle>,
    life: Duration,
    limit: usize,
}

#[derive(Debug)]
struct Pool {
    policy: Policy,
    /// In the registrar's order.
    order: Vec<ElementId>,
    elements: BTreeMap<ElementId, PoolElement>,
    /// `None` for a policy that is not known here: the registrar's order is kept.
    selection: Option<Selection>,
    /// Nothing was selected since the registrar has given its order, which is the better choice:
    /// the registrar knows what it has told others.
    untouched: bool,
}

impl Cache {
    pub(super) fn new(life: Duration, limit: usize) -> Self {
        Self { pools: BTreeMap::new(), stale: Deadlines::default(), life, limit }
    }

    /// Takes over what a registrar has answered.
    pub(super) fn store(
        &mut self,
        now: Instant,
        handle: &PoolHandle,
        policy: Policy,
        elements: Vec<PoolElement>,
    ) {
        if !self.pools.contains_key(handle)
            && self.pools.len() >= self.limit
            && let Some(oldest) = self.stale.pop_due(Instant::from_nanos(u64::MAX))
        {
            self.pools.remove(&oldest);
        }
        let mut order = Vec::new();
        let mut by_id = BTreeMap::new();
        for element in elements {
            let id = element.id;
            if by_id.insert(id, element).is_none() {
                order.push(id);
            }
        }
        // The selection goes on where it was, so that round robin keeps its turn.
        let mut selection = match self.pools.remove(handle) {
            Some(Pool { policy: before, selection: Some(mut selection), order: old, .. })
                if discriminant(&before) == discriminant(&policy) =>
            {
                for gone in old.iter().filter(|id| !by_id.contains_key(id)) {
                    selection.remove(*gone);
                }
                Some(selection)
            }
            _ => Selection::for_policy(&policy),
        };
        if let Some(selection) = &mut selection {
            for element in by_id.values() {
                selection.insert(element.id, &element.policy);
            }
        }
        self.stale.set(handle.clone(), now + self.life);
        let pool = Pool { policy, order, elements: by_id, selection, untouched: true };
        self.pools.insert(handle.clone(), pool);
    }

    pub(super) fn purge(&mut self, handle: &PoolHandle) {
        self.pools.remove(handle);
        self.stale.clear(handle);
    }

    pub(super) fn is_fresh(&self, now: Instant, handle: &PoolHandle) -> bool {
        self.stale.get(handle).is_some_and(|stale| now < stale)
    }

    /// How many elements of a pool are known, stale or not.
    pub(super) fn len(&self, handle: &PoolHandle) -> usize {
        self.pools.get(handle).map_or(0, |pool| pool.order.len())
    }

    /// The policy and up to `count` elements of a pool in the registrar's order.
    pub(super) fn listing(&self, handle: &PoolHandle, count: usize) -> Option<(Policy, Vec<PoolElement>)> {
        let pool = self.pools.get(handle)?;
        let ids = pool.order.iter().take(count);
        Some((pool.policy.clone(), ids.filter_map(|id| pool.elements.get(id)).cloned().collect()))
    }

    /// One element of a pool, stale or not.
    pub(super) fn element(&self, handle: &PoolHandle, id: ElementId) -> Option<&PoolElement> {
        self.pools.get(handle)?.elements.get(&id)
    }

    /// Makes one selection by the pool's policy: all elements, the preferred one first
    /// (ASAP-6.5.2-01, ASAP-6.5.2.1-01).
    pub(super) fn select(&mut self, handle: &PoolHandle, random: &mut Random) -> Vec<ElementId> {
        let Some(pool) = self.pools.get_mut(handle) else { return Vec::new() };
        let mut selected = Vec::new();
        match &mut pool.selection {
            Some(selection) if !core::mem::take(&mut pool.untouched) => {
                selection.select(random, pool.order.len(), &mut selected);
            }
            Some(selection) => {
                // The turn moves to the element that the registrar has put first.
                for _ in &pool.order {
                    selected.clear();
                    selection.select(random, 1, &mut selected);
                    if selected.first() == pool.order.first() {
                        break;
                    }
                }
                selected.clone_from(&pool.order);
            }
            None => selected.clone_from(&pool.order),
        }
        selected
    }
}
