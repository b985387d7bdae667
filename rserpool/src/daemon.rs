//! What the daemons, registrar and element, have in common: SIGHUP reads their configuration again, and names of
//! hosts are looked up again and again.

use std::time::Duration;

use crate::discovery::{Named, Names};
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

/// How often names are looked up while one of them is not found.
const SOON: Duration = Duration::from_secs(2);
/// How often otherwise: hosts may get other addresses.
const LATER: Duration = Duration::from_secs(60);

/// Names of hosts, and the addresses that they had last.
pub(crate) struct Watched<A> {
    names: Names<A>,
    last: Named<A>,
}

impl<A: Clone + PartialEq + Send + 'static> Watched<A> {
    /// What was found so far.
    pub(crate) fn new(names: Names<A>, last: Named<A>) -> Self {
        Self { names, last }
    }

    /// Waits until other addresses are found, and returns all of them. It says which names are not found; a name
    /// that is lost for a while keeps no one from the addresses that were found before. Cancel safe.
    pub(crate) async fn changed(&mut self) -> Vec<A> {
        loop {
            if !self.names.may_change() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(if self.last.lost.is_empty() { LATER } else { SOON }).await;
            let names = self.names.clone();
            // The resolver of the system blocks.
            let Ok(Ok(found)) = tokio::task::spawn_blocking(move || names.look_up()).await else { continue };
            if found.lost != self.last.lost {
                warn_of_names(&found.lost);
            }
            let Named { mut found, lost } = found;
            let before = self.last.found.clone();
            if !lost.is_empty() {
                let still =
                    before.iter().filter(|address| !found.contains(address)).cloned().collect::<Vec<_>>();
                found.extend(still);
            }
            let is_new = found.len() != before.len() || found.iter().any(|address| !before.contains(address));
            self.last = Named { found, lost };
            if is_new {
                return self.last.found.clone();
            }
        }
    }

    /// The addresses to begin with. Unless there is `another_way`, it waits until at least one name is found.
    pub(crate) async fn first(&mut self, another_way: bool) -> Vec<A> {
        warn_of_names(&self.last.lost);
        let wait = self.last.found.is_empty() && !self.last.lost.is_empty() && !another_way;
        if wait { self.changed().await } else { self.last.found.clone() }
    }
}

/// Says which names cannot be looked up.
pub(crate) fn warn_of_names(lost: &[String]) {
    for problem in lost {
        tracing::warn!("{problem}; it is tried again");
    }
}
