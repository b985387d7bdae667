//! Packets that nobody asked for, and worse ones.

use proptest::prelude::*;

use super::*;
use crate::sctp::chunk::{Init, kind};
use crate::sctp::packet::single;

/// RFC 9260 section 8.4.
#[test]
fn stray_packets_are_answered_as_the_rfc_says() {
    let mut net = Net::fast();
    let header = Header { source_port: SctpPort(5), destination_port: SctpPort(PORT), tag: 77 };
    let cases: [(u8, u8, Option<u8>); 13] = [
        (kind::DATA, 3, Some(kind::ABORT)),
        (kind::INIT_ACK, 0, Some(kind::ABORT)),
        (kind::SACK, 0, Some(kind::ABORT)),
        (kind::HEARTBEAT, 0, Some(kind::ABORT)),
        (kind::HEARTBEAT_ACK, 0, Some(kind::ABORT)),
        (kind::ABORT, 0, None),
        (kind::ABORT, 1, None),
        (kind::SHUTDOWN, 0, Some(kind::ABORT)),
        (kind::SHUTDOWN_ACK, 0, Some(kind::SHUTDOWN_COMPLETE)),
        (kind::ERROR, 0, Some(kind::ABORT)),
        (kind::COOKIE_ECHO, 0, None),
        (kind::COOKIE_ACK, 0, None),
        (kind::SHUTDOWN_COMPLETE, 0, None),
    ];
    for (kind, flags, expected) in cases {
        net.tap.clear();
        let packet = single(header, &[Chunk { kind, flags, body: vec![0; 16].into() }]);
        net.stacks[1].handle_datagram(net.now, address(0), packet);
        net.drain(1);
        let answer = net.tapped().pop().map(|(_, header, chunks)| (header, chunks[0].kind, chunks[0].flags));
        let reflected = Header { source_port: SctpPort(PORT), destination_port: SctpPort(5), tag: 77 };
        assert_eq!(answer, expected.map(|kind| (reflected, kind, 1)), "chunk {kind}");
    }
}

/// In all, for each address, and for each UDP port: after a restart the elements of a host that floods us still learn
/// of it.
#[test]
fn answers_to_strays_are_bounded() {
    let mut net = Net::new(&[SctpConfig::fast(1), SctpConfig { stray_replies: 100, ..SctpConfig::fast(2) }]);
    let header = Header { source_port: SctpPort(5), destination_port: SctpPort(PORT), tag: 77 };
    let packet = single(header, &[Chunk::new(kind::DATA, vec![0; 16].into())]);
    for _ in 0..2 {
        for (host, port, answered) in
            [(1, 1, 5), (1, 2, 5), (1, 3, 5), (1, 4, 5), (1, 5, 5), (1, 6, 0), (2, 1, 5), (2, 2, 5)]
        {
            net.tap.clear();
            for _ in 0..100 {
                net.stacks[1].handle_datagram(
                    net.now,
                    SocketAddr::from(([10, 9, 9, host], port)),
                    packet.clone(),
                );
                net.drain(1);
            }
            assert_eq!(net.tap.len(), answered, "{host} {port}");
        }
        net.run_for(millis(1001));
    }
    assert_eq!(net.stacks[1].counters().sctp_strays_ignored, 1600 - 70);
}

/// The right tag from the wrong address or SCTP port is a stray.
#[test]
fn packets_from_elsewhere_do_not_reach_an_association() {
    let mut net = Net::fast();
    let (a, _) = net.pair();
    net.tap.clear();
    net.send(0, a, 0, "x");
    let (_, _, bytes) = net.tap[0].clone();
    let (header, chunks) = packet::parse(&bytes).unwrap();
    let chunks: Vec<_> = chunks.collect();
    net.wire.clear();
    net.stacks[1].handle_datagram(net.now, "127.0.0.2:20001".parse().unwrap(), bytes.clone());
    for wrong in [
        Header { source_port: SctpPort(header.source_port.0 ^ 1), ..header },
        Header { destination_port: SctpPort(99), ..header },
        Header { tag: header.tag ^ 1, ..header },
    ] {
        net.stacks[1].handle_datagram(net.now, address(0), single(wrong, &chunks));
    }
    net.drain(1);
    assert_eq!((net.take(1), net.stacks[1].counters().sctp_strays), (vec![], 4));
    net.run_for(millis(500));
    assert_eq!(net.messages(1), [(0, "x".into())]);
}

/// Only an ABORT with our tag, or with the peer's and the T bit, counts.
#[test]
fn forged_aborts_are_ignored() {
    for (reflected, flags, accepted) in
        [(false, 0, true), (true, 1, true), (true, 0, false), (false, 1, false)]
    {
        let mut net = Net::fast();
        let (_, b) = net.pair();
        let association = &net.stacks[1].associations[&b];
        let (own, peers) = (association.local_tag, association.peer_tag);
        let tag = if reflected { peers } else { own };
        let header = Header { source_port: association.remote_port, destination_port: SctpPort(PORT), tag };
        let abort = single(header, &[Chunk { kind: kind::ABORT, flags, body: Bytes::new() }]);
        net.stacks[1].handle_datagram(net.now, address(0), abort);
        net.drain(1);
        let expected = if accepted { vec![down(b, aborted(None, ""))] } else { vec![] };
        assert_eq!(net.take(1), expected, "reflected {reflected}, flags {flags}");
    }
}

/// Chunk types of other standards: the two high bits say what to do.
#[test]
fn unknown_chunks_are_skipped_and_reported() {
    for (unknown, goes_on, reported) in
        [(0x3f, false, false), (0x7f, false, true), (0x8f, true, false), (0xcf, true, true)]
    {
        let mut net = Net::fast();
        let (_, b) = net.pair();
        net.tap.clear();
        let association = &net.stacks[1].associations[&b];
        let tag = association.local_tag;
        let header = Header { source_port: association.remote_port, destination_port: SctpPort(PORT), tag };
        let chunks =
            [Chunk::new(unknown, Bytes::from_static(b"?")), Chunk::new(kind::HEARTBEAT, Bytes::new())];
        net.stacks[1].handle_datagram(net.now, address(0), single(header, &chunks));
        net.drain(1);
        let mut expected = Vec::new();
        expected.extend(reported.then_some(kind::ERROR));
        expected.extend(goes_on.then_some(kind::HEARTBEAT_ACK));
        let kinds: Vec<_> = net.kinds().into_iter().flat_map(|(_, kinds)| kinds).collect();
        assert_eq!(kinds, expected, "chunk {unknown:#x}");
        assert_eq!(net.take(1), []);
    }
}

#[test]
fn inits_with_forbidden_values_are_refused() {
    let good = Init { tag: 9, window: 65_536, outbound: 1, inbound: 1, tsn: 1 };
    let header = Header { source_port: SctpPort(5), destination_port: SctpPort(PORT), tag: 0 };
    for (init, answer) in [
        (good, Some(kind::INIT_ACK)),
        (Init { tag: 0, ..good }, None),
        (Init { outbound: 0, ..good }, Some(kind::ABORT)),
        (Init { inbound: 0, ..good }, Some(kind::ABORT)),
        (Init { window: 10, ..good }, Some(kind::ABORT)),
    ] {
        let mut net = Net::fast();
        net.stacks[1].handle_datagram(net.now, address(0), single(header, &[init.chunk(kind::INIT, &[])]));
        net.drain(1);
        let packet = net.tapped().pop();
        assert_eq!(packet.as_ref().map(|(_, _, chunks)| chunks[0].kind), answer, "{init:?}");
        assert!(packet.is_none_or(|(_, header, _)| header.tag == 9));
    }
}

/// A peer with the right tag that sends nonsense: the association may end, nothing else may.
fn torment(kinds: &[(u8, u8, Vec<u8>)]) {
    let mut net = Net::fast();
    let (a, b) = net.pair();
    net.send(1, b, 11, vec![1; 3000]);
    net.send(0, a, 11, vec![1; 3000]);
    let Some(association) = net.stacks[1].associations.get(&b) else { return };
    let tag = association.local_tag;
    let header = Header { source_port: association.remote_port, destination_port: SctpPort(PORT), tag };
    let chunks: Vec<_> = kinds
        .iter()
        .map(|(kind, flags, body)| Chunk { kind: *kind, flags: *flags, body: body.clone().into() })
        .collect();
    for chunk in &chunks {
        net.stacks[1].handle_datagram(net.now, address(0), single(header, std::slice::from_ref(chunk)));
        net.drain(1);
    }
    net.stacks[1].handle_datagram(net.now, address(0), single(header, &chunks));
    net.drain(1);
    net.run_for(millis(3000));
    let ends = |events: &[Event]| events.iter().filter(|e| matches!(e, Event::Disconnected { .. })).count();
    assert!(ends(&net.events[0]) <= 1 && ends(&net.events[1]) <= 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_datagrams_do_no_harm(octets in proptest::collection::vec(any::<u8>(), 0..100)) {
        let mut net = Net::fast();
        let (a, b) = net.pair();
        net.stacks[0].handle_datagram(net.now, address(1), octets.into());
        net.drain(0);
        net.send(0, a, 11, "fine");
        net.run_for(millis(100));
        prop_assert_eq!(net.take(1), [message(b, 11, "fine")]);
    }

    #[test]
    fn random_chunks_with_the_right_tag_never_panic(
        chunks in proptest::collection::vec(
            (0u8..16, any::<u8>(), proptest::collection::vec(any::<u8>(), 0..40)), 1..8),
    ) {
        torment(&chunks);
    }

    /// DATA and SACK near the true sequence numbers get deep into the engine.
    #[test]
    fn plausible_chunks_with_the_right_tag_never_panic(
        chunks in proptest::collection::vec((any::<bool>(), -3i32..8, any::<[u8; 6]>(), 0usize..30), 1..12),
    ) {
        // The first TSNs are drawn from the seeds of the stacks: the same in every run.
        let mut net = Net::fast();
        let (a, b) = net.pair();
        net.tap.clear();
        net.send(0, a, 0, "x");
        net.send(1, b, 0, "x");
        let firsts: Vec<_> = data_chunks(&net.tapped()).iter().map(|d| d.tsn).collect();
        let chunks: Vec<_> = chunks.into_iter().map(|(sack, offset, noise, length)| {
            let base = if sack { firsts[1] } else { firsts[0] };
            let mut body = base.wrapping_add_signed(offset).to_be_bytes().to_vec();
            if sack {
                body.extend([0, 0, 1, noise[5], 0, noise[0] % 3, 0, 0]);
                let gaps = usize::from(noise[0] % 3);
                body.extend((0..gaps).flat_map(|n| [0, noise[n + 1] % 9, 0, noise[n + 3] % 9]));
                (kind::SACK, 0, body)
            } else {
                body.extend([0, noise[0] % 2, 0, noise[1] % 4, 0, 0, 0, noise[2]]);
                body.resize(body.len() + length, noise[3]);
                (kind::DATA, noise[4] % 16, body)
            }
        }).collect();
        torment(&chunks);
    }

    /// Bits flipped on the way, with the checksum made right again.
    #[test]
    fn flipped_bits_never_panic(seed in any::<u64>(), flips in 1usize..4) {
        let mut net = Net::fast().bad(seed);
        net.connect(0, 1);
        let mut random = Random::new(seed);
        for round in 0..300 {
            for (_, arrival) in net.wire.values_mut() {
                let Arrival::Datagram(_, bytes) = arrival else { continue };
                if random.below(10) > 0 {
                    continue;
                }
                let mut octets = bytes.to_vec();
                for _ in 0..flips {
                    let at = random.below(octets.len() as u64) as usize;
                    octets[at] ^= 1 << random.below(8);
                }
                if let Some((header, chunks)) = packet::parse(&with_checksum(octets)) {
                    *bytes = single(header, &chunks.collect::<Vec<_>>());
                }
            }
            let names = [0, 1].map(|n: usize| net.stacks[n].associations.keys().next().copied());
            for (n, name) in names.into_iter().enumerate() {
                if let Some(name) = name.filter(|_| round % 3 == 0) {
                    net.send(n, name, 11, vec![n as u8; 1 + random.below(3000) as usize]);
                }
            }
            net.step(net.now + millis(100));
        }
    }
}

fn with_checksum(mut octets: Vec<u8>) -> Bytes {
    if octets.len() >= packet::HEADER {
        octets[8..12].fill(0);
        let sum = crc32c::crc32c(&octets);
        octets[8..12].copy_from_slice(&sum.to_le_bytes());
    }
    octets.into()
}
