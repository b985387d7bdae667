//! What registrars that know each other must have in common once they have come to rest.

use std::collections::{BTreeMap, BTreeSet};

use rserpool_core::base::{PoolHandle, RegistrarId};
use rserpool_core::handlespace::PeHandle;
use rserpool_core::registrar::{PeerState, Registrar};
use rserpool_core::wire::PoolElement;

use super::view::View;
use crate::id::HostId;
use crate::violation::Violation;

/// See [`World::agreement`](crate::World::agreement).
pub(crate) fn agreement(view: &View<'_>, registrars: &[HostId]) -> Result<(), Violation> {
    let running: Vec<(HostId, &Registrar)> =
        registrars.iter().filter_map(|host| Some((*host, view.registrar(*host)?))).collect();
    let scope: BTreeSet<RegistrarId> = running.iter().map(|(_, registrar)| registrar.id()).collect();
    for (host, registrar) in &running {
        let name = view.name(*host);
        if !registrar.is_serving() {
            return Err(Violation::new("at rest every registrar serves", name));
        }
        // One that hears its peers less often than it expects suspects them between two of their heartbeats.
        let expects = view.registrar_config(*host).map(|config| config.enrp.max_time_last_heard);
        let suspects = running.iter().filter_map(|(peer, _)| view.registrar_config(*peer)).any(|config| {
            expects.is_some_and(|expects| config.enrp.heartbeat_cycle + view.longest_delay() >= expects)
        });
        check_peers(name, registrar, &scope, suspects)?;
        check_checksums(name, registrar)?;
    }
    let Some(((first, pattern), others)) = running.split_first() else { return Ok(()) };
    for (host, registrar) in others {
        if let Some(detail) = difference(pattern, registrar) {
            let (a, b) = (view.name(*first), view.name(*host));
            let detail = format!("{a} and {b}: {detail}");
            return Err(Violation::new("at rest all registrars list the same", detail));
        }
    }
    let stray = entries(pattern).find(|(_, element)| !scope.contains(&element.home));
    match stray {
        None => Ok(()),
        Some((pool, element)) => {
            let name = view.name(*first);
            let detail = format!("{name}: {pool}/{} of {}, which does not run", element.id, element.home);
            Err(Violation::new("at rest every home is a registrar that runs", detail))
        }
    }
}

/// See [`World::checksums_agree`](crate::World::checksums_agree).
pub(crate) fn checksums_agree(view: &View<'_>, registrars: &[HostId]) -> Result<(), Violation> {
    for host in registrars {
        let peers = view.registrar(*host).map(Registrar::peers).unwrap_or_default();
        if let Some(peer) = peers.iter().find(|peer| peer.announced_checksum != Some(peer.checksum)) {
            let detail = format!("{}: {peer:?}", view.name(*host));
            return Err(Violation::new("at rest checksums agree with what their owner says", detail));
        }
    }
    Ok(())
}

/// A registrar is connected with all others of its scope, and knows no other.
fn check_peers(
    name: &str,
    registrar: &Registrar,
    scope: &BTreeSet<RegistrarId>,
    suspects: bool,
) -> Result<(), Violation> {
    let peers = registrar.peers();
    let known: BTreeSet<RegistrarId> = peers.iter().map(|peer| peer.id).collect();
    let expected: BTreeSet<RegistrarId> = scope.iter().copied().filter(|id| *id != registrar.id()).collect();
    if known != expected || known.len() != peers.len() {
        let detail = format!("{name} ({}) knows {known:?}, not {expected:?}", registrar.id());
        return Err(Violation::new("at rest registrars know each other and no others", detail));
    }
    let is_active = |state| state == PeerState::Active || suspects && state == PeerState::Suspect;
    match peers.iter().find(|peer| !peer.connected || !is_active(peer.state)) {
        None => Ok(()),
        Some(peer) => {
            let detail = format!("{name}: {peer:?}");
            Err(Violation::new("at rest every peer is connected and active", detail))
        }
    }
}

/// Every checksum equals a recomputation.
fn check_checksums(name: &str, registrar: &Registrar) -> Result<(), Violation> {
    let mut octets: BTreeMap<RegistrarId, Vec<u8>> = BTreeMap::new();
    for (pool, element) in entries(registrar) {
        let octets = octets.entry(element.home).or_default();
        octets.extend(pool.as_bytes());
        octets.resize(octets.len().next_multiple_of(4), 0);
        octets.extend(element.id.0.to_be_bytes());
    }
    let is = |home| registrar.handlespace().checksum(home);
    let mut sums = octets.into_iter().map(|(home, octets)| (home, internet_checksum(&octets)));
    match sums.find(|(home, sum)| is(*home) != *sum) {
        None => Ok(()),
        Some((home, sum)) => {
            let detail = format!("{name}: {:#06x} for {home}, not {sum:#06x}", is(home));
            Err(Violation::new("the checksum equals a recomputation", detail))
        }
    }
}

/// RFC 1071, as written there and not as the core computes it.
fn internet_checksum(octets: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in octets.chunks_exact(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(pair[1]);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn entries(registrar: &Registrar) -> impl Iterator<Item = (&PoolHandle, &PoolElement)> {
    registrar.handlespace().elements_after(None)
}

/// The first element for which two registrars have different entries.
fn difference(one: &Registrar, other: &Registrar) -> Option<String> {
    let only = |a: &Registrar, b: &Registrar| {
        entries(a).find_map(|(pool, element)| {
            let pe = PeHandle { pool: pool.clone(), element: element.id };
            let found = b.handlespace().get(&pe);
            (found != Some(element)).then(|| format!("{pe}: {element:?} and {found:?}"))
        })
    };
    only(one, other).or_else(|| only(other, one))
}
