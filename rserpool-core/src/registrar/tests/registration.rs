//! Registration and deregistration (RFC 5352 sections 3.1 and 3.2).

use super::*;
use crate::base::SctpAddress;

const D: AssociationId = AssociationId::sctp(4);

/// ASAP-3.1-20, -24, -25, -27, ASAP-2.2.3-03: the registrar becomes the home and notes where the
/// registration came from.
#[test]
fn a_registration_is_granted_and_the_registrar_becomes_its_home() {
    let mut rig = Rig::new();
    assert_eq!(rig.connect(A, 4001), []);
    assert_eq!(rig.asap(A, &registration(1)), [granted(A, 1)]);
    let listed = PoolElement {
        home: ID,
        asap_transport: Some(SctpTransport {
            port: 7,
            usage: TransportUse::DataOnly,
            addresses: vec![localhost()].into(),
        }),
        encapsulation: Some(EncapsulationPorts { user: 4001, asap: 4001 }),
        ..element(1)
    };
    assert_eq!(rig.get(1), &listed);
    assert_eq!(rig.notices(), [Notice::Registered { pe: pe(1), peer: peer(4001) }]);
    assert_eq!(rig.registrar.ctx.counters.registrations, 1);
}

/// ASAP-3.1-24, ASAP-3.1-25: whatever the element states of its home and its ASAP transport, such as those of
/// its last home, the home is this registrar, and the transport is where the registration came from.
#[test]
fn what_an_element_states_of_its_home_is_replaced() {
    let mut rig = Rig::new();
    rig.connect(A, 4001);
    let elsewhere = SctpTransport {
        port: 99,
        usage: TransportUse::DataOnly,
        addresses: IpAddr::from([127, 0, 0, 9]).into(),
    };
    let stated = PoolElement { home: RegistrarId(0x99), asap_transport: Some(elsewhere), ..element(1) };
    rig.asap(A, &AsapMessage::Registration { handle: POOL.into(), element: stated });
    assert_eq!(rig.get(1).home, ID);
    assert_eq!(rig.get(1).asap_address(), Some(peer(4001)));
}

/// ASAP-3.1-23: a re-registration is checked like a registration; one that is refused changes nothing.
#[test]
fn a_reregistration_that_does_not_fit_is_refused() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    rig.register(B, 2);
    let before = rig.get(1).clone();
    let mut data_only = element(1);
    let Transport::Sctp(sctp) = &mut data_only.user_transport else { panic!() };
    sctp.usage = TransportUse::DataOnly;
    let dead = PoolElement { life: RegistrationLife(0), ..element(1) };
    let cases = [
        (
            PoolElement { policy: Policy::Random, ..element(1) },
            ErrorCause::inconsistent_policy(&Policy::RoundRobin),
        ),
        (data_only, ErrorCause::bare(CauseCode::INCONSISTENT_TRANSPORT_USE)),
        (dead.clone(), ErrorCause::invalid_values(dead.to_parameter())),
    ];
    for (element, cause) in cases {
        let again = AsapMessage::Registration { handle: POOL.into(), element };
        assert_eq!(rig.asap(A, &again), [rejected(A, 1, cause)]);
        assert_eq!(*rig.get(1), before);
    }
}

/// A port that the element states is believed; one it leaves open is taken from the association
/// only if both transports are one.
#[test]
fn the_encapsulation_port_is_stated_or_seen() {
    let mut rig = Rig::new();
    rig.connect(A, 4001);
    let stated = EncapsulationPorts { user: 9899, asap: 0 };
    let message = AsapMessage::Registration {
        handle: POOL.into(),
        element: PoolElement { encapsulation: Some(stated), ..element(1) },
    };
    rig.asap(A, &message);
    assert_eq!(rig.get(1).encapsulation, Some(EncapsulationPorts { user: 9899, asap: 4001 }));

    let mut elsewhere = element(2);
    if let Transport::Sctp(sctp) = &mut elsewhere.user_transport {
        sctp.port = 8;
    }
    rig.asap(A, &AsapMessage::Registration { handle: POOL.into(), element: elsewhere });
    assert_eq!(rig.get(2).encapsulation, Some(EncapsulationPorts { user: 0, asap: 4001 }));
}

/// ASAP-3.1-23, ASAP-3.1-15: a re-registration over the same association replaces attributes and
/// restarts the life; no new keep-alive is due.
#[test]
fn a_reregistration_replaces_the_attributes() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    let renewed = PoolElement { life: RegistrationLife(7), ..element(1) };
    let actions = rig.asap(A, &AsapMessage::Registration { handle: POOL.into(), element: renewed });
    assert_eq!(actions, [granted(A, 1)]);
    assert_eq!(rig.get(1).life, RegistrationLife(7));
    assert_eq!(rig.notices(), []);
    assert_eq!(rig.registrar.ctx.counters.reregistrations, 1);
}

/// ASAP-3.1-22, -28, -30, PARAM-3.12.6-01, -3.12.8-01, -3.12.9-01, -3.12.4-01, -3.12.7-01: every way
/// not to fit has its cause, and none touches what is registered.
#[test]
fn a_registration_that_does_not_fit_is_refused_with_its_cause() {
    let mut rig = Rig::with(|config| config.limits.elements_per_pool = 2);
    rig.register(A, 1);
    rig.connect(B, 4002);
    let mut data_only = element(2);
    if let Transport::Sctp(sctp) = &mut data_only.user_transport {
        sctp.usage = TransportUse::DataOnly;
    }
    let tcp = Transport::Tcp { port: 7, reserved: 0, address: localhost() };
    let no_identifier = element(0);
    let dead = PoolElement { life: RegistrationLife(0), ..element(2) };
    let negative = PoolElement { life: RegistrationLife(-2), ..element(2) };
    let mut nowhere = element(2);
    if let Transport::Sctp(sctp) = &mut nowhere.user_transport {
        sctp.port = 0;
    }
    let cases = [
        (
            PoolElement { policy: Policy::Random, ..element(2) },
            ErrorCause::inconsistent_policy(&Policy::RoundRobin),
        ),
        (
            PoolElement { user_transport: tcp, ..element(2) },
            ErrorCause::inconsistent_transport(&element(1).user_transport),
        ),
        (data_only, ErrorCause::bare(CauseCode::INCONSISTENT_TRANSPORT_USE)),
        (no_identifier.clone(), ErrorCause::invalid_values(no_identifier.to_parameter())),
        (dead.clone(), ErrorCause::invalid_values(dead.to_parameter())),
        (negative.clone(), ErrorCause::invalid_values(negative.to_parameter())),
        (nowhere.clone(), ErrorCause::invalid_values(nowhere.to_parameter())),
    ];
    for (element, cause) in cases {
        let id = element.id.0;
        let actions = rig.asap(B, &AsapMessage::Registration { handle: POOL.into(), element });
        assert_eq!(actions, [rejected(B, id, cause.clone())]);
        assert_eq!(
            rig.notices(),
            [Notice::Rejected { pe: pe(id), peer: peer(4002).into(), cause: cause.code }]
        );
    }
    assert_eq!(rig.asap(B, &registration(2))[0], granted(B, 2));
    let full = rejected(B, 3, ErrorCause::bare(CauseCode::LACK_OF_RESOURCES));
    assert_eq!(rig.asap(B, &registration(3)), [full]);
    assert_eq!(rig.elements(), [1, 2]);
    assert_eq!(rig.registrar.ctx.counters.registrations_rejected, 8);
}

/// ASAP-3.1-27, PARAM-3.12.4-01: a registration that names its element and cannot be read behind that is refused,
/// not only reported as an error: the element waits for a response.
#[test]
fn a_registration_that_cannot_be_read_to_its_end_is_refused() {
    let weighted_round_robin = "0008 0008 00000002";
    let no_address = "0004 0008 0007 0001";
    let transport = "0004 0010 0007 0001 0001 0008 7f000001";
    let octets = |text: &str| -> Vec<u8> {
        let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    };
    let message = |parameters: &str| {
        let element = octets(&["00000001 00000000 0000012c", parameters].concat());
        let length = |octets: usize| u16::try_from(octets).unwrap().to_be_bytes();
        let element = [&[0, 0x0a][..], &length(element.len() + 4), &element].concat();
        let handle = [&[0, 9, 0, 12][..], POOL.as_bytes()].concat();
        let head = [&[1, 0][..], &length(4 + handle.len() + element.len())].concat();
        ([&head[..], &handle, &element].concat(), element)
    };
    let mut rig = Rig::new();
    rig.connect(A, 4001);
    let cases = [
        ([transport, weighted_round_robin].concat(), octets(weighted_round_robin)),
        ([no_address, "0008 0008 00000001"].concat(), octets(no_address)),
        (["0008 0008 00000001", transport].concat(), vec![]),
    ];
    for (parameters, quoted) in cases {
        let (message, element) = message(&parameters);
        let quoted = if quoted.is_empty() { element } else { quoted };
        let cause = ErrorCause::invalid_values(quoted.into());
        assert_eq!(rig.raw(A, ProtocolId::ASAP, message), [rejected(A, 1, cause)], "{parameters}");
    }
    let counters = rig.registrar.ctx.counters;
    assert_eq!((counters.registrations_rejected, counters.malformed, counters.errors_sent), (3, 3, 0));
    // What does not even name its element is not answered so.
    assert_eq!(rig.raw(A, ProtocolId::ASAP, octets("01 00 0010 0009 000c 4563686f506f6f6c")), []);
}

/// A policy that nothing selects by is decoded, and its registration refused with cause 0x3.
#[test]
fn a_policy_that_is_not_there_is_refused() {
    let mut rig = Rig::new();
    rig.connect(A, 4001);
    let policy = Policy::Other { kind: crate::wire::PolicyType(0x8000_0001), data: Bytes::from_static(&[5]) };
    let cause = ErrorCause::invalid_values(policy.to_parameter());
    let element = PoolElement { policy, ..element(1) };
    let actions = rig.asap(A, &AsapMessage::Registration { handle: POOL.into(), element });
    assert_eq!(actions, [rejected(A, 1, cause)]);
    assert_eq!(rig.registrar.elements.listing.pool_count(), 0);
}

/// ASAP-3.1-26: what does not fit into every message about it is not kept.
#[test]
fn an_element_with_too_many_addresses_is_refused() {
    let with = |count: usize| {
        let addresses = vec![localhost(); count];
        let transport =
            SctpTransport { port: 7, usage: TransportUse::DataPlusControl, addresses: addresses.into() };
        let element = PoolElement { user_transport: Transport::Sctp(transport), ..element(1) };
        AsapMessage::Registration { handle: POOL.into(), element }
    };
    let mut rig = Rig::new();
    rig.connect(A, 4001);
    let full = rejected(A, 1, ErrorCause::bare(CauseCode::LACK_OF_RESOURCES));
    assert_eq!(rig.asap(A, &with(8_000)), core::slice::from_ref(&full));
    assert_eq!(rig.asap(A, &with(300)), [full]);
    assert_eq!(rig.asap(A, &with(64))[0], granted(A, 1));
}

#[test]
fn a_handle_too_long_to_be_kept_is_refused() {
    let mut rig = Rig::new();
    rig.connect(A, 4001);
    let handle = PoolHandle::new(vec![b'x'; 1025]);
    let message = AsapMessage::Registration { handle: handle.clone(), element: element(1) };
    let refusal = AsapMessage::RegistrationResponse {
        rejected: true,
        handle,
        element: ElementId(1),
        error: Some(ErrorCause::bare(CauseCode::LACK_OF_RESOURCES).into()),
    };
    assert_eq!(rig.asap(A, &message), [asap_to(A, &refusal)]);
    let longest =
        AsapMessage::Registration { handle: PoolHandle::new(vec![b'x'; 1024]), element: element(1) };
    rig.asap(A, &longest);
    assert_eq!(rig.elements(), [1]);
}

/// A scope with RSPLIB registrars takes no handle that would end them, neither from elements nor from peers.
#[test]
fn handles_may_be_kept_shorter() {
    let mut rig = Rig::with(|config| config.max_handle_octets = 32);
    rig.connect(A, 4001);
    for (octets, listed) in [(32, 1), (33, 1)] {
        let handle = PoolHandle::new(vec![b'x'; octets]);
        rig.asap(A, &AsapMessage::Registration { handle, element: element(1) });
        assert_eq!(rig.elements().len(), listed);
    }
    assert_eq!(rig.registrar.ctx.counters.registrations_rejected, 1);
    let mut config = RegistrarConfig::rfc(Some(ID), 1);
    for bad in [0, 1_025] {
        config.max_handle_octets = bad;
        assert!(config.check().is_err(), "{bad}");
    }
}

/// Nobody takes all the room: one source founds half of the pools and brings half of the elements at most, one
/// association a quarter, so that others find room. What is there stays, and leaves room when it goes.
#[test]
fn one_source_cannot_keep_all_others_out() {
    let mut rig = Rig::with(|config| (config.limits.pools, config.limits.elements) = (400, 800));
    for association in [A, C, D] {
        rig.connect(association, 4000 + association.number() as u16);
    }
    let other = SctpAddress { addresses: vec![IpAddr::from([127, 0, 0, 2])], ..peer(4002) };
    rig.event(Event::Connected(Connected::new(B, Origin::Peer, ASAP_PORT, other)));
    let register = |rig: &mut Rig, over, pool: u32, id| {
        let handle = PoolHandle::from(alloc::format!("{pool}").as_str());
        let actions = rig.asap(over, &AsapMessage::Registration { handle, element: element(id) });
        let Action::Send { bytes, .. } = &actions[0] else { panic!() };
        let answer = AsapMessage::decode(bytes).unwrap().message;
        matches!(answer, AsapMessage::RegistrationResponse { rejected: false, .. })
    };
    assert!((1..=100).all(|pool| register(&mut rig, A, pool, 1)));
    assert!(!register(&mut rig, A, 101, 1), "a quarter");
    assert!((101..=200).all(|pool| register(&mut rig, C, pool, 1)));
    assert!(!register(&mut rig, D, 201, 1), "a half");
    assert!(register(&mut rig, B, 201, 1));
    assert!((2..=101).all(|id| register(&mut rig, A, 1, id)));
    assert!(!register(&mut rig, A, 1, 102), "a quarter");
    assert!(register(&mut rig, A, 1, 1), "it has that one");
    assert!((201..=300).all(|id| register(&mut rig, C, 1, id)));
    assert!(!register(&mut rig, D, 1, 301), "a half");
    assert!(register(&mut rig, B, 1, 301));
    rig.asap(A, &AsapMessage::Deregistration { handle: "2".into(), element: ElementId(1) });
    assert!(register(&mut rig, A, 202, 1));
}

/// PARAM-3.12.5-01, SEC-2.3.3-01, reading B32: the owner of an identifier is asked before another element
/// gets it; its answer refuses the newcomer.
#[test]
fn a_living_owner_keeps_its_identifier() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    rig.connect(B, 5000);
    assert_eq!(rig.asap(B, &registration(1)), [keep_alive(A, 1)]);
    // The challenger cannot answer for the owner.
    assert_eq!(rig.asap(B, &ack(1)), []);
    let not_unique = ErrorCause::bare(CauseCode::NON_UNIQUE_IDENTIFIER);
    assert_eq!(rig.asap(A, &ack(1)), [rejected(B, 1, not_unique)]);
    assert_eq!(rig.get(1).encapsulation, Some(EncapsulationPorts { user: 4001, asap: 4001 }));
}

/// A process that is restarted again and again leaves a challenger each time: the newest gets the place, and the
/// others are refused.
#[test]
fn the_newest_challenger_replaces_one_that_waits() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    rig.connect(B, 5000);
    rig.asap(B, &registration(1));
    rig.connect(C, 6000);
    let not_unique = ErrorCause::bare(CauseCode::NON_UNIQUE_IDENTIFIER);
    assert_eq!(rig.asap(C, &registration(1)), [rejected(B, 1, not_unique.clone())]);
    assert_eq!(rig.disconnect(B), []);
    let moved = [deregistered(A, 1, None), granted(C, 1)];
    assert_eq!(rig.advance(Duration::from_secs(5)), moved);
}

/// ASAP-3.1-27: each registration of a waiting challenger is answered. An endless number of them is not piled
/// up.
#[test]
fn each_registration_of_a_challenger_is_answered() {
    let not_unique = ErrorCause::bare(CauseCode::NON_UNIQUE_IDENTIFIER);
    let mut refused = Rig::new();
    refused.register(A, 1);
    refused.connect(B, 5000);
    for _ in 0..3 {
        refused.asap(B, &registration(1));
    }
    assert_eq!(refused.asap(A, &ack(1)), vec![rejected(B, 1, not_unique.clone()); 3]);
    let mut accepted = Rig::new();
    accepted.register(A, 1);
    accepted.connect(B, 5000);
    for _ in 0..3 {
        accepted.asap(B, &registration(1));
    }
    assert_eq!(accepted.disconnect(A), vec![granted(B, 1); 3]);
    let mut flooded = Rig::new();
    flooded.register(A, 1);
    flooded.connect(B, 5000);
    for _ in 0..16 {
        assert!(flooded.asap(B, &registration(1)).iter().all(|action| *action == keep_alive(A, 1)));
    }
    assert_eq!(flooded.asap(B, &registration(1)), [rejected(B, 1, not_unique.clone())]);
    assert_eq!(flooded.asap(A, &ack(1)).len(), 16);
}

/// Therefore a restarted element with a fixed identifier can register again.
#[test]
fn a_silent_owner_loses_its_identifier() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    rig.connect(B, 5000);
    assert_eq!(rig.asap(B, &registration(1)), [keep_alive(A, 1)]);
    let moved = [deregistered(A, 1, None), granted(B, 1)];
    assert_eq!(rig.advance(Duration::from_secs(5)), moved);
    assert_eq!(
        rig.notices(),
        [
            Notice::Removed { pe: pe(1), reason: RemovalReason::Silent },
            Notice::Registered { pe: pe(1), peer: peer(5000) },
        ]
    );
    // The old association no longer speaks for it.
    assert_eq!(
        rig.asap(A, &deregistration(1)),
        [deregistered(A, 1, Some(ErrorCause::bare(CauseCode::SECURITY).into()))]
    );
    rig.first_keep_alive(B, 1);
    assert_eq!(rig.disconnect(A), []);
    assert_eq!(rig.elements(), [1]);
}

#[test]
fn an_owner_that_goes_down_while_asked_makes_way_at_once() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    rig.connect(B, 5000);
    rig.asap(B, &registration(1));
    assert_eq!(rig.disconnect(A), [granted(B, 1)]);
    let (lives, keep_alives) =
        (rig.registrar.ctx.deadlines.len(), rig.registrar.elements.listing.watch_count());
    assert_eq!((lives, keep_alives), (1, 1));
}

/// A silent owner that was alone in its pool takes the pool's policy with it.
#[test]
fn a_challenger_may_found_the_pool_anew() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    rig.connect(B, 5000);
    let other = PoolElement { policy: Policy::Random, ..element(1) };
    rig.asap(B, &AsapMessage::Registration { handle: POOL.into(), element: other });
    let moved = [deregistered(A, 1, None), granted(B, 1)];
    assert_eq!(rig.advance(Duration::from_secs(5)), moved);
    assert_eq!(rig.get(1).policy, Policy::Random);
}

/// A challenger that does not fit gains nothing, and a silent owner still goes.
#[test]
fn a_challenger_that_does_not_fit_does_not_keep_a_silent_owner() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    rig.register(C, 2);
    rig.connect(B, 5000);
    let other = PoolElement { policy: Policy::Random, ..element(1) };
    rig.asap(B, &AsapMessage::Registration { handle: POOL.into(), element: other });
    let refused = rejected(B, 1, ErrorCause::inconsistent_policy(&Policy::RoundRobin));
    let mut actions = rig.advance(Duration::from_secs(5));
    actions.retain(|action| *action != keep_alive(C, 2));
    assert_eq!(actions, [deregistered(A, 1, None), refused]);
    assert_eq!(rig.elements(), [2]);
}

/// A challenger that goes away leaves nothing behind.
#[test]
fn a_challenger_that_leaves_is_forgotten() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    rig.connect(B, 5000);
    rig.asap(B, &registration(1));
    assert_eq!(rig.disconnect(B), []);
    assert_eq!(rig.asap(A, &ack(1)), []);
    assert_eq!(rig.elements(), [1]);
    assert!(rig.registrar.elements.own[&pe(1)].challenger.is_none());
}

/// The same endpoint over a new association (its old one not yet known to be dead) needs no proof.
#[test]
fn the_same_endpoint_may_move_to_a_new_association() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    rig.connect(B, 4001);
    assert_eq!(rig.asap(B, &registration(1)), [granted(B, 1)]);
    rig.first_keep_alive(B, 1);
    assert_eq!(rig.disconnect(A), []);
}

/// ASAP-3.2-08, -11: the element goes, the answer comes.
#[test]
fn a_deregistration_over_the_registering_association_is_granted() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    assert_eq!(rig.asap(A, &deregistration(1)), [deregistered(A, 1, None)]);
    assert_eq!(rig.notices(), [Notice::Removed { pe: pe(1), reason: RemovalReason::Deregistered }]);
    assert_eq!(rig.registrar.elements.listing.pool_count(), 0);
    assert!(rig.registrar.ctx.deadlines.is_empty());
}

/// ASAP-3.2-09: what is not there is gone already.
#[test]
fn a_deregistration_of_an_unknown_element_is_granted() {
    let mut rig = Rig::new();
    rig.connect(A, 4001);
    assert_eq!(rig.asap(A, &deregistration(1)), [deregistered(A, 1, None)]);
    assert_eq!(rig.notices(), []);
}

/// ASAP-2.2.2-02, ASAP-3.2-10, ASAP-3.2-11: an element can deregister only itself; the error in the answer says
/// that it has not.
#[test]
fn a_deregistration_by_somebody_else_is_refused() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    rig.connect(B, 4002);
    let refused = Some(ErrorCause::bare(CauseCode::SECURITY).into());
    assert_eq!(rig.asap(B, &deregistration(1)), [deregistered(B, 1, refused)]);
    assert_eq!(rig.elements(), [1]);
    assert_eq!(rig.registrar.ctx.counters.deregistrations_rejected, 1);
}

/// When the registering association is down, the recorded endpoint may speak over another one.
#[test]
fn after_a_broken_association_the_same_endpoint_may_deregister() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    let deadline = rig.now + Duration::from_secs(5);
    assert_eq!(rig.disconnect(A), [probe(1, 4001, deadline)]);
    rig.connect(B, 4002);
    let refused = Some(ErrorCause::bare(CauseCode::SECURITY).into());
    assert_eq!(rig.asap(B, &deregistration(1)), [deregistered(B, 1, refused)]);
    rig.connect(C, 4001);
    assert_eq!(
        rig.asap(C, &deregistration(1)),
        [Action::CancelConnect { request: ConnectId(1) }, deregistered(C, 1, None)]
    );
    assert_eq!(rig.elements(), []);
}

/// ASAP-3.2-01, ASAP-2.2.4-02: the end of a life removes the element and tells it.
#[test]
fn a_life_ends() {
    let mut rig = Rig::with(|config| config.keep_alive_interval = Duration::from_secs(100_000));
    rig.register(A, 1);
    assert_eq!(rig.advance(Duration::from_secs(299)), []);
    assert_eq!(rig.advance(Duration::from_secs(1)), [deregistered(A, 1, None)]);
    assert_eq!(rig.notices(), [Notice::Removed { pe: pe(1), reason: RemovalReason::Expired }]);
    assert_eq!(rig.registrar.ctx.counters.removed_expired, 1);
}

/// PARAM-3.10-02: a life of -1 does not end, and takes the place of one that would.
#[test]
fn an_infinite_life_does_not_end() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    let element = PoolElement { life: RegistrationLife::INFINITE, ..element(1) };
    rig.asap(A, &AsapMessage::Registration { handle: POOL.into(), element });
    assert_eq!(rig.registrar.ctx.deadlines.get(&Timer::Life(pe(1))), None);
}

/// ASAP-2.2.1-02, for elements that do not keep to it: only addresses of the association are listed.
#[test]
fn addresses_of_others_are_left_out_if_they_are_checked() {
    let mut rig = Rig::new();
    rig.registrar.ctx.config.check_addresses = true;
    let (second, third) = (IpAddr::from([127, 0, 0, 2]), IpAddr::from([127, 0, 0, 3]));
    let with = |addresses: &[IpAddr]| {
        let mut element = element(1);
        let Transport::Sctp(sctp) = &mut element.user_transport else { panic!() };
        sctp.addresses = addresses.into();
        AsapMessage::Registration { handle: POOL.into(), element }
    };
    let listed = |rig: &Rig| match &rig.get(1).user_transport {
        Transport::Sctp(sctp) => sctp.addresses.to_vec(),
        other => panic!("{other:?}"),
    };
    rig.connect(A, 4001);
    rig.asap(A, &with(&[second, third]));
    let cause = CauseCode::INVALID_VALUES;
    assert_eq!(rig.notices(), [Notice::Rejected { pe: pe(1), peer: peer(4001).into(), cause }]);
    // RFC 5352 section 2.2.3: it is granted with a warning, since it is not listed as it was asked for.
    let stated = with(&[second, localhost()]);
    let AsapMessage::Registration { element: as_stated, .. } = &stated else { panic!() };
    let warned = AsapMessage::RegistrationResponse {
        rejected: false,
        handle: POOL.into(),
        element: ElementId(1),
        error: Some(ErrorCause::invalid_values(as_stated.to_parameter()).into()),
    };
    assert_eq!(rig.asap(A, &stated), [asap_to(A, &warned)]);
    assert_eq!(listed(&rig), [localhost()]);
    // The transport has verified the other one.
    let peer = SctpAddress { addresses: vec![localhost(), second], ..peer(4001) };
    rig.event(Event::Addresses { association: A, peer: peer.into() });
    assert_eq!(listed(&rig), [second, localhost()], "what was left out is remembered");
    rig.asap(A, &with(&[second, localhost(), third]));
    assert_eq!(listed(&rig), [second, localhost()]);
}

/// Elements that are registered, and peers that are configured, get in although strangers have taken all places.
#[test]
fn the_transport_is_told_for_whom_to_keep_room() {
    let other = SctpAddress::new(IpAddr::from([192, 0, 2, 7]), crate::base::ENRP_PORT, UdpPort(9899));
    let mut rig = Rig::with(|config| {
        config.addresses = vec![IpAddr::from([192, 0, 2, 1])];
        config.enrp.peers = vec![other];
    });
    let told = |rig: &mut Rig| {
        let reservations = core::iter::from_fn(|| rig.registrar.poll_reservation());
        reservations.map(|r| (r.address.to_string(), r.associations)).collect::<Vec<_>>()
    };
    let here = localhost().to_string();
    assert_eq!(told(&mut rig), [("192.0.2.7".into(), 2)]);
    rig.advance(Duration::from_secs(60));
    rig.event(Event::ConnectFailed { request: ConnectId(1), reason: ConnectError::TimedOut });
    rig.notices();
    rig.connect(A, 4001);
    rig.asap(A, &registration(1));
    rig.asap(A, &registration(2));
    assert_eq!(told(&mut rig), [(here.clone(), 3)]);
    rig.asap(A, &registration(1));
    assert_eq!(told(&mut rig), [], "a renewal changes nothing");
    rig.disconnect(A);
    assert_eq!(told(&mut rig), [], "they are still listed, and may come back");
    rig.registrar.handle_command(rig.now, CommandId(1), Command::UsePeers(vec![]));
    assert_eq!(told(&mut rig), [("192.0.2.7".into(), 0)]);
}
