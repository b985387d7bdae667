//! Paths that do not carry every packet (RFC 8899).

use super::*;
use crate::sctp::chunk::kind;

/// The longest packet from a stack, and its longest with DATA.
fn longest(net: &mut Net, stack: usize) -> (usize, usize) {
    let from = address(stack);
    let packets = net.tap.drain(..).filter(|(source, ..)| *source == from);
    packets.fold((0, 0), |(any, data), (_, _, bytes)| {
        let chunks = packet::parse(&bytes).unwrap().1;
        let octets = if chunks.map(|c| c.kind).any(|k| k == kind::DATA) { bytes.len() } else { 0 };
        (any.max(bytes.len()), data.max(octets))
    })
}

#[test]
fn messages_of_all_sizes_pass_where_large_packets_vanish() {
    for mtu in [576, 600, 1_000, 1_227] {
        let mut net = Net::fast();
        net.mtu = mtu;
        let (a, b) = net.pair();
        for (n, octets) in [1, 500, 501, 1_200, 20_000, 200_000].into_iter().enumerate() {
            let bytes = vec![n as u8; octets];
            net.send(0, a, 11, bytes.clone());
            net.run_until(|net| !net.events[1].is_empty());
            assert_eq!(net.take(1), [message(b, 11, bytes)]);
        }
        net.run_for(millis(2_000));
        assert_eq!(longest(&mut net, 0), (1_200, 528));
        assert_eq!((net.take(0), net.take(1)), (vec![], vec![]), "MTU {mtu}");
    }
}

#[test]
fn large_packets_are_used_once_the_path_is_known_to_carry_them() {
    let mut net = Net::fast();
    net.mtu = 1_228;
    let (a, _) = net.pair();
    net.send(0, a, 11, vec![1; 500]);
    net.run_for(millis(50));
    assert_eq!(longest(&mut net, 0), (528, 528), "nothing is asked without need");
    net.send(0, a, 11, vec![2; 20_000]);
    net.run_for(millis(50));
    // Two fragments of 500 octets share a packet as soon as the answer is there, and some libraries add part of a third.
    let (any, data) = longest(&mut net, 0);
    assert!(any == 1_200 && [1_044, 1_200].contains(&data), "{data}");
    net.send(0, a, 11, vec![3; 20_000]);
    net.run_for(millis(50));
    assert_eq!(longest(&mut net, 0), (1_200, 1_200));
}

/// The answer to the question is short: the way back may carry less.
#[test]
fn the_question_is_padded_and_its_answer_is_not() {
    let mut net = Net::fast();
    let (a, _) = net.pair();
    net.tapped();
    net.send(0, a, 11, vec![1; 600]);
    net.run_for(millis(50));
    let kinds = net.kinds();
    assert!(kinds.contains(&(0, vec![kind::HEARTBEAT, kind::PAD])), "{kinds:?}");
    assert!(longest(&mut net, 1).0 < 100);
}

/// The path changes while data is cut for the large size. Nothing can get it through, so the peer is given up
/// although it answers HEARTBEATs; the next association begins with small packets.
#[test]
fn a_path_that_begins_to_lose_large_packets_ends_the_association() {
    let mut net = Net::fast();
    let (a, b) = net.pair();
    net.send(0, a, 11, vec![1; 20_000]);
    net.run_for(millis(50));
    net.mtu = 1_000;
    net.take(1);
    net.send(0, a, 11, vec![2; 20_000]);
    let took = net.run_until(|net| !net.events[0].is_empty());
    assert_eq!(net.take(0), [down(a, DownReason::Silent)]);
    assert!((millis(500)..millis(2_000)).contains(&took), "{took:?}");
    net.run_for(millis(50));
    assert_eq!(net.take(1), [down(b, aborted(12, "data does not get through"))]);
    let (a, b) = net.pair();
    net.send(0, a, 11, vec![3; 20_000]);
    net.run_until(|net| !net.events[1].is_empty());
    assert_eq!(net.take(1), [message(b, 11, vec![3; 20_000])]);
}

#[test]
fn an_mtu_that_is_configured_is_not_exceeded() {
    let small = |seed| SctpConfig { path_mtu: 576, ..SctpConfig::fast(seed) };
    let mut net = Net::new(&[small(1), small(2)]);
    let (a, b) = net.pair();
    net.send(0, a, 11, vec![1; 20_000]);
    net.send(1, b, 11, vec![1; 20_000]);
    net.run_for(millis(500));
    assert_eq!((net.take(0).len(), net.take(1).len()), (1, 1));
    assert!(net.tap.iter().all(|(_, _, bytes)| bytes.len() <= 528));
}

/// An endpoint that takes nothing for long is no path that carries nothing.
#[test]
fn a_peer_without_room_is_not_given_up() {
    let mut net = Net::fast();
    let (a, b) = net.pair();
    net.send(0, a, 11, vec![1; 20_000]);
    net.run_for(millis(50));
    net.act(1, Action::Hold { association: b });
    net.take(1);
    for _ in 0..4 {
        net.send(0, a, 11, vec![2; 900_000]);
    }
    net.run_for(millis(20_000));
    assert_eq!((net.take(0), net.take(1)), (vec![Event::Congested { association: a }], vec![]));
    net.act(1, Action::Release { association: b });
    net.run_until(|net| net.events[1].len() == 4);
}

/// A router says what it carries: the path is asked for that, and packets of that size are used at once.
#[test]
fn what_a_router_says_is_the_large_size() {
    let mut net = Net::fast();
    net.mtu = 1_000;
    let (a, _) = net.pair();
    net.send(0, a, 11, vec![1; 600]);
    let question =
        net.tap.iter().map(|(_, _, bytes)| bytes).find(|bytes| bytes.len() == 1_200).unwrap().clone();
    let report = |mtu| Undelivered {
        destination: address(1),
        obstacle: Obstacle::TooBig { mtu },
        quote: question.slice(..520),
    };
    // Sizes that cannot be true.
    for mtu in [0, 1, 67, 68, 575, 1_248, 1_500, 9_000, 65_535, 65_536, u32::MAX] {
        net.stacks[0].handle_undelivered(net.now, report(mtu));
    }
    net.run_for(millis(20));
    net.tap.clear();
    net.stacks[0].handle_undelivered(net.now, report(1_000));
    net.send(0, a, 11, vec![2; 20_000]);
    net.run_for(millis(50));
    net.tap.clear();
    net.send(0, a, 11, vec![3; 20_000]);
    net.run_for(millis(50));
    assert_eq!(longest(&mut net, 0), (952, 952));
    net.run_for(Duration::from_secs(600));
    net.tap.clear();
    net.send(0, a, 11, vec![4; 20_000]);
    net.run_for(millis(50));
    assert_eq!(longest(&mut net, 0).0, 1_200, "after ten minutes it is asked again for what is wanted");
}
