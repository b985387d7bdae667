//! Experiments: studies that are written as TOML.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::definition::{Chart, Point, Study, text};
use super::measures::Measures;
use super::scenario::Scenario;
use super::store::{StudyError, read};

/// The most points of an experiment: more would be a mistake.
const MAX_POINTS: usize = 10_000;

/// The most seeds.
pub const MAX_SEEDS: u32 = 100_000;

/// What stands in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: String,
    #[serde(default)]
    description: String,
    seeds: u32,
    #[serde(default)]
    scenario: BTreeMap<String, Value>,
    #[serde(default)]
    sweep: BTreeMap<String, Vec<Value>>,
    #[serde(default)]
    charts: Vec<FileChart>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileChart {
    x: String,
    y: String,
    lines: Option<Vec<String>>,
    #[serde(default)]
    log_x: bool,
}

/// Reads an experiment from a file. `seeds` replaces the number of seeds in the file.
///
/// # Errors
/// If the file cannot be read, or something in it cannot be: an unknown key, a value outside of its range, a chart of
/// what is not swept or measured.
pub fn experiment(path: &Path, seeds: Option<u32>) -> Result<Study, StudyError> {
    let content = read(path)?;
    let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    parse(&name, &content, seeds).map_err(|problem| StudyError::Input(format!("{}{problem}", path.display())))
}

/// Reads an experiment of this name from its text.
///
/// # Errors
/// As [`experiment`], with the name in front.
pub fn parse_experiment(name: &str, content: &str, seeds: Option<u32>) -> Result<Study, StudyError> {
    parse(name, content, seeds).map_err(|problem| StudyError::Input(format!("{name}.toml{problem}")))
}

/// Reads an experiment of this name.
///
/// # Errors
/// What is wrong, as the rest of a line that begins with the name of the file.
pub(super) fn parse(name: &str, content: &str, seeds: Option<u32>) -> Result<Study, String> {
    let file: File = toml::from_str(content).map_err(|error| {
        let line =
            error.span().map(|span| content[..span.start.min(content.len())].matches('\n').count() + 1);
        let line = line.map(|line| format!(", line {line}")).unwrap_or_default();
        format!("{line}: {}", plain(&error.message().replace('\n', " ")))
    })?;
    let seeds_wanted = seeds.unwrap_or(file.seeds);
    check_seeds(seeds_wanted).map_err(|problem| format!(": {problem}"))?;
    let base = scenario(&file.scenario)?;
    let points = points(&file)?;
    let swept: Vec<&str> = file.sweep.keys().map(String::as_str).collect();
    let charts = file.charts.iter().map(|chart| check_chart(chart, &swept));
    let mut charts = charts.collect::<Result<Vec<_>, _>>()?;
    if charts.is_empty() {
        charts.extend(obvious_chart(&file.sweep));
    }
    let option = seeds.map(|seeds| format!(" --seeds {seeds}")).unwrap_or_default();
    Ok(Study {
        name: name.into(),
        title: file.title,
        description: file.description.trim().into(),
        command: format!("rserpool-sim run {name}.toml{option}"),
        seeds: seeds_wanted,
        base,
        points,
        charts,
    })
}

/// Whether there can be so many seeds.
///
/// # Errors
/// If there cannot.
pub fn check_seeds(seeds: u32) -> Result<(), String> {
    if (1..=MAX_SEEDS).contains(&seeds) {
        Ok(())
    } else {
        Err(format!("seeds = {seeds}: it has to be from 1 to {MAX_SEEDS}"))
    }
}

/// The scenario with these parameters.
fn scenario(values: &BTreeMap<String, Value>) -> Result<Scenario, String> {
    for (key, value) in values {
        if !Scenario::KEYS.iter().any(|(known, _)| known == key) {
            return Err(unknown(key, "parameter", Scenario::KEYS.iter().map(|(key, _)| *key)));
        }
        // One at a time, so that the problem can be told with its key.
        let alone = Value::Object([(key.clone(), number(value))].into_iter().collect());
        serde_json::from_value::<Scenario>(alone)
            .map_err(|error| format!(": {key} = {}: {}", text(value), plain(&error.to_string())))?;
    }
    let all = Value::Object(values.iter().map(|(key, value)| (key.clone(), number(value))).collect());
    let scenario: Scenario = serde_json::from_value(all).map_err(|error| format!(": {error}"))?;
    scenario.check().map_err(|problem| format!(": {problem}"))?;
    Ok(scenario)
}

/// What the parser says, in the words of somebody who writes experiments.
fn plain(problem: &str) -> String {
    let words = [
        ("expected u32", "expected a whole number from 0"),
        ("expected f64", "expected a number"),
        ("expected a boolean", "expected true or false"),
        ("expected a sequence", "expected a list in square brackets"),
        ("sequence", "list"),
        ("floating point", "number"),
        ("unknown variant", "there is no"),
    ];
    words.iter().fold(problem.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// A number without a fraction, if it is one: `30.0` is good for what is counted, too.
fn number(value: &Value) -> Value {
    match value.as_f64() {
        Some(number) if number.fract() == 0.0 && (0.0..4e9).contains(&number) => Value::from(number as u64),
        _ => value.clone(),
    }
}

/// All combinations of what is swept.
fn points(file: &File) -> Result<Vec<Point>, String> {
    let mut combinations = vec![BTreeMap::new()];
    for (key, values) in &file.sweep {
        if file.scenario.contains_key(key) {
            return Err(format!(": {key} stands in [scenario] and in [sweep]: take one of them away"));
        }
        if let Some(value) = values
            .iter()
            .enumerate()
            .find_map(|(n, value)| values[..n].iter().find(|before| number(before) == number(value)))
        {
            return Err(format!(": sweep.{key} has {} twice", text(value)));
        }
        if values.is_empty() {
            return Err(format!(": sweep.{key} has no values"));
        }
        if combinations.len() * values.len() > MAX_POINTS {
            return Err(format!(": the sweep has more than {MAX_POINTS} points"));
        }
        combinations = combinations
            .into_iter()
            .flat_map(|before: BTreeMap<String, Value>| {
                values.iter().map(move |value| {
                    let mut with = before.clone();
                    with.insert(key.clone(), value.clone());
                    with
                })
            })
            .collect();
    }
    let point = |swept: BTreeMap<String, Value>| {
        let mut values = file.scenario.clone();
        values.extend(swept.clone());
        Ok(Point { figure: 0, scenario: scenario(&values)?, swept })
    };
    combinations.into_iter().map(point).collect()
}

fn check_chart(chart: &FileChart, swept: &[&str]) -> Result<Chart, String> {
    let FileChart { x, y, lines, log_x } = chart;
    let others = || swept.iter().filter(|key| *key != x).map(|key| (*key).to_owned()).collect();
    let lines: Vec<String> = lines.clone().unwrap_or_else(others);
    for key in std::iter::once(x).chain(&lines) {
        if !swept.contains(&key.as_str()) {
            return Err(unknown(key, "swept parameter", swept.iter().copied()));
        }
    }
    if let Some(key) = swept.iter().find(|key| *key != x && !lines.iter().any(|line| line == *key)) {
        return Err(format!(": the chart of {y} over {x} has to name {key} among its lines"));
    }
    if !Measures::KEYS.iter().any(|(key, _)| key == y) {
        return Err(unknown(y, "measure", Measures::KEYS.iter().map(|(key, _)| *key)));
    }
    Ok(new_chart(x, y, lines, *log_x))
}

fn new_chart(x: &str, y: &str, lines: Vec<String>, log_x: bool) -> Chart {
    Chart {
        file: format!("{}-over-{}", y.replace('_', "-"), x.replace('_', "-")),
        title: format!("{} over {}", y.replace('_', " "), x.replace('_', " ")),
        figure: 0,
        x: x.into(),
        y: y.into(),
        lines,
        log_x,
        printed: Vec::new(),
    }
}

/// The requests completed over the numbers of which there are most.
fn obvious_chart(sweep: &BTreeMap<String, Vec<Value>>) -> Option<Chart> {
    let numbers = sweep.iter().filter(|(_, values)| values.iter().all(Value::is_number) && values.len() > 1);
    let (x, _) = numbers.max_by_key(|(_, values)| values.len())?;
    let lines = sweep.keys().filter(|key| *key != x).cloned().collect();
    Some(new_chart(x, "completed", lines, false))
}

/// What somebody may have meant.
fn unknown<'a>(key: &str, what: &str, known: impl Iterator<Item = &'a str>) -> String {
    let alike = |a: &str, b: &str| strsim::jaro_winkler(a, b);
    let best = known.map(|known| (alike(known, key), known)).max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((likeness, meant)) if likeness > 0.8 => {
            format!(": there is no {what} {key}; did you mean {meant}?")
        }
        _ => format!(": there is no {what} {key}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "title = \"A test\"\nseeds = 2\n\n[scenario]\nelements = 4\n\n[sweep]\navailability = [1.0, 0.5]\npolicy = [\"LeastUsed\", \"Random\"]\n";

    #[test]
    fn a_sweep_is_every_combination() {
        let study = parse("test", FILE, None).expect("it is right");
        let swept: Vec<String> = study
            .points
            .iter()
            .map(|point| point.swept.values().map(text).collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(swept, ["1 LeastUsed", "1 Random", "0.5 LeastUsed", "0.5 Random"]);
        assert!(study.points.iter().all(|point| point.scenario.elements == 4));
        let [chart] = study.charts.as_slice() else { panic!("one chart: {:?}", study.charts) };
        assert_eq!(
            (chart.x.as_str(), chart.y.as_str(), &chart.lines[..]),
            ("availability", "completed", &["policy".to_owned()][..])
        );
        assert_eq!(parse("test", FILE, Some(7)).map(|study| study.seeds), Ok(7));
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        let with =
            |old: &str, new: &str| parse("test", &FILE.replace(old, new), None).map(|_| ()).unwrap_err();
        let cases = [
            (with("elements = 4", "elments = 4"), ": there is no parameter elments; did you mean elements?"),
            (with("elements = 4", "elements = 0"), ": elements = 0: it has to be from 1 to 100000"),
            (
                with("elements = 4", "elements = 4.5"),
                ": elements = 4.5: invalid type: number `4.5`, expected a whole number from 0",
            ),
            (
                with("elements = 4", "elements = [4, 8]"),
                ": elements = [4,8]: invalid type: list, expected a whole number from 0",
            ),
            (
                with("elements = 4", "takeover_suggestion = 1"),
                ": takeover_suggestion = 1: invalid type: integer `1`, expected true or false",
            ),
            (
                with("[1.0, 0.5]", "1"),
                ", line 8: invalid type: integer `1`, expected a list in square brackets",
            ),
            (with("elements = 4", "loss = 0.9"), ": loss = 0.9: it has to be from 0 to 0.5"),
            (with("elements = 4", "loss = nan"), ": loss = null: invalid type: null, expected a number"),
            (with("seeds = 2", "seeds = 0"), ": seeds = 0: it has to be from 1 to 100000"),
            (
                with("seeds = 2", "sides = 2"),
                ", line 2: unknown field `sides`, expected one of `title`, `description`, `seeds`, `scenario`, `sweep`, `charts`",
            ),
            (with("seeds = 2\n", ""), ", line 1: missing field `seeds`"),
            (
                with("elements = 4", "availability = 0.9"),
                ": availability stands in [scenario] and in [sweep]: take one of them away",
            ),
            (with("[1.0, 0.5]", "[0.5, 1, 1.0]"), ": sweep.availability has 1 twice"),
            (with("[1.0, 0.5]", "[]"), ": sweep.availability has no values"),
            (with("[1.0, 0.5]", "[2]"), ": availability = 2: it has to be from 0.001 to 1"),
            (
                with("\"Random\"", "\"Rondom\""),
                ": policy = Rondom: there is no `Rondom`, expected one of `LeastUsed`, `LeastUsedDegradation`, `PriorityLeastUsed`, `RandomizedLeastUsed`, `RoundRobin`, `WeightedRoundRobin`, `Random`, `WeightedRandom`, `LeastUsedDpf`, `WeightedRandomDpf`",
            ),
            (
                with("[sweep]", "[[charts]]\nx = \"elements\"\ny = \"completed\"\n[sweep]"),
                ": there is no swept parameter elements",
            ),
            (
                with("[sweep]", "[[charts]]\nx = \"availability\"\ny = \"complete\"\n[sweep]"),
                ": there is no measure complete; did you mean completed?",
            ),
            (
                with("[sweep]", "[[charts]]\nx = \"availability\"\ny = \"completed\"\nlines = []\n[sweep]"),
                ": the chart of completed over availability has to name policy among its lines",
            ),
        ];
        for (said, expected) in cases {
            assert_eq!(said, expected);
        }
    }
}
