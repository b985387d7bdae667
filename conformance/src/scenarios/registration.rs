//! Elements and registrars alone: joining a pool, changing, leaving; and what cannot even start.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use rserpool_core::base::{ElementId, PoolHandle, RegistrarId, SctpPort};
use rserpool_core::wire::{CauseCode, EncapsulationPorts, Policy};
use rserpool_driver::vocabulary::{ElementEvent, RegistrationError, StartError, UpdateError};
use rserpool_driver::{Inspector, PoolElement, Registrar};

use super::mortal::Mortal;
use super::scope::{self, Make, POOL, await_elements, loopback, registered};

/// ASAP-2.1-01, ASAP-3.1-20, -22, -23, -25, -28, ASAP-3.2-08: a registration, a better one, one that does not fit,
/// and the end of the pool.
pub async fn an_element_joins_changes_and_leaves<G: Make, E: Make>() {
    let registrar = scope::registrar::<G>(1, &[]).await;
    let address = registrar.local_addr();
    let builder = |id| scope::element_builder::<E>(id, &[address]);
    let weight = |weight| Policy::WeightedRoundRobin { weight };
    let element = builder(7).policy(weight(1)).start().await.unwrap();
    let event = element.next_event().await.unwrap();
    let ElementEvent::Registered { registrar: at, warning: None, .. } = event else { panic!("{event:?}") };
    assert_eq!(at.sockets().collect::<Vec<_>>(), [address]);

    let pools = registrar.pools().await.unwrap();
    let [pool] = &pools[..] else { panic!("{pools:?}") };
    let [entry] = &pool.elements[..] else { panic!("{pool:?}") };
    assert_eq!(pool.handle, PoolHandle::from(POOL));
    assert_eq!((entry.id, entry.home, entry.policy.clone()), (ElementId(7), RegistrarId(1), weight(1)));
    let port = element.local_addr().port();
    assert_eq!(entry.encapsulation, Some(EncapsulationPorts { user: port, asap: port }));

    let inspector = Inspector::<Mortal<E>>::builder(address).bind(loopback()).start().await.unwrap();
    let snapshot = inspector.handlespace().await.unwrap();
    assert_eq!((snapshot.registrar, snapshot.pools), (RegistrarId(1), pools));

    element.update_policy(weight(2)).await.unwrap();
    let event = element.next_event().await.unwrap();
    assert!(matches!(event, ElementEvent::Registered { .. }), "{event:?}");
    assert_eq!(registrar.pools().await.unwrap()[0].elements[0].policy, weight(2));

    let stranger = builder(8).policy(Policy::Random).start().await.unwrap();
    let event = stranger.next_event().await.unwrap();
    let ElementEvent::RegistrationFailed(RegistrationError::Rejected(Some(error))) = event else {
        panic!("{event:?}");
    };
    assert_eq!(error.causes[0].code, CauseCode::INCONSISTENT_POLICY);
    await_elements(&registrar, &[7]).await;

    // Beside a second element, the first one cannot change the pool's policy either. It keeps its place.
    let second = builder(8).policy(weight(1)).start().await.unwrap();
    await_elements(&registrar, &[7, 8]).await;
    let error = element.update_policy(Policy::Random).await.unwrap_err();
    let UpdateError::Registration(RegistrationError::Rejected(Some(error))) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error.causes[0].code, CauseCode::INCONSISTENT_POLICY);
    let pools = registrar.pools().await.unwrap();
    assert!(pools[0].elements.iter().any(|e| (e.id, &e.policy) == (ElementId(7), &weight(2))), "{pools:?}");
    let status = element.status().await.unwrap();
    assert_eq!((status.registered, status.sessions, status.open_requests), (true, 0, 0));
    second.deregister().await.unwrap();

    element.deregister().await.unwrap();
    assert_eq!(registrar.pools().await.unwrap(), []);
}

/// ASAP-3.6-01, -03: nobody is told an address; the registrar announces itself on loopback.
pub async fn announced_registrars_are_found<G: Make, E: Make>() {
    // A group of our own, with a port that nobody uses now.
    let port = UdpSocket::bind(loopback()).unwrap().local_addr().unwrap().port();
    let group = SocketAddr::from(([239, 255, 77, 2], port));
    let registrar = scope::registrar_builder::<G>(1, &[]).announce_group(group).start().await.unwrap();
    let element = scope::element_builder::<E>(7, &[]).announce_group(group).start().await.unwrap();
    registered(&element).await;
    let user = scope::user_builder::<E>(&[]).announce_group(group).start().await.unwrap();
    let resolution = user.resolve(POOL).await.unwrap();
    assert_eq!(resolution.elements.iter().map(|element| element.id).collect::<Vec<_>>(), [ElementId(7)]);
    registrar.shutdown(Duration::from_secs(60)).await;
}

/// A port in use, a value that cannot work, nobody to register at: each is told at the start.
pub async fn what_cannot_start_says_why<G: Make, E: Make>() {
    let registrar = scope::registrar::<G>(1, &[]).await;
    let taken = registrar.local_addr();
    let error = Registrar::<G>::builder().bind(taken).start().await.unwrap_err();
    assert!(matches!(error, StartError::Bind { address, .. } if address == taken));
    assert!(error.to_string().starts_with(&format!("UDP port {taken} is in use")), "{error}");

    let builder =
        Registrar::<G>::builder().bind(loopback()).configure(|config| config.asap_port = SctpPort(0));
    let error = builder.start().await.unwrap_err();
    assert_eq!(error.to_string(), "asap_port: must not be zero");

    let error = PoolElement::<E>::builder(POOL).start().await.unwrap_err();
    assert!(matches!(error, StartError::NoRegistrar), "{error}");

    // The port is free again as soon as it is said to be.
    registrar.kill().await;
    let second = Registrar::<G>::builder().bind(taken).id(RegistrarId(2)).start().await.unwrap();
    let element = scope::element::<E>(7, &[second.local_addr()]).await;
    registered(&element).await;
}
