//! Lines on the standard output. A reader that has gone away ends the program, quietly.

use std::io::Write;

use serde::Serialize;

use crate::exit::Failure;

/// Writes one line.
pub(crate) fn line(text: impl std::fmt::Display) -> Result<(), Failure> {
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
