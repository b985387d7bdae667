//! Whoever dies, the pool goes on.

use rserpool_core::base::{ElementId, RegistrarId};
use rserpool_driver::vocabulary::{DownReason, ElementEvent, FailureReason, SessionEvent, UserEvent};

use super::scope::{
    self, ECHO, Make, POOL, await_elements, ended, eventually, homes, received, registered, registrar,
    server, user,
};

/// ASAP-3.5-10, ASAP-6.5.5-02: the session moves to the other element and takes the request along; the registrar
/// forgets the dead one.
pub async fn a_dead_element_is_replaced<G: Make, E: Make>() {
    let registrar = registrar::<G>(1, &[]).await;
    let at = [registrar.local_addr()];
    let servers = [server::<E>(7, &at).await, server::<E>(8, &at).await];
    let user = user::<E>(&at).await;
    let session = user.connect(POOL).await.unwrap();
    let request = session.request(ECHO, "one").await.unwrap();
    let first = session.element();
    assert_eq!(received(&session).await, (first, "one".into()));
    session.answered(request).await.unwrap();

    let (dead, living) = if first == ElementId(7) { (0, 8) } else { (1, 7) };
    servers[dead].kill().await;
    ended(&servers[dead]).await;
    let request = session.request(ECHO, "two").await.unwrap();
    let event = session.next_event().await.unwrap();
    let SessionEvent::ElementFailed { element, reason, .. } = event else { panic!("{event:?}") };
    // Where the system tells that a port is closed, and otherwise.
    let expected = [DownReason::Unreachable, DownReason::Silent].map(FailureReason::Disconnected);
    assert!(element == first && expected.contains(&reason), "{element:?} {reason:?}");
    let event = session.next_event().await.unwrap();
    let SessionEvent::FailedOver { from, to, resent, .. } = event else { panic!("{event:?}") };
    assert_eq!((from, to, resent), (first, ElementId(living), vec![request]));
    assert_eq!(received(&session).await, (ElementId(living), "two".into()));
    let status = session.status().await.unwrap();
    assert_eq!((status.element, status.unanswered, status.failovers), (Some(ElementId(living)), 1, 1));
    await_elements(&registrar, &[living]).await;
}

/// ASAP-3.7.2-03, ASAP-3.1-11: users and elements find another registrar; a session does not even notice.
pub async fn a_dead_registrar_is_replaced<G: Make, E: Make>() {
    let first = registrar::<G>(1, &[]).await;
    let second = registrar::<G>(2, &[first.local_addr()]).await;
    let _server = server::<E>(7, &[first.local_addr()]).await;
    await_elements(&second, &[7]).await;
    let user = user::<E>(&[first.local_addr()]).await;
    let session = user.connect(POOL).await.unwrap();
    let both = [first.local_addr(), second.local_addr()];
    let other_user = scope::user::<E>(&both).await;
    other_user.resolve_items(POOL, None).await.unwrap();

    first.kill().await;
    assert!(first.pools().await.is_err());
    assert_eq!(first.status().await.err(), first.pools().await.err());
    let resolution =
        eventually::<E, _, _>(|| async { other_user.resolve_items(POOL, None).await.ok() }).await;
    assert_eq!(resolution.elements.iter().map(|element| element.id).collect::<Vec<_>>(), [ElementId(7)]);
    // It may have taken the second registrar from the beginning.
    let event = other_user.next_event().await.unwrap();
    let UserEvent::RegistrarFound { registrar: asked, .. } = event else { panic!("{event:?}") };
    if other_user.status().await.unwrap().registrar != Some(asked.clone()) {
        let event = loop {
            match other_user.next_event().await.unwrap() {
                UserEvent::NoRegistrar { .. } => {}
                event => break event,
            }
        };
        let UserEvent::RegistrarLost { registrar: lost, .. } = event else { panic!("{event:?}") };
        assert_eq!(lost, asked);
    }
    let newcomer = scope::element::<E>(8, &both).await;
    registered(&newcomer).await;
    await_elements(&second, &[7, 8]).await;

    let request = session.request(ECHO, "still there").await.unwrap();
    assert_eq!(received(&session).await, (ElementId(7), "still there".into()));
    session.answered(request).await.unwrap();
}

/// ENRP-3.3.1-01, ENRP-3.5.2-01, -03, -04, -05, ENRP-3.2.3-01: the other registrars, on either runtime,
/// take the elements over; the dead one comes back with the same identifier and catches up.
pub async fn elements_of_a_dead_registrar_are_taken_over<G: Make, E: Make>() {
    let first = registrar::<G>(1, &[]).await;
    let second = registrar::<E>(2, &[first.local_addr()]).await;
    let third = registrar::<G>(3, &[first.local_addr(), second.local_addr()]).await;
    // They know nobody but the first: their new home has to find them.
    let elements = [
        scope::element::<E>(7, &[first.local_addr()]).await,
        scope::element::<E>(8, &[first.local_addr()]).await,
    ];
    for element in &elements {
        registered(element).await;
    }
    await_elements(&second, &[7, 8]).await;
    await_elements(&third, &[7, 8]).await;

    first.kill().await;
    // Balancing may move elements between the two afterwards; so who, is not said.
    for element in &elements {
        eventually::<E, _, _>(|| async {
            match element.next_event().await.unwrap() {
                ElementEvent::HomeChanged { home, .. } => (home != RegistrarId(1)).then_some(()),
                _ => None,
            }
        })
        .await;
    }
    let survivors = [RegistrarId(2), RegistrarId(3)];
    let agreed = |one: &[(ElementId, RegistrarId)], other: &[(ElementId, RegistrarId)]| {
        one == other && one.len() == 2 && one.iter().all(|(_, home)| survivors.contains(home))
    };
    eventually::<E, _, _>(|| async { agreed(&homes(&second).await, &homes(&third).await).then_some(()) })
        .await;
    let peers = third.peers().await.unwrap();
    assert_eq!(peers.iter().map(|peer| peer.id).collect::<Vec<_>>(), [RegistrarId(2)]);

    let first = registrar::<G>(1, &[second.local_addr(), third.local_addr()]).await;
    eventually::<E, _, _>(|| async {
        let (one, two, three) = (homes(&first).await, homes(&second).await, homes(&third).await);
        (one.len() == 2 && one == two && two == three).then_some(())
    })
    .await;
}
