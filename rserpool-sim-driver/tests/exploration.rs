//! Drawn worlds: a few new ones, those that have found bugs, and that every run can be repeated.
//!
//! `cargo run --release -p rserpool-sim-driver -- explore` looks at many more.

use std::process::Command;

use rserpool_sim_driver::TraceMode;
use rserpool_sim_driver::explore::{Plan, RunOptions};

fn assert_sound(seed: u64) {
    if let Some(violation) = Plan::draw(seed).run(RunOptions::default()).violation {
        panic!("{violation}\nrepeat it with\n  rserpool-sim replay --seed {seed}");
    }
}

#[test]
fn a_few_worlds_are_sound() {
    (0..15).for_each(assert_sound);
}

#[test]
fn worlds_that_have_found_bugs_are_sound() {
    let seeds = include_str!("../regressions.txt").lines().filter(|line| !line.starts_with('#'));
    seeds.for_each(|seed| assert_sound(seed.parse().expect("one seed in each line")));
}

#[test]
fn every_run_twice_gives_the_same_trace() {
    let hash = |seed, trace| Plan::draw(seed).run(RunOptions { trace, capture: false }).hash;
    for seed in 100..108 {
        assert_eq!(hash(seed, TraceMode::Hash), hash(seed, TraceMode::Last(10)), "seed {seed}");
    }
}

#[test]
fn a_capture_holds_every_message_and_wireshark_reads_it() {
    let plan = (0..).map(Plan::draw).find(|plan| plan.elements.len() > 2 && plan.users.len() > 1);
    let mut outcome = plan.expect("a plan").run(RunOptions { trace: TraceMode::Hash, capture: true });
    let capture = outcome.world.take_capture().expect("a capture");
    assert_eq!(capture.get(..4), Some(&[0x0a, 0x0d, 0x0d, 0x0a][..]));
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("capture.pcapng");
    std::fs::write(&path, capture).expect("the capture can be written");
    let fields = ["-e", "_ws.malformed", "-e", "sctp.checksum.status", "-e", "ip.version"];
    let tshark = Command::new("tshark")
        .args(["-o", "sctp.checksum:CRC 32c", "-T", "fields", "-r"])
        .arg(&path)
        .args(fields)
        .output();
    let Ok(output) = tshark else {
        eprintln!("skipped: tshark is not installed, so nobody can judge the capture");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.lines().count() > 100, "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text.lines().find(|line| *line != "\t1\t4"), None, "malformed, or a bad checksum");
}
