//! What came out of a study: the measures of every run of every point.

use super::definition::{Point, Study};
use super::measures::Measures;
use super::statistics::Mean;

/// The measures of all runs of a study.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// By point, in the order of the study, and by seed.
    runs: Vec<Vec<Measures>>,
}

impl Outcome {
    /// `runs`: for each point of the study, the measures of its seeds.
    pub(super) const fn new(runs: Vec<Vec<Measures>>) -> Self {
        Self { runs }
    }

    /// The points with their runs.
    pub fn points<'a>(&'a self, study: &'a Study) -> impl Iterator<Item = (&'a Point, &'a [Measures])> {
        study.points.iter().zip(self.runs.iter().map(Vec::as_slice))
    }
}

/// The mean of a measure over runs.
pub fn mean(runs: &[Measures], key: &str) -> Mean {
    Mean::of(&runs.iter().filter_map(|run| run.get(key)).collect::<Vec<_>>())
}
