//! Opening an association (RFC 9260 section 5).

use rserpool_core::base::{SctpAddress, SctpPort, UdpPort};
use rserpool_core::endpoint::Connected;

use super::*;

#[test]
fn four_packets_make_an_association() {
    let mut net = Net::fast();
    net.connect(0, 1);
    let took = net.run_until(|net| !net.events[0].is_empty());
    assert_eq!(took, millis(4));
    assert_eq!(net.kinds(), [(0, vec![1]), (1, vec![2]), (0, vec![10]), (1, vec![11])]);
    let connected = |request: Option<ConnectId>, local_port, peer| {
        Event::Connected(Connected::new(AssociationId::sctp(1), request.into(), local_port, peer))
    };
    let [Event::Connected(Connected { local_port, .. })] = net.events[0][..] else {
        panic!("{:?}", net.events)
    };
    assert!(local_port >= SctpPort(32_768));
    let inbound = SctpAddress::new(address(0).ip(), SctpPort(local_port.0), UdpPort(address(0).port()));
    assert_eq!(net.take(0), [connected(Some(ConnectId(7)), local_port, peer(1))]);
    assert_eq!(net.take(1), [connected(None, SctpPort(PORT), inbound)]);
    assert_eq!((net.stacks[0].associations(), net.stacks[1].associations()), (1, 1));
}

#[test]
fn a_handshake_survives_loss_duplication_and_reordering() {
    for seed in 0..100 {
        let mut net = Net::fast().bad(seed);
        net.loss = 30;
        // On a network that loses a third, half a second of silence would mean nothing.
        for stack in &mut net.stacks {
            stack.core.config.max_silence = millis(5000);
        }
        net.connect(0, 1);
        net.run_until(|net| !net.events[0].is_empty() && !net.events[1].is_empty());
        net.loss = 0;
        net.run_for(millis(1000));
        assert!(matches!(net.take(0)[..], [Event::Connected(Connected { .. })]), "seed {seed}");
        assert!(matches!(net.take(1)[..], [Event::Connected(Connected { .. })]), "seed {seed}");
    }
}

/// RFC 9260 section 5.1: nothing is kept until the cookie returns.
#[test]
fn inits_alone_cost_a_listening_stack_nothing() {
    let mut net = Net::fast();
    for _ in 0..1000 {
        net.connect(0, 1);
        net.act(0, Action::CancelConnect { request: ConnectId(7) });
    }
    net.run_for(millis(100));
    assert_eq!((net.stacks[1].associations(), net.stacks[1].associations.len()), (0, 0));
    assert_eq!(net.events, [vec![], vec![]]);
    assert_eq!(net.stacks[1].poll_timeout(), None);
}

/// Whoever leaves refuses newcomers; what is open goes on.
#[test]
fn a_stack_that_stops_listening_refuses() {
    let mut net = Net::fast();
    let (ours, theirs) = net.pair();
    net.stacks[1].stop_listening();
    net.connect(0, 1);
    net.run_for(millis(2));
    assert_eq!(net.take(0), [failed(ConnectError::Refused)]);
    net.send(0, ours, 12, "still here");
    net.run_for(millis(2));
    assert_eq!(net.take(1), [message(theirs, 12, "still here")]);
}

#[test]
fn a_closed_port_refuses_at_once() {
    let mut net = Net::fast();
    net.connect_to(0, SctpAddress { port: SctpPort(99), ..peer(1) }, millis(5000));
    net.run_for(millis(2));
    assert_eq!(net.take(0), [failed(ConnectError::Refused)]);
    assert_eq!(net.kinds(), [(0, vec![1]), (1, vec![6])]);
    assert_eq!(net.stacks[0].associations(), 0);
}

#[test]
fn nobody_there_times_out_at_the_deadline() {
    let mut net = Net::fast();
    net.connect_to(0, peer(9), millis(777));
    let took = net.run_until(|net| !net.events[0].is_empty());
    assert_eq!((took, net.take(0)), (millis(777), vec![failed(ConnectError::TimedOut)]));
    // 0, 100, 300, 550 ms: the wait doubles up to RTO.Max.
    assert_eq!(net.tap.len(), 4);
    assert_eq!((net.stacks[0].associations(), net.stacks[0].poll_timeout()), (0, None));
}

#[test]
fn unreachable_addresses_fail_at_once() {
    let mut net = Net::fast();
    let mut peers = vec![SctpAddress::new("::1".parse().unwrap(), SctpPort(PORT), UdpPort(20_002))];
    peers.push(SctpAddress::new("0.0.0.0".parse().unwrap(), SctpPort(PORT), UdpPort(20_002)));
    peers.push(SctpAddress { addresses: vec![], ..peer(1) });
    peers.push(SctpAddress { udp_port: UdpPort(0), ..peer(1) });
    for peer in peers {
        net.connect_to(0, peer, millis(100));
        assert_eq!(net.take(0), [failed(ConnectError::NoRoute)]);
    }
    assert_eq!(net.tap.len(), 0);
}

#[test]
fn the_limit_of_associations_is_told() {
    let mut net = Net::new(&[SctpConfig { max_associations: 1, ..SctpConfig::fast(1) }, SctpConfig::fast(2)]);
    net.pair();
    net.connect(0, 1);
    assert_eq!(net.take(0), [failed(ConnectError::TooMany)]);
    net.connect(1, 0);
    net.run_for(millis(10));
    assert_eq!(net.take(1), [failed(ConnectError::Busy)]);
}

#[test]
fn a_cancelled_attempt_is_silent_wherever_it_stands() {
    for wait in 0..4 {
        let mut net = Net::fast();
        net.connect(0, 1);
        net.run_for(millis(wait));
        net.act(0, Action::CancelConnect { request: ConnectId(7) });
        net.run_for(millis(3000));
        assert_eq!(net.take(0), [], "after {wait} ms");
        let other = net.take(1);
        let expected = vec![down(AssociationId::sctp(1), aborted(12, "not needed"))];
        assert!(other.is_empty() || other[1..] == expected, "after {wait} ms: {other:?}");
        assert_eq!((net.stacks[0].associations(), net.stacks[1].associations()), (0, 0));
        assert_eq!(net.stacks[0].paths.len() + net.stacks[1].paths.len(), 0);
    }
}

/// Of three addresses only the third lives: it is asked after two staggers.
#[test]
fn addresses_are_tried_one_after_the_other() {
    let mut net = Net::fast();
    let ip = |n| IpAddr::from([127, 0, 0, n]);
    let mut peer = peer(1);
    peer.addresses = vec![ip(8), ip(9), ip(1), ip(10)];
    net.connect_to(0, peer, millis(5000));
    let took = net.run_until(|net| !net.events[0].is_empty());
    assert_eq!(took, millis(50 + 50 + 4));
    let [Event::Connected(Connected { ref peer, .. })] = net.events[0][..] else {
        panic!("{:?}", net.events)
    };
    assert_eq!(peer.addresses(), [ip(1)]);
    net.run_for(millis(1000));
    assert_eq!((net.stacks[0].associations(), net.stacks[0].paths.len()), (1, 1));
    assert_eq!(net.events[1].len(), 1);
}

/// All three addresses live, but answer late, so all are asked: the peer sees one association.
#[test]
fn the_first_address_that_answers_wins() {
    let mut net = Net::fast();
    net.delay = millis(80);
    let mut peer = peer(1);
    peer.addresses = (1..4).map(|n| IpAddr::from([127, 0, 0, n])).collect();
    for address in &peer.addresses[1..] {
        net.hosts.insert(SocketAddr::new(*address, peer.udp_port.0), 1);
    }
    net.connect_to(0, peer, millis(5000));
    net.run_for(millis(1000));
    // The others are its addresses as well.
    let events = net.take(0);
    let [Event::Connected(Connected { .. }), Event::Addresses { .. }, Event::Addresses { peer, .. }] =
        &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(peer.addresses().len(), 3);
    assert!(matches!(net.take(1)[..], [Event::Connected(Connected { .. })]));
    assert_eq!((net.stacks[0].associations(), net.stacks[1].associations()), (1, 1));
}

/// RFC 9260 section 5.2.1: both sides open at the same moment, with the same ports.
#[test]
fn two_attempts_that_cross_become_one_association() {
    for seed in 0..200 {
        let mut net = Net::fast();
        if seed > 0 {
            net = net.bad(seed);
            net.loss = 0;
        }
        for (from, to) in [(0, 1), (1, 0)] {
            let deadline = net.now + millis(5000);
            let (request, peer) = (ConnectId(7), peer(to));
            net.act(
                from,
                Action::Connect { request, local_port: SctpPort(PORT), peer: peer.into(), deadline },
            );
            net.run_for(millis(seed % 7));
        }
        net.run_until(|net| net.events.iter().all(|e| !e.is_empty()));
        net.run_for(millis(2000));
        let mut names = Vec::new();
        for n in 0..2 {
            let events = net.take(n);
            let [Event::Connected(Connected { association, .. })] = events[..] else {
                panic!("seed {seed}: {events:?}")
            };
            names.push(association);
        }
        net.send(0, names[0], 12, "across");
        net.run_for(millis(500));
        assert_eq!(net.take(1), [message(names[1], 12, "across")], "seed {seed}");
    }
}

#[test]
fn an_association_with_oneself_needs_two_ports() {
    let mut net = Net::fast();
    net.connect(0, 0);
    net.run_for(millis(10));
    assert!(matches!(
        net.take(0)[..],
        [Event::Connected(Connected { .. }), Event::Connected(Connected { .. })]
    ));
    let deadline = net.now + millis(100);
    let (request, peer) = (ConnectId(7), peer(0));
    net.act(0, Action::Connect { request, local_port: SctpPort(PORT), peer: peer.into(), deadline });
    net.run_for(millis(10));
    assert_eq!(net.take(0), [failed(ConnectError::Refused)]);
}

#[test]
fn the_same_ports_at_both_ends_cannot_be_used_twice() {
    let mut net = Net::fast();
    let connect = |deadline| Action::Connect {
        request: ConnectId(7),
        local_port: SctpPort(5),
        peer: peer(1).into(),
        deadline,
    };
    net.act(0, connect(net.now + millis(500)));
    net.run_for(millis(10));
    assert!(matches!(net.take(0)[..], [Event::Connected(Connected { .. })]));
    net.act(0, connect(net.now + millis(500)));
    assert_eq!(net.take(0), [failed(ConnectError::InUse)]);
}

/// The same address, UDP port and SCTP port after a crash: the old association goes first.
#[test]
fn a_restarted_peer_replaces_its_association() {
    let mut net = Net::fast();
    let connect = |deadline| Action::Connect {
        request: ConnectId(7),
        local_port: SctpPort(5),
        peer: peer(1).into(),
        deadline,
    };
    net.act(0, connect(net.now + millis(500)));
    net.run_for(millis(10));
    let [Event::Connected(Connected { association: old, .. })] = net.take(1)[..] else { panic!() };
    net.take(0);

    net.stacks[0] = Sctp::with_engine(SctpConfig::fast(3), address(0));
    net.act(0, connect(net.now + millis(500)));
    net.run_for(millis(10));
    assert!(matches!(net.take(0)[..], [Event::Connected(Connected { .. })]));
    let events = net.take(1);
    assert_eq!(events[0], down(old, DownReason::Restarted));
    let [_, Event::Connected(Connected { association: new, .. })] = events[..] else { panic!("{events:?}") };
    net.send(1, new, 11, "hello again");
    net.run_for(millis(10));
    assert_eq!(net.take(0), [message(AssociationId::sctp(1), 11, "hello again")]);
    assert_eq!((net.stacks[0].associations(), net.stacks[1].associations()), (1, 1));
}

/// Late copies of the handshake's packets neither end the association nor bring it back.
#[test]
fn replayed_handshakes_change_nothing() {
    let mut net = Net::fast();
    let (_, passive) = net.pair();
    let replay: Vec<_> = net.tap.clone();
    let inject = |net: &mut Net| {
        for (source, destination, bytes) in &replay {
            let host = net.hosts[destination];
            net.stacks[host].handle_datagram(net.now, *source, bytes.clone());
            net.drain(host);
        }
        net.run_for(millis(50));
    };
    inject(&mut net);
    assert_eq!((net.take(0), net.take(1)), (vec![], vec![]));
    assert_eq!((net.stacks[0].associations(), net.stacks[1].associations()), (1, 1));

    net.act(1, Action::Abort { association: passive, cause: rserpool_core::endpoint::AbortCause::User });
    net.run_for(millis(50));
    net.take(0);
    net.take(1);
    inject(&mut net);
    assert_eq!((net.take(0), net.take(1)), (vec![], vec![]));
    assert_eq!((net.stacks[0].associations(), net.stacks[1].associations()), (0, 0));
}
