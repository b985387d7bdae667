//! Calls in protocols of the application.

use bytes::Bytes;
use futures_lite::future::{self, zip};
use rserpool_core::base::AssociationId;
use rserpool_driver::vocabulary::{CallError, ElementEvent, Refusal};
use rserpool_driver::{Pairing, PoolElement, Session};

use super::calls::all;
use super::mortal::Mortal;
use super::scope::{ECHO, Make, await_elements, element, one_of_each, received, registered};

/// Takes so many messages.
async fn take<E: Make>(element: &PoolElement<Mortal<E>>, messages: usize) -> Vec<(AssociationId, Bytes)> {
    let mut taken = Vec::new();
    while taken.len() < messages {
        if let ElementEvent::Received { session, bytes, .. } = element.next_event().await.unwrap() {
            taken.push((session, bytes));
        }
    }
    taken
}

fn answer_to(bytes: &[u8]) -> Bytes {
    format!("{}!", String::from_utf8_lossy(bytes)).into()
}

async fn answer<E: Make>(element: &PoolElement<Mortal<E>>, taken: &[(AssociationId, Bytes)]) {
    for (session, bytes) in taken {
        element.send(*session, ECHO, answer_to(bytes)).await.unwrap();
    }
}

async fn call<E: Make>(session: &Session<Mortal<E>>, name: &'static str) -> Result<Bytes, CallError> {
    session.call(ECHO, name).await
}

/// The application says which message answers which; they come in any order, and the others are events.
pub async fn calls_are_paired_by_their_names<G: Make, E: Make>() {
    let (_registrar, element, _user, session) = one_of_each::<G, E>().await;
    let session =
        session.pairing(Pairing::by_name(|message: &Bytes| message.get(..1).map(|_| message.slice(..1))));
    let serve = async {
        let mut taken = take(&element, 3).await;
        element.send(taken[0].0, ECHO, "unasked").await.unwrap();
        taken.reverse();
        answer(&element, &taken).await;
    };
    let calls = all(["1", "2", "1 again", "3"].into_iter().map(|name| call(&session, name)));
    let (answers, ()) = zip(calls, serve).await;
    let taken = Err(CallError::Refused(Refusal::DuplicateRequest));
    assert_eq!(answers, [Ok("1!".into()), Ok("2!".into()), taken, Ok("3!".into())]);
    assert_eq!(received(&session).await.1, "unasked");
}

/// A service that answers in order, whose element dies: every call gets its own answer, whatever became of the others.
pub async fn calls_are_paired_in_order<G: Make, E: Make>() {
    let (registrar, first, _user, session) = one_of_each::<G, E>().await;
    let second = element::<E>(8, &[registrar.local_addr()]).await;
    registered(&second).await;
    await_elements(&registrar, &[7, 8]).await;
    let session = session.pairing(Pairing::in_order());
    // Given up: its answer comes all the same.
    let mut calls = ["1", "2", "3"].map(|name| Some(Box::pin(call(&session, name))));
    for call in calls.iter_mut().flatten() {
        assert!(future::poll_once(call).await.is_none());
    }
    let taken = take(&first, 3).await;
    calls[1] = None;
    answer(&first, &taken).await;
    assert_eq!(all(calls.into_iter().flatten()).await, [Ok("1!".into()), Ok("3!".into())]);
    // The first dies; the second gets what it has not answered, in the same order.
    let serve = async {
        take(&first, 3).await;
        first.kill().await;
        let again = take(&second, 3).await;
        answer(&second, &again).await;
    };
    let calls = all(["4", "5", "6"].into_iter().map(|name| call(&session, name)));
    let (answers, ()) = zip(calls, serve).await;
    assert_eq!(answers, ["4!", "5!", "6!"].map(|answer| Ok(answer.into())));
}
