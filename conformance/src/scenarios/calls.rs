//! Calls: requests that end with their answer.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::{self, zip};
use rserpool_core::base::ProtocolId;
use rserpool_core::endpoint::{CallFrame, CallId, CallKind};
use rserpool_driver::vocabulary::{CallDelivery, CallError, Delivery, ElementEvent, UnansweredReason};
use rserpool_driver::{CallOptions, Incoming, PoolElement, Session};

use super::mortal::Mortal;
use super::scope::{ECHO, Make, TheElement, await_elements, element, one_of_each, pause, registered};

/// So many calls are under way at the same time.
const CALLS: usize = 64;

/// Waits for all of them.
pub(super) async fn all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<Pin<Box<_>>> = futures.map(Box::pin).collect();
    let mut results: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, result) in futures.iter_mut().zip(&mut results) {
            if result.is_none()
                && let Poll::Ready(value) = future.as_mut().poll(context)
            {
                *result = Some(value);
            }
        }
        if results.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    results.into_iter().flatten().collect()
}

async fn next_call<E: Make>(element: &PoolElement<Mortal<E>>) -> Incoming {
    loop {
        if let Ok(call) = Incoming::from_event(element.next_event().await.unwrap()) {
            return call;
        }
    }
}

fn ask<E: Make>(session: &Session<Mortal<E>>) -> impl Future<Output = Vec<Result<Bytes, CallError>>> {
    all((0..CALLS).map(|n| session.call(ECHO, n.to_string())))
}

fn answer_to(n: usize) -> Result<Bytes, CallError> {
    Ok(format!("answer to {n}").into())
}

/// Serves calls by one function.
fn serve<E: Make>(element: &TheElement<E>) {
    let server = PoolElement::clone(element);
    E::default().spawn(Box::pin(async move {
        let answer = |call: Incoming| async move {
            Bytes::from(format!("answer to {}", String::from_utf8_lossy(&call.bytes)))
        };
        server.serve(answer).await;
    }));
}

/// Many calls are under way at the same time, answered in another order than they came: each gets its own answer.
pub async fn calls_are_answered_in_any_order<G: Make, E: Make>() {
    let (_registrar, element, _user, session) = one_of_each::<G, E>().await;
    let answer = async {
        let mut calls = Vec::new();
        while calls.len() < CALLS {
            calls.push(next_call(&element).await);
        }
        for call in calls.into_iter().rev() {
            let number = std::str::from_utf8(&call.bytes).unwrap();
            element.reply(&call, format!("answer to {number}")).await.unwrap();
        }
    };
    let (answers, ()) = zip(ask(&session), answer).await;
    assert_eq!(answers, (0..CALLS).map(answer_to).collect::<Vec<_>>());
}

/// Calls move with their session, and need nobody to look after them; large ones wait for room at both ends.
pub async fn calls_survive_their_server<G: Make, E: Make>() {
    let (registrar, first, _user, session) = one_of_each::<G, E>().await;
    let second = element::<E>(8, &[registrar.local_addr()]).await;
    registered(&second).await;
    await_elements(&registrar, &[7, 8]).await;
    serve(&second);
    let fail = async {
        // The first takes calls and answers none.
        for _ in 0..CALLS / 2 {
            next_call(&first).await;
        }
        first.kill().await;
    };
    let (answers, ()) = zip(ask(&session), fail).await;
    assert_eq!(answers, (0..CALLS).map(answer_to).collect::<Vec<_>>());
    let large = all((0..6).map(|n| session.call(ECHO, vec![b'0' + n; 400_000]))).await;
    for (n, answer) in large.into_iter().enumerate() {
        let answer = answer.unwrap();
        assert_eq!((answer.len(), answer.last()), (400_010, Some(&(b'0' + n as u8))));
    }
}

/// A call that is carried out at most once ends with its element; one whose future is dropped is given up.
pub async fn a_call_ends_with_its_reason<G: Make, E: Make>() {
    let (_registrar, element, _user, session) = one_of_each::<G, E>().await;
    let mut dropped = Box::pin(session.call(ECHO, "dropped"));
    assert!(future::poll_once(&mut dropped).await.is_none());
    let call = next_call(&element).await;
    drop(dropped);
    element.reply(&call, "nobody wants it").await.unwrap();
    let once = CallOptions::default().delivery(CallDelivery::Report);
    let fail = async {
        next_call(&element).await;
        element.kill().await;
    };
    let (answer, ()) = zip(session.call_with(ECHO, "once", once), fail).await;
    assert_eq!(answer, Err(CallError::Unanswered(UnansweredReason::ElementFailed)));
    let ((), answer) = zip(async { session.close().await.unwrap() }, session.call(ECHO, "late")).await;
    assert!(matches!(answer, Err(CallError::Closed | CallError::Refused(_))), "{answer:?}");
}

/// What each call has been carried out how often.
type Executions = Arc<Mutex<BTreeMap<Bytes, u32>>>;

/// Takes calls, carries them out, and answers none.
async fn carry_out<E: Make>(element: &PoolElement<Mortal<E>>, calls: usize, executions: &Executions) {
    for _ in 0..calls {
        let call = next_call(element).await;
        *executions.lock().unwrap().entry(call.bytes).or_default() += 1;
    }
}

/// An element is killed after it has carried calls out, and before it has answered. Those that may be repeated are carried
/// out again by the next one. The others are not, and say so.
pub async fn a_killed_element_and_the_delivery_of_calls<G: Make, E: Make>() {
    let (registrar, first, user, session) = one_of_each::<G, E>().await;
    let second = element::<E>(8, &[registrar.local_addr()]).await;
    registered(&second).await;
    await_elements(&registrar, &[7, 8]).await;
    let executions = Executions::default();
    let by_second = Arc::clone(&executions);
    let server = PoolElement::clone(&second);
    E::default().spawn(Box::pin(async move {
        let answer = |call: Incoming| {
            *by_second.lock().unwrap().entry(call.bytes.clone()).or_default() += 1;
            async move { call.bytes }
        };
        server.serve(answer).await;
    }));
    let kinds =
        [("retry", CallDelivery::Retry), ("report", CallDelivery::Report), ("once", CallDelivery::Once)];
    let calls = all(kinds
        .map(|(name, delivery)| session.call_with(ECHO, name, CallOptions::default().delivery(delivery)))
        .into_iter());
    let fail = async {
        carry_out(&first, 3, &executions).await;
        first.kill().await;
    };
    let (answers, ()) = zip(calls, fail).await;
    let failed = Err(CallError::Unanswered(UnansweredReason::ElementFailed));
    assert_eq!(answers, [Ok("retry".into()), failed.clone(), failed]);
    let counted = |names: &[(&'static str, u32)]| {
        names.iter().map(|(name, times)| (Bytes::from(*name), *times)).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(*executions.lock().unwrap(), counted(&[("once", 1), ("report", 1), ("retry", 2)]));
    assert_eq!(second.call_counters().unknown, 1);
    // The session has moved; the second carries new ones out.
    let again = CallOptions::default().at_most_once();
    assert_eq!(session.call_with(ECHO, "another", again).await, Ok("another".into()));
    drop(user);
}

/// An association breaks while its element lives: a call that is to be carried out at most once comes again, is not begun
/// again, and gets its answer, in work or answered.
pub async fn a_call_that_comes_again_is_carried_out_once<G: Make, E: Make>() {
    let (_registrar, element, _user, session) = one_of_each::<G, E>().await;
    let once = CallOptions::default().at_most_once();
    let move_on = async {
        let call = next_call(&element).await;
        session.fail_over().await.unwrap();
        let opened = |event: &ElementEvent| matches!(event, ElementEvent::SessionOpened { .. });
        while !opened(&element.next_event().await.unwrap()) {}
        // In work: the application hears nothing of it.
        while element.call_counters().in_work_again == 0 {
            let event = future::poll_once(element.next_event()).await;
            assert!(!matches!(event, Some(Some(ElementEvent::Received { .. }))), "{event:?}");
            pause::<E>(Duration::from_millis(5)).await;
        }
        element.reply(&call, "done").await.unwrap();
    };
    let (answer, ()) = zip(session.call_with(ECHO, "in work", once), move_on).await;
    assert_eq!(answer, Ok("done".into()));
    // Answered: what was said before is said again. The call is made by hand, as if its answer had been lost.
    let frame = |kind| {
        let call = CallId { caller: 5, number: 1 };
        CallFrame { kind, call, protocol: ECHO, bytes: "by hand".into() }.encode()
    };
    session.send(ProtocolId::CALL, frame(CallKind::OnceRequest), Delivery::Once).await.unwrap();
    let call = next_call(&element).await;
    element.reply(&call, "said once").await.unwrap();
    session.send(ProtocolId::CALL, frame(CallKind::OnceRepeated), Delivery::Once).await.unwrap();
    session.send(ECHO, "a message", Delivery::Once).await.unwrap();
    let received = loop {
        if let Some(ElementEvent::Received { bytes, .. }) = element.next_event().await {
            break bytes;
        }
    };
    assert_eq!(received, "a message", "the call that has come again is no event");
    let counters = element.call_counters();
    assert_eq!((counters.taken, counters.in_work_again, counters.answers_repeated), (2, 1, 1));
}

/// An element that leaves a cookie with each answer, and an application that takes no events: calls go on all the same.
pub async fn calls_go_on_although_nobody_takes_events<G: Make, E: Make>() {
    let (_registrar, element, _user, session) = one_of_each::<G, E>().await;
    let server = PoolElement::clone(&element);
    E::default().spawn(Box::pin(async move {
        while let Some(event) = server.next_event().await {
            if let Ok(call) = Incoming::from_event(event) {
                let _ = server.send_cookie(call.session, "state").await;
                let _ = server.reply(&call, call.bytes.clone()).await;
            }
        }
    }));
    // More than the queue of the session has places.
    for _ in 0..=rserpool_driver::SESSION_QUEUE {
        assert_eq!(session.call(ECHO, "call").await, Ok("call".into()));
    }
}
