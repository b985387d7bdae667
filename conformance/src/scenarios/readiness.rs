//! Waiting until something is there, and how things are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_lite::future::zip;
use rserpool_core::base::ElementId;
use rserpool_core::wire::Policy;
use rserpool_driver::vocabulary::{CallError, RegistrarState, RequestLimits, UnansweredReason, UserError};

use super::mortal::{Mortal, Process};
use super::scope::{ECHO, Make, POOL, TheUser, element, element_builder, eventually, pause, registrar, user};

/// A user waits for the first element of its pool, as long as it says; the session has limits of its own.
pub async fn a_user_waits_for_its_pool<G: Make, E: Make>() {
    let registrar = registrar::<G>(1, &[]).await;
    let at = [registrar.local_addr()];
    let user: TheUser<E> = user(&at).await;
    let short = Duration::from_millis(100);
    assert_eq!(user.wait_for_pool(POOL, short).await, Err(UserError::UnknownPool));
    assert_eq!(user.connect(POOL).wait_for_pool(short).await.err(), Some(UserError::UnknownPool));
    assert_eq!(user.connect(POOL).await.err(), Some(UserError::UnknownPool));
    let limits = RequestLimits::default().deadline(short);
    let connect = user.connect(POOL).wait_for_pool(Duration::from_secs(60)).limits(limits);
    let join = async {
        pause::<E>(short).await;
        element::<E>(7, &at).await
    };
    let (session, element) = zip(connect, join).await;
    let session = session.unwrap();
    assert_eq!(session.element(), ElementId(7));
    let there = user.wait_for_pool(POOL, short).await.unwrap();
    assert_eq!(there.elements.len(), 1);
    // Nobody answers; the limit is that of the session.
    let answer = session.call(ECHO, "unheard").await;
    assert_eq!(answer, Err(CallError::Unanswered(UnansweredReason::Deadline)));
    let status = session.status().await.unwrap();
    assert_eq!((status.handle, status.element), (POOL.into(), Some(ElementId(7))));
    assert_eq!((status.unanswered, status.cookie_octets, status.failovers), (0, None, 0));
    assert_eq!(registrar.status().await.unwrap().state, RegistrarState::Serving);
    let status = user.status().await.unwrap();
    assert_eq!((status.registrar.is_some(), status.sessions), (true, 1));
    let (user, element) = (user.counters().await.unwrap(), element.counters().await.unwrap());
    assert_eq!((user.sessions_opened, user.requests_given_up, element.sessions_opened), (1, 1, 1));
}

/// Without a registrar that answers, waiting says so.
pub async fn a_user_that_waits_says_for_what<G: Make, E: Make>() {
    let gone = registrar::<G>(1, &[]).await;
    let at = gone.local_addr();
    gone.kill().await;
    let user: TheUser<E> = user(&[at]).await;
    let outcome = user.wait_for_pool(POOL, Duration::from_millis(300)).await;
    assert!(matches!(&outcome, Err(UserError::NoRegistrar { tried }) if tried.len() == 1), "{outcome:?}");
}

/// An element is asked for its load, and the registrar hears of it; that keeps nobody in its pool.
pub async fn the_load_of_an_element_is_asked_for<G: Make, E: Make>() {
    let registrar = registrar::<G>(1, &[]).await;
    let at = [registrar.local_addr()];
    let (runtime, life) = Mortal::new();
    let builder = element_builder::<E>(7, &at).policy(Policy::LeastUsed { load: 0 });
    let builder = builder.configure(|config| config.load_interval = Duration::from_millis(20));
    let element = Process::new(builder.runtime(runtime).start().await.unwrap(), life);
    element.registered().await.unwrap();
    let load = Arc::new(AtomicU32::new(25));
    let asked = Arc::clone(&load);
    element.load_from(Duration::from_millis(20), move || f64::from(asked.load(Ordering::Relaxed)) / 100.0);
    for percent in [25_u32, 75, 150] {
        load.store(percent, Ordering::Relaxed);
        let expected = (f64::from(percent.min(100)) / 100.0 * f64::from(u32::MAX)) as u32;
        eventually::<E, _, _>(|| async {
            let pools = registrar.pools().await.unwrap();
            let told =
                pools.iter().flat_map(|pool| &pool.elements).next().map(|element| element.policy.clone());
            (told == Some(Policy::LeastUsed { load: expected })).then_some(())
        })
        .await;
    }
    drop(element);
    eventually::<E, _, _>(|| async { registrar.pools().await.unwrap().is_empty().then_some(()) }).await;
}
