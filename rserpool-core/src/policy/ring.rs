//! Round robin: a ring of elements with a head that moves on by one per selection.

use alloc::vec::Vec;

use super::{SelectionPolicy, Slot};
use crate::base::Random;
use crate::wire::Policy;

/// A ring of elements in the order in which they were added.
///
/// Each slot holds the numbers of its neighbours: adding and removing take the same time however many there
/// are, and a selection takes one step for each element it lists.
#[derive(Debug, Default)]
pub struct Ring {
    neighbours: Vec<Neighbours>,
    /// The element with which the next selection begins. A new element is added before it: last in the round.
    head: Option<Slot>,
    len: usize,
}

#[derive(Clone, Copy, Debug)]
struct Neighbours {
    next: Slot,
    previous: Slot,
}

/// The neighbours of a slot that is not in the ring.
const OUTSIDE: Neighbours = Neighbours { next: Slot(u32::MAX), previous: Slot(u32::MAX) };

impl Ring {
    fn contains(&self, slot: Slot) -> bool {
        self.neighbours.get(slot.index()).is_some_and(|at| at.next != OUTSIDE.next)
    }

    fn join(&mut self, first: Slot, second: Slot) {
        self.neighbours[first.index()].next = second;
        self.neighbours[second.index()].previous = first;
    }
}

impl SelectionPolicy for Ring {
    fn insert(&mut self, slot: Slot, _values: &Policy) {
        if self.contains(slot) {
            return;
        }
        if self.neighbours.len() <= slot.index() {
            self.neighbours.resize(slot.index() + 1, OUTSIDE);
        }
        let head = *self.head.get_or_insert(slot);
        let last = if self.len == 0 { slot } else { self.neighbours[head.index()].previous };
        self.join(last, slot);
        self.join(slot, head);
        self.len += 1;
    }

    fn remove(&mut self, slot: Slot) {
        if !self.contains(slot) {
            return;
        }
        let Neighbours { next, previous } = self.neighbours[slot.index()];
        self.join(previous, next);
        self.neighbours[slot.index()] = OUTSIDE;
        self.len -= 1;
        if self.len == 0 {
            self.head = None;
        } else if self.head == Some(slot) {
            self.head = Some(next);
        }
        debug_assert!(self.head.is_none_or(|head| self.contains(head)), "the head is in the ring");
    }

    fn select(&mut self, _random: &mut Random, count: usize, selected: &mut Vec<Slot>) {
        let (Some(head), 1..) = (self.head, count) else { return };
        let mut at = head;
        for _ in 0..count.min(self.len) {
            selected.push(at);
            at = self.neighbours[at.index()].next;
        }
        self.head = Some(self.neighbours[head.index()].next);
    }
}
