//! Deregistration and shutdown.

use super::*;
use crate::base::ProtocolId;

const STOPPED: Output<Answer, Notice> = Output::Notice(Notice::Stopped);

fn begin_shutdown(element: &mut Element, now: u64, deadline: u64) -> Step {
    element.begin_shutdown(at(now), at(deadline));
    drain(element)
}

/// ASAP-6.2-01, ASAP-3.2-02, ASAP-3.2-03, ASAP-3.2-04, ASAP-3.2-06: a deregistration names pool and element,
/// goes over the association of the registration, starts T3, and the response stops T3.
#[test]
fn deregisters_with_its_home() {
    let mut element = registered(&[1]);
    assert_eq!(command(&mut element, 30, 1, Command::Deregister), (vec![deregistration(HOME)], vec![]));
    assert_eq!(element.poll_timeout(), Some(at(130)), "T3");
    assert_eq!(command(&mut element, 31, 2, Command::Deregister), (vec![], vec![]));
    let done = [1, 2].map(|id| Output::Answer(CommandId(id), Answer::Deregistered(Ok(()))));
    assert_eq!(event(&mut element, 40, deregistered(HOME)), (vec![], done.to_vec()));
    assert_eq!(element.poll_timeout(), None);
    // A keep-alive must not bring it back.
    assert_eq!(event(&mut element, 50, keep_alive(HOME, true, 1)), (vec![], vec![]));
    let again = vec![Output::Answer(CommandId(3), Answer::Deregistered(Ok(())))];
    assert_eq!(command(&mut element, 60, 3, Command::Deregister), (vec![], again));
}

/// ASAP-3.2-05: T3 leads to a hunt and one repetition.
#[test]
fn a_silent_registrar_is_replaced_once() {
    let mut element = registered(&[1, 2]);
    command(&mut element, 30, 1, Command::Deregister);
    let step = expire(&mut element, 130);
    assert_eq!(step, (vec![abort(HOME), connect(3, 7, registrar(2), at(180))], vec![lost(1)]));
    let step = event(&mut element, 140, connected(2, Some(3), registrar(2)));
    assert_eq!(step, (vec![deregistration(2)], vec![]));
    let failed = Answer::Deregistered(Err(DeregistrationError::Unanswered));
    let failed = Output::Answer(CommandId(1), failed);
    assert_eq!(expire(&mut element, 240), (vec![abort(2)], vec![failed]));
    assert_eq!(element.poll_timeout(), None);
}

#[test]
fn an_element_that_was_never_registered_just_leaves() {
    let mut element = Element::new(config(&[1]), Instant::ORIGIN);
    drain(&mut element);
    let done = vec![Output::Answer(CommandId(1), Answer::Deregistered(Ok(())))];
    assert_eq!(command(&mut element, 10, 1, Command::Deregister), (vec![cancel(1)], done));
    assert_eq!(begin_shutdown(&mut element, 20, 2_000), (vec![], vec![STOPPED]));
    assert!(element.is_stopped());
}

/// ASAP-3.2-07: late requests are served.
#[test]
fn shutdown_leaves_the_pool_before_it_closes_sessions() {
    let mut element = registered(&[1]);
    event(&mut element, 30, connected(2, None, user(1)));
    event(&mut element, 31, received(2, DATA, "a"));
    assert_eq!(begin_shutdown(&mut element, 40, 2_000), (vec![deregistration(HOME)], vec![]));
    assert_eq!(event(&mut element, 41, connected(3, None, user(2))), (vec![busy(3)], vec![]));
    // What arrives meanwhile is still served.
    let request =
        Notice::Received { session: AssociationId::sctp(2), protocol: DATA, stream: 0, bytes: "b".into() };
    assert_eq!(event(&mut element, 42, received(2, DATA, "b")), (vec![], vec![Output::Notice(request)]));
    let answer = Command::Send(Message::new(AssociationId::sctp(2), DATA, "B"));
    let accepted = || vec![Output::Answer(CommandId(1), Answer::Done(Ok(())))];
    for now in [43, 44] {
        let step = command(&mut element, now, 1, answer.clone());
        assert_eq!(step, (vec![data(2, DATA, "B")], accepted()));
    }
    let step = event(&mut element, 50, deregistered(HOME));
    let closing = vec![shutdown(HOME, at(2_000)), shutdown(2, at(2_000))];
    assert_eq!(step, (closing, vec![Output::Notice(Notice::Deregistered)]));
    let refused = vec![Output::Answer(CommandId(2), Answer::Done(Err(Refusal::ShuttingDown)))];
    assert_eq!(command(&mut element, 51, 2, answer), (vec![], refused));
    assert_eq!(event(&mut element, 60, disconnected(HOME, DownReason::Local)), (vec![], vec![]));
    let closed = Notice::SessionClosed { session: AssociationId::sctp(2), reason: DownReason::Local };
    let step = event(&mut element, 61, disconnected(2, DownReason::Local));
    assert_eq!(step, (vec![], vec![Output::Notice(closed), STOPPED]));
    assert_eq!((element.is_stopped(), element.poll_timeout()), (true, None));
}

/// A user whose requests are answered is told to move at once; one with a request in work when that is
/// answered. Neither waits for a time-out, and nothing is done twice.
#[test]
fn shutdown_waits_for_open_requests() {
    let mut element = registered(&[1]);
    for session in [2, 3, 4] {
        event(&mut element, 30, connected(session, None, user(session as u16)));
        event(&mut element, 31, received(session, DATA, "a"));
    }
    event(&mut element, 32, received(3, DATA, "b"));
    let answer = |element: &mut Element, now, session| {
        let answer = Message::new(AssociationId::sctp(session), DATA, "A");
        command(element, now, 9, Command::Send(answer)).0
    };
    answer(&mut element, 33, 2);
    answer(&mut element, 34, 3);
    let status = |element: &mut Element, now| command(element, now, 8, Command::Status).1;
    let status_of = |home, registered, sessions, open_requests| {
        let status = Status { home, registered, sessions, open_requests };
        vec![Output::Answer(CommandId(8), Answer::Status(status))]
    };
    assert_eq!(status(&mut element, 35), status_of(None, true, 3, 2));
    event(&mut element, 36, keep_alive(HOME, false, 1));
    assert_eq!(status(&mut element, 36), status_of(Some(RegistrarId(1)), true, 3, 2));
    begin_shutdown(&mut element, 40, 2_000);
    let (actions, _) = event(&mut element, 50, deregistered(HOME));
    assert_eq!(actions, [shutdown(HOME, at(2_000)), shutdown(2, at(2_000))]);
    // What comes now goes to another element when the session has ended.
    assert_eq!(event(&mut element, 60, received(2, DATA, "c")), (vec![], vec![]));
    assert_eq!(event(&mut element, 61, received(3, DATA, "c")), (vec![], vec![]));
    assert_eq!(element.counters().messages_dropped, 2);
    assert_eq!(answer(&mut element, 70, 3), [data(3, DATA, "A"), shutdown(3, at(2_000))]);
    assert_eq!(answer(&mut element, 71, 3), []);
    // A user that leaves takes its requests with it.
    event(&mut element, 80, disconnected(4, DownReason::Silent));
    for association in [HOME, 2, 3] {
        assert!(!element.is_stopped());
        event(&mut element, 90, disconnected(association, DownReason::Local));
    }
    assert!(element.is_stopped());
    assert_eq!(status(&mut element, 91), status_of(None, false, 0, 0));
}

/// A message in pieces is one request, and one answer: the session closes behind the last piece.
#[test]
fn shutdown_waits_for_the_last_piece() {
    let mut element = registered(&[1]);
    event(&mut element, 30, connected(2, None, user(1)));
    for (protocol, open) in [(ProtocolId::PIECE, 0), (ProtocolId::PIECE, 0), (ProtocolId::LAST_PIECE, 1)] {
        event(&mut element, 31, received(2, protocol, "a"));
        assert_eq!(element.open_requests(), open);
    }
    begin_shutdown(&mut element, 40, 2_000);
    event(&mut element, 50, deregistered(HOME));
    let answer = |element: &mut Element, protocol| {
        let answer = Message::new(AssociationId::sctp(2), protocol, "A");
        command(element, 60, 9, Command::Send(answer)).0
    };
    assert_eq!(answer(&mut element, ProtocolId::PIECE), [data(2, ProtocolId::PIECE, "A")]);
    let last = [data(2, ProtocolId::LAST_PIECE, "A"), shutdown(2, at(2_000))];
    assert_eq!(answer(&mut element, ProtocolId::LAST_PIECE), last);
}

#[test]
fn shutdown_ends_in_time_whoever_is_silent() {
    let mut element = registered(&[1]);
    event(&mut element, 30, connected(2, None, user(1)));
    event(&mut element, 31, received(2, DATA, "a"));
    begin_shutdown(&mut element, 40, 240);
    // Half of the time is for the deregistration: T3 would last until 140.
    let failed = Output::Notice(Notice::DeregistrationFailed(DeregistrationError::Unanswered));
    // The request of the user is not answered either.
    let closing = vec![shutdown(HOME, at(240))];
    assert_eq!(expire(&mut element, 140), (closing, vec![failed]));
    let closed =
        Output::Notice(Notice::SessionClosed { session: AssociationId::sctp(2), reason: DownReason::Local });
    assert_eq!(expire(&mut element, 240), (vec![abort(HOME), abort(2)], vec![closed, STOPPED]));
    let refused = Answer::Deregistered(Err(DeregistrationError::Refused(Refusal::ShuttingDown)));
    let refused = vec![Output::Answer(CommandId(1), refused)];
    assert_eq!(command(&mut element, 300, 1, Command::Deregister), (vec![], refused));
}

/// The command that waits is answered although the shutdown cuts it short.
#[test]
fn shutdown_joins_a_deregistration_that_is_under_way() {
    let mut element = registered(&[1]);
    command(&mut element, 30, 1, Command::Deregister);
    assert_eq!(begin_shutdown(&mut element, 31, 2_000), (vec![], vec![]));
    let step = event(&mut element, 40, deregistered(HOME));
    assert_eq!(
        step,
        (vec![shutdown(HOME, at(2_000))], vec![Output::Answer(CommandId(1), Answer::Deregistered(Ok(())))])
    );
}
