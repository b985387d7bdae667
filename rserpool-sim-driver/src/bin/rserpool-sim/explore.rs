//! `rserpool-sim explore`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use rserpool_sim_driver::TraceMode;
use rserpool_sim_driver::explore::{Hardship, Plan, RunOptions, shrink};

use crate::survey::{self, Survey};
use crate::{caught, replay};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The seeds, as A..B (B not included).
    #[arg(long, value_parser = parse_seeds, default_value = "0..2000")]
    seeds: (u64, u64),
    /// Stop after this many minutes.
    #[arg(long)]
    minutes: Option<f64>,
    /// Threads.
    #[arg(long, default_value_t = default_jobs())]
    jobs: usize,
    /// Go on after a violation, and list them all.
    #[arg(long)]
    keep_going: bool,
    /// Whole nodes with real SCTP packets, instead of modelled associations.
    #[arg(long)]
    packets: bool,
    /// No other hardships than these, separated by commas; empty for none.
    #[arg(long, value_delimiter = ',', num_args = 0..)]
    hardships: Option<Vec<Hardship>>,
    /// Run every N-th seed twice, and compare the traces; 0 for none.
    #[arg(long, default_value_t = 0)]
    twice: u64,
    /// Write the plan of the first seed that fails, with no more faults than it needs, to this file
    /// [default: failed-SEED.plan].
    #[arg(long)]
    save: Option<PathBuf>,
}

impl Arguments {
    fn hardships(&self) -> &[Hardship] {
        self.hardships.as_deref().unwrap_or(Hardship::ALL)
    }
}

fn parse_seeds(text: &str) -> Result<(u64, u64), String> {
    let (first, end) = text.split_once("..").ok_or("write the seeds as A..B")?;
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text:?}: {error}"));
    Ok((number(first)?, number(end)?))
}

fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let &Arguments { seeds: (first, end), minutes, jobs, keep_going, packets, twice, .. } = arguments;
    let limit = minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0));
    let progress = ProgressBar::new(end.saturating_sub(first));
    let style = "{elapsed_precise} [{bar:40}] {pos}/{len} seeds, {per_sec}, {msg}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(style) {
        progress.set_style(style);
    }
    progress.set_message("no violation");
    let hardships = arguments.hardships();
    let survey = Survey { first, end, limit, jobs, keep_going, twice, hardships, mode: crate::mode(packets) };
    let totals = survey::run(survey, |seed, violation| {
        if let Some(violation) = violation {
            progress.suspend(|| eprintln!("seed {seed}: {violation}"));
            progress.set_message("VIOLATED");
        }
        progress.inc(1);
    });
    progress.finish_and_clear();
    println!(
        "{} seeds in {:.1} s: {:.0} seeds/s, {:.0} events/s, {:.0} simulated seconds per second",
        totals.seeds,
        totals.elapsed.as_secs_f64(),
        totals.seeds_per_second(),
        totals.events_per_second(),
        totals.speed(),
    );
    let Some(seed) = totals.failed.first() else { return ExitCode::SUCCESS };
    println!("violations with seeds {:?}", totals.failed);
    explain(*seed, arguments);
    ExitCode::FAILURE
}

/// Shrinks the plan of a seed that fails, saves it, and tells how to repeat it.
fn explain(seed: u64, arguments: &Arguments) {
    let plan = Plan::draw_with(seed, arguments.hardships());
    let options = RunOptions { mode: crate::mode(arguments.packets), ..RunOptions::default() };
    let Some(kind) = caught::kind(&plan, options) else {
        println!("seed {seed} does not fail alone: its two runs differ");
        return;
    };
    println!("\nlooking for the faults that seed {seed} needs to fail ...");
    let small = shrink(&plan, |plan| caught::kind(plan, options) == Some(kind));
    let (needed, all) = (small.fault_numbers().len(), plan.faults.len());
    match caught::run(&small, RunOptions { trace: TraceMode::Last(60), ..options }) {
        Ok(outcome) => {
            outcome.world.trace().lines().for_each(|line| println!("{line}"));
            if let Some(violation) = outcome.violation {
                println!("\nviolation of {violation}");
            }
        }
        Err(failure) => println!("\n{failure}"),
    }
    println!("\n{needed} of {all} faults are needed. The plan:\n\n{small}");
    let path = arguments.save.clone().unwrap_or_else(|| format!("failed-{seed}.plan").into());
    match replay::write(&path, small.to_string().as_bytes()) {
        Ok(()) => {
            let packets = if arguments.packets { "--packets " } else { "" };
            println!("It is saved; repeat it with\n  rserpool-sim replay {packets}{}", path.display());
        }
        Err(error) => println!("{error}"),
    }
}
