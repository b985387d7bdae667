//! The settings of the log.

use clap::ValueEnum;

use super::settings;

settings! {
    /// What is logged, and how. Logs go to the standard error output.
    LogSettings for () {
        /// Form of log lines [default: text]
        format / "log": LogFormat;
        /// What to log, as in RUST_LOG: `info`, `rserpool_driver=debug` [default: info, and error for
        /// the tools; of sctp_proto only error]
        filter / "log-filter": String;
    }
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}
