//! What the program says on its two outputs. No macro of the standard library is used for it: those panic when
//! a stream is closed or full.
//!
//! A tool writes its outcome at once, and fails if it cannot. A daemon writes its events in the background.

use std::fmt::Display;
use std::io::Write;
use std::sync::OnceLock;
use std::time::Duration;

use serde::Serialize;

use crate::background::Background;
use crate::exit::Failure;

/// The standard output of a daemon.
static EVENTS: OnceLock<Background> = OnceLock::new();
/// How long the end of the program waits for readers that stall.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Writes one line of a tool's outcome. A reader that has gone away ends the tool, quietly.
pub(crate) fn line(text: impl Display) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
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

/// A remark beside the outcome, on the standard error output.
pub(crate) fn remark(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "rserpool: {text}");
}

/// The same before the program ends: a reader that stalls is not waited for any longer than a second.
pub(crate) fn last_remark(text: impl Display) {
    let text = text.to_string();
    let (sender, written) = std::sync::mpsc::channel();
    let write = move || {
        remark(text);
        let _ = sender.send(());
    };
    if std::thread::Builder::new().name("last remark".into()).spawn(write).is_ok() {
        let _ = written.recv_timeout(LAST_LINES);
    }
}

/// Waits until the last events are written, for a second at most.
pub(crate) fn flush() {
    if let Some(events) = EVENTS.get() {
        events.flush(LAST_LINES);
    }
}
