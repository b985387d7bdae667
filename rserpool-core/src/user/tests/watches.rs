//! Watched pools: what the registrar is asked, and what the application is told.

use super::*;
use crate::user::{MAX_WATCHED, Resolution};

/// The question for a watched pool: all elements, and the S flag.
fn look(association: u64, handle: &str) -> Action {
    let (handle, items) = (handle.into(), Some(u32::MAX));
    asap(association, &AsapMessage::HandleResolution { handle, subscribe: true, items })
}

/// The registrar says how the pool is, and whether it will tell of changes.
fn said(association: u64, updates: bool, ids: &[u32]) -> Event {
    let AsapMessage::HandleResolutionResponse { handle, policy, elements, error, .. } =
        answer("pool", ids.iter().copied().map(element).collect())
    else {
        unreachable!()
    };
    heard(association, &AsapMessage::HandleResolutionResponse { updates, handle, policy, elements, error })
}

fn is_now(ids: &[u32]) -> Output<Answer, Notice> {
    let elements = ids.iter().copied().map(element).collect();
    let (handle, policy) = ("pool".into(), Policy::RoundRobin);
    Output::Notice(Notice::PoolChanged(Resolution { handle, policy, elements }))
}

fn gone() -> Output<Answer, Notice> {
    Output::Notice(Notice::PoolGone { handle: "pool".into() })
}

fn watching(result: Result<(), UserError>) -> Output<Answer, Notice> {
    Output::Answer(CommandId(9), Answer::Watching(result))
}

fn watch(user: &mut User, now: u64) -> Step {
    command(user, now, 9, Command::Watch { handle: "pool".into() })
}

/// A user that watches a pool with these elements, promised at 2 ms.
fn promised(ids: &[u32]) -> User {
    let mut user = user(&[1, 2]);
    let connects = vec![connect(1, 0, registrar(1), at(50)), connect(2, 0, registrar(2), at(50))];
    assert_eq!(watch(&mut user, 0), (connects, vec![watching(Ok(()))]));
    let step = event(&mut user, 1, connected(HOME, Some(1), registrar(1)));
    assert_eq!(step, (vec![cancel(2), look(HOME, "pool")], vec![]));
    assert_eq!(event(&mut user, 2, said(HOME, true, ids)), (vec![], vec![is_now(ids)]));
    user
}

/// ASAP-2.2.5-02, ASAP-2.2.6-02: each update is told at once.
#[test]
fn changes_are_told_as_the_registrar_tells_them() {
    let mut user = promised(&[1]);
    assert_eq!(event(&mut user, 500, said(HOME, true, &[1, 2])), (vec![], vec![is_now(&[1, 2])]));
    assert_eq!(
        event(&mut user, 600, said(HOME, true, &[2, 1])),
        (vec![], vec![]),
        "the same in another order"
    );
    assert_eq!(user.counters().pool_updates, 2);
    assert_eq!(event(&mut user, 700, said(HOME, true, &[2])), (vec![], vec![is_now(&[2])]));
}

/// Reading B82: as long as the registrar tells of changes, the cache is fresh.
#[test]
fn a_watched_pool_is_answered_from_the_cache() {
    let mut user = promised(&[1]);
    let minute = 60_000;
    event(&mut user, 3, said(HOME, true, &[1, 2]));
    let (actions, answers) = command(&mut user, minute, 9, Command::Resolve(Resolve::new("pool".into())));
    assert_eq!(actions, []);
    let elements = vec![element(1), element(2)];
    let resolution = Resolution { handle: "pool".into(), policy: Policy::RoundRobin, elements };
    assert_eq!(answers, [Output::Answer(CommandId(9), Answer::Resolved(Ok(resolution)))]);
}

/// ASAP-2.2.5-03: registrars share no subscriptions.
#[test]
fn another_registrar_is_asked_anew() {
    let mut user = promised(&[1]);
    let (actions, _) = event(&mut user, 500, disconnected(HOME, DownReason::Silent));
    assert_eq!(actions, [connect(3, 0, registrar(2), at(550))]);
    let step = event(&mut user, 510, connected(5, Some(3), registrar(2)));
    assert_eq!(step, (vec![look(5, "pool")], vec![]));
    assert_eq!(event(&mut user, 511, said(5, true, &[1])), (vec![], vec![]), "nothing has changed");
    assert_eq!(event(&mut user, 512, said(5, true, &[3])), (vec![], vec![is_now(&[3])]));
}

/// Reading B82: when the association ends, so does the promise. What is known becomes stale as usual.
#[test]
fn the_promise_of_a_registrar_that_is_gone_does_not_count() {
    let mut user = promised(&[1]);
    event(&mut user, 60_000, disconnected(HOME, DownReason::Silent));
    let resolve = Command::Resolve(Resolve::new("pool".into()));
    assert_eq!(command(&mut user, 60_001, 9, resolve).1, [], "another registrar is asked");
}

/// ASAP-2.2.6-02: a registrar need not promise anything. Then the pool is asked for as often as the cache is renewed.
#[test]
fn a_registrar_that_promises_nothing_is_asked_again() {
    let mut user = user(&[1]);
    watch(&mut user, 0);
    event(&mut user, 1, connected(HOME, Some(1), registrar(1)));
    assert_eq!(event(&mut user, 2, said(HOME, false, &[1])), (vec![], vec![is_now(&[1])]));
    assert_eq!(event(&mut user, 3, said(HOME, true, &[2])), (vec![], vec![]), "nobody has asked");
    assert_eq!(user.counters().unexpected, 1);
    let life = 5_000;
    assert_eq!(expire(&mut user, 2 + life), (vec![look(HOME, "pool")], vec![]));
    assert_eq!(event(&mut user, 3 + life, said(HOME, false, &[2])), (vec![], vec![is_now(&[2])]));
}

/// ASAP-2.2.5-04, reading B80: a pool that vanishes ends the subscription, and needs a new one when it comes back.
#[test]
fn a_pool_that_vanishes_is_asked_for_until_it_is_back() {
    let mut user = promised(&[1]);
    let unknown = || refusal_of(HOME, "pool", CauseCode::UNKNOWN_POOL_HANDLE);
    assert_eq!(event(&mut user, 500, unknown()), (vec![], vec![gone()]));
    assert_eq!(expire(&mut user, 1_500), (vec![look(HOME, "pool")], vec![]));
    assert_eq!(event(&mut user, 1_501, unknown()), (vec![], vec![]), "it is known that it is gone");
    assert_eq!(expire(&mut user, 2_501), (vec![look(HOME, "pool")], vec![]));
    assert_eq!(event(&mut user, 2_502, said(HOME, true, &[4])), (vec![], vec![is_now(&[4])]));
}

/// A question for a few elements has no S flag: it would change what updates tell, and without the flag it ends the
/// subscription.
#[test]
fn another_question_about_a_watched_pool_renews_the_subscription() {
    let mut user = promised(&[1, 2]);
    let few = Command::Resolve(Resolve::new("pool".into()).items(Some(1)).past_cache());
    assert_eq!(command(&mut user, 500, 9, few).0, [question_for(HOME, "pool", Some(1))]);
    let (actions, outputs) = event(&mut user, 501, said(HOME, false, &[1]));
    assert_eq!(actions, [look(HOME, "pool")]);
    assert!(outputs.iter().all(|output| matches!(output, Output::Answer(..))), "{outputs:?}");
}

/// ASAP-2.2.6-02: an answer has the A flag only if the question had the S flag.
#[test]
fn an_update_is_not_taken_for_the_answer_to_another_question() {
    let mut user = promised(&[1]);
    let few = Command::Resolve(Resolve::new("pool".into()).items(Some(1)).past_cache());
    command(&mut user, 500, 9, few);
    let step = event(&mut user, 501, said(HOME, true, &[1, 2]));
    assert_eq!(step, (vec![], vec![is_now(&[1, 2])]), "it was on its way");
    let (actions, outputs) = event(&mut user, 502, said(HOME, false, &[2]));
    assert_eq!(actions, [look(HOME, "pool")]);
    let [Output::Answer(CommandId(9), Answer::Resolved(Ok(resolution)))] = &outputs[..] else {
        panic!("{outputs:?}");
    };
    assert_eq!(resolution.elements, [element(2)]);
    assert_eq!(event(&mut user, 503, said(HOME, true, &[1, 2])), (vec![], vec![]), "that is known");
}

/// Reading B82.
#[test]
fn the_subscription_is_renewed_before_a_silent_client_is_hung_up_on() {
    let mut user = promised(&[1]);
    assert_eq!(expire(&mut user, 120_002), (vec![look(HOME, "pool")], vec![]));
}

/// Reading B80: a question without the flag ends a subscription.
#[test]
fn who_has_heard_enough_says_so() {
    let mut user = promised(&[1]);
    let step = command(&mut user, 500, 9, Command::Unwatch { handle: "pool".into() });
    assert_eq!(step, noted(vec![question_for(HOME, "pool", Some(u32::MAX))]));
    assert_eq!(event(&mut user, 501, said(HOME, false, &[1, 2])), (vec![], vec![]));
    assert_eq!(event(&mut user, 502, said(HOME, true, &[1])), (vec![], vec![]));
    assert_eq!(user.counters().unexpected, 1);
}

#[test]
fn no_registrar_is_waited_for() {
    let mut user = user(&[1]);
    watch(&mut user, 0);
    for _ in 0..200 {
        let now = user.poll_timeout().unwrap();
        user.handle_timeout(now);
        drain(&mut user);
    }
    let now = 100_000;
    while user.poll_timeout().is_some_and(|due| due < at(now)) {
        let due = user.poll_timeout().unwrap();
        user.handle_timeout(due);
    }
    let (actions, _) = drain(&mut user);
    let Some(Action::Connect { request, .. }) = actions.last() else { panic!("{actions:?}") };
    let step = event(&mut user, now, connected(HOME, Some(request.0), registrar(1)));
    assert_eq!(step.0.last(), Some(&look(HOME, "pool")));
}

#[test]
fn what_is_watched_is_bounded() {
    let mut user = user(&[1]);
    let mut watch = |n: usize| {
        let handle = alloc::format!("pool {n}").as_str().into();
        command(&mut user, 0, 9, Command::Watch { handle }).1
    };
    assert!((0..MAX_WATCHED).all(|n| watch(n) == [watching(Ok(()))]));
    assert_eq!(watch(MAX_WATCHED), [watching(Err(UserError::TooMany))]);
    assert_eq!(watch(0), [watching(Ok(()))], "it is told anew of a pool that it watches already");
    let empty = command(&mut user, 0, 9, Command::Watch { handle: "".into() }).1;
    assert_eq!(empty, [watching(Err(UserError::InvalidHandle { octets: 0 }))]);
}
