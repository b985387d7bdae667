//! The order in which a pool's elements are selected (RFC 5356).
//!
//! A [`Selection`] holds identifiers and what its policy must remember of each, nothing more.
//! Registrars and the cache of pool users run the very same code. Built-in policies are variants
//! of an enum, because a selection costs tens of nanoseconds and an indirection would show.

mod random;
mod ring;

use alloc::vec::Vec;

pub use random::RandomOrder;
pub use ring::Ring;

use crate::base::{ElementId, Random};
use crate::wire::Policy;

/// What a policy does.
pub trait SelectionPolicy {
    /// Adds an element, or takes over the new values of one that is there.
    fn insert(&mut self, element: ElementId, values: &Policy);

    /// Removes an element, if it is there.
    fn remove(&mut self, element: ElementId);

    /// Appends up to `count` different elements to `selected`, the preferred one first, and moves
    /// on as the policy demands of one selection.
    fn select(&mut self, random: &mut Random, count: usize, selected: &mut Vec<ElementId>);
}

/// The elements of one pool in the keeping of its policy.
#[derive(Clone, Debug)]
pub enum Selection {
    /// Round Robin (RFC 5356 section 4.1).
    RoundRobin(Ring),
    /// Random (RFC 5356 section 4.3).
    Random(RandomOrder),
}

impl Selection {
    /// The built-in selection for the policy that `values` belong to; `None` if there is none
    /// yet.
    pub fn for_policy(values: &Policy) -> Option<Self> {
        match values {
            Policy::RoundRobin => Some(Self::RoundRobin(Ring::default())),
            Policy::Random => Some(Self::Random(RandomOrder::default())),
            _ => None,
        }
    }
}

impl SelectionPolicy for Selection {
    fn insert(&mut self, element: ElementId, values: &Policy) {
        match self {
            Self::RoundRobin(ring) => ring.insert(element, values),
            Self::Random(order) => order.insert(element, values),
        }
    }

    fn remove(&mut self, element: ElementId) {
        match self {
            Self::RoundRobin(ring) => ring.remove(element),
            Self::Random(order) => order.remove(element),
        }
    }

    fn select(&mut self, random: &mut Random, count: usize, selected: &mut Vec<ElementId>) {
        match self {
            Self::RoundRobin(ring) => ring.select(random, count, selected),
            Self::Random(order) => order.select(random, count, selected),
        }
    }
}
