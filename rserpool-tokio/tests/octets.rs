//! Servers that know nothing of pools: they serve over plain TCP, and an element beside each registers it.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::net::SocketAddr;
use std::time::Duration;

use rserpool_tokio::{
    Delivery, ElementEvent, ElementId, PoolElement, PoolUser, Preset, ProtocolId, Registrar, RegistrarId,
    Session, SessionEvent,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

fn local() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// A server that sends back what it gets, with its name in front. It dies with all its connections when it is aborted.
async fn server(name: &'static str) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind(local()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut connection, _)) = listener.accept().await {
            connections.spawn(async move {
                let mut octets = vec![0; 1 << 16];
                while let Ok(length @ 1..) = connection.read(&mut octets).await {
                    connection.write_all(name.as_bytes()).await.unwrap();
                    connection.write_all(&octets[..length]).await.unwrap();
                }
            });
        }
    });
    (address, task)
}

/// An element that registers somebody else's server.
async fn element(registrar: &Registrar, id: u32, at: SocketAddr) -> PoolElement {
    let builder = PoolElement::builder("Web").bind(local()).id(ElementId(id)).preset(Preset::Fast);
    let element = builder.registrar(registrar.local_addr()).tcp_service(at).start().await.unwrap();
    while !matches!(element.next_event().await, Some(ElementEvent::Registered { .. })) {}
    element
}

/// Octets until there are `length`; how often the session has moved meanwhile.
async fn read(session: &Session, length: usize) -> (String, usize) {
    let (mut octets, mut moves) = (Vec::new(), 0);
    while octets.len() < length {
        let event = tokio::time::timeout(Duration::from_secs(60), session.next_event());
        match event.await.expect("the session goes on").unwrap() {
            SessionEvent::Received { bytes, protocol, .. } => {
                assert_eq!(protocol, ProtocolId::UNSPECIFIED);
                octets.extend_from_slice(&bytes);
            }
            SessionEvent::FailedOver { .. } => {
                moves += 1;
                octets.clear();
            }
            _ => {}
        }
    }
    (String::from_utf8(octets).unwrap(), moves)
}

/// A session with a server over TCP moves to the next when that dies, and takes its unanswered request along.
#[tokio::test]
async fn a_session_over_tcp_moves_with_its_requests() {
    let registrar =
        Registrar::builder().bind(local()).id(RegistrarId(1)).preset(Preset::Fast).start().await.unwrap();
    let (first, one) = server("one ").await;
    let (second, two) = server("two ").await;
    let _elements = [element(&registrar, 0x11, first).await, element(&registrar, 0x12, second).await];
    let user = PoolUser::builder().bind(local()).preset(Preset::Fast).registrar(registrar.local_addr());
    let user = user.start().await.unwrap();
    let session = user.connect("Web").await.unwrap();
    let request = session.request(ProtocolId(0), "hello").await.unwrap();
    let (answer, moves) = read(&session, 9).await;
    session.answered(request).await.unwrap();
    assert!(moves == 0 && (answer == "one hello" || answer == "two hello"), "{answer:?}");

    let expected = if answer.starts_with("one") {
        one.abort();
        "two again"
    } else {
        two.abort();
        "one again"
    };
    let request = session.request(ProtocolId(0), "again").await.unwrap();
    assert_eq!(read(&session, 9).await, (expected.into(), 1));
    session.answered(request).await.unwrap();

    let refused = session.call(ProtocolId(0), "a call").await.unwrap_err();
    assert!(refused.to_string().contains("plain TCP"), "{refused}");
}

/// More than the system takes at a time goes through, in both directions.
#[tokio::test]
async fn many_octets_pass_in_both_directions() {
    const PIECE: usize = 200_000;
    const PIECES: usize = 20;
    let registrar =
        Registrar::builder().bind(local()).id(RegistrarId(1)).preset(Preset::Fast).start().await.unwrap();
    let (at, _server) = server("").await;
    let _element = element(&registrar, 0x11, at).await;
    let user = PoolUser::builder().bind(local()).preset(Preset::Fast).registrar(registrar.local_addr());
    let user = user.start().await.unwrap();
    let session = user.connect("Web").await.unwrap();
    let session = std::sync::Arc::new(session);
    let sender = std::sync::Arc::clone(&session);
    let sending = tokio::spawn(async move {
        for _ in 0..PIECES {
            sender.send(ProtocolId(0), vec![b'x'; PIECE], Delivery::Once).await.unwrap();
        }
    });
    // It begins to read when the other end can take no more.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let (octets, moves) = read(&session, PIECE * PIECES).await;
    assert_eq!((octets.len(), moves), (PIECE * PIECES, 0));
    assert!(octets.bytes().all(|octet| octet == b'x'));
    sending.await.unwrap();
}
