//! One deadline for each element: when its registrar wants to look at it again.

use alloc::vec::Vec;

use super::{Handlespace, PeHandle};
use crate::base::Instant;
use crate::policy::Slot;

/// All deadlines, the earliest first: a heap with four children to a node, which is flatter and so
/// touches less memory than one with two. Each pool notes where the deadlines of its elements stand.
#[derive(Debug, Default)]
pub(super) struct Watches(Vec<Watch>);

#[derive(Clone, Copy, Debug)]
struct Watch {
    at: Instant,
    /// The number of its pool.
    pool: u32,
    slot: Slot,
}

/// The place of an element that is not watched.
const NOWHERE: u32 = u32::MAX;

impl Handlespace {
    /// Sets the deadline of an element, in place of an earlier one; tells whether there is such an
    /// element. The deadline goes with the element, and when it is due.
    pub fn watch(&mut self, pe: &PeHandle, at: Instant) -> bool {
        let Some((pool, slot)) = self.find(pe) else { return false };
        let watch = Watch { at, pool, slot };
        match self.place_of(pool, slot) {
            NOWHERE => {
                self.watches.0.push(watch);
                self.rise(self.watches.0.len() - 1);
            }
            place => self.move_to(place as usize, watch),
        }
        true
    }

    /// The deadline of an element, if it has one.
    pub fn watched(&self, pe: &PeHandle) -> Option<Instant> {
        let (pool, slot) = self.find(pe)?;
        self.watches.0.get(self.place_of(pool, slot) as usize).map(|watch| watch.at)
    }

    /// How many elements have a deadline.
    pub const fn watch_count(&self) -> usize {
        self.watches.0.len()
    }

    /// Takes the deadline of an element away, if it has one.
    pub fn unwatch(&mut self, pe: &PeHandle) {
        if let Some((pool, slot)) = self.find(pe) {
            self.disarm(pool, slot);
        }
    }

    /// Takes all deadlines away.
    pub fn unwatch_all(&mut self) {
        self.watches.0.clear();
        self.pools.iter_mut().flatten().for_each(|pool| pool.watches.clear());
    }

    /// The earliest deadline.
    pub fn next_watch(&self) -> Option<Instant> {
        self.watches.0.first().map(|watch| watch.at)
    }

    /// Takes one element whose deadline is due at `now`, the earliest first.
    pub fn pop_watch(&mut self, now: Instant) -> Option<PeHandle> {
        let Watch { pool: number, slot, .. } = *self.watches.0.first().filter(|watch| watch.at <= now)?;
        self.disarm(number, slot);
        let pool = self.pools[number as usize].as_ref()?;
        Some(PeHandle { pool: pool.handle().clone(), element: pool.at(slot)?.id })
    }

    fn find(&self, pe: &PeHandle) -> Option<(u32, Slot)> {
        let number = self.number(&pe.pool)?;
        Some((number, self.pools[number as usize].as_ref()?.slot(pe.element)?))
    }

    pub(super) fn disarm(&mut self, pool: u32, slot: Slot) {
        let at = self.place_of(pool, slot);
        if at == NOWHERE {
            return;
        }
        self.note(pool, slot, NOWHERE);
        let at = at as usize;
        if let Some(last) = self.watches.0.pop()
            && at < self.watches.0.len()
        {
            self.move_to(at, last);
        }
    }

    /// Puts a deadline in place of the one that stands at `at`, and moves it to where it belongs.
    fn move_to(&mut self, at: usize, watch: Watch) {
        let rises = at > 0 && watch.at < self.watches.0[(at - 1) / 4].at;
        self.watches.0[at] = watch;
        if rises { self.rise(at) } else { self.sink(at) }
    }

    fn place_of(&self, pool: u32, slot: Slot) -> u32 {
        let places = self.pools[pool as usize].as_ref().map(|pool| &pool.watches);
        places.and_then(|places| places.get(slot.index())).copied().unwrap_or(NOWHERE)
    }

    fn note(&mut self, pool: u32, slot: Slot, place: u32) {
        if let Some(pool) = self.pools[pool as usize].as_mut() {
            if pool.watches.len() <= slot.index() {
                pool.watches.resize(slot.index() + 1, NOWHERE);
            }
            pool.watches[slot.index()] = place;
        }
    }

    /// Moves a deadline up to where no later one stands above it.
    fn rise(&mut self, mut at: usize) {
        let watch = self.watches.0[at];
        while at > 0 {
            let above = self.watches.0[(at - 1) / 4];
            if above.at <= watch.at {
                break;
            }
            self.put(at, above);
            at = (at - 1) / 4;
        }
        self.put(at, watch);
    }

    /// Moves a deadline down to where no earlier one stands below it.
    fn sink(&mut self, mut at: usize) {
        let watch = self.watches.0[at];
        loop {
            let first = 4 * at + 1;
            let end = (first + 4).min(self.watches.0.len());
            let Some(earliest) = (first..end).min_by_key(|child| self.watches.0[*child].at) else { break };
            if self.watches.0[earliest].at >= watch.at {
                break;
            }
            self.put(at, self.watches.0[earliest]);
            at = earliest;
        }
        self.put(at, watch);
    }

    fn put(&mut self, at: usize, watch: Watch) {
        self.watches.0[at] = watch;
        self.note(watch.pool, watch.slot, at as u32);
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use super::super::tests::{element, pe};
    use super::*;
    use crate::base::Random;
    use crate::handlespace::Limits;

    /// A drawn history against a map: each element has at most one deadline, which goes with it.
    #[test]
    fn the_earliest_first_and_one_for_each_element() {
        let limits = Limits { pools: 9, elements_per_pool: 500, elements: 500 };
        let (mut space, mut expected) = (Handlespace::new(limits), BTreeMap::new());
        let mut random = Random::new(9);
        let mut now = 0;
        for _ in 0..20_000 {
            let pe = pe(["a", "b", "c"][random.below(3) as usize], 1 + random.below(60) as u32);
            match random.below(8) {
                0 | 1 => {
                    space.admit(&pe.pool, element(pe.element.0)).unwrap();
                }
                2 => {
                    space.remove(&pe);
                    expected.remove(&pe);
                }
                3 => {
                    space.unwatch(&pe);
                    expected.remove(&pe);
                }
                4 => {
                    now += random.below(50);
                    while let Some(due) = space.pop_watch(Instant::from_nanos(now)) {
                        let at = expected.remove(&due).unwrap();
                        assert!(at <= now && expected.values().all(|other| *other >= at));
                    }
                }
                _ => {
                    let at = now + random.below(1_000);
                    if space.watch(&pe, Instant::from_nanos(at)) {
                        expected.insert(pe, at);
                    } else {
                        assert!(space.get(&pe).is_none());
                    }
                }
            }
            let next = expected.values().min().map(|at| Instant::from_nanos(*at));
            assert_eq!(space.next_watch(), next);
        }
    }
}
