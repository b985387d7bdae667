//! Both address families: one program speaks IPv4 and IPv6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use rserpool_core::base::{ElementId, RegistrarId};
use rserpool_driver::vocabulary::StartError;

use super::mortal::{Mortal, Process};
use super::scope::{
    self, ECHO, Make, POOL, await_elements, loopback, received, registered, registrar, serve,
};

/// Longer than anything here needs.
const GRACE: Duration = Duration::from_secs(60);

/// Endpoints that are bound to all addresses meet those of either family, whoever begins.
pub async fn both_families_are_reached<G: Make, E: Make>() {
    let (all, six) = (at(Ipv6Addr::UNSPECIFIED.into()), at(Ipv6Addr::LOCALHOST.into()));
    if UdpSocket::bind(six).is_err() {
        return; // There is no IPv6 here.
    }
    let four = registrar::<G>(1, &[]).await;
    // A registrar begins with a peer of IPv4.
    let (runtime, life) = Mortal::<G>::new();
    let builder = scope::registrar_builder(2, &[four.local_addr()]).bind(all).runtime(runtime);
    let both = Process::new(builder.start().await.unwrap(), life);
    scope::await_peer(&both, RegistrarId(1)).await;
    let port = both.local_addr().port();
    assert_eq!(both.local_addr(), SocketAddr::new(all.ip(), port));

    // An element of each family at that registrar, and one that is bound to nothing and registers by IPv4.
    let at_both = |ip: IpAddr| SocketAddr::new(ip, port);
    let (at_four, at_six) = (at_both(Ipv4Addr::LOCALHOST.into()), at_both(Ipv6Addr::LOCALHOST.into()));
    let mut elements = Vec::new();
    for (id, bind, registrar) in [(4, loopback(), at_four), (5, all, four.local_addr()), (6, six, at_six)] {
        let element = scope::element_builder::<E>(id, &[registrar]).bind(bind).start().await.unwrap();
        registered(&element).await;
        serve(&element);
        elements.push(element);
    }
    await_elements(&both, &[4, 5, 6]).await;

    // A user reaches all of them.
    let user = scope::user_builder::<E>(&[at_six]).bind(all).start().await.unwrap();
    let mut served = Vec::new();
    for _ in 0..3 {
        let session = user.connect(POOL).await.unwrap();
        session.request(ECHO, "hello").await.unwrap();
        served.push(received(&session).await.0);
        session.close().await.unwrap();
    }
    served.sort_unstable();
    assert_eq!(served, [4, 5, 6].map(ElementId));
    user.shutdown(GRACE).await;
    for element in elements {
        element.shutdown(GRACE).await;
    }
}

/// What can never be reached is told at the start, and so are addresses that are not the element's own
/// (ASAP-2.2.1-02, ASAP-3.1-02, ASAP-6.1-01).
pub async fn addresses_that_cannot_be_met_are_refused<G: Make, E: Make>() {
    let there = |ip: IpAddr| SocketAddr::new(ip, 9899);
    let (four, six) = (Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into());
    let unreachable = |error: StartError, to: IpAddr| {
        assert!(matches!(error, StartError::Unreachable { address, .. } if address.ip() == to), "{error}");
    };
    let error = scope::element_builder::<E>(7, &[there(six)]).start().await.unwrap_err();
    unreachable(error, six);
    let error = scope::user_builder::<E>(&[there(six)]).start().await.unwrap_err();
    unreachable(error, six);
    let error = scope::registrar_builder::<G>(1, &[there(six)]).start().await.unwrap_err();
    unreachable(error, six);
    let error = scope::registrar_builder::<G>(1, &[])
        .configure(move |config| config.addresses = vec![six])
        .start()
        .await
        .unwrap_err();
    unreachable(error, six);
    if UdpSocket::bind(at(six)).is_ok() {
        let error = scope::user_builder::<E>(&[there(four)]).bind(at(six)).start().await.unwrap_err();
        unreachable(error, four);
    }

    // An element is bound to what it registers.
    let registrar = registrar::<G>(1, &[]).await;
    let foreign: IpAddr = Ipv4Addr::new(192, 0, 2, 77).into();
    let builder = |own: Vec<IpAddr>| {
        let builder = scope::element_builder::<E>(7, &[registrar.local_addr()]);
        builder.configure(move |config| config.addresses = own)
    };
    for (bind, own) in [(loopback(), vec![four, foreign]), (at(Ipv4Addr::UNSPECIFIED.into()), vec![foreign])]
    {
        let error = builder(own).bind(bind).start().await.unwrap_err();
        assert!(matches!(error, StartError::ForeignAddress { address, .. } if address == foreign), "{error}");
    }
    let element = builder(vec![four]).bind(at(Ipv4Addr::UNSPECIFIED.into())).start().await.unwrap();
    registered(&element).await;
    element.deregister().await.unwrap();
    // Behind a translator they are another host's.
    let behind = builder(vec![foreign]).configure(|config| config.foreign_addresses = true);
    registered(&behind.start().await.unwrap()).await;
}

fn at(ip: IpAddr) -> SocketAddr {
    SocketAddr::new(ip, 0)
}
