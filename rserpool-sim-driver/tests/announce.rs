//! Registrars that elements and users are not configured with.

mod support;

use rserpool_core::registrar::RegistrarConfig;
use rserpool_sim_driver::{Fault, HostId, Program, World};
use support::{assert_nothing_lost, ids_of, listed, run, world};

fn announcing(world: &mut World, name: &str) -> HostId {
    let mut config = RegistrarConfig::fast(None, 0);
    config.announce = true;
    world.add(name, Program::Registrar(config))
}

#[test]
fn elements_and_users_find_a_registrar_that_announces_itself() {
    let mut world = world(1);
    let e = world.fast_element("e", "Pool", &[]);
    let u = world.fast_user("u", "Pool", &[]);
    run(&mut world, 3_000);
    let r = announcing(&mut world, "r");
    // One announcement, four legs of a handshake, a registration.
    run(&mut world, 6);
    assert_eq!(listed(&world, r), ids_of(&world, &[e]));
    run(&mut world, 1_500);
    assert_nothing_lost(&world, u);
}

#[test]
fn a_host_that_announcements_miss_finds_nobody_until_they_reach_it() {
    let mut world = world(1);
    let r = announcing(&mut world, "r");
    let e = world.add_idle("e", Program::Element(world.element_config("Pool", &[]), Default::default()));
    world.apply(Fault::Deafen(e));
    world.apply(Fault::Start(e));
    run(&mut world, 10_000);
    assert_eq!(listed(&world, r), []);
    world.apply(Fault::Undeafen(e));
    run(&mut world, 1_100);
    assert_eq!(listed(&world, r), ids_of(&world, &[e]));
}

#[test]
fn elements_move_to_another_announced_registrar() {
    let mut world = world(1);
    let r1 = announcing(&mut world, "r1");
    let e = world.fast_element("e", "Pool", &[]);
    run(&mut world, 3_000);
    assert_eq!(listed(&world, r1), ids_of(&world, &[e]));
    let r2 = announcing(&mut world, "r2");
    run(&mut world, 3_000);
    world.apply(Fault::Kill(r1));
    run(&mut world, 2_000);
    assert_eq!(listed(&world, r2), ids_of(&world, &[e]));
}
