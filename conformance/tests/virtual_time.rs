//! The scenarios in virtual time, and what only a virtual clock can show.

use std::time::Duration;

use conformance::scenarios::{LIMIT, World, bounded};
use rserpool_core::base::Instant;
use rserpool_driver::vocabulary::{ElementEvent, Preset};
use rserpool_driver::{PoolElement, Registrar, Runtime};

conformance::scenarios!(World, World, World::block_on);

/// What an endpoint decides when it is made is carried out at once, not at its first deadline: with
/// the RFC's timers that would be the end of a round of the hunt, 10 s later.
#[test]
fn an_element_registers_at_once() {
    bounded(LIMIT, || World::block_on(register()));
}

async fn register() {
    let loopback = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let registrar = Registrar::<World>::builder().bind(loopback).start().await.expect("a registrar");
    let builder = PoolElement::<World>::builder("EchoPool").registrar(registrar.local_addr());
    let element = builder.bind(loopback).preset(Preset::Rfc).start().await.expect("an element");
    let event = element.next_event().await;
    assert!(matches!(event, Some(ElementEvent::Registered { .. })), "{event:?}");
    assert!(World::default().now() < Instant::ORIGIN + Duration::from_secs(1));
}
