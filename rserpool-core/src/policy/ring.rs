//! Round robin: a ring of elements with a head that moves on by one per selection.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::ops::Bound;

use super::SelectionPolicy;
use crate::base::{ElementId, Random};
use crate::wire::Policy;

/// Elements in the order of their identifiers, closed to a ring.
#[derive(Clone, Debug, Default)]
pub struct Ring {
    elements: BTreeSet<ElementId>,
    /// The first element of the last selection; the next one begins behind it, also when it has
    /// left meanwhile.
    head: Option<ElementId>,
}

impl SelectionPolicy for Ring {
    fn insert(&mut self, element: ElementId, _values: &Policy) {
        self.elements.insert(element);
    }

    fn remove(&mut self, element: ElementId) {
        self.elements.remove(&element);
    }

    fn select(&mut self, _random: &mut Random, count: usize, selected: &mut Vec<ElementId>) {
        let begin = selected.len();
        let count = count.min(self.elements.len());
        match self.head {
            None => selected.extend(self.elements.iter().take(count)),
            Some(head) => {
                let behind = self.elements.range((Bound::Excluded(head), Bound::Unbounded));
                let before = self.elements.range(..=head);
                selected.extend(behind.chain(before).take(count));
            }
        }
        if let Some(first) = selected.get(begin) {
            self.head = Some(*first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(ring: &mut Ring, count: usize) -> Vec<u32> {
        let mut selected = Vec::new();
        ring.select(&mut Random::new(0), count, &mut selected);
        selected.into_iter().map(|id| id.0).collect()
    }

    /// RFC 5356 section 4.1.2; reading B37: the head moves on by one per answer.
    #[test]
    fn rotates_by_one_per_selection() {
        let mut ring = Ring::default();
        assert_eq!(select(&mut ring, 3), []);
        for id in [2, 4, 6] {
            ring.insert(ElementId(id), &Policy::RoundRobin);
        }
        assert_eq!(select(&mut ring, 2), [2, 4]);
        assert_eq!(select(&mut ring, 9), [4, 6, 2]);
        assert_eq!(select(&mut ring, 0), []);
        assert_eq!(select(&mut ring, 1), [6]);
        assert_eq!(select(&mut ring, 1), [2]);
    }

    #[test]
    fn elements_come_and_go_within_a_round() {
        let mut ring = Ring::default();
        for id in [2, 4, 6] {
            ring.insert(ElementId(id), &Policy::RoundRobin);
        }
        assert_eq!(select(&mut ring, 1), [2]);
        ring.remove(ElementId(2));
        ring.insert(ElementId(3), &Policy::RoundRobin);
        assert_eq!(select(&mut ring, 1), [3]);
        ring.remove(ElementId(4));
        assert_eq!(select(&mut ring, 3), [6, 3]);
    }
}
