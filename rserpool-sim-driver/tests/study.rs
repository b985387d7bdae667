//! The program `rserpool-sim` with studies: the same files from the same run, parts, and what is wrong in one line.
#![cfg(feature = "cli")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use rserpool_sim_driver::study::{self, PaperOptions, Scenario, Shard, Verdict};
use tempfile::TempDir;

#[path = "../../rserpool/tests/support/schema.rs"]
mod schema;

const EXPERIMENT: &str = r#"title = "A small one"
seeds = 2

[scenario]
duration_s = 20
users = 6
availability = 0.8
downtime_s = 5

[sweep]
policy = ["LeastUsed", "Random"]
max_jobs = [2, 4]
"#;

fn sim(directory: &Path, arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_rserpool-sim");
    Command::new(program).args(arguments).current_dir(directory).output().expect("the program runs")
}

fn succeed(directory: &Path, arguments: &[&str]) {
    let output = sim(directory, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A directory with an experiment in it.
fn directory() -> TempDir {
    let directory = TempDir::new().expect("a directory");
    std::fs::write(directory.path().join("small.toml"), EXPERIMENT).expect("it is written");
    directory
}

fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(directory).expect("it is a directory");
    entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read(&path).expect("a file"))
        })
        .collect()
}

#[test]
fn whole_interrupted_or_in_parts_a_study_gives_the_same_files() {
    let directory = directory();
    let at = directory.path();
    succeed(at, &["run", "small.toml", "--out", "whole"]);
    let whole = files(&at.join("whole"));
    let names: Vec<&str> = whole.keys().map(String::as_str).collect();
    let expected = [
        "completed-over-max-jobs.png",
        "completed-over-max-jobs.svg",
        "points.csv",
        "results.json",
        "runs.jsonl",
        "task.json",
    ];
    assert_eq!(names, expected);

    // Again, on one thread.
    succeed(at, &["run", "small.toml", "--out", "again", "--jobs", "1"]);
    assert!(files(&at.join("again")) == whole, "a run twice gives the same files");

    // Interrupted in the middle of a line: the rest is run, and nothing is run twice.
    let runs = String::from_utf8(whole["runs.jsonl"].clone()).expect("text");
    let half: String = runs.lines().take(3).map(|line| format!("{line}\n")).collect();
    std::fs::create_dir(at.join("half")).expect("it is made");
    std::fs::write(at.join("half/runs.jsonl"), format!("{half}{{\"key\":\"12")).expect("it is written");
    let output = sim(at, &["run", "small.toml", "--out", "half"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("5 runs in") && said.contains("(3 were known)"), "{said}");
    assert!(files(&at.join("half")) == whole, "an interrupted sweep gives the same files");

    // In parts.
    succeed(at, &["run", "small.toml", "--out", "one", "--shard", "1/2"]);
    let output = sim(at, &["merge", "joined", "one"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said, "rserpool-sim: 4 of 8 runs are missing: name the parts that have them\n");
    succeed(at, &["run", "small.toml", "--out", "two", "--shard", "2/2"]);
    succeed(at, &["merge", "joined", "one", "two"]);
    assert!(files(&at.join("joined")) == whole, "parts that are joined give the same files");

    // A page that needs nothing else.
    succeed(at, &["report", "whole"]);
    let page = std::fs::read_to_string(at.join("whole/report.html")).expect("a page");
    assert!(page.contains("<svg") && page.contains("rserpool-sim run small.toml"), "{page}");
    for outside in ["src=", "href=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

/// What is wrong is said in one line, and the program ends with 64.
#[test]
fn bad_input_ends_with_64() {
    let directory = directory();
    let at = directory.path();
    let write = |name: &str, content: String| std::fs::write(at.join(name), content).expect("it is written");
    write("typo.toml", EXPERIMENT.replace("max_jobs", "max_job"));
    write("impossible.toml", EXPERIMENT.replace("0.8", "1.8"));
    write("broken.toml", EXPERIMENT.replace("seeds = 2", "seeds = "));
    std::fs::create_dir(at.join("empty")).expect("it is made");
    let cases: [(&[&str], &str); 11] = [
        (&["run", "typo.toml"], "typo.toml: there is no parameter max_job; did you mean max_jobs?"),
        (&["run", "impossible.toml"], "impossible.toml: availability = 1.8: it has to be from 0.001 to 1"),
        (
            &["run", "broken.toml"],
            "broken.toml, line 2: string values must be quoted, expected literal string",
        ),
        (&["run", "absent.toml"], "absent.toml cannot be read: No such file or directory (os error 2)"),
        (&["run", "small.toml", "--seeds", "0"], "small.toml: seeds = 0: it has to be from 1 to 100000"),
        (&["run", "small.toml", "--jobs", "0"], "jobs = 0: at least one is needed"),
        (&["paper", "--seeds", "0"], "seeds = 0: it has to be from 1 to 100000"),
        (&["paper", "--figure", "4"], "there is no figure 4: choose among 5, 6 and 7"),
        (&["report", "empty"], "empty/results.json cannot be read: No such file or directory (os error 2)"),
        (
            &["merge", "joined", "empty"],
            "empty is not part of a study: task.json cannot be read: No such file or directory (os error 2)",
        ),
        (
            &["merge", "joined", "absent"],
            "absent is not part of a study: task.json cannot be read: No such file or directory (os error 2)",
        ),
    ];
    for (arguments, expected) in cases {
        let output = sim(at, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said, format!("rserpool-sim: {expected}\n"), "{arguments:?}");
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
    }
    for arguments in
        [&["paper", "--profile", "mine"][..], &["run"], &["run", "small.toml", "--shard", "3/2"], &["dance"]]
    {
        let output = sim(at, arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

/// The disk is full: what was there stays, and nothing half-written is left.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_in_one_line() {
    let directory = directory();
    let at = directory.path();
    std::fs::create_dir(at.join("full")).expect("it is made");
    std::os::unix::fs::symlink("/dev/full", at.join("full/points.csv.part")).expect("a link");
    let output = sim(at, &["run", "small.toml", "--out", "full"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        said,
        "rserpool-sim: full/points.csv cannot be written: No space left on device (os error 28)\n"
    );
    assert_eq!(output.status.code(), Some(1));
}

/// Two minutes of the paper: what is written is what the schemas say, and every claim is judged.
#[test]
fn the_paper_has_the_form_that_its_schemas_describe() {
    let mut options = PaperOptions::default();
    options.seeds = 2;
    let mut paper = study::paper(&options);
    paper.points.iter_mut().for_each(|point| point.scenario.duration_s = 10.0);
    let directory = TempDir::new().expect("a directory");
    let outcome = study::sweep(&paper, directory.path(), Shard::WHOLE, 2, |_| {})
        .expect("it runs")
        .expect("it is whole");
    schema::check("paper", &study::paper_points(&paper, &outcome)).expect("the points");
    schema::check("results", &study::results(&paper, &outcome)).expect("the results");
    let claims = study::judged(&paper, &outcome);
    let ids: Vec<&str> = claims.iter().map(|claim| claim.id).collect();
    let expected: Vec<String> = (1..=14).map(|n| format!("H{n}")).collect();
    assert_eq!(ids, expected);
    for claim in claims {
        assert_ne!(claim.verdict, Verdict::NotSimulated, "{claim:?}");
        assert_eq!(claim.reason.is_some(), claim.verdict == Verdict::Missed, "{claim:?}");
    }
}

/// Every experiment that comes with the simulator can be run, and the book describes every key.
#[test]
fn experiments_and_their_documentation_are_whole() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for entry in std::fs::read_dir(root.join("experiments")).expect("experiments") {
        let path = entry.expect("an entry").path();
        let study = study::experiment(&path, None).unwrap_or_else(|error| panic!("{error}"));
        assert!(!study.points.is_empty() && !study.description.is_empty(), "{path:?}");
        count += 1;
    }
    assert_eq!(count, 6);
    let book = std::fs::read_to_string(root.join("../docs/src/studies.md")).expect("the page of the book");
    for (key, _) in Scenario::KEYS.iter().chain(study::Measures::KEYS) {
        assert!(book.contains(&format!("| `{key}` |")), "docs/src/studies.md does not describe {key}");
    }
}
