//! A registrar takes the identifier of a peer: which one stays, what each is told, and that attempts end.

use super::*;
use crate::base::{SctpAddress, UdpPort};

fn elsewhere() -> SctpAddress {
    SctpAddress::new(localhost(), ENRP_PORT, UdpPort(1))
}

/// A registrar at another address calls under a peer's identifier, whichever end opened the association with
/// the peer: the peer stays and is asked for a sign of life, and the caller is told where its identifier is in
/// use.
#[test]
fn a_newcomer_does_not_take_the_place_of_a_peer() {
    for opened_by_us in [false, true] {
        let mut rig = if opened_by_us { Rig::joining(&[HIGH]) } else { Rig::serving() };
        match opened_by_us {
            true => drop(rig.from(A, HIGH, heartbeat(0xffff, HIGH))),
            false => rig.meet(A, HIGH),
        }
        let (association, request, local_port) = (C, None, ENRP_PORT);
        rig.event(Event::Connected(Connected::new(association, request.into(), local_port, elsewhere())));
        let actions = rig.from(C, HIGH, heartbeat(0xffff, HIGH));
        let told = EnrpBody::ListResponse { rejected: false, servers: vec![server(HIGH)] };
        let asked = rig.presence(true);
        let expected = [to(C, HIGH, told), shutdown(C, rig.now + NO_RESPONSE), to(A, HIGH, asked)];
        assert_eq!(actions, expected, "opened by us: {opened_by_us}");
        rig.from(A, HIGH, heartbeat(0xffff, HIGH));
        assert_eq!(rig.state(HIGH), Some(PeerState::Active));
        rig.registrar.check_enrp();
    }
}

/// A list that names where our own identifier is in use.
fn names_us() -> EnrpBody {
    let mut namesake = server(US);
    namesake.encapsulation = Some(EncapsulationPorts { user: 1, asap: 0 });
    EnrpBody::ListResponse { rejected: false, servers: vec![server(TOP), namesake] }
}

/// A registrar that is told by a configured peer where its identifier is in use asks there, also after it has
/// served, and stops if it is so. Nobody else is believed.
#[test]
fn a_list_that_nobody_asked_for_may_name_a_namesake() {
    let mut rig = Rig::joining(&[HIGH]);
    rig.from(A, HIGH, heartbeat(0xffff, HIGH));
    rig.from(A, HIGH, list(&[]));
    rig.from(A, HIGH, page(false, &[]));
    assert!(rig.registrar.is_serving());
    let actions = rig.from(A, HIGH, names_us());
    let [Action::Connect { peer, request, .. }] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!((peer, rig.known()), (&elsewhere().into(), vec![HIGH.0]));
    rig.notices();
    rig.event(Event::Connected(Connected::new(D, Origin::Attempt(*request), ENRP_PORT, elsewhere())));
    let EnrpBody::ListResponse { servers, .. } = names_us() else { panic!() };
    let body = EnrpBody::Presence { reply_required: false, checksum: None, server: Some(servers[1].clone()) };
    rig.from(D, US, body);
    assert_eq!(rig.notices(), [Notice::IdentifierTaken { id: US, peer: elsewhere().into() }]);
    assert!(rig.registrar.ctx.is_leaving());

    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    assert_eq!(rig.from(A, HIGH, names_us()), []);
    assert_eq!(rig.registrar.peers.contacts.len(), 0);
}

/// ENRP-3.2.1-01: 300 octets do not stop a registrar: who answers under its identifier at an address that anybody
/// may have named is not believed once it serves, and not called again.
#[test]
fn a_namesake_at_a_made_up_address_is_not_believed() {
    let mut rig = Rig::serving();
    let EnrpBody::ListResponse { servers, .. } = names_us() else { panic!() };
    let body = EnrpBody::Presence { reply_required: false, checksum: None, server: Some(servers[1].clone()) };
    let bytes =
        EnrpMessage { sender: US, receiver: NONE, body: body.clone() }.encode(Padding::Padded).unwrap();
    let source = "192.0.2.1:9901".parse().unwrap();
    let actions = rig.event(Event::Announce { channel: Channel::Enrp, source, bytes });
    let [Action::Connect { request, .. }] = actions.as_slice() else { panic!("{actions:?}") };
    rig.event(Event::Connected(Connected::new(D, Origin::Attempt(*request), ENRP_PORT, elsewhere())));
    assert_eq!(rig.from(D, US, body), [abort(D)]);
    assert_eq!(rig.notices(), [Notice::IdentifierDoubted { id: US, peer: elsewhere().into() }]);
    assert_eq!(rig.lose(D), []);
    assert_eq!((rig.registrar.peers.contacts.len(), rig.registrar.ctx.is_leaving()), (0, false));
    rig.registrar.check_enrp();
}

/// An association that is closed as soon as it is up is opened again at once only the first time.
#[test]
fn who_always_hangs_up_is_called_ever_less() {
    let mut rig = Rig::joining(&[HIGH]);
    let mut waited = Vec::new();
    let mut association = A;
    for n in 2..12 {
        rig.from(association, HIGH, heartbeat(0xffff, HIGH));
        let before = rig.now;
        let mut actions = rig.lose(association);
        let call = |action: &Action| matches!(action, Action::Connect { .. });
        while !actions.iter().any(call) {
            actions = rig.jump();
        }
        waited.push(rig.now.since(before));
        association = AssociationId::sctp(10 + n);
        rig.reached(association, rig.registrar.ctx.attempts.keys().last().copied().unwrap().0, HIGH);
    }
    assert_eq!(waited[0], Duration::ZERO);
    // Half a heartbeat cycle, varied by half.
    assert!(waited[7..].iter().all(|wait| *wait >= Duration::from_millis(7_500)), "{waited:?}");
}

/// An address that was only announced, and where nothing answers, is forgotten.
#[test]
fn nobody_makes_us_knock_at_a_door_for_ever() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    let servers = vec![server(TOP)];
    rig.from(A, HIGH, EnrpBody::ListResponse { rejected: false, servers });
    for _ in 0..8 {
        let pending: Vec<ConnectId> = rig.registrar.ctx.attempts.keys().copied().collect();
        pending.into_iter().for_each(|request| {
            rig.refuse(request.0, ConnectError::TimedOut);
        });
        rig.live(Duration::from_secs(30), &[(A, HIGH)]);
    }
    assert_eq!((rig.registrar.peers.contacts.len(), rig.registrar.ctx.attempts.len()), (0, 0));
}
