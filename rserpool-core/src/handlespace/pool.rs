//! One pool: what its elements have in common, and the elements.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Bound;

use crate::base::{ElementId, Random};
use crate::policy::{Selection, SelectionPolicy};
use crate::wire::{Policy, PoolElement, Transport, TransportUse};

/// How an element differs from its pool (RFC 5352 section 3.1, rules 2 and 3). It carries what
/// the pool has, as the error causes of RFC 5354 section 3.12 want it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inconsistent {
    /// Another policy.
    #[error("the pool's policy is {}", .0.name())]
    Policy(Policy),
    /// Another transport protocol.
    #[error("the pool's transport is {:?}", .0.kind())]
    Transport(Transport),
    /// Another Transport Use.
    #[error("the pool's transport use is {0:?}")]
    Use(TransportUse),
}

/// A pool with its elements.
pub struct Pool {
    /// The policy as the first element brought it; its type is the pool's.
    policy: Policy,
    /// The first element's transport; its type and use are the pool's.
    transport: Transport,
    selection: Selection,
    elements: BTreeMap<ElementId, PoolElement>,
}

impl Pool {
    /// An empty pool that takes policy, transport and transport use from its first element;
    /// `None` if nothing selects by that policy.
    pub fn founded_by(element: &PoolElement) -> Option<Self> {
        Some(Self {
            policy: element.policy.clone(),
            transport: element.user_transport.clone(),
            selection: Selection::for_policy(&element.policy)?,
            elements: BTreeMap::new(),
        })
    }

    /// Whether an element fits.
    pub fn check(&self, element: &PoolElement) -> Result<(), Inconsistent> {
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

    /// Adds an element that fits, or replaces its attributes; returns the old ones.
    pub fn insert(&mut self, element: PoolElement) -> Option<PoolElement> {
        self.selection.insert(element.id, &element.policy);
        self.elements.insert(element.id, element)
    }

    /// Removes an element.
    pub fn remove(&mut self, element: ElementId) -> Option<PoolElement> {
        self.selection.remove(element);
        self.elements.remove(&element)
    }

    /// An element.
    pub fn get(&self, element: ElementId) -> Option<&PoolElement> {
        self.elements.get(&element)
    }

    /// The elements behind `after`, in the order of their identifiers.
    pub fn elements_after(&self, after: Option<ElementId>) -> impl Iterator<Item = &PoolElement> {
        let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.elements.range((begin, Bound::Unbounded)).map(|(_, element)| element)
    }

    /// Selects up to `count` elements, with the overall policy.
    pub fn select(&mut self, count: usize, random: &mut Random) -> (&Policy, Vec<&PoolElement>) {
        let mut selected = Vec::with_capacity(count.min(self.elements.len()));
        self.selection.select(random, count, &mut selected);
        (&self.policy, selected.iter().filter_map(|id| self.elements.get(id)).collect())
    }

    /// The overall policy.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// How many elements it has.
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// Whether it has none; then it is about to go.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("policy", &self.policy).field("elements", &self.elements).finish()
    }
}
