//! One deadline for each element: when its registrar wants to look at it again.

use alloc::vec::Vec;

use super::{Handlespace, PeHandle};
use crate::base::Instant;
use crate::policy::Slot;

/// All deadlines, the earliest first: a heap with four children to a node, which is flatter and so
/// touches less memory than one with two. Each pool notes the deadlines of its elements.
///
/// A deadline that is postponed keeps its place, because that happens with every sign of life, and moves
/// only when it has come to the top. Therefore the heap holds the earliest time at which an element can
/// be due; only the one at the top is exact.
#[derive(Debug, Default)]
pub(super) struct Watches(Vec<Watch>);

#[derive(Clone, Copy, Debug)]
struct Watch {
    /// Not after the deadline.
    at: Instant,
    /// The number of its pool.
    pool: u32,
    slot: Slot,
}

/// The deadline of one element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    at: Instant,
    /// Its place in the heap, or [`NOWHERE`].
    place: u32,
}

/// The place of an element that is not watched.
const NOWHERE: u32 = u32::MAX;

const NEVER: Deadline = Deadline { at: Instant::ORIGIN, place: NOWHERE };

impl Handlespace {
    /// Sets the deadline of an element, in place of an earlier one; tells whether there is such an
    /// element. The deadline goes with the element, and when it is due.
    pub fn watch(&mut self, pe: &PeHandle, at: Instant) -> bool {
        let Some((pool, slot)) = self.find(pe) else { return false };
        let place = self.note(pool, slot, at);
        match self.watches.0.get_mut(place as usize) {
            None => {
                self.watches.0.push(Watch { at, pool, slot });
                self.rise(self.watches.0.len() - 1);
            }
            Some(watch) if at < watch.at => {
                watch.at = at;
                self.rise(place as usize);
            }
            Some(_) => self.sink_postponed(),
        }
        true
    }

    /// The deadline of an element, if it has one.
    pub fn watched(&self, pe: &PeHandle) -> Option<Instant> {
        let (pool, slot) = self.find(pe)?;
        let deadline = self.deadline(pool, slot)?;
        (deadline.place != NOWHERE).then_some(deadline.at)
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
        self.pools.iter_mut().flatten().for_each(|pool| pool.deadlines.clear());
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
        let Some(deadline) = self.deadline(pool, slot).filter(|deadline| deadline.place != NOWHERE) else {
            return;
        };
        self.set_place(pool, slot, NOWHERE);
        let at = deadline.place as usize;
        if let Some(last) = self.watches.0.pop()
            && at < self.watches.0.len()
        {
            self.move_to(at, last);
            self.sink_postponed();
        }
    }

    /// Moves deadlines that were postponed away from the top.
    fn sink_postponed(&mut self) {
        while let Some(Watch { at, pool, slot }) = self.watches.0.first().copied()
            && let Some(deadline) = self.deadline(pool, slot)
            && deadline.at > at
        {
            self.watches.0[0].at = deadline.at;
            self.sink(0);
        }
    }

    /// Replaces the deadline at place `at`, and moves the new one to where it belongs.
    fn move_to(&mut self, at: usize, watch: Watch) {
        let rises = at > 0 && watch.at < self.watches.0[(at - 1) / 4].at;
        self.watches.0[at] = watch;
        if rises { self.rise(at) } else { self.sink(at) }
    }

    fn deadline(&self, pool: u32, slot: Slot) -> Option<Deadline> {
        self.pools[pool as usize].as_ref()?.deadlines.get(slot.index()).copied()
    }

    /// Notes the deadline of an element; returns its place so far.
    fn note(&mut self, pool: u32, slot: Slot, at: Instant) -> u32 {
        let Some(pool) = self.pools[pool as usize].as_mut() else { return NOWHERE };
        if pool.deadlines.len() <= slot.index() {
            pool.deadlines.resize(slot.index() + 1, NEVER);
        }
        let deadline = &mut pool.deadlines[slot.index()];
        deadline.at = at;
        deadline.place
    }

    /// Notes the place of an element's deadline in the heap.
    fn set_place(&mut self, pool: u32, slot: Slot, place: u32) {
        let pool = self.pools[pool as usize].as_mut();
        if let Some(deadline) = pool.and_then(|pool| pool.deadlines.get_mut(slot.index())) {
            deadline.place = place;
        }
    }

    /// Moves a deadline up until the one above it is not later.
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

    /// Moves a deadline down until the ones below it are not earlier.
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
        self.set_place(watch.pool, watch.slot, at as u32);
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
            let drawn = pe.clone();
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
            assert_eq!(space.watched(&drawn), expected.get(&drawn).map(|at| Instant::from_nanos(*at)));
            assert_eq!(space.watch_count(), expected.len());
        }
    }
}
