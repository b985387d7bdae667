//! Draws.

use std::time::Duration;

use rserpool_core::base::Random;

use crate::id::HostId;
use crate::random::{Purpose, stream};

/// Draws.
#[derive(Debug)]
pub(super) struct Dice(Random);

impl Dice {
    /// The draws of a plan for one purpose.
    pub(super) fn new(seed: u64, purpose: Purpose) -> Self {
        Self(stream(seed, HostId(usize::MAX), purpose))
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound as u64) as usize
    }

    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.0.below(100) < percent
    }

    pub(super) fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }

    /// A duration between two, evenly spread.
    pub(super) fn between(&mut self, low: Duration, high: Duration) -> Duration {
        let span = high.saturating_sub(low).as_nanos() as u64;
        low + Duration::from_nanos(self.0.below(span + 1))
    }

    /// A number of hosts: usually few, rarely up to `most`.
    pub(super) fn crowd(&mut self, most: usize) -> usize {
        let bound = match self.below(20) {
            0..10 => most.min(3),
            10..16 => most.min(10),
            16..19 => most.min(30),
            _ => most,
        };
        self.below(bound + 1)
    }
}
