//! The order in which a pool's elements are selected (RFC 5356).
//!
//! A [`Selection`] knows elements by their [`Slot`] in the pool and holds what its policy must
//! remember of each, nothing more. Registrars and the cache of pool users run the very same code.
//! Built-in policies are variants of an enum, because a selection costs tens of nanoseconds and an
//! indirection would show; [`Policies`] adds those of an application.
//!
//! There are three of them, because the policies of the RFC are special cases of each other:
//! [`Ring`] for round robin; [`Ranked`] for all that list the best first (weighted round robin is one
//! of them: the best is whose turn is the nearest); [`Lottery`] for all random ones.

mod distance;
mod lottery;
mod order;
mod policies;
mod ranked;
mod ring;
mod terms;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

pub use distance::distance;
pub use lottery::Lottery;
pub use policies::{Counting, NotPrivate, Policies};
pub use ranked::Ranked;
pub use ring::Ring;

use crate::base::Random;
use crate::wire::Policy;
use terms::Terms;

/// The number of an element within its pool. Numbers are dense and used again: they stay below the
/// largest number of elements that the pool has had, so that arrays can be indexed by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

impl Slot {
    /// The number as an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What a policy does. An application implements it for a policy of its own, see [`Policies`].
pub trait SelectionPolicy: fmt::Debug + Send {
    /// Adds an element, or takes over the new values of one that is there.
    fn insert(&mut self, slot: Slot, values: &Policy);

    /// Removes an element, if it is there.
    fn remove(&mut self, slot: Slot);

    /// Appends up to `count` different elements to `selected`, the preferred one first, and moves
    /// on as the policy demands of one selection.
    fn select(&mut self, random: &mut Random, count: usize, selected: &mut Vec<Slot>);
}

/// The elements of one pool in the keeping of its policy.
#[derive(Debug)]
pub enum Selection {
    /// Round Robin (RFC 5356 section 4.1).
    Ring(Ring),
    /// Weighted Round Robin, Priority, Least Used and its forms.
    Ranked(Ranked),
    /// Random, Weighted Random, Randomized Least Used and its forms.
    Lottery(Lottery),
    /// A policy of the application.
    Custom(Box<dyn SelectionPolicy>),
}

impl Selection {
    /// The built-in selection for the policy that `values` belong to; `None` if there is none.
    pub fn built_in(values: &Policy, counting: Counting) -> Option<Self> {
        Some(match Terms::of(values)? {
            Terms::Turn => Self::Ring(Ring::default()),
            Terms::Rounds { .. } => Self::Ranked(Ranked::by_rounds()),
            Terms::Rank { degradation: None, .. } => Self::Ranked(Ranked::by_value(Counting::First)),
            Terms::Rank { degradation: Some(_), .. } => Self::Ranked(Ranked::by_value(counting)),
            Terms::Share { .. } => Self::Lottery(Lottery::new(counting)),
        })
    }
}

impl SelectionPolicy for Selection {
    fn insert(&mut self, slot: Slot, values: &Policy) {
        match self {
            Self::Ring(ring) => ring.insert(slot, values),
            Self::Ranked(ranked) => ranked.insert(slot, values),
            Self::Lottery(lottery) => lottery.insert(slot, values),
            Self::Custom(custom) => custom.insert(slot, values),
        }
    }

    fn remove(&mut self, slot: Slot) {
        match self {
            Self::Ring(ring) => ring.remove(slot),
            Self::Ranked(ranked) => ranked.remove(slot),
            Self::Lottery(lottery) => lottery.remove(slot),
            Self::Custom(custom) => custom.remove(slot),
        }
    }

    fn select(&mut self, random: &mut Random, count: usize, selected: &mut Vec<Slot>) {
        match self {
            Self::Ring(ring) => ring.select(random, count, selected),
            Self::Ranked(ranked) => ranked.select(random, count, selected),
            Self::Lottery(lottery) => lottery.select(random, count, selected),
            Self::Custom(custom) => custom.select(random, count, selected),
        }
    }
}
