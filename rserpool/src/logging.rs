//! The log: on the standard error output, as text or as JSON.

use std::io::IsTerminal;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use crate::exit::Failure;
use crate::settings::{LogFormat, LogSettings};

/// What a registrar or an element logs by default. sctp-proto warns of each association that it has no use
/// for partial reliability; nor have we.
pub(crate) const DAEMON: &str = "info,sctp_proto=error";
/// What a tool logs: the outcome is on its output anyway.
pub(crate) const TOOL: &str = "error";

/// Lets the filter be changed while the program runs.
pub(crate) type Reload = reload::Handle<EnvFilter, Registry>;

/// Starts logging; `default` is the filter if none is set.
pub(crate) fn start(settings: &LogSettings, default: &str) -> Result<Reload, Failure> {
    let (filter, handle) = reload::Layer::new(filter(settings, default)?);
    let lines = fmt::layer().with_writer(std::io::stderr);
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
    EnvFilter::try_new(&text).map_err(|error| Failure::usage(format!("log-filter: \"{text}\": {error}")))
}
