//! What the values of a policy mean to the structure that selects by it.

use crate::wire::Policy;

/// The load of an element that is fully loaded (RFC 5356 section 3.1).
const FULL: u32 = u32::MAX;

/// How an element is selected among the others of its pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Terms {
    /// All elements are equal and take turns.
    Turn,
    /// Elements take turns, this one `weight` times in each round; never if that is 0.
    Rounds { weight: u32 },
    /// The element with the smallest `value` comes first. `degradation` is added for each selection;
    /// `None` if the policy does not count selections.
    Rank { value: u64, degradation: Option<u32> },
    /// Elements are drawn in proportion to `weight`, from which each selection takes `degradation`.
    Share { weight: u32, degradation: u32 },
}

impl Terms {
    /// The terms of a policy with the values of one element; `None` if it is not built in.
    pub(super) fn of(policy: &Policy) -> Option<Self> {
        Some(match *policy {
            Policy::RoundRobin => Self::Turn,
            Policy::WeightedRoundRobin { weight } => Self::Rounds { weight },
            Policy::Random => Self::Share { weight: 1, degradation: 0 },
            Policy::WeightedRandom { weight } => Self::Share { weight, degradation: 0 },
            Policy::WeightedRandomDpf { weight, dpf, distance } => {
                Self::Share { weight: nearer(weight, dpf, distance), degradation: 0 }
            }
            Policy::RandomizedLeastUsed { load } => Self::Share { weight: FULL - load, degradation: 0 },
            Policy::RandomizedLeastUsedDegradation { load, degradation } => {
                Self::Share { weight: FULL - load, degradation }
            }
            Policy::RandomizedPriorityLeastUsed { load, degradation } => {
                Self::Share { weight: (FULL - load).saturating_sub(degradation), degradation: 0 }
            }
            Policy::RandomizedPriorityLeastUsedDegradation { load, degradation } => {
                Self::Share { weight: (FULL - load).saturating_sub(degradation), degradation }
            }
            // The highest priority has the smallest rank.
            Policy::Priority { priority } => rank([FULL - priority, 0], 0, 0, None),
            Policy::LeastUsed { load } => rank([load, 0], 0, 0, None),
            Policy::LeastUsedDegradation { load, degradation } => rank([load, 0], 0, 0, Some(degradation)),
            Policy::PriorityLeastUsed { load, degradation } => rank([load, degradation], 0, 0, None),
            Policy::PriorityLeastUsedDegradation { load, degradation } => {
                rank([load, degradation], 0, 0, Some(degradation))
            }
            Policy::LeastUsedDpf { load, dpf, distance } => rank([load, 0], dpf, distance, None),
            Policy::LeastUsedDegradationDpf { load, degradation, dpf, distance } => {
                rank([load, 0], dpf, distance, Some(degradation))
            }
            Policy::PriorityLeastUsedDpf { load, degradation, dpf, distance } => {
                rank([load, degradation], dpf, distance, None)
            }
            Policy::PriorityLeastUsedDegradationDpf { load, degradation, dpf, distance } => {
                rank([load, degradation], dpf, distance, Some(degradation))
            }
            Policy::Other { .. } => return None,
        })
    }
}

/// The low bits of a rank, which hold the distance: it decides between equal loads (draft rserpool-delay
/// section 3.2). The 48 bits above hold loads of up to 65,536 times a full load.
pub(super) const DISTANCE_BITS: u32 = 16;

/// The largest rank, at which sums saturate (reading B33).
pub(super) const MAX_RANK: u64 = u64::MAX - 1;

fn rank(loads: [u32; 2], dpf: u32, distance: u32, degradation: Option<u32>) -> Terms {
    let penalty = u64::from(dpf) * u64::from(distance);
    let sum = loads.into_iter().fold(penalty, |sum, load| sum.saturating_add(load.into()));
    let sum = sum.min(u64::MAX >> DISTANCE_BITS) << DISTANCE_BITS;
    let value = sum | u64::from(distance.min(u16::MAX.into()));
    Terms::Rank { value: value.min(MAX_RANK), degradation }
}

/// The weight, reduced by a part of it for every millisecond of distance (reading B50).
fn nearer(weight: u32, dpf: u32, distance: u32) -> u32 {
    let part = (u64::from(dpf) * u64::from(distance)).min(FULL.into());
    let loss = (u64::from(weight) * part).div_ceil(FULL.into());
    u32::try_from(u64::from(weight) - loss).unwrap_or(0)
}
