//! Slow is not dead: what ends a request, and how often a session moves.

use super::super::context::Timer;
use super::*;
use crate::endpoint::testing::received;

const BUSY: FailureReason = FailureReason::Disconnected(DownReason::Busy);

fn limited(user: &mut User, now: u64, id: u64, limits: RequestLimits) -> Step {
    let message = Message::new(SessionId(1), DATA, "slow").delivery(retry(id)).limits(limits);
    command(user, now, 9, Command::Send(message))
}

/// An answer to whatever was sent.
fn reply(user: &mut User, now: u64, association: u64) {
    let (actions, notices) = event(user, now, received(association, DATA, "r"));
    assert!(matches!(&notices[..], [Output::Notice(Notice::Received { .. })]));
    assert_eq!(actions, []);
}

/// However long the answer takes, the element is not left, and the request is carried out once.
#[test]
fn a_slow_element_is_waited_for() {
    let mut user = serving(&[1, 2]);
    assert_eq!(send(&mut user, 10, retry(1), "a"), accepted(vec![data(2, DATA, "a")]));
    user.handle_timeout(at(60_009));
    assert_eq!(drain(&mut user), (vec![], vec![]));
    reply(&mut user, 60_009, 2);
    assert_eq!(answered(&mut user, 60_009, 1), accepted(vec![]));
    assert_eq!(user.poll_timeout(), None);
}

/// A request that is forgotten, or never answered, ends by itself; the session goes on, and there is room again.
#[test]
fn a_request_ends_at_its_deadline() {
    let mut user = serving(&[1, 2]);
    user.context.config.max_unanswered_octets = 4;
    send(&mut user, 10, retry(1), "abcd");
    assert_eq!(send(&mut user, 20, Delivery::Report(RequestId(2)), "e"), refused(Refusal::Congested));
    let writable = Output::Notice(Notice::Writable { session: SessionId(1) });
    let step = expire(&mut user, 60_010);
    assert_eq!(step, (vec![], vec![unanswered(1, UnansweredReason::Deadline), writable]));
    assert_eq!(user.counters().requests_given_up, 1);
    reply(&mut user, 60_020, 2);
    assert_eq!(send(&mut user, 60_020, retry(1), "again"), accepted(vec![data(2, DATA, "again")]));
    // Each request may have a deadline of its own.
    limited(&mut user, 60_020, 2, RequestLimits::default());
    answered(&mut user, 60_020, 1);
    limited(&mut user, 60_020, 3, RequestLimits::default().deadline(ms(30)));
    let (_, notices) = expire(&mut user, 60_050);
    assert_eq!(notices[0], unanswered(3, UnansweredReason::Deadline));
}

/// Deadlines do not wait for an element.
#[test]
fn a_deadline_counts_while_an_element_is_looked_for() {
    let mut user = serving(&[1]);
    event(&mut user, 10, disconnected(2, DownReason::Silent));
    limited(&mut user, 11, 1, RequestLimits::default().deadline(ms(30)));
    assert_eq!(expire(&mut user, 41), (vec![], vec![unanswered(1, UnansweredReason::Deadline)]));
}

/// A request upon which elements fail is sent to a few of them, and not to all for ever.
#[test]
fn a_request_is_delivered_a_bounded_number_of_times() {
    let mut user = serving(&[1, 2, 3]);
    limited(&mut user, 10, 1, RequestLimits::default().deliveries(2));
    send(&mut user, 10, retry(2), "b");
    event(&mut user, 20, disconnected(2, DownReason::Silent));
    let step = event(&mut user, 21, connected(3, Some(3), place(2)));
    let resent = vec![data(3, DATA, "slow"), data(3, DATA, "b")];
    assert_eq!(step, (resent, vec![failed_over(1, 2, &[1, 2])]));
    event(&mut user, 22, resolved(HOME, &[1, 2, 3]));
    let (_, notices) = event(&mut user, 30, disconnected(3, DownReason::PeerShutdown));
    let closed = FailureReason::Disconnected(DownReason::PeerShutdown);
    assert_eq!(notices, [element_failed(2, closed), unanswered(1, UnansweredReason::Deliveries)]);
    let (actions, _) = expire(&mut user, 80);
    assert_eq!(actions, [question(HOME), connect(4, 0, place(3), at(230))], "after a pause");
    let step = event(&mut user, 81, connected(4, Some(4), place(3)));
    assert_eq!(step, (vec![data(4, DATA, "b")], vec![failed_over(2, 3, &[2])]));
    assert_eq!(UserConfig::rfc(1).max_deliveries, 5);
}

/// Only a request that asks for it makes a session leave an element that lives, and that is no report.
#[test]
fn a_request_may_ask_for_another_element() {
    let mut user = serving(&[1, 2]);
    send(&mut user, 10, retry(1), "a");
    limited(&mut user, 20, 2, RequestLimits::default().move_after(ms(300)));
    let step = expire(&mut user, 320);
    let actions = vec![abort(2), question(HOME), connect(3, 0, place(2), at(470))];
    assert_eq!(step, (actions, vec![element_failed(1, FailureReason::Unanswered)]));
    let step = event(&mut user, 321, connected(3, Some(3), place(2)));
    assert_eq!(step, (vec![data(3, DATA, "a"), data(3, DATA, "slow")], vec![failed_over(1, 2, &[1, 2])]));
    event(&mut user, 322, resolved(HOME, &[1, 2]));
    assert_eq!(user.poll_timeout(), Some(at(621)), "counted from when it was sent last");
    answered(&mut user, 330, 2);
    assert_eq!(user.poll_timeout(), Some(at(60_010)));
}

/// An element that accepts sessions and ends them: no storm, no report, and an end. The pause doubles, up to 8
/// times the first; the failover deadline counts from the first failure.
#[test]
fn an_element_that_accepts_and_closes_is_tried_ever_more_rarely() {
    let mut user = serving(&[1]);
    send(&mut user, 10, retry(1), "a");
    let (mut association, mut now, mut connects) = (2, 20, vec![]);
    let ended = loop {
        let (mut actions, notices) = event(&mut user, now, disconnected(association, DownReason::Busy));
        assert_eq!(notices[0], element_failed(1, BUSY));
        while !actions.iter().any(|action| matches!(action, Action::Connect { .. })) {
            now = user.poll_timeout().unwrap().as_nanos() / 1_000_000;
            user.handle_timeout(at(now));
            let step = drain(&mut user);
            if step.1.contains(&closed(Some(UserError::NoElement))) {
                break;
            }
            actions = step.0;
        }
        let attempt = actions.iter().find_map(|action| match action {
            Action::Connect { request, .. } => Some(request.0),
            _ => None,
        });
        let Some(attempt) = attempt else { break now };
        connects.push(now);
        (association, now) = (association + 1, now + 1);
        event(&mut user, now, connected(association, Some(attempt), place(1)));
        event(&mut user, now, resolved(HOME, &[1]));
        now += 1;
    };
    let pauses: Vec<u64> = connects.windows(2).map(|pair| pair[1] - pair[0] - 2).collect();
    assert_eq!(pauses[..6], [50, 100, 200, 400, 400, 400]);
    assert_eq!((ended, connects.len(), user.counters().reports_sent), (60_020, 152, 0));
    assert_eq!((user.sessions(), user.poll_timeout()), (0, None));
}

/// Connections come up and nothing else passes: each element falls silent only after a while. That is one failover
/// after the other, without an end to the first.
#[test]
fn silence_after_a_request_proves_nothing() {
    let mut user = serving(&[1, 2]);
    send(&mut user, 10, retry(1), "a");
    event(&mut user, 20, disconnected(2, DownReason::Silent));
    event(&mut user, 21, connected(3, Some(3), place(2)));
    event(&mut user, 22, resolved(HOME, &[1, 2]));
    let (actions, _) = event(&mut user, 3_000, disconnected(3, DownReason::Silent));
    assert_eq!(actions, [report(HOME, 2)]);
    assert_eq!(user.poll_timeout(), Some(at(3_050)), "a pause");
    assert_eq!(user.context.deadlines.get(&Timer::Search(SessionId(1))), Some(at(60_020)));
}

/// What proves an element: an answer, or having served for as long as a failed element is avoided. After that,
/// the next failure is the first again: no pause, and all the time to find another.
#[test]
fn an_element_that_has_answered_is_replaced_at_once() {
    for (proof, now) in [(true, 30), (false, 2_021)] {
        let mut user = serving(&[1, 2]);
        event(&mut user, 20, disconnected(2, DownReason::Silent));
        event(&mut user, 21, connected(3, Some(3), place(2)));
        event(&mut user, 22, resolved(HOME, &[1, 2]));
        if proof {
            reply(&mut user, 25, 3);
        }
        let (actions, _) = event(&mut user, now, disconnected(3, DownReason::PeerShutdown));
        assert!(actions.contains(&connect(4, 0, place(1), at(now + 150))), "{actions:?}");
        event(&mut user, now + 1, connect_failed(4));
        event(&mut user, now + 2, refusal_of(HOME, "pool", CauseCode::UNKNOWN_POOL_HANDLE));
        assert_eq!(user.context.deadlines.get(&Timer::Search(SessionId(1))), Some(at(now + 60_000)));
    }
}
