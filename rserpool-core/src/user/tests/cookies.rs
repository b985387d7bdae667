//! Cookies: the state that an element leaves with a session for the element that replaces it.

use bytes::Bytes;

use super::*;
use crate::endpoint::MAX_COOKIE;
use crate::endpoint::testing::received;

const SILENT: FailureReason = FailureReason::Disconnected(DownReason::Silent);

fn cookie(association: u64, cookie: impl Into<Bytes>) -> Event {
    heard(association, &AsapMessage::Cookie { cookie: cookie.into() })
}

fn echo(association: u64, cookie: impl Into<Bytes>) -> Action {
    asap(association, &AsapMessage::CookieEcho { cookie: cookie.into() })
}

fn kept(element: u32, octets: usize) -> Step {
    let (session, element) = (SessionId(1), ElementId(element));
    (vec![], vec![Output::Notice(Notice::CookieKept { session, element, octets })])
}

/// A user whose elements have no control channel.
fn without_control(elements: &[u32]) -> User {
    let mut user = user(&[1]);
    command(&mut user, 0, 1, Command::Open(Open::new("pool".into())));
    event(&mut user, 1, connected(HOME, Some(1), registrar(1)));
    event(&mut user, 2, resolved_as(TransportUse::DataOnly, elements));
    event(&mut user, 3, connected(2, Some(2), place(1)));
    user
}

fn resolved_as(usage: TransportUse, elements: &[u32]) -> Event {
    let listed = elements.iter().map(|id| {
        let mut element = element(*id);
        if let Transport::Sctp(sctp) = &mut element.user_transport {
            sctp.usage = usage;
        }
        element
    });
    heard(HOME, &answer("pool", listed.collect()))
}

/// ASAP-3.8-02, ASAP-3.8-03, ASAP-3.8-04, ASAP-5-02: of several cookies the newest goes to the next element, octet
/// for octet, first of all and with the identifier of ASAP; then the requests are sent again.
#[test]
fn the_newest_cookie_goes_first_to_the_next_element() {
    let mut user = serving(&[1, 2]);
    assert_eq!(event(&mut user, 10, cookie(2, "old")), kept(1, 3));
    assert_eq!(event(&mut user, 11, cookie(2, &[0xff, 0, 1][..])), kept(1, 3));
    send(&mut user, 12, retry(1), "a");
    send(&mut user, 13, retry(2), "b");
    event(&mut user, 20, disconnected(2, DownReason::Silent));
    let step = event(&mut user, 22, connected(3, Some(3), place(2)));
    let sent = vec![echo(3, &[0xff, 0, 1][..]), data(3, DATA, "a"), data(3, DATA, "b")];
    assert_eq!(step, (sent, vec![handed_over(1, 2, true, &[1, 2])]));
    assert_eq!((user.counters().cookies_received, user.counters().cookies_echoed), (2, 1));
}

/// ASAP-3.8-03: an element that fails before it has sent a cookie leaves the one before to the next, even if that is the
/// element which sent it; a newer cookie replaces it.
#[test]
fn a_cookie_outlives_the_elements_that_send_none() {
    let mut user = serving(&[1]);
    event(&mut user, 10, cookie(2, "one"));
    event(&mut user, 20, disconnected(2, DownReason::Silent));
    event(&mut user, 21, resolved(HOME, &[1]));
    let step = event(&mut user, 22, connected(3, Some(3), place(1)));
    assert_eq!(step, (vec![echo(3, "one")], vec![handed_over(1, 1, true, &[])]));
    event(&mut user, 3_000, disconnected(3, DownReason::Silent));
    let step = event(&mut user, 3_001, connected(4, Some(4), place(1)));
    assert_eq!(step, (vec![echo(4, "one")], vec![handed_over(1, 1, true, &[])]));
    event(&mut user, 3_002, resolved(HOME, &[1]));
    assert_eq!(event(&mut user, 3_003, cookie(4, "two")), kept(1, 3));
    event(&mut user, 6_000, disconnected(4, DownReason::Silent));
    let step = event(&mut user, 6_001, connected(5, Some(5), place(1)));
    assert_eq!(step, (vec![echo(5, "two")], vec![handed_over(1, 1, true, &[])]));
}

/// ASAP-3.8-04: no cookie, no echo. An empty cookie is one.
#[test]
fn an_empty_cookie_is_echoed_and_none_is_not() {
    for (sent, echoed) in [(None, vec![]), (Some(""), vec![echo(3, "")])] {
        let mut user = serving(&[1, 2]);
        if let Some(sent) = sent {
            assert_eq!(event(&mut user, 10, cookie(2, sent)), kept(1, 0));
        }
        event(&mut user, 20, disconnected(2, DownReason::Silent));
        let step = event(&mut user, 22, connected(3, Some(3), place(2)));
        assert_eq!(step, (echoed, vec![handed_over(1, 2, sent.is_some(), &[])]));
    }
}

/// Of the elements that are tried at the same time, only the one that wins gets the cookie.
#[test]
fn only_the_winner_gets_the_cookie() {
    let mut user = serving(&[1, 2, 3]);
    event(&mut user, 10, cookie(2, "c"));
    send(&mut user, 11, retry(1), "a");
    event(&mut user, 20, disconnected(2, DownReason::Silent));
    assert_eq!(expire(&mut user, 70), (vec![connect(4, 0, place(3), at(220))], vec![]));
    let step = event(&mut user, 80, connected(4, Some(4), place(3)));
    assert_eq!(
        step,
        (vec![cancel(3), echo(4, "c"), data(4, DATA, "a")], vec![handed_over(1, 3, true, &[1])])
    );
    assert_eq!(event(&mut user, 81, connected(3, Some(3), place(2))), (vec![abort(3)], vec![]), "too late");
}

/// Each session has its own cookie; another session with the pool begins without.
#[test]
fn a_cookie_is_that_of_its_session() {
    let mut user = serving(&[1, 2]);
    command(&mut user, 5, 2, Command::Open(Open::new("pool".into())));
    event(&mut user, 6, connected(3, Some(3), place(2)));
    event(&mut user, 10, cookie(2, "first"));
    event(&mut user, 20, disconnected(3, DownReason::Silent));
    let (actions, _) = event(&mut user, 22, connected(4, Some(4), place(1)));
    assert_eq!(actions, []);
    command(&mut user, 30, 9, Command::Close { session: SessionId(1) });
    event(&mut user, 31, disconnected(2, DownReason::Local));
    event(&mut user, 32, resolved(HOME, &[1, 2]));
    command(&mut user, 33, 3, Command::Open(Open::new("pool".into())));
    let (actions, _) = event(&mut user, 34, connected(5, Some(5), place(1)));
    assert_eq!(actions, [], "a new session has no past");
}

/// A failover that the application asks for hands the cookie over as well.
#[test]
fn a_wish_to_move_takes_the_cookie_along() {
    let mut user = serving(&[1, 2]);
    event(&mut user, 10, cookie(2, "c"));
    command(&mut user, 20, 9, Command::Failover { session: SessionId(1), unreachable: false });
    // What the element that was left sends now is late.
    assert_eq!(event(&mut user, 21, cookie(2, "late")), (vec![], vec![]));
    let step = event(&mut user, 22, connected(3, Some(3), place(2)));
    assert_eq!(step, (vec![echo(3, "c")], vec![handed_over(1, 2, true, &[])]));
    assert_eq!((user.counters().messages_late, user.counters().cookies_received), (1, 1));
}

/// Where there is no control channel, a cookie has no meaning, and none is sent.
#[test]
fn without_a_control_channel_there_are_no_cookies() {
    let mut user = without_control(&[1]);
    assert_eq!(event(&mut user, 10, cookie(2, "c")), (vec![], vec![]));
    event(&mut user, 20, disconnected(2, DownReason::Silent));
    assert_eq!(event(&mut user, 22, connected(3, Some(3), place(1))).0, []);
    assert_eq!((user.counters().unexpected, user.counters().cookies_received), (1, 0));
    // The pool was founded anew, without control channels.
    let mut user = serving(&[1]);
    event(&mut user, 10, cookie(2, "c"));
    event(&mut user, 20, disconnected(2, DownReason::Silent));
    event(&mut user, 21, resolved_as(TransportUse::DataOnly, &[1, 2]));
    let step = event(&mut user, 22, connected(4, Some(4), place(2)));
    assert_eq!(step, (vec![cancel(3)], vec![handed_over(1, 2, false, &[])]));
    assert_eq!(user.counters().cookies_echoed, 0);
}

/// A cookie that is too long is not kept; the one before is.
#[test]
fn a_cookie_has_a_longest_length() {
    let mut user = serving(&[1, 2]);
    user.context.config.max_cookie_octets = 4;
    assert_eq!(event(&mut user, 10, cookie(2, "four")), kept(1, 4));
    assert_eq!(event(&mut user, 11, cookie(2, "5 now")), (vec![], vec![]));
    event(&mut user, 20, disconnected(2, DownReason::Silent));
    let (actions, _) = event(&mut user, 22, connected(3, Some(3), place(2)));
    assert_eq!(actions, [echo(3, "four")]);
    assert_eq!((user.counters().cookies_received, user.counters().cookies_too_long), (1, 1));
    let mut user = serving(&[1, 2]);
    assert_eq!(event(&mut user, 10, cookie(2, vec![7; MAX_COOKIE])), kept(1, MAX_COOKIE));
    event(&mut user, 20, disconnected(2, DownReason::Silent));
    let (actions, _) = event(&mut user, 22, connected(3, Some(3), place(2)));
    assert_eq!(actions, [echo(3, vec![7; MAX_COOKIE])]);
}

/// The other direction, and the registrar: counted, and the session goes on.
#[test]
fn cookies_come_from_elements_only() {
    let mut user = serving(&[1]);
    assert_eq!(event(&mut user, 10, cookie(HOME, "c")), (vec![], vec![]));
    let echoed = heard(2, &AsapMessage::CookieEcho { cookie: "c".into() });
    assert_eq!(event(&mut user, 11, echoed), (vec![], vec![]));
    assert_eq!(user.counters().unexpected, 2);
    assert_eq!(send(&mut user, 12, Delivery::Once, "a"), accepted(vec![data(2, DATA, "a")]));
}

/// An element that sends cookies lives, as one that answers: the failover is over.
#[test]
fn a_cookie_ends_a_failover() {
    let mut user = serving(&[1, 2]);
    event(&mut user, 10, disconnected(2, DownReason::Silent));
    event(&mut user, 11, connected(3, Some(3), place(2)));
    event(&mut user, 12, resolved(HOME, &[1, 2]));
    event(&mut user, 13, cookie(3, "c"));
    let step = event(&mut user, 20, disconnected(3, DownReason::Silent));
    // Otherwise a pause would come first.
    let actions = vec![report(HOME, 2), question(HOME), connect(4, 0, place(1), at(170))];
    assert_eq!(step, (actions, vec![element_failed(2, SILENT)]));
}

/// A cookie that comes while the session is being closed does no harm.
#[test]
fn a_session_that_closes_keeps_what_it_gets() {
    let mut user = serving(&[1]);
    let close = Command::Close { session: SessionId(1) };
    assert_eq!(command(&mut user, 10, 9, close).0, [shutdown(2, at(10_010))]);
    assert_eq!(event(&mut user, 11, cookie(2, "c")), kept(1, 1));
    assert_eq!(event(&mut user, 12, received(2, DATA, "x")).1.len(), 1);
    assert_eq!(event(&mut user, 13, disconnected(2, DownReason::Local)), (vec![], vec![closed(None)]));
}
