//! The types of single values, each read in the same way from a flag and from a TOML file; addresses are in
//! `places`.

use std::fmt;
use std::net::IpAddr;
use std::os::unix::ffi::OsStringExt;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use clap::builder::{OsStringValueParser, TypedValueParser, ValueParser};
use rserpool_core::base::{ElementId, PoolHandle, RegistrarId};
use rserpool_core::policy::Counting;
use rserpool_core::registrar::TakeoverWinner;
use rserpool_core::user::CardUse;
use rserpool_core::wire::{LifeUnit, Padding, Policy, RegistrationLife};
use rserpool_driver::Preset;

/// A duration with its unit: `250ms`, `5s`, `1m 30s`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Time(pub(crate) Duration);

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        humantime::parse_duration(text)
            .map(Self)
            .map_err(|_| format!("\"{text}\" is not a duration: write 250ms, 5s or 2m"))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", humantime::format_duration(self.0))
    }
}

impl From<Time> for Duration {
    fn from(time: Time) -> Self {
        time.0
    }
}

impl From<Time> for Option<Duration> {
    fn from(time: Time) -> Self {
        Some(time.0)
    }
}

/// A registration life: a duration of whole seconds, or `infinite`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Life(RegistrationLife);

impl FromStr for Life {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "infinite" {
            return Ok(Self(RegistrationLife::INFINITE));
        }
        let duration = Time::from_str(text)?.0;
        match i32::try_from(duration.as_secs()) {
            Ok(seconds) if duration.subsec_nanos() == 0 => Ok(Self(RegistrationLife(seconds))),
            _ => Err(format!(
                "\"{text}\" is not a registration life: write whole seconds below 68 years, or infinite"
            )),
        }
    }
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.duration() {
            Some(duration) => Time(duration).fmt(f),
            None => f.write_str("infinite"),
        }
    }
}

impl From<RegistrationLife> for Life {
    fn from(life: RegistrationLife) -> Self {
        Self(life)
    }
}

impl From<Life> for RegistrationLife {
    fn from(life: Life) -> Self {
        life.0
    }
}

/// An identifier of 32 bits, `0x2001` or decimal, not zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Id(pub(crate) u32);

impl FromStr for Id {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => text.parse(),
        };
        match number {
            Ok(0) => Err("0 means no identifier: write 0x1 to 0xffffffff, or decimal digits".into()),
            Ok(number) => Ok(Self(number)),
            Err(_) => {
                Err(format!("\"{text}\" is not an identifier: write 0x1 to 0xffffffff, or decimal digits"))
            }
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl From<Id> for Option<RegistrarId> {
    fn from(id: Id) -> Self {
        Some(RegistrarId(id.0))
    }
}

impl From<Id> for Option<ElementId> {
    fn from(id: Id) -> Self {
        Some(ElementId(id.0))
    }
}

/// A policy by its name, with its values after colons: `WeightedRoundRobin:3`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PolicyText(pub(crate) Policy);

impl FromStr for PolicyText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Policy::from_str(text).map(Self).map_err(|error| error.to_string())
    }
}

impl fmt::Display for PolicyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<PolicyText> for Policy {
    fn from(text: PolicyText) -> Self {
        text.0
    }
}

/// The name of a pool: any octets, as many as a pool handle may have. On the command line it need not be text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PoolName(PoolHandle);

impl PoolName {
    fn new(octets: Vec<u8>) -> Result<Self, String> {
        match octets.len() {
            0 => Err("a pool needs a name".into()),
            length if length > PoolHandle::MAX_OCTETS => {
                let most = PoolHandle::MAX_OCTETS;
                Err(format!("the name of a pool has at most {most} octets, and this one has {length}"))
            }
            _ => Ok(Self(PoolHandle::new(octets))),
        }
    }
}

impl fmt::Display for PoolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for PoolName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::new(name.into())
    }
}

impl From<PoolName> for PoolHandle {
    fn from(name: PoolName) -> Self {
        name.0
    }
}

impl Named for PoolName {
    const NAME: &'static str = "NAME";

    fn parser() -> ValueParser {
        OsStringValueParser::new().try_map(|name| Self::new(name.into_vec())).into()
    }
}

/// How often to try; 0 means forever.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Attempts(pub(crate) u32);

impl FromStr for Attempts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        number(text).map(Self)
    }
}

impl From<Attempts> for Option<u32> {
    fn from(attempts: Attempts) -> Self {
        (attempts.0 != 0).then_some(attempts.0)
    }
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Switch(pub(crate) bool);

impl FromStr for Switch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "yes" | "true" | "on" | "1" => Ok(Self(true)),
            "no" | "false" | "off" | "0" => Ok(Self(false)),
            _ => Err(format!("\"{text}\" is neither yes nor no: write one of them")),
        }
    }
}

impl From<Switch> for bool {
    fn from(switch: Switch) -> Self {
        switch.0
    }
}

/// Which timers and limits to start from.
#[derive(Clone, Copy, Debug, Default, PartialEq, ValueEnum)]
pub(crate) enum PresetName {
    /// The RFCs' own values, for any network.
    #[default]
    Rfc,
    /// For a LAN: failures are noticed, and sessions moved, within 500 ms.
    Fast,
    /// For one rack, where packets take well below a millisecond: the same within about 50 ms.
    Rack,
}

impl fmt::Display for PresetName {
    /// As it is written in settings.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rfc => "rfc",
            Self::Fast => "fast",
            Self::Rack => "rack",
        })
    }
}

impl From<PresetName> for Preset {
    fn from(name: PresetName) -> Self {
        match name {
            PresetName::Rfc => Self::Rfc,
            PresetName::Fast => Self::Fast,
            PresetName::Rack => Self::Rack,
        }
    }
}

/// Whether the padding of the last parameter counts in the length of a message.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(crate) enum PaddingForm {
    /// It does not, as RFC 5354 says.
    Strict,
    /// It does, as RSPLIB expects.
    Padded,
}

impl From<PaddingForm> for Padding {
    fn from(form: PaddingForm) -> Self {
        match form {
            PaddingForm::Strict => Self::Strict,
            PaddingForm::Padded => Self::Padded,
        }
    }
}

/// Which elements of a business card a failover tries before others.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(crate) enum CardsName {
    /// All.
    Any,
    /// Those that a registrar has listed, too.
    Listed,
}

impl From<CardsName> for CardUse {
    fn from(name: CardsName) -> Self {
        match name {
            CardsName::Any => Self::Any,
            CardsName::Listed => Self::Listed,
        }
    }
}

/// Which of two registrars that want to take over the same peer goes on.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(crate) enum WinnerName {
    /// The one with the larger identifier, as RFC 5353 has it.
    LargerId,
    /// The one with the smaller identifier, as RSPLIB has it.
    SmallerId,
}

impl From<WinnerName> for TakeoverWinner {
    fn from(name: WinnerName) -> Self {
        match name {
            WinnerName::LargerId => Self::LargerId,
            WinnerName::SmallerId => Self::SmallerId,
        }
    }
}

/// The unit of registration lives on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, ValueEnum)]
pub(crate) enum LifeUnitName {
    /// As RFC 5354 has it.
    #[default]
    Seconds,
    /// As RSPLIB has it.
    Milliseconds,
}

impl From<LifeUnitName> for LifeUnit {
    fn from(name: LifeUnitName) -> Self {
        match name {
            LifeUnitName::Seconds => Self::Seconds,
            LifeUnitName::Milliseconds => Self::Milliseconds,
        }
    }
}

/// Which elements of an answer count as selected for load degradation.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(crate) enum CountingName {
    /// All that are listed, as RFC 5356 says.
    Listed,
    /// Only the first, as RSPLIB does.
    First,
}

impl From<CountingName> for Counting {
    fn from(name: CountingName) -> Self {
        match name {
            CountingName::Listed => Self::Listed,
            CountingName::First => Self::First,
        }
    }
}

/// A type of values: its placeholder in the help, and how a text is read, wherever it stands.
pub(crate) trait Named {
    const NAME: &'static str;

    fn parser() -> ValueParser;
}

impl<T: Named> Named for Vec<T> {
    const NAME: &'static str = T::NAME;

    fn parser() -> ValueParser {
        T::parser()
    }
}

/// Types that are read by a function.
macro_rules! named {
    ($($name:literal: $($ty:ty = $read:expr),+;)+) => {$($(
        impl $crate::settings::Named for $ty {
            const NAME: &'static str = $name;

            fn parser() -> clap::builder::ValueParser {
                clap::builder::ValueParser::new(|text: &str| -> Result<$ty, String> { $read(text) })
            }
        }
    )+)+};
}
pub(super) use named;
named! {
    "TIME": Time = str::parse;
    "TIME|infinite": Life = str::parse;
    "N": u8 = number, u16 = number, u32 = number, usize = number, Attempts = str::parse;
    "ID": Id = str::parse;
    "IP": IpAddr = ip;
    "POLICY": PolicyText = str::parse;
    "yes|no": Switch = str::parse;
    "TEXT": String = text;
}

/// Types that are one of a few words.
macro_rules! chosen {
    ($($name:literal: $($ty:ty),+;)+) => {$($(
        impl $crate::settings::Named for $ty {
            const NAME: &'static str = $name;

            fn parser() -> clap::builder::ValueParser {
                clap::builder::EnumValueParser::<$ty>::new().into()
            }
        }
    )+)+};
}
pub(super) use chosen;
chosen! {
    "ORDER": WinnerName;
    "WHICH": CountingName, CardsName;
    "UNIT": LifeUnitName;
    "PRESET": PresetName;
    "FORM": PaddingForm, super::LogFormat;
}

/// A whole number, as large as its type.
fn number<N: FromStr + Bounded>(text: &str) -> Result<N, String> {
    let refused = || format!("\"{text}\" is not a whole number from 0 to {}", N::LARGEST);
    text.parse().map_err(|_| refused())
}

/// A type of numbers.
trait Bounded {
    const LARGEST: u64;
}

impl Bounded for u8 {
    const LARGEST: u64 = Self::MAX as u64;
}

impl Bounded for u16 {
    const LARGEST: u64 = Self::MAX as u64;
}

impl Bounded for u32 {
    const LARGEST: u64 = Self::MAX as u64;
}

impl Bounded for usize {
    const LARGEST: u64 = Self::MAX as u64;
}

fn ip(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("\"{text}\" is not an IP address: write 192.0.2.1 or 2001:db8::1"))
}

#[expect(clippy::unnecessary_wraps, reason = "the form of the others")]
fn text(text: &str) -> Result<String, String> {
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_hexadecimal_or_decimal_but_not_zero() {
        let read = |text: &str| text.parse::<Id>().map(|id| id.0);
        assert_eq!((read("0x2001"), read("8193"), read("0XFF")), (Ok(0x2001), Ok(8193), Ok(255)));
        for bad in ["0", "0x0", "2001h", "0x1ffffffff", "-1", ""] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn lives_are_whole_seconds() {
        let read = |text: &str| text.parse::<Life>().map(|life| RegistrationLife::from(life).0);
        assert_eq!((read("300s"), read("5m"), read("infinite")), (Ok(300), Ok(300), Ok(-1)));
        assert!(read("1500ms").is_err() && read("100years").is_err());
    }
}
