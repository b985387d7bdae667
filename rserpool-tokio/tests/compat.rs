//! Octets of a session by the traits of tokio.

use rserpool_tokio::{Compat, PoolElement, PoolUser, Preset, ProtocolId, Registrar};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, split};

#[tokio::test]
async fn octets_are_copied_by_tokio() {
    const NONE: ProtocolId = ProtocolId(0);
    let loopback = "127.0.0.1:0".parse().unwrap();
    let registrar = Registrar::builder().bind(loopback).start().await.unwrap();
    let builder = PoolElement::builder("EchoPool").registrar(registrar.local_addr());
    let element = builder.bind(loopback).preset(Preset::Fast).start().await.unwrap();
    let server = element.clone();
    tokio::spawn(async move {
        while let Some(session) = server.accept().await {
            let (mut read, mut write) = split(Compat::new(session.octets(NONE)));
            tokio::spawn(async move { copy(&mut read, &mut write).await });
        }
    });
    element.registered().await.unwrap();
    let builder = PoolUser::builder().registrar(registrar.local_addr());
    let user = builder.bind(loopback).preset(Preset::Fast).start().await.unwrap();
    let session = user.connect("EchoPool").await.unwrap();
    let mut octets = Compat::new(session.octets(NONE));
    let (sent, mut back) = (vec![7; 50_000], vec![0; 50_000]);
    octets.write_all(&sent).await.unwrap();
    octets.flush().await.unwrap();
    octets.read_exact(&mut back).await.unwrap();
    assert_eq!(back, sent);
    octets.shutdown().await.unwrap();
}
