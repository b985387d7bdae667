//! The registrars of the demonstration: processes, and what each of them says of the pool.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use rserpool_core::inspector::{Snapshot, differences};
use rserpool_driver::Preset;
use rserpool_tokio::Inspector;

use crate::children::Process;
use crate::exit::Failure;

/// How long a registrar may take to be ready. Generous: this only ends a play that is stuck.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an inspector may take to close its association.
const CLOSE_WITHIN: Duration = Duration::from_millis(100);

/// All registrars by their identifiers, those that are dead too: they come back to their address.
#[derive(Default)]
pub(super) struct Registrars {
    living: BTreeMap<String, Registrar>,
    addresses: BTreeMap<String, SocketAddr>,
}

struct Registrar {
    process: Process,
    inspector: Inspector,
}

/// The elements as one registrar lists them, each with its home.
type Homes = BTreeMap<String, String>;

impl Registrars {
    /// Starts a registrar that is told of these others, at the address that it had before.
    pub(super) async fn start(&mut self, id: &str, peers: &[&str], preset: &str) -> Result<(), Failure> {
        let bind = self.addresses.get(id).copied().unwrap_or_else(|| ([127, 0, 0, 1], 0).into());
        let bind = bind.to_string();
        let peers: Vec<String> =
            peers.iter().filter_map(|peer| self.addresses.get(*peer)).map(ToString::to_string).collect();
        let mut arguments =
            vec!["registrar", "--bind", &bind, "--id", id, "--json", "--announce", "no", "--preset", preset];
        for peer in &peers {
            arguments.extend(["--peer", peer]);
        }
        let mut process = Process::start(format!("registrar {id}"), &arguments)?;
        let listening = process.expect("listening", PATIENCE).await?;
        let address = listening["bind"].as_str().and_then(|text| text.parse().ok());
        let address: SocketAddr =
            address.ok_or_else(|| Failure::failed(format!("registrar {id} says {listening}")))?;
        let inspector = Inspector::builder(address).preset(Preset::Fast).start().await?;
        self.addresses.insert(id.into(), address);
        self.living.insert(id.into(), Registrar { process, inspector });
        Ok(())
    }

    /// Kills a registrar.
    pub(super) async fn kill(&mut self, id: &str) {
        if let Some(mut registrar) = self.living.remove(id) {
            registrar.process.kill().await;
        }
    }

    /// Where registrars are or were.
    pub(super) fn addresses(&self) -> Vec<String> {
        self.addresses.values().map(ToString::to_string).collect()
    }

    /// The living ones.
    pub(super) fn ids(&self) -> Vec<String> {
        self.living.keys().cloned().collect()
    }

    /// The first condition that is not met: every living registrar knows every other, lists exactly these
    /// elements, each with a living home, and agrees with the others. `None` if all are met.
    pub(super) async fn wish(&self, elements: &[&str]) -> Option<String> {
        let mut copies = Vec::new();
        for (id, registrar) in &self.living {
            match registrar.inspector.handlespace().await {
                Ok(copy) => copies.push(copy),
                Err(error) => return Some(format!("{id}: {error}")),
            }
        }
        for copy in &copies {
            let id = copy.registrar;
            let homes = homes(copy);
            let peers: BTreeSet<String> = copy.peers.iter().map(|peer| peer.id.to_string()).collect();
            let others: BTreeSet<String> =
                self.living.keys().filter(|other| **other != id.to_string()).cloned().collect();
            let homeless = homes.iter().find(|(_, home)| !self.living.contains_key(*home));
            if !homes.keys().eq(elements.iter()) {
                return Some(format!("{id} lists {:?} instead of {elements:?}", homes.keys()));
            } else if let Some((element, home)) = homeless {
                return Some(format!("{id} takes {home} for the home of {element}"));
            } else if peers != others {
                return Some(format!("{id} knows the registrars {peers:?} instead of {others:?}"));
            }
        }
        differences(&copies).first().map(|found| format!("{} and {} disagree", found.copy, found.home))
    }

    /// The home of every element, as the first living registrar sees it.
    pub(super) async fn homes(&self) -> Homes {
        for registrar in self.living.values() {
            if let Ok(copy) = registrar.inspector.handlespace().await {
                return homes(&copy);
            }
        }
        Homes::new()
    }

    /// Stops all of them cleanly.
    pub(super) async fn stop(&mut self) -> Result<(), Failure> {
        while let Some((_, Registrar { mut process, inspector })) = self.living.pop_first() {
            inspector.shutdown(CLOSE_WITHIN).await;
            process.stop().await?;
        }
        Ok(())
    }

    /// Kills whatever is still running.
    pub(super) async fn clear(&mut self) {
        for registrar in self.living.values_mut() {
            registrar.process.kill().await;
        }
        self.living.clear();
    }
}

fn homes(copy: &Snapshot) -> Homes {
    let elements = copy.pools.iter().flat_map(|pool| &pool.elements);
    elements.map(|element| (element.id.to_string(), element.home.to_string())).collect()
}
