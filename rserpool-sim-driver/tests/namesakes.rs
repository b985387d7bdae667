//! Two registrars with the same identifier (RFC 5353 section 3.2.1).

mod support;

use rserpool_core::base::RegistrarId;
use rserpool_core::registrar::{Notice, RegistrarConfig};
use rserpool_sim_driver::{Fault, HostId, Note, Program, World};
use support::{all_are_at_home, assert_agreement, elements, registrar_id, run, world};

fn told_of_namesake(world: &World, host: HostId) -> bool {
    let taken = |note: &Note| matches!(note, Note::Registrar(Notice::IdentifierTaken { .. }));
    world.notes().iter().any(|(_, who, note)| *who == host && taken(note))
}

/// ENRP-3.2.1-01: of two registrars with one identifier the one that came later says so and stops; the scope
/// goes on.
#[test]
fn of_two_registrars_with_one_identifier_the_newcomer_stops() {
    let mut world = world(1);
    let scope = world.fast_registrars(2);
    let elements = elements(&mut world, 20, "Pool", &scope);
    run(&mut world, 2_000);
    let id = registrar_id(&world, scope[0]);
    let config = RegistrarConfig::fast(Some(id), 0);
    let namesake = world.add_idle("namesake", Program::Registrar(config));
    world.introduce(namesake, &scope);
    world.apply(Fault::Start(namesake));
    run(&mut world, 2_000);
    assert!(told_of_namesake(&world, namesake));
    assert!(world.host(namesake).process().is_none(), "it stops");
    assert!(!told_of_namesake(&world, scope[0]));
    assert_agreement(&world, &scope);
    assert!(all_are_at_home(&world, &elements, &scope));
}

/// It knows only a third registrar, which does not let it in under a name that is taken.
#[test]
fn a_namesake_behind_a_third_registrar_harms_nobody() {
    let mut world = world(1);
    let scope = world.fast_registrars(2);
    let elements = elements(&mut world, 20, "Pool", &scope);
    run(&mut world, 2_000);
    let id = registrar_id(&world, scope[0]);
    let config = RegistrarConfig::fast(Some(id), 0);
    let namesake = world.add_idle("namesake", Program::Registrar(config));
    world.introduce(namesake, &scope[1..]);
    world.apply(Fault::Start(namesake));
    for _ in 0..60 {
        run(&mut world, 100);
        assert_agreement(&world, &scope);
    }
    assert_agreement(&world, &scope);
    assert!(all_are_at_home(&world, &elements, &scope));
}

/// A registrar that is killed and started under its identifier at once is not a namesake of itself.
#[test]
fn a_restarted_registrar_is_no_namesake() {
    for down in [0, 1, 3, 100, 500, 660, 1_000] {
        let mut world = world(down);
        let scope = world.fast_registrars(3);
        world.configure_registrar(scope[0], |config| config.id = Some(RegistrarId(7)));
        world.apply(Fault::Kill(scope[0]));
        world.apply(Fault::Start(scope[0]));
        run(&mut world, 2_000);
        world.apply(Fault::Kill(scope[0]));
        run(&mut world, down);
        world.apply(Fault::Start(scope[0]));
        run(&mut world, 3_000);
        assert!(!scope.iter().any(|r| told_of_namesake(&world, *r)), "down for {down} ms");
        assert_agreement(&world, &scope);
    }
}
