//! Exploration: worlds that are drawn from a seed, with faults, and judged.
//!
//! [`Plan::draw`] draws topology, timers, load and faults; [`Plan::run`] lets the world go through
//! the faults, heals it, lets it come to rest and judges what is left; [`shrink`] removes the
//! faults that a violation does not need.

mod drawing;
mod plan;
mod run;
mod verdict;

pub use plan::{ElementPlan, Plan, RegistrarPlan, UserPlan};
pub use run::{Outcome, RunOptions, shrink};
