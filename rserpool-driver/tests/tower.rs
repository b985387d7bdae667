//! Calls as a service of tower.
#![cfg(feature = "tower")]
#![allow(clippy::unwrap_used, reason = "this is a test")]

use std::thread;

use rserpool_blocking::{Bytes, CallOptions, PoolElement, PoolUser, Preset, ProtocolId, Registrar, Wait};
use tower_service::Service;

#[test]
fn calls_are_a_service() {
    let loopback = "127.0.0.1:0".parse().unwrap();
    let registrar = Registrar::builder().bind(loopback).start().wait().unwrap();
    let builder = PoolElement::builder("EchoPool").registrar(registrar.local_addr());
    let element = builder.bind(loopback).preset(Preset::Fast).start().wait().unwrap();
    let server = element.clone();
    thread::spawn(move || server.serve(|call| async move { call.bytes }).wait());
    element.registered().wait().unwrap();
    let builder = PoolUser::builder().registrar(registrar.local_addr());
    let user = builder.bind(loopback).preset(Preset::Fast).start().wait().unwrap();
    let session = user.connect("EchoPool").wait().unwrap();
    let mut service = session.service(ProtocolId(0), CallOptions::default());
    let (first, second) = (service.call(Bytes::from("first")), service.clone().call(Bytes::from("second")));
    assert_eq!((second.wait().unwrap(), first.wait().unwrap()), ("second".into(), "first".into()));
}
