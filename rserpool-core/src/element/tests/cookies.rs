//! Cookies: state that is left with users, and state that users bring from other elements.

use alloc::format;

use bytes::Bytes;

use super::*;
use crate::base::PoolHandle;
use crate::element::{CookieError, CookieSeal, Seal};
use crate::endpoint::MAX_COOKIE;

fn cookie(association: u64, cookie: &'static str) -> Action {
    asap(association, &AsapMessage::Cookie { cookie: cookie.into() })
}

fn echo(association: u64, cookie: impl Into<Bytes>) -> Event {
    heard(association, &AsapMessage::CookieEcho { cookie: cookie.into() })
}

fn send_cookie(element: &mut Element, now: u64, session: u64, cookie: impl Into<Bytes>) -> Step {
    let session = AssociationId::sctp(session);
    command(element, now, 1, Command::SendCookie { session, cookie: cookie.into() })
}

fn answer(element: &mut Element, now: u64, session: u64) -> Step {
    command(element, now, 1, Command::Send(Message::new(AssociationId::sctp(session), DATA, "A")))
}

fn done(actions: Vec<Action>) -> Step {
    (actions, vec![Output::Answer(CommandId(1), Answer::Done(Ok(())))])
}

fn refused(refusal: Refusal) -> Step {
    (vec![], vec![Output::Answer(CommandId(1), Answer::Done(Err(refusal)))])
}

fn opened(session: u64) -> Output<Answer, Notice> {
    let peer = user(session as u16);
    Output::Notice(Notice::SessionOpened { session: AssociationId::sctp(session), peer })
}

fn brought(session: u64, cookie: impl Into<Bytes>) -> Output<Answer, Notice> {
    Output::Notice(Notice::CookieEcho { session: AssociationId::sctp(session), cookie: cookie.into() })
}

fn wanted(session: u64) -> Output<Answer, Notice> {
    Output::Notice(Notice::CookieWanted { session: AssociationId::sctp(session) })
}

/// An element with these sessions, each with one message received.
fn with_sessions(sessions: &[u64]) -> Element {
    let mut element = registered(&[1]);
    for session in sessions {
        event(&mut element, 30, connected(*session, None, user(*session as u16)));
        event(&mut element, 31, received(*session, DATA, "a"));
    }
    element
}

/// ASAP-3.8-01, ASAP-5-02: at any time, any number, with the identifier of ASAP on the association of the session.
#[test]
fn cookies_are_sent_at_any_time() {
    let mut element = with_sessions(&[2]);
    assert_eq!(send_cookie(&mut element, 40, 2, "one"), done(vec![cookie(2, "one")]));
    assert_eq!(send_cookie(&mut element, 41, 2, "two"), done(vec![cookie(2, "two")]));
    assert_eq!(send_cookie(&mut element, 42, 2, ""), done(vec![cookie(2, "")]));
    let longest = Bytes::from(vec![7; MAX_COOKIE]);
    assert_eq!(send_cookie(&mut element, 43, 2, longest).0.len(), 1);
    assert_eq!(send_cookie(&mut element, 44, 2, vec![7; MAX_COOKIE + 1]), refused(Refusal::CookieLength));
    for nobody in [HOME, 3] {
        assert_eq!(send_cookie(&mut element, 45, nobody, "x"), refused(Refusal::UnknownSession));
    }
    assert_eq!(element.counters().cookies_sent, 4);
    assert_eq!(element.open_requests(), 1, "a cookie is no answer");
}

/// ASAP-3.8-04: a user that comes from another element brings its cookie first: the application has the state before any
/// request.
#[test]
fn an_echo_opens_the_session_and_comes_before_data() {
    let mut element = registered(&[1]);
    event(&mut element, 30, connected(2, None, user(2)));
    let state: &[u8] = &[0, 0xff, 3];
    assert_eq!(event(&mut element, 31, echo(2, state)), (vec![], vec![opened(2), brought(2, state)]));
    let got = |bytes: &'static str| {
        let session = AssociationId::sctp(2);
        Output::Notice(Notice::Received { session, protocol: DATA, stream: 0, bytes: bytes.into() })
    };
    assert_eq!(event(&mut element, 32, received(2, DATA, "a")), (vec![], vec![got("a")]));
    assert_eq!((element.sessions(), element.counters().cookies_echoed), (1, 1));
    // An empty cookie is one.
    event(&mut element, 40, connected(3, None, user(3)));
    assert_eq!(event(&mut element, 41, echo(3, "")), (vec![], vec![opened(3), brought(3, "")]));
}

/// State that comes late would replace state that has moved on.
#[test]
fn only_an_echo_before_everything_else_is_handed_up() {
    let mut element = registered(&[1]);
    event(&mut element, 30, connected(2, None, user(2)));
    event(&mut element, 31, echo(2, "first"));
    assert_eq!(event(&mut element, 32, echo(2, "second")), (vec![], vec![]));
    event(&mut element, 33, connected(3, None, user(3)));
    event(&mut element, 34, received(3, DATA, "a"));
    assert_eq!(event(&mut element, 35, echo(3, "after data")), (vec![], vec![]));
    assert_eq!((element.counters().cookies_echoed, element.counters().unexpected), (1, 2));
    assert_eq!(element.sessions(), 2, "both go on");
}

/// The other direction, registrars, and elements without a control channel.
#[test]
fn cookies_come_where_they_belong() {
    let mut element = registered(&[1]);
    event(&mut element, 30, connected(2, None, user(2)));
    let sent = heard(2, &AsapMessage::Cookie { cookie: "c".into() });
    assert_eq!(event(&mut element, 31, sent), (vec![], vec![]));
    assert_eq!(event(&mut element, 32, echo(HOME, "c")), (vec![], vec![]));
    assert_eq!((element.counters().unexpected, element.sessions()), (2, 0));
    let mut element = Element::new(ElementConfig { control: false, ..config(&[1]) }, Instant::ORIGIN);
    drain(&mut element);
    event(&mut element, 30, connected(2, None, user(2)));
    assert_eq!(event(&mut element, 31, echo(2, "c")), (vec![], vec![]));
    assert_eq!((element.counters().unexpected, element.sessions()), (1, 0));
    event(&mut element, 32, received(2, DATA, "a"));
    assert_eq!(send_cookie(&mut element, 33, 2, "c"), refused(Refusal::NoControlChannel));
}

/// An echo takes the place of a session like any first message.
#[test]
fn a_full_element_refuses_who_brings_a_cookie() {
    let mut element = Element::new(ElementConfig { max_sessions: 1, ..config(&[1]) }, Instant::ORIGIN);
    drain(&mut element);
    event(&mut element, 1, connected(1, None, user(1)));
    event(&mut element, 2, connected(2, None, registrar(9)));
    assert_eq!(event(&mut element, 3, echo(2, "c")), (vec![busy(2)], vec![]));
    assert_eq!(event(&mut element, 4, echo(1, "c")), (vec![], vec![opened(1), brought(1, "c")]));
}

/// However fast the application writes cookies, a user that stands still has one of them to take.
#[test]
fn a_user_that_stands_still_gets_the_newest() {
    let mut element = with_sessions(&[2]);
    let (congested, drained) = (
        Event::Congested { association: AssociationId::sctp(2) },
        Event::Drained { association: AssociationId::sctp(2) },
    );
    event(&mut element, 40, congested.clone());
    for number in 0..1_000 {
        assert_eq!(send_cookie(&mut element, 41, 2, format!("{number}")), done(vec![]));
    }
    assert_eq!(answer(&mut element, 42, 2), refused(Refusal::Congested));
    let writable = Output::Notice(Notice::Writable { session: AssociationId::sctp(2) });
    assert_eq!(event(&mut element, 43, drained.clone()), (vec![cookie(2, "999")], vec![writable]));
    assert_eq!(event(&mut element, 44, drained), (vec![], vec![]), "once");
    assert_eq!((element.counters().cookies_sent, element.counters().cookies_replaced), (1, 999));
    // A session that is closed takes it along; one that breaks does not.
    event(&mut element, 50, congested.clone());
    send_cookie(&mut element, 51, 2, "last");
    let close = Command::Close { session: AssociationId::sctp(2) };
    assert_eq!(command(&mut element, 52, 1, close).0, [cookie(2, "last"), shutdown(2, at(10_052))]);
    let mut element = with_sessions(&[2]);
    event(&mut element, 40, congested);
    send_cookie(&mut element, 41, 2, "gone");
    event(&mut element, 42, disconnected(2, DownReason::Silent));
    assert_eq!(send_cookie(&mut element, 43, 2, "x"), refused(Refusal::UnknownSession));
}

/// A clean stop: who has the state of its session already moves at once; where it is old, the application is asked for
/// the last cookie, and the user moves when it has that.
#[test]
fn a_clean_stop_hands_over_the_last_state() {
    // 2: no cookies; 3: up to date; 4: moved on; 5: a request in work.
    let mut element = with_sessions(&[2, 3, 4, 5]);
    for session in [2, 3, 4] {
        answer(&mut element, 40, session);
    }
    send_cookie(&mut element, 41, 3, "three");
    send_cookie(&mut element, 41, 4, "four");
    send_cookie(&mut element, 41, 5, "five");
    event(&mut element, 42, received(4, DATA, "b"));
    answer(&mut element, 43, 4);
    element.begin_shutdown(at(50), at(5_000));
    drain(&mut element);
    let step = event(&mut element, 60, deregistered(HOME));
    let closing = [HOME, 2, 3].map(|association| shutdown(association, at(5_000)));
    assert_eq!(step, (closing.to_vec(), vec![Output::Notice(Notice::Deregistered), wanted(4)]));
    // What comes meanwhile goes to another element.
    assert_eq!(event(&mut element, 61, received(4, DATA, "c")), (vec![], vec![]));
    let step = send_cookie(&mut element, 62, 4, "four, later");
    assert_eq!(step, done(vec![cookie(4, "four, later"), shutdown(4, at(5_000))]));
    assert_eq!(send_cookie(&mut element, 63, 4, "too late"), refused(Refusal::ShuttingDown));
    let (actions, notices) = answer(&mut element, 70, 5);
    assert_eq!((actions, &notices[..1]), (vec![data(5, DATA, "A")], &[wanted(5)][..]));
    let step = send_cookie(&mut element, 71, 5, "five, later");
    assert_eq!(step, done(vec![cookie(5, "five, later"), shutdown(5, at(5_000))]));
    assert_eq!(element.poll_timeout(), Some(at(5_000)));
}

/// An application that does not answer delays the stop by half a second, and not beyond its deadline.
#[test]
fn a_last_cookie_that_does_not_come_is_not_waited_for() {
    for (deadline, due) in [(5_000, 560), (400, 400)] {
        let mut element = with_sessions(&[2]);
        send_cookie(&mut element, 40, 2, "old");
        answer(&mut element, 41, 2);
        element.begin_shutdown(at(50), at(deadline));
        drain(&mut element);
        let (_, notices) = event(&mut element, 60, deregistered(HOME));
        assert_eq!(notices.last(), Some(&wanted(2)));
        let (actions, _) = expire(&mut element, due);
        assert_eq!(actions.first(), Some(&shutdown(2, at(deadline))));
    }
}

/// A seal for tests: the name of the pool in front.
struct Named;

impl Seal for Named {
    fn seal(&self, pool: &PoolHandle, element: ElementId, cookie: &Bytes) -> Bytes {
        assert_eq!(element, ID);
        [&pool.as_bytes()[..], &cookie[..]].concat().into()
    }

    fn open(&self, pool: &PoolHandle, sealed: &Bytes) -> Result<Bytes, CookieError> {
        let content = sealed.strip_prefix(&pool.as_bytes()[..]).ok_or(CookieError::Forged)?;
        Ok(sealed.slice_ref(content))
    }
}

/// ASAP-3.8-05: cookies are sealed, and verified before the application sees them; one that is not genuine opens a
/// session without state.
#[test]
fn cookies_are_sealed_and_verified() {
    let cookie_seal = Some(CookieSeal::new(Named));
    let mut element = Element::new(ElementConfig { cookie_seal, ..config(&[1]) }, Instant::ORIGIN);
    drain(&mut element);
    event(&mut element, 30, connected(2, None, user(2)));
    assert_eq!(event(&mut element, 31, echo(2, "poolstate")), (vec![], vec![opened(2), brought(2, "state")]));
    assert_eq!(send_cookie(&mut element, 32, 2, "more"), done(vec![cookie(2, "poolmore")]));
    let longest = vec![7; MAX_COOKIE - 3];
    assert_eq!(send_cookie(&mut element, 33, 2, longest), refused(Refusal::CookieLength), "with its seal");
    event(&mut element, 40, connected(3, None, user(3)));
    let (session, error) = (AssociationId::sctp(3), CookieError::Forged);
    let refusal = Output::Notice(Notice::CookieRefused { session, error });
    assert_eq!(event(&mut element, 41, echo(3, "made up")), (vec![], vec![opened(3), refusal]));
    assert_eq!((element.sessions(), element.counters().cookies_refused), (2, 1));
}
