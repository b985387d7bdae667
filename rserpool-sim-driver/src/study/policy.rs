//! The selection policies that a scenario can name.

use rserpool_core::wire::Policy;
use serde::{Deserialize, Serialize};

/// A selection policy, by the name that it has in files and results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "their names say what they are")]
pub enum PoolPolicy {
    LeastUsed,
    LeastUsedDegradation,
    PriorityLeastUsed,
    RandomizedLeastUsed,
    RoundRobin,
    WeightedRoundRobin,
    Random,
    WeightedRandom,
    LeastUsedDpf,
    WeightedRandomDpf,
}

impl PoolPolicy {
    /// The name that the paper uses, or ours.
    pub const fn short(self) -> &'static str {
        match self {
            Self::LeastUsed => "LU",
            Self::LeastUsedDegradation => "LUD",
            Self::PriorityLeastUsed => "PLU",
            Self::RandomizedLeastUsed => "RLU",
            Self::RoundRobin => "RR",
            Self::WeightedRoundRobin => "WRR",
            Self::Random => "RAND",
            Self::WeightedRandom => "WRAND",
            Self::LeastUsedDpf => "LU-DPF",
            Self::WeightedRandomDpf => "WRAND-DPF",
        }
    }

    /// The policy with the values of an element: `relative` is its capacity as a multiple of the mean, `distance` its
    /// distance in milliseconds, `penalty` the delay penalty factor, `step` the load of one request.
    pub(super) fn of_element(self, relative: f64, distance: u32, penalty: f64, step: f64) -> Policy {
        let fraction = |value: f64| (value.clamp(0.0, 1.0) * f64::from(u32::MAX)) as u32;
        // Weights in tenths of the mean: as an administrator would write them.
        let weight = ((relative * 10.0).round() as u32).max(1);
        let (load, degradation, dpf) = (0, fraction(step), fraction(penalty));
        match self {
            Self::LeastUsed => Policy::LeastUsed { load },
            Self::LeastUsedDegradation => Policy::LeastUsedDegradation { load, degradation },
            Self::PriorityLeastUsed => {
                // A request is a larger part of a smaller element.
                let degradation = fraction(step / relative.max(0.01));
                Policy::PriorityLeastUsed { load, degradation }
            }
            Self::RandomizedLeastUsed => Policy::RandomizedLeastUsed { load },
            Self::RoundRobin => Policy::RoundRobin,
            Self::WeightedRoundRobin => Policy::WeightedRoundRobin { weight },
            Self::Random => Policy::Random,
            Self::WeightedRandom => Policy::WeightedRandom { weight },
            Self::LeastUsedDpf => Policy::LeastUsedDpf { load, dpf, distance },
            Self::WeightedRandomDpf => Policy::WeightedRandomDpf { weight, dpf, distance },
        }
    }
}
