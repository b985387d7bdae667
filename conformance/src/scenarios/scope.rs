//! What the scenarios are made of: endpoints on loopback, and ways to wait for what they do.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use rserpool_core::base::{ElementId, ProtocolId, RegistrarId};
use rserpool_core::element::ElementConfig;
use rserpool_core::registrar::RegistrarConfig;
use rserpool_core::user::UserConfig;
use rserpool_core::wire::PoolEntry;
use rserpool_driver::vocabulary::{Builder, ElementEvent, Preset, SessionEvent};
use rserpool_driver::{PoolElement, PoolUser, Registrar, Runtime, Session, TcpListening};
use rserpool_transport::sctp::SctpConfig;

use super::mortal::{Mortal, Process};

/// The pool of all scenarios.
pub(super) const POOL: &str = "EchoPool";
/// The payload protocol of all messages: none.
pub(super) const ECHO: ProtocolId = ProtocolId(0);

/// How long a busy machine may stand still without looking dead to anybody. All that wait for a
/// death wait at least as long.
const STALL: Duration = Duration::from_secs(1);
/// The pause between two looks at something that will come.
const LOOK: Duration = Duration::from_millis(20);

/// A runtime that can make itself.
pub trait Make: Runtime + Default {}

impl<R: Runtime + Default> Make for R {}

pub(super) type TheRegistrar<R> = Process<Registrar<Mortal<R>>>;
pub(super) type TheElement<R> = Process<PoolElement<Mortal<R>>>;
pub(super) type TheUser<R> = Process<PoolUser<Mortal<R>>>;

pub(super) fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A registrar, and the peers that it knows from the start.
pub(super) async fn registrar<R: Make>(id: u32, peers: &[SocketAddr]) -> TheRegistrar<R> {
    let (runtime, life) = Mortal::new();
    Process::new(registrar_builder(id, peers).runtime(runtime).start().await.unwrap(), life)
}

/// A registrar that users reach by TCP, too.
pub(super) async fn tcp_registrar<R: Make>(id: u32, peers: &[SocketAddr]) -> TheRegistrar<R> {
    let (runtime, life) = Mortal::new();
    let builder = registrar_builder(id, peers).tcp(TcpListening::At(None, 0));
    Process::new(builder.runtime(runtime).start().await.unwrap(), life)
}

pub(super) fn registrar_builder<R: Make>(
    id: u32,
    peers: &[SocketAddr],
) -> Builder<Mortal<R>, RegistrarConfig> {
    let builder = Registrar::builder().bind(loopback()).id(RegistrarId(id));
    let builder = peers.iter().fold(builder, |builder, peer| builder.peer(*peer));
    let builder = builder.preset(Preset::Fast).seed(id.into()).configure(|config| {
        config.keep_alive_timeout = STALL;
        config.enrp.mentor_timeout = STALL;
        config.enrp.heartbeat_cycle = STALL / 4;
        config.enrp.max_time_last_heard = STALL;
        config.enrp.max_time_no_response = STALL / 2;
    });
    builder.configure_sctp(patient)
}

/// An element that knows these registrars, and has not registered yet.
pub(super) async fn element<R: Make>(id: u32, registrars: &[SocketAddr]) -> TheElement<R> {
    let (runtime, life) = Mortal::new();
    Process::new(element_builder(id, registrars).runtime(runtime).start().await.unwrap(), life)
}

pub(super) fn element_builder<R: Make>(
    id: u32,
    registrars: &[SocketAddr],
) -> Builder<Mortal<R>, ElementConfig> {
    let builder = PoolElement::builder(POOL).bind(loopback()).id(ElementId(id));
    let builder = registrars.iter().fold(builder, |builder, registrar| builder.registrar(*registrar));
    let builder = builder.preset(Preset::Fast).seed(id.into()).configure(|config| {
        config.registration_timeout = STALL;
        config.hunt.timeout = STALL;
    });
    builder.configure_sctp(patient)
}

/// An element that has registered and answers every message with the same.
pub(super) async fn server<R: Make>(id: u32, registrars: &[SocketAddr]) -> TheElement<R> {
    let element = element::<R>(id, registrars).await;
    registered(&element).await;
    serve(&element);
    element
}

/// Lets an element answer every message with the same.
pub(super) fn serve<R: Make>(element: &PoolElement<Mortal<R>>) {
    let echo = element.clone();
    R::default().spawn(Box::pin(async move {
        while let Some(event) = echo.next_event().await {
            if let ElementEvent::Received { session, protocol, bytes, .. } = event {
                let _ = echo.send(session, protocol, bytes).await;
            }
        }
    }));
}

/// A user that knows these registrars.
pub(super) async fn user<R: Make>(registrars: &[SocketAddr]) -> TheUser<R> {
    let (runtime, life) = Mortal::new();
    Process::new(user_builder(registrars).runtime(runtime).start().await.unwrap(), life)
}

pub(super) fn user_builder<R: Make>(registrars: &[SocketAddr]) -> Builder<Mortal<R>, UserConfig> {
    let builder = PoolUser::builder().bind(loopback());
    let builder = registrars.iter().fold(builder, |builder, registrar| builder.registrar(*registrar));
    let builder = builder.preset(Preset::Fast).seed(99).configure(|config| {
        config.request_timeout = STALL / 2;
        config.connect_timeout = STALL;
        config.connect_stagger = STALL / 4;
        // No scenario lasts as long.
        config.exclusion = 600 * STALL;
        config.hunt.timeout = STALL;
    });
    builder.configure_sctp(patient)
}

fn patient(sctp: &mut SctpConfig) {
    sctp.max_silence = 2 * STALL;
}

/// A registrar, an element that has registered, a user, and a session between the latter.
pub(super) async fn one_of_each<G: Make, E: Make>()
-> (TheRegistrar<G>, TheElement<E>, TheUser<E>, Session<Mortal<E>>) {
    let registrar = registrar::<G>(1, &[]).await;
    let element = element::<E>(7, &[registrar.local_addr()]).await;
    registered(&element).await;
    let user = user::<E>(&[registrar.local_addr()]).await;
    let session = user.connect(POOL).await.unwrap();
    assert_eq!(session.element(), ElementId(7));
    (registrar, element, user, session)
}

/// Waits until an element has registered.
pub(super) async fn registered<R: Make>(element: &PoolElement<Mortal<R>>) {
    loop {
        match element.next_event().await.unwrap() {
            ElementEvent::Registered { .. } => return,
            ElementEvent::RegistrationFailed(error) => panic!("{error}"),
            _ => {}
        }
    }
}

/// Waits until the events of an element come to their end; the task that serves may take some of them.
pub(super) async fn ended<R: Make>(element: &PoolElement<Mortal<R>>) {
    while element.next_event().await.is_some() {}
}

/// Waits for the next message in a session.
pub(super) async fn received<R: Make>(session: &Session<Mortal<R>>) -> (ElementId, bytes::Bytes) {
    match session.next_event().await.unwrap() {
        SessionEvent::Received { element, bytes, .. } => (element, bytes),
        event => panic!("{event:?}"),
    }
}

/// A pause.
pub(super) async fn pause<R: Make>(long: Duration) {
    let runtime = R::default();
    runtime.sleep_until(runtime.now() + long).await;
}

/// Looks again and again until something is there; the watchdog ends it if it never is.
pub(super) async fn eventually<R: Make, T, F: Future<Output = Option<T>>>(mut look: impl FnMut() -> F) -> T {
    loop {
        if let Some(found) = look().await {
            return found;
        }
        pause::<R>(LOOK).await;
    }
}

/// The elements that a registrar lists, with their homes.
pub(super) async fn homes<R: Make>(registrar: &TheRegistrar<R>) -> Vec<(ElementId, RegistrarId)> {
    let pools: Vec<PoolEntry> = registrar.pools().await.unwrap();
    pools.iter().flat_map(|pool| &pool.elements).map(|element| (element.id, element.home)).collect()
}

/// Waits until a registrar lists exactly these elements.
pub(super) async fn await_elements<R: Make>(registrar: &TheRegistrar<R>, expected: &[u32]) {
    eventually::<R, _, _>(|| async {
        let homes = homes(registrar).await;
        homes.iter().map(|(id, _)| id.0).eq(expected.iter().copied()).then_some(())
    })
    .await;
}

/// Waits until a registrar knows another one.
pub(super) async fn await_peer<R: Make>(registrar: &TheRegistrar<R>, peer: RegistrarId) {
    eventually::<R, _, _>(|| async {
        let peers = registrar.peers().await.unwrap();
        peers.iter().any(|known| known.id == peer && known.connected).then_some(())
    })
    .await;
}
