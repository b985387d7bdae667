//! Peers whose packets come from another UDP port than before, and forged sources (RFC 6951
//! section 5.4).

use rserpool_core::endpoint::Connected;

use super::*;
use crate::sctp::chunk::kind;
use crate::sctp::packet::single;

/// A NAT has given the first stack another port.
fn moved() -> SocketAddr {
    SocketAddr::new(address(0).ip(), 30_000)
}

impl Net {
    /// From now on the first stack is seen at another port, and the old one leads nowhere.
    fn move_first(&mut self) {
        self.hosts.remove(&address(0));
        self.hosts.insert(moved(), 0);
        self.sources.insert(0, moved());
    }
}

#[test]
fn the_port_of_a_peer_may_change_at_any_time() {
    for first_to_speak in [0, 1] {
        let mut net = Net::fast();
        let (a, b) = net.pair();
        net.send(0, a, 0, "before");
        net.run_for(millis(20));
        net.move_first();
        net.send(first_to_speak, if first_to_speak == 0 { a } else { b }, 0, "first");
        net.run_for(millis(400));
        net.send(0, a, 0, "to b");
        net.send(1, b, 0, "to a");
        net.run_for(millis(1000));
        let (at_a, at_b) = (net.take(0), net.take(1));
        assert!(at_a.contains(&message(a, 0, "to a")), "{at_a:?}");
        assert!(at_b.contains(&message(b, 0, "to b")), "{at_b:?}");
        let peer = SctpAddress { udp_port: UdpPort(moved().port()), ..net.stacks[1].associations[&b].peer() };
        assert!(at_b.contains(&Event::Addresses { association: b, peer: peer.into() }), "{at_b:?}");
        assert!(!at_a.iter().chain(&at_b).any(|event| matches!(event, Event::Disconnected { .. })));
        assert_eq!(net.stacks[1].paths.len(), 1);
    }
}

/// The old port is free for somebody else.
#[test]
fn a_port_that_was_left_can_be_used_by_another_peer() {
    let mut net = Net::new(&[SctpConfig::fast(1), SctpConfig::fast(2), SctpConfig::fast(3)]);
    let (a, _) = {
        net.connect(0, 1);
        net.run_for(millis(20));
        (net.take(0), net.take(1))
    };
    let [Event::Connected(Connected { association: a, local_port, .. })] = a[..] else { panic!("{a:?}") };
    net.move_first();
    net.send(0, a, 0, "x");
    net.run_for(millis(20));
    net.hosts.insert(address(0), 2);
    net.sources.insert(2, address(0));
    let (request, deadline) = (ConnectId(8), net.now + millis(1000));
    net.act(2, Action::Connect { request, local_port, peer: peer(1).into(), deadline });
    net.run_for(millis(20));
    assert!(matches!(net.take(2)[..], [Event::Connected(Connected { .. })]));
    assert!(matches!(net.take(1).last(), Some(Event::Connected(Connected { .. }))));
    net.run_for(millis(2000));
    assert_eq!((net.take(0), net.stacks[1].associations()), (vec![], 2));
}

/// Packets from an unknown address change nothing, whatever their tag; from a known one with the
/// wrong tag neither.
#[test]
fn forged_sources_change_nothing() {
    let mut net = Net::fast();
    let (a, b) = net.pair();
    let association = &net.stacks[1].associations[&b];
    let tag = association.local_tag;
    let header = Header { source_port: association.remote_port, destination_port: SctpPort(PORT), tag };
    let chunks = [
        Chunk::new(kind::HEARTBEAT, Bytes::new()),
        Chunk::new(kind::ABORT, Bytes::new()),
        Chunk::new(kind::SHUTDOWN, vec![0; 4].into()),
        Chunk::new(kind::DATA, vec![1; 20].into()),
        Chunk::new(kind::SACK, vec![0; 12].into()),
    ];
    for chunk in &chunks {
        for (source, tag) in [
            ("192.0.2.1:20001".parse().unwrap(), tag),
            ("192.0.2.1:20001".parse().unwrap(), tag ^ 1),
            (address(0), tag ^ 1),
            (moved(), tag ^ 1),
            (SocketAddr::new(address(0).ip(), 0), tag ^ 1),
        ] {
            let packet = single(Header { tag, ..header }, std::slice::from_ref(chunk));
            net.stacks[1].handle_datagram(net.now, source, packet);
            net.drain(1);
        }
    }
    assert_eq!(net.take(1), []);
    assert_eq!(net.stacks[1].associations[&b].path(0).remote, address(0));
    net.send(1, b, 0, "x");
    net.run_for(millis(20));
    assert_eq!(net.take(0), [message(a, 0, "x")]);
    net.run_for(millis(2000));
    assert_eq!((net.take(0), net.take(1)), (vec![], vec![]));
}
