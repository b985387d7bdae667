//! `cargo run -p conformance -- coverage [--json]`: which tests check which requirement. Ends with
//! 1 if something does not fit together.

use std::process::ExitCode;

use conformance::coverage::{coverage, json, requirements, scan, table};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let as_json = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["coverage"] => false,
        ["coverage", "--json"] => true,
        _ => {
            eprintln!("usage: conformance coverage [--json]");
            return ExitCode::from(64);
        }
    };
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
