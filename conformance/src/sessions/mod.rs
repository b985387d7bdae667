//! What sessions keep while their elements are killed, and what they cost: the `fast` preset, on loopback.

mod cookies;
mod crowd;
mod element;
mod killed;
mod pace;
mod stage;

use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use killed::Calls;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How often an element is killed; 100 calls are made for each.
    pub kills: usize,
    /// How many sessions have one element.
    pub sessions: usize,
    /// One JSON document instead of tables.
    pub json: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { kills: 100, sessions: 1_000, json: false }
    }
}

/// Measures, shows, and fails if something was lost, done twice that must not be, or went back.
pub fn run(options: Options) -> ExitCode {
    match runtime().and_then(|runtime| runtime.block_on(measure(options))) {
        Ok(report) => {
            if options.json {
                println!("{report:#}");
            } else {
                print!("{}", text(&report));
            }
            let wrong = wrong(&report);
            wrong.iter().for_each(|wrong| eprintln!("WRONG: {wrong}"));
            if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The element, which `run` starts as a process of its own.
pub fn element(registrar: &str, id: &str, record: &str) -> ExitCode {
    match runtime().and_then(|runtime| runtime.block_on(element::serve(registrar, id, record))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("element {id}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// Each part, with what else the machine had to do: the runnable processes of the last minute, before it and after it.
async fn measure(options: Options) -> Result<Value, Error> {
    let mut report = json!({ "cores": std::thread::available_parallelism()?.get() });
    let mut add = |name: &str, begin: f64, figures: Value| {
        eprintln!("{name}: done");
        report[name] = json!({ "load_before": begin, "load_after": load(), "figures": figures });
    };
    // First, because it looks at the memory of this process.
    let begin = load();
    add("crowd", begin, crowd::measure(options.sessions).await?);
    let begin = load();
    add("cookies", begin, tokio::task::spawn_blocking(cookies::measure).await??);
    let begin = load();
    add("pace", begin, pace::measure().await?);
    let begin = load();
    let [again, at_most_once, counted] = Calls::ALL;
    let (again, at_most_once, counted) = tokio::join!(
        killed::measure(again, options.kills),
        killed::measure(at_most_once, options.kills),
        killed::measure(counted, options.kills)
    );
    add("killed", begin, json!([again?, at_most_once?, counted?]));
    Ok(report)
}

/// What must not be.
fn wrong(report: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for figures in report["killed"]["figures"].as_array().into_iter().flatten() {
        let must_not = ["lost", "answered_twice", "went_back", "skipped"].into_iter();
        let at_most_once = figures["calls"] == Calls::AtMostOnce.name();
        for key in must_not.chain(at_most_once.then_some("executed_twice")) {
            if figures[key] != 0 {
                wrong.push(format!("{}: {key} {}", figures["calls"], figures[key]));
            }
        }
    }
    wrong
}

fn text(report: &Value) -> String {
    let mut text = format!("{} cores\n", report["cores"]);
    for part in ["killed", "crowd", "cookies", "pace"] {
        let (before, after) = (&report[part]["load_before"], &report[part]["load_after"]);
        text += &format!("\n{part} (load {before} before, {after} after)\n");
        let figures = &report[part]["figures"];
        for line in figures.as_array().cloned().unwrap_or_else(|| vec![figures.clone()]) {
            let words = line.as_object().into_iter().flatten();
            let words: Vec<String> =
                words.map(|(name, value)| format!("{} {value}", name.replace('_', " "))).collect();
            text += &format!("  {}\n", words.join(", "));
        }
    }
    text
}

/// The load of the last minute.
fn load() -> f64 {
    let loads = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    loads.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or_default()
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e4).round() / 10.0
}

fn us(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e7).round() / 10.0
}
