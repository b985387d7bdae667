//! Slow is not dead: requests that take longer than anything that decides about life and death.

mod support;

use rserpool_sim_driver::{Fault, HostId, Program, Service, World};
use support::{ms, run, world};

/// Three elements that take so long for each request, and as many users with one session each.
fn slow_world(seed: u64, service: u64, users: usize) -> (World, HostId, Vec<HostId>) {
    let mut world = world(seed);
    let r = world.fast_registrar("r");
    let config = world.element_config("Pool", &[r]);
    let service = Service { time: ms(service), ..Service::default() };
    for name in ["e1", "e2", "e3"] {
        world.add(name, Program::Element(config.clone(), service));
    }
    run(&mut world, 500);
    let users = (0..users).map(|n| world.fast_user(&format!("u{n}"), "Pool", &[r])).collect();
    (world, r, users)
}

/// Five users with requests of 400 ms: no session moves, no request is sent twice, and all elements stay listed
/// all the time.
#[test]
fn slow_requests_move_no_session_and_expel_nobody() {
    for (seed, service) in [(1, 300), (2, 400), (3, 1_500)] {
        let (mut world, r, users) = slow_world(seed, service, 5);
        for _ in 0..600 {
            run(&mut world, 10);
            assert_eq!(support::listed(&world, r).len(), 3);
        }
        for user in users {
            let client = world.client(user).unwrap();
            let conversation = &client.conversations()[0];
            assert_eq!(conversation.failovers, []);
            assert!(conversation.answered > 0);
            let counters = client.user().counters();
            assert_eq!((counters.messages_resent, counters.reports_sent, conversation.given_up), (0, 0, 0));
        }
    }
}

/// When the last of them is frozen, that is noticed as fast as ever, although every request is slow.
#[test]
fn a_frozen_element_is_noticed_although_requests_are_slow() {
    let (mut world, _, users) = slow_world(4, 400, 1);
    run(&mut world, 1_000);
    let user = users[0];
    let serving = world.client(user).unwrap().conversations()[0].element.unwrap();
    let host = world
        .hosts()
        .map(|(id, _)| id)
        .find(|id| world.server(*id).is_some_and(|server| server.element().id() == serving))
        .unwrap();
    let frozen = world.now();
    world.apply(Fault::Pause(host));
    run(&mut world, 3_000);
    let failover = &world.client(user).unwrap().conversations()[0].failovers[0];
    assert!(failover.noticed - frozen <= ms(400), "{:?}", failover.noticed - frozen);
    assert_eq!(world.client(user).unwrap().conversations()[0].given_up, 0);
}
