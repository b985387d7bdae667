//! Asks a registrar, and then every registrar that it and the others name, for their copies of the
//! handlespace.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rserpool_core::base::{DEFAULT_ENCAPSULATION_PORT, RegistrarId, SctpAddress, SctpPort, UdpPort};
use rserpool_core::endpoint::RegistrarStatus;
use rserpool_core::inspector::{Difference, InspectError, Ownership, Snapshot, differences_of, ownership};
use rserpool_core::wire::ServerInformation;
use tokio::task::JoinSet;

use crate::exit::Failure;
use crate::inspect::{Inspectors, Question};

/// Registrars asked at most: an operational scope has fewer than ten.
const MAX_REGISTRARS: usize = 64;
/// Registrars asked at the same time: each may fill as much memory as one copy takes.
const AT_ONCE: usize = 8;
/// Homes in a copy, at most: a scope has fewer than ten registrars, and some that are dead. A registrar that names
/// more is not believed.
const MAX_HOMES: usize = 1_024;
/// Copies that differ are taken again so often: elements may just have come or gone.
const LOOKS: usize = 4;
/// How long to wait before.
const PAUSE: Duration = Duration::from_millis(250);
/// How long a registrar may take that the first one has lost: most likely it is dead.
const LOST_TIMEOUT: Duration = Duration::from_millis(300);
/// How long another one may take, if the first one has not taken long: one packet may be lost, whose repetition comes
/// after a second. It may have died a moment ago, and the dead are not waited for any longer.
const NAMED_TIMEOUT: Duration = Duration::from_millis(1_500);
/// So many times as long as the first one may the others take, if that is longer.
const SLOWER: u32 = 3;
/// How long the first one may take to say how it is and which it has lost: one of another kind never does.
const STATUS_WITHIN: Duration = Duration::from_millis(500);

/// What all registrars say.
pub(crate) struct Survey {
    /// The copy of the one that was asked first.
    pub(crate) first: Snapshot,
    /// How that one is, if it says so.
    pub(crate) status: Option<RegistrarStatus>,
    /// All of them.
    pub(crate) registrars: BTreeMap<RegistrarId, View>,
}

/// What the one that is asked first says.
struct First {
    copy: Snapshot,
    /// How long it took to give its copy.
    took: Duration,
    status: Option<RegistrarStatus>,
    /// The registrars that it has lost.
    lost: Vec<RegistrarId>,
}

/// One registrar.
pub(crate) struct View {
    pub(crate) address: SctpAddress,
    /// Its copy of the handlespace, summed up, if it shows it.
    pub(crate) copy: Result<Copy, InspectError>,
}

/// A copy of the handlespace, summed up: the elements themselves would fill our memory.
pub(crate) struct Copy {
    pub(crate) elements: usize,
    pub(crate) owned: BTreeMap<RegistrarId, Ownership>,
}

impl Copy {
    fn new(copy: &Snapshot) -> Result<Self, InspectError> {
        let owned = ownership(copy);
        if owned.len() > MAX_HOMES {
            return Err(InspectError::Unintelligible(copy.address.clone()));
        }
        Ok(Self { elements: copy.pools.iter().map(|pool| pool.elements.len()).sum(), owned })
    }
}

impl Survey {
    /// Asks them all. If their copies differ, they are asked again a few times.
    pub(crate) async fn take(inspectors: &Arc<Inspectors>) -> Result<Self, Failure> {
        let mut silent = BTreeSet::new();
        for _ in 1..LOOKS {
            let survey = Self::take_once(inspectors, &silent).await?;
            if survey.differences().is_empty() {
                return Ok(survey);
            }
            // They are waited for once.
            silent.extend(survey.silent().map(|(id, _)| id));
            tokio::time::sleep(PAUSE).await;
        }
        Self::take_once(inspectors, &silent).await
    }

    /// Those that do not answer.
    pub(crate) fn silent(&self) -> impl Iterator<Item = (RegistrarId, &SctpAddress)> {
        let silent = |view: &&View| {
            matches!(view.copy, Err(InspectError::Unreachable(_) | InspectError::Unanswered(_)))
        };
        let silent =
            move |(id, view): (&RegistrarId, _)| Some(view).filter(silent).map(|view| (*id, &view.address));
        self.registrars.iter().filter_map(silent)
    }

    /// Where copies differ.
    pub(crate) fn differences(&self) -> Vec<Difference> {
        let copies = self.registrars.iter().filter_map(|(id, view)| Some((*id, view.copy.as_ref().ok()?)));
        let mut copies: Vec<_> = copies.map(|(id, copy)| (id, copy.owned.clone())).collect();
        // The word of the first one counts where a home is gone.
        copies.sort_by_key(|(id, _)| *id != self.first.registrar);
        differences_of(&copies)
    }

    async fn take_once(
        inspectors: &Arc<Inspectors>,
        silent: &BTreeSet<RegistrarId>,
    ) -> Result<Self, Failure> {
        let question: Question<First> = |inspector| {
            Box::pin(async move {
                let begin = Instant::now();
                let copy = inspector.handlespace().await?;
                let took = begin.elapsed();
                let more = async { tokio::join!(inspector.status(), inspector.peers()) };
                let (status, peers) = tokio::time::timeout(STATUS_WITHIN, more).await.ok().unzip();
                let peers = peers.and_then(Result::ok).unwrap_or_default();
                let lost = peers.into_iter().filter(|peer| !peer.connected).map(|peer| peer.id).collect();
                Ok(First { copy, took, status: status.and_then(Result::ok), lost })
            })
        };
        let First { copy: first, took, status, lost } = inspectors.ask(question, |_| true).await?;
        let copy = Copy::new(&first).map_err(|error| Failure::failed(error.to_string()))?;
        let (id, address) = (first.registrar, first.address.clone());
        let mut named: VecDeque<ServerInformation> = first.peers.iter().cloned().collect();
        let mut survey = Self { first, status, registrars: BTreeMap::new() };
        survey.registrars.insert(id, View { address, copy: Ok(copy) });
        let mut asked = JoinSet::new();
        loop {
            while asked.len() < AT_ONCE
                && let Some(server) = named.pop_front()
            {
                let address = address_of(&server);
                let copy = Err(InspectError::Unanswered(address.clone()));
                if survey.registrars.len() < MAX_REGISTRARS && !survey.registrars.contains_key(&server.id) {
                    survey.registrars.insert(server.id, View { address: address.clone(), copy });
                    if silent.contains(&server.id) {
                        continue;
                    }
                    let inspectors = Arc::clone(inspectors);
                    let within = match lost.contains(&server.id) {
                        true => LOST_TIMEOUT,
                        false => NAMED_TIMEOUT.max(took * SLOWER),
                    };
                    asked.spawn(async move {
                        let copy = inspectors.copy_of(address, within).await;
                        (server.id, copy.and_then(|copy| Ok((Copy::new(&copy)?, copy.peers))))
                    });
                }
            }
            let Some(answer) = asked.join_next().await else { return Ok(survey) };
            let (id, copy) = answer.map_err(|error| Failure::failed(error.to_string()))?;
            let copy = copy.map(|(copy, peers)| {
                named.extend(peers);
                named.truncate(MAX_REGISTRARS);
                copy
            });
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
