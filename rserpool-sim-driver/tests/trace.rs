//! The text of a trace, and that a run twice gives the same.
//!
//! `RSERPOOL_REWRITE_TRACES=1 cargo test` writes the expected texts anew.

mod support;

use std::path::Path;

use rserpool_sim_driver::{Fault, World};
use support::{ms, run, world};

fn assert_trace(world: &World, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces").join(name);
    let text = world.trace().text();
    if std::env::var_os("RSERPOOL_REWRITE_TRACES").is_some() {
        std::fs::write(&path, &text).expect("the trace can be written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    for (n, (is, should)) in text.lines().zip(expected.lines()).enumerate() {
        assert_eq!(is, should, "{name} line {}", n + 1);
    }
    assert_eq!(text.lines().count(), expected.lines().count(), "{name}: number of lines");
}

/// One registrar, two elements, one user; the element that serves the user dies.
fn a_failover(seed: u64) -> World {
    let mut world = world(seed);
    let r = world.fast_registrar("r");
    let e1 = world.fast_element("e1", "Pool", &[r]);
    world.fast_element("e2", "Pool", &[r]);
    world.fast_user("u", "Pool", &[r]);
    run(&mut world, 250);
    world.apply(Fault::Kill(e1));
    run(&mut world, 600);
    world.apply(Fault::Start(e1));
    run(&mut world, 100);
    world
}

#[test]
fn a_failover_reads_like_this() {
    assert_trace(&a_failover(1), "failover.txt");
}

/// Two registrars, an element at one of them, which dies.
#[test]
fn a_takeover_reads_like_this() {
    let mut world = world(1);
    let scope = world.fast_registrars(2);
    run(&mut world, 1_000);
    world.fast_element("e", "Pool", &scope[..1]);
    run(&mut world, 300);
    world.apply(Fault::Kill(scope[0]));
    run(&mut world, 800);
    assert_trace(&world, "takeover.txt");
}

#[test]
fn a_clean_stop_reads_like_this() {
    let mut world = world(1);
    let r = world.fast_registrar("r");
    let e = world.fast_element("e", "Pool", &[r]);
    run(&mut world, 20);
    world.apply(Fault::Stop(e, ms(1_000)));
    run(&mut world, 100);
    assert_trace(&world, "stop.txt");
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
    assert_eq!(a_failover(5).trace().hash(), a_failover(5).trace().hash());
    assert_ne!(a_failover(5).trace().hash(), a_failover(6).trace().hash());
}
