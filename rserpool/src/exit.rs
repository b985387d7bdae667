//! How the program exits. This is the one list; the manual and the book repeat it.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | success; for a daemon: it was told to end |
//! | 1 | the answer is no (an unknown pool, copies that differ, a registration refused), or something failed |
//! | 2 | nobody answered: no registrar, or none in time |
//! | 64 | an option, a variable or a configuration file is wrong (the EX_USAGE of BSD) |
//! | 70 | an internal error of the program (EX_SOFTWARE) |

use std::fmt;

use rserpool_driver::StartError;

/// Why the program does not exit with 0.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Bad flags or configuration.
    Usage(String),
    /// The protocol's answer is no, or something outside failed.
    Failed(String),
    /// Nobody has answered.
    Nobody(String),
    /// The reader of our output is gone, which is not an error.
    BrokenPipe,
}

impl Failure {
    /// Bad flags or configuration.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// A negative answer, or a failure.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }

    /// The exit code.
    pub(crate) const fn code(&self) -> u8 {
        match self {
            Self::BrokenPipe => 0,
            Self::Failed(_) => 1,
            Self::Nobody(_) => 2,
            Self::Usage(_) => 64,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Failed(message) | Self::Nobody(message) => f.write_str(message),
            Self::BrokenPipe => f.write_str("output closed"),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Config(_)
            | StartError::NoGroup { .. }
            | StartError::OtherFamily { .. }
            | StartError::ForeignAddress { .. } => Self::usage(in_flags(&error.to_string())),
            StartError::BusyPoll { .. } => Self::usage(error.to_string().replace("busy_poll", "busy-poll:")),
            StartError::Unreachable { .. } => Self::usage(error.to_string()),
            _ => Self::failed(error.to_string()),
        }
    }
}

/// A text in which the fields of configurations are named like their flags and their keys in a file.
fn in_flags(text: &str) -> String {
    let is_name = |letter: char| letter.is_ascii_lowercase() || matches!(letter, '_' | '.');
    let mut flags = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let length = rest.find(|letter| !is_name(letter)).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(length);
        // A full stop ends a sentence, and joins names only within them.
        let bare = name.trim_end_matches('.');
        flags.push_str(&flag(bare));
        flags.push_str(&name[bare.len()..]);
        let other = behind.find(is_name).unwrap_or(behind.len());
        flags.push_str(&behind[..other]);
        rest = &behind[other..];
    }
    flags
}

/// The flag of a field: most have the field's name, with dashes.
fn flag(field: &str) -> String {
    match field {
        "limits.pools" => "max-pools",
        "limits.elements_per_pool" => "max-elements-per-pool",
        "limits.elements" => "max-elements",
        "enrp.peers" => "peer",
        "enrp.heartbeat_cycle" => "peer-heartbeat-cycle",
        "enrp.mentor_timeout" => "mentor-timeout",
        "enrp.join_timeout" => "join-timeout",
        "enrp.mentor_retry" => "mentor-retry",
        "enrp.max_time_last_heard" => "max-time-last-heard",
        "enrp.max_time_no_response" => "max-time-no-response",
        "hunt.rounds" => "attempts",
        _ => return field.replace(['_', '.'], "-"),
    }
    .into()
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => Self::failed(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rserpool_core::registrar::RegistrarConfig;
    use std::time::Duration;

    #[test]
    fn a_bad_value_is_named_by_its_flag() {
        let text = |change: fn(&mut RegistrarConfig)| {
            let mut config = RegistrarConfig::rfc(None, 1);
            change(&mut config);
            Failure::from(StartError::Config(config.check().unwrap_err())).to_string()
        };
        assert_eq!(text(|c| c.limits.pools = 0), "max-pools: must not be zero");
        assert_eq!(text(|c| c.limits.elements_per_pool = 0), "max-elements-per-pool: must not be zero");
        assert_eq!(
            text(|c| c.keep_alive_timeout = Duration::ZERO),
            "keep-alive-timeout: must be from 1 ms to 30 days"
        );
        let heard = "max-time-last-heard: must be longer than peer-heartbeat-cycle";
        assert_eq!(text(|c| c.enrp.max_time_last_heard = c.enrp.heartbeat_cycle), heard);
        assert_eq!(text(|c| c.enrp_port = c.asap_port), "enrp-port: must differ from asap-port");
    }

    #[test]
    fn other_words_stay_as_they_are() {
        let text = "hunt-timeout-max: must not be below 10.0.0.1:9899 (RFC 5352 section 2.1).";
        assert_eq!(
            in_flags("hunt.timeout_max: must not be below 10.0.0.1:9899 (RFC 5352 section 2.1)."),
            text
        );
    }
}
