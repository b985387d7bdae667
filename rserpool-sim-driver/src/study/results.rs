//! Results as files: JSON and CSV. The same study gives the same octets.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::definition::{Study, text};
use super::measures::Measures;
use super::outcome::{Outcome, mean};
use super::paper::{Claim, claims, counts};
use super::plot::draw;
use super::statistics::Mean;
use super::store::{StudyError, make_directory, replace};

/// The file with all results in a directory.
pub(super) const RESULTS: &str = "results.json";

/// Writes everything about a study into a directory: `results.json`, `points.csv`, and each chart as SVG and PNG.
///
/// # Errors
/// If a file cannot be written, or a chart not be drawn.
pub fn write_all(study: &Study, outcome: &Outcome, directory: &Path) -> Result<(), StudyError> {
    make_directory(directory)?;
    write_json(&results(study, outcome), &directory.join(RESULTS))?;
    replace(&directory.join("points.csv"), csv(study, outcome).as_bytes())?;
    study.charts.iter().try_for_each(|chart| draw(study, outcome, chart, directory))
}

/// Writes a value as JSON.
///
/// # Errors
/// If the file cannot be written.
pub fn write_json(value: &Value, path: &Path) -> Result<(), StudyError> {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    replace(path, text.as_bytes())
}

/// The claims of the paper, if the study is the paper.
pub fn judged(study: &Study, outcome: &Outcome) -> Vec<Claim> {
    if study.points.iter().any(|point| point.figure != 0) { claims(study, outcome) } else { Vec::new() }
}

/// All results, as `schemas/results.json` describes them.
pub fn results(study: &Study, outcome: &Outcome) -> Value {
    let points: Vec<Value> = outcome
        .points(study)
        .map(|(point, runs)| {
            let measures: Map<String, Value> =
                Measures::KEYS.iter().map(|(key, _)| ((*key).to_owned(), of(mean(runs, key)))).collect();
            json!({ "figure": point.figure, "parameters": point.swept, "measures": measures })
        })
        .collect();
    let charts: Vec<Value> = study
        .charts
        .iter()
        .map(|chart| json!({ "file": format!("{}.svg", chart.file), "title": chart.title }))
        .collect();
    let counts: Vec<Value> = counts(study, outcome)
        .into_iter()
        .map(|(policy, at, paper, ours)| json!({ "policy": policy, "availability": at, "paper": paper, "completed": ours }))
        .collect();
    json!({
        "study": study.name,
        "title": study.title,
        "description": study.description,
        "command": study.command,
        "version": env!("CARGO_PKG_VERSION"),
        "seeds": study.seeds,
        "scenario": study.base,
        "points": points,
        "charts": charts,
        "claims": judged(study, outcome),
        "counts": counts,
    })
}

/// The points of the paper with the measures that it has, as `schemas/paper.json` describes them.
pub fn paper_points(study: &Study, outcome: &Outcome) -> Value {
    let points: Vec<Value> = outcome
        .points(study)
        .map(|(point, runs)| {
            let scenario = &point.scenario;
            json!({
                "figure": point.figure,
                "policy": scenario.policy,
                "availability": scenario.availability,
                "stale_s": scenario.cache_s,
                "cookie_interval": scenario.cookie_interval,
                "seeds": study.seeds,
                "completed": of(mean(runs, "completed")),
                "asap_packets": of(mean(runs, "asap_packets")),
                "cookies": of(mean(runs, "cookies")),
            })
        })
        .collect();
    json!({ "points": points })
}

fn of(mean: Mean) -> Value {
    json!({ "mean": mean.mean, "ci95": mean.ci95 })
}

/// A line for each point: its figure and parameters, the number of seeds, and each measure with its interval.
fn csv(study: &Study, outcome: &Outcome) -> String {
    let mut keys: BTreeMap<&str, ()> = BTreeMap::new();
    study.points.iter().flat_map(|point| point.swept.keys()).for_each(|key| {
        keys.insert(key, ());
    });
    let keys: Vec<&str> = keys.into_keys().collect();
    let mut out = String::from("figure");
    keys.iter().for_each(|key| {
        let _ = write!(out, ",{key}");
    });
    out.push_str(",seeds");
    for (key, _) in Measures::KEYS {
        let _ = write!(out, ",{key},{key}_ci95");
    }
    out.push('\n');
    for (point, runs) in outcome.points(study) {
        let _ = write!(out, "{}", point.figure);
        for key in &keys {
            let _ = write!(out, ",{}", point.swept.get(*key).map(text).unwrap_or_default());
        }
        let _ = write!(out, ",{}", study.seeds);
        for (key, _) in Measures::KEYS {
            let Mean { mean, ci95 } = mean(runs, key);
            let _ = write!(out, ",{mean},{}", ci95.map(|ci95| ci95.to_string()).unwrap_or_default());
        }
        out.push('\n');
    }
    out
}
