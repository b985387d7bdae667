//! Sessions with users.

use super::*;
use crate::base::ProtocolId;

fn send(element: &mut Element, session: u64, protocol: ProtocolId) -> Step {
    let session = AssociationId::sctp(session);
    let command = Command::Send(Message::new(session, protocol, "x").stream(3));
    super::command(element, 100, 1, command)
}

fn refused(refusal: Refusal) -> Step {
    (vec![], vec![Output::Answer(CommandId(1), Answer::Done(Err(refusal)))])
}

fn accepted(actions: Vec<Action>) -> Step {
    (actions, vec![Output::Answer(CommandId(1), Answer::Done(Ok(())))])
}

/// ASAP-5-03: data never carries the identifier of ASAP.
#[test]
fn passes_messages_through() {
    let mut element = registered(&[1]);
    assert_eq!(event(&mut element, 30, connected(2, None, user(1))), (vec![], vec![]));
    assert_eq!(send(&mut element, 2, DATA), refused(Refusal::UnknownSession), "no session yet");
    let session = AssociationId::sctp(2);
    let opened = Output::Notice(Notice::SessionOpened { session, peer: user(1) });
    let got = |bytes: &'static str| {
        Output::Notice(Notice::Received { session, protocol: DATA, stream: 0, bytes: bytes.into() })
    };
    assert_eq!(event(&mut element, 31, received(2, DATA, "a")), (vec![], vec![opened, got("a")]));
    assert_eq!(event(&mut element, 32, received(2, DATA, "b")), (vec![], vec![got("b")]));
    assert_eq!(element.sessions(), 1);
    let sent = Action::Send { association: session, protocol: DATA, stream: 3, bytes: "x".into() };
    assert_eq!(send(&mut element, 2, DATA), accepted(vec![sent]));
    assert_eq!(send(&mut element, 2, ProtocolId::ASAP), refused(Refusal::ReservedProtocol));
    assert_eq!(send(&mut element, 2, ProtocolId::ENRP), refused(Refusal::ReservedProtocol));
    assert_eq!(send(&mut element, HOME, DATA), refused(Refusal::UnknownSession));
    let closed = Output::Notice(Notice::SessionClosed {
        session,
        reason: DownReason::Aborted(AbortReason::default()),
    });
    assert_eq!(
        event(&mut element, 40, disconnected(2, DownReason::Aborted(AbortReason::default()))),
        (vec![], vec![closed])
    );
    assert_eq!(send(&mut element, 2, DATA), refused(Refusal::UnknownSession));
    assert_eq!(element.sessions(), 0);
}

#[test]
fn a_full_queue_is_told_and_so_is_its_end() {
    let mut element = registered(&[1]);
    event(&mut element, 30, connected(2, None, user(1)));
    event(&mut element, 31, received(2, DATA, "a"));
    let (congested, drained) = (
        Event::Congested { association: AssociationId::sctp(2) },
        Event::Drained { association: AssociationId::sctp(2) },
    );
    event(&mut element, 32, congested.clone());
    assert_eq!(event(&mut element, 33, drained.clone()), (vec![], vec![]), "nobody was refused");
    event(&mut element, 34, congested);
    assert_eq!(send(&mut element, 2, DATA), refused(Refusal::Congested));
    let writable = Output::Notice(Notice::Writable { session: AssociationId::sctp(2) });
    assert_eq!(event(&mut element, 35, drained), (vec![], vec![writable]));
}

#[test]
fn closes_a_session() {
    let mut element = registered(&[1]);
    event(&mut element, 30, connected(2, None, user(1)));
    event(&mut element, 31, received(2, DATA, "a"));
    let close = Command::Close { session: AssociationId::sctp(2) };
    let step = command(&mut element, 32, 1, close.clone());
    assert_eq!(step, accepted(vec![shutdown(2, at(10_032))]));
    assert_eq!(command(&mut element, 33, 1, close), refused(Refusal::UnknownSession));
    let closed =
        Output::Notice(Notice::SessionClosed { session: AssociationId::sctp(2), reason: DownReason::Local });
    assert_eq!(event(&mut element, 34, disconnected(2, DownReason::Local)), (vec![], vec![closed]));
}

/// A user that gets no place is told so when it connects, before it has sent anything.
#[test]
fn a_full_element_refuses_a_session_before_it_is_one() {
    let mut element = Element::new(ElementConfig { max_sessions: 2, ..config(&[1]) }, Instant::ORIGIN);
    drain(&mut element);
    for association in [1, 2] {
        let step = event(&mut element, 1, connected(association, None, user(association as u16)));
        assert_eq!(step, (vec![], vec![]));
    }
    assert_eq!(event(&mut element, 1, connected(3, None, user(3))), (vec![busy(3)], vec![]));
    assert_eq!(event(&mut element, 2, received(3, DATA, "late")), (vec![], vec![]));
    // Both that were let in are served.
    for association in [1, 2] {
        let step = event(&mut element, 3, received(association, DATA, "a"));
        assert_eq!((step.0, step.1.len()), (vec![], 2));
    }
    assert_eq!(event(&mut element, 4, connected(4, None, user(4))), (vec![busy(4)], vec![]));
    // The end of a session makes room, and so does a newcomer that leaves or turns out to be a registrar.
    event(&mut element, 5, disconnected(1, DownReason::PeerShutdown));
    for association in 5..=6 {
        assert_eq!(event(&mut element, 6, connected(association, None, user(5))), (vec![], vec![]));
        event(&mut element, 7, disconnected(association, DownReason::PeerShutdown));
    }
    event(&mut element, 8, connected(7, None, user(7)));
    event(&mut element, 8, keep_alive(7, false, 7));
    assert_eq!(event(&mut element, 9, connected(8, None, user(8))), (vec![], vec![]));
    assert_eq!((element.sessions(), element.counters().associations_refused), (1, 2));
}

/// A full element is not taken for dead: registrars, known ones and those at the port of ASAP, reach it.
#[test]
fn a_full_element_lets_registrars_in_and_bounds_them() {
    let mut element = Element::new(ElementConfig { max_sessions: 1, ..config(&[1]) }, Instant::ORIGIN);
    drain(&mut element);
    event(&mut element, 1, connected(1, None, user(1)));
    event(&mut element, 2, received(1, DATA, "a"));
    for association in 2..=65 {
        let step = event(&mut element, 3, connected(association, None, registrar(9)));
        assert_eq!(step, (vec![], vec![]));
    }
    assert_eq!(event(&mut element, 4, connected(66, None, registrar(9))), (vec![busy(66)], vec![]));
    assert_eq!(event(&mut element, 5, keep_alive(2, false, 9)), (vec![ack(2)], vec![]));
    // A user at that port gets no further.
    assert_eq!(event(&mut element, 6, received(3, DATA, "a")), (vec![busy(3)], vec![]));
    assert_eq!((element.sessions(), element.counters().associations_refused), (1, 2));
}

/// The home registrar is not an exception: it is replaced.
#[test]
fn a_home_that_is_one_session_too_many_is_lost() {
    let mut element = Element::new(ElementConfig { max_sessions: 1, ..config(&[1]) }, Instant::ORIGIN);
    drain(&mut element);
    event(&mut element, 1, connected(2, None, user(1)));
    event(&mut element, 2, received(2, DATA, "a"));
    event(&mut element, 3, connected(3, None, registrar(3)));
    event(&mut element, 4, keep_alive(3, true, 3));
    let step = event(&mut element, 55, received(3, DATA, "a"));
    assert_eq!(step, (vec![busy(3), connect(2, 7, registrar(1), at(105))], vec![lost(3)]));
}

#[test]
fn a_silent_home_that_is_also_a_session_ends_as_one() {
    let mut element = Element::new(config(&[1]), Instant::ORIGIN);
    drain(&mut element);
    event(&mut element, 3, connected(3, None, registrar(3)));
    event(&mut element, 4, received(3, DATA, "a"));
    event(&mut element, 5, keep_alive(3, true, 3));
    let closed =
        Output::Notice(Notice::SessionClosed { session: AssociationId::sctp(3), reason: DownReason::Local });
    let step = expire(&mut element, 105);
    assert_eq!(step, (vec![abort(3), connect(2, 7, registrar(1), at(155))], vec![closed, lost(3)]));
}

/// A message that no transport takes is refused here, and does not end an association.
#[test]
fn messages_have_a_length() {
    let mut element = registered(&[1]);
    event(&mut element, 30, connected(2, None, user(1)));
    event(&mut element, 31, received(2, DATA, "a"));
    for (octets, taken) in [(0, false), (1, true), (MAX_MESSAGE, true), (MAX_MESSAGE + 1, false)] {
        let bytes = bytes::Bytes::from(vec![7; octets]);
        let send = Command::Send(Message::new(AssociationId::sctp(2), DATA, bytes));
        let (actions, notices) = command(&mut element, 32, 9, send);
        let answer = if taken { Answer::Done(Ok(())) } else { Answer::Done(Err(Refusal::Length)) };
        assert_eq!(
            (actions.len(), notices),
            (usize::from(taken), vec![Output::Answer(CommandId(9), answer)])
        );
    }
}
