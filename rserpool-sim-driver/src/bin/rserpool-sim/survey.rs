//! Many seeds on several threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rserpool_sim_driver::explore::{Hardship, Plan, RunOptions};
use rserpool_sim_driver::{Mode, TraceMode};

use crate::caught::{self, Failure};

/// Which seeds, and how.
#[derive(Clone, Copy)]
pub(crate) struct Survey<'a> {
    /// The first seed.
    pub(crate) first: u64,
    /// The seed after the last one.
    pub(crate) end: u64,
    /// When to stop.
    pub(crate) limit: Option<Duration>,
    /// Threads.
    pub(crate) jobs: usize,
    /// Whether to go on after a violation.
    pub(crate) keep_going: bool,
    /// Every `twice`-th seed is run twice; 0 for none.
    pub(crate) twice: u64,
    /// The hardships that worlds are drawn with.
    pub(crate) hardships: &'a [Hardship],
    /// How endpoints talk.
    pub(crate) mode: Mode,
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Totals {
    /// Seeds that were run.
    pub(crate) seeds: u64,
    /// Things that happened.
    pub(crate) events: u64,
    /// Time that passed in the worlds.
    pub(crate) simulated: Duration,
    /// Time that passed outside.
    pub(crate) elapsed: Duration,
    /// Seeds with a violation.
    pub(crate) failed: Vec<u64>,
}

impl Totals {
    pub(crate) fn seeds_per_second(&self) -> f64 {
        self.seeds as f64 / self.elapsed.as_secs_f64()
    }

    pub(crate) fn events_per_second(&self) -> f64 {
        self.events as f64 / self.elapsed.as_secs_f64()
    }

    /// Simulated seconds in one real second.
    pub(crate) fn speed(&self) -> f64 {
        self.simulated.as_secs_f64() / self.elapsed.as_secs_f64()
    }
}

/// Runs the seeds. `seen` is told of each, with its violation if it has one, one at a time.
pub(crate) fn run(survey: Survey<'_>, seen: impl Fn(u64, Option<&str>) + Sync) -> Totals {
    let begun = Instant::now();
    let (next, stop) = (AtomicU64::new(survey.first), AtomicBool::new(false));
    let totals = Mutex::new(Totals::default());
    let work = || {
        while !stop.load(Ordering::Relaxed) && survey.limit.is_none_or(|limit| begun.elapsed() < limit) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= survey.end {
                break;
            }
            let outcome = run_seed(seed, survey);
            let Ok(mut totals) = totals.lock() else { break };
            totals.seeds += 1;
            let violation = match outcome {
                Ok(run) => {
                    totals.events += run.events;
                    totals.simulated += run.simulated;
                    run.violation
                }
                Err(panic) => Some(panic),
            };
            if violation.is_some() {
                totals.failed.push(seed);
                stop.fetch_or(!survey.keep_going, Ordering::Relaxed);
            }
            seen(seed, violation.as_deref());
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..survey.jobs.max(1) {
            scope.spawn(work);
        }
    });
    let mut totals = totals.into_inner().unwrap_or_default();
    totals.elapsed = begun.elapsed();
    totals.failed.sort_unstable();
    totals
}

struct Run {
    events: u64,
    simulated: Duration,
    violation: Option<String>,
}

/// Runs a seed.
fn run_seed(seed: u64, survey: Survey<'_>) -> Result<Run, Failure> {
    let options = RunOptions { mode: survey.mode, ..RunOptions::default() };
    let plan = Plan::draw_with(seed, survey.hardships);
    let outcome = caught::run(&plan, options)?;
    let mut violation = outcome.violation.map(|violation| violation.to_string());
    let mut events = outcome.steps;
    if violation.is_none() && survey.twice > 0 && seed.is_multiple_of(survey.twice) {
        // Whether lines are written must make no difference either.
        let again = caught::run(&plan, RunOptions { trace: TraceMode::Last(1), ..options })?;
        events += again.steps;
        if again.hash != outcome.hash {
            violation = Some(format!(
                "every run twice gives the same trace: {:016x} and {:016x}",
                outcome.hash, again.hash
            ));
        }
    }
    Ok(Run { events, simulated: outcome.simulated, violation })
}
