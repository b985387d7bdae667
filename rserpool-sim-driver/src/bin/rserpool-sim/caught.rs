//! Runs of plans in which a panic is a violation too.

use std::panic::catch_unwind;

use rserpool_sim_driver::explore::{Outcome, Plan, RunOptions};

/// Why a run failed, in words.
pub(crate) type Failure = String;

/// Runs a plan. An assertion of a state machine that does not hold ends the run with its text.
pub(crate) fn run(plan: &Plan, options: RunOptions) -> Result<Outcome, Failure> {
    catch_unwind(|| plan.run(options)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        format!("panic: {}", text.unwrap_or("without a text"))
    })
}

/// What a plan fails with, if it fails: the invariant, or that it panics. Details differ from plan to plan.
pub(crate) fn kind(plan: &Plan, options: RunOptions) -> Option<&'static str> {
    match run(plan, options) {
        Ok(outcome) => outcome.violation.map(|violation| violation.invariant),
        Err(_) => Some("panic"),
    }
}
