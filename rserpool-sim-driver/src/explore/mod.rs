//! Exploration: worlds that are drawn from a seed, with faults, and judged.
//!
//! [`Plan::draw`] draws topology, timers, load and faults; [`Plan::run`] lets the world go through
//! the faults, heals it, lets it come to rest and judges what is left; [`shrink`] removes the
//! faults that a violation does not need. A plan that is worth keeping is kept as text ([`plan_text`]):
//! what a seed stands for may change with every version.

mod drawing;
mod plan;
pub mod plan_text;
mod run;
mod verdict;

pub use drawing::Hardship;
pub use plan::{ElementPlan, Plan, RegistrarPlan, Timers, UserPlan};
pub use plan_text::{PlanError, PlanProblem};
pub use run::{Outcome, RunOptions, shrink};
