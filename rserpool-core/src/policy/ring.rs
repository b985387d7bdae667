//! Round robin: a ring of elements with a head that moves on by one per selection.

use alloc::vec::Vec;

use super::{SelectionPolicy, Slot};
use crate::base::Random;
use crate::wire::Policy;

/// Elements in the order in which they came, closed to a ring.
///
/// Neighbours are linked by number: adding and removing cost the same however many there are, and
/// a selection follows one link for each element it lists.
#[derive(Debug, Default)]
pub struct Ring {
    links: Vec<Link>,
    /// With whom the next selection begins; a newcomer stands before it, last in the round.
    head: Option<Slot>,
    len: usize,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    next: Slot,
    previous: Slot,
}

/// The link of a slot that is not in the ring.
const OUTSIDE: Link = Link { next: Slot(u32::MAX), previous: Slot(u32::MAX) };

impl Ring {
    fn contains(&self, slot: Slot) -> bool {
        self.links.get(slot.index()).is_some_and(|link| link.next != OUTSIDE.next)
    }

    fn join(&mut self, first: Slot, second: Slot) {
        self.links[first.index()].next = second;
        self.links[second.index()].previous = first;
    }
}

impl SelectionPolicy for Ring {
    fn insert(&mut self, slot: Slot, _values: &Policy) {
        if self.contains(slot) {
            return;
        }
        if self.links.len() <= slot.index() {
            self.links.resize(slot.index() + 1, OUTSIDE);
        }
        let head = *self.head.get_or_insert(slot);
        let last = if self.len == 0 { slot } else { self.links[head.index()].previous };
        self.join(last, slot);
        self.join(slot, head);
        self.len += 1;
    }

    fn remove(&mut self, slot: Slot) {
        if !self.contains(slot) {
            return;
        }
        let Link { next, previous } = self.links[slot.index()];
        self.join(previous, next);
        self.links[slot.index()] = OUTSIDE;
        self.len -= 1;
        if self.len == 0 {
            self.head = None;
        } else if self.head == Some(slot) {
            self.head = Some(next);
        }
    }

    fn select(&mut self, _random: &mut Random, count: usize, selected: &mut Vec<Slot>) {
        let (Some(head), 1..) = (self.head, count) else { return };
        let mut at = head;
        for _ in 0..count.min(self.len) {
            selected.push(at);
            at = self.links[at.index()].next;
        }
        self.head = Some(self.links[head.index()].next);
    }
}
