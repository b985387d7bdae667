//! `rserpool-sim replay`.

use std::path::PathBuf;
use std::process::ExitCode;

use rserpool_sim_driver::explore::{Plan, RunOptions};
use rserpool_sim_driver::{Mode, TraceMode};

/// Numbers of faults.
#[derive(Clone)]
pub(crate) struct Faults(Vec<usize>);

pub(crate) fn parse_faults(text: &str) -> Result<Faults, String> {
    let numbers = text.split(',').filter(|text| !text.is_empty());
    let numbers: Result<_, _> =
        numbers.map(|text| text.parse().map_err(|error| format!("{error}"))).collect();
    Ok(Faults(numbers?))
}

pub(crate) fn run(
    seed: u64,
    faults: Option<Faults>,
    mode: Mode,
    trace: Option<PathBuf>,
    pcap: Option<PathBuf>,
) -> ExitCode {
    let plan = Plan::draw(seed);
    let plan = faults.map_or_else(|| plan.clone(), |faults| plan.only(&faults.0));
    let lines = if trace.is_some() { TraceMode::Text } else { TraceMode::Last(60) };
    let mut outcome = plan.run(RunOptions { mode, trace: lines, capture: pcap.is_some() });
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
