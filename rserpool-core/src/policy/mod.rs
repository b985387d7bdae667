//! The order in which a pool's elements are selected (RFC 5356).
//!
//! A [`Selection`] identifies elements by their [`Slot`] in the pool, and keeps only what its policy must
//! remember of each. Registrars and the cache of pool users run the same code; a user begins where the list of
//! its registrar begins. Built-in policies are
//! variants of an enum, because a selection takes tens of nanoseconds and an indirection would be
//! noticeable; [`Policies`] adds those of an application.
//!
//! Three structures are enough, because the policies of the RFC are special cases of each other: [`Ring`]
//! for round robin; [`Ranked`] for all that list the best element first (in weighted round robin, the best
//! is the one whose turn is next); [`Lottery`] for all random ones.

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

/// The number of an element within its pool. Numbers are dense and reused: they stay below the largest
/// number of elements that the pool has ever had, so they can index arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

impl Slot {
    /// The number as an index into an array.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Selects elements by one policy. An application implements this trait for a policy of its own, see
/// [`Policies`].
pub trait SelectionPolicy: fmt::Debug + Send {
    /// Adds an element. If it is there already, `values` replace its values.
    fn insert(&mut self, slot: Slot, values: &Policy);

    /// Removes an element, if it is there.
    fn remove(&mut self, slot: Slot);

    /// Makes one selection: appends up to `count` different elements to `selected`, the preferred one
    /// first, and updates what the policy remembers of selections.
    fn select(&mut self, random: &mut Random, count: usize, selected: &mut Vec<Slot>);
}

/// The elements of one pool, ordered by its policy.
#[derive(Debug)]
pub enum Selection {
    /// Round Robin (RFC 5356 section 4.1).
    Ring(Ring),
    /// Weighted Round Robin, Priority, Least Used and its forms.
    Ranked(Ranked),
    /// Random, Weighted Random, Randomized Least Used and its forms.
    Lottery(Lottery),
    /// A policy that the application has added to [`Policies`].
    Custom(Box<dyn SelectionPolicy>),
}

impl Selection {
    /// The built-in selection for the policy to which `values` belong; `None` if it is not built in.
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

impl Selection {
    /// Adds an element of a list that a registrar has sorted, after those that stand before it in the list.
    pub(crate) fn append(&mut self, slot: Slot, values: &Policy) {
        match self {
            Self::Ranked(ranked) => ranked.append(slot, values),
            Self::Ring(_) | Self::Lottery(_) | Self::Custom(_) => self.insert(slot, values),
        }
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
