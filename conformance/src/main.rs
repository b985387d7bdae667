//! The checks that are programs; see README.md.
//!
//! * `coverage [--json]`: which tests check which requirement;
//! * `transport [--backend NAME] [--peer NAME] [--row NAME] [--json]`: the transport table;
//! * `throughput [--json]`: how fast messages travel;
//! * `sessions [--kills N] [--sessions N] [--json]`: what sessions keep while their elements are killed, and what they cost.
//!
//! Each ends with 1 if something is not as it should be.

use std::process::ExitCode;

use conformance::coverage::{coverage, json, requirements, scan, table};
#[cfg(all(feature = "scenarios", feature = "throughput"))]
use conformance::sessions;
#[cfg(feature = "throughput")]
use conformance::throughput;
use conformance::transport;

const USAGE: &str = "usage: conformance coverage [--json]
       conformance transport [--backend sctp-proto|dcsctp] [--peer own|crafted|usrsctp|linux] [--row NAME] [--json]
       conformance throughput [--json]
       conformance sessions [--kills 100] [--sessions 1000] [--json]
--backend, --peer and --row may be repeated; a row may be given by the beginning of its name.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["coverage"] => show_coverage(false),
        ["coverage", "--json"] => show_coverage(true),
        ["transport", ref rest @ ..] => match options(rest) {
            Some(options) => transport::run(&options),
            None => usage(),
        },
        #[cfg(feature = "throughput")]
        ["throughput"] => throughput::run(false),
        #[cfg(feature = "throughput")]
        ["throughput", "--json"] => throughput::run(true),
        #[cfg(all(feature = "scenarios", feature = "throughput"))]
        ["sessions", ref rest @ ..] => session_options(rest).map_or_else(usage, sessions::run),
        // What `sessions` starts.
        #[cfg(all(feature = "scenarios", feature = "throughput"))]
        ["sessions-element", registrar, id, record] => sessions::element(registrar, id, record),
        // What `transport` starts for each cell.
        ["transport-cell", backend, peer, row] => transport::cell(backend, peer, row),
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(64)
}

fn options(mut words: &[&str]) -> Option<transport::Options> {
    let mut options = transport::Options::default();
    while let [word, rest @ ..] = words {
        words = rest;
        let list = match *word {
            "--json" => {
                options.json = true;
                continue;
            }
            "--lines" => {
                options.lines = true;
                continue;
            }
            "--backend" => &mut options.backends,
            "--peer" => &mut options.peers,
            "--row" => &mut options.rows,
            _ => return None,
        };
        let (value, rest) = words.split_first()?;
        list.push((*value).to_string());
        words = rest;
    }
    Some(options)
}

#[cfg(all(feature = "scenarios", feature = "throughput"))]
fn session_options(mut words: &[&str]) -> Option<sessions::Options> {
    let mut options = sessions::Options::default();
    while let [word, rest @ ..] = words {
        words = rest;
        let number = match *word {
            "--json" => {
                options.json = true;
                continue;
            }
            "--kills" => &mut options.kills,
            "--sessions" => &mut options.sessions,
            _ => return None,
        };
        let (value, rest) = words.split_first()?;
        *number = value.parse().ok().filter(|number| *number > 0)?;
        words = rest;
    }
    Some(options)
}

fn show_coverage(as_json: bool) -> ExitCode {
    let coverage = coverage(requirements(), &scan::workspace());
    if as_json {
        println!("{:#}", json(&coverage));
    } else {
        print!("{}", table(&coverage));
    }
    for problem in &coverage.problems {
        eprintln!("{problem}");
    }
    if coverage.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
