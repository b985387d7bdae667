//! How the program exits: 0 for success, 1 for a negative answer or a failure, 64 for bad usage.

use std::fmt;
use std::process::ExitCode;

use rserpool_driver::StartError;

/// Why the program does not exit with 0.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Bad flags or configuration (64, the EX_USAGE of BSD).
    Usage(String),
    /// The protocol's answer is no, or something outside failed (1).
    Failed(String),
    /// The reader of our output is gone, which is not an error (0).
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

    /// Says what happened on the standard error output and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        let code = match self {
            Self::Usage(_) => 64,
            Self::Failed(_) => 1,
            Self::BrokenPipe => return ExitCode::SUCCESS,
        };
        crate::output::last_remark(self);
        ExitCode::from(code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Failed(message) => f.write_str(message),
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
            StartError::BusyPoll { .. } | StartError::Unreachable { .. } => Self::usage(error.to_string()),
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
        flags.push_str(&flag(name));
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
        "enrp.mentor_retry" => "mentor-retry",
        "enrp.max_time_last_heard" => "max-time-last-heard",
        "enrp.max_time_no_response" => "max-time-no-response",
        _ => return field.replace('_', "-"),
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
        let text = "hunt.timeout-max: must not be below 10.0.0.1:9899 (RFC 5352 section 2.1).";
        assert_eq!(
            in_flags("hunt.timeout_max: must not be below 10.0.0.1:9899 (RFC 5352 section 2.1)."),
            text
        );
    }
}
