//! The runs that are done, in files of one line for each: a sweep that is interrupted goes on behind them, and parts of a
//! sweep that were run elsewhere are added to them.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::measures::Measures;
use super::model::Run;
use super::scenario::Scenario;
use super::store::{StudyError, read, replace};

/// The file of the runs in a directory.
const FILE: &str = "runs.jsonl";

/// What a run is known by: the hash of its parameters and of what the program does.
pub(super) type Key = (String, u64);

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    key: String,
    seed: u64,
    measures: Measures,
}

/// The runs of a directory.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    runs: BTreeMap<Key, Measures>,
    file: Option<File>,
}

impl Journal {
    /// Reads what a directory has. A line that was not written to its end does not count.
    pub(super) fn open(directory: &Path) -> Result<Self, StudyError> {
        let path = directory.join(FILE);
        let mut journal = Self { path: path.clone(), runs: BTreeMap::new(), file: None };
        if path.exists() {
            journal.read(&path)?;
        }
        Ok(journal)
    }

    /// Adds the runs of another directory.
    pub(super) fn add_directory(&mut self, directory: &Path) -> Result<(), StudyError> {
        self.read(&directory.join(FILE))
    }

    fn read(&mut self, path: &Path) -> Result<(), StudyError> {
        let text = read(path)?;
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for (n, line) in whole.lines().enumerate() {
            let Line { key, seed, measures } = serde_json::from_str(line).map_err(|_| {
                let (file, line) = (path.display(), n + 1);
                StudyError::Input(format!(
                    "{file}, line {line}, is not a run of this version: remove the file"
                ))
            })?;
            self.runs.insert((key, seed), measures);
        }
        Ok(())
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Measures> {
        self.runs.get(key)
    }

    /// Adds a run, and writes it at once.
    pub(super) fn add(&mut self, key: Key, measures: Measures) -> Result<(), StudyError> {
        let failed = |error| StudyError::cannot_write(&self.path, &error);
        let mut file = match self.file.take() {
            Some(file) => file,
            None => {
                // What was not written to its end must not stand before it.
                replace(&self.path, self.text().as_bytes())?;
                OpenOptions::new().append(true).open(&self.path).map_err(failed)?
            }
        };
        file.write_all(line(&key, &measures).as_bytes()).map_err(failed)?;
        self.file = Some(file);
        self.runs.insert(key, measures);
        Ok(())
    }

    /// Writes all runs in their order, whatever the order in which they have ended.
    pub(super) fn finish(&mut self) -> Result<(), StudyError> {
        self.file = None;
        replace(&self.path, self.text().as_bytes())
    }

    fn text(&self) -> String {
        self.runs.iter().map(|(key, measures)| line(key, measures)).collect()
    }
}

fn line((key, seed): &Key, measures: &Measures) -> String {
    let line = Line { key: key.clone(), seed: *seed, measures: *measures };
    let mut text = serde_json::to_string(&line).unwrap_or_default();
    text.push('\n');
    text
}

/// A hash over what the program does: the trace of a run with failures. Programs with the same one have the same runs.
pub(super) fn fingerprint() -> String {
    let scenario = Scenario { availability: 0.5, registrars: 2, duration_s: 300.0, ..Scenario::default() };
    let mut run = Run::new(&scenario, 1, false);
    run.pass();
    format!("{:016x}", run.world().trace().hash())
}

/// What a scenario is known by, in a program with this fingerprint.
pub(super) fn scenario_key(fingerprint: &str, scenario: &Scenario) -> String {
    let mut hasher = Sha256::new();
    hasher.update(fingerprint);
    hasher.update(serde_json::to_vec(scenario).unwrap_or_default());
    hasher.finalize().iter().take(16).map(|octet| format!("{octet:02x}")).collect()
}
