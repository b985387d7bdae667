//! What a study consists of: points with their scenarios, and the charts that show them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::scenario::Scenario;

/// A study: the paper, or an experiment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Study {
    /// Its name, for files.
    pub name: String,
    /// Its title, for people.
    pub title: String,
    /// What it asks and how, in paragraphs.
    pub description: String,
    /// The command that repeats it.
    pub command: String,
    /// The number of runs for each point; their seeds are 1, 2, 3 and so on.
    pub seeds: u32,
    /// What all points have in common.
    pub base: Scenario,
    /// What is simulated.
    pub points: Vec<Point>,
    /// What is drawn.
    pub charts: Vec<Chart>,
}

/// One scenario of a study, by what distinguishes it from the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The figure of the paper that it belongs to; 0 in an experiment.
    pub figure: u8,
    /// The parameters that differ from point to point.
    pub swept: BTreeMap<String, Value>,
    /// All parameters.
    pub scenario: Scenario,
}

/// A chart.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Chart {
    /// The file, without its ending.
    pub file: String,
    /// What stands above it.
    pub title: String,
    /// The figure whose points it shows.
    pub figure: u8,
    /// The parameter on the horizontal axis.
    pub x: String,
    /// The measure on the vertical axis.
    pub y: String,
    /// The parameters that distinguish lines.
    pub lines: Vec<String>,
    /// Whether the horizontal axis is logarithmic.
    pub log_x: bool,
    /// Values that were printed elsewhere, by the label of their line.
    pub printed: Vec<(String, Vec<(f64, f64)>)>,
}

impl Point {
    /// The label of its line in a chart.
    pub(super) fn label(&self, chart: &Chart) -> String {
        let part = |key: &String| {
            let value = self.swept.get(key).map(text).unwrap_or_default();
            if key == "policy" { value } else { format!("{key} {value}") }
        };
        chart.lines.iter().map(part).collect::<Vec<_>>().join(", ")
    }
}

/// A value as people write it.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), short),
        other => other.to_string(),
    }
}

/// A number in few characters.
pub(super) fn short(number: f64) -> String {
    let magnitude = number.abs();
    if magnitude >= 1e5 || (magnitude > 0.0 && magnitude < 1e-3) {
        format!("{number:e}")
    } else {
        format!("{number}")
    }
}
