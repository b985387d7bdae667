//! Deregistration and shutdown.

use super::*;

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
    assert_eq!(step, (vec![abort(HOME), connect(3, 7, registrar(2), at(180))], vec![]));
    let step = event(&mut element, 140, connected(2, Some(3), registrar(2)));
    assert_eq!(step, (vec![deregistration(2)], vec![]));
    let failed = Err(DeregistrationError::Unconfirmed(RegistrationError::Unanswered));
    let failed = Output::Answer(CommandId(1), Answer::Deregistered(failed));
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
    let accepted = vec![Output::Answer(CommandId(1), Answer::Done(Ok(())))];
    assert_eq!(command(&mut element, 43, 1, answer.clone()), (vec![data(2, DATA, "B")], accepted));
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

#[test]
fn shutdown_ends_in_time_whoever_is_silent() {
    let mut element = registered(&[1]);
    event(&mut element, 30, connected(2, None, user(1)));
    event(&mut element, 31, received(2, DATA, "a"));
    begin_shutdown(&mut element, 40, 240);
    // Half of the time is for the deregistration: T3 would last until 140.
    let failed = Output::Notice(Notice::RegistrationFailed(RegistrationError::Unanswered));
    let closing = vec![shutdown(HOME, at(240)), shutdown(2, at(240))];
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
