//! Where the load of a server comes from, for policies that go by loads.

use std::fmt;
use std::str::FromStr;

/// Where the load of a server comes from. It is a number from 0 (idle) to 1 (fully loaded).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadSource {
    /// The number of its TCP connections on this host, divided by this many, at which it is fully loaded.
    Connections(u32),
    /// What a command of the shell prints.
    Command(String),
    /// A field in the header of its answer to the health check.
    Header(String),
}

/// A text is no source of loads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no source of loads: write connections:NUMBER, exec:COMMAND or header:NAME")]
pub struct NotALoadSource(String);

impl FromStr for LoadSource {
    type Err = NotALoadSource;

    fn from_str(text: &str) -> Result<Self, NotALoadSource> {
        let wrong = || NotALoadSource(text.into());
        let (kind, value) = text.split_once(':').ok_or_else(wrong)?;
        match kind {
            "connections" => match value.parse() {
                Ok(full @ 1..) => Ok(Self::Connections(full)),
                _ => Err(wrong()),
            },
            "exec" if !value.trim().is_empty() => Ok(Self::Command(value.into())),
            "header" if is_token(value) => Ok(Self::Header(value.to_ascii_lowercase())),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for LoadSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connections(full) => write!(f, "connections:{full}"),
            Self::Command(command) => write!(f, "exec:{command}"),
            Self::Header(name) => write!(f, "header:{name}"),
        }
    }
}

/// Whether a text may be the name of a field (RFC 9110 section 5.6.2).
fn is_token(text: &str) -> bool {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.chars().all(is_token)
}

/// A load as it is printed by a command or stands in a header: `0.35` or `35%`. What is beyond 1 counts as 1; `None` if it
/// is no such number.
pub fn read_load(text: &str) -> Option<f64> {
    let text = text.trim();
    let load = match text.strip_suffix('%') {
        Some(percent) => percent.trim_end().parse::<f64>().ok()? / 100.0,
        None => text.parse::<f64>().ok()?,
    };
    (load.is_finite() && load >= 0.0).then(|| load.min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_as_they_are_written() {
        for text in ["connections:100", "exec:cat /run/load", "header:x-load"] {
            assert_eq!(text.parse::<LoadSource>().unwrap().to_string(), text);
        }
        for bad in
            ["", "connections", "connections:0", "connections:-1", "exec: ", "header:", "header:a b", "cpu:1"]
        {
            assert!(bad.parse::<LoadSource>().is_err(), "{bad}");
        }
    }

    #[test]
    fn loads_are_fractions_or_percentages() {
        let read = ["0", " 0.25\n", "35%", "3", "250 %", "-1", "NaN", "inf", "", "1,5"].map(read_load);
        let [some @ .., _, _, _, _, _] = read;
        assert_eq!(some, [Some(0.0), Some(0.25), Some(0.35), Some(1.0), Some(1.0)]);
        assert!(read[5..].iter().all(Option::is_none), "{read:?}");
    }
}
