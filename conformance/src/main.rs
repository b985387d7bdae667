//! The checks that are programs; see README.md.
//!
//! * `coverage [--json]`: which tests check which requirement;
//! * `transport [--backend NAME] [--peer NAME] [--row NAME] [--json]`: the transport table;
//! * `throughput [--json]`: how fast messages travel.
//!
//! Each ends with 1 if something is not as it should be.

use std::process::ExitCode;

use conformance::coverage::{coverage, json, requirements, scan, table};
#[cfg(feature = "throughput")]
use conformance::throughput;
use conformance::transport;

const USAGE: &str = "usage: conformance coverage [--json]
       conformance transport [--backend sctp-proto|dcsctp] [--peer own|crafted|usrsctp|linux] [--row NAME] [--json]
       conformance throughput [--json]
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
