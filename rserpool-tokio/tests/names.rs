//! Registrars that are known by the names of their hosts.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rserpool_tokio::{PoolElement, PoolUser, Preset, Registrar, StartError};

const LIMIT: Duration = Duration::from_secs(60);

/// A name leads elsewhere after a while: an element and a user find the registrar there by themselves. Meanwhile nobody
/// answers.
#[tokio::test]
async fn names_are_looked_up_again() {
    let loopback = "127.0.0.1:0".parse().unwrap();
    let registrar = Registrar::builder().bind(loopback).start().await.unwrap();
    // Bound, and silent.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let (nobody, somebody) = (silent.local_addr().unwrap(), registrar.local_addr());
    let asked = Arc::new(AtomicU32::new(0));
    let look_up = |asked: &Arc<AtomicU32>| {
        let asked = Arc::clone(asked);
        move |name: &str| {
            assert_eq!(name, "registrar.example");
            Ok(vec![if asked.fetch_add(1, Ordering::Relaxed) < 2 { nobody } else { somebody }])
        }
    };
    let element = PoolElement::builder("EchoPool")
        .registrar_name("registrar.example")
        .look_up_by(look_up(&asked))
        .bind(loopback)
        .preset(Preset::Fast)
        .start()
        .await
        .unwrap();
    tokio::time::timeout(LIMIT, element.registered()).await.unwrap().unwrap();
    assert!(asked.swap(0, Ordering::Relaxed) >= 3);
    let user = PoolUser::builder()
        .registrar_name("registrar.example")
        .look_up_by(look_up(&asked))
        .bind(loopback)
        .preset(Preset::Fast)
        .start()
        .await
        .unwrap();
    assert_eq!(user.wait_for_pool("EchoPool", LIMIT).await.unwrap().elements.len(), 1);
    assert!(asked.load(Ordering::Relaxed) >= 3);
}

/// The operating system is asked unless something else is said; a name that leads nowhere stops the start, unless another
/// one is found.
#[tokio::test]
async fn a_name_that_leads_nowhere_is_told() {
    let builder = || PoolUser::builder().bind("127.0.0.1:0".parse().unwrap());
    assert!(builder().registrar_name("localhost").check().is_ok());
    assert!(builder().registrar_name("localhost:9899").start().await.is_ok());
    let nowhere = |name: &str| match name {
        "known" => Ok(vec!["127.0.0.1:1".parse().unwrap()]),
        _ => Err(io::Error::other("no such host")),
    };
    let outcome = builder().registrar_name("unknown").look_up_by(nowhere).start().await;
    assert!(matches!(&outcome, Err(StartError::Name { name, .. }) if name == "unknown"), "{outcome:?}");
    assert!(outcome.unwrap_err().to_string().starts_with("cannot look up unknown: no such host"));
    assert!(
        builder().registrar_name("unknown").registrar_name("known").look_up_by(nowhere).start().await.is_ok()
    );
}
