//! Policies as text: RSPLIB's names, with values after colons.
//!
//! Examples are `WeightedRoundRobin:3`, `Priority:5`, `LeastUsedDegradation:0.2` and `LeastUsedDPF:0.3`.
//! Configured values follow the name in a fixed order. Measured values, load and distance, have a label, and
//! are left out when they are zero: `LeastUsed:load=0.25`. Loads, degradations and delay penalty factors are
//! fractions from 0 to 1. Text and policy convert into each other without loss, except for policies whose
//! layout is not known: they can be displayed but not parsed.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::policy::MAX_FIELDS;
use super::{Policy, PolicyField, PolicyType};

/// Why a text is not a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParsePolicyError {
    /// No policy has this name.
    #[error("there is no policy \"{0}\": write one of {list}", list = usages())]
    Name(String),
    /// The name is not followed by the values that it needs.
    #[error("write the policy as {usage}")]
    Count {
        /// The name with its values.
        usage: String,
    },
    /// A value is not a number of the right kind.
    #[error(
        "\"{text}\" is not a {}: {}", field.name(),
        if field.is_fraction() { "write a fraction from 0 to 1" } else { "write a number from 0 to 4294967295" }
    )]
    Value {
        /// The value as it was written.
        text: String,
        /// The kind of number that is expected.
        field: PolicyField,
    },
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Other { kind, .. } = self {
            return write!(f, "{kind}");
        }
        f.write_str(self.name())?;
        for (field, value) in self.values() {
            match label(field) {
                Some(_) if value == 0 => continue,
                Some(label) => write!(f, ":{label}")?,
                None => f.write_str(":")?,
            }
            if field.is_fraction() { write!(f, "{}", Fraction(value))? } else { write!(f, "{value}")? }
        }
        Ok(())
    }
}

impl FromStr for Policy {
    type Err = ParsePolicyError;

    fn from_str(text: &str) -> Result<Self, ParsePolicyError> {
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        let unknown = || ParsePolicyError::Name(name.to_string());
        let kind = *PolicyType::KNOWN.iter().find(|kind| kind.name() == name).ok_or_else(unknown)?;
        let layout = kind.layout().ok_or_else(unknown)?;
        let wrong_count = || ParsePolicyError::Count { usage: usage(kind, layout) };

        let mut numbers = [0; MAX_FIELDS];
        let mut configured = layout.iter().enumerate().filter(|(_, field)| label(**field).is_none());
        for part in parts {
            let measured = layout
                .iter()
                .enumerate()
                .find_map(|(i, field)| part.strip_prefix(label(*field)?).map(|value| (i, field, value)));
            let (i, field, value) = match measured {
                Some(found) => found,
                None => configured.next().map(|(i, field)| (i, field, part)).ok_or_else(wrong_count)?,
            };
            if let Some(number) = numbers.get_mut(i) {
                *number = parse(*field, value)?;
            }
        }
        if configured.next().is_some() {
            return Err(wrong_count());
        }
        Self::known(kind, numbers).ok_or_else(unknown)
    }
}

/// The label of a measured value; `None` for a configured value.
const fn label(field: PolicyField) -> Option<&'static str> {
    match field {
        PolicyField::Load => Some("load="),
        PolicyField::Distance => Some("distance="),
        _ => None,
    }
}

fn parse(field: PolicyField, text: &str) -> Result<u32, ParsePolicyError> {
    let value =
        if field.is_fraction() { text.parse().ok().map(|Fraction(value)| value) } else { text.parse().ok() };
    value.ok_or_else(|| ParsePolicyError::Value { text: text.to_string(), field })
}

impl PolicyType {
    /// How a policy of this type is written, with words for its values: `WeightedRoundRobin:weight`. `None` if its
    /// values are not known.
    pub fn usage(self) -> Option<String> {
        Some(usage(self, self.layout()?))
    }
}

/// All policies that can be parsed.
fn usages() -> String {
    let usages: Vec<String> = PolicyType::KNOWN.iter().filter_map(|kind| kind.usage()).collect();
    usages.join(", ")
}

fn usage(kind: PolicyType, layout: &[PolicyField]) -> String {
    let values = layout.iter().map(|field| match field {
        PolicyField::Weight => ":weight",
        PolicyField::Priority => ":priority",
        PolicyField::Degradation => ":degradation",
        PolicyField::DelayPenaltyFactor => ":dpf",
        PolicyField::Load | PolicyField::Distance => "",
    });
    format!("{}{}", kind.name(), values.collect::<String>())
}

/// A fraction of 0xffffffff as a decimal number from 0 to 1.
///
/// Reading rounds down, as RSPLIB does: 0.3 is 0x4ccccccc. Writing gives the shortest number that is read as
/// the same fraction. All arithmetic is on whole numbers, so the result is the same on every machine.
pub(super) struct Fraction(pub(super) u32);

/// Enough digits to tell any two fractions of 32 bits apart.
const MAX_DIGITS: u32 = 10;

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, one) = (u128::from(self.0), u128::from(u32::MAX));
        for digits in 0..=MAX_DIGITS {
            let scale = 10_u128.pow(digits);
            let decimal = (scale * value).div_ceil(one);
            if decimal * one / scale != value {
                continue;
            }
            write!(f, "{}", decimal / scale)?;
            if digits > 0 {
                write!(f, ".{:0width$}", decimal % scale, width = digits as usize)?;
            }
            return Ok(());
        }
        write!(f, "{:#010x}", self.0)
    }
}

impl FromStr for Fraction {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        /// More digits could overflow, and would not change the result.
        const LONGEST: usize = 20;
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|c| c.is_ascii_digit());
        if text.len() > LONGEST || whole.is_empty() || !digits(whole) || !digits(decimals) {
            return Err(());
        }
        let scale = 10_u128.pow(decimals.len() as u32);
        let decimal: u128 = format!("{whole}{decimals}").parse().map_err(|_| ())?;
        u32::try_from(decimal * u128::from(u32::MAX) / scale).map(Self).map_err(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// POL-3.1-01: 0 is idle, 1 is fully loaded.
    #[test]
    fn names_and_values() {
        let cases = [
            ("RoundRobin", Policy::RoundRobin),
            ("WeightedRoundRobin:3", Policy::WeightedRoundRobin { weight: 3 }),
            ("Random", Policy::Random),
            ("WeightedRandom:7", Policy::WeightedRandom { weight: 7 }),
            ("Priority:5", Policy::Priority { priority: 5 }),
            ("LeastUsed", Policy::LeastUsed { load: 0 }),
            ("LeastUsed:load=1", Policy::LeastUsed { load: u32::MAX }),
            ("LeastUsedDegradation:0.2", Policy::LeastUsedDegradation { load: 0, degradation: 0x3333_3333 }),
            ("PriorityLeastUsed:0.4", Policy::PriorityLeastUsed { load: 0, degradation: 0x6666_6666 }),
            ("RandomizedLeastUsed:load=0.5", Policy::RandomizedLeastUsed { load: 0x7fff_ffff }),
            (
                "WeightedRandomDPF:5:0.25:distance=40",
                Policy::WeightedRandomDpf { weight: 5, dpf: 0x3fff_ffff, distance: 40 },
            ),
            ("LeastUsedDPF:0.3", Policy::LeastUsedDpf { load: 0, dpf: 0x4ccc_cccc, distance: 0 }),
            (
                "LeastUsedDegradationDPF:load=0.1:0.2:0.3:distance=9",
                Policy::LeastUsedDegradationDpf {
                    load: 0x1999_9999,
                    degradation: 0x3333_3333,
                    dpf: 0x4ccc_cccc,
                    distance: 9,
                },
            ),
        ];
        for (text, policy) in cases {
            assert_eq!(text.parse(), Ok(policy.clone()));
            assert_eq!(policy.to_string(), text);
        }
    }

    #[test]
    fn errors_say_what_to_write() {
        let error = |text: &str| text.parse::<Policy>().expect_err(text).to_string();
        let list = error("roundrobin");
        assert!(list.starts_with(
            "there is no policy \"roundrobin\": write one of RoundRobin, WeightedRoundRobin:weight, Random, "
        ));
        assert_eq!(error("Priority"), "write the policy as Priority:priority");
        assert_eq!(error("RoundRobin:1"), "write the policy as RoundRobin");
        assert_eq!(
            error("LeastUsedDegradation:0.1:2"),
            "write the policy as LeastUsedDegradation:degradation"
        );
        assert_eq!(
            error("LeastUsedDegradation:1.01"),
            "\"1.01\" is not a Load Degradation: write a fraction from 0 to 1"
        );
        assert_eq!(error("WeightedRandom:-1"), "\"-1\" is not a Weight: write a number from 0 to 4294967295");
        for text in ["LeastUsed:load=", "LeastUsed:load=.5", "LeastUsed:load=1e3", "LeastUsed:load=0.٣", ""]
        {
            assert!(text.parse::<Policy>().is_err(), "{text}");
        }
    }

    /// POL-3.1-01: a load is a fraction of 0xffffffff.
    #[test]
    fn fractions_convert_without_loss() {
        let edges = [0, 1, 2, 3, 0x1999_9999, 0x7fff_ffff, 0x8000_0000, u32::MAX - 1, u32::MAX];
        for value in edges.into_iter().chain((0..1000).map(|i| i * 4_294_967)) {
            let text = Fraction(value).to_string();
            assert_eq!(text.parse::<Fraction>().map(|f| f.0), Ok(value), "{text}");
        }
    }
}
