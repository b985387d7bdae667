//! Users that ask registrars over TCP.

use std::net::SocketAddr;

use rserpool_core::base::ElementId;
use rserpool_core::driver::vocabulary::{TcpListening, UserError};

use super::mortal::{Mortal, Process};
use super::scope::{
    ECHO, Make, POOL, TheRegistrar, await_elements, eventually, received, registrar_builder, server,
    user_builder,
};

async fn registrar<R: Make>(id: u32, peers: &[SocketAddr]) -> TheRegistrar<R> {
    let (runtime, life) = Mortal::new();
    let builder = registrar_builder(id, peers).tcp(TcpListening::At(None, 0));
    Process::new(builder.runtime(runtime).start().await.unwrap(), life)
}

/// ASAP-2.1-02, ASAP-3.3-03, ASAP-3.3-10, ASAP-3.7.2-03: users ask over TCP, of one registrar or of both,
/// and move on when it dies: to the other over TCP, or over SCTP. The session, which is SCTP, goes on.
pub async fn users_ask_over_tcp<G: Make, E: Make>() {
    let first = registrar::<G>(1, &[]).await;
    let second = registrar::<E>(2, &[first.local_addr()]).await;
    let both = [first.local_addr(), second.local_addr()];
    let _server = server::<E>(7, &both).await;
    await_elements(&second, &[7]).await;
    let [first_tcp, second_tcp] = [first.tcp_addr().unwrap(), second.tcp_addr().unwrap()];

    let by_tcp = user_builder::<E>(&[]).registrar_tcp(first_tcp).registrar_tcp(second_tcp);
    let by_tcp = by_tcp.start().await.unwrap();
    let mixed = user_builder::<G>(&[]).registrar_tcp(first_tcp).registrar(second.local_addr());
    let mixed = mixed.start().await.unwrap();
    let session = by_tcp.connect(POOL).await.unwrap();
    assert_eq!(session.element(), ElementId(7));
    assert_eq!(mixed.resolve_items(POOL, None).await.unwrap().elements.len(), 1);
    assert_eq!(by_tcp.resolve_items("NoPool", None).await, Err(UserError::UnknownPool));

    first.kill().await;
    eventually::<E, _, _>(|| async { by_tcp.resolve_items(POOL, None).await.ok() }).await;
    eventually::<G, _, _>(|| async { mixed.resolve_items(POOL, None).await.ok() }).await;
    let request = session.request(ECHO, "still there").await.unwrap();
    assert_eq!(received(&session).await, (ElementId(7), "still there".into()));
    session.answered(request).await.unwrap();
}
