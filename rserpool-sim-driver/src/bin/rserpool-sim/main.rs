//! `rserpool-sim`: explores simulated worlds, repeats one, and measures.

mod bench;
mod caught;
mod explore;
mod replay;
mod survey;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use rserpool_sim_driver::Mode;

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
    Explore(explore::Arguments),
    /// Runs the world of one plan, or of one seed.
    Replay(replay::Arguments),
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
    match Arguments::parse().command {
        Command::Explore(arguments) => explore::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Bench { seconds, json } => bench::run(seconds, json),
    }
}
