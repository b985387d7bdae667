//! Users over TCP (RFC 5352 sections 2.1 and 3.3), and elements, which must not use TCP.

use super::*;
use crate::base::TcpAddress;

/// A client has connected by TCP, from the address and port of element 1.
fn connect_by_tcp(rig: &mut Rig, association: AssociationId) {
    let peer = TransportAddress::tcp(vec![localhost()], 7);
    let connected = Event::Connected(Connected::new(association, Origin::Peer, ASAP_PORT, peer));
    assert_eq!(rig.event(connected), []);
}

/// Cause 0x7 with the SCTP transport to be used.
fn only_sctp() -> ErrorCause {
    ErrorCause::inconsistent_transport(&Transport::Sctp(SctpTransport {
        port: ASAP_PORT.0,
        usage: TransportUse::DataOnly,
        addresses: localhost().into(),
    }))
}

fn rig() -> Rig {
    Rig::with(|config| config.addresses = vec![localhost()])
}

/// ASAP-2.1-02, ASAP-3.3-10: a user asks over TCP as over SCTP, and reports.
#[test]
fn a_user_asks_and_reports_over_tcp() {
    let mut rig = rig();
    rig.register(A, 1);
    connect_by_tcp(&mut rig, B);
    let question = AsapMessage::HandleResolution { handle: POOL.into(), subscribe: false, items: None };
    let listed = PoolElement { asap_transport: None, ..rig.get(1).clone() };
    let answer = AsapMessage::HandleResolutionResponse {
        updates: false,
        handle: POOL.into(),
        policy: Some(Policy::RoundRobin),
        elements: vec![listed],
        error: None,
    };
    assert_eq!(rig.asap(B, &question), [asap_to(B, &answer)]);
    rig.asap(A, &ack(1));
    assert_eq!(rig.asap(B, &unreachable(1)), [keep_alive(A, 1)]);
}

/// ASAP-2.1-01, reading B14: a registration over TCP is refused, with the transport to be used.
#[test]
fn an_element_is_sent_to_sctp() {
    let mut rig = rig();
    connect_by_tcp(&mut rig, B);
    assert_eq!(rig.asap(B, &registration(1)), [rejected(B, 1, only_sctp())]);
    assert_eq!(rig.elements(), []);
    let peer = TransportAddress::tcp(vec![localhost()], 7);
    let cause = CauseCode::INCONSISTENT_TRANSPORT;
    assert_eq!(rig.notices(), [Notice::Rejected { pe: pe(1), peer, cause }]);
}

/// ASAP-2.1-01: no client speaks over TCP for an element, whatever its address and port, not even when the
/// association of the element is down.
#[test]
fn nobody_speaks_for_an_element_over_tcp() {
    let mut rig = rig();
    rig.register(A, 1);
    connect_by_tcp(&mut rig, B);
    assert_eq!(rig.asap(B, &deregistration(1)), [deregistered(B, 1, Some(only_sctp().into()))]);
    assert_eq!(rig.asap(B, &deregistration(9)), [deregistered(B, 9, Some(only_sctp().into()))]);
    assert_eq!(rig.asap(B, &ack(1)), []);
    let ended = Event::Disconnected { association: A, reason: DownReason::PeerShutdown };
    assert!(matches!(rig.event(ended)[..], [Action::Connect { .. }]), "the element is sought");
    assert_eq!(rig.asap(B, &deregistration(1)), [deregistered(B, 1, Some(only_sctp().into()))]);
    assert_eq!(rig.elements(), [1]);
}

/// ASAP-2.2.10-01, ASAP-2.2.10-02: announcements list SCTP first, then TCP with each of its addresses.
#[test]
fn announcements_list_tcp() {
    let other = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let mut rig = Rig::with(|config| {
        config.announce = true;
        config.addresses = vec![localhost()];
        config.tcp = Some(TcpAddress::new(vec![localhost(), other], 4000));
    });
    let sctp =
        SctpTransport { port: ASAP_PORT.0, usage: TransportUse::DataOnly, addresses: localhost().into() };
    let tcp = |address| Transport::Tcp { port: 4000, reserved: 0, address };
    let announcement = AsapMessage::ServerAnnounce {
        registrar: ID,
        transports: vec![Transport::Sctp(sctp), tcp(localhost()), tcp(other)],
        encapsulation: None,
    };
    let bytes = announcement.encode(Padding::Padded).unwrap();
    assert_eq!(rig.jump(), [Action::Announce { channel: Channel::Asap, bytes }]);
}

/// A client that the transport disconnects is reported, and counted by the reason; nothing else follows from
/// it.
#[test]
fn clients_that_are_hung_up_on_are_counted() {
    let mut rig = rig();
    connect_by_tcp(&mut rig, B);
    let peer = TransportAddress::tcp(vec![localhost()], 50_000);
    let reasons = [
        (HangUp::TooMany, "tcp_refused"),
        (HangUp::Malformed, "tcp_malformed"),
        (HangUp::Slow, "tcp_slow"),
        (HangUp::Unread, "tcp_unread"),
        (HangUp::Silent, "tcp_silent"),
        (HangUp::Flooding, "tcp_flooding"),
        (HangUp::Insecure, "handshakes_failed"),
    ];
    for (times, (reason, _)) in reasons.into_iter().enumerate() {
        for _ in 0..=times {
            assert_eq!(rig.event(Event::HungUp { local_port: ASAP_PORT, peer: peer.clone(), reason }), []);
            assert_eq!(rig.notices(), [Notice::HungUp { peer: peer.clone(), reason }]);
        }
    }
    let counts = |name: &str| name.starts_with("tcp_") || name == "handshakes_failed";
    let counted: Vec<_> = rig.registrar.figures().named().filter(|(name, _)| counts(name)).collect();
    let expected = reasons.iter().zip(1..).map(|((_, name), times)| (*name, times));
    assert_eq!(counted, [("tcp_accepted", 1)].into_iter().chain(expected).collect::<Vec<_>>());
}
