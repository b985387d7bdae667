//! Registrars that leave cleanly, and come back to their share.

mod support;

use rserpool_sim_driver::{Fault, HostId, World};
use support::{
    all_are_at_home, all_have_a_home, assert_agreement, assert_nothing_lost, elements, home_at, ms,
    registrar_id, run, shares, until, world,
};

fn scope(seed: u64, registrars: usize, n: usize) -> (World, Vec<HostId>, Vec<HostId>) {
    let mut world = world(seed);
    let scope = world.fast_registrars(registrars);
    run(&mut world, 1_500);
    let elements = elements(&mut world, n, "Pool", &scope);
    run(&mut world, 3_000);
    assert_agreement(&world, &scope);
    assert!(all_are_at_home(&world, &elements, &scope));
    (world, scope, elements)
}

/// SIGTERM: elements are handed over before the registrar goes; no process waits for a time-out, and at
/// no moment has an element no home.
#[test]
fn a_registrar_that_stops_hands_its_elements_over() {
    for (registrars, n) in [(2, 50), (3, 100), (5, 100)] {
        let (mut world, scope, elements) = scope(1, registrars, n);
        let u = world.fast_user("u", "Pool", &scope);
        run(&mut world, 500);
        let (leaving, id) = (scope[0], registrar_id(&world, scope[0]));
        world.apply(Fault::Stop(leaving, ms(5_000)));
        let stopped = until(&mut world, 1_000, "stopped", |world| {
            assert!(all_listed(world, &elements, &scope[1..]), "an element without home");
            world.host(leaving).process().is_none()
        });
        // An offer and its answer, a keep-alive, a shutdown: no timer has anything to do with it.
        assert!(stopped <= 30, "{stopped} ms");
        assert!(all_have_a_home(&world, &elements, &scope[1..]));
        assert!(elements.iter().all(|element| home_at(&world, scope[1], *element) != Some(id)));
        let registered = |world: &World| all_are_at_home(world, &elements, &scope[1..]);
        let took = until(&mut world, 100, "registered", registered);
        assert!(took <= 20, "{took} ms");
        run(&mut world, 2_000);
        assert_agreement(&world, &scope[1..]);
        assert!(all_are_at_home(&world, &elements, &scope[1..]));
        assert_nothing_lost(&world, u);
    }
}

/// Whether each of these registrars lists each of these elements.
fn all_listed(world: &World, elements: &[HostId], registrars: &[HostId]) -> bool {
    registrars.iter().all(|r| elements.iter().all(|element| home_at(world, *r, *element).is_some()))
}

/// The draft of the takeover suggestion: a registrar that comes back gets its share.
#[test]
fn a_registrar_that_comes_back_gets_an_even_share() {
    for registrars in [2, 3, 5] {
        let (mut world, scope, elements) = scope(1, registrars, 60);
        world.apply(Fault::Kill(scope[0]));
        run(&mut world, 3_000);
        assert_eq!(shares(&world, &scope[1..]).iter().sum::<usize>(), 60);
        world.apply(Fault::Start(scope[0]));
        run(&mut world, 10_000);
        let even = 60 / registrars;
        let shares = shares(&world, &scope);
        assert_eq!(shares.iter().sum::<usize>(), 60);
        assert!(shares.iter().all(|share| share.abs_diff(even) <= even / 2), "{shares:?}");
        assert_agreement(&world, &scope);
        assert!(all_are_at_home(&world, &elements, &scope));
    }
}

/// Every registrar is replaced, one after the other.
#[test]
fn a_rolling_restart_loses_nothing() {
    let (mut world, scope, elements) = scope(1, 3, 60);
    let users: Vec<HostId> = (0..3)
        .map(|n| {
            let mut known = scope.clone();
            known.rotate_left(n);
            world.fast_user(&format!("u{n}"), "Pool", &known)
        })
        .collect();
    run(&mut world, 1_000);
    for registrar in &scope {
        world.apply(Fault::Stop(*registrar, ms(2_000)));
        until(&mut world, 2_100, "stopped", |world| world.host(*registrar).process().is_none());
        run(&mut world, 200);
        world.apply(Fault::Start(*registrar));
        run(&mut world, 2_000);
    }
    assert_agreement(&world, &scope);
    assert!(all_are_at_home(&world, &elements, &scope));
    users.iter().for_each(|user| assert_nothing_lost(&world, *user));
}

/// All leave at once: no peer is left to take their elements, and they still end.
#[test]
fn a_whole_scope_can_stop() {
    let (mut world, scope, _) = scope(1, 3, 30);
    scope.iter().for_each(|registrar| world.apply(Fault::Stop(*registrar, ms(2_000))));
    run(&mut world, 2_100);
    assert!(scope.iter().all(|registrar| world.host(*registrar).process().is_none()));
}
