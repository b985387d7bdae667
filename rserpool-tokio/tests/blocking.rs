//! The example `blocking` of `rserpool-transport` as the registrar of real elements and users: a thread with a
//! socket, without a runtime, serves what has one.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rserpool_tokio::{ElementEvent, Inspector, PoolElement, PoolUser, Preset, ProtocolId, SessionEvent};

#[path = "../../rserpool-transport/examples/blocking.rs"]
#[allow(dead_code, unreachable_pub, reason = "a program, whose main is not called here")]
#[allow(unfulfilled_lint_expectations, reason = "clocks are banned there, not here")]
mod blocking;

/// How long everything may take on a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(60);

/// Registers (ASAP-3.1-01), answers keep-alives, is resolved and talked to, leaves; and the loop ends.
#[test]
fn a_thread_with_a_socket_is_a_registrar() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let registrar = socket.local_addr().unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let server = scope.spawn(|| blocking::serve(&socket, &stop));
        let outcome = tokio::runtime::Runtime::new()
            .unwrap()
            .block_on(async { tokio::time::timeout(PATIENCE, use_it(registrar)).await });
        // Whatever came of it, the thread must not be waited for in vain.
        stop.store(true, Ordering::Relaxed);
        server.join().unwrap().unwrap();
        outcome.unwrap();
    });
}

async fn use_it(registrar: std::net::SocketAddr) {
    let local = || "127.0.0.1:0".parse().unwrap();
    let element = PoolElement::builder("EchoPool")
        .registrar(registrar)
        .bind(local())
        .preset(Preset::Fast)
        .start()
        .await
        .unwrap();
    assert!(matches!(element.next_event().await, Some(ElementEvent::Registered { .. })));
    let echo = element.clone();
    let serving = tokio::spawn(async move {
        while let Some(event) = echo.next_event().await {
            if let ElementEvent::Received { session, protocol, bytes, .. } = event {
                echo.send(session, protocol, bytes).await.unwrap();
            }
        }
    });

    let inspector = Inspector::builder(registrar).bind(local()).preset(Preset::Fast).start().await.unwrap();
    while counter(&inspector, "keep_alive_acks").await < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(counter(&inspector, "registrations").await, 1);
    assert_eq!(counter(&inspector, "removed_silent").await, 0);

    let user =
        PoolUser::builder().registrar(registrar).bind(local()).preset(Preset::Fast).start().await.unwrap();
    let session = user.connect("EchoPool").await.unwrap();
    let request = session.request(ProtocolId(0), "hello").await.unwrap();
    loop {
        match session.next_event().await.unwrap() {
            SessionEvent::Received { element: from, bytes, .. } => {
                assert_eq!((from, &bytes[..]), (element.id(), &b"hello"[..]));
                break;
            }
            // A busy machine may make the session look further; there is one element only.
            SessionEvent::FailedOver { to, .. } => assert_eq!(to, element.id()),
            _ => {}
        }
    }
    session.answered(request).await.unwrap();

    user.shutdown(Duration::from_secs(2)).await;
    element.shutdown(Duration::from_secs(2)).await;
    serving.await.unwrap();
    let snapshot = inspector.handlespace().await.unwrap();
    assert!(snapshot.pools.is_empty(), "{snapshot:?}");
    assert_eq!(counter(&inspector, "deregistrations").await, 1);
    inspector.shutdown(Duration::from_secs(2)).await;
}

async fn counter(inspector: &Inspector, name: &str) -> u64 {
    let counters = inspector.counters().await.unwrap();
    counters.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no {name}")).1
}
