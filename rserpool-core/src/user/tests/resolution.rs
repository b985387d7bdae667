//! Handle resolution, the cache and the registrar.

use bytes::Bytes;

use super::*;
use crate::endpoint::testing::{encode, received};

fn resolve(user: &mut User, now: u64, id: u64, items: Option<u32>, cached: bool) -> Step {
    let question = Resolve::new("pool".into()).items(items);
    command(user, now, id, Command::Resolve(if cached { question } else { question.past_cache() }))
}

fn result(id: u64, elements: &[u32]) -> Output<Answer, Notice> {
    let elements = elements.iter().copied().map(element).collect();
    Output::Answer(CommandId(id), Answer::resolved("pool".into(), Policy::RoundRobin, elements))
}

fn failure(id: u64, error: UserError) -> Output<Answer, Notice> {
    Output::Answer(CommandId(id), Answer::Resolved(Err(error)))
}

fn in_vain(tried: &[u8]) -> UserError {
    UserError::NoRegistrar { tried: tried.iter().copied().map(registrar).collect() }
}

/// A user that has found registrar 1 and been told elements 1 and 2 at 2 ms.
fn asked(registrars: &[u8]) -> User {
    let mut user = user(registrars);
    resolve(&mut user, 0, 1, None, true);
    event(&mut user, 1, connected(HOME, Some(1), registrar(1)));
    assert_eq!(event(&mut user, 2, resolved(HOME, &[2, 1])), (vec![], vec![result(1, &[2, 1])]));
    user
}

/// The application hears which registrar is asked, and that it is lost.
#[test]
fn registrars_that_are_found_and_lost_are_told() {
    let mut user = user(&[1, 2]);
    resolve(&mut user, 0, 1, None, true);
    user.handle_event(at(1), connected(HOME, Some(1), registrar(1)));
    let found = |n| Output::Notice(Notice::RegistrarFound { registrar: registrar(n) });
    assert_eq!(drain_all(&mut user), (vec![cancel(2), question(HOME)], vec![found(1)]));
    assert_eq!(user.registrar(), Some(&registrar(1)));
    user.handle_event(at(2), disconnected(HOME, DownReason::Silent));
    let (actions, outputs) = drain_all(&mut user);
    assert_eq!(actions, [connect(3, 0, registrar(2), at(52))]);
    assert_eq!(outputs, [Output::Notice(Notice::RegistrarLost { registrar: registrar(1) })]);
    assert_eq!(user.registrar(), None);
    user.handle_event(at(3), connected(5, Some(3), registrar(2)));
    assert_eq!(drain_all(&mut user), (vec![question(5)], vec![found(2)]));
}

/// ASAP-1.1-02, ASAP-3.3-01, ASAP-6.3-01; reading B61: a question without a registrar begins a hunt.
/// ASAP-3.3-03, ASAP-3.3-04, ASAP-3.3-06: it is sent with T1, which the answer stops.
#[test]
fn hunts_on_demand_and_asks_once() {
    let mut user = user(&[1, 2]);
    assert_eq!((drain(&mut user), user.poll_timeout()), ((vec![], vec![]), None));
    let hunt = vec![connect(1, 0, registrar(1), at(50)), connect(2, 0, registrar(2), at(50))];
    assert_eq!(resolve(&mut user, 0, 1, None, true), (hunt, vec![]));
    let step = event(&mut user, 1, connected(HOME, Some(1), registrar(1)));
    assert_eq!(step, (vec![cancel(2), question(HOME)], vec![]));
    assert_eq!(user.poll_timeout(), Some(at(101)), "T1");
    // B41: one question about a pool at a time; its answer goes to all that asked.
    assert_eq!(resolve(&mut user, 2, 2, None, false), (vec![], vec![]));
    assert_eq!(resolve(&mut user, 2, 3, Some(1), false), (vec![], vec![]));
    let step = event(&mut user, 3, resolved(HOME, &[2, 1]));
    let next = question_for(HOME, "pool", Some(1));
    assert_eq!(step, (vec![next], vec![result(1, &[2, 1]), result(2, &[2, 1])]));
    assert_eq!(event(&mut user, 4, resolved(HOME, &[1])), (vec![], vec![result(3, &[1])]));
    assert_eq!(user.poll_timeout(), None);
    // This answer was not asked for.
    assert_eq!(event(&mut user, 5, resolved(HOME, &[1])), (vec![], vec![]));
    assert_eq!(user.counters().unexpected, 1);
}

/// ASAP-3.3-07, ASAP-3.3-09, ASAP-6.4-01, ASAP-6.9.1-01, ASAP-7.2-01: the cache answers while it is fresh,
/// and until it is purged.
#[test]
fn the_cache_answers_until_it_is_stale_or_purged() {
    let mut user = asked(&[1]);
    assert_eq!(resolve(&mut user, 10, 2, None, true), (vec![], vec![result(2, &[2, 1])]));
    assert_eq!(resolve(&mut user, 10, 3, Some(1), true), (vec![], vec![result(3, &[2])]));
    assert_eq!(resolve(&mut user, 5_001, 4, None, true), (vec![], vec![result(4, &[2, 1])]));
    assert_eq!(resolve(&mut user, 5_002, 5, None, true), (vec![question(HOME)], vec![]));
    event(&mut user, 5_003, resolved(HOME, &[1, 2]));
    assert_eq!(
        resolve(&mut user, 5_004, 6, Some(3), true),
        (vec![question_for(HOME, "pool", Some(3))], vec![])
    );
    // An answer to a question for a few does not make the cache forget the others.
    event(&mut user, 5_005, resolved(HOME, &[2]));
    assert_eq!(resolve(&mut user, 5_006, 7, None, true), (vec![], vec![result(7, &[1, 2])]));
    let purged = vec![Output::Answer(CommandId(8), Answer::Noted)];
    assert_eq!(command(&mut user, 5_007, 8, Command::Purge { handle: "pool".into() }), (vec![], purged));
    assert_eq!(resolve(&mut user, 5_008, 9, None, true), (vec![question(HOME)], vec![]));
}

#[test]
fn the_cache_is_bounded() {
    let mut user = User::new(UserConfig { max_cached_pools: 2, ..config(&[1]) });
    event(&mut user, 0, connected(HOME, None, registrar(1)));
    resolve(&mut user, 0, 1, None, true);
    event(&mut user, 1, connected(HOME, Some(1), registrar(1)));
    event(&mut user, 2, resolved(HOME, &[1]));
    let ask = |user: &mut User, now, handle: &str| {
        let step = command(user, now, 2, Command::Resolve(Resolve::new(handle.into())));
        event(user, now, heard(HOME, &answer(handle, vec![element(1)])));
        !step.0.is_empty()
    };
    assert!(ask(&mut user, 3, "a") && ask(&mut user, 4, "b"));
    assert!(!ask(&mut user, 5, "a") && !ask(&mut user, 5, "b"), "the newest stay");
    assert!(ask(&mut user, 6, "pool"), "the oldest has made room");
}

/// ASAP-2.2.6-03, ASAP-2.2.6-05, ASAP-2.2.6-07: an Operation Error makes an answer negative; the policy of
/// the pool is the one in the message, round robin without one.
#[test]
fn an_error_makes_the_answer_negative_and_no_policy_means_round_robin() {
    let mut user = asked(&[1]);
    resolve(&mut user, 10, 2, None, false);
    let step = event(&mut user, 11, refusal_of(HOME, "pool", CauseCode::UNKNOWN_POOL_HANDLE));
    assert_eq!(step, (vec![], vec![failure(2, UserError::UnknownPool)]));
    assert_eq!(resolve(&mut user, 12, 3, None, true), (vec![question(HOME)], vec![]), "not cached any more");
    let step = event(&mut user, 13, refusal_of(HOME, "pool", CauseCode::SECURITY));
    let error = OperationError::from(ErrorCause::bare(CauseCode::SECURITY));
    assert_eq!(step, (vec![], vec![failure(3, UserError::Rejected(error))]));
    // Even if elements are listed beside the error.
    resolve(&mut user, 13, 4, None, false);
    let mut both = answer("pool", vec![element(1)]);
    if let AsapMessage::HandleResolutionResponse { error, .. } = &mut both {
        *error = Some(ErrorCause::bare(CauseCode::SECURITY).into());
    }
    let error = OperationError::from(ErrorCause::bare(CauseCode::SECURITY));
    let step = event(&mut user, 13, heard(HOME, &both));
    assert_eq!(step, (vec![], vec![failure(4, UserError::Rejected(error))]));
    resolve(&mut user, 14, 4, None, false);
    let plain = AsapMessage::HandleResolutionResponse {
        updates: true,
        handle: "pool".into(),
        policy: None,
        elements: vec![PoolElement { policy: Policy::Random, ..element(1) }],
        error: None,
    };
    // The policy of an element says nothing about the pool.
    let (_, notices) = event(&mut user, 15, heard(HOME, &plain));
    let policy = |output: &Output<Answer, Notice>| match output {
        Output::Answer(_, Answer::Resolved(Ok(resolution))) => resolution.policy.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(notices.iter().map(policy).collect::<Vec<_>>(), [Policy::RoundRobin]);
}

/// ASAP-3.7.2-01, ASAP-3.7.2-02, ASAP-7.3-02; reading B11: three times in all, with a hunt
/// beside it.
#[test]
fn t1_repeats_the_question_and_gives_up() {
    let mut user = asked(&[1, 2]);
    assert_eq!(resolve(&mut user, 10, 2, None, false), (vec![question(HOME)], vec![]));
    let step = expire(&mut user, 110);
    assert_eq!(step, (vec![question(HOME), connect(3, 0, registrar(2), at(160))], vec![]));
    // The registrar that does not answer is tried last, but within the same round.
    assert_eq!(expire(&mut user, 135), (vec![connect(4, 0, registrar(1), at(160))], vec![]));
    let round = Output::Notice(Notice::NoRegistrar { tried: vec![registrar(2), registrar(1)] });
    let again = vec![cancel(3), cancel(4), connect(5, 0, registrar(2), at(210))];
    assert_eq!(expire(&mut user, 160), (again, vec![round]));
    expire(&mut user, 185);
    let (actions, _) = expire(&mut user, 210);
    assert_eq!(actions.first(), Some(&question(HOME)), "the third and last time");
    let (mut questions, mut outputs) = (0, vec![]);
    while let Some(now) = user.poll_timeout() {
        assert!(now < at(310) + ms(50), "nobody waits, so nobody hunts");
        user.handle_timeout(now);
        let (actions, told) = drain(&mut user);
        questions += actions.iter().filter(|action| **action == question(HOME)).count();
        outputs.extend(told.into_iter().map(|output| (now, output)));
    }
    assert!(outputs.contains(&(at(310), failure(2, in_vain(&[1])))));
    assert_eq!(questions, 0);
    assert_eq!(user.counters().resolutions_unanswered, 3);
}

/// A long answer over a slow link is no silence: T1 runs from the last part that has arrived, up to eight times T1.
#[test]
fn an_answer_that_is_on_its_way_is_no_silence() {
    let mut user = asked(&[1, 2]);
    resolve(&mut user, 10, 2, None, false);
    let arriving = || Event::Arriving { association: AssociationId::sctp(HOME) };
    for now in [100, 190, 280] {
        assert_eq!(event(&mut user, now, arriving()), (vec![], vec![]));
        assert_eq!(user.poll_timeout(), Some(at(now + 100)));
    }
    assert_eq!(event(&mut user, 370, resolved(HOME, &[1])), (vec![], vec![result(2, &[1])]));
    assert_eq!(event(&mut user, 371, arriving()), (vec![], vec![]));
    assert_eq!(user.poll_timeout(), None);
    // A registrar that never comes to an end is not waited for.
    resolve(&mut user, 1_000, 3, None, false);
    for now in (1_050..1_800).step_by(50) {
        event(&mut user, now, arriving());
    }
    assert_eq!(expire(&mut user, 1_800).0.first(), Some(&question(HOME)));
}

/// ASAP-3.7.2-03: another registrar that answers the hunt is asked instead.
#[test]
fn another_registrar_takes_the_place_of_a_silent_one() {
    let mut user = asked(&[1, 2]);
    resolve(&mut user, 10, 2, None, false);
    expire(&mut user, 110);
    let step = event(&mut user, 120, connected(2, Some(3), registrar(2)));
    assert_eq!(step, (vec![abort(HOME), question(2)], vec![]));
    assert_eq!(user.registrar(), Some(&registrar(2)));
    assert_eq!(event(&mut user, 121, resolved(2, &[1])), (vec![], vec![result(2, &[1])]));
}

/// ASAP-3.7.2-03: also if that is during the last T1. Each registrar that is found is asked once at least.
#[test]
fn another_registrar_is_asked_although_the_last_was_asked_as_often_as_permitted() {
    let mut user = asked(&[1, 2]);
    user.context.config.max_request_retransmits = 1;
    resolve(&mut user, 10, 2, None, false);
    assert_eq!(expire(&mut user, 110).0.first(), Some(&question(HOME)), "the last time");
    let step = event(&mut user, 120, connected(2, Some(3), registrar(2)));
    assert_eq!(step, (vec![abort(HOME), question(2)], vec![]));
    assert_eq!(event(&mut user, 219, resolved(2, &[1])), (vec![], vec![result(2, &[1])]));
}

#[test]
fn an_answer_ends_the_hunt_beside_it() {
    let mut user = asked(&[1, 2]);
    resolve(&mut user, 10, 2, None, false);
    expire(&mut user, 110);
    assert_eq!(event(&mut user, 120, resolved(HOME, &[1])), (vec![cancel(3)], vec![result(2, &[1])]));
    assert_eq!(user.poll_timeout(), None);
}

/// ASAP-3.3-05, ASAP-3.6-08, ASAP-3.7.1-01, ASAP-3.7.1-02: nothing is repeated to a registrar that is gone; the
/// question waits, and the next registrar is asked.
#[test]
fn a_lost_registrar_is_replaced_when_there_is_a_question() {
    let mut user = asked(&[1, 2]);
    resolve(&mut user, 10, 2, None, false);
    let step = event(&mut user, 20, disconnected(HOME, DownReason::Silent));
    assert_eq!(step, (vec![connect(3, 0, registrar(2), at(70))], vec![]));
    assert_eq!(event(&mut user, 30, connected(2, Some(3), registrar(2))), (vec![question(2)], vec![]));
    event(&mut user, 31, resolved(2, &[1]));
    let step = event(&mut user, 40, disconnected(2, DownReason::PeerShutdown));
    assert_eq!((step, user.poll_timeout()), ((vec![], vec![]), None), "no question, no hunt");
}

#[test]
fn no_registrar_is_told_with_the_addresses_tried() {
    let mut configuration = config(&[1, 2]);
    configuration.hunt.rounds = Some(2);
    let mut user = User::new(configuration);
    resolve(&mut user, 0, 1, None, true);
    let tried = vec![registrar(1), registrar(2)];
    let (_, notices) = expire(&mut user, 50);
    assert_eq!(notices, [Output::Notice(Notice::NoRegistrar { tried })]);
    let step = expire(&mut user, 100);
    assert_eq!(step, (vec![cancel(3), cancel(4)], vec![failure(1, in_vain(&[1, 2]))]));
    assert_eq!(user.poll_timeout(), None);
}

#[test]
fn impossible_handles_are_named() {
    let mut user = user(&[1]);
    for octets in [0, 40_000] {
        let handle = PoolHandle::new(vec![b'x'; octets]);
        let step = command(&mut user, 0, 1, Command::Resolve(Resolve::new(handle).past_cache()));
        assert_eq!(step, (vec![], vec![failure(1, UserError::InvalidHandle { octets })]));
    }
}

#[test]
fn the_configuration_is_checked() {
    for preset in [UserConfig::rfc, UserConfig::fast] {
        let mut config = preset(1);
        config.hunt.registrars = vec![registrar(1)];
        assert_eq!(config.check(), Ok(()));
    }
    let key = |change: fn(&mut UserConfig)| {
        let mut config = config(&[1]);
        change(&mut config);
        config.check().unwrap_err().key
    };
    assert_eq!(key(|c| c.request_timeout = ms(0)), "request_timeout");
    assert_eq!(key(|c| c.cache_life = ms(0)), "cache_life");
    assert_eq!(key(|c| c.answer_deadline = ms(0)), "answer_deadline");
    assert_eq!(key(|c| c.max_deliveries = 0), "max_deliveries");
    assert_eq!(key(|c| c.connect_timeout = ms(0)), "connect_timeout");
    assert_eq!(key(|c| c.connect_stagger = ms(0)), "connect_stagger");
    assert_eq!(key(|c| c.exclusion = ms(0)), "exclusion");
    assert_eq!(key(|c| c.open_timeout = ms(0)), "open_timeout");
    assert_eq!(key(|c| c.failover_deadline = ms(0)), "failover_deadline");
    assert_eq!(key(|c| c.retry_interval = ms(0)), "retry_interval");
    assert_eq!(key(|c| c.max_cached_pools = 0), "max_cached_pools");
    assert_eq!(key(|c| c.max_sessions = 0), "max_sessions");
    assert_eq!(key(|c| c.max_unanswered_octets = 0), "max_unanswered_octets");
    assert_eq!(key(|c| c.hunt.rounds = Some(0)), "hunt.rounds");
}

/// A hunt may go on forever; a resolution does not wait that long for a registrar.
#[test]
fn a_resolution_does_not_wait_for_ever_for_a_registrar() {
    let mut user = asked(&[1]);
    let give_up = at(10 + user.context.config.open_timeout.as_millis() as u64);
    let (actions, _) = event(&mut user, 5, disconnected(HOME, DownReason::Silent));
    assert_eq!(actions, vec![]);
    resolve(&mut user, 10, 2, None, false);
    let mut ended = vec![];
    while user.poll_timeout().is_some_and(|next| next < give_up) {
        user.handle_timeout(user.poll_timeout().unwrap());
        ended.extend(drain(&mut user).1.into_iter().filter(|output| matches!(output, Output::Answer(..))));
    }
    assert_eq!(ended, []);
    user.handle_timeout(give_up);
    let answers = drain(&mut user).1.into_iter().filter(|output| matches!(output, Output::Answer(..)));
    assert_eq!(answers.collect::<Vec<_>>(), vec![failure(2, in_vain(&[1]))]);
    assert_eq!(user.poll_timeout(), None);
}

/// ASAP-4-01, ASAP-2.2.14-02: reported, or dropped and counted; ASAP_ERROR itself is never answered,
/// and an answer with something unknown in it counts all the same.
#[test]
fn bad_messages_are_answered_as_the_rfc_asks() {
    let mut user = asked(&[1]);
    let mut hear = |now, octets: Bytes| event(&mut user, now, received(HOME, ProtocolId::ASAP, octets));
    let unknown = Bytes::from_static(&[0x7f, 0, 0, 4]);
    let error = AsapMessage::Error { error: ErrorCause::unrecognized_message(unknown.clone()).into() };
    assert_eq!(hear(10, unknown), (vec![asap(HOME, &error)], vec![]));
    assert_eq!(hear(11, Bytes::from_static(&[0xff, 0, 0, 4])), (vec![], vec![]));
    assert_eq!(hear(12, Bytes::from_static(&[0x0e, 0, 0, 8, 0x40, 0x99, 0, 4])), (vec![], vec![]));
    let AsapMessage::Error { error: causes } = error.clone() else { panic!() };
    let told = Output::Notice(Notice::ErrorReported { registrar: registrar(1), error: causes });
    assert_eq!(hear(13, encode(&error)), (vec![], vec![told]));
    let counters = *user.counters();
    assert_eq!((counters.malformed, counters.errors_sent, counters.errors_received), (3, 1, 1));

    assert_eq!(resolve(&mut user, 20, 2, None, false), (vec![question(HOME)], vec![]));
    let parameter = Bytes::from_static(&[0xc1, 0x23, 0, 4]);
    let mut octets = encode(&answer("pool", vec![element(2)])).to_vec();
    octets.extend_from_slice(&parameter);
    let length = u16::try_from(octets.len()).unwrap();
    octets[2..4].copy_from_slice(&length.to_be_bytes());
    let error = AsapMessage::Error { error: ErrorCause::unrecognized_parameter(parameter).into() };
    let step = event(&mut user, 21, received(HOME, ProtocolId::ASAP, octets));
    assert_eq!(step, (vec![asap(HOME, &error)], vec![result(2, &[2])]));
}

/// Names of registrars may lead elsewhere while a user runs: the next round of a hunt looks there.
#[test]
fn the_registrars_may_be_configured_anew() {
    let mut user = user(&[1]);
    assert_eq!(resolve(&mut user, 0, 1, None, true), (vec![connect(1, 0, registrar(1), at(50))], vec![]));
    assert_eq!(command(&mut user, 10, 9, Command::UseRegistrars(vec![registrar(2)])), noted(vec![]));
    let told = Output::Notice(Notice::NoRegistrar { tried: vec![registrar(1)] });
    let actions = vec![cancel(1), connect(2, 0, registrar(2), at(100))];
    assert_eq!(expire(&mut user, 50), (actions, vec![told]));
}
