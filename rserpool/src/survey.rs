//! Asks a registrar, and then every registrar that it and the others name, for their copies of the
//! handlespace.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rserpool_core::base::{DEFAULT_ENCAPSULATION_PORT, RegistrarId, SctpAddress, SctpPort, UdpPort};
use rserpool_core::inspector::{Difference, InspectError, Snapshot, differences};
use rserpool_core::wire::ServerInformation;
use tokio::task::JoinSet;

use crate::exit::Failure;
use crate::inspect::Inspectors;

/// Registrars asked at most: an operational scope has fewer than ten.
const MAX_REGISTRARS: usize = 64;
/// Copies that differ are taken again so often: elements may just have come or gone.
const LOOKS: usize = 4;
/// How long to wait before.
const PAUSE: Duration = Duration::from_millis(250);

/// What all registrars say.
pub(crate) struct Survey {
    /// The one asked first.
    pub(crate) first: RegistrarId,
    /// All of them.
    pub(crate) registrars: BTreeMap<RegistrarId, View>,
}

/// One registrar.
pub(crate) struct View {
    pub(crate) address: SctpAddress,
    /// Its copy of the handlespace, if it shows it.
    pub(crate) copy: Result<Snapshot, InspectError>,
}

impl Survey {
    /// Asks them all. If their copies differ, they are asked again a few times.
    pub(crate) async fn take(inspectors: &Arc<Inspectors>) -> Result<Self, Failure> {
        for _ in 1..LOOKS {
            let survey = Self::take_once(inspectors).await?;
            if survey.differences().is_empty() {
                return Ok(survey);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Self::take_once(inspectors).await
    }

    /// Where copies differ.
    pub(crate) fn differences(&self) -> Vec<Difference> {
        let first = self.first_copy().into_iter();
        let others = self.registrars.iter().filter(|(id, _)| **id != self.first);
        let others = others.filter_map(|(_, view)| view.copy.as_ref().ok());
        differences(&first.chain(others).cloned().collect::<Vec<_>>())
    }

    /// The copy of the registrar that was asked first.
    pub(crate) fn first_copy(&self) -> Option<&Snapshot> {
        self.registrars.get(&self.first).and_then(|view| view.copy.as_ref().ok())
    }

    async fn take_once(inspectors: &Arc<Inspectors>) -> Result<Self, Failure> {
        let first = inspectors.ask(async |inspector| inspector.handlespace().await).await?;
        let mut survey = Self { first: first.registrar, registrars: BTreeMap::new() };
        let mut asked = JoinSet::new();
        let mut named = first.peers.clone();
        survey.registrars.insert(first.registrar, View { address: first.address.clone(), copy: Ok(first) });
        loop {
            for server in named.drain(..) {
                let address = address_of(&server);
                let copy = Err(InspectError::Unanswered(address.clone()));
                if survey.registrars.len() < MAX_REGISTRARS && !survey.registrars.contains_key(&server.id) {
                    survey.registrars.insert(server.id, View { address: address.clone(), copy });
                    let inspectors = Arc::clone(inspectors);
                    asked.spawn(async move { (server.id, inspectors.copy_of(address).await) });
                }
            }
            let Some(answer) = asked.join_next().await else { return Ok(survey) };
            let (id, copy) = answer.map_err(|error| Failure::failed(error.to_string()))?;
            if let Ok(copy) = &copy {
                named.clone_from(&copy.peers);
            }
            if let Some(view) = survey.registrars.get_mut(&id) {
                view.copy = copy;
            }
        }
    }
}

fn address_of(server: &ServerInformation) -> SctpAddress {
    let udp_port = server.encapsulation.map(|ports| ports.user).filter(|port| *port != 0);
    let udp_port = udp_port.map_or(DEFAULT_ENCAPSULATION_PORT, UdpPort);
    SctpAddress::multihomed(server.transport.addresses.to_vec(), SctpPort(server.transport.port), udp_port)
}
