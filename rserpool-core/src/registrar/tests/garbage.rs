//! Bad input is answered as the RFC says and counted, and touches no registration of others.

use proptest::prelude::*;

use super::*;
use crate::registrar::own::Watch;

/// PARAM-3-07 to -3-10, ASAP-2.2.14-02: unknown parameters by their two high bits.
#[test]
fn unknown_parameters_are_treated_by_their_high_bits() {
    let cases = [(0x0123, false, false), (0x4123, false, true), (0x8123, true, false), (0xc123, true, true)];
    for (kind, carried_on, reported) in cases {
        let mut rig = Rig::new();
        rig.register(A, 1);
        let parameter = [&u16::to_be_bytes(kind)[..], &[0, 6, 0xab, 0xcd, 0, 0]].concat();
        let mut message = deregistration(1).encode(Padding::Padded).unwrap().to_vec();
        message.extend_from_slice(&parameter);
        let length = u16::try_from(message.len()).unwrap();
        message[2..4].copy_from_slice(&length.to_be_bytes());

        let mut expected = Vec::new();
        if reported {
            let cause = ErrorCause::unrecognized_parameter(Bytes::copy_from_slice(&parameter[..6]));
            expected.push(asap_to(A, &AsapMessage::Error { error: cause.into() }));
        }
        if carried_on {
            expected.push(deregistered(A, 1, None));
        }
        assert_eq!(rig.raw(A, ProtocolId::ASAP, message), expected, "{kind:#x}");
        assert_eq!(rig.elements().is_empty(), carried_on);
    }
}

/// PARAM-4-05, -06, -07: unknown messages by their two high bits.
#[test]
fn unknown_messages_are_treated_by_their_high_bits() {
    for (kind, reported) in [(0x0f, false), (0x41, true), (0x81, false), (0xff, false)] {
        for protocol in [ProtocolId::ASAP, ProtocolId::ENRP] {
            let mut rig = Rig::new();
            rig.connect(A, 4001);
            let message = [kind, 0, 0, 4];
            let cause = ErrorCause::unrecognized_message(Bytes::copy_from_slice(&message));
            let error = OperationError::from(cause);
            let expected = match protocol {
                _ if !reported => vec![],
                ProtocolId::ASAP => vec![asap_to(A, &AsapMessage::Error { error })],
                _ => vec![enrp_to(A, EnrpBody::Error { error })],
            };
            assert_eq!(rig.raw(A, protocol, message.to_vec()), expected, "{kind:#x}");
            assert_eq!(rig.registrar.ctx.counters.malformed, 1);
        }
    }
}

/// ASAP-4-03: every message that a registrar has to support does what it is for.
#[test]
fn messages_for_a_registrar_are_supported() {
    let mut rig = Rig::new();
    rig.connect(A, 4001);
    rig.connect(B, 9000);
    assert_eq!(rig.asap(A, &registration(1)), [granted(A, 1)]);
    rig.first_keep_alive(A, 1);
    assert_eq!(rig.asap(B, &unreachable(1)), [keep_alive(A, 1)]);
    assert_eq!(rig.asap(A, &ack(1)), []);
    let error = AsapMessage::Error { error: ErrorCause::bare(CauseCode::UNSPECIFIED).into() };
    assert_eq!(rig.asap(A, &error), []);
    assert_eq!(rig.asap(A, &deregistration(1)), [deregistered(A, 1, None)]);
    let counters = rig.registrar.ctx.counters;
    assert_eq!((counters.keep_alive_acks, counters.errors_received, counters.unexpected), (2, 1, 0));
}

/// What the receiver of a message finds wrong with it is not answered, and told to the application.
#[test]
fn errors_of_others_are_told() {
    let mut rig = Rig::new();
    rig.connect(A, 4001);
    rig.notices();
    let error = OperationError::from(ErrorCause::bare(CauseCode::LACK_OF_RESOURCES));
    assert_eq!(rig.asap(A, &AsapMessage::Error { error: error.clone() }), []);
    assert_eq!(rig.enrp(A, ID, EnrpBody::Error { error }), []);
    let told = [ProtocolId::ASAP, ProtocolId::ENRP].map(|protocol| Notice::ErrorReceived {
        peer: peer(4001).into(),
        protocol,
        cause: CauseCode::LACK_OF_RESOURCES,
    });
    assert_eq!(rig.notices(), told);
    assert_eq!(rig.registrar.ctx.counters.errors_received, 2);
}

/// A message that is not for a registrar is ignored, and an error is never answered.
#[test]
fn messages_for_others_are_ignored() {
    let mut rig = Rig::new();
    rig.register(A, 1);
    let handle = PoolHandle::from(POOL);
    let element = ElementId(1);
    let messages = [
        AsapMessage::RegistrationResponse { rejected: false, handle: handle.clone(), element, error: None },
        AsapMessage::DeregistrationResponse { handle: handle.clone(), element, error: None },
        AsapMessage::EndpointKeepAlive { home: true, registrar: RegistrarId(9), handle, element: None },
        AsapMessage::Cookie { cookie: Bytes::from_static(b"x") },
        AsapMessage::CookieEcho { cookie: Bytes::from_static(b"x") },
        AsapMessage::Error { error: ErrorCause::bare(CauseCode::UNSPECIFIED).into() },
    ];
    for message in messages {
        assert_eq!(rig.asap(A, &message), []);
    }
    assert_eq!(rig.raw(A, ProtocolId(0), &b"hello"[..]), []);
    assert_eq!(rig.raw(C, ProtocolId::ASAP, &b"from nobody"[..]), []);
    assert_eq!(rig.elements(), [1]);
    let counters = rig.registrar.ctx.counters;
    assert_eq!((counters.unexpected, counters.errors_received, counters.unknown_protocol), (5, 1, 1));
}

/// One thing that can happen to a registrar.
#[derive(Clone, Debug)]
enum Step {
    Connect(u64, u16),
    Disconnect(u64),
    Register(u64, u32),
    Deregister(u64, u32),
    Ack(u64, u32),
    Unreachable(u64, u32),
    Garbage(u64, bool, Vec<u8>),
    Cut(u64, u32, usize),
    ConnectFailed(u64, bool),
    Probe(u64, u64),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let (link, id) = (1u64..6, 1u32..4);
    prop_oneof![
        (link.clone(), 1u16..4).prop_map(|(a, port)| Step::Connect(a, port)),
        link.clone().prop_map(Step::Disconnect),
        (link.clone(), id.clone()).prop_map(|(a, id)| Step::Register(a, id)),
        (link.clone(), id.clone()).prop_map(|(a, id)| Step::Deregister(a, id)),
        (link.clone(), id.clone()).prop_map(|(a, id)| Step::Ack(a, id)),
        (link.clone(), id.clone()).prop_map(|(a, id)| Step::Unreachable(a, id)),
        (link.clone(), any::<bool>(), proptest::collection::vec(any::<u8>(), 0..64))
            .prop_map(|(a, enrp, octets)| Step::Garbage(a, enrp, octets)),
        (link.clone(), id, 0usize..80).prop_map(|(a, id, length)| Step::Cut(a, id, length)),
        ((1u64..9), any::<bool>()).prop_map(|(request, ours)| Step::ConnectFailed(request, ours)),
        (link, 1u64..9).prop_map(|(a, request)| Step::Probe(a, request)),
        (1u64..6_000).prop_map(Step::Wait),
    ]
}

/// What must always hold: every element of ours is in the handlespace and has exactly one thing to wait for;
/// what refers to it agrees; nothing else is left behind.
fn check(registrar: &Registrar) {
    let mut timers = usize::from(registrar.ctx.config.announce);
    let own = &registrar.elements.own;
    let listed = registrar.elements.listing.elements_after(None);
    let listed: Vec<_> =
        listed.map(|(pool, element)| PeHandle { pool: pool.clone(), element: element.id }).collect();
    assert_eq!(listed, own.keys().cloned().collect::<Vec<_>>());
    for (pe, own) in own.iter() {
        assert!(!matches!(own.watch, Watch::Queued(_)), "there are few elements");
        registrar.check_own(pe, own);
        timers += usize::from(registrar.ctx.deadlines.get(&Timer::Life(pe.clone())).is_some());
    }
    assert_eq!(registrar.ctx.deadlines.len(), timers);
    let probes = own.values().filter(|own| matches!(own.watch, Watch::Probing(_))).count();
    assert_eq!(registrar.ctx.attempts.len(), probes);
    for (id, link) in registrar.links.iter() {
        assert!(link.elements.iter().all(|pe| own[pe].registrant() == Some(*id)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_sequence_of_events_breaks_a_registrar(steps in proptest::collection::vec(step(), 0..120)) {
        let mut rig = Rig::new();
        let mut up = BTreeSet::new();
        let mut generation = 0;
        // A transport never reuses the name of an association.
        let mut names = BTreeMap::new();
        for step in steps {
            match step {
                Step::Connect(a, port) => if up.insert(a) {
                    generation += 1;
                    names.insert(a, AssociationId::sctp(generation));
                    rig.connect(AssociationId::sctp(generation), port);
                },
                Step::Disconnect(a) => if up.remove(&a) {
                    rig.disconnect(names[&a]);
                },
                Step::Probe(a, request) => {
                    let attempt = rig.registrar.ctx.attempts.get(&ConnectId(request)).cloned();
                    if let Some(Attempt::Element(pe)) = attempt && up.insert(a) {
                        generation += 1;
                        names.insert(a, AssociationId::sctp(generation));
                        let peer = rig.registrar.elements.own[&pe].peer.clone();
                        let (association, request) = (AssociationId::sctp(generation), Some(ConnectId(request)));
                        rig.event(Event::Connected(Connected::new(association, request.into(), ASAP_PORT, peer)));
                    }
                }
                Step::ConnectFailed(request, ours) => {
                    let reason = if ours { ConnectError::InUse } else { ConnectError::TimedOut };
                    rig.event(Event::ConnectFailed { request: ConnectId(request), reason });
                }
                Step::Wait(ms) => { rig.advance(Duration::from_millis(ms)); }
                Step::Register(a, id) => if let Some(a) = names.get(&a) { rig.asap(*a, &registration(id)); },
                Step::Deregister(a, id) => if let Some(a) = names.get(&a) { rig.asap(*a, &deregistration(id)); },
                Step::Ack(a, id) => if let Some(a) = names.get(&a) { rig.asap(*a, &ack(id)); },
                Step::Unreachable(a, id) => if let Some(a) = names.get(&a) { rig.asap(*a, &unreachable(id)); },
                Step::Garbage(a, enrp, octets) => if let Some(a) = names.get(&a) {
                    let protocol = if enrp { ProtocolId::ENRP } else { ProtocolId::ASAP };
                    rig.raw(*a, protocol, octets);
                },
                Step::Cut(a, id, length) => if let Some(a) = names.get(&a) {
                    let whole = registration(id).encode(Padding::Padded).unwrap();
                    rig.raw(*a, ProtocolId::ASAP, whole.slice(..length.min(whole.len() - 4)));
                },
            }
            rig.notices();
            check(&rig.registrar);
        }
    }
}
