//! A study as one page of HTML that needs nothing else.

use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use super::definition::text;
use super::results::RESULTS;
use super::store::{StudyError, read, replace};

const STYLE: &str = "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}\
table{border-collapse:collapse;font-size:14px;margin:1em 0;display:block;overflow-x:auto}\
th,td{border:1px solid #ccc;padding:3px 8px;text-align:left;vertical-align:top}th{background:#eee}\
td.n{text-align:right;white-space:nowrap}.holds{color:#067a34}.missed{color:#b00020}\
pre,code{background:#f4f4f4;padding:2px 4px}svg{max-width:100%;height:auto}";

/// Writes `report.html` in the directory of a study that was run, and returns its path.
///
/// # Errors
/// If the directory does not have the results of a study, or the page cannot be written.
pub fn report(directory: &Path) -> Result<std::path::PathBuf, StudyError> {
    let path = directory.join(RESULTS);
    let wrong =
        |what: &str| StudyError::Input(format!("{} is not a result of this version: {what}", path.display()));
    let results: Value = serde_json::from_str(&read(&path)?).map_err(|error| wrong(&error.to_string()))?;
    let part = |key: &str| {
        results.get(key).and_then(Value::as_str).ok_or_else(|| wrong(&format!("{key} is missing")))
    };
    let list = |key: &str| {
        results.get(key).and_then(Value::as_array).ok_or_else(|| wrong(&format!("{key} is missing")))
    };
    let mut page = Page::default();
    let title = part("title")?;
    page.raw(&format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title><style>{STYLE}</style></head>\n<body>",
        escape(title)
    ));
    page.line("h1", title);
    part("description")?.split("\n\n").filter(|text| !text.is_empty()).for_each(|text| page.line("p", text));
    page.raw(&format!(
        "<p>{} runs for each point, version {}. Means with half their 95 % interval. The command that repeats it:</p><pre>{}</pre>",
        escape(&text(&results["seeds"])),
        escape(part("version")?),
        escape(part("command")?)
    ));
    claims(&mut page, list("claims")?);
    counts(&mut page, list("counts")?);
    let charts = list("charts")?;
    if !charts.is_empty() {
        page.line("h2", "Charts");
    }
    for chart in charts {
        let file = chart["file"]
            .as_str()
            .filter(|file| !file.contains(['/', '\\']))
            .ok_or_else(|| wrong("a chart has no file"))?;
        page.raw(&read(&directory.join(file))?);
    }
    measures(&mut page, list("points")?);
    page.line("h2", "Parameters that all points have in common, unless a table says otherwise");
    page.raw("<table>");
    for (key, value) in results["scenario"].as_object().into_iter().flatten() {
        page.raw(&format!("<tr><td>{}</td><td class=\"n\">{}</td></tr>", escape(key), escape(&text(value))));
    }
    page.raw("</table>\n</body></html>");
    let path = directory.join("report.html");
    replace(&path, page.0.as_bytes())?;
    Ok(path)
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn raw(&mut self, html: &str) {
        let _ = writeln!(self.0, "{html}");
    }

    fn line(&mut self, tag: &str, content: &str) {
        let _ = writeln!(self.0, "<{tag}>{}</{tag}>", escape(content));
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn claims(page: &mut Page, claims: &[Value]) {
    if claims.is_empty() {
        return;
    }
    page.line("h2", "What the paper claims");
    page.raw("<table><tr><th></th><th>figure</th><th>claim</th><th>paper</th><th>gate</th><th>measured</th><th>verdict</th></tr>");
    for claim in claims {
        let cell = |key: &str| escape(&text(&claim[key]));
        let reason =
            claim["reason"].as_str().map(|reason| format!(": {}", escape(reason))).unwrap_or_default();
        page.raw(&format!(
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"{v}\">{v}{reason}</td></tr>",
            cell("id"),
            cell("figure"),
            cell("claim"),
            cell("paper"),
            cell("gate"),
            cell("measured"),
            v = cell("verdict"),
        ));
    }
    page.raw("</table>");
}

fn counts(page: &mut Page, counts: &[Value]) {
    if counts.is_empty() {
        return;
    }
    page.line("h2", "Requests completed in figure 6, beside those that the paper prints");
    page.raw("<table><tr><th>policy</th><th>availability</th><th>paper</th><th>here</th></tr>");
    for count in counts {
        page.raw(&format!(
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            escape(&text(&count["policy"])),
            escape(&text(&count["availability"])),
            escape(&text(&count["paper"])),
            figure(&count["completed"]),
        ));
    }
    page.raw("</table>");
}

/// The tables of all points: one for each figure, with the measures that are not the same everywhere.
fn measures(page: &mut Page, points: &[Value]) {
    let mut figures: Vec<&Value> = points.iter().map(|point| &point["figure"]).collect();
    figures.dedup();
    for figure_number in figures {
        let points: Vec<&Value> = points.iter().filter(|point| point["figure"] == *figure_number).collect();
        let Some(first) = points.first() else { continue };
        match figure_number.as_u64() {
            Some(0) | None => page.line("h2", "Measures"),
            Some(number) => page.line("h2", &format!("Measures of figure {number}")),
        }
        let differs = |of: &str, key: &str| points.iter().any(|point| point[of][key] != first[of][key]);
        let keys = |of: &str| -> Vec<String> {
            let all = first[of].as_object().into_iter().flatten().map(|(key, _)| key.clone());
            all.filter(|key| differs(of, key) || points.len() == 1).collect()
        };
        let (parameters, measures) = (keys("parameters"), keys("measures"));
        let heads = parameters
            .iter()
            .chain(&measures)
            .map(|key| format!("<th>{}</th>", escape(&key.replace('_', " "))));
        page.raw(&format!("<table><tr>{}</tr>", heads.collect::<String>()));
        for point in points {
            let own = parameters.iter().map(|key| escape(&text(&point["parameters"][key])));
            let seen = measures.iter().map(|key| {
                let Value::Object(mean) = &point["measures"][key] else { return String::new() };
                let half = mean
                    .get("ci95")
                    .filter(|half| !half.is_null())
                    .map(|half| format!(" ± {}", figure(half)));
                format!("{}{}", mean.get("mean").map(figure).unwrap_or_default(), half.unwrap_or_default())
            });
            let cells = own.chain(seen).map(|cell| format!("<td class=\"n\">{cell}</td>"));
            page.raw(&format!("<tr>{}</tr>", cells.collect::<String>()));
        }
        page.raw("</table>");
    }
}

/// A number with as many digits as people read.
fn figure(value: &Value) -> String {
    match value.as_f64() {
        Some(number) if number.abs() >= 100.0 || number == 0.0 => format!("{number:.0}"),
        Some(number) => format!("{number:.2}"),
        None => String::new(),
    }
}
