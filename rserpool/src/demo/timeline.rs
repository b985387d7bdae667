//! The timeline of answers: a line per element that grows on the screen, or plain lines.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::judge::{Failover, round};
use crate::exit::Failure;
use crate::output;

/// The time that one character stands for.
const SLICE: Duration = Duration::from_millis(300);
/// Answers in a slice, from one to as many as there can be.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Answers in a slice if all goes well: one every 20 ms.
const FULL: usize = 15;

/// Shows what happens.
pub(super) struct Timeline {
    begin: Instant,
    style: Style,
    elements: BTreeMap<String, Row>,
}

enum Style {
    Json,
    Plain,
    /// A terminal, with so many lines that are drawn again and again.
    Live {
        drawn: usize,
    },
}

#[derive(Default)]
struct Row {
    /// Answers per slice.
    answers: Vec<usize>,
    /// What was done to the element, by slice.
    marks: BTreeMap<usize, char>,
}

impl Timeline {
    pub(super) fn new(json: bool) -> Self {
        let style = match json {
            true => Style::Json,
            false if std::io::stdout().is_terminal() => Style::Live { drawn: 0 },
            false => Style::Plain,
        };
        Self { begin: Instant::now(), style, elements: BTreeMap::new() }
    }

    /// The clock starts now.
    pub(super) fn start(&mut self) {
        self.begin = Instant::now();
    }

    /// Since the start.
    pub(super) fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Something was done; `mark` shows it in the line of the element.
    pub(super) fn act(&mut self, act: &str, element: &str, mark: char, text: &str) -> Result<(), Failure> {
        let slice = self.slice();
        self.elements.entry(element.into()).or_default().marks.insert(slice, mark);
        let at_ms = self.at_ms();
        self.say(&json!({ "event": act, "element": element, "at_ms": at_ms }), text)
    }

    /// Something was done to a registrar, or it has done something; `figures` go into the JSON event.
    pub(super) fn registrar(
        &mut self,
        act: &str,
        registrar: &str,
        figures: Value,
        text: &str,
    ) -> Result<(), Failure> {
        let mut event = json!({ "event": act, "registrar": registrar, "at_ms": self.at_ms() });
        if let (Some(event), Value::Object(figures)) = (event.as_object_mut(), figures) {
            event.extend(figures);
        }
        self.say(&event, text)
    }

    /// A request was answered.
    pub(super) fn answered(&mut self, element: &str) {
        let slice = self.slice();
        let row = self.elements.entry(element.into()).or_default();
        if row.answers.len() <= slice {
            row.answers.resize(slice + 1, 0);
        }
        row.answers[slice] += 1;
    }

    /// A failover is over.
    pub(super) fn failover(&mut self, failover: &Failover) -> Result<(), Failure> {
        let Failover { from, to, gap_ms, resent, count } = failover;
        let gap_ms = round(*gap_ms);
        let event = json!({
            "event": "failover", "from": from, "to": to, "gap_ms": gap_ms, "resent": resent, "count": count,
            "at_ms": self.at_ms(),
        });
        let text = format!(
            "{to} answers instead of {from} and counts on at {count}: gap {gap_ms} ms, {} sent again",
            output::count(*resent, "request")
        );
        self.say(&event, &text)
    }

    /// The last word.
    pub(super) fn summary(&mut self, summary: &Value, wrong: &[String]) -> Result<(), Failure> {
        self.draw()?;
        if let Style::Json = self.style {
            return output::json(summary);
        }
        let list = |key: &str| -> String {
            let values = summary[key].as_array().into_iter().flatten();
            values.map(Value::to_string).collect::<Vec<_>>().join(", ")
        };
        output::line(format!(
            "\nrequests sent {}, answered {}, resent {}, lost {}; slowest answer outside failovers {} ms\n\
             gap of each failover in ms: {}\n\
             every element with a new home after, in ms: {}\n\
             the count of the session is {}; it went back {} times and skipped {} times\n{}",
            summary["sent"],
            summary["answered"],
            summary["resent"],
            summary["lost"],
            summary["slowest_ms"],
            list("gaps_ms"),
            list("takeovers_ms"),
            summary["count"],
            summary["went_back"],
            summary["skipped"],
            if wrong.is_empty() {
                "nothing lost, nothing slow taken for dead, every gap below 500 ms, every new home within 1.5 s"
            } else {
                "FAILED"
            },
        ))
    }

    /// Draws the lines of the elements again, if somebody watches.
    pub(super) fn draw(&mut self) -> Result<(), Failure> {
        let Style::Live { drawn } = &mut self.style else { return Ok(()) };
        let slices = usize::try_from(self.begin.elapsed().as_millis() / SLICE.as_millis()).unwrap_or(0);
        let mut out = std::io::stdout().lock();
        if *drawn > 0 {
            write!(out, "\x1b[{drawn}A")?;
        }
        for (element, row) in &self.elements {
            writeln!(out, "\x1b[2K{element}  {}", row.text(slices))?;
        }
        *drawn = self.elements.len();
        Ok(out.flush()?)
    }

    /// Tells of an event above the lines of the elements.
    fn say(&mut self, event: &Value, text: &str) -> Result<(), Failure> {
        let seconds = self.begin.elapsed().as_secs_f64();
        match &mut self.style {
            Style::Json => return output::json(event),
            Style::Plain => return output::line(format!("{seconds:6.2} s  {text}")),
            Style::Live { drawn } => {
                let mut out = std::io::stdout().lock();
                if *drawn > 0 {
                    write!(out, "\x1b[{drawn}A\x1b[0J")?;
                    *drawn = 0;
                }
                writeln!(out, "{seconds:6.2} s  {text}")?;
            }
        }
        self.draw()
    }

    fn slice(&self) -> usize {
        usize::try_from(self.begin.elapsed().as_millis() / SLICE.as_millis()).unwrap_or(0)
    }

    fn at_ms(&self) -> f64 {
        round(self.begin.elapsed().as_secs_f64() * 1e3)
    }
}

impl Row {
    fn text(&self, slices: usize) -> String {
        (0..=slices)
            .map(|slice| match (self.marks.get(&slice), self.answers.get(slice).copied().unwrap_or(0)) {
                (Some(mark), _) => *mark,
                (None, 0) => '·',
                (None, answers) => BLOCKS[(answers * BLOCKS.len()).div_ceil(FULL).clamp(1, BLOCKS.len()) - 1],
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_answers_silence_and_marks() {
        let row = Row { answers: vec![15, 8, 1, 0, 40], marks: BTreeMap::from([(3, 'x')]) };
        assert_eq!(row.text(6), "█▅▁x█··");
    }
}
