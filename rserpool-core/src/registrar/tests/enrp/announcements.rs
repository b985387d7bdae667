//! ENRP_PRESENCE by multicast (reading B22): it only says where a registrar may be.

use super::*;
use crate::base::{SctpAddress, UdpPort};

fn announced(bytes: Bytes, source: &str) -> Event {
    Event::Announce { channel: Channel::Enrp, source: source.parse().unwrap(), bytes }
}

fn presence_of(id: RegistrarId, described: bool) -> Bytes {
    let body = EnrpBody::Presence {
        reply_required: false,
        checksum: Some(0xffff),
        server: described.then(|| server(id)),
    };
    EnrpMessage { sender: id, receiver: NONE, body }.encode(Padding::Padded).unwrap()
}

fn multicast(rig: &Rig) -> Action {
    announcement(rig, false)
}

fn announcement(rig: &Rig, reply_required: bool) -> Action {
    let bytes = EnrpMessage { sender: US, receiver: NONE, body: rig.presence(reply_required) };
    Action::Announce { channel: Channel::Enrp, bytes: bytes.encode(Padding::Padded).unwrap() }
}

fn rig() -> Rig {
    let mut rig = Rig::serving_with(|config| config.enrp.announce = true);
    assert_eq!(rig.registrar.ctx.outbox.take_actions(), [announcement(&rig, true)]);
    rig
}

/// A registrar announces itself at once, asks for an answer until it serves, and goes on with every heartbeat. It
/// serves alone if no other has answered in time.
#[test]
fn a_registrar_may_look_for_a_mentor_by_multicast() {
    let mut rig = rig();
    assert!(!rig.registrar.is_serving());
    for _ in 0..2 {
        assert_eq!(rig.advance(Duration::from_secs(2)), [announcement(&rig, true)]);
    }
    assert_eq!(rig.advance(Duration::from_secs(1)), []);
    assert_eq!(rig.notices(), [Notice::Serving { mentor: None }]);
    assert_eq!(rig.advance(Duration::from_secs(25)), [multicast(&rig)]);
    assert_eq!(rig.advance(Duration::from_secs(30)), [multicast(&rig)]);
}

/// A registrar that is heard is contacted once, at the address that it names, and becomes the mentor.
#[test]
fn an_announcement_leads_to_a_mentor() {
    let mut rig = rig();
    let deadline = rig.now + NO_RESPONSE;
    let heard = announced(presence_of(HIGH, true), "127.0.0.9:9901");
    assert_eq!(rig.event(heard.clone()), [contact(1, HIGH, deadline)]);
    assert_eq!(rig.event(heard.clone()), []);
    assert_eq!(rig.known(), [] as [u32; 0], "nothing in it is trusted");
    assert_eq!(rig.reached(A, 1, HIGH), [to(A, NONE, rig.presence(true))]);
    assert_eq!(rig.from(A, HIGH, heartbeat(0xffff, HIGH)), [to(A, HIGH, EnrpBody::ListRequest)]);
    assert_eq!(rig.event(heard), []);
}

/// Without a description it is where the datagram came from, at the ports of the RFCs.
#[test]
fn an_announcement_without_address_comes_from_one() {
    let mut rig = rig();
    let actions = rig.event(announced(presence_of(HIGH, false), "127.0.0.9:9901"));
    let [Action::Connect { peer, .. }] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(*peer, SctpAddress::new("127.0.0.9".parse().unwrap(), SctpPort(9901), UdpPort(9899)).into());
}

/// Our own announcement comes back to us, and means nothing.
#[test]
fn our_own_announcement_means_nothing() {
    for described in [true, false] {
        let mut rig = rig();
        let event = announced(presence_of(US, described), "127.0.0.1:20050");
        let actions = rig.event(event);
        if described {
            assert_eq!(actions, []);
        }
        assert_eq!((rig.registrar.id(), rig.registrar.is_stopped()), (US, false));
    }
}

/// The sender of a datagram cannot be known. Therefore an announcement changes neither elements nor peers;
/// any other message is counted.
#[test]
fn nothing_else_may_be_announced() {
    let mut rig = rig();
    rig.advance(NO_RESPONSE);
    rig.notices();
    for body in [add(1, HIGH), takeover_server(HIGH), EnrpBody::ListRequest] {
        let bytes = EnrpMessage { sender: HIGH, receiver: NONE, body }.encode(Padding::Padded).unwrap();
        assert_eq!(rig.event(announced(bytes, "127.0.0.9:9901")), []);
    }
    assert_eq!(rig.event(announced(Bytes::from_static(b"nonsense"), "127.0.0.9:9901")), []);
    assert_eq!(rig.event(announced(presence_of(NONE, false), "127.0.0.9:9901")), []);
    assert_eq!((rig.registrar.ctx.counters.unexpected, rig.registrar.ctx.counters.malformed), (3, 1));
    assert_eq!((rig.known(), rig.elements()), (vec![], vec![]));
}

/// A flood of announcements is a bounded number of attempts, and contacts that are configured or
/// in use are not pushed out.
#[test]
fn a_flood_of_announcements_is_bounded() {
    let mut rig = Rig::serving_with(|config| {
        config.enrp.announce = true;
        config.enrp.peers = vec![place(HIGH)];
    });
    rig.registrar.ctx.outbox.take_actions();
    for n in 0..1_000u32 {
        let id = RegistrarId(1_000 + n);
        rig.event(announced(presence_of(id, true), "127.0.0.9:9901"));
        if n % 3 == 0 {
            // At most of them there is no registrar.
            rig.refuse(u64::from(n), ConnectError::Refused);
        }
        rig.registrar.check_enrp();
    }
    assert_eq!(rig.registrar.peers.contacts.len(), 64);
    let actions = rig.reached(A, 1, HIGH);
    assert_eq!(actions, [to(A, NONE, rig.presence(true))]);
    assert_eq!(rig.from(A, HIGH, heartbeat(0xffff, HIGH)), [to(A, HIGH, EnrpBody::ListRequest)]);
}

/// ENRP-3.4.1-02: a peer that has been killed and started again asks by multicast for an answer. It is asked over
/// the association that it knows nothing of; that ends, and it is called where it is.
#[test]
fn a_peer_that_starts_anew_is_answered() {
    let mut rig = Rig::serving_with(|config| config.enrp.announce = true);
    rig.registrar.ctx.outbox.take_actions();
    rig.advance(NO_RESPONSE);
    rig.registrar.ctx.past = None;
    rig.meet(A, HIGH);
    rig.from(A, HIGH, add(1, HIGH));
    let body =
        EnrpBody::Presence { reply_required: true, checksum: Some(0xffff), server: Some(server(HIGH)) };
    let bytes = EnrpMessage { sender: HIGH, receiver: NONE, body }.encode(Padding::Padded).unwrap();
    let asked = [to(A, HIGH, rig.presence(true))];
    assert_eq!(rig.event(announced(bytes.clone(), "127.0.0.1:20144")), asked);
    // A flood of them, forged or not, asks once.
    for _ in 0..100 {
        assert_eq!(rig.event(announced(bytes.clone(), "127.0.0.1:20144")), []);
    }
    let deadline = rig.now + NO_RESPONSE;
    assert_eq!(rig.lose(A), [contact(1, HIGH, deadline)]);
    assert_eq!(rig.elements(), [1]);
    rig.registrar.check_enrp();
}
