//! How an endpoint is: ready or why not, and its numbers as families of metrics.

use rserpool_core::base::PoolHandle;
use rserpool_core::element;
use rserpool_core::endpoint::{RegistrarState, TransportCounters};
use rserpool_core::registrar::{Counters, Overview, PoolFigures, Sizes};
use rserpool_tokio::{PoolElement, Registrar};

use super::exposition::{Family, Labels};
use crate::{status, view};

/// Pools that are shown, the largest ones: each is two series, and their number must not follow from what strangers
/// register.
const MOST_POOLS: usize = 200;

/// Who is observed. It is a handle, and keeps what it observes running.
#[derive(Clone, Debug)]
pub(crate) enum Observed {
    /// A registrar.
    Registrar(Registrar),
    /// An element.
    Element(PoolElement),
}

/// How it is at one moment.
#[derive(Debug, PartialEq)]
pub(super) struct Report {
    /// How it does its work for others, or why it does not.
    pub(super) ready: Result<String, String>,
    pub(super) families: Vec<Family>,
}

impl Observed {
    /// Asks its event loop; `None` if it has ended.
    pub(super) async fn report(&self) -> Option<Report> {
        match self {
            Self::Registrar(registrar) => registrar.overview(MOST_POOLS).await.ok().map(of_registrar),
            Self::Element(element) => {
                let (status, counters) = (element.status().await?, element.counters().await.ok()?);
                Some(of_element(element.id().to_string(), status, counters))
            }
        }
    }
}

fn of_registrar(overview: Overview) -> Report {
    let Overview { status, figures, peers, pools, .. } = overview;
    let sentence = status::sentence(&status);
    let serves = status.state == RegistrarState::Serving;
    let states = RegistrarState::ALL.into_iter();
    let states =
        states.map(|state| (vec![("state", state.to_string())], number(state == status.state))).collect();
    let mut families = vec![
        build(),
        Family::gauges(
            "rserpool_registrar_info",
            "The ENRP server identifier of the registrar.",
            vec![(vec![("id", status.id.to_string())], 1.0)],
        ),
        Family::gauges("rserpool_registrar_state", "1 for the state that the registrar is in.", states),
    ];
    families.extend(counters("registrar", figures.counters.named(), Counters::meanings()));
    families.extend(gauges("registrar", figures.sizes.named(), Sizes::meanings()));
    families.extend(counters("registrar", figures.transport.named(), TransportCounters::meanings()));
    let of_peers = |value: fn(&_) -> f64| {
        peers.iter().map(|peer| (vec![("peer", peer.id.to_string())], value(peer))).collect::<Vec<_>>()
    };
    families.push(Family::gauges(
        "rserpool_registrar_peer_connected",
        "Whether an association with this registrar is up.",
        of_peers(|peer: &rserpool_core::endpoint::PeerStatus| number(peer.connected)),
    ));
    families.push(Family::gauges(
        "rserpool_registrar_peer_agrees",
        "Whether the checksum that this registrar has announced last is that of its elements here.",
        of_peers(|peer| number(peer.announced_checksum.is_none_or(|told| told == peer.checksum))),
    ));
    families.push(Family::gauges(
        "rserpool_registrar_peer_elements",
        "Elements whose home this registrar is, as known here.",
        of_peers(|peer| peer.elements as f64),
    ));
    let of_pools = |value: fn(&PoolFigures) -> usize| {
        pools.iter().map(|pool| (pool_label(&pool.handle), value(pool) as f64)).collect::<Vec<_>>()
    };
    families.push(Family::gauges(
        "rserpool_pool_elements",
        "Elements of the pool; of the 200 largest pools.",
        of_pools(|pool| pool.elements),
    ));
    families.push(Family::gauges(
        "rserpool_pool_own_elements",
        "Elements of the pool whose home this registrar is; of the 200 largest pools.",
        of_pools(|pool| pool.own_elements),
    ));
    families.push(Family::gauge(
        "rserpool_pools_not_shown",
        "Pools beyond those 200.",
        figures.sizes.pools.saturating_sub(pools.len() as u64) as f64,
    ));
    Report { ready: if serves { Ok(sentence) } else { Err(sentence) }, families }
}

fn of_element(id: String, status: element::Status, counted: element::Counters) -> Report {
    let ready = match (status.registered, status.home) {
        (true, Some(home)) => Ok(format!("element {id} is registered; its home registrar is {home}")),
        (true, None) => Ok(format!("element {id} is registered")),
        (false, _) => {
            Err(format!("element {id} is not registered: no registrar has granted it yet, or not again"))
        }
    };
    let mut families = vec![
        build(),
        Family::gauges(
            "rserpool_element_info",
            "The PE identifier of the element.",
            vec![(vec![("id", id)], 1.0)],
        ),
        Family::gauge(
            "rserpool_element_registered",
            "Whether the element is registered.",
            number(status.registered),
        ),
        Family::gauge(
            "rserpool_element_sessions",
            "Sessions with users that are open.",
            status.sessions as f64,
        ),
        Family::gauge(
            "rserpool_element_open_requests",
            "Messages received that the service has not answered yet.",
            status.open_requests as f64,
        ),
    ];
    families.extend(counters("element", counted.named(), element::Counters::meanings()));
    Report { ready, families }
}

/// What runs.
fn build() -> Family {
    let version = vec![("version", crate::VERSION.to_string())];
    Family::gauges("rserpool_build_info", "The version of the program.", vec![(version, 1.0)])
}

type Named<T> = (&'static str, T);

fn counters(
    role: &'static str,
    named: impl Iterator<Item = Named<u64>>,
    meanings: impl Iterator<Item = Named<&'static str>>,
) -> impl Iterator<Item = Family> {
    named.zip(meanings).map(move |((name, value), (_, meaning))| {
        Family::counter(format!("rserpool_{role}_{name}"), meaning, value as f64)
    })
}

fn gauges(
    role: &'static str,
    named: impl Iterator<Item = Named<u64>>,
    meanings: impl Iterator<Item = Named<&'static str>>,
) -> impl Iterator<Item = Family> {
    named.zip(meanings).map(move |((name, value), (_, meaning))| {
        Family::gauge(format!("rserpool_{role}_{name}"), meaning, value as f64)
    })
}

/// The handle as text if it is one, otherwise in hexadecimal digits under a name of its own: no two pools look alike.
fn pool_label(handle: &PoolHandle) -> Labels {
    match std::str::from_utf8(handle.as_bytes()) {
        Ok(text) => vec![("pool", text.into())],
        Err(_) => vec![("pool_hex", view::hex(handle.as_bytes()))],
    }
}

const fn number(is_so: bool) -> f64 {
    if is_so { 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rserpool_core::base::{Instant, RegistrarId};
    use rserpool_core::registrar::{Registrar, RegistrarConfig};

    use super::*;

    fn overview(adjust: impl FnOnce(&mut RegistrarConfig)) -> Overview {
        let mut config = RegistrarConfig::rfc(Some(RegistrarId(1)), 1);
        adjust(&mut config);
        Registrar::new(config, Instant::from_nanos(1)).overview(MOST_POOLS)
    }

    #[test]
    fn a_registrar_that_looks_for_its_mentor_is_not_ready_and_says_why() {
        assert!(of_registrar(overview(|_| ())).ready.is_ok());
        let peer = rserpool_core::base::SctpAddress::new(
            std::net::Ipv4Addr::LOCALHOST.into(),
            rserpool_core::base::ENRP_PORT,
            rserpool_core::base::UdpPort(1),
        );
        let starting = of_registrar(overview(|config| config.enrp.peers = vec![peer]));
        let why = starting.ready.unwrap_err();
        assert!(why.contains("is starting: "), "{why}");
        let state =
            starting.families.iter().find(|family| family.name == "rserpool_registrar_state").unwrap();
        let states = ["starting", "serving", "leaving"]
            .map(|state| (vec![("state", state.into())], number(state == "starting")));
        assert_eq!(*state, Family::gauges("rserpool_registrar_state", state.meaning, states.to_vec()));
    }

    #[test]
    fn names_are_unique_and_those_that_prometheus_takes() {
        let of_registrar = of_registrar(overview(|_| ())).families;
        let mut seen = BTreeSet::new();
        for Family { name, meaning, .. } in &of_registrar {
            assert!(seen.insert(name), "{name}");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit()), "{name}");
            assert!(!name.ends_with("_total") && meaning.ends_with('.'), "{name}: {meaning}");
        }
    }

    #[test]
    fn a_handle_that_is_no_text_is_told_from_one_that_looks_like_its_digits() {
        assert_eq!(pool_label(&PoolHandle::from("ff")), [("pool", "ff".into())]);
        assert_eq!(pool_label(&PoolHandle::new(vec![0xff])), [("pool_hex", "ff".into())]);
    }
}
