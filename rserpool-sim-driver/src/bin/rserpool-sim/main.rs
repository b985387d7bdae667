//! `rserpool-sim`: explores simulated worlds, and repeats one.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use rserpool_sim_driver::TraceMode;
use rserpool_sim_driver::explore::{Plan, RunOptions, shrink};

/// Simulated worlds of registrars, elements and users that hunt for bugs.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the worlds of many seeds; ends with status 1 if one violates an invariant.
    Explore {
        /// The seeds, as A..B (B not included).
        #[arg(long, value_parser = parse_seeds, default_value = "0..2000")]
        seeds: (u64, u64),
        /// Stop after so many minutes.
        #[arg(long)]
        minutes: Option<f64>,
        /// Threads.
        #[arg(long, default_value_t = default_jobs())]
        jobs: usize,
        /// Go on after a violation, and list them all.
        #[arg(long)]
        keep_going: bool,
    },
    /// Runs the world of one seed.
    Replay {
        /// The seed.
        #[arg(long)]
        seed: u64,
        /// Only these faults of its plan, by their numbers, separated by commas; empty for none.
        #[arg(long, value_parser = parse_faults)]
        faults: Option<Faults>,
        /// Write the trace to this file.
        #[arg(long)]
        trace: Option<PathBuf>,
        /// Write all messages to this file, for Wireshark.
        #[arg(long)]
        pcap: Option<PathBuf>,
    },
}

/// Numbers of faults.
#[derive(Clone)]
struct Faults(Vec<usize>);

fn parse_seeds(text: &str) -> Result<(u64, u64), String> {
    let (first, end) = text.split_once("..").ok_or("write the seeds as A..B")?;
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text:?}: {error}"));
    Ok((number(first)?, number(end)?))
}

fn parse_faults(text: &str) -> Result<Faults, String> {
    let numbers = text.split(',').filter(|text| !text.is_empty());
    let numbers: Result<_, _> =
        numbers.map(|text| text.parse().map_err(|error| format!("{error}"))).collect();
    Ok(Faults(numbers?))
}

fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Explore { seeds, minutes, jobs, keep_going } => explore(seeds, minutes, jobs, keep_going),
        Command::Replay { seed, faults, trace, pcap } => replay(seed, faults, trace, pcap),
    }
}

fn explore((first, end): (u64, u64), minutes: Option<f64>, jobs: usize, keep_going: bool) -> ExitCode {
    let limit = minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0));
    let progress = ProgressBar::new(end.saturating_sub(first));
    let style = "{elapsed_precise} [{bar:40}] {pos}/{len} seeds, {per_sec}, {msg}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(style) {
        progress.set_style(style);
    }
    progress.set_message("0 violations");
    let (next, stop) = (AtomicU64::new(first), AtomicBool::new(false));
    let totals = Mutex::new((0u64, Duration::ZERO, Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) && limit.is_none_or(|limit| progress.elapsed() < limit) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        break;
                    }
                    let outcome = run_caught(seed);
                    let Ok(mut totals) = totals.lock() else { break };
                    match outcome {
                        Ok((steps, simulated, None)) => {
                            totals.0 += steps;
                            totals.1 += simulated;
                        }
                        Ok((_, _, Some(violation))) | Err(violation) => {
                            progress.suspend(|| eprintln!("seed {seed}: {violation}"));
                            totals.2.push(seed);
                            progress.set_message(format!("{} violations", totals.2.len()));
                            stop.fetch_or(!keep_going, Ordering::Relaxed);
                        }
                    }
                    progress.inc(1);
                }
            });
        }
    });
    let (elapsed, seeds) = (progress.elapsed(), progress.position());
    progress.finish_and_clear();
    let Ok((steps, simulated, mut failed)) = totals.into_inner() else { return ExitCode::FAILURE };
    println!(
        "{} seeds in {:.1} s: {:.0} seeds/s, {:.0} events/s, {:.0} simulated seconds per second",
        seeds,
        elapsed.as_secs_f64(),
        seeds as f64 / elapsed.as_secs_f64(),
        steps as f64 / elapsed.as_secs_f64(),
        simulated.as_secs_f64() / elapsed.as_secs_f64(),
    );
    failed.sort_unstable();
    let Some(seed) = failed.first() else { return ExitCode::SUCCESS };
    println!("violations with seeds {failed:?}");
    explain(*seed);
    ExitCode::FAILURE
}

/// Runs a seed; a panic of a state machine is a violation too.
fn run_caught(seed: u64) -> Result<(u64, Duration, Option<String>), String> {
    std::panic::catch_unwind(|| {
        let outcome = Plan::draw(seed).run(RunOptions::default());
        (outcome.steps, outcome.simulated, outcome.violation.map(|violation| violation.to_string()))
    })
    .map_err(|panic| match panic.downcast_ref::<String>() {
        Some(text) => format!("panic: {text}"),
        None => "panic".into(),
    })
}

/// Shrinks the plan of a seed that fails, and tells how to repeat it.
fn explain(seed: u64) {
    let plan = Plan::draw(seed);
    let options = RunOptions { trace: TraceMode::Last(60), ..RunOptions::default() };
    let Some(violation) = plan.run(options).violation else { return };
    let small = shrink(&plan, &violation);
    let outcome = small.run(options);
    println!("\nseed {seed}: {}\n", outcome.violation.unwrap_or(violation));
    for line in outcome.world.trace().lines() {
        println!("{line}");
    }
    println!("\n{} of {} faults are needed:", small.fault_numbers().len(), plan.faults.len());
    for number in small.fault_numbers() {
        println!("  {number}: {:?}", small.faults[number]);
    }
    let faults: Vec<String> = small.fault_numbers().iter().map(ToString::to_string).collect();
    println!("\nrepeat it with\n  rserpool-sim replay --seed {seed} --faults {:?}", faults.join(","));
}

fn replay(seed: u64, faults: Option<Faults>, trace: Option<PathBuf>, pcap: Option<PathBuf>) -> ExitCode {
    let plan = Plan::draw(seed);
    let plan = faults.map_or_else(|| plan.clone(), |faults| plan.only(&faults.0));
    let mode = if trace.is_some() { TraceMode::Text } else { TraceMode::Last(60) };
    let mut outcome = plan.run(RunOptions { trace: mode, capture: pcap.is_some() });
    println!(
        "{} registrars, {} elements, {} users, {} faults: {} events in {:.1} simulated seconds, hash {:016x}",
        plan.registrars.len(),
        plan.elements.len(),
        plan.users.len(),
        plan.fault_numbers().len(),
        outcome.steps,
        outcome.simulated.as_secs_f64(),
        outcome.hash,
    );
    for number in plan.fault_numbers() {
        println!("  fault {number}: {:?}", plan.faults[number]);
    }
    let files =
        [(trace, Some(outcome.world.trace().text().into_bytes())), (pcap, outcome.world.take_capture())];
    for (path, content) in files {
        if let (Some(path), Some(content)) = (path, content)
            && let Err(error) = std::fs::write(&path, content)
        {
            eprintln!("cannot write {}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    match outcome.violation {
        None => {
            println!("no violation");
            ExitCode::SUCCESS
        }
        Some(violation) => {
            outcome.world.trace().lines().for_each(|line| println!("{line}"));
            println!("violation of {violation}");
            ExitCode::FAILURE
        }
    }
}
