//! The Pool Member Selection Policy parameter (RFC 5354 section 3.8, layouts in RFC 5356).

use bytes::Bytes;

/// The number of a policy, known or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct PolicyType(pub u32);

/// A policy with the values of one element.
///
/// Loads and load degradations are fractions of 0xffffffff (RFC 5356 section 2.2): 0 is idle,
/// 0xffffffff fully loaded. A delay penalty factor is such a fraction too; a distance is in
/// milliseconds (draft rserpool-delay).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Policy {
    /// Round Robin (0x00000001).
    RoundRobin,
    /// Weighted Round Robin (0x00000002).
    WeightedRoundRobin {
        /** How often per round. */
        weight: u32,
    },
    /// Random (0x00000003).
    Random,
    /// Weighted Random (0x00000004).
    WeightedRandom {
        /** Share of the selections. */
        weight: u32,
    },
    /// Priority (0x00000005): the highest first.
    Priority {
        /** The priority. */
        priority: u32,
    },
    /// Least Used (0x40000001).
    LeastUsed {
        /** The load. */
        load: u32,
    },
    /// Least Used with Degradation (0x40000002).
    LeastUsedDegradation {
        /** The load. */
        load: u32,
        /** What a selection adds. */
        degradation: u32,
    },
    /// Priority Least Used (0x40000003).
    PriorityLeastUsed {
        /** The load. */
        load: u32,
        /** What a selection adds. */
        degradation: u32,
    },
    /// Randomized Least Used (0x40000004).
    RandomizedLeastUsed {
        /** The load. */
        load: u32,
    },
    /// Randomized Least Used with Degradation (0xb0001002, private to RSPLIB).
    RandomizedLeastUsedDegradation {
        /** The load. */
        load: u32,
        /** What a selection adds. */
        degradation: u32,
    },
    /// Weighted Random with a delay penalty (0xb0002001, private to RSPLIB).
    WeightedRandomDpf {
        /** The weight. */
        weight: u32,
        /** The factor. */
        dpf: u32,
        /** The distance. */
        distance: u32,
    },
    /// Least Used with a delay penalty (0xb0002002, draft rserpool-delay).
    LeastUsedDpf {
        /** The load. */
        load: u32,
        /** The factor. */
        dpf: u32,
        /** The distance. */
        distance: u32,
    },
    /// A number whose layout we do not know: a private policy of somebody's own.
    Other {
        /// The number.
        kind: PolicyType,
        /// What follows it.
        data: Bytes,
    },
}
