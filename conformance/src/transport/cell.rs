//! The cells of the table: which are asked for, what each is, and how it ended.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::row::Row;
use super::stage::Stage;

/// What is to be run; empty lists mean everything.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Backends by name.
    pub backends: Vec<String>,
    /// Peers by name.
    pub peers: Vec<String>,
    /// Rows by name, or by the beginning of it.
    pub rows: Vec<String>,
    /// One JSON object at the end instead of the table.
    pub json: bool,
    /// One JSON object for each cell at once, and no table: how a virtual machine reports.
    pub lines: bool,
}

/// One row with one backend and one peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) row: &'static Row,
    pub(super) stage: Stage,
}

impl Cell {
    /// How it ended, and after which time.
    pub(super) fn entry(&self, verdict: Verdict, took: Duration) -> Entry {
        Entry {
            row: self.row.name.into(),
            backend: self.stage.backend.name().into(),
            peer: self.stage.peer.name().into(),
            verdict,
            seconds: (took.as_secs_f64() * 1000.0).round() / 1000.0,
        }
    }
}

/// How a cell ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub(super) enum Verdict {
    /// It is as it should be; with what was measured.
    Pass { measured: String },
    /// It is not.
    Fail { reason: String },
    /// It was not tested.
    Skipped { reason: String },
}

/// A verdict as it travels from one process to another and as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) row: String,
    pub(super) backend: String,
    pub(super) peer: String,
    #[serde(flatten)]
    pub(super) verdict: Verdict,
    pub(super) seconds: f64,
}

/// Not tested, for this reason.
pub(super) fn skipped(reason: &str) -> Verdict {
    Verdict::Skipped { reason: reason.into() }
}
