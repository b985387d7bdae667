//! Calls: requests whose answers name them.

use bytes::Bytes;

use super::*;
use crate::endpoint::pieces::{Arrived, Assembly, MAX_LONG_MESSAGE, cut};
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
    let long = Call::new(SessionId(1), RequestId(1), DATA, vec![0; MAX_LONG_MESSAGE + 1]);
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

/// The association and the piece that are sent.
fn piece(step: &Step) -> (u64, ProtocolId, Bytes) {
    let [Action::Send { association, protocol, stream: 0, bytes }] = &step.0[..] else { panic!("{step:?}") };
    assert!(matches!(*protocol, ProtocolId::PIECE | ProtocolId::LAST_PIECE));
    (association.number(), *protocol, bytes.clone())
}

/// Everything that is left of a long request, as the element puts it together.
fn rest(user: &mut User, assembly: &mut Assembly) -> CallFrame {
    loop {
        let now = user.poll_timeout().unwrap();
        user.handle_timeout(now);
        let (_, protocol, bytes) = piece(&drain(user));
        match assembly.add(protocol, bytes) {
            Arrived::Piece => {}
            Arrived::Whole(ProtocolId::CALL, bytes) => return CallFrame::decode(&bytes).unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

/// The shortest request that does not fit into one message, to be carried out at most once.
fn long_call(request: u64) -> Command {
    let bytes = (0..=MAX_CALL).map(|n| (n / 1_000) as u8).collect::<Vec<_>>();
    let call = Call::new(SessionId(1), RequestId(request), DATA, bytes);
    Command::Call(call.delivery(CallDelivery::Once))
}

/// A long request goes piece by piece, each after the one before was carried out; it waits while the queue is full, and
/// others have their turn in between. Who has not got the last piece has not got it.
#[test]
fn a_long_call_travels_in_pieces() {
    let mut user = serving(&[1, 2]);
    let mut assembly = Assembly::default();
    let (_, protocol, bytes) = piece(&command(&mut user, 10, 101, long_call(1)));
    assert_eq!(assembly.add(protocol, bytes), Arrived::Piece);
    let soon = at(10) + core::time::Duration::from_nanos(1);
    assert_eq!(user.poll_timeout(), Some(soon));
    sent(&call(&mut user, 10, 2, "meanwhile"));
    let congested = Event::Congested { association: AssociationId::sctp(2) };
    assert_eq!(event(&mut user, 10, congested), (vec![], vec![]));
    user.handle_timeout(soon);
    assert_eq!(drain(&mut user), (vec![], vec![]), "the queue is full");
    // It dies before it has the last piece.
    event(&mut user, 20, disconnected(2, DownReason::Silent));
    let (actions, notices) = event(&mut user, 21, connected(3, Some(3), place(2)));
    assert_eq!(notices, [failed_over(1, 2, &[2])], "the long one was not sent");
    let mut assembly = Assembly::default();
    let [short, first] = &actions[..] else { panic!("{actions:?}") };
    let (_, protocol, bytes) = piece(&(vec![first.clone()], vec![]));
    assert_eq!(assembly.add(protocol, bytes), Arrived::Piece);
    let frame = rest(&mut user, &mut assembly);
    assert_eq!((frame.kind, frame.bytes.len()), (CallKind::OnceRequest, MAX_CALL + 1));
    // The third one gets it as one that was sent before.
    let short = sent(&(vec![short.clone()], vec![])).1;
    assert_eq!(event(&mut user, 25, answer_to(3, &short, "well")), called(2, Ok("well")));
    event(&mut user, 30, disconnected(3, DownReason::Silent));
    let (actions, notices) = event(&mut user, 31, connected(4, Some(4), place(1)));
    assert_eq!(notices, [failed_over(2, 1, &[1])]);
    let mut assembly = Assembly::default();
    let (_, protocol, bytes) = piece(&(actions, vec![]));
    assembly.add(protocol, bytes);
    let again = rest(&mut user, &mut assembly);
    assert_eq!(again, CallFrame { kind: CallKind::OnceRepeated, ..frame });
    assert_eq!(event(&mut user, 40, answer_to(4, &again, "short")), called(1, Ok("short")));
}

/// Long answers are put together if a call waits for them, and no others.
#[test]
fn a_long_answer_arrives_in_pieces() {
    let mut user = serving(&[1]);
    let (_, frame) = sent(&call(&mut user, 10, 1, "x"));
    let answer = |call| {
        let bytes = vec![7; MAX_LONG_MESSAGE].into();
        CallFrame { kind: CallKind::Answer, call, bytes, ..frame.clone() }.encode()
    };
    let pieces = |call| cut(ProtocolId::CALL, 1, &answer(call)).collect::<Vec<_>>();
    let CallId { caller, number } = frame.call;
    for strange in [CallId { caller: !caller, number }, CallId { caller, number: 2 }] {
        for (protocol, piece) in pieces(strange).into_iter().take(3) {
            assert_eq!(event(&mut user, 11, received(2, protocol, piece)), (vec![], vec![]));
        }
    }
    assert_eq!(user.counters().answers_late, 2);
    let pieces = pieces(frame.call);
    let (last, before) = pieces.split_last().unwrap();
    for (protocol, piece) in before {
        assert_eq!(event(&mut user, 12, received(2, *protocol, piece.clone())), (vec![], vec![]));
    }
    let (_, outputs) = event(&mut user, 13, received(2, last.0, last.1.clone()));
    let whole = Answer::Called(Ok(vec![7; MAX_LONG_MESSAGE].into()));
    assert!(outputs == [Output::Answer(CommandId(101), whole)]);
    // Pieces of other messages are for the application.
    let other = cut(DATA, 1, &Bytes::from_static(b"other")).next().unwrap();
    let (_, outputs) = event(&mut user, 14, received(2, other.0, other.1));
    assert!(matches!(outputs[..], [Output::Notice(Notice::Received { .. })]));
}

/// Long calls have room for themselves, as much as one of them may need, and take none from others.
#[test]
fn long_calls_are_bounded_apart() {
    let mut user = serving(&[1]);
    let limit = user.context.config.max_unanswered_octets;
    command(&mut user, 10, 101, long_call(1));
    for request in 2..=3 {
        send(&mut user, 11, retry(request), "beside it");
    }
    let longest = Call::new(SessionId(1), RequestId(4), DATA, vec![0; MAX_LONG_MESSAGE]);
    let no_room = Answer::Called(Err(CallError::Refused(Refusal::Congested)));
    let (_, outputs) = command(&mut user, 12, 104, Command::Call(longest.clone()));
    assert_eq!(outputs[0], Output::Answer(CommandId(104), no_room));
    answered(&mut user, 13, 1);
    let (_, outputs) = command(&mut user, 14, 104, Command::Call(longest));
    assert_eq!(outputs, []);
    let message = Message::new(SessionId(1), DATA, vec![0; limit]).delivery(retry(5));
    let (_, outputs) = command(&mut user, 15, 9, Command::Send(message));
    assert_eq!(outputs, refused(Refusal::Congested).1);
}
