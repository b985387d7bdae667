//! Calls: requests whose answers name them.

use bytes::Bytes;

use super::*;
use crate::endpoint::testing::received;
use crate::endpoint::{CallFrame, CallId, CallKind, MAX_CALL};
use crate::user::{Call, CallDelivery, CallError};

fn call(user: &mut User, now: u64, request: u64, bytes: &'static str) -> Step {
    let call = Call::new(SessionId(1), RequestId(request), DATA, bytes);
    command(user, now, 100 + request, Command::Call(call))
}

/// The request of a call that has been sent: over which association, and as what.
fn sent(step: &Step) -> (u64, CallFrame) {
    let [Action::Send { association, protocol: ProtocolId::CALL, stream: 0, bytes }] = &step.0[..] else {
        panic!("{step:?}")
    };
    (association.number(), CallFrame::decode(bytes).unwrap())
}

fn answer_to(association: u64, request: &CallFrame, bytes: &'static str) -> Event {
    let frame = CallFrame { kind: CallKind::Answer, bytes: bytes.into(), ..request.clone() };
    received(association, ProtocolId::CALL, frame.encode())
}

fn called(request: u64, result: Result<&'static str, CallError>) -> Step {
    let answer = Answer::Called(result.map(Bytes::from));
    (vec![], vec![Output::Answer(CommandId(100 + request), answer)])
}

/// Many calls under way, answered in any order: each gets its own answer, once.
#[test]
fn answers_find_their_requests() {
    let mut user = serving(&[1, 2]);
    let requests = [1, 2, 3].map(|n| {
        let step = call(&mut user, 10, n, "question");
        assert_eq!(step.1, []);
        let (association, frame) = sent(&step);
        assert_eq!((association, frame.kind, frame.protocol), (2, CallKind::Request, DATA));
        assert_eq!((frame.call.number, &frame.bytes[..]), (n, &b"question"[..]));
        frame
    });
    assert_eq!(requests[0].call.caller, requests[2].call.caller);
    for (n, text) in [(3, "three"), (1, "one"), (2, "two")] {
        let answer = answer_to(2, &requests[n as usize - 1], text);
        assert_eq!(event(&mut user, 20, answer.clone()), called(n, Ok(text)));
        assert_eq!(event(&mut user, 21, answer), (vec![], vec![]), "once");
    }
    assert_eq!((user.counters().answers_late, user.poll_timeout()), (3, None));
}

/// A call goes to the next element by itself; the answer of either ends it.
#[test]
fn calls_move_with_their_session() {
    let mut user = serving(&[1, 2]);
    let (_, first) = sent(&call(&mut user, 10, 1, "a"));
    event(&mut user, 20, disconnected(2, DownReason::Silent));
    assert_eq!(call(&mut user, 21, 2, "b"), (vec![], vec![]), "it waits for the next element");
    let (actions, notices) = event(&mut user, 22, connected(3, Some(3), place(2)));
    assert_eq!(notices, [failed_over(1, 2, &[1])]);
    let [a, b] = [&actions[..1], &actions[1..]].map(|action| sent(&(action.to_vec(), vec![])));
    assert_eq!((a.0, &a.1, b.1.call.number), (3, &first, 2));
    assert_eq!(event(&mut user, 23, answer_to(3, &b.1, "B")), called(2, Ok("B")));
    assert_eq!(event(&mut user, 24, answer_to(3, &a.1, "A")), called(1, Ok("A")));
}

/// A call that is to be carried out at most once says so, and whether it was sent before. An element that does not know it
/// ends it: whether it was carried out is not known.
#[test]
fn a_call_that_is_sent_again_says_so() {
    let mut user = serving(&[1, 2]);
    for n in 1..=2 {
        let once = Call::new(SessionId(1), RequestId(n), DATA, "a").delivery(CallDelivery::Once);
        let (_, frame) = sent(&command(&mut user, 10, 100 + n, Command::Call(once)));
        assert_eq!(frame.kind, CallKind::OnceRequest);
    }
    let (_, plain) = sent(&call(&mut user, 10, 3, "b"));
    event(&mut user, 20, disconnected(2, DownReason::Silent));
    let late = Call::new(SessionId(1), RequestId(4), DATA, "c").delivery(CallDelivery::Once);
    assert_eq!(command(&mut user, 21, 104, Command::Call(late)), (vec![], vec![]), "it waits");
    let (actions, _) = event(&mut user, 22, connected(3, Some(3), place(2)));
    let frames = actions.into_iter().map(|action| sent(&(vec![action], vec![])).1).collect::<Vec<_>>();
    let kinds = frames.iter().map(|frame| frame.kind).collect::<Vec<_>>();
    let (again, first) = (CallKind::OnceRepeated, CallKind::OnceRequest);
    assert_eq!(kinds, [again, again, CallKind::Request, first]);
    assert_eq!(frames[2], plain);
    assert_eq!(event(&mut user, 23, answer_to(3, &frames[0], "A")), called(1, Ok("A")));
    let unknown = CallFrame { kind: CallKind::Unknown, bytes: Bytes::new(), ..frames[1].clone() };
    let unknown = received(3, ProtocolId::CALL, unknown.encode());
    let failed = called(2, Err(CallError::Unanswered(UnansweredReason::ElementFailed)));
    assert_eq!(event(&mut user, 24, unknown.clone()), failed);
    assert_eq!(event(&mut user, 25, unknown), (vec![], vec![]), "once");
    assert_eq!(user.counters().answers_late, 1);
    // It goes on to the third element as one that was sent again.
    event(&mut user, 30, disconnected(3, DownReason::Silent));
    assert_eq!(user.sessions.unanswered(), 2);
}

/// Every call ends, with the reason.
#[test]
fn a_call_without_an_answer_says_why() {
    let mut user = serving(&[1, 2]);
    // At its own deadline.
    let limits = RequestLimits::default().deadline(ms(30));
    let limited = Call::new(SessionId(1), RequestId(1), DATA, "a").limits(limits);
    let (_, frame) = sent(&command(&mut user, 10, 101, Command::Call(limited)));
    assert_eq!(expire(&mut user, 40), called(1, Err(CallError::Unanswered(UnansweredReason::Deadline))));
    assert_eq!(event(&mut user, 41, answer_to(2, &frame, "late")), (vec![], vec![]));
    // Given up.
    call(&mut user, 50, 2, "b");
    let (actions, outputs) = answered(&mut user, 51, 2);
    assert_eq!((actions, &outputs[..1]), (vec![], &called(2, Err(CallError::GivenUp)).1[..]));
    // At most once: its element has failed.
    let once = Call::new(SessionId(1), RequestId(3), DATA, "c").delivery(CallDelivery::Report);
    command(&mut user, 60, 103, Command::Call(once));
    let (_, outputs) = event(&mut user, 61, disconnected(2, DownReason::PeerShutdown));
    let failed = FailureReason::Disconnected(DownReason::PeerShutdown);
    let ended = called(3, Err(CallError::Unanswered(UnansweredReason::ElementFailed))).1;
    assert_eq!(outputs, [vec![element_failed(1, failed)], ended].concat());
    // With its session, served or not.
    call(&mut user, 62, 4, "d");
    let close = Command::Close { session: SessionId(1) };
    let (_, outputs) = command(&mut user, 63, 9, close);
    let done = Output::Answer(CommandId(9), Answer::Done(Ok(())));
    assert_eq!(
        outputs,
        [vec![done.clone()], called(4, Err(CallError::Closed)).1, vec![closed(None)]].concat()
    );
    let mut user = serving(&[1]);
    call(&mut user, 10, 1, "a");
    let close = Command::Close { session: SessionId(1) };
    let (_, outputs) = command(&mut user, 11, 9, close);
    assert_eq!(outputs, [vec![done], called(1, Err(CallError::Closed)).1].concat());
}

/// What cannot be sent is refused at once.
#[test]
fn calls_are_refused_like_messages() {
    let refused = |refusal| called(1, Err(CallError::Refused(refusal)));
    let mut user = serving(&[1]);
    let long = Call::new(SessionId(1), RequestId(1), DATA, vec![0; MAX_CALL + 1]);
    assert_eq!(command(&mut user, 10, 101, Command::Call(long)), refused(Refusal::Length));
    let other = Call::new(SessionId(7), RequestId(1), DATA, "x");
    assert_eq!(command(&mut user, 10, 101, Command::Call(other)), refused(Refusal::UnknownSession));
    event(&mut user, 11, Event::Congested { association: AssociationId::sctp(2) });
    assert_eq!(call(&mut user, 12, 1, "x"), refused(Refusal::Congested));
    let (_, outputs) = event(&mut user, 13, Event::Drained { association: AssociationId::sctp(2) });
    assert_eq!(outputs, [Output::Notice(Notice::Writable { session: SessionId(1) })]);
    sent(&call(&mut user, 14, 1, ""));
    assert_eq!(call(&mut user, 15, 1, "again"), refused(Refusal::DuplicateRequest));
}

/// An answer to nobody, to somebody else, a request, or garbage: counted.
#[test]
fn strange_answers_do_no_harm() {
    let mut user = serving(&[1]);
    let (_, frame) = sent(&call(&mut user, 10, 1, "x"));
    let forged = |call| CallFrame { kind: CallKind::Answer, call, ..frame.clone() };
    let CallId { caller, number } = frame.call;
    let strange = [
        forged(CallId { caller: !caller, number }).encode(),
        forged(CallId { caller, number: 2 }).encode(),
        frame.encode(),
        Bytes::from_static(b"?"),
    ];
    send(&mut user, 11, retry(2), "an ordinary request");
    for bytes in strange {
        assert_eq!(event(&mut user, 12, received(2, ProtocolId::CALL, bytes)), (vec![], vec![]));
    }
    assert_eq!((user.counters().answers_late, user.counters().malformed), (3, 1));
    assert_eq!(event(&mut user, 13, answer_to(2, &frame, "y")), called(1, Ok("y")));
}
