//! Sessions while nobody dies: order, back-pressure, and futures that are dropped.

use std::time::Duration;

use bytes::Bytes;
use futures_lite::future;
use rserpool_core::base::{ElementId, ProtocolId};
use rserpool_driver::vocabulary::{Delivery, ElementEvent, Refusal, SessionEvent};
use rserpool_driver::{EVENT_QUEUE, SESSION_QUEUE};

use super::scope::{
    self, ECHO, Make, POOL, await_elements, element, one_of_each, pause, received, registered, registrar,
    serve, server, user_builder,
};

/// ASAP-2.1-03, ASAP-5-03: requests and answers, the longest too, in their order; then both ends learn of the end.
pub async fn requests_are_answered_in_order<G: Make, E: Make>() {
    let (_registrar, element, _user, session) = one_of_each::<G, E>().await;
    serve(&element);
    let mut requests = Vec::new();
    for number in 0..20 {
        requests.push(session.request(ECHO, format!("{number}")).await.unwrap());
    }
    for (number, request) in requests.into_iter().enumerate() {
        assert_eq!(received(&session).await, (ElementId(7), format!("{number}").into()));
        session.answered(request).await.unwrap();
    }
    let long = Bytes::from(vec![0x5a; 300_000]);
    let request = session.request(ECHO, long.clone()).await.unwrap();
    assert_eq!(received(&session).await, (ElementId(7), long));
    session.answered(request).await.unwrap();
    assert_eq!(session.request(ProtocolId::ASAP, "x").await, Err(Refusal::ReservedProtocol));

    session.close().await.unwrap();
    let event = session.next_event().await;
    assert!(matches!(event, Some(SessionEvent::Closed { error: None, .. })), "{event:?}");
    assert_eq!(session.next_event().await, None);
}

/// Who sends faster than the element takes waits, and so does the next one: nothing is refused,
/// nothing is lost, nothing overtakes.
pub async fn senders_wait_while_congested<G: Make, E: Make>() {
    const MESSAGES: usize = 30;
    const OCTETS: usize = 60_000;
    let (_registrar, element, _user, session) = one_of_each::<G, E>().await;
    // Nobody listens yet: the queues fill up.
    let message = Bytes::from(vec![0; OCTETS]);
    let mut accepted = 0;
    while session.try_send(ECHO, message.clone(), Delivery::Once).await.is_ok() {
        accepted += 1;
        assert!(accepted < 1_000, "a queue without bound");
    }
    for sender in [1, 2] {
        let session = session.clone();
        E::default().spawn(Box::pin(async move {
            for number in 0..MESSAGES {
                let mut message = vec![sender; OCTETS];
                message[1] = number as u8;
                session.send(ECHO, message, Delivery::Once).await.unwrap();
            }
        }));
    }
    let mut arrived = [Vec::new(), Vec::new(), Vec::new()];
    while arrived.iter().map(Vec::len).sum::<usize>() < accepted + 2 * MESSAGES {
        if let ElementEvent::Received { bytes, .. } = element.next_event().await.unwrap() {
            assert_eq!(bytes.len(), OCTETS);
            arrived[usize::from(bytes[0])].push(usize::from(bytes[1]));
        }
    }
    let in_order: Vec<usize> = (0..MESSAGES).collect();
    assert_eq!(arrived, [vec![0; accepted], in_order.clone(), in_order]);
}

/// An application that does not take its events looks dead, on purpose: the session moves to an element
/// that listens, and the registrar drops the other. When it wakes up, every event is still there.
pub async fn who_does_not_listen_is_not_alive<G: Make, E: Make>() {
    const MESSAGES: usize = EVENT_QUEUE + 10;
    let (registrar, deaf, _user, session) = one_of_each::<G, E>().await;
    let _server = server::<E>(8, &[registrar.local_addr()]).await;
    for number in 0..MESSAGES {
        session.send(ECHO, format!("{number}"), Delivery::Once).await.unwrap();
    }
    let request = session.request(ECHO, format!("{MESSAGES}")).await.unwrap();
    let event = session.next_event().await.unwrap();
    assert!(matches!(event, SessionEvent::ElementFailed { element: ElementId(7), .. }), "{event:?}");
    let event = session.next_event().await.unwrap();
    let SessionEvent::FailedOver { from, to, resent, .. } = event else { panic!("{event:?}") };
    assert_eq!((from, to, resent), (ElementId(7), ElementId(8), vec![request]));
    assert_eq!(received(&session).await, (ElementId(8), format!("{MESSAGES}").into()));
    await_elements(&registrar, &[8]).await;

    let mut numbers = Vec::new();
    loop {
        match deaf.next_event().await.unwrap() {
            ElementEvent::Received { bytes, .. } => numbers.push(bytes),
            ElementEvent::Registered { .. } => break,
            _ => {}
        }
    }
    // The first event was the opening of the session.
    assert!(numbers.len() >= EVENT_QUEUE - 1, "{}", numbers.len());
    assert!(numbers.iter().enumerate().all(|(i, number)| *number == format!("{i}")));
}

/// An application that takes no events of one session makes the element of that session wait, and nobody else: the
/// user goes on with all other sessions, blames no server, and loses nothing.
pub async fn one_session_that_is_not_read_stops_nobody<G: Make, E: Make>() {
    const MESSAGES: usize = 3 * SESSION_QUEUE;
    let (_registrar, element, user, deaf) = one_of_each::<G, E>().await;
    serve(&element);
    let other = user.connect(POOL).await.unwrap();
    for number in 0..MESSAGES {
        deaf.send(ECHO, format!("{number}"), Delivery::Once).await.unwrap();
    }
    for number in 0..100 {
        let request = other.request(ECHO, format!("{number}")).await.unwrap();
        assert_eq!(received(&other).await, (ElementId(7), format!("{number}").into()));
        other.answered(request).await.unwrap();
    }
    assert_eq!(user.resolve_items(POOL, None).await.unwrap().elements.len(), 1);
    // Longer than anybody waits for a sign of life.
    pause::<E>(Duration::from_secs(3)).await;
    for number in 0..MESSAGES {
        assert_eq!(received(&deaf).await, (ElementId(7), format!("{number}").into()));
    }
}

/// A future that nobody polls any more loses no event and leaves no session.
pub async fn dropped_futures_lose_nothing<G: Make, E: Make>() {
    let registrar = registrar::<G>(1, &[]).await;
    let at = [registrar.local_addr()];
    let _server = server::<E>(7, &at).await;
    let builder = user_builder::<E>(&at).configure(|config| config.max_sessions = 1);
    let user = builder.start().await.unwrap();
    // Dropped before the session opens, and most likely after it has opened but before anybody knows.
    for moment in [0, 300].map(Duration::from_millis) {
        let mut connect = Box::pin(user.connect(POOL));
        // On a busy machine the session may be open before the first poll is over.
        let early = future::poll_once(&mut connect).await;
        pause::<E>(moment).await;
        drop((connect, early));
        // One session is allowed, so none may have been left behind.
        let session = scope::eventually::<E, _, _>(|| async { user.connect(POOL).await.ok() }).await;

        let waiting = Box::pin(session.next_event());
        assert!(future::poll_once(waiting).await.is_none());
        let request = session.request(ECHO, "hello").await.unwrap();
        assert_eq!(received(&session).await, (ElementId(7), "hello".into()));
        session.answered(request).await.unwrap();
        session.close().await.unwrap();
        let event = session.next_event().await;
        assert!(matches!(event, Some(SessionEvent::Closed { error: None, .. })), "{event:?}");
    }
}

/// Who drops the future of a request wants it no more: the request goes to no other element.
pub async fn dropped_requests_are_given_up<G: Make, E: Make>() {
    let (registrar, first, _user, session) = one_of_each::<G, E>().await;
    let _second = server::<E>(8, &[registrar.local_addr()]).await;
    await_elements(&registrar, &[7, 8]).await;
    // Dropped before the loop has taken it, most likely, and certainly after.
    for (moment, text) in [(0, "early"), (300, "late")] {
        let mut request = Box::pin(session.request(ECHO, text));
        let begun = future::poll_once(&mut request).await;
        pause::<E>(Duration::from_millis(moment)).await;
        match begun {
            // On a busy machine it may be over before the first poll is.
            Some(request) => session.forget(request.unwrap()),
            None => drop(request),
        }
    }
    let kept = session.request(ECHO, "kept").await.unwrap();
    first.kill().await;
    let event = session.next_event().await.unwrap();
    assert!(matches!(event, SessionEvent::ElementFailed { element: ElementId(7), .. }), "{event:?}");
    let event = session.next_event().await.unwrap();
    let SessionEvent::FailedOver { resent, .. } = event else { panic!("{event:?}") };
    assert_eq!(resent, [kept]);
    assert_eq!(received(&session).await, (ElementId(8), "kept".into()));
}

/// First come, first served: a large request does not wait for as long as small ones flow.
pub async fn large_requests_are_not_overtaken<G: Make, E: Make>() {
    let registrar = registrar::<G>(1, &[]).await;
    let at = [registrar.local_addr()];
    // It takes requests and answers none.
    let element = element::<E>(7, &at).await;
    registered(&element).await;
    let builder = user_builder::<E>(&at).configure(|config| config.max_unanswered_octets = 1_000);
    let user = builder.start().await.unwrap();
    let session = user.connect(POOL).await.unwrap();
    let first = session.request(ECHO, vec![1; 600]).await.unwrap();
    let mut large = Box::pin(session.request(ECHO, vec![2; 900]));
    assert!(future::poll_once(&mut large).await.is_none());
    pause::<E>(Duration::from_millis(100)).await;
    assert!(future::poll_once(&mut large).await.is_none());
    // This one would fit.
    let mut small = Box::pin(session.request(ECHO, vec![3; 200]));
    assert!(future::poll_once(&mut small).await.is_none());
    assert_eq!(session.try_send(ECHO, "x", Delivery::Once).await, Err(Refusal::Congested));
    session.answered(first).await.unwrap();
    let large = large.await.unwrap();
    assert!(future::poll_once(&mut small).await.is_none());
    session.answered(large).await.unwrap();
    small.await.unwrap();
}
