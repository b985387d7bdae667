//! Peers that ask and do not take, or send and do not finish: what they cost is bounded.

use super::*;
use crate::sctp::chunk::{parse_sack, sack};
use crate::sctp::packet::single;

/// The window that a stack has told last.
fn last_window(net: &mut Net) -> u32 {
    let packets = net.tapped();
    let mut sacks = packets.iter().flat_map(|(_, _, chunks)| chunks).filter_map(parse_sack);
    sacks.next_back().expect("a SACK").window
}

/// Whoever has come to us gets the next answer when little waits for it; what it sends meanwhile narrows the
/// window that it is told. When it takes its answers everything goes on.
#[test]
fn the_next_question_is_taken_when_the_answers_are() {
    // A peer that takes a fragment at a time.
    let mut net =
        Net::new(&[SctpConfig { receive_buffer: 1500, ..SctpConfig::fast(1) }, SctpConfig::fast(2)]);
    let (a, b) = net.pair();
    net.answers.insert(1, 30_000);
    (0..100).for_each(|_| net.send(0, a, 11, vec![1; 1000]));
    net.run_for(millis(100));
    // Three answers of 30,064 octets are more than 64 KiB.
    assert_eq!(net.take(1), vec![message(b, 11, vec![1; 1000]); 3]);
    let kept = net.stacks[1].associations[&b].kept();
    assert!((90_000..110_000).contains(&kept.0) && kept.1 < 100_000, "{kept:?}");
    assert!(last_window(&mut net) < SctpConfig::fast(2).receive_buffer - 90_000);
    net.run_until(|net| net.events[0].len() == 100);
    net.run_for(millis(1000));
    assert_eq!(net.take(1), vec![message(b, 11, vec![1; 1000]); 97]);
    assert_eq!(net.stacks[1].associations[&b].kept(), (0, 0));
}

/// The side that has opened the association goes on reading, or both could wait for each other.
#[test]
fn two_that_answer_everything_do_not_wait_for_each_other() {
    let mut net = Net::fast();
    let (a, b) = net.pair();
    for _ in 0..100 {
        net.send(0, a, 11, vec![0; 30_000]);
        net.send(1, b, 11, vec![1; 30_000]);
    }
    let is_message = |event: &&Event| matches!(event, Event::Message { .. });
    net.run_until(|net| net.events.iter().all(|events| events.iter().filter(is_message).count() == 100));
}

/// A shutdown waits until the endpoint has everything that was sent before it.
#[test]
fn what_was_sent_before_a_shutdown_is_handed_out() {
    let mut net = Net::fast();
    let (a, b) = net.pair();
    net.answers.insert(1, 30_000);
    (0..20).for_each(|_| net.send(0, a, 11, vec![1; 1000]));
    let deadline = net.now + millis(1500);
    net.act(0, Action::Shutdown { association: a, deadline });
    net.run_for(millis(1000));
    let mut expected = vec![message(b, 11, vec![1; 1000]); 20];
    expected.push(down(b, DownReason::PeerShutdown));
    assert_eq!(net.take(1), expected);
    assert_eq!(net.take(0).pop(), Some(down(a, DownReason::Local)));
}

/// The association that keeps most has to give, and its peer is told that it is for want of memory.
#[test]
fn all_together_keep_no_more_than_the_bound() {
    let config = SctpConfig { send_memory: 4 << 20, ..SctpConfig::fast(9) };
    let mut net = Net::new(&[SctpConfig::fast(1), SctpConfig::fast(2), config]);
    let mut names = Vec::new();
    for client in [0, 1] {
        net.connect(client, 2);
        net.run_until(|net| !net.events[2].is_empty());
        let Some(Event::Connected(Connected { association, .. })) = net.take(2).pop() else { panic!() };
        names.push(association);
    }
    net.run_for(millis(10));
    net.frozen.extend([0, 1]);
    for _ in 0..3 {
        net.send(2, names[0], 12, vec![0; 1 << 20]);
    }
    net.send(2, names[1], 12, vec![0; 900_000]);
    assert_eq!(net.take(2), [Event::Congested { association: names[0] }]);
    net.send(2, names[1], 12, vec![0; 200_000]);
    assert_eq!(net.take(2), [down(names[0], DownReason::QueueFull)]);
    assert_eq!(net.stacks[2].counters().sctp_memory_full, 1);
    net.frozen.clear();
    net.take(0);
    net.run_for(millis(100));
    assert_eq!(net.events[0].last(), Some(&down(AssociationId::sctp(1), DownReason::Busy)));
}

/// RFC 9260 section 6.2.1: an earlier SACK says nothing new; one of what was never sent is a lie.
#[test]
fn a_sack_tells_of_what_was_sent() {
    for (distance, block, alive) in [
        (0, None, true),
        (0, Some((1, 1)), false),
        (-2, Some((1, 9)), true),
        (1, None, false),
        (-1, Some((1, 1)), true),
    ] {
        let mut net = Net::fast();
        let (_, b) = net.pair();
        net.send(1, b, 11, "x");
        let sent = data_chunks(&net.tapped()).pop().unwrap().tsn;
        net.run_for(millis(100));
        let association = &net.stacks[1].associations[&b];
        let header = Header {
            source_port: association.remote_port,
            destination_port: SctpPort(PORT),
            tag: association.local_tag,
        };
        let mut body = sack(sent.wrapping_add_signed(distance), 100_000).body.to_vec();
        if let Some((start, end)) = block {
            body[9] = 1;
            body.extend([0, start, 0, end]);
        }
        net.take(1);
        let chunk = Chunk::new(crate::sctp::chunk::kind::SACK, body.into());
        net.stacks[1].handle_datagram(net.now, address(0), single(header, &[chunk]));
        net.drain(1);
        assert_eq!(net.take(1).is_empty(), alive, "{distance} {block:?}");
    }
}

/// What the server of these tests has seen: who came up, and who went for which reason.
fn coming_and_going(net: &mut Net, stack: usize) -> Vec<Result<AssociationId, (AssociationId, DownReason)>> {
    let events = net.take(stack).into_iter().filter_map(|event| match event {
        Event::Connected(Connected { association, .. }) => Some(Ok(association)),
        Event::Disconnected { association, reason } => Some(Err((association, reason))),
        _ => None,
    });
    events.collect()
}

/// 20 places, of which one is for associations that the stack opens itself.
#[test]
fn who_says_nothing_makes_room_when_all_places_are_taken() {
    let config = SctpConfig { max_associations: 20, ..SctpConfig::fast(2) };
    let mut net = Net::new(&[SctpConfig::fast(1), config]);
    let connect = |net: &mut Net, request| {
        let (request, peer, deadline) = (ConnectId(request), peer(1), net.now + millis(5000));
        net.act(0, Action::Connect { request, local_port: SctpPort(0), peer: peer.into(), deadline });
        net.run_for(millis(5));
        coming_and_going(net, 1)
    };
    for n in 1..=19 {
        assert_eq!(connect(&mut net, n), [Ok(AssociationId::sctp(n))]);
    }
    let first = AssociationId::sctp(1);
    net.send(0, first, 11, "I have said something");
    net.run_for(millis(5));
    net.take(1);
    for n in 20..=22 {
        let silent = AssociationId::sctp(n - 18);
        assert_eq!(connect(&mut net, n), [Err((silent, DownReason::Silent)), Ok(AssociationId::sctp(n))]);
    }
    assert_eq!(net.stacks[1].counters().sctp_displaced, 3);
    // All say something: the source that has most is the one that wants another place.
    let names: Vec<_> = net.stacks[0].associations.keys().copied().collect();
    names.iter().for_each(|name| net.send(0, *name, 11, "so have I"));
    net.run_for(millis(5));
    net.take(1);
    net.take(0);
    assert_eq!(connect(&mut net, 30), []);
    assert_eq!(net.take(0), [Event::ConnectFailed { request: ConnectId(30), reason: ConnectError::Busy }]);
    assert_eq!(net.stacks[1].counters().sctp_refused, 1);
    // What the stack opens itself has a place left.
    net.connect(1, 0);
    net.run_for(millis(5));
    assert_eq!(coming_and_going(&mut net, 1).len(), 1);
}

/// What the stack opens itself takes no place of those who come to it, even if it is more than is kept for it.
#[test]
fn own_attempts_do_not_keep_peers_out() {
    let config = SctpConfig { max_associations: 40, ..SctpConfig::fast(2) };
    let mut net = Net::new(&[SctpConfig::fast(1), config]);
    let connect = |net: &mut Net, from: usize, request, to| {
        let (request, deadline) = (ConnectId(request), net.now + millis(5000));
        let peer = SctpAddress::new(address(to).ip(), SctpPort(PORT), UdpPort(address(to).port()));
        net.act(from, Action::Connect { request, local_port: SctpPort(0), peer: peer.into(), deadline });
        net.run_for(millis(5));
    };
    // Nobody is there.
    (100..102).for_each(|request| connect(&mut net, 1, request, 7));
    (1..=40).for_each(|request| connect(&mut net, 0, request, 1));
    let came = coming_and_going(&mut net, 1);
    assert_eq!(came.iter().filter(|event| event.is_ok()).count(), 40);
    assert_eq!((net.stacks[1].counters().sctp_displaced, net.stacks[1].counters().sctp_refused), (2, 0));
}

/// One source that floods us leaves the others their INIT ACKs.
#[test]
fn init_acks_to_one_source_have_a_rate() {
    let mut net = Net::fast();
    let header = Header { source_port: SctpPort(5), destination_port: SctpPort(PORT), tag: 0 };
    let init = crate::sctp::chunk::Init { tag: 9, window: 65_536, outbound: 1, inbound: 1, tsn: 1 };
    let packet = single(header, &[init.chunk(crate::sctp::chunk::kind::INIT, &[])]);
    let mut answered = |host: u8, port: u16| {
        net.tap.clear();
        for _ in 0..3000 {
            net.stacks[1].handle_datagram(
                net.now,
                SocketAddr::from(([10, 9, 9, host], port)),
                packet.clone(),
            );
            net.drain(1);
        }
        net.tap.len()
    };
    assert_eq!([answered(1, 1), answered(1, 2), answered(1, 3), answered(2, 1)], [2500, 2500, 0, 2500]);
    assert_eq!(net.stacks[1].counters().sctp_inits_ignored, 4500);
}
