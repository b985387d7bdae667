//! Subscriptions: who hears of which changes, and when.

use super::*;
use crate::registrar::MAX_SUBSCRIPTIONS_PER_ASSOCIATION;

const INTERVAL: Duration = Duration::from_secs(1);

fn ask(pool: &str, subscribe: bool, items: Option<u32>) -> AsapMessage {
    AsapMessage::HandleResolution { handle: pool.into(), subscribe, items }
}

fn told(rig: &Rig, to: AssociationId, ids: &[u32], updates: bool) -> Action {
    let elements = ids.iter().map(|id| PoolElement { asap_transport: None, ..rig.get(*id).clone() });
    let (handle, policy, elements) = (POOL.into(), Some(Policy::RoundRobin), elements.collect());
    asap_to(to, &AsapMessage::HandleResolutionResponse { updates, handle, policy, elements, error: None })
}

fn unknown(to: AssociationId, pool: &str) -> Action {
    let error = Some(ErrorCause::bare(CauseCode::UNKNOWN_POOL_HANDLE).into());
    let (handle, policy, elements) = (pool.into(), None, vec![]);
    asap_to(to, &AsapMessage::HandleResolutionResponse { updates: false, handle, policy, elements, error })
}

/// The answers to what is told to a user: elements, and whether updates follow.
fn to_user(rig: &Rig, actions: Vec<Action>, user: AssociationId) -> Vec<(Vec<u32>, bool)> {
    rig.registrar.check_subscriptions();
    let said = |action| match action {
        Action::Send { association, protocol: ProtocolId::ASAP, bytes, .. } if association == user => {
            match AsapMessage::decode(&bytes).unwrap().message {
                AsapMessage::HandleResolutionResponse { updates, elements, .. } => {
                    Some((elements.iter().map(|element| element.id.0).collect(), updates))
                }
                _ => None,
            }
        }
        _ => None,
    };
    actions.into_iter().filter_map(said).collect()
}

/// One element, and a user that subscribes to its pool.
fn subscribed() -> Rig {
    let mut rig = Rig::new();
    rig.register(A, 1);
    rig.connect(C, 9000);
    assert_eq!(rig.asap(C, &ask(POOL, true, None)), [told(&rig, C, &[1], true)]);
    rig
}

fn leave(rig: &mut Rig, association: AssociationId, id: u32) -> Vec<Action> {
    rig.asap(association, &deregistration(id))
}

/// ASAP-2.2.5-02, ASAP-2.2.6-02, reading B81.
#[test]
fn the_first_change_is_told_at_once_and_the_next_ones_together() {
    let mut rig = subscribed();
    rig.now += INTERVAL;
    rig.connect(B, 4002);
    let entered = rig.asap(B, &registration(2));
    assert_eq!(entered, [granted(B, 2), told(&rig, C, &[1, 2], true)]);
    for id in [3, 4] {
        assert_eq!(rig.asap(B, &registration(id)), [granted(B, id)], "not within the interval");
    }
    leave(&mut rig, B, 3);
    let actions = rig.advance(INTERVAL - Duration::from_millis(1));
    assert_eq!(to_user(&rig, actions, C), []);
    let actions = rig.advance(Duration::from_millis(1));
    assert_eq!(to_user(&rig, actions, C), [(vec![1, 2, 4], true)]);
    let actions = rig.advance(INTERVAL * 3);
    assert_eq!(to_user(&rig, actions, C), [], "nothing has changed");
    assert_eq!(rig.registrar.counters().subscription_updates, 2);
}

/// RFC 5356 counts what a user is given in answer to its question. An update is none.
#[test]
fn an_update_takes_no_turn() {
    let mut rig = subscribed();
    rig.now += INTERVAL;
    rig.connect(B, 4002);
    rig.asap(B, &registration(2));
    let asked = |rig: &mut Rig| {
        let actions = rig.asap(C, &ask("EchoPool", true, Some(1)));
        to_user(rig, actions, C)
    };
    let first = asked(&mut rig);
    rig.now += INTERVAL;
    let actions = rig.asap(B, &registration(3));
    assert_eq!(to_user(&rig, actions, C), [(vec![1], true)], "as many as it asked for, the same each time");
    let second = asked(&mut rig);
    assert_ne!(first, second, "turns go on as if there had been no update");
}

/// Reading B81: an answer to a subscriber has the same elements as an update has, also those that the policy does not
/// select, which come last.
#[test]
fn answers_and_updates_list_the_same_elements() {
    let mut rig = Rig::new();
    rig.connect(A, 4001);
    let weighted = |id, weight| {
        let element = PoolElement { policy: Policy::WeightedRandom { weight }, ..element(id) };
        AsapMessage::Registration { handle: POOL.into(), element }
    };
    for (id, weight) in [(1, 0), (2, 5), (3, 0)] {
        rig.asap(A, &weighted(id, weight));
    }
    rig.connect(C, 9000);
    let asked = |rig: &mut Rig, subscribe, items| {
        let actions = rig.asap(C, &ask(POOL, subscribe, items));
        to_user(rig, actions, C)
    };
    assert_eq!(asked(&mut rig, false, Some(9)), [(vec![2], false)], "selected");
    assert_eq!(asked(&mut rig, true, Some(9)), [(vec![2, 1, 3], true)]);
    assert_eq!(asked(&mut rig, true, Some(2)), [(vec![2, 1], true)], "as many as it wants");
    assert_eq!(asked(&mut rig, true, Some(u32::MAX)), [(vec![2, 1, 3], true)]);
    rig.now += INTERVAL;
    let actions = rig.asap(A, &weighted(2, 6));
    assert_eq!(to_user(&rig, actions, C), [(vec![1, 2, 3], true)]);
}

#[test]
fn users_are_not_told_what_is_nothing_to_them() {
    let mut rig = subscribed();
    rig.now += INTERVAL;
    assert_eq!(rig.asap(A, &registration(1)), [granted(A, 1)], "registered again");
    let life = PoolElement { life: RegistrationLife(77), ..element(1) };
    let longer = AsapMessage::Registration { handle: POOL.into(), element: life };
    let actions = rig.asap(A, &longer);
    assert_eq!(to_user(&rig, actions, C), []);
    let refused = PoolElement { policy: Policy::LeastUsed { load: 1 }, ..element(9) };
    let actions = rig.asap(A, &AsapMessage::Registration { handle: POOL.into(), element: refused });
    assert_eq!(to_user(&rig, actions, C), [], "refused");
    let Transport::Sctp(mut sctp) = element(1).user_transport else { unreachable!() };
    sctp.port = 8;
    let moved = PoolElement { user_transport: Transport::Sctp(sctp), ..element(1) };
    let actions = rig.asap(A, &AsapMessage::Registration { handle: POOL.into(), element: moved });
    assert_eq!(to_user(&rig, actions, C), [(vec![1], true)], "it has another port");
}

/// ASAP-2.2.5-04, reading B80.
#[test]
fn what_ends_a_subscription() {
    // A question without the flag.
    let mut rig = subscribed();
    assert_eq!(rig.asap(C, &ask(POOL, false, None)), [told(&rig, C, &[1], false)]);
    rig.now += INTERVAL;
    let actions = rig.asap(A, &registration(2));
    assert_eq!(to_user(&rig, actions, C), []);
    // The end of the pool, which is told.
    let mut rig = subscribed();
    rig.now += INTERVAL;
    assert_eq!(leave(&mut rig, A, 1), [deregistered(A, 1, None), unknown(C, POOL)]);
    let actions = rig.asap(A, &registration(1));
    assert_eq!(to_user(&rig, actions, C), [], "a pool of that name needs a new subscription");
    // The end of the association.
    let mut rig = subscribed();
    rig.disconnect(C);
    rig.now += INTERVAL;
    let actions = rig.asap(A, &registration(2));
    assert_eq!(to_user(&rig, actions, C), []);
    assert_eq!(rig.registrar.figures().sizes.subscriptions, 0);
}

/// Whoever takes nothing is told no more often than others, until the transport has no room for it and ends its association.
#[test]
fn a_subscriber_that_stops_reading_costs_no_more_than_its_queue() {
    let mut rig = subscribed();
    rig.event(Event::Congested { association: C });
    let mut updates = 0;
    for second in 0..10 {
        for change in 0..50 {
            let (id, actions) = (2 + second * 50 + change, rig.advance(INTERVAL / 50));
            updates += to_user(&rig, actions, C).len();
            let actions = rig.asap(A, &registration(id));
            updates += to_user(&rig, actions, C).len();
        }
    }
    assert!((9..=11).contains(&updates), "500 changes in 10 s, told {updates} times");
    rig.event(Event::Disconnected { association: C, reason: DownReason::QueueFull });
    rig.now += INTERVAL;
    let actions = rig.asap(A, &registration(1_000));
    assert_eq!((to_user(&rig, actions, C).len(), rig.registrar.figures().sizes.subscriptions), (0, 0));
}

/// ASAP-2.2.5-04: no subscription to what does not exist.
#[test]
fn a_pool_that_comes_later_is_not_told() {
    let mut rig = Rig::new();
    rig.connect(C, 9000);
    assert_eq!(rig.asap(C, &ask(POOL, true, None)), [unknown(C, POOL)]);
    rig.now += INTERVAL;
    rig.connect(A, 4001);
    assert_eq!(rig.asap(A, &registration(1)), [granted(A, 1)]);
}

/// ASAP-2.2.6-02: A=0 if updates cannot be afforded.
#[test]
fn subscriptions_are_bounded() {
    let mut rig = Rig::with(|config| config.max_subscriptions = MAX_SUBSCRIPTIONS_PER_ASSOCIATION + 1);
    rig.connect(A, 4001);
    let pools: Vec<String> = (0..=MAX_SUBSCRIPTIONS_PER_ASSOCIATION).map(|n| format!("pool {n}")).collect();
    for pool in &pools {
        rig.asap(A, &AsapMessage::Registration { handle: pool.as_str().into(), element: element(1) });
    }
    rig.connect(B, 9001);
    rig.connect(C, 9002);
    let granted = |rig: &mut Rig, to, pool: &str| {
        let actions = rig.asap(to, &ask(pool, true, None));
        to_user(rig, actions, to) == [(vec![1], true)]
    };
    let last = pools.last().unwrap();
    assert!(pools.iter().filter(|pool| *pool != last).all(|pool| granted(&mut rig, B, pool)));
    assert!(!granted(&mut rig, B, last), "too many for one association");
    assert!(granted(&mut rig, B, &pools[0]), "it has this one");
    assert!(granted(&mut rig, C, &pools[0]));
    assert!(!granted(&mut rig, C, &pools[1]), "too many in all");
    assert_eq!(rig.registrar.counters().subscriptions_refused, 2);
    rig.disconnect(B);
    assert!(granted(&mut rig, C, &pools[1]));
}
