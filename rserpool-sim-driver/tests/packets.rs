//! Whole nodes: the SCTP stack of production under the registrars, elements and users, its packets
//! delayed, lost, doubled and overtaken.

mod support;

use rserpool_sim_driver::{Cable, Fault, HostId, World, WorldConfig};
use support::{
    all_are_at_home, all_have_a_home, assert_agreement, elements, id_of, ids_of, listed, ms, registrar_id,
    run, until, winners,
};

/// A cable that loses this many percent, and doubles and reorders some.
fn lossy(percent: u32) -> Cable {
    Cable { loss: percent * 10_000, duplication: 20_000, reordering: 50_000, jitter: ms(1), ..Cable::LAN }
}

/// Registrars that know each other, with elements spread over them, while nothing is lost.
fn scope(seed: u64, registrars: usize, n: usize) -> (World, Vec<HostId>, Vec<HostId>) {
    let mut world = World::new(WorldConfig::packets(seed));
    let scope = world.fast_registrars(registrars);
    run(&mut world, 1_500);
    let elements = elements(&mut world, n, "Pool", &scope);
    run(&mut world, 2_000);
    assert_agreement(&world, &scope);
    assert!(all_are_at_home(&world, &elements, &scope));
    (world, scope, elements)
}

#[test]
fn an_element_registers_with_four_packets_of_a_handshake_and_a_message() {
    let mut world = World::new(WorldConfig::packets(1));
    let r = world.fast_registrar("r");
    let e = world.fast_element("e", "Pool", &[r]);
    // INIT, INIT ACK, COOKIE ECHO, COOKIE ACK at 1 ms each, then the registration.
    run(&mut world, 4);
    assert_eq!(listed(&world, r), []);
    run(&mut world, 1);
    assert_eq!(listed(&world, r), ids_of(&world, &[e]));
}

/// An element dies while nobody says anything: the next HEARTBEAT, at most 200 ms later, finds its port closed, where
/// silence takes 700 ms. Some reports are lost or late, as in a network; then the HEARTBEAT after that is due.
#[test]
fn an_element_that_died_is_off_the_list_with_the_next_heartbeat() {
    let mut took: Vec<u64> = (0..9)
        .map(|seed| {
            let mut world = World::new(WorldConfig::packets(seed));
            let r = world.fast_registrar("r");
            let e = world.fast_element("e", "Pool", &[r]);
            run(&mut world, 2_000 + seed * 37);
            world.apply(Fault::Kill(e));
            let begin = world.now();
            until(&mut world, 1_000, "no element", |world| listed(world, r).is_empty());
            u64::try_from(world.now().since(begin).as_millis()).unwrap()
        })
        .collect();
    took.sort_unstable();
    assert!(took[4] <= 210, "{took:?}");
}

/// The registrar dies; the two others share its elements as if nothing were lost, only later.
fn takeover(percent: u32, within: u64) {
    for seed in 0..4 {
        let (mut world, scope, elements) = scope(seed, 3, 20);
        world.apply(Fault::Cables(lossy(percent)));
        let target = registrar_id(&world, scope[0]);
        world.apply(Fault::Kill(scope[0]));
        let survivors = &scope[1..];
        until(&mut world, within, "a new home", |world| all_have_a_home(world, &elements, survivors));
        assert!(!winners(&world, target).is_empty());
        world.heal();
        run(&mut world, 4_000);
        assert_agreement(&world, survivors);
        assert!(all_are_at_home(&world, &elements, survivors));
    }
}

#[test]
fn a_takeover_at_5_percent_loss() {
    takeover(5, 3_000);
}

#[test]
fn a_takeover_at_20_percent_loss() {
    takeover(20, 20_000);
}

/// The element of a session dies, and its requests are answered by the other one.
fn failover(percent: u32, within: u64) {
    for seed in 0..4 {
        let mut world = World::new(WorldConfig::packets(seed));
        let r = world.fast_registrar("r");
        let elements = ["e1", "e2"].map(|name| world.fast_element(name, "Pool", &[r]));
        run(&mut world, 500);
        let u = world.fast_user("u", "Pool", &[r]);
        run(&mut world, 1_000);
        world.apply(Fault::Cables(lossy(percent)));
        run(&mut world, 2_000);
        let serves = |world: &World, e: HostId| {
            let session = &world.client(u).expect("a user").conversations()[0];
            world.server(e).is_some() && session.element == Some(id_of(world, e))
        };
        until(&mut world, within, "a session", |world| elements.iter().any(|e| serves(world, *e)));
        let [old, new] = if serves(&world, elements[0]) { elements } else { [elements[1], elements[0]] };
        world.apply(Fault::Kill(old));
        until(&mut world, within, "a failover", |world| serves(world, new));
        world.heal();
        run(&mut world, 2_000);
        // Sessions may end for good when losses break every association; then the user is told.
        let session = &world.client(u).expect("a user").conversations()[0];
        let late = session.unanswered.values().filter(|asked| world.now() - **asked > ms(20)).count();
        let known = session.answered + session.given_up + session.unanswered.len() as u64;
        assert_eq!((late, session.asked), (0, known));
        assert!(session.answered > 20);
    }
}

#[test]
fn a_failover_at_5_percent_loss() {
    failover(5, 3_000);
}

#[test]
fn a_failover_at_20_percent_loss() {
    failover(20, 20_000);
}

/// Nothing passes between two halves for a while; when it does again, they agree.
#[test]
fn a_partition_heals() {
    let (mut world, scope, elements) = scope(1, 3, 12);
    let (one, others) = (vec![scope[0]], scope[1..].to_vec());
    world.apply(Fault::Split(one.clone(), others.clone()));
    run(&mut world, 3_000);
    world.apply(Fault::Join(one, others));
    run(&mut world, 4_000);
    assert_agreement(&world, &scope);
    assert!(all_are_at_home(&world, &elements, &scope));
}

/// The stack draws from its seed only: a run can be repeated to the octet.
#[test]
fn the_same_seed_gives_the_same_packets_and_another_seed_others() {
    let hash = |seed| {
        let (mut world, scope, _) = scope(seed, 2, 6);
        world.apply(Fault::Cables(lossy(10)));
        world.apply(Fault::Kill(scope[0]));
        world.run_for(ms(3_000));
        world.trace().hash()
    };
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}
