//! Scripts of the element, with virtual time: exact actions and notices for every event.

mod cards;
mod cookies;
mod leave;
mod load;
mod membership;
mod random;
mod sessions;

use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::{
    Answer, Command, DeregistrationError, Element, ElementConfig, Message, Notice, Refusal,
    RegistrationError, Status, UpdateError,
};
use crate::base::{
    AssociationId, CommandId, ElementId, Instant, RegistrarId, SctpAddress, SctpPort, TransportAddress,
    UdpPort,
};
use crate::endpoint::hunt::HuntConfig;
use crate::endpoint::testing::{
    DATA, abort, asap, at, cancel, connect, connect_failed, connected, data, disconnected, drain, encode,
    heard, ip, ms, received, registrar, shutdown,
};
use crate::endpoint::{
    AbortCause, AbortReason, Action, Channel, DownReason, Endpoint, Event, MAX_MESSAGE, Output,
};
use crate::wire::{
    AsapMessage, CauseCode, EncapsulationPorts, ErrorCause, OperationError, Policy, PoolElement,
    RegistrationLife, SctpTransport, Transport, TransportUse,
};

const ID: ElementId = ElementId(0x2001);
/// The association with the home registrar in most scripts.
const HOME: u64 = 1;

type Step = (Vec<Action>, Vec<Output<Answer, Notice>>);

/// T2 and T3 are 100 ms, T4 is 1 s, MAX-REG-ATTEMPT is 2, a round of the hunt lasts 50 ms.
fn config(registrars: &[u8]) -> ElementConfig {
    let registrars = registrars.iter().copied().map(registrar).collect();
    let hunt = HuntConfig { timeout: ms(50), timeout_max: ms(50), ..HuntConfig::fast(registrars) };
    ElementConfig {
        id: Some(ID),
        registration_timeout: ms(100),
        deregistration_timeout: ms(100),
        reregistration_interval: Some(ms(1_000)),
        addresses: vec![ip(100)],
        udp_port: UdpPort(40_001),
        hunt,
        ..ElementConfig::rfc("pool".into(), 1)
    }
}

/// An element that has just found registrar 1 and sent its first registration, at 10 ms.
fn found(registrars: &[u8]) -> Element {
    let mut element = Element::new(config(registrars), Instant::ORIGIN);
    drain(&mut element);
    let step = event(&mut element, 10, connected(HOME, Some(1), registrar(1)));
    let cancelled = (2..=registrars.len() as u64).map(cancel);
    assert_eq!(step, (cancelled.chain([registration(HOME, 0)]).collect(), vec![]));
    element
}

/// An element that registrar 1 has registered at 20 ms; T4 expires at 1,020 ms.
fn registered(registrars: &[u8]) -> Element {
    let mut element = found(registrars);
    let step = event(&mut element, 20, granted(HOME));
    assert_eq!(step, (vec![], vec![Output::Notice(at_home(0, 1))]));
    element
}

/// The same with a policy.
fn registered_with(policy: Policy) -> Element {
    let mut element = Element::new(ElementConfig { policy, ..config(&[1]) }, Instant::ORIGIN);
    drain(&mut element);
    event(&mut element, 10, connected(HOME, Some(1), registrar(1)));
    event(&mut element, 20, granted(HOME));
    element
}

fn updated(command: u64, result: Result<(), UpdateError>) -> Output<Answer, Notice> {
    Output::Answer(CommandId(command), Answer::Updated(result))
}

/// The registrar at this host is lost.
fn lost(host: u8) -> Output<Answer, Notice> {
    Output::Notice(Notice::RegistrarLost { registrar: registrar(host) })
}

fn event(element: &mut Element, now: u64, event: Event) -> Step {
    element.handle_event(at(now), event);
    drain(element)
}

fn command(element: &mut Element, now: u64, id: u64, command: Command) -> Step {
    element.handle_command(at(now), CommandId(id), command);
    drain(element)
}

/// Lets the next deadline expire, which must be at `now`.
fn expire(element: &mut Element, now: u64) -> Step {
    assert_eq!(element.poll_timeout(), Some(at(now)));
    element.handle_timeout(at(now) + core::time::Duration::ZERO);
    drain(element)
}

fn registration(association: u64, home: u32) -> Action {
    registration_of(association, home, Policy::RoundRobin)
}

fn registration_of(association: u64, home: u32, policy: Policy) -> Action {
    let element = PoolElement {
        id: ID,
        home: RegistrarId(home),
        life: RegistrationLife(300),
        user_transport: Transport::Sctp(SctpTransport {
            port: 7,
            usage: TransportUse::DataPlusControl,
            addresses: vec![ip(100)].into(),
        }),
        policy,
        asap_transport: None,
        encapsulation: Some(EncapsulationPorts { user: 40_001, asap: 40_001 }),
    };
    asap(association, &AsapMessage::Registration { handle: "pool".into(), element })
}

fn response(association: u64, rejected: bool, error: Option<OperationError>) -> Event {
    heard(
        association,
        &AsapMessage::RegistrationResponse { rejected, handle: "pool".into(), element: ID, error },
    )
}

fn granted(association: u64) -> Event {
    response(association, false, None)
}

fn at_home(home: u32, host: u8) -> Notice {
    Notice::Registered { home: RegistrarId(home), registrar: registrar(host), warning: None }
}

fn keep_alive(association: u64, home: bool, from: u32) -> Event {
    let message = AsapMessage::EndpointKeepAlive {
        home,
        registrar: RegistrarId(from),
        handle: "pool".into(),
        element: None,
    };
    heard(association, &message)
}

fn ack(association: u64) -> Action {
    asap(association, &AsapMessage::EndpointKeepAliveAck { handle: "pool".into(), element: ID })
}

fn deregistration(association: u64) -> Action {
    asap(association, &AsapMessage::Deregistration { handle: "pool".into(), element: ID })
}

fn deregistered(association: u64) -> Event {
    let message = AsapMessage::DeregistrationResponse { handle: "pool".into(), element: ID, error: None };
    heard(association, &message)
}

fn user(port: u16) -> TransportAddress {
    SctpAddress::new(ip(200), SctpPort(port), UdpPort(9899)).into()
}

/// There is no room for an association.
fn busy(association: u64) -> Action {
    Action::Abort { association: AssociationId::sctp(association), cause: AbortCause::OutOfResource }
}
