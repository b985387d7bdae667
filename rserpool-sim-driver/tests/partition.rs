//! Registrars that cannot talk to each other for a while, and what they agree upon afterwards.

mod support;

use rserpool_core::wire::Policy;
use rserpool_core::{base::RegistrarId, element};
use rserpool_sim_driver::{Fault, HostId, World};
use support::{
    all_are_at_home, assert_agreement, elements, home_at, id_of, listed, registrar_id, run, until,
    until_agreement, world,
};

/// Two cycles of heartbeats, and what the last messages take.
const TWO_CYCLES: u64 = 2 * 200 + 10;

/// Five registrars and elements at all of them, at rest.
fn five(seed: u64, n: usize) -> (World, Vec<HostId>, Vec<HostId>) {
    let mut world = world(seed);
    let scope = world.fast_registrars(5);
    run(&mut world, 1_500);
    let elements = elements(&mut world, n, "Pool", &scope);
    run(&mut world, 3_000);
    assert_agreement(&world, &scope);
    (world, scope, elements)
}

/// Ten seconds of 3 + 2 registrars, each side with its elements: each takes the other over.
/// A checksum that differs starts a resynchronisation (ENRP-3.6.1-04): it marks the elements of the peer, asks for
/// its table and removes what is still marked (ENRP-3.6.3-01 to -05). Of two homes one stays (reading B26).
#[test]
fn both_halves_agree_within_two_heartbeat_cycles_after_a_partition() {
    for seed in 0..8 {
        let (mut world, scope, elements) = five(seed, 40);
        let (left, right) = (&scope[..3], &scope[3..]);
        let (left_elements, right_elements) = elements.split_at(20);
        let one = [left, left_elements].concat();
        let other = [right, right_elements].concat();
        world.apply(Fault::Split(one.clone(), other.clone()));
        run(&mut world, 10_000);
        // Each half has lost the other's registrars and elements, and nothing of its own.
        assert_agreement(&world, left);
        assert_agreement(&world, right);
        assert!(all_are_at_home(&world, left_elements, left));
        assert!(all_are_at_home(&world, right_elements, right));
        assert_eq!((listed(&world, left[0]).len(), listed(&world, right[0]).len()), (20, 20));
        world.apply(Fault::Join(one, other));
        let took = until_agreement(&mut world, TWO_CYCLES, &scope);
        assert!(took <= TWO_CYCLES);
        assert_eq!(listed(&world, scope[0]).len(), 40, "no element is lost");
        run(&mut world, 2_000);
        assert_agreement(&world, &scope);
        assert!(all_are_at_home(&world, &elements, &scope));
    }
}

/// Only the registrars are divided: every element can be reached from both sides, each of which
/// takes all of them over. In the end each has one home again.
#[test]
fn elements_between_two_halves_get_one_home_again() {
    for seed in 0..8 {
        let (mut world, scope, elements) = five(seed, 40);
        let (left, right) = (scope[..3].to_vec(), scope[3..].to_vec());
        world.apply(Fault::Split(left.clone(), right.clone()));
        run(&mut world, 10_000);
        assert_eq!((listed(&world, left[0]).len(), listed(&world, right[0]).len()), (40, 40));
        world.apply(Fault::Join(left, right));
        // A registrar at a time says that it is larger: that needs a few messages more.
        until_agreement(&mut world, TWO_CYCLES + 200, &scope);
        run(&mut world, 2_000);
        assert_agreement(&world, &scope);
        assert!(all_are_at_home(&world, &elements, &scope));
    }
}

/// One direction only: the one that hears nothing wants to take over the other one, which lives.
#[test]
fn an_asymmetric_partition_loses_nothing() {
    for seed in 0..8 {
        let (mut world, scope, elements) = five(seed, 20);
        world.apply(Fault::Block(scope[0], scope[1]));
        run(&mut world, 5_000);
        for registrar in &scope[2..] {
            assert_eq!(listed(&world, *registrar).len(), 20);
        }
        world.apply(Fault::Unblock(scope[0], scope[1]));
        until_agreement(&mut world, 2_000, &scope);
        run(&mut world, 2_000);
        assert!(all_are_at_home(&world, &elements, &scope));
    }
}

/// An element hops from one registrar to another while updates are under way: it is never without
/// an owner, and all agree at last (reading B26).
#[test]
fn an_element_that_hops_while_updates_cross_has_an_owner_all_the_time() {
    for seed in 0..30 {
        let mut world = world(seed);
        let scope = world.fast_registrars(3);
        run(&mut world, 1_500);
        let e = world.fast_element("e", "Pool", &scope);
        run(&mut world, 1_000);
        let home = home_at(&world, scope[0], e).expect("a home");
        let first = *scope.iter().find(|r| registrar_id(&world, **r) == home).expect("the home runs");
        // It cannot talk to its home for a moment, and registers with another.
        run(&mut world, seed * 7);
        Fault::partition(e, first).into_iter().for_each(|fault| world.apply(fault));
        for _ in 0..1_500 {
            run(&mut world, 1);
            // Its old home drops it for silence before it has found another; a registrar that lists
            // it names a home that runs.
            for registrar in &scope {
                let home = home_at(&world, *registrar, e);
                let runs = |home: RegistrarId| scope.iter().any(|r| registrar_id(&world, *r) == home);
                assert!(home.is_none_or(runs));
            }
        }
        Fault::heal(e, first).into_iter().for_each(|fault| world.apply(fault));
        run(&mut world, 2_000);
        assert_agreement(&world, &scope);
        assert!(all_are_at_home(&world, &[e], &scope));
    }
}

/// What does not change the checksum is told again to a registrar that was away, even if unchanged
/// re-registrations are not told.
#[test]
fn a_new_load_reaches_a_registrar_that_stood_still() {
    let mut world = world(1);
    let scope = world.fast_registrars(2);
    for registrar in &scope {
        world.apply(Fault::Kill(*registrar));
        world.configure_registrar(*registrar, |config| config.enrp.suppress_unchanged = true);
        world.apply(Fault::Start(*registrar));
    }
    run(&mut world, 1_500);
    let mut config = world.element_config("Pool", &scope[..1]);
    config.policy = Policy::LeastUsed { load: 1 };
    config.life = rserpool_core::wire::RegistrationLife(2);
    config.reregistration_interval = None;
    let e = world.add("e", rserpool_sim_driver::Program::Element(config, Default::default()));
    run(&mut world, 500);
    world.apply(Fault::Pause(scope[1]));
    run(&mut world, 2_000);
    world.element_command(e, element::Command::UpdatePolicy(Policy::LeastUsed { load: 2 }));
    run(&mut world, 100);
    world.apply(Fault::Thaw(scope[1]));
    // The next re-registration tells it.
    let load = |world: &World, registrar: HostId| {
        let space = world.registrar(registrar).unwrap().handlespace();
        space
            .elements_after(None)
            .find(|(_, element)| element.id == id_of(world, e))
            .map(|(_, e)| e.policy.clone())
    };
    let current = Some(Policy::LeastUsed { load: 2 });
    until(&mut world, 3_000, "the load", |world| load(world, scope[1]) == current);
    until_agreement(&mut world, 500, &scope);
}
