//! Bad input: handled as the RFC or a reading says, bounded in memory.

use super::*;
use crate::base::{SctpAddress, UdpPort};

/// Reading B19: a message for another registrar is ignored, even from a peer.
#[test]
fn messages_for_others_are_ignored() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    let bodies = [
        add(1, HIGH),
        takeover_server(US),
        init_takeover(US),
        EnrpBody::ListRequest,
        table_request(false),
        EnrpBody::Presence { reply_required: true, checksum: Some(1), server: None },
    ];
    for body in bodies {
        assert_eq!(rig.directed(A, HIGH, LOW, body), []);
    }
    assert_eq!((rig.elements(), rig.registrar.ctx.counters.wrong_receiver), (vec![], 6));
}

/// A peer speaks for itself only: another sender over its association is not heeded.
#[test]
fn a_false_sender_is_not_heeded() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.meet(B, LOW);
    for body in [add(1, LOW), takeover_server(HIGH), heartbeat(7, LOW)] {
        assert_eq!(rig.from(A, LOW, body), []);
    }
    assert_eq!(rig.from(A, TOP, heartbeat(0xffff, TOP)), []);
    assert_eq!((rig.elements(), rig.known()), (vec![], vec![LOW.0, HIGH.0]));
    assert_eq!(rig.registrar.ctx.counters.spoofed, 4);
}

/// The description of another registrar in a presence is not taken for the sender's.
#[test]
fn a_false_description_is_not_taken() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    let body = EnrpBody::Presence { reply_required: false, checksum: None, server: Some(server(TOP)) };
    assert_eq!(rig.from(A, HIGH, body), []);
    let status = rig.registrar.peers();
    assert_eq!((status.len(), status[0].address.clone()), (1, Some(place(HIGH).into())));
}

/// Sender 0 may ask, and does not become a peer; anything else that it says is ignored.
#[test]
fn a_nameless_sender_may_only_ask() {
    let mut rig = Rig::serving();
    rig.called_by(A, HIGH);
    assert_eq!(rig.from(A, NONE, EnrpBody::ListRequest), [to(A, NONE, list(&[]))]);
    assert_eq!(rig.from(A, NONE, table_request(false)), [to(A, NONE, page(false, &[]))]);
    let bodies =
        [add(1, NONE), heartbeat(1, NONE), takeover_server(US), init_takeover(US), page(false, &[(1, NONE)])];
    for body in bodies {
        assert_eq!(rig.from(A, NONE, body), []);
    }
    assert_eq!((rig.elements(), rig.known(), rig.registrar.ctx.counters.unexpected), (vec![], vec![], 5));
}

/// Answers to questions that were not asked change nothing.
#[test]
fn unasked_answers_change_nothing() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    for body in [list(&[TOP]), no_list(), page(false, &[(1, HIGH)]), page(true, &[(1, HIGH)]), no_table()] {
        assert_eq!(rig.from(A, HIGH, body), []);
    }
    assert_eq!(rig.from(A, HIGH, takeover_ack(LOW)), []);
    assert_eq!(
        (rig.elements(), rig.known(), rig.registrar.ctx.counters.unexpected),
        (vec![], vec![HIGH.0], 5)
    );
    // Nor while joining, from a peer that is not the mentor, or out of turn.
    let mut rig = Rig::joining(&[HIGH, TOP]);
    rig.from(A, HIGH, heartbeat(0xffff, HIGH));
    rig.from(B, TOP, heartbeat(0xffff, TOP));
    assert_eq!(rig.from(A, HIGH, page(false, &[(1, HIGH)])), []);
    assert_eq!(rig.from(B, TOP, list(&[LOW])), []);
    rig.from(A, HIGH, list(&[]));
    assert_eq!(rig.from(A, HIGH, list(&[LOW])), []);
    assert_eq!(rig.from(B, TOP, page(false, &[(1, TOP)])), []);
    assert_eq!((rig.elements(), rig.known()), (vec![], vec![HIGH.0, TOP.0]));
}

/// Pages without end while joining: an empty one that promises more, or more elements than there
/// may be, makes a mentor as bad as a silent one.
#[test]
fn endless_pages_of_a_mentor_end() {
    let join = || {
        let mut rig = Rig::joining_with(&[HIGH, TOP], |config| config.limits.elements = 10);
        rig.from(A, HIGH, heartbeat(0xffff, HIGH));
        rig.from(B, TOP, heartbeat(0xffff, TOP));
        rig.from(A, HIGH, list(&[]));
        rig
    };
    let mut rig = join();
    assert_eq!(rig.from(A, HIGH, page(true, &[])), [to(B, TOP, EnrpBody::ListRequest)]);
    let mut rig = join();
    for _ in 0..10 {
        let asked = [to(A, HIGH, table_request(false))];
        assert_eq!(rig.from(A, HIGH, page(true, &[(1, HIGH)])), asked);
    }
    assert_eq!(rig.from(A, HIGH, page(true, &[(1, HIGH)])), [to(B, TOP, EnrpBody::ListRequest)]);
    assert_eq!(rig.elements(), [1]);
}

/// The same in an audit: it ends, and removes nothing.
#[test]
fn endless_pages_of_a_peer_end() {
    for pages in [vec![page(true, &[])], vec![page(true, &[(2, HIGH)]); 11]] {
        let mut rig = Rig::serving_with(|config| config.limits.elements = 10);
        rig.meet(A, HIGH);
        rig.from(A, HIGH, add(1, HIGH));
        rig.from(A, HIGH, heartbeat(0, HIGH));
        let (last, others) = pages.split_last().unwrap();
        for page in others {
            let asked = [to(A, HIGH, table_request(true))];
            assert_eq!(rig.from(A, HIGH, page.clone()), asked);
        }
        assert_eq!(rig.from(A, HIGH, last.clone()), []);
        assert_eq!(rig.from(A, HIGH, page(false, &[])), []);
        assert!(rig.elements().contains(&1));
        rig.registrar.check_enrp();
    }
}

/// More registrars than an operational scope can have: no more than MAX_PEERS are kept, however they become
/// known. One that finds no room is turned away.
#[test]
fn a_flood_of_registrars_is_bounded() {
    let mut rig = Rig::serving();
    for n in 0..200u32 {
        let id = RegistrarId(1_000 + n);
        rig.called_by(AssociationId::sctp(100 + u64::from(n)), id);
        let actions = rig.from(AssociationId::sctp(100 + u64::from(n)), id, heartbeat(0xffff, id));
        assert_eq!(actions == [abort(AssociationId::sctp(100 + u64::from(n)))], n >= 64);
    }
    assert_eq!((rig.known().len(), rig.registrar.ctx.counters.peers_refused), (64, 136));
    rig.registrar.check_enrp();
    // Homes of elements, in a mentor's table.
    let mut rig = Rig::joining(&[HIGH]);
    rig.from(A, HIGH, heartbeat(0xffff, HIGH));
    rig.from(A, HIGH, list(&[]));
    let elements: Vec<_> = (1..200).map(|id| (id, RegistrarId(1_000 + id))).collect();
    rig.from(A, HIGH, page(false, &elements));
    assert_eq!((rig.known().len(), rig.elements().len()), (64, 63));
    rig.registrar.check_enrp();
    // Entries of a list.
    let mut rig = Rig::joining(&[HIGH]);
    rig.from(A, HIGH, heartbeat(0xffff, HIGH));
    let servers: Vec<_> = (0..200).map(|n| RegistrarId(1_000 + n)).collect();
    let contacts = rig.from(A, HIGH, list(&servers)).len();
    assert_eq!((rig.known().len(), contacts, rig.registrar.peers.contacts.len()), (64, 9, 64));
    rig.registrar.check_enrp();
}

/// Lists that name absurd places lead nowhere.
#[test]
fn absurd_places_are_not_contacted() {
    let mut rig = Rig::joining(&[HIGH]);
    rig.from(A, HIGH, heartbeat(0xffff, HIGH));
    let at = |id: u32, addresses: &[&str], port| ServerInformation {
        id: RegistrarId(id),
        transport: SctpTransport {
            port,
            usage: TransportUse::DataOnly,
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        },
        encapsulation: None,
    };
    let servers = vec![
        at(1, &["0.0.0.0"], 9901),
        at(2, &["224.0.0.1", "ff02::1"], 9901),
        at(3, &["127.0.0.1"], 0),
        at(0, &["127.0.0.3"], 9901),
        server(US),
    ];
    let actions = rig.from(A, HIGH, EnrpBody::ListResponse { rejected: false, servers });
    assert_eq!(actions, [to(A, HIGH, table_request(false))]);
    assert_eq!(rig.known(), [1, 2, 3, HIGH.0]);
}

/// A list of peers fits into one message, no matter what they say of themselves.
#[test]
fn a_boastful_peer_does_not_block_lists() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.meet(B, LOW);
    let mut boast = server(HIGH);
    boast.transport.addresses = (0..8_000u32).map(|n| IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + n))).collect();
    let mut short = boast.clone();
    short.transport.addresses = boast.transport.addresses[..8].into();
    rig.from(A, HIGH, EnrpBody::Presence { reply_required: false, checksum: None, server: Some(boast) });
    let answer = EnrpBody::ListResponse { rejected: false, servers: vec![short] };
    assert_eq!(rig.from(B, LOW, EnrpBody::ListRequest), [to(B, LOW, answer)]);
    rig.registrar.check_enrp();
}

/// Updates that name what cannot be: an element without identifier or life, an empty or endless
/// pool handle, an action that does not exist.
#[test]
fn absurd_updates_are_refused() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    let into = |handle: Vec<u8>, element| EnrpBody::HandleUpdate {
        takeover_suggested: false,
        action: UpdateAction::ADD_PE,
        handle: PoolHandle::new(Bytes::from(handle)),
        element,
    };
    let long = vec![b'x'; PoolHandle::MAX_OCTETS + 1];
    let dead = PoolElement { life: RegistrationLife(0), ..listed(1, HIGH) };
    let undead = PoolElement { life: RegistrationLife(-2), ..listed(1, HIGH) };
    let elements = [into(POOL.into(), listed(0, HIGH)), into(POOL.into(), dead), into(POOL.into(), undead)];
    for body in elements.into_iter().chain([into(long, listed(1, HIGH)), into(vec![], listed(1, HIGH))]) {
        assert_eq!(rig.from(A, HIGH, body), []);
    }
    let action = update(UpdateAction(7), false, listed(1, HIGH));
    assert_eq!(rig.from(A, HIGH, action), []);
    assert_eq!((rig.elements(), rig.registrar.ctx.counters.updates_refused), (vec![], 5));
    assert_eq!(rig.registrar.ctx.counters.unexpected, 1);
}

/// More elements than there may be: those that find no room are refused, here as at the home.
#[test]
fn a_flood_of_elements_is_bounded() {
    let mut rig = Rig::serving_with(|config| config.limits.elements = 10);
    rig.meet(A, HIGH);
    for id in 1..100 {
        rig.from(A, HIGH, add(id, HIGH));
    }
    assert_eq!((rig.elements().len(), rig.registrar.ctx.counters.updates_refused), (10, 89));
}

/// A takeover that makes no sense: of the sender, or of an unknown registrar.
#[test]
fn absurd_takeovers_change_nothing() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    rig.from(A, HIGH, add(1, HIGH));
    assert_eq!(rig.from(A, HIGH, init_takeover(HIGH)), []);
    assert_eq!(rig.from(A, HIGH, takeover_server(HIGH)), []);
    assert_eq!((rig.state(HIGH), rig.home(1)), (Some(PeerState::Active), Some(HIGH)));
    assert_eq!(rig.registrar.ctx.counters.unexpected, 2);
    // Nothing speaks against the takeover of a registrar that only others know.
    assert_eq!(rig.from(A, HIGH, init_takeover(TOP)), [to(A, HIGH, takeover_ack(TOP))]);
    assert_eq!(rig.from(A, HIGH, takeover_server(TOP)), []);
    assert_eq!(rig.from(A, HIGH, takeover_server(NONE)), []);
    assert_eq!(rig.known(), [HIGH.0]);
    rig.registrar.check_enrp();
}

/// ENRP-3.7-01: unknown parameters and messages by their two high bits, reports as ENRP_ERROR; an
/// ENRP_ERROR is never answered.
#[test]
fn what_is_unknown_is_treated_by_its_high_bits() {
    let cases = [(0x0123, false, false), (0x4123, false, true), (0x8123, true, false), (0xc123, true, true)];
    for (kind, carried_on, reported) in cases {
        let mut rig = Rig::serving();
        rig.meet(A, HIGH);
        let parameter = [&u16::to_be_bytes(kind)[..], &[0, 6, 0xab, 0xcd, 0, 0]].concat();
        let message = EnrpMessage { sender: HIGH, receiver: NONE, body: EnrpBody::ListRequest };
        let mut message = message.encode(Padding::Padded).unwrap().to_vec();
        message.extend_from_slice(&parameter);
        let length = u16::try_from(message.len()).unwrap();
        message[2..4].copy_from_slice(&length.to_be_bytes());
        let mut expected = Vec::new();
        if reported {
            let cause = ErrorCause::unrecognized_parameter(Bytes::copy_from_slice(&parameter[..6]));
            expected.push(to(A, HIGH, EnrpBody::Error { error: cause.into() }));
        }
        if carried_on {
            expected.push(to(A, HIGH, list(&[])));
        }
        assert_eq!(rig.raw(A, ProtocolId::ENRP, message), expected, "{kind:#x}");
    }
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    let unknown = [0x41, 0, 0, 4];
    let error: OperationError = ErrorCause::unrecognized_message(Bytes::copy_from_slice(&unknown)).into();
    let report = to(A, HIGH, EnrpBody::Error { error: error.clone() });
    assert_eq!(rig.raw(A, ProtocolId::ENRP, unknown.to_vec()), [report]);
    assert_eq!(rig.from(A, HIGH, EnrpBody::Error { error }), []);
    assert_eq!(rig.registrar.ctx.counters.errors_received, 1);
}

/// RFC 5353 section 3.2.1: a registrar that comes to us under our own identifier is told so and turned away;
/// one that came to another under an identifier in use stops, and says why.
#[test]
fn two_registrars_with_one_identifier_do_not_both_go_on() {
    let elsewhere = SctpAddress::new(localhost(), ENRP_PORT, UdpPort(1));
    let other =
        ServerInformation { encapsulation: Some(EncapsulationPorts { user: 1, asap: 0 }), ..server(US) };
    let namesake =
        EnrpBody::Presence { reply_required: true, checksum: Some(0xffff), server: Some(other.clone()) };
    let mut rig = Rig::serving();
    rig.meet(B, HIGH);
    rig.enlist(C, 1);
    rig.event(Event::Connected(Connected::new(A, Origin::Peer, ENRP_PORT, elsewhere.clone())));
    let actions = rig.from(A, US, namesake.clone());
    assert_eq!(actions, [to(A, NONE, rig.presence(true)), shutdown(A, rig.now + NO_RESPONSE)]);
    assert_eq!((rig.known(), rig.elements()), (vec![HIGH.0], vec![1]));
    // Nothing else is heeded under our name.
    assert_eq!(rig.from(A, US, add(2, US)), []);
    assert_eq!(rig.from(B, US, namesake.clone()), []);

    let mut rig = Rig::serving_with(|config| config.enrp.peers = vec![elsewhere.clone()]);
    rig.registrar.ctx.outbox.take_actions();
    let event =
        Event::Connected(Connected::new(A, Origin::Attempt(ConnectId(1)), ENRP_PORT, elsewhere.clone()));
    rig.event(event);
    let deadline = rig.now + NO_RESPONSE;
    assert_eq!(rig.from(A, US, namesake), [abort(A), shutdown(A, deadline)]);
    assert_eq!(rig.notices(), [Notice::IdentifierTaken { id: US, peer: elsewhere.into() }]);
    rig.lose(A);
    assert!(rig.registrar.is_stopped());
}

/// We have not heard of the namesake: a third registrar, which knows it, tells us where it is before it turns
/// us away, and there we find out.
#[test]
fn a_newcomer_is_told_where_its_name_is_taken() {
    let mut rig = Rig::joining(&[HIGH]);
    let other =
        ServerInformation { encapsulation: Some(EncapsulationPorts { user: 1, asap: 0 }), ..server(US) };
    let told = EnrpBody::ListResponse { rejected: false, servers: vec![other.clone()] };
    let actions = rig.from(A, HIGH, told);
    let elsewhere = SctpAddress::new(localhost(), ENRP_PORT, UdpPort(1));
    let deadline = rig.now + NO_RESPONSE;
    let connect = Action::Connect {
        request: ConnectId(2),
        local_port: ENRP_PORT,
        peer: elsewhere.clone().into(),
        deadline,
    };
    assert!(actions.contains(&connect), "{actions:?}");
    let (request, peer) = (Some(ConnectId(2)), elsewhere.clone());
    rig.event(Event::Connected(Connected::new(B, request.into(), ENRP_PORT, peer)));
    rig.from(B, US, EnrpBody::Presence { reply_required: true, checksum: Some(0xffff), server: Some(other) });
    assert!(rig.notices().contains(&Notice::IdentifierTaken { id: US, peer: elsewhere.into() }));
}

/// A random identifier that no other registrar has heard yet is replaced; but not one that elements know.
#[test]
fn a_name_that_is_taken_is_replaced_before_it_is_used() {
    let drawn = |peers: Vec<SctpAddress>| {
        Rig::with(|config| {
            config.id = None;
            config.addresses = vec![localhost()];
            config.enrp.peers = peers;
        })
    };
    let mut rig = drawn(vec![place(HIGH)]);
    rig.registrar.ctx.outbox.take_actions();
    let id = rig.registrar.id();
    rig.called_by(A, id);
    let actions = rig.from(A, id, EnrpBody::Presence { reply_required: false, checksum: None, server: None });
    assert_eq!(actions.len(), 1, "presence");
    assert!(rig.registrar.id() != id && rig.known() == [id.0]);
    // It has spoken now.
    let id = rig.registrar.id();
    rig.called_by(B, id);
    rig.from(B, id, EnrpBody::Presence { reply_required: false, checksum: None, server: None });
    assert_eq!(rig.registrar.id(), id);

    let mut rig = drawn(vec![]);
    let id = rig.registrar.id();
    rig.connect(C, 4001);
    rig.asap(C, &registration(1));
    rig.called_by(A, HIGH);
    rig.from(A, id, EnrpBody::Presence { reply_required: false, checksum: None, server: None });
    assert_eq!((rig.registrar.id(), rig.home(1)), (id, Some(id)));
}

/// 64 registrars that nobody knows do not shut out the configured ones.
#[test]
fn configured_peers_have_places() {
    let mut rig = Rig::serving_with(|config| config.enrp.peers = vec![place(HIGH), place(LOW)]);
    rig.registrar.ctx.outbox.take_actions();
    for n in 0..70 {
        let (association, id) = (AssociationId::sctp(100 + n), RegistrarId(0x1000 + n as u32));
        rig.called_by(association, id);
        rig.from(association, id, heartbeat(0xffff, id));
    }
    assert_eq!((rig.known().len(), rig.registrar.ctx.counters.peers_refused), (62, 8));
    rig.reached(A, 1, HIGH);
    assert_eq!(rig.from(A, HIGH, heartbeat(0xffff, HIGH)), [to(A, HIGH, EnrpBody::ListRequest)]);
    // It may as well be the one that calls.
    rig.called_by(B, LOW);
    rig.from(B, LOW, heartbeat(0xffff, LOW));
    assert_eq!((rig.known().len(), rig.registrar.association_with(LOW)), (64, Some(B)));
    rig.registrar.check_enrp();
}

/// ENRP-3.2.3-09, ENRP-3.2.2.2-05: what is asked over an association in another name than before is refused;
/// anything else is ignored.
#[test]
fn who_asks_in_another_name_is_refused() {
    let mut rig = Rig::serving();
    rig.meet(A, HIGH);
    assert_eq!(rig.from(A, LOW, table_request(false)), [to(A, LOW, no_table())]);
    assert_eq!(rig.from(A, LOW, EnrpBody::ListRequest), [to(A, LOW, no_list())]);
    assert_eq!(rig.from(A, LOW, add(1, LOW)), []);
    assert_eq!((rig.known(), rig.registrar.ctx.counters.spoofed), (vec![HIGH.0], 3));
}

/// RFC 5355, section 2.14: a list is not authenticated. One that names many registrars at one address must not have us send
/// much there, neither at a time nor in all, whatever identifiers and ports it makes up.
#[test]
fn an_address_that_a_list_names_gets_few_attempts() {
    let mut rig = Rig::joining(&[HIGH]);
    rig.from(A, HIGH, heartbeat(0xffff, HIGH));
    let attempts = |actions: &[Action]| {
        let ids = actions.iter().filter_map(|action| match action {
            Action::Connect { request, .. } => Some(request.0),
            _ => None,
        });
        ids.collect::<Vec<_>>()
    };
    let named: Vec<_> = (0..60).map(|n| RegistrarId(0x1000 + n)).collect();
    let mut pending = attempts(&rig.from(A, HIGH, list(&named)));
    let mut attempted = vec![pending.len()];
    for _ in 0..300 {
        // Nobody is there.
        for request in core::mem::take(&mut pending) {
            pending.extend(attempts(&rig.refuse(request, ConnectError::TimedOut)));
        }
        pending.extend(attempts(&rig.advance(Duration::from_secs(1))));
        attempted.push(pending.len());
    }
    // Two rounds of eight, then one at a time: one for each that is named, and one before it is struck off.
    let total: usize = attempted.iter().sum();
    assert!(attempted.iter().max() == Some(&8) && (60..150).contains(&total), "{attempted:?}");
    assert_eq!(attempted.iter().filter(|attempts| **attempts > 1).count(), 2, "{attempted:?}");
    assert_eq!(rig.registrar.peers.contacts.len(), 1, "only the one that is configured is left");
    rig.registrar.check_enrp();
}
