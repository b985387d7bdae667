//! The Pool Member Selection Policy parameter (RFC 5354 section 3.8, layouts in RFC 5356).

use bytes::Bytes;

use super::code_point::code_points;
use super::reader::{Reader, Tlv};
use super::writer::Writer;
use super::{DecodeError, EncodeError, ParameterType};

/// The number of a policy, known or not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct PolicyType(pub u32);

// The names are those that RSPLIB takes on its command line; numbers from 0xb0000000 on are
// private to it (`ambiguities` A20).
code_points!(PolicyType, "{:#010x}", {
    ROUND_ROBIN = 0x1 => "RoundRobin",
    WEIGHTED_ROUND_ROBIN = 0x2 => "WeightedRoundRobin",
    RANDOM = 0x3 => "Random",
    WEIGHTED_RANDOM = 0x4 => "WeightedRandom",
    PRIORITY = 0x5 => "Priority",
    LEAST_USED = 0x4000_0001 => "LeastUsed",
    LEAST_USED_DEGRADATION = 0x4000_0002 => "LeastUsedDegradation",
    PRIORITY_LEAST_USED = 0x4000_0003 => "PriorityLeastUsed",
    RANDOMIZED_LEAST_USED = 0x4000_0004 => "RandomizedLeastUsed",
    RANDOMIZED_PRIORITY_LEAST_USED = 0xb000_1001 => "RandomizedPriorityLeastUsed",
    RANDOMIZED_LEAST_USED_DEGRADATION = 0xb000_1002 => "RandomizedLeastUsedDegradation",
    PRIORITY_LEAST_USED_DEGRADATION = 0xb000_1003 => "PriorityLeastUsedDegradation",
    RANDOMIZED_PRIORITY_LEAST_USED_DEGRADATION = 0xb000_1004 => "RandomizedPriorityLeastUsedDegradation",
    WEIGHTED_RANDOM_DPF = 0xb000_2001 => "WeightedRandomDPF",
    LEAST_USED_DPF = 0xb000_2002 => "LeastUsedDPF",
    LEAST_USED_DEGRADATION_DPF = 0xb000_2003 => "LeastUsedDegradationDPF",
    PRIORITY_LEAST_USED_DPF = 0xb000_2004 => "PriorityLeastUsedDPF",
    PRIORITY_LEAST_USED_DEGRADATION_DPF = 0xb000_2005 => "PriorityLeastUsedDegradationDPF",
});

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
    /// Priority Least Used with Degradation (0xb0001003, private to RSPLIB).
    PriorityLeastUsedDegradation {
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
    /// Least Used with Degradation and a delay penalty (0xb0002003, private to RSPLIB).
    LeastUsedDegradationDpf {
        /** The load. */
        load: u32,
        /** What a selection adds. */
        degradation: u32,
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

impl Policy {
    /// Its number.
    pub const fn kind(&self) -> PolicyType {
        match self {
            Self::RoundRobin => PolicyType::ROUND_ROBIN,
            Self::WeightedRoundRobin { .. } => PolicyType::WEIGHTED_ROUND_ROBIN,
            Self::Random => PolicyType::RANDOM,
            Self::WeightedRandom { .. } => PolicyType::WEIGHTED_RANDOM,
            Self::Priority { .. } => PolicyType::PRIORITY,
            Self::LeastUsed { .. } => PolicyType::LEAST_USED,
            Self::LeastUsedDegradation { .. } => PolicyType::LEAST_USED_DEGRADATION,
            Self::PriorityLeastUsed { .. } => PolicyType::PRIORITY_LEAST_USED,
            Self::RandomizedLeastUsed { .. } => PolicyType::RANDOMIZED_LEAST_USED,
            Self::RandomizedLeastUsedDegradation { .. } => PolicyType::RANDOMIZED_LEAST_USED_DEGRADATION,
            Self::PriorityLeastUsedDegradation { .. } => PolicyType::PRIORITY_LEAST_USED_DEGRADATION,
            Self::WeightedRandomDpf { .. } => PolicyType::WEIGHTED_RANDOM_DPF,
            Self::LeastUsedDpf { .. } => PolicyType::LEAST_USED_DPF,
            Self::LeastUsedDegradationDpf { .. } => PolicyType::LEAST_USED_DEGRADATION_DPF,
            Self::Other { kind, .. } => *kind,
        }
    }

    /// Its name as RSPLIB knows it, without values; "unknown" if it has none.
    pub const fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// Reads the parameter. A policy that is known must have the length of its layout.
    pub(super) fn read(reader: &mut Reader<'_>, tlv: &Tlv) -> Result<Self, DecodeError> {
        let mut r = reader.enter(tlv);
        let kind = PolicyType(r.u32("Policy Type")?);
        let policy = match kind {
            PolicyType::ROUND_ROBIN => Self::RoundRobin,
            PolicyType::WEIGHTED_ROUND_ROBIN => Self::WeightedRoundRobin { weight: r.u32("Weight")? },
            PolicyType::RANDOM => Self::Random,
            PolicyType::WEIGHTED_RANDOM => Self::WeightedRandom { weight: r.u32("Weight")? },
            PolicyType::PRIORITY => Self::Priority { priority: r.u32("Priority")? },
            PolicyType::LEAST_USED => Self::LeastUsed { load: r.u32("Load")? },
            PolicyType::LEAST_USED_DEGRADATION => {
                Self::LeastUsedDegradation { load: r.u32("Load")?, degradation: r.u32("Load Degradation")? }
            }
            PolicyType::PRIORITY_LEAST_USED => {
                Self::PriorityLeastUsed { load: r.u32("Load")?, degradation: r.u32("Load Degradation")? }
            }
            PolicyType::RANDOMIZED_LEAST_USED => Self::RandomizedLeastUsed { load: r.u32("Load")? },
            PolicyType::RANDOMIZED_LEAST_USED_DEGRADATION => Self::RandomizedLeastUsedDegradation {
                load: r.u32("Load")?,
                degradation: r.u32("Load Degradation")?,
            },
            PolicyType::PRIORITY_LEAST_USED_DEGRADATION => Self::PriorityLeastUsedDegradation {
                load: r.u32("Load")?,
                degradation: r.u32("Load Degradation")?,
            },
            PolicyType::WEIGHTED_RANDOM_DPF => Self::WeightedRandomDpf {
                weight: r.u32("Weight")?,
                dpf: r.u32("Weight DPF")?,
                distance: r.u32("Distance")?,
            },
            PolicyType::LEAST_USED_DPF => Self::LeastUsedDpf {
                load: r.u32("Load")?,
                dpf: r.u32("Load DPF")?,
                distance: r.u32("Distance")?,
            },
            PolicyType::LEAST_USED_DEGRADATION_DPF => Self::LeastUsedDegradationDpf {
                load: r.u32("Load")?,
                degradation: r.u32("Load Degradation")?,
                dpf: r.u32("Load DPF")?,
                distance: r.u32("Distance")?,
            },
            _ => Self::Other { kind, data: r.rest() },
        };
        r.end_of_fields("policy")?;
        Ok(policy)
    }

    /// Takes the parameter if it follows.
    pub(super) fn take(reader: &mut Reader<'_>) -> Result<Option<Self>, DecodeError> {
        match reader.take(ParameterType::POLICY)? {
            Some(tlv) => Self::read(reader, &tlv).map(Some),
            None => Ok(None),
        }
    }

    pub(super) fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.parameter(ParameterType::POLICY, |w| {
            w.u32(self.kind().0);
            match self {
                Self::RoundRobin | Self::Random => {}
                Self::WeightedRoundRobin { weight: value }
                | Self::WeightedRandom { weight: value }
                | Self::Priority { priority: value }
                | Self::LeastUsed { load: value }
                | Self::RandomizedLeastUsed { load: value } => w.u32(*value),
                Self::LeastUsedDegradation { load, degradation }
                | Self::PriorityLeastUsed { load, degradation }
                | Self::RandomizedLeastUsedDegradation { load, degradation }
                | Self::PriorityLeastUsedDegradation { load, degradation } => {
                    w.u32(*load);
                    w.u32(*degradation);
                }
                Self::WeightedRandomDpf { weight: value, dpf, distance }
                | Self::LeastUsedDpf { load: value, dpf, distance } => {
                    w.u32(*value);
                    w.u32(*dpf);
                    w.u32(*distance);
                }
                Self::LeastUsedDegradationDpf { load, degradation, dpf, distance } => {
                    w.u32(*load);
                    w.u32(*degradation);
                    w.u32(*dpf);
                    w.u32(*distance);
                }
                Self::Other { data, .. } => w.octets(data),
            }
            Ok(())
        })
    }
}
