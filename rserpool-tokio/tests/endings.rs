//! What goes wrong before an endpoint runs, and after: errors that say what it is.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rserpool_core::base::Random;
use rserpool_core::policy::{SelectionPolicy, Slot};
use rserpool_core::wire::PolicyType;
use rserpool_tokio::{
    AssociationId, ElementEvent, Ended, Inspector, Policy, PoolElement, PoolUser, Preset, ProtocolId,
    Refusal, Registrar, StartError, UserError, UserEvent,
};
use tokio::runtime::Builder;

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// Where nobody is.
fn nobody() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9))
}

async fn start() -> Result<PoolUser, StartError> {
    PoolUser::builder().bind(loopback()).registrar(nobody()).start().await
}

#[test]
fn a_runtime_that_cannot_run_it_is_an_error() {
    let fails = |result: Result<PoolUser, StartError>, why: &str| {
        let error = result.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with("the runtime cannot run an endpoint") && error.contains(why), "{error}");
    };
    let mut outside = pin!(start());
    let Poll::Ready(result) = outside.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("it waits for nothing")
    };
    fails(result, "no reactor running");
    let bare = Builder::new_current_thread().build().unwrap();
    fails(bare.block_on(start()), "I/O is not enabled");
    let timeless = Builder::new_current_thread().enable_io().build().unwrap();
    fails(timeless.block_on(start()), "time is not enabled");
    let whole = Builder::new_current_thread().enable_all().build().unwrap();
    assert!(whole.block_on(start()).is_ok());
}

#[tokio::test]
async fn what_can_reach_nobody_does_not_start() {
    let error = PoolUser::builder().bind(loopback()).start().await.unwrap_err();
    assert!(matches!(error, StartError::NoRegistrar), "{error}");
    let v6 = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 9899));
    for error in [
        PoolUser::builder().bind(loopback()).registrar(v6).start().await.err(),
        PoolElement::builder("pool").bind(loopback()).registrar(v6).start().await.err(),
        Inspector::builder(v6).bind(loopback()).start().await.err(),
    ] {
        assert!(matches!(error, Some(StartError::Unreachable { address, .. }) if address == v6), "{error:?}");
    }
    // One that can be reached is enough.
    assert!(PoolUser::builder().bind(loopback()).registrar(v6).registrar(nobody()).start().await.is_ok());
}

#[tokio::test]
async fn opening_says_what_it_waits_for_and_ends_in_time() {
    let user =
        PoolUser::builder().bind(loopback()).registrar(nobody()).preset(Preset::Fast).start().await.unwrap();
    let error = user.connect_within("pool", Duration::from_secs(3)).await.err();
    assert!(matches!(error, Some(UserError::NoRegistrar { .. })), "{error:?}");
    let mut told = Vec::new();
    while !matches!(told.last(), Some(UserEvent::Opening { .. })) {
        told.push(user.next_event().await.unwrap());
    }
    let Some(UserEvent::Opening { awaited, .. }) = told.pop() else { panic!("{told:?}") };
    assert_eq!(awaited.to_string(), "no registrar answers so far (127.0.0.1:9/3863)");
    let error = user.resolve("x".repeat(2_000)).await.unwrap_err();
    assert_eq!(error.to_string(), "a pool handle has 1 to 1024 octets, and this one has 2000: check it");
}

const FAULTY: PolicyType = PolicyType(0x8000_0001);

/// A policy that fails as soon as it has an element.
#[derive(Debug, Default)]
struct Faulty;

impl SelectionPolicy for Faulty {
    fn insert(&mut self, _: Slot, _: &Policy) {
        panic!("this policy is faulty");
    }

    fn remove(&mut self, _: Slot) {}

    fn select(&mut self, _: &mut Random, _: usize, _: &mut Vec<Slot>) {}
}

#[tokio::test]
async fn a_panic_is_told_to_those_who_hold_handles() {
    let policy = || Policy::Other { kind: FAULTY, data: rserpool_tokio::Bytes::new() };
    let registrar = Registrar::builder()
        .bind(loopback())
        .configure(|config| config.policies.add(FAULTY, || Faulty).unwrap())
        .start()
        .await
        .unwrap();
    let element = PoolElement::builder("pool")
        .bind(loopback())
        .registrar(registrar.local_addr())
        .policy(policy())
        .start()
        .await
        .unwrap();
    let Err(Ended::Panicked(panicked)) = registrar.ended().await else { panic!("it has panicked") };
    assert_eq!(panicked.message, "this policy is faulty");
    assert_eq!(
        registrar.pools().await.unwrap_err().to_string(),
        "the endpoint has panicked (this policy is faulty): mend that, and start another one"
    );
    element.shutdown(Duration::ZERO).await;
    assert_eq!(element.ended().await, Ok(()));
    let send = element.send(AssociationId::sctp(1), ProtocolId(0), "x");
    assert_eq!(send.await, Err(Refusal::ShuttingDown));
}

#[tokio::test]
async fn a_panic_of_a_user_is_told_to_its_callers() {
    let registrar = Registrar::builder()
        .bind(loopback())
        .configure(|config| config.policies.add(FAULTY, rserpool_core::policy::Ring::default).unwrap())
        .start()
        .await
        .unwrap();
    let at = registrar.local_addr();
    let policy = Policy::Other { kind: FAULTY, data: rserpool_tokio::Bytes::new() };
    let element =
        PoolElement::builder("pool").bind(loopback()).registrar(at).policy(policy).start().await.unwrap();
    while !matches!(element.next_event().await, Some(ElementEvent::Registered { .. })) {}
    let user = PoolUser::builder()
        .bind(loopback())
        .registrar(at)
        .configure(|config| config.policies.add(FAULTY, || Faulty).unwrap())
        .start()
        .await
        .unwrap();
    let panicked = UserError::Panicked("this policy is faulty".into());
    assert_eq!(user.connect("pool").await.err(), Some(panicked.clone()));
    assert_eq!(user.resolve("pool").await.err(), Some(panicked));
    assert!(user.ended().await.is_err());
}
