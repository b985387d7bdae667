//! Sessions of users while elements and registrars die, stop and stand still.

mod support;

use std::time::Duration;

use rserpool_core::base::Instant;
use rserpool_core::endpoint::DownReason;
use rserpool_core::user::FailureReason;
use rserpool_sim_driver::{Cable, Conversation, Fault, HostId, Load, Program, Service, World, WorldConfig};
use support::{assert_nothing_lost, id_of, ms, run, world};

/// Two elements and a user with a session that runs.
fn two_elements(seed: u64) -> (World, HostId, [HostId; 2], HostId) {
    let mut world = world(seed);
    let r = world.fast_registrar("r");
    let elements = ["e1", "e2"].map(|name| world.fast_element(name, "Pool", &[r]));
    run(&mut world, 500);
    let u = world.fast_user("u", "Pool", &[r]);
    run(&mut world, 1_000);
    (world, r, elements, u)
}

fn session(world: &World, user: HostId) -> &Conversation {
    &world.client(user).expect("a user that runs").conversations()[0]
}

/// The element that serves the user and the one that does not.
fn serving(world: &World, elements: [HostId; 2], user: HostId) -> (HostId, HostId) {
    let [a, b] = elements;
    if session(world, user).element == Some(id_of(world, a)) { (a, b) } else { (b, a) }
}

fn moved_at(world: &World, user: HostId) -> Instant {
    session(world, user).failovers[0].done.expect("a failover that is over")
}

#[test]
fn a_session_moves_within_500_ms_when_its_element_is_killed_and_loses_nothing() {
    for seed in 0..50 {
        let (mut world, _, elements, u) = two_elements(seed);
        run(&mut world, seed * 3);
        let (old, new) = serving(&world, elements, u);
        let killed = world.now();
        world.apply(Fault::Kill(old));
        run(&mut world, 2_000);
        let failovers = &session(&world, u).failovers;
        assert_eq!(failovers.len(), 1);
        assert_eq!(failovers[0].to, Some(id_of(&world, new)));
        assert!(moved_at(&world, u) - killed <= ms(500), "{:?}", moved_at(&world, u) - killed);
        assert_nothing_lost(&world, u);
    }
}

#[test]
fn a_session_moves_when_its_element_stands_still() {
    for seed in 0..20 {
        let (mut world, _, elements, u) = two_elements(seed);
        let (old, new) = serving(&world, elements, u);
        let frozen = world.now();
        world.apply(Fault::Pause(old));
        run(&mut world, 2_000);
        assert!(moved_at(&world, u) - frozen <= ms(500));
        world.apply(Fault::Thaw(old));
        run(&mut world, 2_000);
        assert_eq!(session(&world, u).failovers.len(), 1);
        assert_eq!(session(&world, u).element, Some(id_of(&world, new)));
        assert_nothing_lost(&world, u);
    }
}

#[test]
fn a_session_moves_at_once_when_its_element_stops_and_loses_nothing() {
    let (mut world, _, elements, u) = two_elements(1);
    let (old, new) = serving(&world, elements, u);
    let stopped = world.now();
    world.apply(Fault::Stop(old, ms(2_000)));
    run(&mut world, 2_000);
    let failover = &session(&world, u).failovers[0];
    assert_eq!(failover.reason, FailureReason::Disconnected(DownReason::PeerShutdown));
    assert_eq!(failover.to, Some(id_of(&world, new)));
    // To the registrar and back, to the user, and four legs of a handshake.
    assert_eq!(moved_at(&world, u) - stopped, ms(7));
    assert!(session(&world, u).slowest <= ms(12), "{:?}", session(&world, u).slowest);
    assert_nothing_lost(&world, u);
}

/// How long a session takes to move when its element stops, where a packet takes 50 ms.
fn moves_over_a_wan(standby: usize) -> Duration {
    let mut world =
        World::new(WorldConfig { cable: Cable { delay: ms(50), ..Cable::LAN }, ..WorldConfig::lan(1) });
    let r = world.fast_registrar("r");
    let mut element = world.element_config("Pool", &[r]);
    (element.hunt.timeout, element.hunt.timeout_max) = (ms(1_000), ms(1_000));
    let elements =
        ["e1", "e2"].map(|name| world.add(name, Program::Element(element.clone(), Service::default())));
    run(&mut world, 2_000);
    let mut user = world.user_config(&[r]);
    (user.hunt.timeout, user.hunt.timeout_max) = (ms(1_000), ms(1_000));
    (user.request_timeout, user.connect_timeout, user.connect_stagger) = (ms(500), ms(1_000), ms(500));
    user.standby = standby;
    let u = world.add("u", Program::User(user, Load::light("Pool".into())));
    run(&mut world, 2_000);
    let (old, _) = serving(&world, elements, u);
    let stopped = world.now();
    world.apply(Fault::Stop(old, ms(2_000)));
    run(&mut world, 3_000);
    assert_nothing_lost(&world, u);
    moved_at(&world, u) - stopped
}

#[test]
fn a_standby_saves_the_handshake() {
    // To the registrar and back, and to the user; without a standby also four legs of a handshake.
    assert_eq!((moves_over_a_wan(0), moves_over_a_wan(1)), (ms(350), ms(150)));
}

#[test]
fn requests_in_the_hands_of_an_element_that_stops_are_answered_by_the_next() {
    let mut world = world(1);
    let r = world.fast_registrar("r");
    let config = world.element_config("Pool", &[r]);
    let service = Service { time: ms(80), ..Service::default() };
    let elements = ["e1", "e2"].map(|name| world.add(name, Program::Element(config.clone(), service)));
    run(&mut world, 500);
    let u = world.fast_user("u", "Pool", &[r]);
    run(&mut world, 1_020);
    let (old, _) = serving(&world, elements, u);
    world.apply(Fault::Stop(old, ms(2_000)));
    run(&mut world, 2_000);
    let session = session(&world, u);
    assert!(session.slowest < ms(300), "{:?}", session.slowest);
    assert_eq!((session.failovers.len(), session.given_up), (1, 0));
    let late = session.unanswered.values().filter(|asked| world.now() - **asked > ms(90)).count();
    assert_eq!(late, 0);
}

#[test]
fn a_session_does_not_notice_that_the_registrar_dies() {
    let (mut world, r, _, u) = two_elements(1);
    world.apply(Fault::Kill(r));
    run(&mut world, 5_000);
    assert_eq!(session(&world, u).failovers, []);
    assert_nothing_lost(&world, u);
}

#[test]
fn a_session_moves_when_only_its_user_cannot_reach_the_element() {
    let (mut world, r, elements, u) = two_elements(1);
    let (old, new) = serving(&world, elements, u);
    let cut = world.now();
    Fault::partition(u, old).into_iter().for_each(|fault| world.apply(fault));
    run(&mut world, 3_000);
    assert_eq!(session(&world, u).element, Some(id_of(&world, new)));
    assert!(moved_at(&world, u) - cut <= ms(500));
    assert_nothing_lost(&world, u);
    // One report is not enough to remove an element that answers its registrar.
    assert_eq!(support::listed(&world, r).len(), 2);
}

#[test]
fn a_session_survives_a_pool_that_is_empty_for_a_while() {
    let (mut world, _, [e1, e2], u) = two_elements(1);
    world.apply(Fault::Kill(e1));
    world.apply(Fault::Kill(e2));
    run(&mut world, 3_000);
    let back = world.now();
    world.apply(Fault::Start(e1));
    run(&mut world, 2_000);
    assert_eq!(session(&world, u).failovers.len(), 1);
    assert!(moved_at(&world, u) - back <= ms(500), "{:?}", moved_at(&world, u) - back);
    assert_nothing_lost(&world, u);
}

#[test]
fn losses_on_the_way_cost_time_but_no_requests() {
    let (mut world, _, _, u) = two_elements(1);
    world.apply(Fault::Cables(Cable { loss: 20_000, jitter: ms(2), ..Cable::LAN }));
    run(&mut world, 20_000);
    world.heal();
    run(&mut world, 1_000);
    assert_nothing_lost(&world, u);
}
