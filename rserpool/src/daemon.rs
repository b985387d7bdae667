//! What the daemons, registrar and element, have in common: SIGHUP reads their configuration again.

use crate::logging::{self, Reload};
use crate::settings::{Given, LogSettings};

/// Names the variables that look like settings and are none.
pub(crate) fn warn_of_strangers(given: &Given) {
    for line in given.strangers() {
        tracing::warn!("{line}");
    }
}

/// Reads the configuration again, takes over the log filter, and says which other settings wait for a restart.
pub(crate) fn read_again(given: &Given, reload: &Reload) {
    let (new, log) = match given.again::<LogSettings>() {
        Ok(read) => read,
        Err(error) => return tracing::error!(%error, "configuration not read again; nothing changed"),
    };
    let filter = logging::filter(&log, logging::DAEMON).map_err(|error| error.to_string());
    match filter.and_then(|filter| reload.reload(filter).map_err(|error| error.to_string())) {
        Ok(()) => tracing::info!("configuration read again"),
        Err(error) => tracing::error!(%error, "log filter not changed"),
    }
    for key in given.changed(&new).iter().filter(|key| *key != "log-filter") {
        tracing::warn!(key, "changed in the file, but only a restart applies the change");
    }
}

/// Says that a name cannot be looked up.
pub(crate) fn warn_of_name(problem: &str) {
    tracing::warn!("{problem}");
}
