//! How the program ends: 0 for success, 1 for a negative answer or a failure, 64 for bad usage.

use std::fmt;
use std::process::ExitCode;

use rserpool_driver::StartError;

/// Why the program does not end with 0.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Bad flags or configuration (64, the EX_USAGE of BSD).
    Usage(String),
    /// The protocol's answer is no, or something outside failed (1).
    Failed(String),
    /// Nobody reads our output any more: nothing to complain about (0).
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
        eprintln!("rserpool: {self}");
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
            StartError::Config(_) => Self::usage(error.to_string()),
            _ => Self::failed(error.to_string()),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => Self::failed(error.to_string()),
        }
    }
}
