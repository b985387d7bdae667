//! What users do with what they know: without a registrar, and by the policy of the pool.

mod support;

use rserpool_core::element::ElementConfig;
use rserpool_core::wire::Policy;
use rserpool_sim_driver::{Fault, HostId, Load, Order, Program, Service, World};
use support::{id_of, ms, run, world};

/// Reading B62: with no registrar reachable a new session opens with what the user knows, stale or not.
#[test]
fn a_session_opens_although_no_registrar_is_there() {
    for idle in [500, 31_000] {
        let mut world = world(1);
        let r = world.fast_registrar("r");
        let e = world.fast_element("e", "Pool", &[r]);
        run(&mut world, 500);
        let u = world.fast_user("u", "Pool", &[r]);
        run(&mut world, 500);
        world.apply(Fault::Kill(r));
        run(&mut world, idle);
        world.apply(Fault::Order(u, Order::Close));
        run(&mut world, 2_000);
        let conversation = &world.client(u).unwrap().conversations()[0];
        assert_eq!((conversation.opened, conversation.element), (2, Some(id_of(&world, e))));
    }
}

/// RFC 5356 sections 4.2.3 and 4.4.3, reading B60: the sessions of one user are shared by the weights.
#[test]
fn sessions_are_shared_by_weight() {
    let mut world = world(2);
    let r = world.fast_registrar("r");
    let weighs = |world: &mut World, name: &str, weight| {
        let config = world.element_config("Pool", &[r]);
        let config = with_policy(config, Policy::WeightedRoundRobin { weight });
        world.add(name, Program::Element(config, Service::default()))
    };
    let (heavy, light) = (weighs(&mut world, "heavy", 10), weighs(&mut world, "light", 1));
    run(&mut world, 500);
    let load = Load { sessions: 110, interval: ms(1_000), ..Load::light("Pool".into()) };
    let config = world.user_config(&[r]);
    let u = world.add("u", Program::User(config, load));
    run(&mut world, 3_000);
    let served = |world: &World, element: HostId| {
        let id = id_of(world, element);
        world.client(u).unwrap().conversations().iter().filter(|c| c.element == Some(id)).count()
    };
    assert_eq!((served(&world, heavy), served(&world, light)), (100, 10));
}

fn with_policy(mut config: ElementConfig, policy: Policy) -> ElementConfig {
    config.policy = policy;
    config
}
