//! The Pool Member Selection Policy parameter (RFC 5354 section 3.8, layouts in RFC 5356).

use bytes::Bytes;

use super::code_point::code_points;
use super::reader::{Fault, Reader, Tlv};
use super::writer::Writer;
use super::{EncodeError, ParameterType};

/// The number of a policy, known or not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
pub struct PolicyType(pub u32);

// The names are those that RSPLIB accepts on its command line. Numbers from 0xb0000000 on are private to it
// (reading A20).
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

/// A policy with the values of one element (RFC 5356).
///
/// Loads and load degradations are fractions of 0xffffffff (RFC 5356 section 2.2): 0 is idle, 0xffffffff
/// fully loaded. A delay penalty factor is such a fraction as well; a distance is in milliseconds (draft
/// rserpool-delay).
///
/// Non-exhaustive: RFC 5356 keeps a registry of policies, and half of these come from drafts and RSPLIB.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Policy {
    /// Round Robin (0x00000001).
    RoundRobin,
    /// Weighted Round Robin (0x00000002).
    WeightedRoundRobin {
        /** How often the element is selected in each round. */
        weight: u32,
    },
    /// Random (0x00000003).
    Random,
    /// Weighted Random (0x00000004).
    WeightedRandom {
        /** The share of the selections, in proportion to the other weights. */
        weight: u32,
    },
    /// Priority (0x00000005).
    Priority {
        /** The highest number is selected first. */
        priority: u32,
    },
    /// Least Used (0x40000001).
    LeastUsed {
        /** From 0 (idle) to 0xffffffff (fully loaded). */
        load: u32,
    },
    /// Least Used with Degradation (0x40000002).
    LeastUsedDegradation {
        /** From 0 (idle) to 0xffffffff (fully loaded). */
        load: u32,
        /** What one selection adds to the load, on the same scale. */
        degradation: u32,
    },
    /// Priority Least Used (0x40000003).
    PriorityLeastUsed {
        /** From 0 (idle) to 0xffffffff (fully loaded). */
        load: u32,
        /** What one selection adds to the load, on the same scale. */
        degradation: u32,
    },
    /// Randomized Least Used (0x40000004).
    RandomizedLeastUsed {
        /** From 0 (idle) to 0xffffffff (fully loaded). */
        load: u32,
    },
    /// Randomized Least Used with Degradation (0xb0001002, private to RSPLIB).
    RandomizedLeastUsedDegradation {
        /** From 0 (idle) to 0xffffffff (fully loaded). */
        load: u32,
        /** What one selection adds to the load, on the same scale. */
        degradation: u32,
    },
    /// Priority Least Used with Degradation (0xb0001003, private to RSPLIB).
    PriorityLeastUsedDegradation {
        /** From 0 (idle) to 0xffffffff (fully loaded). */
        load: u32,
        /** What one selection adds to the load, on the same scale. */
        degradation: u32,
    },
    /// Randomized Priority Least Used (0xb0001001, private to RSPLIB).
    RandomizedPriorityLeastUsed {
        /** From 0 (idle) to 0xffffffff (fully loaded). */
        load: u32,
        /** What one selection adds to the load, on the same scale. */
        degradation: u32,
    },
    /// Randomized Priority Least Used with Degradation (0xb0001004, private to RSPLIB).
    RandomizedPriorityLeastUsedDegradation {
        /** From 0 (idle) to 0xffffffff (fully loaded). */
        load: u32,
        /** What one selection adds to the load, on the same scale. */
        degradation: u32,
    },
    /// Weighted Random with a delay penalty (0xb0002001, private to RSPLIB).
    WeightedRandomDpf {
        /** The share of the selections, before the penalty. */
        weight: u32,
        /** The penalty for each millisecond of distance, as a fraction of 0xffffffff. */
        dpf: u32,
        /** In milliseconds. */
        distance: u32,
    },
    /// Least Used with a delay penalty (0xb0002002, draft rserpool-delay).
    LeastUsedDpf {
        /** From 0 (idle) to 0xffffffff (fully loaded). */
        load: u32,
        /** The penalty for each millisecond of distance, as a fraction of 0xffffffff. */
        dpf: u32,
        /** In milliseconds. */
        distance: u32,
    },
    /// Least Used with Degradation and a delay penalty (0xb0002003, private to RSPLIB).
    LeastUsedDegradationDpf {
        /** From 0 (idle) to 0xffffffff (fully loaded). */
        load: u32,
        /** What one selection adds to the load, on the same scale. */
        degradation: u32,
        /** The penalty for each millisecond of distance, as a fraction of 0xffffffff. */
        dpf: u32,
        /** In milliseconds. */
        distance: u32,
    },
    /// Priority Least Used with a delay penalty (0xb0002004, private to RSPLIB).
    PriorityLeastUsedDpf {
        /** From 0 (idle) to 0xffffffff (fully loaded). */
        load: u32,
        /** What one selection adds to the load, on the same scale. */
        degradation: u32,
        /** The penalty for each millisecond of distance, as a fraction of 0xffffffff. */
        dpf: u32,
        /** In milliseconds. */
        distance: u32,
    },
    /// Priority Least Used with Degradation and a delay penalty (0xb0002005, private to RSPLIB).
    PriorityLeastUsedDegradationDpf {
        /** From 0 (idle) to 0xffffffff (fully loaded). */
        load: u32,
        /** What one selection adds to the load, on the same scale. */
        degradation: u32,
        /** The penalty for each millisecond of distance, as a fraction of 0xffffffff. */
        dpf: u32,
        /** In milliseconds. */
        distance: u32,
    },
    /// A policy whose layout is not known here: somebody's private one.
    Other {
        /// The number of the policy.
        kind: PolicyType,
        /// What follows the number on the wire.
        data: Bytes,
    },
}

impl Policy {
    /// The same policy with another load; `None` if it has none.
    pub fn with_load(&self, load: u32) -> Option<Self> {
        let mut policy = self.clone();
        match &mut policy {
            Self::LeastUsed { load: present }
            | Self::LeastUsedDegradation { load: present, .. }
            | Self::PriorityLeastUsed { load: present, .. }
            | Self::RandomizedLeastUsed { load: present }
            | Self::RandomizedLeastUsedDegradation { load: present, .. }
            | Self::PriorityLeastUsedDegradation { load: present, .. }
            | Self::RandomizedPriorityLeastUsed { load: present, .. }
            | Self::RandomizedPriorityLeastUsedDegradation { load: present, .. }
            | Self::LeastUsedDpf { load: present, .. }
            | Self::LeastUsedDegradationDpf { load: present, .. }
            | Self::PriorityLeastUsedDpf { load: present, .. }
            | Self::PriorityLeastUsedDegradationDpf { load: present, .. } => *present = load,
            Self::RoundRobin
            | Self::WeightedRoundRobin { .. }
            | Self::Random
            | Self::WeightedRandom { .. }
            | Self::Priority { .. }
            | Self::WeightedRandomDpf { .. }
            | Self::Other { .. } => return None,
        }
        Some(policy)
    }
}

/// The meaning of a value of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PolicyField {
    /// The share of the selections, in proportion to the other weights.
    Weight,
    /// A priority; the larger one comes first.
    Priority,
    /// The present load, as a fraction of 0xffffffff.
    Load,
    /// What one selection adds to the load, as a fraction of 0xffffffff.
    Degradation,
    /// The penalty for each millisecond of distance, as a fraction of 0xffffffff.
    DelayPenaltyFactor,
    /// The distance to the element in milliseconds.
    Distance,
}

impl PolicyField {
    /// The name that the RFC or the draft uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Weight => "Weight",
            Self::Priority => "Priority",
            Self::Load => "Load",
            Self::Degradation => "Load Degradation",
            Self::DelayPenaltyFactor => "Delay Penalty Factor",
            Self::Distance => "Distance",
        }
    }

    /// Whether its 32 bits are a fraction between 0 and 1.
    pub const fn is_fraction(self) -> bool {
        matches!(self, Self::Load | Self::Degradation | Self::DelayPenaltyFactor)
    }
}

/// The most values that a layout has.
pub(super) const MAX_FIELDS: usize = 4;

impl PolicyType {
    /// Whether it is one of the two reserved numbers (RFC 5356 section 7.1).
    pub(super) const fn is_invalid(self) -> bool {
        matches!(self.0, 0x0 | 0x4000_0000)
    }

    /// The values that follow the number on the wire, 32 bits each; `None` if the layout is not known. The
    /// private layouts are those seen on the wire; 0xb0001001, 0xb0001002 and 0xb0001004 are assumed to be
    /// like 0xb0001003, and 0xb0002004 and 0xb0002005 like 0xb0002003 (reading A20).
    pub(super) const fn layout(self) -> Option<&'static [PolicyField]> {
        use PolicyField::{Degradation, DelayPenaltyFactor, Distance, Load, Priority, Weight};
        Some(match self {
            Self::ROUND_ROBIN | Self::RANDOM => &[],
            Self::WEIGHTED_ROUND_ROBIN | Self::WEIGHTED_RANDOM => &[Weight],
            Self::PRIORITY => &[Priority],
            Self::LEAST_USED | Self::RANDOMIZED_LEAST_USED => &[Load],
            Self::LEAST_USED_DEGRADATION
            | Self::PRIORITY_LEAST_USED
            | Self::RANDOMIZED_PRIORITY_LEAST_USED
            | Self::RANDOMIZED_LEAST_USED_DEGRADATION
            | Self::PRIORITY_LEAST_USED_DEGRADATION
            | Self::RANDOMIZED_PRIORITY_LEAST_USED_DEGRADATION => &[Load, Degradation],
            Self::WEIGHTED_RANDOM_DPF => &[Weight, DelayPenaltyFactor, Distance],
            Self::LEAST_USED_DPF => &[Load, DelayPenaltyFactor, Distance],
            Self::LEAST_USED_DEGRADATION_DPF
            | Self::PRIORITY_LEAST_USED_DPF
            | Self::PRIORITY_LEAST_USED_DEGRADATION_DPF => &[Load, Degradation, DelayPenaltyFactor, Distance],
            _ => return None,
        })
    }

    /// Whether its layout is assumed, because it was not seen on the wire yet.
    const fn layout_is_guessed(self) -> bool {
        matches!(
            self,
            Self::RANDOMIZED_PRIORITY_LEAST_USED
                | Self::RANDOMIZED_LEAST_USED_DEGRADATION
                | Self::RANDOMIZED_PRIORITY_LEAST_USED_DEGRADATION
                | Self::PRIORITY_LEAST_USED_DPF
                | Self::PRIORITY_LEAST_USED_DEGRADATION_DPF
        )
    }
}

impl Policy {
    /// The number of this policy.
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
            Self::RandomizedPriorityLeastUsed { .. } => PolicyType::RANDOMIZED_PRIORITY_LEAST_USED,
            Self::RandomizedPriorityLeastUsedDegradation { .. } => {
                PolicyType::RANDOMIZED_PRIORITY_LEAST_USED_DEGRADATION
            }
            Self::WeightedRandomDpf { .. } => PolicyType::WEIGHTED_RANDOM_DPF,
            Self::LeastUsedDpf { .. } => PolicyType::LEAST_USED_DPF,
            Self::LeastUsedDegradationDpf { .. } => PolicyType::LEAST_USED_DEGRADATION_DPF,
            Self::PriorityLeastUsedDpf { .. } => PolicyType::PRIORITY_LEAST_USED_DPF,
            Self::PriorityLeastUsedDegradationDpf { .. } => PolicyType::PRIORITY_LEAST_USED_DEGRADATION_DPF,
            Self::Other { kind, .. } => *kind,
        }
    }

    /// The name that RSPLIB uses, without values; "unknown" if there is none.
    pub const fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// The same policy at another distance, in milliseconds; unchanged if the policy has no distance. A
    /// registrar that has measured the delay to an element lists the element like this (draft rserpool-delay
    /// section 2.2), rounded by [`crate::policy::distance`].
    #[must_use]
    pub fn at_distance(mut self, to: u32) -> Self {
        if let Self::WeightedRandomDpf { distance, .. }
        | Self::LeastUsedDpf { distance, .. }
        | Self::LeastUsedDegradationDpf { distance, .. }
        | Self::PriorityLeastUsedDpf { distance, .. }
        | Self::PriorityLeastUsedDegradationDpf { distance, .. } = &mut self
        {
            *distance = to;
        }
        self
    }

    /// The values with their meaning, in the order of the wire; none if the layout is not known.
    pub fn values(&self) -> impl Iterator<Item = (PolicyField, u32)> {
        let fields = self.kind().layout().unwrap_or_default();
        fields.iter().copied().zip(self.numbers())
    }

    /// Reads the parameter. A known policy must have the length of its layout; if that layout is assumed, a
    /// policy of another length counts as unknown.
    pub(super) fn read(reader: &mut Reader<'_>, tlv: &Tlv) -> Result<Self, Fault> {
        let mut inner = reader.enter(tlv);
        let kind = PolicyType(inner.u32("Policy Type")?);
        if kind.is_invalid() {
            return Err(inner.bad_value("Policy Type"));
        }
        let fits = |layout: &[PolicyField]| tlv.end - tlv.at == Tlv::HEADER + 4 * (1 + layout.len());
        let layout = kind.layout().filter(|layout| !kind.layout_is_guessed() || fits(layout));
        let Some(layout) = layout else {
            return Ok(Self::Other { kind, data: inner.rest() });
        };
        let mut numbers = [0; MAX_FIELDS];
        for (number, field) in numbers.iter_mut().zip(layout) {
            *number = inner.u32(field.name())?;
        }
        inner.end_of_fields("policy")?;
        Ok(Self::known(kind, numbers).unwrap_or(Self::Other { kind, data: Bytes::new() }))
    }

    /// Reads the parameter if it follows and its layout is known; returns it with the octets after it.
    pub(super) fn plain(octets: &[u8]) -> Option<(Self, &[u8])> {
        let (&[0, 8, high, low, a, b, c, d], octets) = octets.split_first_chunk()? else { return None };
        let kind = PolicyType(u32::from_be_bytes([a, b, c, d]));
        let fields = kind.layout()?.len();
        if usize::from(u16::from_be_bytes([high, low])) != 8 + 4 * fields {
            return None;
        }
        let (values, octets) = octets.split_at_checked(4 * fields)?;
        let mut numbers = [0; MAX_FIELDS];
        for (number, value) in numbers.iter_mut().zip(values.as_chunks().0) {
            *number = u32::from_be_bytes(*value);
        }
        Some((Self::known(kind, numbers)?, octets))
    }

    /// Takes the parameter if it follows.
    pub(super) fn take(reader: &mut Reader<'_>) -> Result<Option<Self>, Fault> {
        match reader.take(ParameterType::POLICY)? {
            Some(tlv) => Self::read(reader, &tlv).map(Some),
            None => Ok(None),
        }
    }

    pub(super) fn write(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        writer.parameter(ParameterType::POLICY, |w| {
            let kind = self.kind();
            w.u32(kind.0);
            match self {
                Self::Other { data, .. } => w.octets(data),
                known => {
                    let numbers = known.numbers().map(u32::to_be_bytes);
                    let fields = kind.layout().unwrap_or_default().len();
                    w.octets(numbers.get(..fields).unwrap_or_default().as_flattened());
                }
            }
            Ok(())
        })
    }

    /// The policy of this kind with these numbers, as [`PolicyType::layout`] orders them; `None`
    /// if its layout is not known.
    pub(super) const fn known(kind: PolicyType, numbers: [u32; MAX_FIELDS]) -> Option<Self> {
        let [a, b, c, d] = numbers;
        Some(match kind {
            PolicyType::ROUND_ROBIN => Self::RoundRobin,
            PolicyType::WEIGHTED_ROUND_ROBIN => Self::WeightedRoundRobin { weight: a },
            PolicyType::RANDOM => Self::Random,
            PolicyType::WEIGHTED_RANDOM => Self::WeightedRandom { weight: a },
            PolicyType::PRIORITY => Self::Priority { priority: a },
            PolicyType::LEAST_USED => Self::LeastUsed { load: a },
            PolicyType::LEAST_USED_DEGRADATION => Self::LeastUsedDegradation { load: a, degradation: b },
            PolicyType::PRIORITY_LEAST_USED => Self::PriorityLeastUsed { load: a, degradation: b },
            PolicyType::RANDOMIZED_LEAST_USED => Self::RandomizedLeastUsed { load: a },
            PolicyType::RANDOMIZED_LEAST_USED_DEGRADATION => {
                Self::RandomizedLeastUsedDegradation { load: a, degradation: b }
            }
            PolicyType::PRIORITY_LEAST_USED_DEGRADATION => {
                Self::PriorityLeastUsedDegradation { load: a, degradation: b }
            }
            PolicyType::RANDOMIZED_PRIORITY_LEAST_USED => {
                Self::RandomizedPriorityLeastUsed { load: a, degradation: b }
            }
            PolicyType::RANDOMIZED_PRIORITY_LEAST_USED_DEGRADATION => {
                Self::RandomizedPriorityLeastUsedDegradation { load: a, degradation: b }
            }
            PolicyType::WEIGHTED_RANDOM_DPF => Self::WeightedRandomDpf { weight: a, dpf: b, distance: c },
            PolicyType::LEAST_USED_DPF => Self::LeastUsedDpf { load: a, dpf: b, distance: c },
            PolicyType::LEAST_USED_DEGRADATION_DPF => {
                Self::LeastUsedDegradationDpf { load: a, degradation: b, dpf: c, distance: d }
            }
            PolicyType::PRIORITY_LEAST_USED_DPF => {
                Self::PriorityLeastUsedDpf { load: a, degradation: b, dpf: c, distance: d }
            }
            PolicyType::PRIORITY_LEAST_USED_DEGRADATION_DPF => {
                Self::PriorityLeastUsedDegradationDpf { load: a, degradation: b, dpf: c, distance: d }
            }
            _ => return None,
        })
    }

    /// The inverse of [`Policy::known`]; missing values are zero.
    const fn numbers(&self) -> [u32; MAX_FIELDS] {
        match *self {
            Self::RoundRobin | Self::Random | Self::Other { .. } => [0; MAX_FIELDS],
            Self::WeightedRoundRobin { weight: a }
            | Self::WeightedRandom { weight: a }
            | Self::Priority { priority: a }
            | Self::LeastUsed { load: a }
            | Self::RandomizedLeastUsed { load: a } => [a, 0, 0, 0],
            Self::LeastUsedDegradation { load: a, degradation: b }
            | Self::PriorityLeastUsed { load: a, degradation: b }
            | Self::RandomizedLeastUsedDegradation { load: a, degradation: b }
            | Self::PriorityLeastUsedDegradation { load: a, degradation: b }
            | Self::RandomizedPriorityLeastUsed { load: a, degradation: b }
            | Self::RandomizedPriorityLeastUsedDegradation { load: a, degradation: b } => [a, b, 0, 0],
            Self::WeightedRandomDpf { weight: a, dpf: b, distance: c }
            | Self::LeastUsedDpf { load: a, dpf: b, distance: c } => [a, b, c, 0],
            Self::LeastUsedDegradationDpf { load: a, degradation: b, dpf: c, distance: d }
            | Self::PriorityLeastUsedDpf { load: a, degradation: b, dpf: c, distance: d }
            | Self::PriorityLeastUsedDegradationDpf { load: a, degradation: b, dpf: c, distance: d } => {
                [a, b, c, d]
            }
        }
    }
}

/// Values that can be encoded, for fuzzers.
#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for Policy {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        let kind = if u.ratio(1, 8)? { PolicyType(u.arbitrary()?) } else { *u.choose(PolicyType::KNOWN)? };
        match kind.layout() {
            None if kind.is_invalid() => Ok(Self::RoundRobin),
            Some(layout) => {
                let mut numbers = [0; MAX_FIELDS];
                for (number, _) in numbers.iter_mut().zip(layout) {
                    *number = u.arbitrary()?;
                }
                Self::known(kind, numbers).ok_or(arbitrary::Error::IncorrectFormat)
            }
            None => Ok(Self::Other { kind, data: super::generate::octets(u)? }),
        }
    }
}
