//! Standbys: the next element of a session is connected before it is needed.

use super::*;

/// As [`serving`], with element 2 being connected as the standby by request 3.
fn with_standby(elements: &[u32]) -> User {
    let mut user = User::new(UserConfig { standby: 1, ..config(&[1]) });
    command(&mut user, 0, 1, Command::Open(Open::new("pool".into())));
    event(&mut user, 1, connected(HOME, Some(1), registrar(1)));
    event(&mut user, 2, resolved(HOME, elements));
    let opened = Opened { session: SessionId(1), element: ElementId(1), peer: place(1) };
    let step = event(&mut user, 3, connected(2, Some(2), place(1)));
    let opened = Output::Answer(CommandId(1), Answer::Opened(Ok(opened)));
    assert_eq!(step, (vec![connect(3, 0, place(2), at(153))], vec![opened]));
    user
}

const fn hold(association: u64) -> Action {
    Action::Hold { association: AssociationId::sctp(association) }
}

const fn release(association: u64) -> Action {
    Action::Release { association: AssociationId::sctp(association) }
}

fn ready(elements: &[u32]) -> User {
    let mut user = with_standby(elements);
    assert_eq!(event(&mut user, 5, connected(3, Some(3), place(2))), (vec![hold(3)], vec![]));
    user
}

const SILENT: FailureReason = FailureReason::Disconnected(DownReason::Silent);

#[test]
fn a_failover_to_a_standby_needs_no_handshake() {
    let mut user = ready(&[1, 2, 3]);
    send(&mut user, 10, retry(1), "a");
    let step = event(&mut user, 220, disconnected(2, DownReason::Silent));
    let actions = vec![report(HOME, 1), release(3), data(3, DATA, "a"), connect(4, 0, place(3), at(370))];
    assert_eq!(step, (actions, vec![element_failed(1, SILENT), failed_over(1, 2, &[1])]));
    assert_eq!((user.counters().standbys_used, user.counters().failovers), (1, 1));
}

/// The application has no room for messages: those of the standby go on waiting.
#[test]
fn a_session_that_is_held_holds_its_standby() {
    let mut user = ready(&[1, 2]);
    command(&mut user, 10, 9, Command::Hold { session: SessionId(1) });
    let step = event(&mut user, 220, disconnected(2, DownReason::Silent));
    assert_eq!(step, (vec![report(HOME, 1)], vec![element_failed(1, SILENT), failed_over(1, 2, &[])]));
    let step = command(&mut user, 230, 9, Command::Release { session: SessionId(1) });
    assert_eq!(step, accepted(vec![release(3)]));
}

#[test]
fn a_standby_that_is_being_connected_is_the_first_attempt_of_the_search() {
    let mut user = with_standby(&[1, 2]);
    let step = event(&mut user, 10, disconnected(2, DownReason::Silent));
    assert_eq!(step, (vec![report(HOME, 1), question(HOME)], vec![element_failed(1, SILENT)]));
    let step = event(&mut user, 12, connected(3, Some(3), place(2)));
    assert_eq!(step, (vec![], vec![failed_over(1, 2, &[])]));
}

/// It dies first: that is reported, the session hears nothing of it, and another one is looked for after a pause.
#[test]
fn a_standby_that_dies_is_replaced() {
    let mut user = ready(&[1, 2, 3]);
    let step = event(&mut user, 100, disconnected(3, DownReason::Silent));
    assert_eq!(step, (vec![report(HOME, 2)], vec![]));
    assert_eq!(expire(&mut user, 150), (vec![connect(4, 0, place(3), at(300))], vec![]));
    assert_eq!(user.counters().standbys_lost, 1);
}

/// An element that refuses is not tried again before its exclusion is over, and without another one nothing is tried.
#[test]
fn a_pool_without_another_element_has_no_standby() {
    let mut user = with_standby(&[1, 2]);
    let step = event(&mut user, 5, connect_failed(3));
    assert_eq!(step, (vec![report(HOME, 2)], vec![]));
    assert_eq!(expire(&mut user, 2_005), (vec![connect(4, 0, place(2), at(2_155))], vec![]));
}

/// The standby has left the pool: another one is connected at the next look.
#[test]
fn a_standby_that_leaves_the_pool_is_replaced() {
    let mut user = ready(&[1, 2, 3]);
    let resolve = Command::Resolve(Resolve::new("pool".into()).past_cache());
    command(&mut user, 100, 8, resolve);
    event(&mut user, 101, resolved(HOME, &[1, 3]));
    let step = expire(&mut user, 2_003);
    assert_eq!(step, (vec![abort(3), connect(4, 0, place(3), at(2_153))], vec![]));
}

/// It has left the pool, and the next look has not come.
#[test]
fn a_standby_that_has_left_the_pool_does_not_serve() {
    let mut user = ready(&[1, 2, 3]);
    let resolve = Command::Resolve(Resolve::new("pool".into()).past_cache());
    command(&mut user, 100, 8, resolve);
    event(&mut user, 101, resolved(HOME, &[1, 3]));
    let step = event(&mut user, 200, disconnected(2, DownReason::Silent));
    let actions = vec![report(HOME, 1), abort(3), question(HOME), connect(4, 0, place(3), at(350))];
    assert_eq!(step, (actions, vec![element_failed(1, SILENT)]));
}

#[test]
fn a_session_that_is_closed_lets_its_standby_go() {
    let mut user = ready(&[1, 2]);
    let step = command(&mut user, 10, 9, Command::Close { session: SessionId(1) });
    assert_eq!(step.0, vec![abort(3), shutdown(2, at(10_010))]);
    let mut user = with_standby(&[1, 2]);
    let step = command(&mut user, 10, 9, Command::Close { session: SessionId(1) });
    assert_eq!(step.0, vec![cancel(3), shutdown(2, at(10_010))]);
    assert_eq!(user.poll_timeout(), None);
}

/// What elements before have left goes with the first message.
#[test]
fn a_standby_gets_the_cookie_first() {
    let mut user = ready(&[1, 2]);
    event(&mut user, 10, heard(2, &AsapMessage::Cookie { cookie: "c".into() }));
    send(&mut user, 20, retry(1), "a");
    let (actions, _) = event(&mut user, 220, disconnected(2, DownReason::Silent));
    let echo = asap(3, &AsapMessage::CookieEcho { cookie: "c".into() });
    assert_eq!(actions, vec![report(HOME, 1), release(3), echo, data(3, DATA, "a")]);
}
