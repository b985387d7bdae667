//! What the scenarios have in common.
#![allow(dead_code, unreachable_pub)]

use std::collections::BTreeSet;
use std::time::Duration;

use rserpool_core::base::{ElementId, Instant, RegistrarId};
use rserpool_core::handlespace::PeHandle;
use rserpool_core::registrar::Notice;
use rserpool_sim_driver::{HostId, Note, World, WorldConfig};

pub fn world(seed: u64) -> World {
    World::new(WorldConfig::lan(seed))
}

pub fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

/// Lets time pass; nothing that must never happen may happen.
pub fn run(world: &mut World, millis: u64) {
    world.run_for(ms(millis));
    if let Some(violation) = world.violation() {
        panic!("{violation}\n{}", tail(world));
    }
}

pub fn tail(world: &World) -> String {
    let lines: Vec<&str> = world.trace().lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// The elements that a registrar lists, in the order of their identifiers.
pub fn listed(world: &World, registrar: HostId) -> Vec<ElementId> {
    let registrar = world.registrar(registrar).expect("a registrar that runs");
    registrar.handlespace().elements_after(None).map(|(_, element)| element.id).collect()
}

/// The identifier of the element on a host.
pub fn id_of(world: &World, element: HostId) -> ElementId {
    world.server(element).expect("an element that runs").element().id()
}

pub fn ids_of(world: &World, elements: &[HostId]) -> Vec<ElementId> {
    let mut ids: Vec<ElementId> = elements.iter().map(|element| id_of(world, *element)).collect();
    ids.sort();
    ids
}

/// Every request of the user's sessions was answered, but for those of the last moment.
pub fn assert_nothing_lost(world: &World, user: HostId) {
    let now = world.now();
    for conversation in world.client(user).expect("a user that runs").conversations() {
        assert_eq!(conversation.given_up, 0, "requests were given up\n{}", tail(world));
        let late = conversation.unanswered.iter().find(|(_, asked)| now - **asked > ms(20));
        assert_eq!(late, None, "a request is lost\n{}", tail(world));
        assert!(conversation.answered > 0, "nothing was asked\n{}", tail(world));
    }
}

/// Lets time pass, a millisecond at a time, until something holds; returns how many it took.
pub fn until(world: &mut World, at_most: u64, what: &str, holds: impl Fn(&World) -> bool) -> u64 {
    for millis in 0..=at_most {
        if holds(world) {
            return millis;
        }
        run(world, 1);
    }
    panic!("{what}: not within {at_most} ms\n{}", tail(world));
}

/// These registrars know each other and agree in everything.
pub fn assert_agreement(world: &World, registrars: &[HostId]) {
    if let Err(violation) = world.agreement(registrars) {
        panic!("{violation}\n{}", tail(world));
    }
}

/// How many milliseconds it takes until they do.
pub fn until_agreement(world: &mut World, at_most: u64, registrars: &[HostId]) -> u64 {
    let agree = |world: &World| world.agreement(registrars).is_ok();
    for millis in 0..=at_most {
        if agree(world) {
            return millis;
        }
        run(world, 1);
    }
    assert_agreement(world, registrars);
    at_most
}

/// The identifier of a registrar that runs.
pub fn registrar_id(world: &World, host: HostId) -> RegistrarId {
    world.registrar(host).expect("a registrar that runs").id()
}

/// The home that a registrar has on its list for an element.
pub fn home_at(world: &World, registrar: HostId, element: HostId) -> Option<RegistrarId> {
    let server = world.server(element)?;
    let pe = PeHandle { pool: server.config().handle.clone(), element: server.element().id() };
    Some(world.registrar(registrar)?.handlespace().get(&pe)?.home)
}

/// Every one of these registrars lists every one of these elements, with a home among them that
/// all of them agree upon.
pub fn all_have_a_home(world: &World, elements: &[HostId], registrars: &[HostId]) -> bool {
    let ids: Vec<RegistrarId> = registrars.iter().map(|host| registrar_id(world, *host)).collect();
    elements.iter().all(|element| {
        let homes: BTreeSet<_> = registrars.iter().map(|host| home_at(world, *host, *element)).collect();
        homes.len() == 1 && homes.first().is_some_and(|home| home.is_some_and(|home| ids.contains(&home)))
    })
}

/// The same, and every element takes it for its home and is registered there.
pub fn all_are_at_home(world: &World, elements: &[HostId], registrars: &[HostId]) -> bool {
    all_have_a_home(world, elements, registrars)
        && elements.iter().all(|host| {
            let element = world.server(*host).expect("an element that runs").element();
            element.is_registered() && Some(element.home()) == home_at(world, registrars[0], *host)
        })
}

/// How many elements each of these registrars is the home of.
pub fn shares(world: &World, registrars: &[HostId]) -> Vec<usize> {
    let own = |host: &HostId| {
        let registrar = world.registrar(*host).expect("a registrar that runs");
        registrar.handlespace().elements_after(None).filter(|(_, e)| e.home == registrar.id()).count()
    };
    registrars.iter().map(own).collect()
}

/// The hosts that have taken `target` over: once for each that says so.
pub fn winners(world: &World, target: RegistrarId) -> Vec<HostId> {
    let won = |(_, host, note): &(Instant, HostId, Note)| match note {
        Note::Registrar(Notice::TakenOver { target: t, by, .. }) if *t == target => {
            // A winner that has died since cannot be asked for its identifier.
            world.registrar(*host).is_some_and(|r| r.id() == *by).then_some(*host)
        }
        _ => None,
    };
    world.notes().iter().filter_map(won).collect()
}

/// Elements "e1" to "en" of one pool that know these registrars, each beginning with another one.
pub fn elements(world: &mut World, n: usize, pool: &str, registrars: &[HostId]) -> Vec<HostId> {
    let add = |n: usize| {
        let mut known = registrars.to_vec();
        known.rotate_left(n % registrars.len());
        world.fast_element(&format!("e{}", n + 1), pool, &known)
    };
    (0..n).map(add).collect()
}
