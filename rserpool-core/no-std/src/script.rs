//! The life of a pool element, with a registrar and users that are octets in this file.
//!
//! Each step hands one thing in and fetches everything that the element has decided, as the contract
//! wants it. The octets are those of RFC 5352 and RFC 5354, written by hand, so that the program has no
//! more of the codec than an element needs.

use alloc::boxed::Box;
use alloc::vec;
use core::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{
    AssociationId, CommandId, ConnectId, ElementId, Instant, ProtocolId, RegistrarId, SctpAddress, SctpPort,
    UdpPort,
};
use rserpool_core::element::{Answer, Command, Element, ElementConfig, Message, Notice};
use rserpool_core::endpoint::{Action, Connected, DownReason, Endpoint, Event, Output};

use crate::HEAP;

/// Users at the same time.
const USERS: u64 = 64;

/// The association with the registrar; those of users have higher numbers.
const HOME: AssociationId = AssociationId::sctp(1);

/// ASAP_REGISTRATION: pool handle; PE identifier, no home, 300 s, SCTP port 7 on 192.0.2.2 for data
/// and control, round robin, UDP port 9899.
const REGISTRATION: &[u8] = b"\x01\0\0\x40\0\x09\0\x0cEchoPool\
    \0\x0a\0\x30\0\0\x20\x01\0\0\0\0\0\0\x01\x2c\
    \0\x04\0\x10\0\x07\0\x01\0\x01\0\x08\xc0\0\x02\x02\0\x08\0\x08\0\0\0\x01\xa6\xab\0\x08\x26\xab\x26\xab";

/// ASAP_REGISTRATION_RESPONSE: granted.
const GRANTED: &[u8] = b"\x03\0\0\x18\0\x09\0\x0cEchoPool\0\x0e\0\x08\0\0\x20\x01";

/// ASAP_ENDPOINT_KEEP_ALIVE of registrar 0x1, which is the home.
const KEEP_ALIVE: &[u8] = b"\x07\x01\0\x14\0\0\0\x01\0\x09\0\x0cEchoPool";

/// ASAP_ENDPOINT_KEEP_ALIVE_ACK.
const KEEP_ALIVE_ACK: &[u8] = b"\x08\0\0\x18\0\x09\0\x0cEchoPool\0\x0e\0\x08\0\0\x20\x01";

/// ASAP_DEREGISTRATION, and its response.
const DEREGISTRATION: &[u8] = b"\x02\0\0\x18\0\x09\0\x0cEchoPool\0\x0e\0\x08\0\0\x20\x01";
const DEREGISTERED: &[u8] = b"\x04\0\0\x18\0\x09\0\x0cEchoPool\0\x0e\0\x08\0\0\x20\x01";

/// What the users and the element say to each other.
const DATA: ProtocolId = ProtocolId(0);

/// The figures by name, in octets; or the number of the step that went wrong.
pub(crate) fn run() -> Result<[(&'static str, usize); 4], u8> {
    let start = HEAP.alive();
    let mut now = Instant::ORIGIN;

    // The driver begins by asking the element what it wants: to meet the registrar.
    let registrar = SctpAddress::new([192, 0, 2, 1].into(), SctpPort(3863), UdpPort(9899));
    let mut config = ElementConfig::rfc("EchoPool".into(), 1);
    config.id = Some(ElementId(0x2001));
    config.addresses = vec![[192, 0, 2, 2].into()];
    config.udp_port = UdpPort(9899);
    config.max_sessions = USERS as usize;
    config.hunt.registrars = vec![registrar.clone()];
    let mut element = Box::new(Element::new(config, now));
    let request = match element.poll_action() {
        Some(Action::Connect { request, local_port: SctpPort(7), peer, .. })
            if peer.as_sctp() == Some(&registrar) =>
        {
            request
        }
        _ => return Err(1),
    };
    expect(2, element.poll_action().is_none() && element.poll_timeout().is_some())?;

    // It registers, and renews that when T4 is due.
    element.handle_event(now, connected(HOME, Some(request), registrar));
    expect_sent(3, &mut element, HOME, ProtocolId::ASAP, REGISTRATION)?;
    element.handle_event(now, message(HOME, ProtocolId::ASAP, GRANTED));
    expect(4, matches!(element.poll_output(), Some(Output::Notice(Notice::Registered { .. }))))?;
    expect(5, element.poll_timeout() == Some(now + Duration::from_secs(280)))?;
    for step in 6..10 {
        now += Duration::from_secs(5);
        element.handle_event(now, message(HOME, ProtocolId::ASAP, KEEP_ALIVE));
        expect_sent(step, &mut element, HOME, ProtocolId::ASAP, KEEP_ALIVE_ACK)?;
    }
    expect(10, element.home() == RegistrarId(1) && element.is_registered())?;
    let registered = HEAP.alive() - start;
    let peak = HEAP.take_peak() - start;

    // Users come, all at the same time; each is answered by an echo.
    for user in (2..).map(AssociationId::sctp).take(USERS as usize) {
        let peer = SctpAddress::new([192, 0, 2, 3].into(), SctpPort(40_000), UdpPort(9899));
        element.handle_event(now, connected(user, None, peer));
        element.handle_event(now, message(user, DATA, b"hello"));
        expect(11, matches!(element.poll_output(), Some(Output::Notice(Notice::SessionOpened { .. }))))?;
        let Some(Output::Notice(Notice::Received { session, protocol, stream, bytes, .. })) =
            element.poll_output()
        else {
            return Err(12);
        };
        element.handle_command(
            now,
            CommandId(7),
            Command::Send(Message::new(session, protocol, bytes).stream(stream)),
        );
        expect_sent(13, &mut element, user, DATA, b"hello")?;
        expect(
            14,
            matches!(element.poll_output(), Some(Output::Answer(CommandId(7), Answer::Done(Ok(()))))),
        )?;
    }
    expect(15, element.sessions() == USERS as usize)?;
    let associations = HEAP.alive() - start - registered;
    let busy = HEAP.take_peak() - start;
    for user in (2..).map(AssociationId::sctp).take(USERS as usize) {
        element
            .handle_event(now, Event::Disconnected { association: user, reason: DownReason::PeerShutdown });
        expect(16, matches!(element.poll_output(), Some(Output::Notice(Notice::SessionClosed { .. }))))?;
    }

    // It leaves: first the pool, then the registrar.
    element.begin_shutdown(now, now + Duration::from_secs(10));
    expect_sent(17, &mut element, HOME, ProtocolId::ASAP, DEREGISTRATION)?;
    element.handle_event(now, message(HOME, ProtocolId::ASAP, DEREGISTERED));
    expect(18, matches!(element.poll_action(), Some(Action::Shutdown { association: HOME, .. })))?;
    element.handle_event(now, Event::Disconnected { association: HOME, reason: DownReason::Local });
    expect(19, element.is_stopped() && element.poll_timeout().is_none())?;
    drop(element);
    expect(20, HEAP.alive() == start)?;
    Ok([
        ("heap-registered", registered),
        ("heap-peak", peak),
        ("heap-per-association", associations.div_ceil(USERS as usize)),
        ("heap-peak-with-64-users", busy),
    ])
}

fn expect(step: u8, holds: bool) -> Result<(), u8> {
    if holds { Ok(()) } else { Err(step) }
}

/// The element must want this one message sent, and nothing else.
fn expect_sent(
    step: u8,
    element: &mut Element,
    to: AssociationId,
    with: ProtocolId,
    octets: &[u8],
) -> Result<(), u8> {
    let sent = match element.poll_action() {
        Some(Action::Send { association, protocol, stream: 0, bytes }) => {
            association == to && protocol == with && bytes == octets
        }
        _ => false,
    };
    expect(step, sent && element.poll_action().is_none())
}

fn connected(association: AssociationId, request: Option<ConnectId>, peer: SctpAddress) -> Event {
    Event::Connected(Connected::new(association, request.into(), SctpPort(7), peer))
}

fn message(association: AssociationId, protocol: ProtocolId, octets: &'static [u8]) -> Event {
    Event::Message { association, protocol, stream: 0, bytes: Bytes::from_static(octets) }
}
