//! The log: on the standard error output, as text or as JSON, written in the background.

use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::Duration;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use crate::background::Background;
use crate::exit::Failure;
use crate::settings::{LogFormat, LogSettings};

/// What a registrar or an element logs by default.
pub(crate) const DAEMON: &str = "info";
/// What a tool logs: the outcome is on its output anyway.
pub(crate) const TOOL: &str = "error";

/// In force unless the filter names it: sctp-proto warns of each association that it has no use for partial
/// reliability; nor have we.
const QUIET: &str = "sctp_proto";

/// How long the end of the program waits for a reader of the log that stalls.
const LAST_LINES: Duration = Duration::from_secs(1);
/// How often lost lines are looked for.
const LOOK: Duration = Duration::from_secs(1);

/// Where the log goes, once it has begun.
static LINES: OnceLock<Background> = OnceLock::new();

/// Lets the filter be changed while the program runs.
pub(crate) type Reload = reload::Handle<EnvFilter, Registry>;

/// Starts logging; `default` is the filter if none is set.
pub(crate) fn start(settings: &LogSettings, default: &str) -> Result<Reload, Failure> {
    let (filter, handle) = reload::Layer::new(filter(settings, default)?);
    let writer = LINES.get_or_init(|| Background::new(std::io::stderr(), "log")).clone();
    // An error of the writer must not be printed: what it is printed to may be what has failed.
    let lines = fmt::layer().with_writer(writer).log_internal_errors(false);
    let registry = tracing_subscriber::registry().with(filter);
    match settings.format.unwrap_or_default() {
        LogFormat::Text => registry.with(lines.with_ansi(std::io::stderr().is_terminal())).init(),
        LogFormat::Json => registry.with(lines.json()).init(),
    }
    Ok(handle)
}

/// The filter in force: flag, environment (RUST_LOG too), file, default.
pub(crate) fn filter(settings: &LogSettings, default: &str) -> Result<EnvFilter, Failure> {
    let from_rust_log = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
    let text = settings.filter.clone().or(from_rust_log).unwrap_or_else(|| default.into());
    let quiet = if text.contains(QUIET) || text == "off" { String::new() } else { format!(",{QUIET}=error") };
    EnvFilter::try_new(format!("{text}{quiet}"))
        .map_err(|error| Failure::usage(format!("log-filter: \"{text}\": {error}")))
}

/// Tells of lines that were lost, as soon as there is room for it, and hands their number on. It never ends; a daemon
/// runs it beside its work.
pub(crate) async fn tell_losses(note: impl AsyncFn(u64)) {
    let Some(lines) = LINES.get() else { return };
    let mut told = 0;
    loop {
        tokio::time::sleep(LOOK).await;
        let lost = lines.lost();
        if lost > told {
            note(lost as u64).await;
            let more = lost - told;
            tracing::warn!(
                lines = more,
                "log lines were lost: their reader was too slow, or they could not be written"
            );
            // If this one was lost, too, the next try counts it.
            if lines.lost() == lost {
                told = lost;
            }
        }
    }
}

/// Waits until the last lines are written, for a second at most.
pub(crate) fn flush() {
    if let Some(lines) = LINES.get() {
        lines.flush(LAST_LINES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One line for each association is a flood that the network causes.
    #[test]
    fn the_sctp_stack_is_quiet_unless_it_is_named() {
        let of = |filter: &str| {
            let settings = LogSettings { filter: Some(filter.into()), ..LogSettings::default() };
            super::filter(&settings, DAEMON).unwrap().to_string()
        };
        assert!(of("warn").contains("sctp_proto=error") && of("info,x=debug").contains("sctp_proto=error"));
        assert!(!of("info,sctp_proto=warn").contains("sctp_proto=error"));
        assert_eq!(of("off"), "off");
    }
}
