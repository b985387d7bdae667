//! Ending an association in order (RFC 9260 section 9).

use rserpool_core::base::SctpPort;
use rserpool_core::endpoint::{AbortCause, Connected};

use super::*;

fn shutdown(net: &Net, association: AssociationId, patience: u64) -> Action {
    Action::Shutdown { association, deadline: net.now + millis(patience) }
}

#[test]
fn an_idle_association_closes_with_three_packets() {
    let mut net = Net::fast();
    let (a, b) = net.pair();
    net.tap.clear();
    net.act(0, shutdown(&net, a, 1000));
    net.run_for(millis(500));
    assert_eq!(net.kinds(), [(0, vec![7]), (1, vec![8]), (0, vec![14])]);
    assert_eq!(net.take(0), [down(a, DownReason::Local)]);
    assert_eq!(net.take(1), [down(b, DownReason::PeerShutdown)]);
    assert_eq!((net.stacks[0].associations(), net.stacks[1].associations()), (0, 0));
    assert_eq!((net.stacks[0].poll_timeout(), net.stacks[1].poll_timeout()), (None, None));
}

/// The SHUTDOWN says what we have received, not what we have sent.
#[test]
fn a_shutdown_acknowledges_the_peers_data() {
    let mut net = Net::fast();
    let (a, b) = net.pair();
    (0..5).for_each(|_| net.send(1, b, 0, "x"));
    net.run_for(millis(50));
    let last = data_chunks(&net.tapped()).last().unwrap().tsn;
    net.act(0, shutdown(&net, a, 1000));
    let (_, _, chunks) = net.tapped().pop().unwrap();
    assert_eq!(chunks, [crate::sctp::chunk::shutdown(last)]);
}

/// usrsctp acknowledges the last of our data by its SHUTDOWN alone.
#[test]
fn a_shutdown_alone_acknowledges_our_data() {
    let mut net = Net::fast();
    let (_, b) = net.pair();
    net.run_for(millis(50));
    net.tapped();
    net.frozen.insert(0);
    (0..3).for_each(|_| net.send(1, b, 0, "x"));
    let last = data_chunks(&net.tapped()).last().unwrap().tsn;
    let association = &net.stacks[1].associations[&b];
    let (tag, source_port) = (association.local_tag, association.remote_port);
    let header = Header { source_port, destination_port: SctpPort(PORT), tag };
    let shutdown = packet::single(header, &[crate::sctp::chunk::shutdown(last)]);
    net.stacks[1].handle_datagram(net.now, address(0), shutdown);
    net.drain(1);
    assert_eq!(net.kinds(), [(1, vec![8])]);
    assert_eq!(net.take(1), [down(b, DownReason::PeerShutdown)]);
}

#[test]
fn whatever_was_queued_is_delivered_by_both_sides() {
    for seed in 0..60 {
        let mut net = Net::fast();
        let (a, b) = net.pair();
        if seed > 0 {
            net = net.bad(seed);
        }
        let bytes = |n: u8| Bytes::from(vec![n; 1 + usize::from(n) * 97]);
        for n in 0..60 {
            net.send(0, a, 11, bytes(n));
            net.send(1, b, 12, bytes(n));
        }
        net.act(0, shutdown(&net, a, 60_000));
        net.send(0, a, 11, "after the end");
        let ended = |events: &[Event]| matches!(events.last(), Some(Event::Disconnected { .. }));
        net.run_until(|net| ended(&net.events[0]) && ended(&net.events[1]));
        net.run_for(millis(5000));
        let expect = |name, protocol, reason| {
            let messages = (0..60).map(|n| message(name, protocol, bytes(n)));
            messages.chain([down(name, reason)]).collect::<Vec<_>>()
        };
        assert!(net.take(0) == expect(a, 12, DownReason::Local), "seed {seed}");
        assert!(net.take(1) == expect(b, 11, DownReason::PeerShutdown), "seed {seed}");
        assert_eq!((net.stacks[0].paths.len(), net.stacks[1].paths.len()), (0, 0));
    }
}

#[test]
fn both_sides_may_ask_at_once() {
    for seed in 0..60 {
        let mut net = Net::fast();
        let (a, b) = net.pair();
        if seed > 0 {
            net = net.bad(seed);
        }
        net.send(0, a, 11, "last words of a");
        net.act(0, shutdown(&net, a, 10_000));
        net.act(1, shutdown(&net, b, 10_000));
        net.run_for(millis(11_000));
        assert_eq!(net.take(0), [down(a, DownReason::Local)], "seed {seed}");
        assert_eq!(
            net.take(1),
            [message(b, 11, "last words of a"), down(b, DownReason::Local)],
            "seed {seed}"
        );
        assert_eq!((net.stacks[0].paths.len(), net.stacks[1].paths.len()), (0, 0));
    }
}

#[test]
fn lost_packets_of_the_sequence_are_sent_again() {
    for lost in 0..3 {
        let mut net = Net::fast();
        let (a, b) = net.pair();
        net.act(0, shutdown(&net, a, 5000));
        for _ in 0..lost {
            assert!(net.step(net.now + millis(10)));
        }
        net.wire.clear();
        net.run_for(millis(2000));
        assert_eq!(net.take(0), [down(a, DownReason::Local)], "packet {lost}");
        assert_eq!(net.take(1), [down(b, DownReason::PeerShutdown)], "packet {lost}");
        assert_eq!((net.stacks[0].paths.len(), net.stacks[1].paths.len()), (0, 0));
    }
}

#[test]
fn the_deadline_ends_a_shutdown_that_nobody_answers() {
    let mut net = Net::fast();
    let (a, b) = net.pair();
    net.frozen.insert(1);
    net.send(0, a, 0, "never acknowledged");
    net.act(0, shutdown(&net, a, 300));
    let took = net.run_until(|net| !net.events[0].is_empty());
    assert_eq!((took, net.take(0)), (millis(300), vec![down(a, DownReason::Local)]));
    assert_eq!(net.kinds().last(), Some(&(0, vec![6])));
    net.frozen.clear();
    net.run_for(millis(2000));
    assert_eq!(net.take(1), [down(b, aborted(12, "shutdown took too long"))]);
}

/// The side that is asked has data that nobody takes: it gives up after its guard time.
#[test]
fn the_guard_ends_a_peers_shutdown_that_cannot_be_completed() {
    let patient = |seed| SctpConfig { max_silence: millis(60_000), ..SctpConfig::fast(seed) };
    let mut net = Net::new(&[patient(1), patient(2)]);
    let (a, b) = net.pair();
    net.send(1, b, 0, "never acknowledged");
    net.wire.clear();
    net.act(0, shutdown(&net, a, 60_000));
    net.run_for(millis(3));
    net.frozen.insert(0);
    net.run_for(millis(1900));
    assert_eq!(net.take(1), []);
    net.run_for(millis(200));
    assert_eq!(net.take(1), [down(b, DownReason::PeerShutdown)]);
}

#[test]
fn an_abort_is_told_at_once_with_its_cause() {
    for (cause, code, text) in [
        (AbortCause::User, 12, "aborted by the user"),
        (AbortCause::ProtocolViolation, 13, "RSerPool message not understood"),
    ] {
        let mut net = Net::fast();
        let (a, b) = net.pair();
        net.tap.clear();
        net.act(1, Action::Abort { association: b, cause });
        assert_eq!(net.take(1), [down(b, DownReason::Local)]);
        net.run_for(millis(1000));
        assert_eq!(net.take(0), [down(a, aborted(code, text))]);
        let packets = net.tapped();
        assert_eq!(packets.len(), 1);
        let body = [&[0, code as u8, 0, 4 + text.len() as u8], text.as_bytes()].concat();
        assert_eq!((packets[0].2[0].kind, &packets[0].2[0].body[..]), (6, &body[..]));
        net.act(1, Action::Abort { association: b, cause });
        net.act(1, shutdown(&net, b, 10));
        assert_eq!((net.take(1), net.tap.len()), (vec![], 0));
    }
}

/// Busy is not dead: a peer can tell the two apart.
#[test]
fn an_abort_for_want_of_room_says_so() {
    let mut net = Net::fast();
    let (a, b) = net.pair();
    net.tap.clear();
    net.act(1, Action::Abort { association: b, cause: AbortCause::OutOfResource });
    assert_eq!(net.take(1), [down(b, DownReason::Local)]);
    net.run_for(millis(1000));
    assert_eq!(net.take(0), [down(a, DownReason::Busy)]);
    let packets = net.tapped();
    assert_eq!((packets.len(), packets[0].2[0].kind, &packets[0].2[0].body[..]), (1, 6, &[0, 4, 0, 4][..]));
}

/// The port is free again as soon as the association has ended.
#[test]
fn the_same_ports_can_be_used_again_after_a_shutdown() {
    let mut net = Net::fast();
    for _ in 0..5 {
        let (request, peer, deadline) = (ConnectId(7), peer(1), net.now + millis(500));
        net.act(0, Action::Connect { request, local_port: SctpPort(5), peer: peer.into(), deadline });
        net.run_until(|net| !net.events[0].is_empty());
        let [Event::Connected(Connected { association, .. })] = net.take(0)[..] else { panic!() };
        net.act(0, shutdown(&net, association, 500));
        net.run_until(|net| !net.events[0].is_empty());
        assert_eq!(net.take(0), [down(association, DownReason::Local)]);
    }
}
