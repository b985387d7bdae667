//! All runs of a study, on several threads.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::definition::Study;
use super::journal::{Journal, Key, fingerprint, scenario_key};
use super::measures::Measures;
use super::model::Run;
use super::outcome::Outcome;
use super::scenario::Scenario;
use super::store::{StudyError, make_directory};

/// A part of a sweep: the runs whose number, counted from 0, leaves `index` when it is divided by `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shard {
    /// The number of the part, from 0.
    pub index: usize,
    /// The number of parts, at least 1.
    pub of: usize,
}

impl Shard {
    /// Everything.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// Part I of N, with I from 1 to N.
    ///
    /// # Errors
    /// If there is no such part.
    pub fn part(number: usize, of: usize) -> Result<Self, StudyError> {
        match number.checked_sub(1).filter(|index| *index < of) {
            Some(index) => Ok(Self { index, of }),
            None => Err(StudyError::Input(format!("there is no part {number} of {of}: count from 1"))),
        }
    }
}

/// How far a sweep is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Runs that are done, those known before included.
    pub done: usize,
    /// All runs of the sweep.
    pub all: usize,
    /// Runs that were known before.
    pub known: usize,
    /// What has happened in the runs so far, but for those known before.
    pub events: u64,
}

/// One run that is wanted.
struct Task<'a> {
    scenario: &'a Scenario,
    key: Key,
}

/// Runs what a directory does not have yet, and keeps it there. `told` hears how far it is. Returns the outcome, unless
/// runs are missing because they are another shard's.
///
/// # Errors
/// If the directory cannot be used.
pub fn sweep(
    study: &Study,
    directory: &Path,
    shard: Shard,
    jobs: usize,
    told: impl Fn(Progress) + Sync,
) -> Result<Option<Outcome>, StudyError> {
    make_directory(directory)?;
    let journal = Journal::open(directory)?;
    let tasks = tasks(study);
    let mut missing: Vec<usize> = (0..tasks.len()).filter(|n| n % shard.of == shard.index).collect();
    let all = missing.len();
    // Points of several figures may be one and the same.
    let mut wanted = BTreeSet::new();
    missing.retain(|n| journal.get(&tasks[*n].key).is_none() && wanted.insert(&tasks[*n].key));
    let known = all - missing.len();
    let progress = Progress { done: known, all, known, events: 0 };
    told(progress);
    let shared = Mutex::new((journal, progress, Ok(())));
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(task) = missing.get(next.fetch_add(1, Ordering::Relaxed)).map(|n| &tasks[*n]) {
            let measures = Run::new(task.scenario, task.key.1, false).finish();
            let Ok(mut shared) = shared.lock() else { return };
            let (journal, progress, outcome) = &mut *shared;
            if outcome.is_ok() {
                *outcome = journal.add(task.key.clone(), measures);
            }
            if outcome.is_err() {
                return;
            }
            progress.done += 1;
            progress.events += measures.events as u64;
            told(*progress);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(work);
        }
    });
    let (mut journal, _, outcome) =
        shared.into_inner().map_err(|_| StudyError::Input("a run has panicked: please report it".into()))?;
    outcome?;
    journal.finish()?;
    Ok(collect(study, &tasks, &journal))
}

/// Adds the runs of other directories to one, and returns the outcome.
///
/// # Errors
/// If runs are missing, or a directory cannot be used.
pub fn merge(study: &Study, directory: &Path, parts: &[&Path]) -> Result<Outcome, StudyError> {
    make_directory(directory)?;
    let mut journal = Journal::open(directory)?;
    parts.iter().try_for_each(|part| journal.add_directory(part))?;
    let tasks = tasks(study);
    let missing = tasks.iter().filter(|task| journal.get(&task.key).is_none()).count();
    if missing > 0 {
        let all = tasks.len();
        return Err(StudyError::Input(format!(
            "{missing} of {all} runs are missing: name the parts that have them"
        )));
    }
    journal.finish()?;
    collect(study, &tasks, &journal).ok_or_else(|| StudyError::Input("runs are missing".into()))
}

fn tasks(study: &Study) -> Vec<Task<'_>> {
    let fingerprint = fingerprint();
    let mut tasks = Vec::new();
    for point in &study.points {
        let key = scenario_key(&fingerprint, &point.scenario);
        let seeds = 1..=u64::from(study.seeds);
        tasks.extend(seeds.map(|seed| Task { scenario: &point.scenario, key: (key.clone(), seed) }));
    }
    tasks
}

fn collect(study: &Study, tasks: &[Task<'_>], journal: &Journal) -> Option<Outcome> {
    let runs: Option<Vec<Measures>> = tasks.iter().map(|task| journal.get(&task.key).copied()).collect();
    Some(Outcome::new(runs?.chunks(study.seeds.max(1) as usize).map(<[Measures]>::to_vec).collect()))
}
