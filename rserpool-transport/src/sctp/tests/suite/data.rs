//! Messages: identifiers on the wire, order, back-pressure.

use super::*;

#[test]
fn identifiers_stand_on_the_wire_as_they_are() {
    let mut net = Net::fast();
    let (a, b) = net.pair();
    net.tapped();
    let protocols = [11, 12, 0, 50, 51, 53, 56, 57, 58, 0x5253_0001, u32::MAX];
    for protocol in protocols {
        net.send(0, a, protocol, format!("message of {protocol}"));
    }
    net.run_for(millis(50));
    let sent = net.tapped();
    let wire: Vec<_> = data_chunks(&sent).into_iter().map(|d| (d.flags, d.protocol, d.payload)).collect();
    let text = |protocol: u32| Bytes::from(format!("message of {protocol}"));
    assert_eq!(wire, protocols.map(|protocol| (3, protocol, text(protocol))));
    let received: Vec<_> = protocols.map(|protocol| message(b, protocol, text(protocol))).into();
    assert_eq!(net.take(1), received);
}

#[test]
fn every_fragment_carries_the_identifier() {
    let mut net = Net::fast();
    let (a, b) = net.pair();
    net.tapped();
    net.send(0, a, 11, vec![1; 2100]);
    net.send(0, a, 12, vec![2; 1]);
    net.run_for(millis(50));
    let sent = net.tapped();
    let wire: Vec<_> = data_chunks(&sent).into_iter().map(|d| (d.flags, d.protocol)).collect();
    assert_eq!(wire, [(2, 11), (0, 11), (0, 11), (0, 11), (1, 11), (3, 12)]);
    assert_eq!(net.take(1), [message(b, 11, vec![1; 2100]), message(b, 12, vec![2; 1])]);
}

/// A long message that takes its time is told before it is whole, though not with every packet; a short one is not.
#[test]
fn a_message_that_is_on_its_way_is_told() {
    let mut net = Net::fast();
    let (a, b) = net.pair();
    net.send(0, a, 11, vec![1; 500]);
    net.run_for(millis(50));
    assert_eq!((net.take(1).len(), net.arriving), (1, 0));
    net.delay = millis(40);
    net.send(0, a, 11, vec![1; 65_000]);
    let took = net.run_until(|net| !net.events[1].is_empty());
    assert_eq!(net.take(1), [message(b, 11, vec![1; 65_000])]);
    let expected = took.as_millis() as usize / 80..took.as_millis() as usize / 30 + 2;
    assert!(net.arriving > 1 && expected.contains(&net.arriving), "{} in {took:?}", net.arriving);
}

#[test]
fn a_request_and_its_answer_take_one_round_trip() {
    let mut net = Net::fast();
    let (a, b) = net.pair();
    for _ in 0..50 {
        net.tap.clear();
        net.send(0, a, 11, vec![0; 100]);
        assert_eq!(net.run_until(|net| !net.events[1].is_empty()), millis(1));
        net.take(1);
        net.send(1, b, 11, vec![0; 100]);
        assert_eq!(net.run_until(|net| !net.events[0].is_empty()), millis(1));
        net.take(0);
        // Nothing waits for a delayed SACK, nothing is sent twice.
        net.run_for(millis(150));
        assert_eq!(data_chunks(&net.tapped()).len(), 2);
    }
}

/// RFC 7053: the delay of Linux is 200 ms, our RTO.Min in the fast preset 50 ms. The first message is sent
/// twice for that reason; from then on the last packet of each flight asks for its SACK.
#[test]
fn a_peer_that_is_slow_with_its_sacks_is_asked_for_them() {
    let slow = SctpConfig { sack_delay: millis(200), ..SctpConfig::fast(2) };
    let mut net = Net::new(&[SctpConfig::fast(1), slow]);
    let (a, b) = net.pair();
    net.tapped();
    let mut flags = |bytes: Vec<u8>| {
        net.send(0, a, 11, bytes.clone());
        net.run_for(millis(400));
        assert_eq!(net.take(1), [message(b, 11, bytes)]);
        data_chunks(&net.tapped()).iter().map(|data| data.flags).collect::<Vec<_>>()
    };
    assert_eq!(flags(vec![1]), [3, 3 | Data::IMMEDIATE]);
    assert_eq!(flags(vec![2]), [3 | Data::IMMEDIATE]);
    assert_eq!(flags(vec![3; 3000]).last(), Some(&(1 | Data::IMMEDIATE)));
    assert_eq!(flags(vec![4]), [3 | Data::IMMEDIATE]);
}

#[test]
fn messages_of_all_sizes_arrive_once_and_in_order_on_a_bad_network() {
    for seed in 0..20 {
        let mut net = Net::fast();
        let (a, b) = net.pair();
        net = net.bad(seed);
        net.loss = 5 + seed % 4 * 5;
        let sizes = [1, 2, 3, 4, 1171, 1172, 1173, 2344, 2345, 9999, 60_000];
        let bytes = |from: usize, n: usize| Bytes::from(vec![(from * 100 + n) as u8; sizes[n % sizes.len()]]);
        for n in 0..3 * sizes.len() {
            net.send(0, a, 11 + n as u32 % 3, bytes(0, n));
            net.send(1, b, 11 + n as u32 % 3, bytes(1, n));
        }
        let total = 3 * sizes.len();
        net.run_until(|net| net.events[0].len() >= total && net.events[1].len() >= total);
        net.run_for(millis(1000));
        for to in 0..2 {
            let expected: Vec<_> = (0..total).map(|n| (11 + n as u32 % 3, bytes(1 - to, n))).collect();
            let received = net.messages(to);
            assert_eq!(received.len(), expected.len());
            assert!(received == expected, "seed {seed} to {to}");
        }
    }
}

#[test]
fn packets_are_small_and_sums_are_right() {
    let mut net = Net::fast();
    let (a, _) = net.pair();
    for size in 1..300 {
        net.send(0, a, 0, vec![7; size]);
    }
    net.run_until(|net| net.events[1].len() == 299);
    assert!(net.tap.iter().all(|(_, _, bytes)| bytes.len() <= 1200 && bytes.len() % 4 == 0));
    net.tapped();
}

#[test]
fn streams_are_separate_and_bounded() {
    let mut net = Net::new(&[SctpConfig::fast(1), SctpConfig { streams: 4, ..SctpConfig::fast(2) }]);
    let (a, b) = net.pair();
    for stream in [3, 0, 4, 1] {
        let (protocol, bytes) = (ProtocolId(0), Bytes::from(vec![stream as u8]));
        net.act(0, Action::Send { association: a, protocol, stream, bytes });
    }
    net.run_for(millis(50));
    // Stream 4 does not exist at the peer: its message travels on stream 0.
    let received: Vec<_> = net.take(1).into_iter().collect();
    let expect = |stream, octet: u8| Event::Message {
        association: b,
        protocol: ProtocolId(0),
        stream,
        bytes: Bytes::from(vec![octet]),
    };
    assert_eq!(received, [expect(3, 3), expect(0, 0), expect(0, 4), expect(1, 1)]);
}

#[test]
fn an_empty_message_is_no_message() {
    let mut net = Net::fast();
    let (a, b) = net.pair();
    net.send(0, a, 11, "");
    net.send(0, a, 11, "x");
    net.run_for(millis(50));
    assert_eq!(net.take(1), [message(b, 11, "x")]);
}

#[test]
fn congestion_is_told_once_and_so_is_its_end() {
    let config = SctpConfig { send_queue: 100_000, ..SctpConfig::fast(1) };
    let mut net = Net::new(&[config, SctpConfig::fast(2)]);
    let (a, b) = net.pair();
    for n in 0..15u8 {
        net.send(0, a, 0, vec![n; 10_000]);
    }
    // Control messages still pass.
    net.send(0, a, 11, "control");
    assert_eq!(net.take(0), [Event::Congested { association: a }]);
    net.run_until(|net| !net.events[0].is_empty());
    assert_eq!(net.take(0), [Event::Drained { association: a }]);
    net.run_for(millis(200));
    let mut expected: Vec<_> = (0..15u8).map(|n| message(b, 0, vec![n; 10_000])).collect();
    expected.push(message(b, 11, "control"));
    assert!(net.take(1) == expected);
    assert_eq!(net.take(0), []);
}

#[test]
fn a_full_control_queue_ends_the_association() {
    let config = SctpConfig { control_queue: 10_000, ..SctpConfig::fast(1) };
    let mut net = Net::new(&[config, SctpConfig::fast(2)]);
    let (a, b) = net.pair();
    for _ in 0..11 {
        net.send(0, a, 12, vec![0; 1000]);
    }
    let congested = Event::Congested { association: a };
    assert_eq!(net.take(0), [congested, down(a, DownReason::QueueFull)]);
    net.run_for(millis(50));
    assert_eq!(net.take(1).last(), Some(&down(b, DownReason::Busy)));
    net.send(0, a, 12, "too late");
    assert_eq!((net.take(0), net.stacks[0].associations()), (vec![], 0));
}

#[test]
fn a_message_that_is_too_long_ends_the_association() {
    let config = SctpConfig { max_message_size: 1000, ..SctpConfig::fast(2) };
    let mut net = Net::new(&[SctpConfig::fast(1), config]);
    let (a, b) = net.pair();
    net.send(1, b, 0, vec![0; 1001]);
    assert_eq!(net.take(1), [down(b, DownReason::QueueFull)]);
    net.run_for(millis(50));
    assert_eq!(net.take(0), [down(a, DownReason::Busy)]);

    let (a, b) = net.pair();
    net.send(0, a, 0, vec![0; 1000]);
    net.send(0, a, 0, vec![0; 1001]);
    net.run_for(millis(50));
    assert_eq!(net.take(1), [message(b, 0, vec![0; 1000]), down(b, DownReason::Violation)]);
    assert_eq!(net.take(0), [down(a, aborted(13, "message too long"))]);
}

#[test]
fn the_longest_message_arrives() {
    let mut net = Net::fast();
    let (a, b) = net.pair();
    let bytes: Bytes = (0..1 << 20).map(|n: u32| n as u8).collect::<Vec<_>>().into();
    net.send(0, a, 0, bytes.clone());
    net.take(0);
    net.run_until(|net| !net.events[1].is_empty());
    assert!(net.take(1) == [message(b, 0, bytes)]);
}

#[test]
fn sequence_numbers_wrap() {
    let mut net = Net::fast();
    let (a, _) = net.pair();
    let mut received = 0u32;
    while received < 70_000 {
        for n in received..received + 1000 {
            net.send(0, a, 0, n.to_be_bytes().to_vec());
        }
        net.run_until(|net| net.events[1].len() == 1000);
        for (n, (_, bytes)) in (received..).zip(net.messages(1)) {
            assert_eq!(bytes[..], n.to_be_bytes());
        }
        received += 1000;
        net.tap.clear();
    }
}

/// Who has no room for messages reads no more: they take room in the receive window until the sender has to wait. The
/// association lives meanwhile, and everything arrives afterwards, in order.
#[test]
fn messages_wait_for_an_endpoint_that_has_no_room() {
    let mut net = Net::fast();
    let (a, b) = net.pair();
    net.act(1, Action::Hold { association: b });
    let mut sent = 0;
    let congested = Event::Congested { association: a };
    while !net.events[0].contains(&congested) {
        net.send(0, a, 7, vec![sent; 100_000]);
        net.run_for(millis(50));
        sent += 1;
        assert!(sent < 100, "a window without an end");
    }
    assert!(sent > 30, "two windows and a queue hold {sent} messages");
    net.run_for(millis(10_000));
    assert_eq!((net.take(0), net.take(1)), (vec![congested], vec![]));
    net.act(1, Action::Release { association: b });
    net.run_for(millis(10_000));
    let received: Vec<_> = (0..sent).map(|number| message(b, 7, vec![number; 100_000])).collect();
    assert!(net.take(1) == received, "all, in their order");
    assert_eq!(net.take(0), [Event::Drained { association: a }]);
    net.send(0, a, 7, "more");
    net.run_for(millis(50));
    assert_eq!(net.take(1), [message(b, 7, "more")]);
}
