//! One pool: what its elements have in common, and the elements.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Bound;

use super::Said;
use super::slab::Slab;
use super::watch::Deadline;
use crate::base::{ElementId, PoolHandle, Random, RegistrarId};
use crate::policy::{Policies, Selection, SelectionPolicy, Slot};
use crate::wire::{Policy, PoolElement, Transport, TransportUse, octets_for_users, room_for_elements};

/// How an element differs from its pool (RFC 5352 section 3.1, rules 2 and 3). It carries what
/// the pool has, as the error causes of RFC 5354 section 3.12 want it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Inconsistent {
    /// Its policy is of another type.
    #[error("the pool's policy is {}: register with that, or in another pool", .0.name())]
    Policy(Policy),
    /// Its user transport is of another protocol.
    #[error("the pool's transport is {:?}: register with that, or in another pool", .0.kind())]
    Transport(Transport),
    /// Its Transport Use differs.
    #[error("the pool's transport use is {0:?}: register with that, or in another pool")]
    Use(TransportUse),
}

/// A pool with its elements.
pub struct Pool {
    handle: PoolHandle,
    /// The policy as the first element brought it; its type is the pool's.
    policy: Policy,
    /// The first element's transport; its type and use are the pool's.
    transport: Transport,
    selection: Selection,
    elements: Slab,
    slots: BTreeMap<ElementId, Slot>,
    /// The element that registered last: what is asked next is often about it.
    recent: Option<(ElementId, Slot)>,
    /// How many octets the longest element has taken in an answer to a user so far.
    longest: usize,
    /// The deadline of each element, see `watch`.
    pub(super) deadlines: Vec<Deadline>,
}

impl Pool {
    /// An empty pool that takes policy, transport and transport use from its first element;
    /// `None` if nothing selects by that policy.
    pub(super) fn for_first(handle: PoolHandle, element: &PoolElement, policies: &Policies) -> Option<Self> {
        Some(Self {
            handle,
            policy: element.policy.clone(),
            transport: element.user_transport.clone(),
            selection: policies.selection(&element.policy)?,
            elements: Slab::default(),
            slots: BTreeMap::new(),
            recent: None,
            longest: 0,
            deadlines: Vec::new(),
        })
    }

    /// Whether an element fits.
    pub(super) fn check(&self, element: &PoolElement) -> Result<(), Inconsistent> {
        if element.policy.kind() != self.policy.kind() {
            return Err(Inconsistent::Policy(self.policy.clone()));
        }
        if element.user_transport.kind() != self.transport.kind() {
            return Err(Inconsistent::Transport(self.transport.clone()));
        }
        if element.user_transport.usage() != self.transport.usage() {
            return Err(Inconsistent::Use(self.transport.usage()));
        }
        Ok(())
    }

    /// Adds an element that fits and is not there.
    pub(super) fn insert(&mut self, element: PoolElement) {
        let (id, longest) = (element.id, octets_for_users(&element));
        let slot = self.elements.insert(element);
        if let Some(element) = self.elements.get(slot) {
            self.selection.insert(slot, &element.policy);
        }
        let before = self.slots.insert(id, slot);
        debug_assert!(before.is_none(), "{id} has two slots");
        self.longest = self.longest.max(longest);
        self.recent = Some((id, slot));
    }

    /// Replaces the attributes of an element that is there; returns its home so far.
    pub(super) fn renew(&mut self, slot: Slot, element: PoolElement, said: Said) -> RegistrarId {
        let as_before = || self.at(slot).is_some_and(|kept| kept.policy == element.policy);
        if said == Said::ByElement || !as_before() {
            self.selection.insert(slot, &element.policy);
        }
        self.longest = self.longest.max(octets_for_users(&element));
        self.recent = Some((element.id, slot));
        let Some(kept) = self.elements.get_mut(slot) else {
            debug_assert!(false, "{} has no slot", element.id);
            return element.home;
        };
        debug_assert_eq!(kept.id, element.id, "another element has the slot");
        let before = kept.home;
        *kept = element;
        before
    }

    /// Strikes an element off the list and out of the selection; it stays in its slot until `take`.
    pub(super) fn strike(&mut self, element: ElementId) -> Option<Slot> {
        let slot = self.slots.remove(&element)?;
        self.recent = None;
        self.selection.remove(slot);
        Some(slot)
    }

    /// Takes an element out that was struck off.
    pub(super) fn take(&mut self, slot: Slot) -> Option<PoolElement> {
        self.elements.remove(slot)
    }

    /// Where an element is kept.
    pub(super) fn slot(&self, element: ElementId) -> Option<Slot> {
        match self.recent {
            Some((recent, slot)) if recent == element => Some(slot),
            _ => self.slots.get(&element).copied(),
        }
    }

    /// The element that is kept there.
    pub(super) fn at(&self, slot: Slot) -> Option<&PoolElement> {
        self.elements.get(slot)
    }

    /// Selects up to `count` elements, with the overall policy.
    pub(super) fn select<'a>(
        &'a mut self,
        count: usize,
        random: &mut Random,
        slots: &'a mut Vec<Slot>,
    ) -> (&'a Policy, Selected<'a>) {
        slots.clear();
        self.selection.select(random, count, slots);
        if matches!(self.selection, Selection::Custom(_)) {
            self.keep_promises(count, slots);
        }
        (&self.policy, Selected { elements: &self.elements, slots: slots.iter() })
    }

    /// Holds a policy of the application to what RFC 5356 demands of all: elements of the pool, no
    /// more than were asked for, none twice.
    fn keep_promises(&self, count: usize, slots: &mut Vec<Slot>) {
        let is_here = |slot| self.at(slot).is_some_and(|element| self.slot(element.id) == Some(slot));
        slots.truncate(count);
        let mut kept = 0;
        for at in 0..slots.len() {
            let slot = slots[at];
            if is_here(slot) && !slots[..kept].contains(&slot) {
                slots[kept] = slot;
                kept += 1;
            }
        }
        slots.truncate(kept);
    }

    /// Whether this is its handle. Handles are short: word by word is faster than a call.
    pub(super) fn is(&self, handle: &PoolHandle) -> bool {
        let (own, other) = (self.handle.as_bytes(), handle.as_bytes());
        let ((own_words, own_rest), (words, rest)) = (own.as_chunks::<8>(), other.as_chunks::<8>());
        own.len() == other.len() && own_words.iter().eq(words) && own_rest.iter().eq(rest)
    }

    /// The pool handle.
    pub const fn handle(&self) -> &PoolHandle {
        &self.handle
    }

    /// The attributes of an element of the pool.
    pub fn get(&self, element: ElementId) -> Option<&PoolElement> {
        self.at(self.slot(element)?)
    }

    /// How many of its elements certainly fit into one answer to a user.
    pub(crate) fn room_in_answer(&self) -> usize {
        room_for_elements(&self.handle, &self.policy, self.longest)
    }

    /// The elements behind `after`, in the order of their identifiers.
    pub fn elements_after(&self, after: Option<ElementId>) -> impl Iterator<Item = &PoolElement> {
        let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.slots.range((begin, Bound::Unbounded)).filter_map(|(_, slot)| self.at(*slot))
    }

    /// The overall policy, as the pool's first element brought it.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether the last element is being removed, and the pool with it.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

/// The elements of one selection, the preferred one first.
#[derive(Clone, Debug)]
pub struct Selected<'a> {
    elements: &'a Slab,
    slots: core::slice::Iter<'a, Slot>,
}

impl<'a> Iterator for Selected<'a> {
    type Item = &'a PoolElement;

    fn next(&mut self) -> Option<Self::Item> {
        self.elements.get(*self.slots.next()?)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.slots.size_hint()
    }
}

impl ExactSizeIterator for Selected<'_> {}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("policy", &self.policy).field("elements", &self.elements).finish()
    }
}
