//! A registrar that joins a large scope: how long the download of 10,000 elements takes.

mod support;

use std::time::Duration;

use rserpool_core::registrar::RegistrarConfig;
use rserpool_sim_driver::{Cable, Fault, HostId, Program, World, WorldConfig};
use support::{listed, ms, run, until};

const ELEMENTS: usize = 10_000;

/// A registrar with 10,000 elements and cables of 10 ms; keep-alives are rare: they must not
/// make the test slow.
fn large(octets: usize) -> (World, HostId) {
    let cable = Cable { delay: ms(10), ..Cable::LAN };
    let mut world = World::new(WorldConfig {
        cable,
        notes: false,
        trace: rserpool_sim_driver::TraceMode::Last(40),
        ..WorldConfig::lan(1)
    });
    let mut config = RegistrarConfig::fast(None, 0);
    config.keep_alive_interval = Duration::from_secs(600);
    config.handle_table_octets = octets;
    let r1 = world.add("r1", Program::Registrar(config));
    for n in 0..ELEMENTS {
        world.fast_element(&format!("e{n}"), "Pool", &[r1]);
    }
    run(&mut world, 200);
    assert_eq!(listed(&world, r1).len(), ELEMENTS);
    (world, r1)
}

fn join(octets: usize, at_most: u64) -> u64 {
    let (mut world, r1) = large(octets);
    let r2 = world.fast_peer("r2", &[r1]);
    let joined = until(&mut world, at_most, "r2 serves", |world| {
        world.registrar(r2).is_some_and(rserpool_core::registrar::Registrar::is_serving)
    });
    assert_eq!(listed(&world, r2), listed(&world, r1));
    world.apply(Fault::Kill(r2));
    joined
}

/// The goal is 6 s, page by page (RFC 5353 section 3.2.3): each costs a round trip of 20 ms.
#[test]
fn ten_thousand_elements_in_pages_of_the_default_size() {
    let octets = RegistrarConfig::fast(None, 0).handle_table_octets;
    let joined = join(octets, 20_000);
    println!("pages of {octets} octets: {joined} ms");
    assert!(joined <= 6_000, "{joined} ms");
}

/// The goal is 1 s.
#[test]
fn ten_thousand_elements_in_the_largest_pages() {
    let joined = join(65_000, 2_000);
    println!("pages of 65,000 octets: {joined} ms");
    assert!(joined <= 1_000, "{joined} ms");
}
