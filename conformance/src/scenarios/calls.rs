//! Calls: requests that end with their answer.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use futures_lite::future::{self, zip};
use rserpool_driver::vocabulary::{CallError, UnansweredReason};
use rserpool_driver::{CallOptions, Incoming, PoolElement, Session};

use super::mortal::Mortal;
use super::scope::{ECHO, Make, TheElement, await_elements, element, one_of_each, registered};

/// So many calls are under way at the same time.
const CALLS: usize = 64;

/// Waits for all of them.
async fn all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
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
    let once = CallOptions::default().at_most_once();
    let fail = async {
        next_call(&element).await;
        element.kill().await;
    };
    let (answer, ()) = zip(session.call_with(ECHO, "once", once), fail).await;
    assert_eq!(answer, Err(CallError::Unanswered(UnansweredReason::ElementFailed)));
    let ((), answer) = zip(async { session.close().await.unwrap() }, session.call(ECHO, "late")).await;
    assert!(matches!(answer, Err(CallError::Closed | CallError::Refused(_))), "{answer:?}");
}
