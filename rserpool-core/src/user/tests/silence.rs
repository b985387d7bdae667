//! No registrar answers: what was known before is used.

use super::*;

fn open(user: &mut User, now: u64, id: u64) -> Step {
    command(user, now, id, Command::Open(Open::new("pool".into())))
}

fn opened(id: u64, session: u64, element: u32) -> Output<Answer, Notice> {
    let (session, peer) = (SessionId(session), place(element));
    Output::Answer(CommandId(id), Answer::Opened(Ok(Opened { session, element: ElementId(element), peer })))
}

/// ASAP-3.3-08: a new session waits for one round of the hunt, the next ones not even for that. The hunt goes on
/// meanwhile, and the registrar that it finds is asked when there is a question.
#[test]
fn a_session_opens_from_a_stale_cache_after_one_round_in_vain() {
    let mut user = serving(&[1, 2]);
    event(&mut user, 10, disconnected(HOME, DownReason::Silent));
    assert_eq!(open(&mut user, 9_990, 2), (vec![connect(3, 0, registrar(1), at(10_040))], vec![]));
    let round = Output::Notice(Notice::NoRegistrar { tried: vec![registrar(1)] });
    let hunt = [cancel(3), connect(4, 0, registrar(1), at(10_090))];
    let step = expire(&mut user, 10_040);
    assert_eq!(step, ([&hunt[..], &[connect(5, 0, place(2), at(10_190))]].concat(), vec![round]));
    let step = event(&mut user, 10_041, connected(5, Some(5), place(2)));
    assert_eq!(step, (vec![], vec![opened(2, 2, 2)]));
    assert_eq!(open(&mut user, 10_042, 3), (vec![connect(6, 0, place(1), at(10_192))], vec![]));
    event(&mut user, 10_043, connected(6, Some(6), place(1)));
    // The hunt still has the time of its round.
    assert_eq!(event(&mut user, 10_044, connected(7, Some(4), registrar(1))), (vec![], vec![]));
    let step = open(&mut user, 10_045, 4);
    assert_eq!(step, (vec![question(7), connect(7, 0, place(2), at(10_195))], vec![]));
    event(&mut user, 10_046, resolved(7, &[1, 2]));
    event(&mut user, 10_047, connected(8, Some(7), place(2)));
    assert_eq!(user.poll_timeout(), None);
    // A registrar has answered: stale entries do not open sessions any more.
    assert_eq!(open(&mut user, 20_000, 5), (vec![question(7)], vec![]));
}

/// The same if the hunt is given up, and if a registrar is there and does not answer.
#[test]
fn whatever_the_silence_is_a_session_opens() {
    let mut user = serving(&[1, 2]);
    user.resolver.registrar_mut().limit_rounds(1);
    event(&mut user, 10, disconnected(HOME, DownReason::Silent));
    open(&mut user, 9_990, 2);
    assert_eq!(expire(&mut user, 10_040), (vec![cancel(3), connect(4, 0, place(2), at(10_190))], vec![]));
    // Its failure is to be reported, for which a registrar is looked for.
    let step = event(&mut user, 10_041, connect_failed(4));
    let actions = vec![connect(5, 0, registrar(1), at(10_091)), connect(6, 0, place(1), at(10_191))];
    assert_eq!(step, (actions, vec![]));
    let nobody = UserError::NoRegistrar { tried: vec![registrar(1)] };
    let failed = |id, error| Output::Answer(CommandId(id), Answer::Opened(Err(error)));
    let (_, outputs) = event(&mut user, 10_042, connect_failed(6));
    assert_eq!(outputs, [failed(2, nobody)], "nothing else was known");

    let mut user = serving(&[1, 2]);
    assert_eq!(open(&mut user, 9_990, 2), (vec![question(HOME)], vec![]));
    let (actions, _) = expire(&mut user, 10_090);
    let again =
        [question(HOME), connect(3, 0, registrar(1), at(10_140)), connect(4, 0, place(2), at(10_240))];
    assert_eq!(actions, again);
}

/// A hunt that nothing needs any longer ends with its round.
#[test]
fn a_hunt_that_nothing_needs_ends_with_its_round() {
    let mut user = serving(&[1, 2]);
    event(&mut user, 10, disconnected(HOME, DownReason::Silent));
    open(&mut user, 9_990, 2);
    expire(&mut user, 10_040);
    event(&mut user, 10_041, connected(5, Some(5), place(2)));
    assert_eq!(expire(&mut user, 10_090), (vec![cancel(4)], vec![]));
    assert_eq!(user.poll_timeout(), None);
}
