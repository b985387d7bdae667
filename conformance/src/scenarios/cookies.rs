//! Sessions whose state is in a cookie: it moves with them.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use rserpool_core::base::AssociationId;
use rserpool_driver::vocabulary::{
    CookieError, CookieKey, CookieKeys, ElementConfig, ElementEvent, FailureReason, SessionEvent,
};
use rserpool_driver::{PoolElement, Session};

use super::mortal::{Mortal, Process};
use super::scope::{
    ECHO, Make, POOL, TheElement, await_elements, element_builder, registered, registrar, user,
};

/// When an element of [`counter`] sends the state of a session to its user.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cookies {
    /// After each answer.
    Always,
    /// At the beginning, and then only when asked for it.
    Wanted,
}

/// An element that numbers the messages of a session: each answer is the number of the last message. The number is the
/// state of the session.
async fn counter<E: Make>(
    id: u32,
    registrars: &[std::net::SocketAddr],
    cookies: Cookies,
    configure: impl FnOnce(
        rserpool_driver::Builder<Mortal<E>, ElementConfig>,
    ) -> rserpool_driver::Builder<Mortal<E>, ElementConfig>,
) -> TheElement<E> {
    let (runtime, life) = Mortal::new();
    let builder = configure(element_builder(id, registrars)).runtime(runtime);
    let element = Process::new(builder.start().await.unwrap(), life);
    registered(&element).await;
    E::default().spawn(Box::pin(count(element.clone(), cookies)));
    element
}

async fn count<E: Make>(element: PoolElement<Mortal<E>>, cookies: Cookies) {
    let mut counts: BTreeMap<AssociationId, u64> = BTreeMap::new();
    while let Some(event) = element.next_event().await {
        match event {
            ElementEvent::CookieEcho { session, cookie, .. } => {
                counts.insert(session, number(&cookie));
            }
            ElementEvent::CookieRefused { session, error, .. } => {
                assert_eq!(error, CookieError::Forged);
                counts.insert(session, 1_000);
            }
            ElementEvent::Received { session, protocol, .. } => {
                let count = counts.entry(session).or_default();
                *count += 1;
                let count = Bytes::from(count.to_string());
                let _ = element.send(session, protocol, count.clone()).await;
                if cookies == Cookies::Always || count == "1" {
                    let _ = element.send_cookie(session, count).await;
                }
            }
            ElementEvent::CookieWanted { session, .. } => {
                let _ = element.send_cookie(session, counts[&session].to_string()).await;
            }
            _ => {}
        }
    }
}

fn number(text: &Bytes) -> u64 {
    std::str::from_utf8(text).unwrap().parse().unwrap()
}

/// Asks once; the answer, and what else happened in the meantime.
async fn ask<E: Make>(session: &Session<Mortal<E>>) -> (u64, Vec<SessionEvent>) {
    let request = session.request(ECHO, "next").await.unwrap();
    let mut events = Vec::new();
    loop {
        match session.next_event().await.unwrap() {
            SessionEvent::Received { bytes, .. } => {
                session.answered(request).await.unwrap();
                return (number(&bytes), events);
            }
            event => events.push(event),
        }
    }
}

/// Waits until the state of the session is with the user.
async fn kept<E: Make>(session: &Session<Mortal<E>>) -> usize {
    match session.next_event().await.unwrap() {
        SessionEvent::CookieKept { octets, .. } => octets,
        event => panic!("{event:?}"),
    }
}

/// ASAP-3.8-01, ASAP-3.8-02, ASAP-3.8-03, ASAP-3.8-04, ASAP-5-02: whoever dies, the next element counts on.
pub async fn state_moves_with_its_session<G: Make, E: Make>() {
    let registrar = registrar::<G>(1, &[]).await;
    let at = [registrar.local_addr()];
    let mut elements = BTreeMap::new();
    for id in [7, 8] {
        elements.insert(id, counter::<E>(id, &at, Cookies::Always, |builder| builder).await);
    }
    let user = user::<E>(&at).await;
    let session = user.connect(POOL).await.unwrap();
    for expected in 1..=10 {
        assert_eq!(ask(&session).await, (expected, vec![]));
        assert_eq!(kept(&session).await, expected.to_string().len());
    }
    elements.remove(&session.element().0).unwrap().kill().await;
    let (answer, events) = ask(&session).await;
    assert_eq!(answer, 11);
    let moved = events.iter().any(|event| {
        matches!(event, SessionEvent::FailedOver { cookie_echoed: true, resent, .. } if resent.len() <= 1)
    });
    assert!(moved, "{events:?}");
    // Another session has no part in it.
    let other = user.connect(POOL).await.unwrap();
    assert_eq!(ask(&other).await.0, 1);
}

/// ASAP-3.8-01: an element that is stopped gives its users the last state first; nobody waits for a time-out.
pub async fn a_clean_stop_hands_over_the_last_state<G: Make, E: Make>() {
    let registrar = registrar::<G>(1, &[]).await;
    let at = [registrar.local_addr()];
    let first = counter::<E>(7, &at, Cookies::Wanted, |builder| builder).await;
    let user = user::<E>(&at).await;
    let session = user.connect(POOL).await.unwrap();
    assert_eq!(ask(&session).await, (1, vec![]));
    assert_eq!(kept(&session).await, 1);
    for expected in 2..=99 {
        assert_eq!(ask(&session).await, (expected, vec![]));
    }
    let _second = counter::<E>(8, &at, Cookies::Wanted, |builder| builder).await;
    await_elements(&registrar, &[7, 8]).await;
    first.shutdown(Duration::from_secs(60)).await;
    assert_eq!(kept(&session).await, 2);
    let (answer, events) = ask(&session).await;
    assert_eq!(answer, 100);
    let [SessionEvent::ElementFailed { reason, .. }, SessionEvent::FailedOver { cookie_echoed: true, .. }] =
        &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(*reason, FailureReason::Disconnected(rserpool_core::endpoint::DownReason::PeerShutdown));
}

/// ASAP-3.8-05: elements with the same key trust each other's cookies; those of an element with another key they do not.
pub async fn cookies_are_sealed<G: Make, E: Make>() {
    let keys = |octet| CookieKeys::new(CookieKey::new(1, &[octet; 32]).unwrap());
    for (other, expected) in [(7, 2), (8, 1_001)] {
        let registrar = registrar::<G>(1, &[]).await;
        let at = [registrar.local_addr()];
        let first = counter::<E>(7, &at, Cookies::Always, |builder| builder.cookie_keys(keys(7))).await;
        let user = user::<E>(&at).await;
        let session = user.connect(POOL).await.unwrap();
        assert_eq!(ask(&session).await.0, 1);
        assert_eq!(kept(&session).await, 1 + 33);
        let _second = counter::<E>(8, &at, Cookies::Always, |builder| builder.cookie_keys(keys(other))).await;
        await_elements(&registrar, &[7, 8]).await;
        first.kill().await;
        assert_eq!(ask(&session).await.0, expected);
    }
}
