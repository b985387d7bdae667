//! Registrars that die, and the elements that they leave (RFC 5353 section 3.5).

mod support;

use rserpool_core::user;
use rserpool_sim_driver::{Fault, HostId, Note, World};
use support::{
    all_are_at_home, all_have_a_home, assert_agreement, assert_nothing_lost, elements, listed, registrar_id,
    run, until, winners, world,
};

/// A scope at rest, with elements at all of them or at the first only.
fn scope(seed: u64, registrars: usize, n: usize, at_first: bool) -> (World, Vec<HostId>, Vec<HostId>) {
    let mut world = world(seed);
    let scope = world.fast_registrars(registrars);
    for registrar in &scope {
        // Elements stay where they have registered.
        world.configure_registrar(*registrar, |config| config.enrp.balance = false);
    }
    for registrar in &scope {
        world.apply(Fault::Kill(*registrar));
        world.apply(Fault::Start(*registrar));
    }
    run(&mut world, 1_500);
    let mut elements = elements(&mut world, n, "Pool", &scope);
    if at_first {
        for (n, element) in elements.iter_mut().enumerate() {
            world.apply(Fault::Kill(*element));
            *element = world.fast_element(&format!("f{n}"), "Pool", &scope);
        }
    }
    run(&mut world, 2_000);
    assert_agreement(&world, &scope);
    assert!(all_are_at_home(&world, &elements, &scope));
    (world, scope, elements)
}

/// Kills a registrar; returns after how many milliseconds every element has a home at every
/// survivor, and after how many it is registered there.
fn kill(world: &mut World, scope: &[HostId], dead: &[HostId], elements: &[HostId]) -> (u64, u64) {
    let targets: Vec<_> = dead.iter().map(|host| registrar_id(world, *host)).collect();
    dead.iter().for_each(|host| world.apply(Fault::Kill(*host)));
    let survivors: Vec<HostId> = scope.iter().copied().filter(|host| !dead.contains(host)).collect();
    let moved = until(world, 3_000, "a new home", |world| all_have_a_home(world, elements, &survivors));
    let more = until(world, 3_000, "registered", |world| all_are_at_home(world, elements, &survivors));
    for target in targets {
        assert!(winners(world, target).len() <= 1, "{:?}", winners(world, target));
    }
    run(world, 2_000);
    assert_agreement(world, &survivors);
    assert!(all_are_at_home(world, elements, &survivors));
    (moved, moved + more)
}

/// A silent peer is asked for a sign of life, then counts as dead and is taken over (ENRP-3.4.3-02 to -04): it was
/// heard at most 200 ms before, is asked 450 ms after that, and is dead 200 ms later. With the acknowledgements of
/// all peers the takeover is won (ENRP-3.5.1-09), announced, and the elements get their new home
/// (ENRP-3.5.2-01 to -05).
#[test]
fn a_hundred_elements_have_a_new_home_when_their_registrar_dies() {
    for seed in 0..10 {
        let (mut world, scope, elements) = scope(seed, 3, 100, false);
        run(&mut world, seed * 21);
        let (moved, registered) = kill(&mut world, &scope, &scope[..1], &elements);
        assert!(moved <= 700, "{moved} ms");
        assert!(registered <= 1_000, "{registered} ms");
    }
}

#[test]
fn a_thousand_elements_have_a_new_home_when_their_registrar_dies() {
    let (mut world, scope, elements) = scope(1, 3, 1_000, false);
    let (moved, registered) = kill(&mut world, &scope, &scope[..1], &elements);
    assert!(moved <= 700, "{moved} ms");
    assert!(registered <= 1_500, "{registered} ms");
}

/// Reading B2: no other peer is there to acknowledge.
#[test]
fn with_two_registrars_the_other_one_takes_over() {
    for (seed, n) in [(0, 100), (1, 100), (2, 1_000)] {
        let (mut world, scope, elements) = scope(seed, 2, n, false);
        let (moved, registered) = kill(&mut world, &scope, &scope[..1], &elements);
        assert!(moved <= 700, "{moved} ms");
        assert!(registered <= 1_500, "{registered} ms");
    }
}

/// Reading B2: acknowledgements of the other dead one never come.
#[test]
fn two_of_five_die_at_once() {
    for seed in 0..10 {
        let (mut world, scope, elements) = scope(seed, 5, 100, false);
        let (moved, registered) = kill(&mut world, &scope, &scope[1..3], &elements);
        assert!(moved <= 1_500, "{moved} ms");
        assert!(registered <= 1_800, "{registered} ms");
    }
}

/// All but one die, one after the other while the takeovers are on.
#[test]
fn the_last_of_four_owns_everything() {
    for gap in [0, 100, 450, 650, 655, 700, 1_500] {
        let (mut world, scope, elements) = scope(gap, 4, 40, false);
        for dead in &scope[..3] {
            world.apply(Fault::Kill(*dead));
            run(&mut world, gap);
        }
        run(&mut world, 4_000);
        assert_agreement(&world, &scope[3..]);
        assert!(all_are_at_home(&world, &elements, &scope[3..]), "gap {gap}");
    }
}

/// A sign of life stops a takeover (ENRP-3.5.1-05, ENRP-3.5.1-10): a registrar that only stood still is not taken
/// over for good.
#[test]
fn a_frozen_registrar_comes_back() {
    for frozen in [300, 500, 640, 650, 660, 670, 1_000, 5_000] {
        let (mut world, scope, elements) = scope(frozen, 3, 30, false);
        world.apply(Fault::Pause(scope[2]));
        run(&mut world, frozen);
        world.apply(Fault::Thaw(scope[2]));
        run(&mut world, 4_000);
        assert_agreement(&world, &scope);
        assert!(all_are_at_home(&world, &elements, &scope), "frozen for {frozen} ms");
    }
}

/// No element of it is alive any more: no registrar lists them in the end.
#[test]
fn the_dead_elements_of_a_dead_registrar_go() {
    let (mut world, scope, elements) = scope(1, 3, 30, true);
    elements.iter().for_each(|element| world.apply(Fault::Kill(*element)));
    world.apply(Fault::Kill(scope[0]));
    run(&mut world, 2_000);
    for survivor in &scope[1..] {
        assert_eq!(listed(&world, *survivor), []);
    }
    assert_agreement(&world, &scope[1..]);
}

/// What became of a question for a pool.
fn resolution(note: &Note) -> Option<&Result<user::Resolution, user::UserError>> {
    match note {
        Note::UserAnswer(user::Answer::Resolved(answer)) => Some(answer),
        _ => None,
    }
}

/// Users that ask ten times a second, past their caches, are answered all the time.
#[test]
fn users_see_no_failed_resolution_during_a_takeover() {
    let (mut world, scope, elements) = scope(1, 3, 10, false);
    let users: Vec<HostId> = scope
        .iter()
        .enumerate()
        .map(|(n, _)| {
            let mut known = scope.clone();
            known.rotate_left(n);
            world.fast_user(&format!("u{n}"), "Pool", &known)
        })
        .collect();
    run(&mut world, 1_000);
    world.apply(Fault::Kill(scope[1]));
    for _ in 0..30 {
        users.iter().for_each(|user| world.resolve(*user));
        run(&mut world, 100);
    }
    run(&mut world, 1_000);
    let answers: Vec<_> = world.notes().iter().filter_map(|(_, _, note)| resolution(note)).collect();
    assert!(answers.len() > 80, "{}", answers.len());
    for answer in answers {
        let Ok(resolution) = answer else { panic!("{answer:?}") };
        assert_eq!(resolution.elements.len(), elements.len());
    }
    users.iter().for_each(|user| assert_nothing_lost(&world, *user));
}
