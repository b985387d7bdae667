//! Leaving on purpose: nobody has to wait for a time-out.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_lite::future::zip;
use rserpool_core::base::{ElementId, RegistrarId};
use rserpool_driver::vocabulary::{
    Delivery, DownReason, ElementEvent, FailureReason, SessionEvent, UserError,
};

use super::scope::{
    self, ECHO, Make, POOL, await_elements, ended, homes, one_of_each, received, registered, registrar, serve,
};

/// Longer than anything here needs.
const GRACE: Duration = Duration::from_secs(60);

/// ASAP-3.2-08: user, element and registrar leave in turn, each at once, and then are no more.
pub async fn everybody_leaves_without_a_trace<G: Make, E: Make>() {
    let (registrar, element, user, session) = one_of_each::<G, E>().await;
    serve(&element);
    session.send(ECHO, "hello", Delivery::Once).await.unwrap();
    assert_eq!(received(&session).await, (ElementId(7), "hello".into()));

    user.shutdown(GRACE).await;
    assert_eq!(user.resolve(POOL).await, Err(UserError::ShuttingDown));
    assert!(session.send(ECHO, "hello", Delivery::Once).await.is_err());
    element.shutdown(GRACE).await;
    ended(&element).await;
    assert_eq!(registrar.pools().await.unwrap(), []);
    let counters: BTreeMap<&str, u64> = registrar.counters().await.unwrap().named().collect();
    assert_eq!((counters["deregistrations"], counters["removed_silent"]), (1, 0));
    registrar.shutdown(GRACE).await;
    assert!(registrar.pools().await.is_err());
    assert_eq!(registrar.ended().await, Ok(()));
}

/// An element that leaves answers the requests in work. Its idle users move at once, the others when they have
/// their answers: no request is done twice, and nobody waits for a time-out.
pub async fn requests_in_work_are_answered<G: Make, E: Make>() {
    let (registrar, first, user, idle) = one_of_each::<G, E>().await;
    let busy = user.connect(POOL).await.unwrap();
    let next_request = async || loop {
        if let ElementEvent::Received { session, bytes, .. } = first.next_event().await.unwrap() {
            return (session, bytes);
        }
    };
    let request = idle.request(ECHO, "done").await.unwrap();
    let (session, bytes) = next_request().await;
    first.send(session, ECHO, bytes).await.unwrap();
    assert_eq!(received(&idle).await, (ElementId(7), "done".into()));
    idle.answered(request).await.unwrap();
    busy.request(ECHO, "in work").await.unwrap();
    let (session, bytes) = next_request().await;
    let status = first.status().await.unwrap();
    assert_eq!((status.registered, status.sessions, status.open_requests), (true, 2, 1));
    let second = scope::server::<E>(8, &[registrar.local_addr()]).await;

    let left = FailureReason::Disconnected(DownReason::PeerShutdown);
    let moving = async {
        loop {
            match idle.next_event().await.unwrap() {
                SessionEvent::FailedOver { to: ElementId(8), .. } => break,
                SessionEvent::ElementFailed { reason, .. } => assert_eq!(reason, left),
                event => panic!("{event:?}"),
            }
        }
        first.send(session, ECHO, bytes).await.unwrap();
        assert_eq!(received(&busy).await, (ElementId(7), "in work".into()));
        match busy.next_event().await.unwrap() {
            SessionEvent::ElementFailed { reason, .. } => assert_eq!(reason, left),
            event => panic!("{event:?}"),
        }
    };
    zip(first.shutdown(GRACE), moving).await;
    let counters: BTreeMap<&str, u64> = registrar.counters().await.unwrap().named().collect();
    assert_eq!((counters["deregistrations"], counters["removed_silent"]), (1, 0));
    drop(second);
}

/// A registrar that leaves hands its elements to the other one first; they never are without a home.
pub async fn who_leaves_hands_elements_over<G: Make, E: Make>() {
    let first = registrar::<G>(1, &[]).await;
    let second = registrar::<E>(2, &[first.local_addr()]).await;
    scope::await_peer(&second, RegistrarId(1)).await;
    let element = scope::element::<E>(7, &[first.local_addr()]).await;
    registered(&element).await;
    await_elements(&second, &[7]).await;

    first.shutdown(GRACE).await;
    assert_eq!(homes(&second).await, [(ElementId(7), RegistrarId(2))]);
    loop {
        match element.next_event().await.unwrap() {
            ElementEvent::HomeChanged { home: RegistrarId(2), .. } => break,
            // The association with the first may end before the second has said that it is the home.
            ElementEvent::HomeChanged { home: RegistrarId(1), .. } | ElementEvent::RegistrarLost { .. } => {}
            event => panic!("{event:?}"),
        }
    }
}

/// ASAP-3.2-08: a dropped element deregisters without being told to; a dropped user closes its sessions.
pub async fn dropped_handles_leave<G: Make, E: Make>() {
    let (registrar, element, user, session) = one_of_each::<G, E>().await;
    session.send(ECHO, "hello", Delivery::Once).await.unwrap();
    let mut opened = None;
    while opened.is_none() {
        if let ElementEvent::SessionOpened { session, .. } = element.next_event().await.unwrap() {
            opened = Some(session);
        }
    }
    drop((user, session));
    loop {
        if let ElementEvent::SessionClosed { session, .. } = element.next_event().await.unwrap() {
            assert_eq!(Some(session), opened);
            break;
        }
    }
    drop(element);
    await_elements(&registrar, &[]).await;
    let counters: BTreeMap<&str, u64> = registrar.counters().await.unwrap().named().collect();
    assert_eq!((counters["deregistrations"], counters["removed_silent"]), (1, 0));
}
