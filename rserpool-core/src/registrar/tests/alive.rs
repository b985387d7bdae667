//! Keep-alives, unreachable reports and broken associations (RFC 5352 sections 3.4 and 3.5).

use super::*;

/// ASAP-3.5-09, ASAP-3.5-11: keep-alives go on for ever, at intervals varied by half.
#[test]
fn keep_alives_are_spread() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    let mut waits = Vec::new();
    for _ in 0..200 {
        let before = rig.now;
        assert_eq!(rig.jump(), [keep_alive(A, 1)]);
        waits.push(rig.now.since(before).as_millis());
        assert_eq!(rig.asap(A, &ack(1)), []);
        rig.asap(A, &registration(1));
    }
    assert!(waits.iter().all(|ms| (2_500..=7_500).contains(ms)), "{waits:?}");
    assert!(waits.iter().any(|ms| *ms < 3_000) && waits.iter().any(|ms| *ms > 7_000));
}

/// The first keep-alive leaves a little after the answer to a registration, so that no element has to read both
/// at once.
#[test]
fn the_first_keep_alive_leaves_later_than_the_answer() {
    let mut rig = Rig::new();
    rig.connect(A, 4001);
    assert_eq!(rig.asap(A, &registration(1)), [granted(A, 1)]);
    assert_eq!(rig.advance(Duration::from_millis(99)), []);
    assert_eq!(rig.advance(Duration::from_millis(1)), [keep_alive(A, 1)]);
}

/// ASAP-3.5-10: no answer, no element. It is told, in case it is only slow.
#[test]
fn an_element_that_does_not_answer_is_removed() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    rig.jump();
    assert_eq!(rig.advance(Duration::from_millis(4_999)), []);
    assert_eq!(rig.advance(Duration::from_millis(1)), [deregistered(A, 1, None)]);
    assert_eq!(rig.notices(), [Notice::Removed { pe: pe(1), reason: RemovalReason::Silent }]);
    assert!(rig.registrar.ctx.deadlines.is_empty());
    // It wakes up, its late answer counts for nothing, and it registers again.
    assert_eq!(rig.asap(A, &ack(1)), []);
    assert_eq!(rig.registrar.ctx.counters.keep_alive_acks_ignored, 1);
    assert_eq!(rig.asap(A, &registration(1)), [granted(A, 1)]);
}

/// Only the association that was asked can answer, and only once.
#[test]
fn an_answer_from_elsewhere_does_not_count() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    rig.connect(B, 4002);
    rig.jump();
    assert_eq!(rig.asap(B, &ack(1)), []);
    assert_eq!(rig.advance(Duration::from_secs(5)), [deregistered(A, 1, None)]);
    assert_eq!(rig.registrar.ctx.counters.keep_alive_acks_ignored, 1);
}

/// ASAP-3.5-05, -07: a report makes the registrar ask at once, H not set; an element that answers stays, no
/// matter how many report it (reading B4).
#[test]
fn an_element_that_answers_is_not_removed_by_reports() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    for reporter in (11..=60).map(AssociationId::sctp) {
        rig.connect(reporter, 9000);
        assert_eq!(rig.asap(reporter, &unreachable(1)), [keep_alive(A, 1)]);
        assert_eq!(rig.asap(A, &ack(1)), []);
        rig.asap(A, &registration(1));
        rig.advance(Duration::from_secs(1));
        assert_eq!(rig.elements(), [1]);
    }
    // All at once: only the first finds nothing under way.
    for reporter in (11..=60).map(AssociationId::sctp) {
        let asked = if reporter == AssociationId::sctp(11) { vec![keep_alive(A, 1)] } else { vec![] };
        assert_eq!(rig.asap(reporter, &unreachable(1)), asked);
    }
    assert_eq!(rig.asap(A, &ack(1)), []);
    assert_eq!(rig.advance(Duration::from_secs(1)), [keep_alive(A, 1)], "for those that came meanwhile");
    assert_eq!(rig.asap(A, &ack(1)), []);
    assert_eq!(rig.notices(), []);
    assert_eq!(rig.registrar.ctx.counters.unreachable_reports, 100);
}

/// ASAP-9.2-07, SEC-2.14.3-01, ENRP-6.2-02: reports, and newcomers that want its identifier, cause at most one
/// keep-alive to an element in a second, no matter how many there are.
#[test]
fn a_flood_of_reports_causes_one_keep_alive_a_second() {
    let mut rig = Rig::with(|config| config.keep_alive_interval = Duration::from_secs(1000));
    rig.register(A, 1);
    rig.connect(B, 9000);
    rig.connect(C, 9001);
    let mut asked = Vec::new();
    for millisecond in 0..5_000 {
        let mut actions = rig.asap(B, &unreachable(1));
        actions.extend(rig.asap(C, &registration(1)));
        actions.extend(rig.advance(Duration::from_millis(1)));
        if actions.contains(&keep_alive(A, 1)) {
            asked.push(millisecond);
            rig.asap(A, &ack(1));
        }
    }
    assert_eq!(asked, [0, 999, 1_999, 2_999, 3_999, 4_999]);
    assert_eq!(rig.asap(B, &unreachable(99)), [], "nobody knows 99");
    assert_eq!(rig.elements(), [1]);
}

/// With a `prompt_interval` of 0, a report makes the registrar ask whenever no keep-alive is under way.
#[test]
fn without_a_prompt_interval_each_report_causes_a_keep_alive() {
    let mut rig = Rig::with(|config| {
        (config.keep_alive_interval, config.prompt_interval) = (Duration::from_secs(1000), Duration::ZERO);
    });
    rig.register(A, 1);
    rig.connect(B, 9000);
    for _ in 0..100 {
        assert_eq!(rig.asap(B, &unreachable(1)), [keep_alive(A, 1)]);
        assert_eq!(rig.asap(B, &unreachable(1)), [], "it is being asked");
        assert_eq!(rig.asap(A, &ack(1)), [keep_alive(A, 1)], "about the second one");
        assert_eq!(rig.asap(A, &ack(1)), []);
    }
    assert_eq!(rig.elements(), [1]);
}

/// ASAP-3.5-05: a report that comes while an element is being asked is asked about as well. The answer to an
/// older question does not refute it.
#[test]
fn a_report_during_a_keep_alive_causes_another_one() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    assert_eq!(rig.jump(), [keep_alive(A, 1)]);
    rig.connect(B, 9000);
    assert_eq!(rig.asap(B, &unreachable(1)), []);
    assert_eq!(rig.asap(A, &ack(1)), [keep_alive(A, 1)]);
    assert_eq!(rig.advance(Duration::from_secs(5)), [deregistered(A, 1, None)]);
}

/// ASAP-3.5-08: reports are counted until the element answers; a renewed registration is no answer. The
/// count says why it has gone.
#[test]
fn reports_are_counted_until_the_element_answers() {
    for (answered, reason) in [(false, RemovalReason::Reported), (true, RemovalReason::Silent)] {
        let mut rig = Rig::new();
        rig.register(A, 1);
        for reporter in [11, 12, 13, 14].map(AssociationId::sctp) {
            rig.connect(reporter, 9000);
            rig.asap(reporter, &unreachable(1));
            rig.asap(A, &registration(1));
        }
        if answered {
            rig.asap(A, &ack(1));
            assert_eq!(rig.advance(Duration::from_secs(1)), [keep_alive(A, 1)]);
            rig.asap(A, &ack(1));
            rig.jump();
        }
        assert_eq!(rig.advance(Duration::from_secs(5)), [deregistered(A, 1, None)]);
        assert_eq!(rig.notices(), [Notice::Removed { pe: pe(1), reason }]);
    }
}

/// ASAP-3.5-06: a reported element that does not answer goes.
#[test]
fn a_reported_element_that_is_dead_is_removed() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    rig.connect(B, 9000);
    rig.asap(B, &unreachable(1));
    assert_eq!(rig.advance(Duration::from_secs(5)), [deregistered(A, 1, None)]);
}

/// A broken association does not prove that the element is dead: the element is asked over a new one, from our
/// ASAP port, at its ASAP transport.
#[test]
fn a_broken_association_is_replaced() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    let deadline = rig.now + Duration::from_secs(5);
    assert_eq!(rig.disconnect(A), [probe(1, 4001, deadline)]);
    let connected = Event::Connected(Connected::new(B, Origin::Attempt(ConnectId(1)), ASAP_PORT, peer(4001)));
    assert_eq!(rig.event(connected), [keep_alive(B, 1)]);
    assert_eq!(rig.asap(B, &ack(1)), []);
    assert_eq!(rig.elements(), [1]);
    // From now on B is its association.
    assert_eq!(rig.asap(B, &deregistration(1)), [deregistered(B, 1, None)]);
}

/// ASAP-2.1-03, PARAM-3.3-02, PARAM-3.5-02, PARAM-3.6-02, ASAP-3.1-25: an element may serve its users
/// over anything, and is listed so; ASAP never goes there, but to where it came from.
#[test]
fn a_transport_that_is_data_only_is_never_asked() {
    let (port, reserved, address) = (80, 0, localhost());
    let transports = [
        Transport::Tcp { port, reserved, address },
        Transport::Udp { port, reserved, address },
        Transport::UdpLite { port, reserved, address },
        Transport::Dccp { port, reserved, service_code: 1, address },
        Transport::Opaque(Bytes::from_static(b"elsewhere")),
    ];
    for user_transport in transports {
        assert_eq!(user_transport.usage(), TransportUse::DataOnly);
        let mut rig = Rig::new();
        rig.connect(A, 4001);
        let element = PoolElement { user_transport: user_transport.clone(), ..element(1) };
        rig.asap(A, &AsapMessage::Registration { handle: POOL.into(), element });
        assert_eq!(rig.get(1).user_transport, user_transport);
        let asap = rig.get(1).asap_transport.as_ref().unwrap();
        assert_eq!((asap.port, &*asap.addresses), (7, &[localhost()][..]), "{user_transport:?}");
        rig.asap(A, &ack(1));
        let deadline = rig.now + Duration::from_secs(5);
        assert_eq!(rig.disconnect(A), [probe(1, 4001, deadline)], "{user_transport:?}");
    }
}

#[test]
fn an_element_that_cannot_be_reached_again_is_removed() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    rig.disconnect(A);
    let failed = Event::ConnectFailed { request: ConnectId(1), reason: ConnectError::TimedOut };
    assert_eq!(rig.event(failed), []);
    assert_eq!(rig.notices(), [Notice::Removed { pe: pe(1), reason: RemovalReason::Silent }]);
    assert!(rig.registrar.ctx.deadlines.is_empty() && rig.registrar.ctx.attempts.is_empty());
}

/// It comes back by itself while we are looking for it.
#[test]
fn an_element_that_registers_anew_need_not_be_sought() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    rig.disconnect(A);
    rig.connect(B, 4001);
    assert_eq!(
        rig.asap(B, &registration(1)),
        [Action::CancelConnect { request: ConnectId(1) }, granted(B, 1)]
    );
}

/// A host with many elements that have all vanished does not delay the others: it never has all the attempts,
/// its elements take turns with those of others, and the oldest of each comes first.
#[test]
fn attempts_are_fair() {
    let mut rig = Rig::with(|config| config.keep_alive_interval = Duration::from_secs(1_000));
    let at = |host: u8, id: u32| SctpAddress {
        addresses: vec![IpAddr::from([127, 0, 0, host])],
        ..peer(4000 + id as u16)
    };
    let enter = |rig: &mut Rig, host: u8, id: u32| {
        let association = AssociationId::sctp(u64::from(id));
        let connected = Connected::new(association, Origin::Peer, ASAP_PORT, at(host, id));
        rig.event(Event::Connected(connected));
        assert_eq!(rig.asap(association, &registration(id)), [granted(association, id)]);
        association
    };
    let crowd: Vec<_> = (1..=300).map(|id| enter(&mut rig, 1, id)).collect();
    let others: Vec<_> = (301..=360).map(|id| enter(&mut rig, 2, id)).collect();
    let asked = |actions: &[Action]| -> Vec<(u8, u16)> {
        let asked = |action: &Action| match action {
            Action::Connect { peer, .. } => {
                let peer = peer.as_sctp().unwrap();
                let IpAddr::V4(address) = peer.addresses[0] else { panic!() };
                Some((address.octets()[3], peer.udp_port.0 - 4000))
            }
            _ => None,
        };
        actions.iter().filter_map(asked).collect()
    };
    let lost: Vec<_> = crowd.iter().flat_map(|association| asked(&rig.disconnect(*association))).collect();
    assert_eq!(lost.len(), MAX_PROBES_OF_ONE);
    // Some of the others are asked at once, as many as there is room for.
    let lost: Vec<_> = others.iter().flat_map(|association| asked(&rig.disconnect(*association))).collect();
    assert_eq!(lost.len(), MAX_PROBES - MAX_PROBES_OF_ONE);
    // The rest takes turns.
    let failed =
        |request| Event::ConnectFailed { request: ConnectId(request), reason: ConnectError::TimedOut };
    let next: Vec<_> = (1..=4).flat_map(|request| asked(&rig.event(failed(request)))).collect();
    assert_eq!(next, [(1, 97), (2, 333), (1, 98), (2, 334)]);
    rig.registrar.check_enrp();
}

/// Two elements on one association: one silent, one alive.
#[test]
fn elements_of_one_association_live_and_die_apart() {
    let mut rig = Rig::with(|config| config.keep_alive_interval = Duration::from_secs(1));
    rig.connect(A, 4001);
    rig.asap(A, &registration(1));
    rig.asap(A, &registration(2));
    let mut removed = Vec::new();
    for _ in 0..20 {
        for action in rig.jump() {
            if action == keep_alive(A, 2) {
                rig.asap(A, &ack(2));
            } else {
                removed.push(action);
            }
        }
    }
    assert_eq!(removed, [keep_alive(A, 1), deregistered(A, 1, None)]);
    assert_eq!(rig.elements(), [2]);
}

/// An attempt that succeeds although it was cancelled leaves no association behind.
#[test]
fn a_cancelled_probe_that_succeeds_is_aborted() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    rig.disconnect(A);
    rig.connect(B, 4001);
    rig.asap(B, &registration(1));
    let late = Event::Connected(Connected::new(C, Origin::Attempt(ConnectId(1)), ASAP_PORT, peer(4001)));
    assert_eq!(rig.event(late), [Action::Abort { association: C, cause: AbortCause::User }]);
    assert!(!rig.registrar.links.contains_key(&C));
}

/// The ports to an element are in use: it is asked over the association that uses them.
#[test]
fn an_open_association_takes_the_place_of_one_that_cannot_be_opened() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    rig.disconnect(A);
    rig.connect(B, 4001);
    rig.connect(C, 4002);
    let failed = Event::ConnectFailed { request: ConnectId(1), reason: ConnectError::InUse };
    assert_eq!(rig.event(failed), [keep_alive(B, 1)]);
    assert_eq!(rig.asap(B, &ack(1)), []);
    assert_eq!(rig.notices(), []);
    assert_eq!(rig.elements(), [1]);
}

/// Who has no room for an association lives, and is asked again after the usual time, however often it says so.
#[test]
fn a_busy_element_lives() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    rig.disconnect(A);
    for request in 1..=5 {
        let failed = Event::ConnectFailed { request: ConnectId(request), reason: ConnectError::Busy };
        assert_eq!(rig.event(failed), []);
        assert_eq!(rig.elements(), [1]);
        assert_eq!(rig.advance(Duration::from_millis(2_499)), []);
        let calls = rig.advance(Duration::from_millis(5_001));
        assert!(
            matches!(calls[..], [Action::Connect { request: ConnectId(next), .. }] if next == request + 1)
        );
    }
    // The same if it accepts first.
    let accepts = Event::Connected(Connected::new(B, Origin::Attempt(ConnectId(6)), ASAP_PORT, peer(4001)));
    assert_eq!(rig.event(accepts), [keep_alive(B, 1)]);
    assert_eq!(rig.event(Event::Disconnected { association: B, reason: DownReason::Busy }), []);
    assert_eq!((rig.elements(), rig.notices()), (vec![1], vec![]));
    rig.registrar.check_enrp();
    // It can still die.
    rig.advance(Duration::from_millis(7_500));
    let failed = Event::ConnectFailed { request: ConnectId(7), reason: ConnectError::TimedOut };
    rig.event(failed);
    assert_eq!(rig.elements(), [] as [u32; 0]);
}

/// It accepts an association and ends it without an answer: it is not called again at once, and not for ever.
#[test]
fn who_accepts_and_closes_causes_no_storm() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    rig.disconnect(A);
    let accepts = |association, request| {
        Event::Connected(Connected::new(
            association,
            Origin::Attempt(ConnectId(request)),
            ASAP_PORT,
            peer(4001),
        ))
    };
    assert_eq!(rig.event(accepts(B, 1)), [keep_alive(B, 1)]);
    assert_eq!(rig.disconnect(B), []);
    assert_eq!(rig.elements(), [1]);
    rig.registrar.check_enrp();
    let deadline = rig.now + Duration::from_secs(10);
    assert_eq!(rig.advance(Duration::from_secs(5)), [probe(2, 4001, deadline)]);
    assert_eq!(rig.event(accepts(C, 2)), [keep_alive(C, 1)]);
    assert_eq!(rig.disconnect(C), []);
    assert_eq!(rig.notices(), [Notice::Removed { pe: pe(1), reason: RemovalReason::Silent }]);
}

/// An obstacle on our side is not evidence against an element: a restarted peer has opened its own
/// association between the same ports, and registers over it. It has one more chance.
#[test]
fn a_hindered_probe_is_tried_once_more() {
    for reason in [ConnectError::InUse, ConnectError::TooMany, ConnectError::NoRoute] {
        let mut rig = Rig::new();
        rig.register(A, 1);
        rig.disconnect(A);
        let failed = |request| Event::ConnectFailed { request: ConnectId(request), reason: reason.clone() };
        assert_eq!(rig.event(failed(1)), []);
        assert_eq!(rig.elements(), [1]);
        let deadline = rig.now + Duration::from_secs(10);
        assert_eq!(rig.advance(Duration::from_secs(5)), [probe(2, 4001, deadline)]);
        assert_eq!(rig.event(failed(2)), []);
        assert_eq!(rig.notices(), [Notice::Removed { pe: pe(1), reason: RemovalReason::Silent }]);
    }
}
