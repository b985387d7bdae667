//! `rserpool-sim`: explores simulated worlds, repeats one, and measures.

mod bench;
mod caught;
mod explore;
mod replay;
mod study;
mod survey;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rserpool_sim_driver::Mode;

/// Simulated worlds of registrars, elements and users: they hunt for bugs, and answer questions by experiments.
///
/// Exits with 0 for success, 1 if something failed or was violated, 64 for bad usage or configuration.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the worlds of many seeds; ends with status 1 if one violates an invariant.
    Explore(explore::Arguments),
    /// Runs the world of one plan, or of one seed.
    Replay(replay::Arguments),
    /// Repeats the failover paper, and says which of its claims hold.
    Paper(study::PaperArguments),
    /// Runs an experiment from a TOML file.
    Run(study::RunArguments),
    /// Joins parts of a sweep that were run with --shard.
    Merge(study::MergeArguments),
    /// Makes one page of HTML of a study that was run.
    Report(study::ReportArguments),
    /// Measures how fast worlds are.
    Bench {
        /// Seconds for each of the measurements.
        #[arg(long, default_value_t = 10.0)]
        seconds: f64,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

const fn mode(packets: bool) -> Mode {
    if packets { Mode::Packets } else { Mode::Messages }
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help goes to the standard output and is no mistake.
            let code = if error.use_stderr() { 64 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    match arguments.command {
        Command::Explore(arguments) => explore::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Paper(arguments) => study::paper(&arguments),
        Command::Run(arguments) => study::run(&arguments),
        Command::Merge(arguments) => study::merge(&arguments),
        Command::Report(arguments) => study::report(&arguments),
        Command::Bench { seconds, json } => bench::run(seconds, json),
    }
}
