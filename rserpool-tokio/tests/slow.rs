//! Slow is not dead: users with slow requests, requests that nobody answers, and applications that do not take their
//! answers cost no element its place, no request a second execution, and no other user anything.

#![allow(clippy::unwrap_used, reason = "only tests use this")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rserpool_core::base::ProtocolId;
use rserpool_core::registrar::Figures;
use rserpool_tokio::{
    Delivery, ElementEvent, PoolElement, PoolUser, Preset, Refusal, Registrar, Session, SessionEvent,
    TcpListening,
};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const TEXT: ProtocolId = ProtocolId(0);
/// Longer than everything that decides about life and death with the fast preset.
const SLOW: Duration = Duration::from_millis(1_500);
/// For a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(30);

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A registrar and three elements that count what they execute.
struct Scope {
    registrar: Registrar,
    _elements: Vec<PoolElement>,
    executed: Arc<AtomicUsize>,
}

impl Scope {
    async fn start() -> Self {
        let registrar = Registrar::builder().bind(loopback()).preset(Preset::Fast).tcp(TcpListening::No);
        let registrar = registrar.start().await.unwrap();
        let (mut elements, executed) = (Vec::new(), Arc::new(AtomicUsize::new(0)));
        for _ in 0..3 {
            let element = PoolElement::builder("pool").bind(loopback()).preset(Preset::Fast);
            let element = element.registrar(registrar.local_addr()).start().await.unwrap();
            tokio::spawn(serve(element.clone(), executed.clone()));
            elements.push(element);
        }
        while registrar.counters().await.unwrap().sizes.own_elements < 3 {
            sleep(Duration::from_millis(10)).await;
        }
        Self { registrar, _elements: elements, executed }
    }

    async fn user(&self) -> PoolUser {
        let user = PoolUser::builder().bind(loopback()).preset(Preset::Fast);
        user.registrar(self.registrar.local_addr()).start().await.unwrap()
    }

    async fn figures(&self) -> Figures {
        self.registrar.counters().await.unwrap()
    }

    /// Nobody was reported, and nobody has left.
    async fn assert_whole(&self) {
        let figures = self.figures().await;
        assert_eq!((figures.sizes.elements, figures.counters.unreachable_reports), (3, 0));
    }
}

/// Answers at once; to `slow` after a while, and to `poison` never.
async fn serve(element: PoolElement, executed: Arc<AtomicUsize>) {
    while let Some(event) = element.next_event().await {
        let ElementEvent::Received { session, protocol, bytes, .. } = event else { continue };
        executed.fetch_add(1, Ordering::Relaxed);
        let (wait, element) = match &bytes[..] {
            b"poison" => continue,
            b"slow" => (SLOW, element.clone()),
            _ => (Duration::ZERO, element.clone()),
        };
        tokio::spawn(async move {
            sleep(wait).await;
            // The user may take no answers for a while.
            while element.send(session, protocol, bytes.clone()).await == Err(Refusal::Congested) {
                sleep(Duration::from_millis(10)).await;
            }
        });
    }
}

/// Sends a request, and takes its answer; anything else is a mistake.
async fn ask(session: &Session, text: &'static str) {
    let request = session.request(TEXT, text).await.unwrap();
    match timeout(PATIENCE, session.next_event()).await.unwrap() {
        Some(SessionEvent::Received { bytes, .. }) => assert_eq!(&bytes[..], text.as_bytes()),
        other => panic!("{other:?}"),
    }
    session.answered(request).await.unwrap();
}

#[tokio::test]
async fn users_with_slow_requests_expel_nobody() {
    let scope = Scope::start().await;
    let mut users = JoinSet::new();
    for _ in 0..4 {
        let user = scope.user().await;
        users.spawn(async move { ask(&user.connect("pool").await.unwrap(), "slow").await });
    }
    users.join_all().await;
    assert_eq!(scope.executed.load(Ordering::Relaxed), 4, "each request once");
    scope.assert_whole().await;
}

#[tokio::test]
async fn a_request_that_is_never_answered_holds_up_no_other() {
    let scope = Scope::start().await;
    let session = scope.user().await.connect("pool").await.unwrap();
    let element = session.element();
    session.request(TEXT, "poison").await.unwrap();
    for _ in 0..200 {
        ask(&session, "fast").await;
        sleep(Duration::from_millis(5)).await;
    }
    assert_eq!((session.element(), scope.executed.load(Ordering::Relaxed)), (element, 201));
    scope.assert_whole().await;
}

#[tokio::test]
async fn an_application_that_takes_no_answers_stops_its_own_session_only() {
    let scope = Scope::start().await;
    let user = scope.user().await;
    let (lazy, good) = (user.connect("pool").await.unwrap(), user.connect("pool").await.unwrap());
    let (mut sent, message) = (0, vec![0; 1_000]);
    loop {
        match lazy.try_send(TEXT, message.clone(), Delivery::Once).await {
            Ok(()) => sent += 1,
            Err(Refusal::Congested) => break,
            Err(other) => panic!("{other}"),
        }
        assert!(sent < 100_000, "a queue without bound");
    }
    ask(&good, "fast").await;
    timeout(PATIENCE, user.resolve_items("pool", None)).await.unwrap().unwrap();
    timeout(PATIENCE, user.connect("pool")).await.unwrap().unwrap();
    // It takes them after all: none is missing, and the session is where it was.
    for number in 0..sent {
        let event = timeout(PATIENCE, lazy.next_event()).await.unwrap();
        assert!(matches!(event, Some(SessionEvent::Received { .. })), "{number} of {sent}: {event:?}");
    }
    scope.assert_whole().await;
}
