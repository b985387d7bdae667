//! The sessions of an element, a handle for each.

use std::cell::Cell;
use std::pin::Pin;
use std::time::Duration;

use futures_lite::AsyncReadExt;
use futures_lite::future::{self, zip};
use rserpool_core::base::ElementId;
use rserpool_driver::vocabulary::{Delivery, SessionEvent};
use rserpool_driver::{ElementSession, PoolElement, Session};

use super::mortal::Mortal;
use super::scope::{
    self, ECHO, Make, POOL, TheElement, TheRegistrar, TheUser, await_elements, element, pause, received,
    registrar, user,
};

/// Accepts sessions, and runs this for each.
fn accept<E: Make, F: Future<Output = ()> + Send + 'static>(
    element: &PoolElement<Mortal<E>>,
    serve: impl Fn(ElementSession<Mortal<E>>) -> F + Send + 'static,
) {
    let element = element.clone();
    E::default().spawn(Box::pin(async move {
        while let Some(session) = element.accept().await {
            E::default().spawn(Box::pin(serve(session)) as Pin<Box<_>>);
        }
    }));
}

/// Numbers the messages of a session, in whatever element it is.
async fn count<E: Make>(session: ElementSession<Mortal<E>>) {
    let mut count: u32 =
        session.restored().map_or(0, |state| std::str::from_utf8(state).unwrap().parse().unwrap());
    while let Some(message) = session.recv().await {
        count += 1;
        session.reply(&message, count.to_string()).await.unwrap();
        session.send_cookie(count.to_string()).await.unwrap();
    }
}

pub(super) async fn accepting<G: Make, E: Make, F: Future<Output = ()> + Send + 'static>(
    id: u32,
    registrar: &TheRegistrar<G>,
    serve: impl Fn(ElementSession<Mortal<E>>) -> F + Send + 'static,
) -> TheElement<E> {
    let element = element::<E>(id, &[registrar.local_addr()]).await;
    accept(&element, serve);
    element.registered().await.unwrap();
    element
}

/// Messages and calls of several sessions, each with a task of its own; their state moves with them.
pub async fn accepted_sessions_keep_their_state<G: Make, E: Make>() {
    let registrar = registrar::<G>(1, &[]).await;
    let first = accepting(7, &registrar, count::<E>).await;
    let user: TheUser<E> = user(&[registrar.local_addr()]).await;
    let (counted, called) = (user.connect(POOL).await.unwrap(), user.connect(POOL).await.unwrap());
    for number in 1..=3 {
        let request = counted.request(ECHO, "next").await.unwrap();
        assert_eq!(next_message(&counted).await, (ElementId(7), number.to_string()));
        counted.answered(request).await.unwrap();
    }
    assert_eq!(called.call(ECHO, "next").await.unwrap(), "1");
    await_cookie(&called).await;
    let _second = accepting(8, &registrar, count::<E>).await;
    await_elements(&registrar, &[7, 8]).await;
    first.kill().await;
    assert_eq!(called.call(ECHO, "next").await.unwrap(), "2");
    counted.request(ECHO, "next").await.unwrap();
    assert_eq!(next_message(&counted).await, (ElementId(8), "4".into()));
}

/// The next message, and the cookie after it.
async fn next_message<E: Make>(session: &Session<Mortal<E>>) -> (ElementId, String) {
    let message = loop {
        if let SessionEvent::Received { element, bytes, .. } = session.next_event().await.unwrap() {
            break (element, String::from_utf8(bytes.to_vec()).unwrap());
        }
    };
    await_cookie(session).await;
    message
}

async fn await_cookie<E: Make>(session: &Session<Mortal<E>>) {
    while !matches!(session.next_event().await.unwrap(), SessionEvent::CookieKept { .. }) {}
}

/// One session of an element is not read for a while: its user has to wait, the others do not, and nobody is taken for
/// dead. A session whose handle is dropped closes.
pub async fn a_slow_session_of_an_element_stops_nobody<G: Make, E: Make>() {
    // More than what waits for a session, is on its way and waits at its user.
    const MESSAGES: usize = 300;
    const OCTETS: usize = 60_000;
    let registrar = registrar::<G>(1, &[]).await;
    let (awake, asleep) = async_channel::bounded::<()>(1);
    let element = accepting(7, &registrar, move |session: ElementSession<Mortal<E>>| {
        let asleep = asleep.clone();
        async move {
            while let Some(message) = session.recv().await {
                if message.bytes == "bye" {
                    return;
                }
                if message.bytes == "sleep" {
                    let _ = asleep.recv().await;
                }
                if message.bytes.len() < OCTETS {
                    session.reply(&message, message.bytes.clone()).await.unwrap();
                }
            }
        }
    })
    .await;
    let user: TheUser<E> = user(&[registrar.local_addr()]).await;
    let (slow, other) = (user.connect(POOL).await.unwrap(), user.connect(POOL).await.unwrap());
    let sent = Cell::new(false);
    let send = async {
        slow.send(ECHO, "sleep", Delivery::Once).await.unwrap();
        for _ in 0..MESSAGES {
            slow.send(ECHO, vec![0; OCTETS], Delivery::Once).await.unwrap();
        }
        sent.set(true);
        slow.send(ECHO, "last", Delivery::Once).await.unwrap();
    };
    let others = async {
        // Longer than anybody waits for a sign of life.
        pause::<E>(Duration::from_secs(3)).await;
        for number in 0..100 {
            assert_eq!(other.call(ECHO, number.to_string()).await.unwrap(), number.to_string());
        }
        assert_eq!(user.resolve_items(POOL, None).await.unwrap().elements.len(), 1);
        assert!(!sent.get(), "it has to wait");
        awake.send(()).await.unwrap();
    };
    zip(send, others).await;
    assert_eq!(received(&slow).await.1, "sleep");
    assert_eq!(received(&slow).await.1, "last");
    // Its task ends: the session closes, and moves to the same element again, since there is no other.
    slow.send(ECHO, "bye", Delivery::Once).await.unwrap();
    let event = slow.next_event().await;
    assert!(matches!(event, Some(SessionEvent::ElementFailed { .. })), "{event:?}");
    drop(element);
}

/// Futures of sessions that nobody polls any more lose nothing: no session, no message, no octet.
pub async fn dropped_futures_of_sessions_lose_nothing<G: Make, E: Make>() {
    const MESSAGES: usize = 50;
    let registrar = registrar::<G>(1, &[]).await;
    let element: TheElement<E> = element(7, &[registrar.local_addr()]).await;
    assert!(future::poll_once(element.accept()).await.is_none());
    let user: TheUser<E> = user(&[registrar.local_addr()]).await;
    // Waits that are given up again and again, until what they wait for is there.
    assert!(future::poll_once(element.registered()).await.is_none());
    element.registered().await.unwrap();
    let session = user.connect(POOL).wait_for_pool(Duration::from_secs(60)).await.unwrap();
    session.send(ECHO, "0", Delivery::Once).await.unwrap();
    let accept = || async { future::poll_once(element.accept()).await };
    let accepted = scope::eventually::<E, _, _>(accept).await.unwrap();
    for number in 1..MESSAGES {
        session.send(ECHO, number.to_string(), Delivery::Once).await.unwrap();
    }
    for number in 0..MESSAGES {
        // Others wait, too, and hand out what is not theirs.
        assert!(future::poll_once(element.accept()).await.is_none());
        let recv = || async { future::poll_once(accepted.recv()).await };
        let message = scope::eventually::<E, _, _>(recv).await.unwrap();
        assert_eq!(message.bytes, number.to_string());
        accepted.reply(&message, message.bytes.clone()).await.unwrap();
    }
    let (mut octets, mut back) = (session.octets(ECHO), Vec::new());
    let expected: String = (0..MESSAGES).map(|number| number.to_string()).collect();
    while back.len() < expected.len() {
        let mut piece = [0; 7];
        match future::poll_once(octets.read(&mut piece)).await {
            Some(length) => back.extend_from_slice(&piece[..length.unwrap()]),
            None => pause::<E>(Duration::from_millis(1)).await,
        }
    }
    assert_eq!(back, expected.as_bytes());
    // A long message that is given up is none; the next one is.
    assert!(future::poll_once(session.send_long(ECHO, vec![1; 3 << 20])).await.is_none());
    let (sent, message) = zip(session.send_long(ECHO, vec![2; 2 << 20]), accepted.recv()).await;
    sent.unwrap();
    assert_eq!(message.unwrap().bytes, vec![2; 2 << 20]);
}
