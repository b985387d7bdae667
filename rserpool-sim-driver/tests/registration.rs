//! Elements and their place in the handlespace.

mod support;

use rserpool_core::base::ElementId;
use rserpool_core::registrar::EnrpConfig;
use rserpool_sim_driver::{Fault, Program, Service};
use support::{at, id_of, ids_of, listed, ms, run, until, world};

#[test]
fn elements_register_and_a_user_resolves_their_pool() {
    let mut world = world(1);
    let r = world.fast_registrar("r");
    let e1 = world.fast_element("e1", "Pool", &[r]);
    let e2 = world.fast_element("e2", "Pool", &[r]);
    let u = world.fast_user("u", "Pool", &[r]);
    // Four legs of a handshake, request, answer.
    run(&mut world, 6);
    assert_eq!(listed(&world, r), ids_of(&world, &[e1, e2]));
    assert!(world.server(e1).unwrap().element().is_registered());
    run(&mut world, 100);
    world.resolve(u);
    run(&mut world, 2);
    let (when, elements) = world.client(u).unwrap().resolved().unwrap();
    let mut elements = elements.to_vec();
    elements.sort();
    assert_eq!((when, elements), (at(108), ids_of(&world, &[e1, e2])));
}

#[test]
fn a_killed_element_is_off_the_list_within_425_ms() {
    let mut world = world(1);
    let r = world.fast_registrar("r");
    let e1 = world.fast_element("e1", "Pool", &[r]);
    let e2 = world.fast_element("e2", "Pool", &[r]);
    run(&mut world, 1_000);
    world.apply(Fault::Kill(e1));
    run(&mut world, 425);
    assert_eq!(listed(&world, r), [id_of(&world, e2)]);
}

#[test]
fn a_frozen_element_is_dropped_and_gets_back_in_when_it_thaws() {
    let mut world = world(1);
    let r = world.fast_registrar("r");
    let e = world.fast_element("e", "Pool", &[r]);
    run(&mut world, 1_000);
    world.apply(Fault::Pause(e));
    run(&mut world, 5_000);
    assert_eq!(listed(&world, r), []);
    world.apply(Fault::Thaw(e));
    run(&mut world, 1_000);
    assert_eq!(listed(&world, r), ids_of(&world, &[e]));
    assert!(world.server(e).unwrap().element().is_registered());
}

#[test]
fn an_element_frozen_for_less_than_its_association_lives_gets_back_in_too() {
    for frozen in (50..700).step_by(25) {
        let mut world = world(frozen);
        let r = world.fast_registrar("r");
        let e = world.fast_element("e", "Pool", &[r]);
        run(&mut world, 1_000);
        world.apply(Fault::Pause(e));
        run(&mut world, frozen);
        world.apply(Fault::Thaw(e));
        run(&mut world, 1_000);
        assert_eq!(listed(&world, r), ids_of(&world, &[e]), "frozen for {frozen} ms");
    }
}

#[test]
fn elements_come_back_to_a_registrar_that_was_killed_and_started_again() {
    let mut world = world(1);
    let r = world.fast_registrar("r");
    let elements: Vec<_> = (0..20).map(|n| world.fast_element(&format!("e{n}"), "Pool", &[r])).collect();
    run(&mut world, 1_000);
    world.apply(Fault::Kill(r));
    run(&mut world, 50);
    world.apply(Fault::Start(r));
    assert_eq!(listed(&world, r), []);
    run(&mut world, 1_000);
    assert_eq!(listed(&world, r), ids_of(&world, &elements));
}

#[test]
fn a_restarted_element_gets_back_in_under_its_identifier() {
    let mut world = world(1);
    let r = world.fast_registrar("r");
    let e = world.fast_element("e", "Pool", &[r]);
    run(&mut world, 1_000);
    let id = id_of(&world, e);
    world.apply(Fault::Kill(e));
    run(&mut world, 10);
    world.apply(Fault::Start(e));
    run(&mut world, 20);
    assert_eq!(id_of(&world, e), id);
    assert!(world.server(e).unwrap().element().is_registered());
    run(&mut world, 2_000);
    assert_eq!(listed(&world, r), [id]);
}

#[test]
fn an_element_that_was_restarted_at_another_address_gets_back_in_under_its_identifier() {
    let mut world = world(1);
    let r = world.fast_registrar("r");
    let e = world.fast_element("e", "Pool", &[r]);
    run(&mut world, 1_000);
    let id = id_of(&world, e);
    world.apply(Fault::Kill(e));
    world.apply(Fault::Move(e));
    world.apply(Fault::Start(e));
    // The registrar asks the old address first: 200 ms.
    run(&mut world, 300);
    assert!(world.server(e).unwrap().element().is_registered());
    assert_eq!(listed(&world, r), [id]);
}

#[test]
fn of_two_elements_with_one_identifier_the_first_stays() {
    let mut world = world(1);
    let r = world.fast_registrar("r");
    let mut config = world.element_config("Pool", &[r]);
    config.id = Some(ElementId(7));
    let alone = Service { retry: None, ..Service::default() };
    let first = world.add("first", Program::Element(config.clone(), alone));
    run(&mut world, 100);
    let second = world.add("second", Program::Element(config, alone));
    run(&mut world, 3_000);
    assert!(world.server(first).unwrap().element().is_registered());
    assert!(!world.server(second).unwrap().element().is_registered());
    assert_eq!(listed(&world, r), [ElementId(7)]);
    assert_eq!(world.server(first).unwrap().element().counters().removals, 0);
}

#[test]
fn an_element_that_stops_is_off_the_list_at_once() {
    let mut world = world(1);
    let r = world.fast_registrar("r");
    let e = world.fast_element("e", "Pool", &[r]);
    run(&mut world, 1_000);
    world.apply(Fault::Stop(e, ms(2_000)));
    run(&mut world, 1);
    assert_eq!(listed(&world, r), []);
    run(&mut world, 9);
    assert!(world.host(e).process().is_none(), "it has stopped");
}

/// Users and elements mostly have different homes. The home of an element hangs, and the element dies: the
/// registrar to which a user reports it asks it itself, and takes it off the list long before the home is
/// known to be dead.
#[test]
fn a_dead_element_whose_home_hangs_goes_where_it_is_reported() {
    let mut world = world(1);
    let registrars = world.idle_registrars(3);
    for registrar in &registrars {
        world.configure_registrar(*registrar, |config| {
            let peers = core::mem::take(&mut config.enrp.peers);
            config.enrp = EnrpConfig::rfc();
            config.enrp.peers = peers;
        });
        world.apply(Fault::Start(*registrar));
    }
    let [home, reported, third] = registrars[..] else { panic!() };
    run(&mut world, 8_000);
    let e = world.fast_element("e", "Pool", &[home]);
    run(&mut world, 500);
    world.fast_user("u", "Pool", &[reported]);
    run(&mut world, 1_000);
    let id = id_of(&world, e);
    assert_eq!(listed(&world, third), [id]);
    world.apply(Fault::Pause(home));
    world.apply(Fault::Kill(e));
    let took = until(&mut world, 3_000, "the element is off both lists", |world| {
        [reported, third].iter().all(|registrar| listed(world, *registrar).is_empty())
    });
    assert!(took >= 200, "it was not asked");
}
