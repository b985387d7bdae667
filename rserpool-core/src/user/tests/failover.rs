//! Failover: what counts as a failure, and that no supervised request is lost.

use super::*;
use crate::endpoint::testing::received;

const SILENT: FailureReason = FailureReason::Disconnected(DownReason::Silent);

fn got(element: u32, bytes: &'static str) -> Output<Answer, Notice> {
    let (session, element) = (SessionId(1), ElementId(element));
    Output::Notice(Notice::Received { session, element, protocol: DATA, bytes: bytes.into() })
}

/// ASAP-3.5-01, ASAP-3.5-03, ASAP-6.5.5-02, ASAP-6.5.5-03, ASAP-6.7-01, SEC-2.9.3-01: a frozen element, from
/// the silence that the transport notices to the answer of the next element. The application is told of the
/// failover before it gets any data of that element, and which of its requests will not be answered.
#[test]
fn a_hung_element_is_replaced_and_its_requests_are_sent_again() {
    let mut user = serving(&[1, 2]);
    send(&mut user, 10, retry(1), "a");
    send(&mut user, 20, retry(2), "b");
    send(&mut user, 30, Delivery::Report(RequestId(3)), "c");
    send(&mut user, 40, Delivery::Once, "d");
    assert_eq!(answered(&mut user, 50, 1), accepted(vec![]));
    let step = event(&mut user, 220, disconnected(2, DownReason::Silent));
    let actions = vec![report(HOME, 1), question(HOME), connect(3, 0, place(2), at(370))];
    let unanswered = unanswered(3, UnansweredReason::ElementFailed);
    assert_eq!(step, (actions, vec![element_failed(1, SILENT), unanswered]));
    let step = event(&mut user, 222, connected(3, Some(3), place(2)));
    assert_eq!(step, (vec![data(3, DATA, "b")], vec![failed_over(1, 2, &[2])]));
    assert_eq!(event(&mut user, 223, received(3, DATA, "B")), (vec![], vec![got(2, "B")]));
    assert_eq!(user.poll_timeout(), Some(at(320)), "T1: the answer of the registrar is outstanding");
    event(&mut user, 224, resolved(HOME, &[2]));
    assert_eq!(user.poll_timeout(), Some(at(60_020)), "its deadline, from when it was handed over");
    answered(&mut user, 225, 2);
    assert_eq!(user.poll_timeout(), None);
}

/// ASAP-3.5-01: whatever says that an element cannot be reached, the transport or the application.
#[test]
fn an_unreachable_element_is_reported() {
    for reason in [DownReason::Silent, DownReason::Unreachable, DownReason::Aborted(AbortReason::default())] {
        let mut user = serving(&[1, 2]);
        send(&mut user, 10, Delivery::Once, "a");
        let (actions, _) = event(&mut user, 20, disconnected(2, reason.clone()));
        assert_eq!(actions.first(), Some(&report(HOME, 1)), "{reason}");
    }
    let mut user = serving(&[1, 2]);
    send(&mut user, 10, Delivery::Once, "a");
    let transport_failure = Command::ReportUnreachable { handle: "pool".into(), element: ElementId(1) };
    assert_eq!(command(&mut user, 12, 9, transport_failure), noted(vec![report(HOME, 1)]));
}

/// ASAP-3.5-01: what the transport says is reported even if nothing was ever sent to the element. (ASAP-3.5-04
/// is about what the application says.)
#[test]
fn an_idle_element_that_dies_is_reported() {
    let mut user = serving(&[1, 2]);
    let step = event(&mut user, 10, disconnected(2, DownReason::Silent));
    let actions = vec![report(HOME, 1), question(HOME), connect(3, 0, place(2), at(160))];
    assert_eq!(step, (actions, vec![element_failed(1, SILENT)]));
}

/// Who answers lives: an element that closes, refuses, starts anew, or whose application ends the session is not
/// reported.
#[test]
fn an_element_that_ends_a_session_is_not_reported() {
    let aborted = |cause| DownReason::Aborted(AbortReason { cause, text: "".into() });
    let ends = [
        (DownReason::PeerShutdown, 0),
        (DownReason::Busy, 0),
        (DownReason::Restarted, 0),
        (aborted(Some(12)), 0),
        (aborted(None), 1),
        (DownReason::Unreachable, 1),
        (DownReason::Violation, 1),
    ];
    for (end, reports) in ends {
        let mut user = serving(&[1, 2]);
        send(&mut user, 10, retry(1), "a");
        event(&mut user, 20, disconnected(2, end.clone()));
        assert_eq!(user.counters().reports_sent, reports, "{end}");
    }
}

/// ASAP-3.5-01, ASAP-3.5-03: an element that nobody can connect to is reported, once. One that has no room is not.
#[test]
fn an_element_that_accepts_no_connection_is_reported() {
    let mut user = serving(&[1, 2, 3]);
    event(&mut user, 10, disconnected(2, DownReason::PeerShutdown));
    let busy = Event::ConnectFailed { request: ConnectId(3), reason: ConnectError::Busy };
    assert_eq!(event(&mut user, 11, busy), (vec![connect(4, 0, place(3), at(161))], vec![]));
    let step = event(&mut user, 161, connect_failed(4));
    assert_eq!(step, (vec![report(HOME, 3), connect(5, 0, place(1), at(311))], vec![]));
    event(&mut user, 162, resolved(HOME, &[3]));
    event(&mut user, 311, connect_failed(5));
    assert_eq!(user.counters().reports_sent, 2);
    assert_eq!(expire(&mut user, 361), (vec![question(HOME), connect(6, 0, place(3), at(511))], vec![]));
    assert_eq!(event(&mut user, 511, connect_failed(6)), (vec![], vec![]), "the same failure");
}

/// A clean stop: the session moves at once, and the element is not reported.
#[test]
fn a_server_that_is_stopped_is_left_at_once() {
    let mut user = serving(&[1, 2]);
    send(&mut user, 10, retry(1), "a");
    send(&mut user, 11, retry(2), "b");
    let step = event(&mut user, 20, disconnected(2, DownReason::PeerShutdown));
    let failed = element_failed(1, FailureReason::Disconnected(DownReason::PeerShutdown));
    assert_eq!(step, (vec![question(HOME), connect(3, 0, place(2), at(170))], vec![failed]));
    let step = event(&mut user, 22, connected(3, Some(3), place(2)));
    let again = vec![data(3, DATA, "a"), data(3, DATA, "b")];
    assert_eq!(step, (again, vec![failed_over(1, 2, &[1, 2])]));
}

/// What is sent while no element is there waits for one.
#[test]
fn requests_wait_for_the_next_element() {
    let mut user = serving(&[1, 2]);
    event(&mut user, 10, disconnected(2, DownReason::Aborted(AbortReason::default())));
    assert_eq!(send(&mut user, 11, retry(1), "a"), accepted(vec![]));
    assert_eq!(send(&mut user, 12, Delivery::Report(RequestId(2)), "b"), accepted(vec![]));
    assert_eq!(send(&mut user, 13, Delivery::Once, "c"), refused(Refusal::Congested));
    let step = event(&mut user, 20, connected(3, Some(3), place(2)));
    let writable = Output::Notice(Notice::Writable { session: SessionId(1) });
    let sent = vec![data(3, DATA, "a"), data(3, DATA, "b")];
    assert_eq!(step, (sent, vec![failed_over(1, 2, &[]), writable]));
    event(&mut user, 21, resolved(HOME, &[2]));
    assert_eq!(user.poll_timeout(), Some(at(60_011)));
}

/// The registrar still lists the failed element; it is taken only when there is no other one.
#[test]
fn the_failed_element_is_excluded_until_nobody_else_is_left() {
    let mut user = serving(&[1]);
    send(&mut user, 10, retry(1), "a");
    let (actions, _) = event(&mut user, 20, disconnected(2, DownReason::Aborted(AbortReason::default())));
    assert_eq!(actions, [report(HOME, 1), question(HOME), connect(3, 0, place(1), at(170))]);
    // A new element takes precedence as soon as the registrar names it.
    let step = event(&mut user, 21, resolved(HOME, &[1, 2]));
    assert_eq!(step, (vec![connect(4, 0, place(2), at(171))], vec![]));
    let step = event(&mut user, 22, connected(4, Some(4), place(2)));
    assert_eq!(step, (vec![cancel(3), data(4, DATA, "a")], vec![failed_over(1, 2, &[1])]));
}

/// A pool of one: the element comes back, and the session with it.
#[test]
fn the_same_element_may_come_back() {
    let mut user = serving(&[1]);
    send(&mut user, 10, retry(1), "a");
    event(&mut user, 20, disconnected(2, DownReason::Silent));
    event(&mut user, 21, resolved(HOME, &[1]));
    assert_eq!(event(&mut user, 170, connect_failed(3)), (vec![], vec![]));
    let step = expire(&mut user, 220);
    assert_eq!(step, (vec![question(HOME), connect(4, 0, place(1), at(370))], vec![]));
    let step = event(&mut user, 230, connected(3, Some(4), place(1)));
    assert_eq!(step, (vec![data(3, DATA, "a")], vec![failed_over(1, 1, &[1])]));
}

/// Elements are looked for again and again, until the deadline.
#[test]
fn a_session_without_elements_ends_with_its_reason() {
    let mut user = serving(&[1]);
    user.context.config.failover_deadline = ms(260);
    event(&mut user, 20, disconnected(2, DownReason::Silent));
    event(&mut user, 21, connect_failed(3));
    let unknown = || refusal_of(HOME, "pool", CauseCode::UNKNOWN_POOL_HANDLE);
    assert_eq!(event(&mut user, 22, unknown()), (vec![], vec![]));
    assert_eq!(expire(&mut user, 72), (vec![question(HOME)], vec![]));
    assert_eq!(event(&mut user, 73, unknown()), (vec![], vec![]));
    assert_eq!(expire(&mut user, 173), (vec![question(HOME)], vec![]), "the pause has doubled");
    event(&mut user, 174, unknown());
    assert_eq!(expire(&mut user, 280), (vec![], vec![closed(Some(UserError::UnknownPool))]));
    assert_eq!((user.sessions(), user.poll_timeout()), (0, None));
}

/// A pool that becomes empty: the session waits, the application knows since its element failed, and all goes on where it was when
/// the next element has registered.
#[test]
fn a_session_waits_while_its_pool_is_empty() {
    let mut user = serving(&[1]);
    event(&mut user, 5, heard(2, &AsapMessage::Cookie { cookie: "state".into() }));
    send(&mut user, 10, retry(1), "a");
    let (_, outputs) = event(&mut user, 20, disconnected(2, DownReason::Silent));
    let failed = element_failed(1, FailureReason::Disconnected(DownReason::Silent));
    assert_eq!(outputs, [failed], "it is told");
    event(&mut user, 21, connect_failed(3));
    let unknown = || refusal_of(HOME, "pool", CauseCode::UNKNOWN_POOL_HANDLE);
    assert_eq!(event(&mut user, 22, unknown()), (vec![], vec![]));
    assert_eq!(send(&mut user, 30, retry(2), "b"), accepted(vec![]));
    assert_eq!(expire(&mut user, 72), (vec![question(HOME)], vec![]));
    assert_eq!(event(&mut user, 73, unknown()), (vec![], vec![]));
    assert_eq!(expire(&mut user, 173), (vec![question(HOME)], vec![]));
    let step = event(&mut user, 174, resolved(HOME, &[7]));
    assert_eq!(step, (vec![connect(4, 0, place(7), at(324))], vec![]));
    let (actions, outputs) = event(&mut user, 180, connected(3, Some(4), place(7)));
    let echo = asap(3, &AsapMessage::CookieEcho { cookie: "state".into() });
    assert_eq!(actions, [echo, data(3, DATA, "a"), data(3, DATA, "b")]);
    assert!(
        matches!(&outputs[..], [Output::Notice(Notice::FailedOver { cookie_echoed: true, .. })]),
        "{outputs:?}"
    );
}

/// ASAP-3.3-08: the cache is used, stale or not, when no registrar answers.
#[test]
fn fails_over_without_a_registrar() {
    let mut user = serving(&[1, 2]);
    event(&mut user, 10, disconnected(HOME, DownReason::Silent));
    send(&mut user, 9_990, retry(1), "a");
    let step = event(&mut user, 10_000, disconnected(2, DownReason::Silent));
    let hunt = connect(3, 0, registrar(1), at(10_050));
    assert_eq!(step, (vec![hunt, connect(4, 0, place(2), at(10_150))], vec![element_failed(1, SILENT)]));
    let step = event(&mut user, 10_001, connected(3, Some(4), place(2)));
    assert_eq!(step, (vec![data(3, DATA, "a")], vec![failed_over(1, 2, &[1])]));
    // The report waits for a registrar; the question does not, since the answer is not needed.
    let step = event(&mut user, 10_010, connected(4, Some(3), registrar(1)));
    assert_eq!(step, (vec![report(4, 1)], vec![]));
}

/// ASAP-6.9.2-01, ASAP-3.5-03, ASAP-3.5-04: the application reports an element; once for a failure, and only
/// if something was sent to it.
#[test]
fn an_element_is_reported_once_and_only_if_it_was_sent_something() {
    let mut user = serving(&[1, 2]);
    let transport_failure = |id| Command::ReportUnreachable { handle: "pool".into(), element: ElementId(id) };
    assert_eq!(command(&mut user, 10, 9, transport_failure(1)), noted(vec![]));
    send(&mut user, 11, Delivery::Once, "a");
    assert_eq!(command(&mut user, 12, 9, transport_failure(1)), noted(vec![report(HOME, 1)]));
    assert_eq!(command(&mut user, 13, 9, transport_failure(1)), noted(vec![]));
    assert_eq!(command(&mut user, 14, 9, transport_failure(2)), noted(vec![]));
    send(&mut user, 15, Delivery::Once, "a");
    assert_eq!(command(&mut user, 16, 9, transport_failure(1)), noted(vec![report(HOME, 1)]));
}

/// A wish is no failure, so nothing is reported.
#[test]
fn the_application_may_ask_for_a_failover() {
    let mut user = serving(&[1, 2]);
    send(&mut user, 10, retry(1), "a");
    let failover = || Command::Failover { session: SessionId(1), unreachable: false };
    let (actions, notices) = command(&mut user, 20, 9, failover());
    assert_eq!(actions, [abort(2), question(HOME), connect(3, 0, place(2), at(170))]);
    assert_eq!(
        notices,
        [Output::Answer(CommandId(9), Answer::Done(Ok(()))), element_failed(1, FailureReason::Asked)]
    );
    assert_eq!(command(&mut user, 21, 9, failover()), accepted(vec![]), "it is on already");
    // Messages of an element that was given up are dropped.
    assert_eq!(event(&mut user, 21, received(2, DATA, "late")), (vec![], vec![]));
    assert_eq!(event(&mut user, 21, disconnected(2, DownReason::Local)), (vec![], vec![]));
    assert_eq!(user.counters().messages_late, 1);
    let close = Command::Close { session: SessionId(1) };
    let step = command(&mut user, 22, 9, close);
    assert_eq!(
        step,
        (vec![cancel(3)], vec![Output::Answer(CommandId(9), Answer::Done(Ok(()))), closed(None)])
    );
    assert_eq!(command(&mut user, 23, 9, failover()), refused(Refusal::UnknownSession));
    event(&mut user, 24, resolved(HOME, &[1, 2]));
    assert_eq!(user.poll_timeout(), None);
}

/// Only an element that the application calls unreachable is reported, and only if it was sent something.
#[test]
fn a_failover_reports_what_is_unreachable() {
    for (asked, reports) in [(false, vec![]), (true, vec![report(HOME, 1)])] {
        let mut user = serving(&[1, 2]);
        send(&mut user, 10, retry(1), "a");
        let failover = Command::Failover { session: SessionId(1), unreachable: asked };
        let (mut actions, _) = command(&mut user, 20, 9, failover.clone());
        let rest = [abort(2), question(HOME), connect(3, 0, place(2), at(170))];
        let after = actions.split_off(reports.len());
        assert_eq!((actions, after), (reports, rest.to_vec()));
        // While another one is looked for, there is none to be reported.
        assert_eq!(command(&mut user, 21, 9, failover), accepted(vec![]));
    }
    let mut user = serving(&[1, 2]);
    let failover = Command::Failover { session: SessionId(1), unreachable: true };
    let (actions, _) = command(&mut user, 20, 9, failover);
    assert_eq!(actions, [abort(2), question(HOME), connect(3, 0, place(2), at(170))]);
}

/// ASAP-9.2-07, SEC-2.13.3-01: two sessions, one dead element: one report.
#[test]
fn one_failure_is_reported_once_for_all_sessions() {
    let mut user = serving(&[1]);
    command(&mut user, 5, 2, Command::Open(Open::new("pool".into())));
    event(&mut user, 6, connected(3, Some(3), place(1)));
    send(&mut user, 10, retry(1), "a");
    let second = Command::Send(Message::new(SessionId(2), DATA, "b").delivery(retry(1)));
    command(&mut user, 10, 9, second);
    let (mut actions, _) = event(&mut user, 210, disconnected(2, DownReason::Silent));
    actions.extend(event(&mut user, 210, disconnected(3, DownReason::Silent)).0);
    assert_eq!(actions.iter().filter(|action| **action == report(HOME, 1)).count(), 1);
    assert_eq!(actions.iter().filter(|action| **action == question(HOME)).count(), 1);
}
