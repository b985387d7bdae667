//! What the program says on its two outputs. No macro of the standard library is used for it: those panic when
//! a stream is closed or full.
//!
//! A tool writes its outcome at once, and fails if it cannot. A daemon writes its events in the background.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use crate::background::Background;
use crate::exit::Failure;

/// The standard output of a daemon.
static EVENTS: OnceLock<Background> = OnceLock::new();
/// How long the end of the program waits for readers that stall.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Writes one line of a tool's outcome. A reader that has gone away ends the tool, quietly.
pub(crate) fn line(text: impl Display) -> Result<(), Failure> {
    replace_prompt();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// Writes octets as they are.
pub(crate) fn octets(bytes: &[u8]) -> Result<(), Failure> {
    replace_prompt();
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// Writes one JSON value as one line.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    line(serde_json::to_string(value).map_err(|error| Failure::failed(error.to_string()))?)
}

/// Writes one JSON value over several lines, for people and programs.
pub(crate) fn pretty_json(value: &impl Serialize) -> Result<(), Failure> {
    line(serde_json::to_string_pretty(value).map_err(|error| Failure::failed(error.to_string()))?)
}

/// Writes one line of a daemon, which lives on whether anybody reads it or not.
pub(crate) fn event(text: impl Display) {
    EVENTS.get_or_init(|| Background::new(std::io::stdout(), "events")).line(text);
}

/// Whether failures and remarks are written as JSON.
static JSON: AtomicBool = AtomicBool::new(false);

/// From now on, failures and remarks are written as JSON.
pub(crate) fn failures_as_json() {
    JSON.store(true, Ordering::Relaxed);
}

/// The line about a failure before the program ends with its code.
pub(crate) fn last_failure(failure: &Failure, message: String) {
    if JSON.load(Ordering::Relaxed) {
        last_line(json!({ "error": message, "exit_code": failure.code() }).to_string());
    } else {
        last_remark(message);
    }
}

/// What somebody at a terminal may want to do next.
pub(crate) fn hint(next: impl Display) {
    if std::io::stdout().is_terminal() && std::io::stderr().is_terminal() {
        let _ = writeln!(std::io::stderr(), "next: {next}");
    }
}

/// The same from a daemon.
pub(crate) fn event_hint(next: impl Display) {
    event_at_terminal(format_args!("next: {next}"));
}

/// One line of a daemon, if somebody at a terminal reads it.
pub(crate) fn event_at_terminal(text: impl Display) {
    if std::io::stdout().is_terminal() {
        event(text);
    }
}

/// Whether the sign stands on the present line of the terminal.
static PROMPTED: AtomicBool = AtomicBool::new(false);

/// The sign that a line may be typed, unless it stands there already.
pub(crate) fn prompt() {
    if !PROMPTED.swap(true, Ordering::Relaxed) {
        let mut out = std::io::stderr();
        let _ = write!(out, "> ").and_then(|()| out.flush());
    }
}

/// A line was typed behind the sign.
pub(crate) fn prompt_answered() {
    PROMPTED.store(false, Ordering::Relaxed);
}

/// Leaves the line of the sign.
pub(crate) fn prompt_left() {
    if PROMPTED.swap(false, Ordering::Relaxed) {
        let _ = writeln!(std::io::stderr());
    }
}

/// What comes unasked takes the place of the sign, which comes again behind it.
fn replace_prompt() {
    if PROMPTED.swap(false, Ordering::Relaxed) {
        let mut out = std::io::stderr();
        let _ = write!(out, "\r").and_then(|()| out.flush());
    }
}

/// So many of these things, which have a regular plural.
pub(crate) fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// A word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// A remark beside the outcome, on the standard error output; as JSON where failures are.
pub(crate) fn remark(text: impl Display) {
    replace_prompt();
    let _ = match JSON.load(Ordering::Relaxed) {
        true => writeln!(std::io::stderr(), "{}", json!({ "warning": text.to_string() })),
        false => writeln!(std::io::stderr(), "rserpool: {text}"),
    };
}

/// The same before the program ends.
pub(crate) fn last_remark(text: impl Display) {
    last_line(format!("rserpool: {text}"));
}

/// The last line on the standard error output: a reader that stalls is not waited for any longer than a second.
fn last_line(line: String) {
    prompt_left();
    let (sender, written) = std::sync::mpsc::channel();
    let write = move || {
        let _ = writeln!(std::io::stderr(), "{line}");
        let _ = sender.send(());
    };
    if std::thread::Builder::new().name("last line".into()).spawn(write).is_ok() {
        let _ = written.recv_timeout(LAST_LINES);
    }
}

/// Waits until the last events are written, for a second at most.
pub(crate) fn flush() {
    if let Some(events) = EVENTS.get() {
        events.flush(LAST_LINES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        assert_eq!((quoted("EchoPool"), quoted("a pool")), ("EchoPool".into(), "'a pool'".into()));
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
