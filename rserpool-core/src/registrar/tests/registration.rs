//! Registration and deregistration (RFC 5352 sections 3.1 and 3.2).

use super::*;
use crate::base::SctpAddress;

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
    assert_eq!(rig.registrar.ctx.counters.registrations_rejected, 7);
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

/// PARAM-3.12.5-01, SEC-2.3.3-01, reading B32: the owner of an identifier is asked before another element
/// gets it; its answer refuses the newcomer.
#[test]
fn a_living_owner_keeps_its_identifier() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    rig.connect(B, 5000);
    assert_eq!(rig.asap(B, &registration(1)), [keep_alive(A, 1)]);
    // A third one need not wait for the answer.
    rig.connect(C, 6000);
    let not_unique = ErrorCause::bare(CauseCode::NON_UNIQUE_IDENTIFIER);
    assert_eq!(rig.asap(C, &registration(1)), [rejected(C, 1, not_unique.clone())]);
    // The challenger cannot answer for the owner.
    assert_eq!(rig.asap(B, &ack(1)), []);
    assert_eq!(rig.asap(A, &ack(1)), [rejected(B, 1, not_unique)]);
    assert_eq!(rig.get(1).encapsulation, Some(EncapsulationPorts { user: 4001, asap: 4001 }));
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

/// ASAP-2.2.2-02, ASAP-3.2-10: an element can deregister only itself.
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
    rig.asap(A, &with(&[second, localhost()]));
    assert_eq!(listed(&rig), [localhost()]);
    // The transport has verified the other one.
    let peer = SctpAddress { addresses: vec![localhost(), second], ..peer(4001) };
    rig.event(Event::Addresses { association: A, peer: peer.into() });
    assert_eq!(listed(&rig), [second, localhost()], "what was left out is remembered");
    rig.asap(A, &with(&[second, localhost(), third]));
    assert_eq!(listed(&rig), [second, localhost()]);
}
