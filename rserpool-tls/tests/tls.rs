//! Two secured stacks over SCTP and TCP, in virtual time.
#![allow(clippy::unwrap_used, reason = "what a test sets up is there")]

#[path = "tls/authority.rs"]
mod authority;
#[path = "tls/net.rs"]
mod net;

use std::time::Duration;

use authority::{Authority, Certified, NOW};
use bytes::Bytes;
use net::{CLIENT, ENRP, Net, PLAIN, SERVER, asap, enrp};
use rserpool_core::base::{ConnectId, Instant, ProtocolId, SctpPort};
use rserpool_core::endpoint::{
    AbortCause, Action, ConnectError, Connected, DownReason, Event, HangUp, Identity, MAX_MESSAGE, Security,
};
use rserpool_tls::{Credentials, ServerNames, Settings, Tls, TlsError};

fn verified(names: &[&str]) -> Security {
    Security::Verified(Identity::new(names.iter().map(ToString::to_string).collect()))
}

/// An authority, and a net in which the server has a certificate for its address.
fn net(client: impl FnOnce(&Authority) -> Credentials) -> Net {
    let authority = Authority::new();
    let server = authority.credentials(&["127.0.0.1"]);
    Net::new([client(&authority), server])
}

fn security(events: &[Event]) -> Security {
    match events {
        [Event::Connected(Connected { security, .. })] => security.clone(),
        other => panic!("{other:?}"),
    }
}

fn failure(events: &[Event]) -> &str {
    match events {
        [Event::ConnectFailed { request: ConnectId(7), reason: ConnectError::Insecure(text) }] => text,
        other => panic!("{other:?}"),
    }
}

fn is_refusal(events: &[Event]) -> bool {
    matches!(events, [Event::HungUp { reason: HangUp::Insecure, .. }])
}

/// A client that has finished its handshake before the server judges its certificate hears of the refusal later.
fn is_refused_later(events: &[Event]) -> bool {
    matches!(events, [Event::Connected(_), Event::Disconnected { reason: DownReason::Violation, .. }])
}

/// ASAP-9.2-06, SEC-2.10.3-01, SEC-2.11.3-01: nobody on the way can read or change what is said.
#[test]
fn both_prove_who_they_are_and_speak_over_sctp() {
    let mut net = net(|authority| authority.credentials(&["spiffe://scope/element", "Host.Example"]));
    let (client, server) = net.pair(asap());
    assert_eq!(security(&net.take(CLIENT)), verified(&["ip:127.0.0.1"]));
    assert_eq!(security(&net.take(SERVER)), verified(&["uri:spiffe://scope/element", "dns:host.example"]));
    let asked = Bytes::from_static(&[5, 0, 0, 6, 7, 7]);
    net.send(CLIENT, client, ProtocolId::ASAP, 0, asked.clone());
    // It arrives filled up, as over TCP.
    let filled = Bytes::from_static(&[5, 0, 0, 6, 7, 7, 0, 0]);
    assert_eq!(net.messages(SERVER), [(server, ProtocolId::ASAP, 0, filled)]);
    let sent = [
        (ProtocolId::MANAGEMENT, 0, Bytes::from_static(b"counters")),
        (ProtocolId(0), 3, Bytes::from_static(b"data")),
        (ProtocolId(77), 1, Bytes::from(vec![9; MAX_MESSAGE])),
        (ProtocolId::ASAP, 0, Bytes::from_static(&[6, 0, 0, 4])),
    ];
    for (protocol, stream, bytes) in sent.clone() {
        net.send(SERVER, server, protocol, stream, bytes);
    }
    let got = sent.map(|(protocol, stream, bytes)| (client, protocol, stream, bytes));
    assert_eq!(net.messages(CLIENT), got);
    assert!(!net.wire_shows(&asked) && !net.wire_shows(b"counters"), "nobody can read it on the way");
    net.act(CLIENT, Action::Shutdown { association: client, deadline: net.later(1_000) });
    net.settle();
    let end = |association, reason| [Event::Disconnected { association, reason }];
    assert_eq!(net.take(CLIENT), end(client, DownReason::Local));
    assert_eq!(net.take(SERVER), end(server, DownReason::PeerShutdown));
}

#[test]
fn at_the_port_of_enrp_messages_are_enrp() {
    let mut net = net(|authority| authority.credentials(&["127.0.0.1"]));
    let (client, server) = net.pair(enrp());
    net.forget();
    let presence = Bytes::from_static(&[1, 0, 0, 4]);
    net.send(CLIENT, client, ProtocolId::ENRP, 0, presence.clone());
    assert_eq!(net.messages(SERVER), [(server, ProtocolId::ENRP, 0, presence)]);
    assert_eq!(ENRP, SctpPort(9902));
}

#[test]
fn a_user_without_a_certificate_speaks_over_sctp_and_over_tcp() {
    for peer in [asap(), net::tcp()] {
        let mut net = net(Authority::user);
        let (client, server) = net.pair(peer.clone());
        let events = net.take(CLIENT);
        assert_eq!(security(&events), verified(&["ip:127.0.0.1"]));
        assert!(matches!(&events[..], [Event::Connected(connected)] if connected.peer == peer));
        assert_eq!(security(&net.take(SERVER)), Security::Anonymous);
        let asked = Bytes::from_static(&[5, 0, 0, 8, 0, 0, 0, 1]);
        net.send(CLIENT, client, ProtocolId::ASAP, 0, asked.clone());
        assert_eq!(net.messages(SERVER), [(server, ProtocolId::ASAP, 0, asked.clone())]);
        net.send(SERVER, server, ProtocolId::ASAP, 0, asked.clone());
        assert_eq!(net.messages(CLIENT), [(client, ProtocolId::ASAP, 0, asked)]);
        net.act(CLIENT, Action::Shutdown { association: client, deadline: net.later(1_000) });
        net.settle();
        assert!(matches!(net.take(SERVER)[..], [Event::Disconnected { .. }]));
        assert!(matches!(net.take(CLIENT)[..], [Event::Disconnected { reason: DownReason::Local, .. }]));
        assert_eq!(net.associations(), 0);
    }
}

/// ASAP-9.2-03, ASAP-9.2-04, ASAP-9.2-05, SEC-2.6.3-01: what the certificate of a server must not be; the client ends the association and says why.
#[test]
fn a_server_that_is_not_the_one_is_refused() {
    let authority = Authority::new();
    let refused = |server: Credentials, names: &[&str]| {
        let names = ServerNames::Addressed(names.iter().map(ToString::to_string).collect());
        let mut net = Net::named([authority.user_of_this(), server], names);
        net.connect(asap());
        net.settle();
        let text = failure(&net.take(CLIENT)).to_string();
        assert!(is_refusal(&net.take(SERVER)), "the server hears of it as well");
        assert_eq!(net.associations(), 0);
        text
    };
    let accepted = |server: Credentials, names: &[&str]| {
        let names = ServerNames::Addressed(names.iter().map(ToString::to_string).collect());
        let mut net = Net::named([authority.user_of_this(), server], names);
        net.pair(asap());
    };
    let of = |names: &[&str]| authority.credentials(names);
    accepted(of(&["127.0.0.1"]), &[]);
    accepted(of(&["r1.example"]), &["r1.example"]);
    accepted(of(&["r1.example"]), &["R1.Example"]);
    accepted(of(&["r2.example"]), &["r1.example", "r2.example"]);
    // A wildcard stands for exactly one label, the left-most.
    accepted(of(&["*.example.net"]), &["a.example.net"]);
    for (certified, asked) in [
        (&["127.0.0.2"][..], &[][..]),
        (&["r2.example"], &["r1.example"]),
        (&["*.example.net"], &["example.net"]),
        (&["*.example.net"], &["a.b.example.net"]),
        (&["spiffe://scope/registrar"], &["r1.example"]),
    ] {
        let text = refused(of(certified), asked);
        assert!(text.contains("invalid peer certificate"), "{text}");
    }
    assert!(refused(Authority::new().credentials(&["127.0.0.1"]), &[]).contains("UnknownIssuer"));
    // It was valid when it was set up.
    let mut net = Net::new([authority.user_of_this(), authority.valid_for(&["127.0.0.1"], 2)]);
    net.pass(Duration::from_secs(3 * 86_400));
    net.connect(asap());
    net.settle();
    assert!(failure(&net.take(CLIENT)).contains("expired"), "after its time");
}

#[test]
fn a_client_whose_certificate_is_none_of_ours_is_refused() {
    let authority = Authority::new();
    let server = || authority.credentials(&["127.0.0.1"]);
    // Of another authority: it believes ours, and comes with what another has issued.
    let stranger = Authority::new().certify(&["127.0.0.1"]);
    let stranger = authority.user_of_this().with_certificate(stranger.chain(), stranger.key()).unwrap();
    let mut net = Net::new([stranger, server()]);
    net.connect(asap());
    net.settle();
    assert!(is_refused_later(&net.take(CLIENT)));
    assert!(is_refusal(&net.take(SERVER)));

    // Revoked.
    let (good, bad) = (authority.certify(&["good.example"]), authority.certify(&["bad.example"]));
    let list = authority.revoke(&[&bad]);
    for (certified, is_revoked) in [(good, false), (bad, true)] {
        let client = authority.user_of_this().with_certificate(certified.chain(), certified.key()).unwrap();
        let mut net = Net::new([client, server().with_revocations(&list).unwrap()]);
        net.connect(asap());
        net.settle();
        assert_eq!(is_refusal(&net.take(SERVER)), is_revoked);
        assert_eq!(is_refused_later(&net.take(CLIENT)), is_revoked);
    }
}

/// SEC-2.8.3-01: what was recorded is of no use to anybody who sends it again.
#[test]
fn a_record_that_comes_again_ends_the_association() {
    let mut net = net(|authority| authority.credentials(&["element.example"]));
    let (client, server) = net.pair(asap());
    net.forget();
    net.send(CLIENT, client, ProtocolId::ASAP, 0, Bytes::from_static(&[1, 0, 0, 4]));
    assert_eq!(net.messages(SERVER).len(), 1);
    net.replay(client);
    net.settle();
    let end = [Event::Disconnected { association: server, reason: DownReason::Violation }];
    assert_eq!(net.take(SERVER), end, "no message, and the end");
}

#[test]
fn plain_text_at_a_port_of_tls_and_the_reverse() {
    // The client speaks ASAP without TLS.
    let mut net = net(Authority::user);
    let client = net.connect_below(asap());
    net.send_below(client, Bytes::from_static(&[5, 0, 0, 8, 0, 0, 0, 1]));
    net.settle();
    assert!(is_refusal(&net.take(SERVER)));
    // The client wants TLS at a port without it: the endpoint gets octets that are no message, and the handshake ends.
    let mut net = net_with_plain_server();
    net.connect(net::sctp(PLAIN));
    net.pass(Duration::from_secs(6));
    assert_eq!(failure(&net.take(CLIENT)), "the handshake took too long");
}

fn net_with_plain_server() -> Net {
    let authority = Authority::new();
    let mut net = Net::new([authority.user_of_this(), authority.credentials(&["127.0.0.1"])]);
    net.server_is_plain_at(PLAIN);
    net
}

/// Where it is said so, peers come without TLS, and the endpoint knows.
#[test]
fn a_plain_port_is_plain() {
    let mut net = net_with_plain_server();
    let client = net.connect_below(net::sctp(PLAIN));
    assert_eq!(security(&net.take(SERVER)), Security::Plain);
    net.send_below(client, Bytes::from_static(&[5, 0, 0, 8, 0, 0, 0, 1]));
    assert_eq!(net.messages(SERVER).len(), 1);
}

/// An endpoint that takes nothing gets nothing, and gets it later; what it asks for too late leaves nothing behind.
#[test]
fn messages_wait_while_their_endpoint_takes_none() {
    let mut net = net(Authority::user);
    let (client, server) = net.pair(asap());
    net.forget();
    net.act(SERVER, Action::Hold { association: server });
    let asked = Bytes::from_static(&[5, 0, 0, 4]);
    net.send(CLIENT, client, ProtocolId::ASAP, 0, asked.clone());
    assert_eq!(net.messages(SERVER), []);
    net.act(SERVER, Action::Release { association: server });
    assert_eq!(net.messages(SERVER), [(server, ProtocolId::ASAP, 0, asked)]);
    net.act(SERVER, Action::Abort { association: server, cause: AbortCause::User });
    net.act(SERVER, Action::Hold { association: server });
    net.settle();
    assert!(net.is_empty(SERVER) && net.is_empty(CLIENT));
}

#[test]
fn a_handshake_that_stops_half_way_ends_at_its_deadline() {
    let mut net = net(Authority::user);
    net.connect_below(asap());
    net.pass(Duration::from_millis(4_900));
    assert_eq!((net.take(SERVER), net.associations()), (vec![], 2));
    net.pass(Duration::from_secs(2));
    assert!(is_refusal(&net.take(SERVER)));
    assert_eq!(net.associations(), 0);

    // The attempt of an endpoint ends at its own deadline, and can be cancelled.
    let mut net = net_with_plain_server();
    net.connect_until(net::sctp(PLAIN), 500);
    net.pass(Duration::from_secs(1));
    assert_eq!(failure(&net.take(CLIENT)), "the handshake took too long");
    net.connect(net::sctp(PLAIN));
    net.act(CLIENT, Action::CancelConnect { request: ConnectId(7) });
    net.pass(Duration::from_secs(1));
    assert_eq!((net.take(CLIENT), net.associations()), (vec![], 0));
}

/// A record has 16,640 octets of payload at most (RFC 8446 section 5.2), and RFC 3436 counts 18,437 for older versions.
#[test]
fn a_record_that_is_too_long_and_garbage_end_it() {
    let mut long = vec![0x17, 3, 3, 0x48, 0];
    long.resize(5 + 0x4800, 0);
    assert_eq!(long.len(), 18_437);
    let stopped = [0x16, 3, 1, 0, 4, 0xee, 0, 0, 0];
    for octets in [&long[..], &stopped, &[0x16; 64], &[0xff; 5]] {
        let mut net = net(Authority::user);
        let client = net.connect_below(asap());
        net.send_below(client, Bytes::copy_from_slice(octets));
        net.settle();
        assert!(is_refusal(&net.take(SERVER)), "{} octets", octets.len());
    }
}

/// Octets at random in the place of records: never a panic, and never an association.
#[test]
fn nothing_that_a_stranger_sends_makes_an_association() {
    let mut random = rserpool_core::base::Random::new(3);
    for _ in 0..100 {
        let mut net = net(Authority::user);
        let client = net.connect_below(asap());
        for _ in 0..3 {
            let mut octets: Vec<u8> = (0..1 + random.below(300)).map(|_| random.below(256) as u8).collect();
            if random.below(2) == 0 {
                octets.splice(..0, [0x16, 3, 1, 0, random.below(256) as u8]);
            }
            net.send_below(client, octets.into());
        }
        net.settle();
        assert!(!net.take(SERVER).iter().any(|event| matches!(event, Event::Connected(_))));
    }
}

/// The second handshake needs no certificates; the credentials that come later end that, and what is up goes on.
#[test]
fn sessions_are_resumed_until_the_credentials_change() {
    let authority = Authority::new();
    let server = authority.credentials(&["127.0.0.1"]);
    let mut net = Net::new([authority.credentials(&["element.example"]), server]);
    let (client, server) = net.pair(asap());
    net.settle();
    let full = net.octets();
    net.forget();
    net.act(CLIENT, Action::Shutdown { association: client, deadline: net.later(1_000) });
    net.settle();
    net.forget();
    let (client, server_again) = net.pair(asap());
    net.settle();
    assert_ne!(server, server_again);
    let resumed = net.octets();
    assert!(resumed * 2 < full, "{full} octets, then {resumed}");
    assert_eq!(security(&net.take(SERVER)), verified(&["dns:element.example"]), "it is known all the same");
    net.forget();

    let other = authority.credentials(&["127.0.0.1"]);
    net.tls[SERVER].replace(other).unwrap();
    net.send(CLIENT, client, ProtocolId::ASAP, 0, Bytes::from_static(&[1, 0, 0, 4]));
    assert_eq!(net.messages(SERVER).len(), 1, "what is up goes on");
    net.act(CLIENT, Action::Shutdown { association: client, deadline: net.later(1_000) });
    net.settle();
    net.forget();
    net.pair(asap());
    net.settle();
    assert!(net.octets() > resumed * 3 / 2, "a full handshake");
}

/// One clear reason each, and no word of a key.
#[test]
fn credentials_that_cannot_work_are_refused() {
    let authority = Authority::new();
    let (one, two) = (authority.certify(&["a.example"]), authority.certify(&["b.example"]));
    let begin = |credentials| {
        Tls::new(Settings::default(), credentials, Duration::from_secs(NOW), Instant::ORIGIN).map(drop)
    };
    let with = |certified: &Certified, key: &Certified| {
        authority.user_of_this().with_certificate(certified.chain(), key.key())
    };
    assert_eq!(begin(with(&one, &one).unwrap()), Ok(()));
    assert_eq!(begin(with(&one, &two).unwrap()), Err(TlsError::Mismatch));
    assert_eq!(begin(authority.valid_for(&["a.example"], -1)), Err(TlsError::Expired(86_400)));
    assert_eq!(begin(authority.valid_from(&["a.example"], 1)), Err(TlsError::NotYetValid(86_400)));
    let none = || authority.user_of_this();
    assert!(matches!(none().with_certificate(b"", one.key()), Err(TlsError::Certificate(_))));
    assert!(matches!(none().with_certificate(one.chain(), one.chain()), Err(TlsError::Key(_))));
    assert!(matches!(Credentials::of_user(one.key()), Err(TlsError::Authority(_))));
    assert!(matches!(none().with_revocations(one.chain()), Err(TlsError::Revocations(_))));
    let mut settings = Settings::default();
    settings.server_names = ServerNames::Addressed(vec!["not a name".into()]);
    let named = Tls::new(settings, none(), Duration::from_secs(NOW), Instant::ORIGIN).map(drop);
    assert_eq!(named, Err(TlsError::Name("not a name".into())));
}
