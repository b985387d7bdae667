//! A registrar under any sequence of events.

use std::collections::BTreeMap;

use rserpool_core::base::{ASAP_PORT, ENRP_PORT, RegistrarId, SctpAddress, UdpPort};
use rserpool_core::handlespace::Checksum;
use rserpool_core::registrar::{Command, Registrar, RegistrarConfig, TakeoverWinner};
use rserpool_core::wire::Padding;

use super::input::Input;
use super::invent::OURS;
use super::world::{World, ip};

/// Events for a registrar: elements, users and other registrars come, speak and go. It keeps the
/// contract, its handlespace is consistent, and it stops when it is asked to.
pub fn registrar(octets: &[u8]) {
    let mut input = Input::new(octets);
    let world =
        World::new(Registrar::new(config(&mut input), Default::default()), &[ASAP_PORT.0, ENRP_PORT.0]);
    world.play(
        input,
        |input| match input.below(3) {
            0 => Command::Pools,
            1 => Command::Counters,
            _ => Command::Peers,
        },
        check,
    );
}

/// Small limits, so that a short run reaches them.
fn config(input: &mut Input<'_>) -> RegistrarConfig {
    let (flags, more) = (input.u8(), input.u8());
    let is_set = |bit: u8| flags & bit != 0;
    let id = Some(RegistrarId(OURS));
    let mut config = if is_set(1) { RegistrarConfig::fast(id, 7) } else { RegistrarConfig::rfc(id, 7) };
    config.addresses = vec![ip(200)];
    config.announce = is_set(2);
    config.enrp.announce = is_set(4);
    config.enrp.balance = is_set(8);
    config.enrp.suppress_unchanged = is_set(16);
    if is_set(32) {
        config.enrp.takeover_winner = TakeoverWinner::SmallerId;
    }
    if is_set(64) {
        config.padding = Padding::Strict;
    }
    if is_set(128) {
        (config.limits.pools, config.limits.elements_per_pool, config.limits.elements) = (2, 3, 4);
        config.handle_table_octets = 200;
    }
    config.enrp.peers =
        (0..more % 4).map(|last| SctpAddress::new(ip(last), ENRP_PORT, UdpPort(9899))).collect();
    config
}

/// ENRP-3.6.2-04: counts and checksums are always those of what is listed.
fn check(registrar: &Registrar) {
    let handlespace = registrar.handlespace();
    let mut homes: BTreeMap<RegistrarId, (usize, Checksum)> = BTreeMap::new();
    let mut elements = 0;
    for (handle, element) in handlespace.elements_after(None) {
        let (count, checksum) = homes.entry(element.home).or_default();
        *count += 1;
        checksum.add(handle, element.id);
        elements += 1;
        let pool = handlespace.pool(handle).expect("an element is in its pool");
        assert_eq!(pool.policy().kind(), element.policy.kind());
    }
    assert_eq!(handlespace.element_count(), elements);
    assert!(handlespace.pools().all(|(_, pool)| !pool.is_empty()), "a pool without elements is gone");
    for (home, (count, checksum)) in homes {
        assert_eq!((handlespace.owned(home), handlespace.checksum(home)), (count, checksum.value()));
    }
}
