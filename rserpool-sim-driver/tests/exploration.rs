//! Drawn worlds: a few new ones, those that have found bugs, and that every run can be repeated.
//!
//! `cargo run --release -p rserpool-sim-driver -- explore` looks at many more.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use rserpool_sim_driver::explore::{Plan, RunOptions};
use rserpool_sim_driver::{Mode, TraceMode};

/// Runs the world of a seed.
fn assert_seed_is_sound(seed: u64, mode: Mode) {
    let options = RunOptions { mode, ..RunOptions::default() };
    if let Some(violation) = Plan::draw(seed).run(options).violation {
        let packets = if mode == Mode::Packets { " --packets" } else { "" };
        panic!("{violation}\nrepeat it with\n  rserpool-sim replay{packets} --seed {seed}");
    }
}

#[test]
fn a_few_worlds_are_sound() {
    (0..15).for_each(|seed| assert_seed_is_sound(seed, Mode::Messages));
}

/// The worlds of the seeds in `RSERPOOL_SIM_SEEDS`, written A..B: for `mutants.sh`.
#[test]
#[ignore = "only where many worlds are asked for, by RSERPOOL_SIM_SEEDS=0..200"]
fn many_worlds_are_sound() {
    let seeds = std::env::var("RSERPOOL_SIM_SEEDS").unwrap_or_else(|_| "0..200".into());
    let range = seeds.split_once("..").and_then(|(a, b)| Some(a.parse().ok()?..b.parse().ok()?));
    let range: std::ops::Range<u64> = range.expect("RSERPOOL_SIM_SEEDS is written A..B");
    range.for_each(|seed| assert_seed_is_sound(seed, Mode::Messages));
}

#[test]
fn a_few_worlds_of_packets_are_sound() {
    let small = |seed: &u64| {
        let plan = Plan::draw(*seed);
        plan.registrars.len() > 1 && plan.elements.len() + plan.users.len() < 10
    };
    (0..).filter(small).take(4).for_each(|seed| assert_seed_is_sound(seed, Mode::Packets));
}

/// Every plan in `tests/plans`; the comments there say what it has found.
#[test]
fn worlds_that_have_found_bugs_are_sound() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plans");
    let files = std::fs::read_dir(&folder).expect("the plans can be read");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    assert!(paths.len() >= 34, "{} plans", paths.len());
    // Two at a time: the other tests here are over long before.
    let paths = &Mutex::new(paths.into_iter());
    let next = || paths.lock().expect("no panic while it is locked").next();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| std::iter::from_fn(next).for_each(|path| assert_plan_is_sound(&path)));
        }
    });
}

fn assert_plan_is_sound(path: &Path) {
    let text = std::fs::read_to_string(path).expect("the plan can be read");
    let plan: Plan = text.parse().unwrap_or_else(|error| panic!("{}, {error}", path.display()));
    if let Some(violation) = plan.run(RunOptions::default()).violation {
        panic!("{violation}\nrepeat it with\n  rserpool-sim replay {}", path.display());
    }
}

#[test]
fn every_run_twice_gives_the_same_trace() {
    let hash =
        |seed, mode, trace| Plan::draw(seed).run(RunOptions { mode, trace, ..RunOptions::default() }).hash;
    for seed in 100..108 {
        let twice = [TraceMode::Hash, TraceMode::Last(10)].map(|trace| hash(seed, Mode::Messages, trace));
        assert_eq!(twice[0], twice[1], "seed {seed}");
    }
}

/// The frames of a capture, as the Wireshark on this machine reads them; `None` if there is none.
fn frames(name: &str, mode: Mode, fields: &[&str]) -> Option<Vec<String>> {
    let plan = (0..).map(Plan::draw).find(|plan| plan.elements.len() > 2 && plan.users.len() > 1);
    let mut outcome = plan.expect("a plan").run(RunOptions { mode, capture: true, ..RunOptions::default() });
    let capture = outcome.world.take_capture().expect("a capture");
    assert_eq!(capture.get(..4), Some(&[0x0a, 0x0d, 0x0d, 0x0a][..]));
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, capture).expect("the capture can be written");
    let mut tshark = Command::new("tshark");
    tshark.args(["-o", "sctp.checksum:CRC 32c", "-T", "fields", "-r"]).arg(&path);
    let Ok(output) = tshark.args(fields.iter().flat_map(|field| ["-e", field])).output() else {
        eprintln!("skipped: tshark is not installed, and the capture is not judged");
        return None;
    };
    let frames: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(Into::into).collect();
    assert!(frames.len() > 100, "{}", String::from_utf8_lossy(&output.stderr));
    Some(frames)
}

#[test]
fn a_capture_holds_every_message_and_wireshark_reads_it() {
    let fields = ["_ws.malformed", "sctp.checksum.status", "ip.version"];
    let Some(frames) = frames("messages.pcapng", Mode::Messages, &fields) else { return };
    assert_eq!(frames.iter().find(|line| *line != "\t1\t4"), None, "malformed, or a bad checksum");
}

#[test]
fn a_capture_of_whole_nodes_holds_real_packets() {
    let fields = ["_ws.malformed", "sctp.checksum.status", "udp.port", "sctp.chunk_type"];
    let Some(frames) = frames("packets.pcapng", Mode::Packets, &fields) else { return };
    let sound = |line: &&String| line.starts_with("\t1\t9899,9899\t");
    assert_eq!(frames.iter().find(|line| !sound(line)), None, "malformed, or a bad checksum");
    // DATA, SACK, INIT, COOKIE ECHO.
    for kind in ["0", "3", "1", "10"] {
        let has = |line: &&String| {
            line.rsplit('\t').next().is_some_and(|kinds| kinds.split(',').any(|k| k == kind))
        };
        assert!(frames.iter().any(|line| has(&line)), "no chunk of type {kind}");
    }
}
