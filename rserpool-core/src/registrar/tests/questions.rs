//! Handle resolution, announcements, ENRP requests, counters, shutdown.

use super::*;
use crate::base::UdpPort;

fn resolve(items: Option<u32>) -> AsapMessage {
    AsapMessage::HandleResolution { handle: POOL.into(), subscribe: false, items }
}

fn answer(rig: &Rig, ids: &[u32]) -> AsapMessage {
    AsapMessage::HandleResolutionResponse {
        updates: false,
        handle: POOL.into(),
        policy: Some(Policy::RoundRobin),
        elements: ids.iter().map(|id| PoolElement { asap_transport: None, ..rig.get(*id).clone() }).collect(),
        error: None,
    }
}

fn unknown_pool() -> AsapMessage {
    AsapMessage::HandleResolutionResponse {
        updates: false,
        handle: POOL.into(),
        policy: None,
        elements: vec![],
        error: Some(ErrorCause::bare(CauseCode::UNKNOWN_POOL_HANDLE).into()),
    }
}

/// ASAP-3.3-11, -12, -13, ASAP-2.2.6-01, -02, -06, ASAP-5-01, ASAP-8.3-01: all elements, the policy always, no ASAP transport,
/// and no updates, which were not asked for.
#[test]
fn a_resolution_lists_the_pool_in_the_order_of_its_policy() {
    let mut rig = Rig::new();
    for (id, association) in [(1, A), (2, B)] {
        rig.register(association, id);
    }
    rig.connect(C, 9000);
    assert_eq!(rig.asap(C, &resolve(None)), [asap_to(C, &answer(&rig, &[1, 2]))]);
    assert_eq!(rig.asap(C, &resolve(Some(1))), [asap_to(C, &answer(&rig, &[2]))]);
    assert_eq!(rig.asap(C, &resolve(Some(0))), [asap_to(C, &answer(&rig, &[1, 2]))]);
    assert_eq!(rig.asap(C, &resolve(Some(u32::MAX))), [asap_to(C, &answer(&rig, &[2, 1]))]);
}

/// ASAP-2.2.6-06, readings B34 and B35: a positive answer lists an element, even if none has any weight.
#[test]
fn a_pool_without_any_weight_has_elements_all_the_same() {
    for policy in [Policy::WeightedRoundRobin { weight: 0 }, Policy::WeightedRandom { weight: 0 }] {
        let mut rig = Rig::new();
        for (association, id) in [(A, 1), (B, 2)] {
            rig.connect(association, 4_000 + id as u16);
            let element = PoolElement { policy: policy.clone(), ..element(id) };
            rig.asap(association, &AsapMessage::Registration { handle: POOL.into(), element });
        }
        rig.connect(C, 9000);
        for items in [None, Some(1)] {
            let actions = rig.asap(C, &resolve(items));
            let [Action::Send { bytes, .. }] = &actions[..] else { panic!("{actions:?}") };
            let message = AsapMessage::decode(bytes).map(|decoded| decoded.message);
            let Ok(AsapMessage::HandleResolutionResponse { elements, error: None, .. }) = message else {
                panic!("{message:?}")
            };
            assert_eq!(elements.len(), items.unwrap_or(2) as usize, "{policy}");
        }
    }
}

/// ASAP-3.3-14, ASAP-2.2.6-04, PARAM-3.12.11-01.
#[test]
fn an_unknown_pool_is_said_to_be_unknown() {
    let mut rig = Rig::new();
    rig.connect(C, 9000);
    assert_eq!(rig.asap(C, &resolve(None)), [asap_to(C, &unknown_pool())]);
}

/// ASAP-2.2.5-04: who wants to hear of changes of a pool that does not exist hears of none, also when
/// it comes and goes.
#[test]
fn no_updates_follow_a_negative_answer() {
    let mut rig = Rig::new();
    rig.connect(C, 9000);
    let subscribe = AsapMessage::HandleResolution { handle: POOL.into(), subscribe: true, items: None };
    assert_eq!(rig.asap(C, &subscribe), [asap_to(C, &unknown_pool())]);
    rig.connect(A, 4001);
    assert_eq!(rig.asap(A, &registration(1)), [granted(A, 1)]);
    assert_eq!(rig.asap(A, &deregistration(1)), [deregistered(A, 1, None)]);
}

/// ASAP-3.3-12: as many as possible is as many as one message holds. POL-5.2.2-01: the others do not count as
/// selected, and come next.
#[test]
fn an_answer_fits_into_one_message() {
    let mut rig = Rig::with(|config| config.max_resolution_items = 5_000);
    rig.connect(A, 4001);
    let policy = Policy::LeastUsedDegradation { load: 0, degradation: 1 };
    for id in 1..=3_000 {
        let element = PoolElement { policy: policy.clone(), ..element(id) };
        rig.asap(A, &AsapMessage::Registration { handle: POOL.into(), element });
    }
    rig.connect(C, 9000);
    let listed = rig.asap(C, &resolve(Some(u32::MAX)));
    let actions = rig.asap(C, &resolve(Some(1)));
    assert_eq!(ids(&listed), (1..=1_169).collect::<Vec<_>>());
    assert_eq!(ids(&actions), [1_170]);
}

/// The elements of the answer to a user.
fn ids(actions: &[Action]) -> Vec<u32> {
    let [Action::Send { bytes, .. }] = actions else { panic!("{actions:?}") };
    let Ok(AsapMessage::HandleResolutionResponse { elements, .. }) =
        AsapMessage::decode(bytes).map(|decoded| decoded.message)
    else {
        panic!("not a response")
    };
    elements.iter().map(|element| element.id.0).collect()
}

/// ASAP-2.2.6-06: a positive answer lists an element, even if none of the pool has a weight (reading B35).
#[test]
fn a_pool_without_weights_is_listed_all_the_same() {
    let mut rig = Rig::new();
    rig.connect(A, 4001);
    for id in [1, 2] {
        let element = PoolElement { policy: Policy::WeightedRoundRobin { weight: 0 }, ..element(id) };
        rig.asap(A, &AsapMessage::Registration { handle: POOL.into(), element });
    }
    rig.connect(C, 9000);
    assert_eq!(ids(&rig.asap(C, &resolve(Some(1)))), [1]);
    assert_eq!(ids(&rig.asap(C, &resolve(None))).len(), 2);
}

/// ASAP-3.6-02, ASAP-7.1-06, ASAP-2.2.10-01: every (N+1) x T6, with all transports.
#[test]
fn announcements_slow_down_with_the_number_of_registrars() {
    let mut rig = Rig::with(|config| {
        config.announce = true;
        config.addresses = vec![localhost()];
        config.udp_port = UdpPort(20001);
    });
    let announcement = |registrar| AsapMessage::ServerAnnounce {
        registrar,
        transports: vec![Transport::Sctp(SctpTransport {
            port: ASAP_PORT.0,
            usage: TransportUse::DataOnly,
            addresses: vec![localhost()].into(),
        })],
        encapsulation: Some(EncapsulationPorts { user: 20001, asap: 0 }),
    };
    let ours =
        Action::Announce { channel: Channel::Asap, bytes: announcement(ID).encode(Padding::Padded).unwrap() };
    assert_eq!(rig.advance(Duration::ZERO), vec![ours.clone()]);
    let heard = |registrar| Event::Announce {
        channel: Channel::Asap,
        source: "127.0.0.1:3863".parse().unwrap(),
        bytes: announcement(registrar).encode(Padding::Padded).unwrap(),
    };
    // Our own announcement comes back to us and does not count.
    for registrar in [RegistrarId(2), RegistrarId(3), ID] {
        rig.event(heard(registrar));
    }
    assert_eq!(rig.advance(Duration::from_secs(1)), vec![ours.clone()]);
    assert_eq!(rig.advance(Duration::from_millis(2_999)), []);
    assert_eq!(rig.advance(Duration::from_millis(1)), vec![ours.clone()]);
    // Nine seconds after their last word the others are forgotten.
    assert_eq!(rig.advance(Duration::from_secs(3)), vec![ours.clone()]);
    assert_eq!(rig.advance(Duration::from_secs(3)), vec![ours.clone()]);
    assert_eq!(rig.advance(Duration::from_secs(1)), vec![ours]);
    rig.event(Event::Announce {
        channel: Channel::Asap,
        source: "127.0.0.1:1".parse().unwrap(),
        bytes: Bytes::from_static(b"nonsense"),
    });
    assert_eq!(rig.registrar.ctx.counters.malformed, 1);
}

/// Reading B99: registrars that do not exist do not silence one that does.
#[test]
fn whoever_announces_many_registrars_silences_nobody() {
    let mut rig = Rig::with(|config| config.announce = true);
    rig.advance(Duration::ZERO);
    for registrar in 100..164 {
        let bytes = AsapMessage::ServerAnnounce {
            registrar: RegistrarId(registrar),
            transports: vec![],
            encapsulation: None,
        };
        rig.event(Event::Announce {
            channel: Channel::Asap,
            source: "127.0.0.1:3863".parse().unwrap(),
            bytes: bytes.encode(Padding::Padded).unwrap(),
        });
    }
    assert_eq!(rig.advance(Duration::from_secs(1)).len(), 1);
    assert_eq!(rig.advance(Duration::from_millis(9_999)).len(), 0);
    assert_eq!(rig.advance(Duration::from_millis(1)).len(), 1, "ten times T6");
}

/// ASAP-2.2.10-01: TCP is named beside SCTP, unless somebody listens who refuses that, like RSPLIB.
#[test]
fn announcements_may_leave_tcp_out() {
    for (announce_tcp, named) in [(true, 2), (false, 1)] {
        let mut rig = Rig::with(|config| {
            (config.announce, config.announce_tcp) = (true, announce_tcp);
            config.addresses = vec![localhost()];
            config.tcp = Some(crate::base::TcpAddress { addresses: vec![localhost()], port: 3863 });
        });
        let actions = rig.advance(Duration::ZERO);
        let [Action::Announce { bytes, .. }] = &actions[..] else { panic!("{actions:?}") };
        let Ok(AsapMessage::ServerAnnounce { transports, .. }) =
            AsapMessage::decode(bytes).map(|decoded| decoded.message)
        else {
            panic!()
        };
        assert_eq!(transports.len(), named);
    }
}

#[test]
fn a_registrar_that_does_not_announce_has_nothing_to_wait_for() {
    assert_eq!(Rig::new().registrar.poll_timeout(), None);
}

/// ENRP-3.2.3: pages of limited size, in one order, the M flag on all but the last; a new session
/// begins at the front.
#[test]
fn the_handle_table_comes_page_by_page() {
    let mut rig = Rig::with(|config| config.handle_table_octets = 1400);
    rig.connect(A, 4001);
    for id in 1..=100 {
        rig.asap(A, &registration(id));
    }
    rig.connect(C, 9000);
    for _session in 0..2 {
        let mut ids = Vec::new();
        let mut pages = 0;
        loop {
            let actions = rig.enrp(C, RegistrarId::NONE, EnrpBody::HandleTableRequest { own_only: false });
            let [Action::Send { bytes, .. }] = &actions[..] else { panic!("{actions:?}") };
            assert!(bytes.len() <= 1400);
            let message = EnrpMessage::decode(bytes).unwrap().message;
            let EnrpBody::HandleTableResponse { rejected: false, more, pools } = message.body else {
                panic!()
            };
            assert_eq!((message.sender, message.receiver), (ID, RegistrarId::NONE));
            ids.extend(pools.iter().flat_map(|pool| &pool.elements).map(|element| element.id.0));
            pages += 1;
            if !more {
                break;
            }
        }
        assert_eq!(ids, (1..=100).collect::<Vec<_>>());
        assert_eq!(pages, 5);
    }
}

/// reading B24, B19: an empty table is an answer; a message for another receiver gets none.
#[test]
fn enrp_requests_are_answered_without_making_peers() {
    let mut rig = Rig::new();
    rig.connect(C, 9000);
    let empty = EnrpBody::HandleTableResponse { rejected: false, more: false, pools: vec![] };
    let nobody = EnrpBody::ListResponse { rejected: false, servers: vec![] };
    let table = EnrpBody::HandleTableRequest { own_only: true };
    assert_eq!(rig.enrp(C, ID, table.clone()), [enrp_to(C, empty)]);
    assert_eq!(rig.enrp(C, RegistrarId::NONE, EnrpBody::ListRequest), [enrp_to(C, nobody)]);
    assert_eq!(rig.enrp(C, RegistrarId(9), table), []);
}

#[test]
fn counters_are_told_to_whoever_asks_unless_that_is_off() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    rig.connect(C, 9000);
    let actions = rig.raw(C, ProtocolId::MANAGEMENT, &b"counters"[..]);
    let [Action::Send { association: C, protocol: ProtocolId::MANAGEMENT, bytes, .. }] = &actions[..] else {
        panic!("{actions:?}")
    };
    let text = core::str::from_utf8(bytes).unwrap();
    assert!(text.contains("registrations 1\n") && text.contains("own_elements 1\n"), "{text}");
    assert_eq!(rig.raw(C, ProtocolId::MANAGEMENT, &b"anything else"[..]), []);
    let actions = rig.raw(C, ProtocolId::MANAGEMENT, &b"status"[..]);
    let [Action::Send { bytes, .. }] = &actions[..] else { panic!("{actions:?}") };
    let text = core::str::from_utf8(bytes).unwrap();
    assert!(text.contains("\nstate serving\nreason no other registrar is connected\n"), "{text}");

    let mut closed = Rig::with(|config| config.management = false);
    closed.connect(C, 9000);
    assert_eq!(closed.raw(C, ProtocolId::MANAGEMENT, &b"counters"[..]), []);
}

#[test]
fn commands_are_answered_once() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    rig.registrar.handle_command(rig.now, CommandId(7), Command::Pools);
    let Some(Output::Answer(CommandId(7), Answer::Pools(pools))) = rig.registrar.poll_output() else {
        panic!()
    };
    assert_eq!((pools.len(), pools[0].elements.len()), (1, 1));
    assert!(rig.registrar.poll_output().is_none());

    rig.registrar.handle_command(rig.now, CommandId(8), Command::Counters);
    let figures = rig.registrar.figures();
    assert_eq!((figures.counters.registrations, figures.sizes.own_elements), (1, 1));
    let counters = Output::Answer(CommandId(8), Answer::Counters(Box::new(figures)));
    assert_eq!((rig.registrar.poll_output(), rig.registrar.poll_output()), (Some(counters), None));

    // Whoever runs a registrar writes its log, and tells it what was lost.
    rig.registrar.handle_command(rig.now, CommandId(10), Command::NoteLinesLost(3));
    let noted = Output::Answer(CommandId(10), Answer::Done);
    assert_eq!((rig.registrar.poll_output(), rig.registrar.poll_output()), (Some(noted), None));
    assert_eq!(rig.registrar.figures().counters.log_lines_lost, 3);

    rig.registrar.handle_command(rig.now, CommandId(9), Command::Peers);
    let peers = Output::Answer(CommandId(9), Answer::Peers(vec![]));
    assert_eq!((rig.registrar.poll_output(), rig.registrar.poll_output()), (Some(peers), None));
}

/// A shutdown closes every association and waits for nothing else.
#[test]
fn a_shutdown_closes_associations_and_ends() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    rig.register(B, 2);
    rig.disconnect(B);
    let deadline = rig.now + Duration::from_secs(2);
    rig.registrar.begin_shutdown(rig.now, deadline);
    assert_eq!(
        rig.registrar.ctx.outbox.take_actions(),
        [Action::CancelConnect { request: ConnectId(1) }, Action::Shutdown { association: A, deadline },]
    );
    assert_eq!(rig.connect(C, 9000), [Action::Abort { association: C, cause: AbortCause::User }]);
    assert_eq!(rig.asap(A, &registration(3)), []);
    rig.notices();
    assert_eq!(rig.disconnect(C), []);
    assert!(!rig.registrar.is_stopped());
    assert_eq!(rig.disconnect(A), []);
    assert_eq!(rig.notices(), [Notice::Stopped]);
    assert!(rig.registrar.is_stopped());
    assert_eq!(rig.registrar.poll_timeout(), None);
}

/// ASAP-7.1-06, ASAP-8.2-01; readings B4 and B17.
#[test]
fn the_defaults_are_those_of_the_rfc() {
    let config = RegistrarConfig::rfc(None, 1);
    assert_eq!((config.asap_port, config.enrp_port), (SctpPort(3863), SctpPort(9901)));
    assert_eq!(config.announce_interval, Duration::from_secs(1));
    assert_eq!((config.max_bad_pe_reports, config.resolution_items), (3, 128));
    assert!(!config.announce);
}

/// However many pools there are, those who watch over a registrar get the largest.
#[test]
fn an_overview_has_the_largest_pools_and_what_is_ours_of_them() {
    let mut rig = Rig::new();
    let into = |pool: &str, id: u32| AsapMessage::Registration { handle: pool.into(), element: element(id) };
    for (association, id) in [(A, 1), (B, 2), (C, 3)] {
        rig.connect(association, 4_000 + id as u16);
        let pool = if id == 1 { "Small" } else { "Large" };
        rig.asap(association, &into(pool, id));
        rig.asap(
            association,
            &AsapMessage::EndpointKeepAliveAck { handle: pool.into(), element: ElementId(id) },
        );
    }
    let sizes = |most: usize| -> Vec<(String, Policy, usize, usize)> {
        let pools = rig.registrar.overview(most).pools.into_iter();
        pools
            .map(|pool| (format!("{}", pool.handle), pool.policy, pool.elements, pool.own_elements))
            .collect()
    };
    let (large, small) =
        (("Large".into(), Policy::RoundRobin, 2, 2), ("Small".into(), Policy::RoundRobin, 1, 1));
    assert_eq!(sizes(1), core::slice::from_ref(&large));
    assert_eq!(sizes(9), [large, small]);
    let overview = rig.registrar.overview(0);
    assert_eq!((overview.status, *overview.figures), (rig.registrar.status(), rig.registrar.figures()));
}
