//! What the scenarios have in common.
#![allow(dead_code, unreachable_pub)]

use std::time::Duration;

use rserpool_core::base::{ElementId, Instant};
use rserpool_sim_driver::{HostId, World, WorldConfig};

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
