//! Messages that are too long for one.

use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::{self, zip};
use rserpool_core::base::ElementId;
use rserpool_driver::vocabulary::{CallError, Refusal, SessionEvent};
use rserpool_driver::{CallOptions, ElementSession, Incoming};

use super::accept::accepting;
use super::mortal::Mortal;
use super::scope::{
    ECHO, Make, POOL, TheUser, await_elements, element, pause, received, registered, registrar, user,
};

/// Longer than a message of SCTP may be, and than the queues on the way to an element.
const LENGTH: usize = (2 << 20) + 1;

fn long(first: u8) -> Bytes {
    octets(first, LENGTH)
}

/// A call that is little longer than one message.
fn long_call(first: u8) -> Bytes {
    octets(first, LENGTH / 2)
}

fn octets(first: u8, length: usize) -> Bytes {
    (0..length).map(|n| (n / 1_000) as u8 ^ first).collect::<Vec<_>>().into()
}

async fn echo<E: Make>(session: ElementSession<Mortal<E>>) {
    while let Some(message) = session.recv().await {
        let echoed = match message.call {
            Some(_) => session.reply(&message, message.bytes.clone()).await,
            None => session.send_long(message.protocol, message.bytes).await,
        };
        // The session may have moved.
        let _ = echoed;
    }
}

/// Long messages arrive whole, both ways, several senders at a time; calls of the same session and of another one are not
/// kept waiting. If the element dies in the middle, the next one gets the whole.
pub async fn long_messages_travel_in_pieces<G: Make, E: Make>() {
    let registrar = registrar::<G>(1, &[]).await;
    let first = element::<E>(7, &[registrar.local_addr()]).await;
    registered(&first).await;
    let user: TheUser<E> = user(&[registrar.local_addr()]).await;
    let session = user.connect(POOL).await.unwrap();
    for refused in [Bytes::new(), vec![0; rserpool_driver::MAX_LONG_MESSAGE + 1].into()] {
        assert_eq!(session.send_long(ECHO, refused).await, Err(Refusal::Length));
    }
    let _second = accepting(8, &registrar, echo::<E>).await;
    await_elements(&registrar, &[7, 8]).await;
    // The first takes some of it, and dies.
    let die = async {
        for _ in 0..10 {
            first.next_event().await.unwrap();
        }
        first.kill().await;
    };
    let (sent, ()) = zip(session.send_long(ECHO, long(1)), die).await;
    sent.unwrap();
    let whole = loop {
        match session.next_event().await.unwrap() {
            SessionEvent::Received { element, bytes, .. } => break (element, bytes),
            SessionEvent::ElementFailed { element, .. } => assert_eq!(element, ElementId(7)),
            SessionEvent::FailedOver { to, .. } => assert_eq!(to, ElementId(8)),
            event => panic!("{event:?}"),
        }
    };
    assert!(whole == (ElementId(8), long(1)), "{} octets from {}", whole.1.len(), whole.0);
    // Two at a time.
    let other = user.connect(POOL).await.unwrap();
    let send = zip(session.send_long(ECHO, long(2)), session.send_long(ECHO, long(3)));
    let ask = async {
        for session in [&session, &other] {
            assert_eq!(session.call(ECHO, "meanwhile").await.unwrap(), "meanwhile");
        }
    };
    // Calls are not behind two long messages and their echoes.
    let begun = zip(send, async {
        let call = async {
            ask.await;
            true
        };
        let echoed = async {
            received(&session).await;
            received(&session).await;
            false
        };
        assert!(future::or(call, echoed).await);
    });
    let ((first, second), ()) = begun.await;
    first.unwrap();
    second.unwrap();
}

/// Calls whose requests and answers do not fit into one message are made as others are, and short ones go on beside them.
/// The element has one function for all calls, or a handle for each session.
pub async fn long_calls_are_calls<G: Make, E: Make>() {
    let registrar = registrar::<G>(1, &[]).await;
    let first = element::<E>(7, &[registrar.local_addr()]).await;
    registered(&first).await;
    let user: TheUser<E> = user(&[registrar.local_addr()]).await;
    let session = user.connect(POOL).await.unwrap();
    let _second = accepting(8, &registrar, echo::<E>).await;
    await_elements(&registrar, &[7, 8]).await;
    let server = rserpool_driver::PoolElement::clone(&first);
    E::default().spawn(Box::pin(async move {
        server
            .serve(async |call: Incoming| match call.bytes {
                // It dies before it answers.
                bytes if bytes == long_call(4) => future::pending().await,
                bytes if bytes == "long" => long_call(0),
                bytes => bytes,
            })
            .await;
    }));
    let calls = zip(session.call(ECHO, long_call(1)), session.call(ECHO, long_call(2)));
    let ((one, two), short) = zip(calls, session.call(ECHO, "meanwhile")).await;
    assert!(one.unwrap() == long_call(1) && two.unwrap() == long_call(2));
    assert_eq!(short.unwrap(), "meanwhile");
    let once = CallOptions::default().at_most_once();
    assert!(session.call_with(ECHO, "long", once).await.unwrap() == long_call(0));
    let longer = vec![0; rserpool_driver::MAX_LONG_MESSAGE + 1];
    assert_eq!(session.call(ECHO, longer).await, Err(CallError::Refused(Refusal::Length)));
    // The one with the handles gets the whole of what the first has got, or has got a part of.
    let die = async {
        pause::<E>(Duration::from_millis(2)).await;
        first.kill().await;
    };
    let (answer, ()) = zip(session.call(ECHO, long_call(4)), die).await;
    assert!(answer.unwrap() == long_call(4));
    assert_eq!(session.status().await.unwrap().element, Some(ElementId(8)));
    assert!(session.call_with(ECHO, long_call(3), once).await.unwrap() == long_call(3));
}
