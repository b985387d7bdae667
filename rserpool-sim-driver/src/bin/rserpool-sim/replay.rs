//! `rserpool-sim replay`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rserpool_sim_driver::TraceMode;
use rserpool_sim_driver::explore::{Plan, RunOptions};

use crate::caught;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The file of the plan.
    #[arg(required_unless_present = "seed", conflicts_with = "seed")]
    plan: Option<PathBuf>,
    /// Draw the plan from this seed instead. What a seed stands for may change with every version.
    #[arg(long)]
    seed: Option<u64>,
    /// Only these faults of the plan, by their numbers from 0, separated by commas; empty for none.
    #[arg(long, value_parser = parse_faults)]
    faults: Option<Faults>,
    /// Whole nodes with real SCTP packets.
    #[arg(long)]
    packets: bool,
    /// Write the plan to this file.
    #[arg(long)]
    save: Option<PathBuf>,
    /// Write the trace to this file.
    #[arg(long)]
    trace: Option<PathBuf>,
    /// Write all messages to this file, for Wireshark.
    #[arg(long)]
    pcap: Option<PathBuf>,
}

/// Numbers of faults.
#[derive(Clone)]
struct Faults(Vec<usize>);

fn parse_faults(text: &str) -> Result<Faults, String> {
    let numbers = text.split(',').filter(|text| !text.is_empty());
    let numbers: Result<_, _> =
        numbers.map(|text| text.parse().map_err(|error| format!("{text:?}: {error}"))).collect();
    Ok(Faults(numbers?))
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match replay(arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the plan and tells what came of it.
fn replay(arguments: &Arguments) -> Result<ExitCode, String> {
    let plan = plan(arguments)?;
    if let Some(path) = &arguments.save {
        write(path, plan.to_string().as_bytes())?;
    }
    let trace = if arguments.trace.is_some() { TraceMode::Text } else { TraceMode::Last(60) };
    let capture = arguments.pcap.is_some();
    let mut outcome =
        caught::run(&plan, RunOptions { mode: crate::mode(arguments.packets), trace, capture })?;
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
    if let Some(path) = &arguments.trace {
        write(path, outcome.world.trace().text().as_bytes())?;
    }
    if let Some((path, capture)) = arguments.pcap.as_ref().zip(outcome.world.take_capture()) {
        write(path, &capture)?;
    }
    match outcome.violation {
        None => {
            println!("no violation");
            Ok(ExitCode::SUCCESS)
        }
        Some(violation) => {
            outcome.world.trace().lines().for_each(|line| println!("{line}"));
            println!("violation of {violation}");
            Ok(ExitCode::FAILURE)
        }
    }
}

fn plan(arguments: &Arguments) -> Result<Plan, String> {
    let plan = match (&arguments.plan, arguments.seed) {
        (Some(path), _) => {
            let text = std::fs::read_to_string(path);
            let text = text.map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
            text.parse().map_err(|error| format!("{}, {error}", path.display()))?
        }
        (None, seed) => Plan::draw(seed.unwrap_or_default()),
    };
    Ok(match &arguments.faults {
        Some(faults) => plan.only(&faults.0),
        None => plan,
    })
}

/// Writes a file.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<(), String> {
    std::fs::write(path, content).map_err(|error| format!("{} cannot be written: {error}", path.display()))
}
