//! Peers with several addresses (RFC 9260 sections 5.4, 6.4 and 8.2, RFC 7829).

use rserpool_core::base::{SctpAddress, SctpPort, UdpPort};
use rserpool_core::endpoint::Connected;

use super::*;
use crate::sctp::chunk::{Init, kind};
use crate::sctp::packet::single;

/// A configuration that tells the addresses of a stack in the first network and in these.
fn telling(stack: usize, networks: &[u8]) -> SctpConfig {
    let addresses = std::iter::once(address(stack)).chain(networks.iter().map(|n| address_in(*n, stack)));
    let addresses = addresses.map(|address| address.ip()).collect();
    SctpConfig { tell_addresses: true, addresses, ..SctpConfig::fast(stack as u64 + 1) }
}

fn stack_addresses(stack: usize, networks: &[u8]) -> Vec<IpAddr> {
    telling(stack, networks).addresses
}

impl Net {
    /// Two stacks in the first network and in these.
    fn multihomed(networks: &[u8]) -> Self {
        let mut net = Self::new(&[telling(0, networks), telling(1, networks)]);
        for network in networks {
            net.join(*network, 0);
            net.join(*network, 1);
        }
        net
    }

    fn join(&mut self, network: u8, stack: usize) {
        self.hosts.insert(address_in(network, stack), stack);
    }

    /// An association whose addresses are all verified.
    fn settled_pair(&mut self) -> (AssociationId, AssociationId) {
        let names = self.pair();
        self.run_for(millis(30));
        self.take(0);
        self.take(1);
        names
    }

    /// The networks over which DATA travels since the last call.
    fn data_networks(&mut self) -> Vec<u8> {
        let packets = std::mem::take(&mut self.tap);
        let carries = |bytes: &Bytes| packet::parse(bytes).unwrap().1.any(|chunk| chunk.kind == kind::DATA);
        let data = packets.into_iter().filter(|(_, _, bytes)| carries(bytes));
        data.map(|(_, destination, _)| network(destination)).collect()
    }
}

#[test]
fn addresses_are_told_verified_and_reported() {
    let mut net = Net::multihomed(&[1, 2]);
    let (a, b) = net.pair();
    net.run_for(millis(30));
    for (stack, association) in [(0, a), (1, b)] {
        let last = net.take(stack).pop();
        let Some(Event::Addresses { association: name, peer }) = last else { panic!("{last:?}") };
        assert_eq!((name, peer.addresses()), (association, &stack_addresses(1 - stack, &[1, 2])[..]));
        assert_eq!(peer.as_sctp().unwrap().udp_port.0, address(1 - stack).port());
    }
}

/// RFC 6951 section 5.7: nothing is told unless somebody has said so.
#[test]
fn addresses_are_not_told_by_default() {
    let addresses = vec![address_in(1, 0).ip()];
    let mut net = Net::new(&[SctpConfig { addresses, ..SctpConfig::fast(1) }, SctpConfig::fast(2)]);
    net.pair();
    for (_, _, chunks) in net.tapped() {
        if let Some((_, parameters)) = Init::parse(&chunks[0]).filter(|_| chunks[0].kind <= kind::INIT_ACK) {
            assert!(parameters.addresses.is_empty());
        }
    }
}

/// A client with one address and a server with two: no address is told, but the client knows both.
#[test]
fn addresses_that_were_asked_for_are_used_too() {
    let mut net = Net::fast();
    net.join(1, 1);
    let addresses = vec![address(1).ip(), address_in(1, 1).ip()];
    net.connect_to(0, SctpAddress { addresses: addresses.clone(), ..peer(1) }, millis(5000));
    net.run_for(millis(60));
    let events = net.take(0);
    let [Event::Connected(Connected { association, .. }), Event::Addresses { peer, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(peer.addresses(), addresses);
    let association = *association;
    net.cut.insert(0);
    // The answers of the server must come back, though: it knows one address only.
    net.cut.clear();
    net.send(0, association, 0, "x");
    net.run_for(millis(20));
    assert!(net.take(1).iter().any(|event| matches!(event, Event::Message { .. })));
}

/// One of two addresses is closed or has no route: the other is used after two round trips, and comes back later.
#[test]
fn an_address_that_refuses_is_left_and_nothing_ends() {
    for obstacle in [Obstacle::PortClosed, Obstacle::NoRoute] {
        let mut net = Net::multihomed(&[1]);
        let (a, b) = net.settled_pair();
        net.obstacles.insert(address(1), obstacle);
        net.tap.clear();
        net.send(0, a, 11, "lost");
        net.run_for(millis(4));
        net.send(0, a, 11, "not lost");
        net.run_for(millis(1));
        assert_eq!(net.data_networks(), [0, 1], "{obstacle:?}");
        net.run_for(millis(2000));
        assert_eq!(net.take(0), []);
        assert_eq!(net.messages(1).len(), 2);
        // A closed address is asked like any that has failed, and no more than that.
        let reports = net.stacks[0].counters().sctp_reports_believed;
        assert!((4..=24).contains(&reports), "{reports}");
        net.obstacles.clear();
        net.run_for(millis(300));
        net.tap.clear();
        net.send(0, a, 11, "home");
        net.run_for(millis(5));
        assert_eq!((net.data_networks(), net.take(1)), (vec![0], vec![message(b, 11, "home")]));
    }
}

/// All of its addresses are closed: the process has died. Each is asked as soon as one is known to be closed.
#[test]
fn a_process_that_died_is_noticed_at_all_its_addresses() {
    let mut net = Net::multihomed(&[1, 2]);
    let (a, _) = net.settled_pair();
    net.frozen.insert(1);
    let places = [address(1), address_in(1, 1), address_in(2, 1)];
    net.obstacles.extend(places.map(|place| (place, Obstacle::PortClosed)));
    net.send(0, a, 11, "anybody there?");
    let took = net.run_until(|net| !net.events[0].is_empty());
    assert_eq!((took, net.take(0)), (millis(6), vec![down(a, DownReason::Unreachable)]));
}

/// One network of two is cut while messages flow in both directions.
#[test]
fn a_path_that_dies_interrupts_the_service_for_less_than_half_a_second() {
    for idle_first in [false, true] {
        let mut net = Net::multihomed(&[1]);
        let (a, b) = net.settled_pair();
        net.run_for(millis(if idle_first { 1000 } else { 0 }));
        for n in 0..100u8 {
            if n == 20 {
                net.cut.insert(0);
            }
            net.send(0, a, 11, vec![n]);
            net.send(1, b, 11, vec![n]);
            net.run_for(millis(10));
        }
        net.run_for(millis(200));
        for stack in [0, 1] {
            let messages: Vec<_> = net.messages(stack).into_iter().map(|(_, bytes)| bytes[0]).collect();
            assert_eq!(messages, (0..100).collect::<Vec<_>>(), "stack {stack}");
        }
    }
}

/// Every message sent after the cut arrives within 500 ms, whenever the cut comes.
#[test]
fn no_message_is_late_by_half_a_second_after_a_cut() {
    for moment in 0..40 {
        let mut net = Net::multihomed(&[1]);
        let (a, _) = net.settled_pair();
        net.run_for(millis(moment * 10));
        net.cut.insert(0);
        let mut worst = Duration::ZERO;
        for _ in 0..50 {
            net.send(0, a, 11, "x");
            worst = worst.max(net.run_until(|net| !net.events[1].is_empty()));
            assert_eq!(net.messages(1), [(11, Bytes::from("x"))]);
            net.run_for(millis(10));
        }
        assert!(worst <= millis(250), "{worst:?} at {moment}");
        assert_eq!(net.take(0), []);
    }
}

#[test]
fn the_primary_is_used_again_when_it_lives_again() {
    let mut net = Net::multihomed(&[1]);
    let (a, _) = net.settled_pair();
    net.cut.insert(0);
    net.send(0, a, 0, "1");
    net.run_for(millis(500));
    net.tap.clear();
    net.send(0, a, 0, "2");
    net.run_for(millis(50));
    assert_eq!(net.data_networks(), [1]);
    net.cut.clear();
    net.run_for(millis(500));
    net.tap.clear();
    net.send(0, a, 0, "3");
    net.run_for(millis(50));
    assert_eq!(net.data_networks(), [0]);
    let messages: Vec<_> = net.messages(1).into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(messages, ["1", "2", "3"]);
}

/// A large transfer over a cut, and back.
#[test]
fn nothing_is_lost_when_paths_come_and_go() {
    for seed in 0..6 {
        let mut net = Net::multihomed(&[1, 2]);
        let (a, b) = net.settled_pair();
        net = net.bad(seed);
        net.loss = 2;
        let mut random = Random::new(seed);
        for n in 0..200u32 {
            let bytes = n.to_be_bytes().repeat(1 + random.below(800) as usize);
            net.send(0, a, 11, bytes.clone());
            net.send(1, b, 12, bytes);
            if n % 20 == 0 {
                net.cut.clear();
                net.cut.insert(random.below(3) as u8);
            }
            net.run_for(millis(random.below(40)));
        }
        net.cut.clear();
        net.run_for(Duration::from_secs(20));
        for stack in [0, 1] {
            let messages = net.messages(stack);
            let numbers: Vec<_> = messages
                .iter()
                .map(|(_, bytes)| u32::from_be_bytes(bytes[..4].try_into().unwrap()))
                .collect();
            assert_eq!(numbers, (0..200).collect::<Vec<_>>(), "seed {seed}, stack {stack}");
        }
    }
}

/// All paths dead: the peer is given up in the same time as one with a single address.
#[test]
fn a_peer_that_vanishes_from_all_its_addresses_is_noticed() {
    for idle in [true, false] {
        let mut net = Net::multihomed(&[1, 2]);
        let (a, _) = net.settled_pair();
        net.run_for(millis(1000));
        net.frozen.insert(1);
        if !idle {
            net.send(0, a, 0, "x");
        }
        let took = net.run_until(|net| !net.events[0].is_empty());
        assert_eq!(net.take(0), [down(a, DownReason::Silent)]);
        assert!(took <= millis(700), "{took:?}");
        assert_eq!((net.stacks[0].paths.len(), net.stacks[0].tags.len()), (0, 0));
    }
}

/// A peer that lists the address of somebody else does not make him receive data, and only ever more
/// rarely a HEARTBEAT.
#[test]
fn an_address_that_does_not_answer_gets_no_data() {
    let lie = address_in(1, 2).ip();
    let lying = SctpConfig { tell_addresses: true, addresses: vec![lie], ..SctpConfig::fast(1) };
    let mut net = Net::new(&[lying, SctpConfig::fast(2), SctpConfig::fast(3)]);
    net.hosts.insert(SocketAddr::new(lie, address(0).port()), 2);
    net.connect(0, 1);
    net.run_for(millis(10));
    let [Event::Connected(Connected { association: b, .. })] = net.take(1)[..] else { panic!() };
    net.take(0);
    for _ in 0..100 {
        net.send(1, b, 0, "x");
        net.run_for(millis(100));
    }
    let packets = std::mem::take(&mut net.tap);
    let to_him: Vec<_> = packets.iter().filter(|(_, to, _)| to.ip() == lie).collect();
    assert!(to_him.len() < 12, "{}", to_him.len());
    for (_, _, bytes) in to_him {
        assert_eq!(packet::parse(bytes).unwrap().1.map(|c| c.kind).collect::<Vec<_>>(), [kind::HEARTBEAT]);
    }
    assert_eq!((net.take(2), net.messages(0).len()), (vec![], 100));
    assert_eq!(net.take(1), []);
}

/// A host may answer an INIT from another address than it was asked at.
#[test]
fn an_answer_from_another_address_completes_the_handshake() {
    let mut net = Net::new(&[SctpConfig::fast(1), telling(1, &[1])]);
    net.join(1, 1);
    net.join(2, 1);
    net.sources.insert(1, address_in(2, 1));
    net.connect_to(
        0,
        SctpAddress::new(address_in(1, 1).ip(), SctpPort(PORT), UdpPort(address(1).port())),
        millis(1000),
    );
    net.run_for(millis(60));
    let events = net.take(0);
    let [Event::Connected(Connected { association: a, .. }), Event::Addresses { peer, .. }] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(peer.addresses(), [address_in(1, 1).ip(), address_in(2, 1).ip()]);
    let a = *a;
    net.take(1);
    net.send(0, a, 11, "x");
    net.run_for(millis(10));
    assert_eq!(net.messages(1), [(11, "x".into())]);
}

/// A peer with two addresses is closed and restarted like any other.
#[test]
fn the_paths_of_an_association_end_with_it() {
    let mut net = Net::multihomed(&[1]);
    for round in 0..3 {
        let (a, b) = net.settled_pair();
        assert_eq!(net.stacks[1].paths.len(), 2, "round {round}");
        net.send(0, a, 0, "x");
        net.act(0, Action::Shutdown { association: a, deadline: net.now + millis(500) });
        net.run_for(millis(600));
        assert_eq!(net.take(0), [down(a, DownReason::Local)]);
        assert_eq!(net.take(1), [message(b, 0, "x"), down(b, DownReason::PeerShutdown)]);
        for stack in &net.stacks {
            assert_eq!((stack.paths.len(), stack.tags.len(), stack.poll_timeout()), (0, 0, None));
        }
    }
}

/// A shutdown while the primary is cut.
#[test]
fn a_shutdown_finds_the_path_that_lives() {
    let mut net = Net::multihomed(&[1]);
    let (a, b) = net.settled_pair();
    net.cut.insert(0);
    net.send(0, a, 0, "x");
    net.act(0, Action::Shutdown { association: a, deadline: net.now + millis(2000) });
    net.run_for(millis(2000));
    assert_eq!(net.take(0), [down(a, DownReason::Local)]);
    assert_eq!(net.take(1), [message(b, 0, "x"), down(b, DownReason::PeerShutdown)]);
}

/// A HEARTBEAT ACK that nobody asked for verifies nothing.
#[test]
fn a_forged_answer_verifies_nothing() {
    let mut net = Net::new(&[telling(0, &[1]), SctpConfig::fast(2)]);
    let (_, b) = net.pair();
    net.run_for(millis(10));
    let association = &net.stacks[1].associations[&b];
    let header = Header {
        source_port: association.remote_port,
        destination_port: SctpPort(PORT),
        tag: association.local_tag,
    };
    for secret in [0, 1, u64::MAX] {
        let body = crate::sctp::chunk::heartbeat(secret).body;
        let packet = single(header, &[Chunk::new(kind::HEARTBEAT_ACK, body)]);
        net.stacks[1].handle_datagram(net.now, address_in(1, 0), packet);
        net.drain(1);
    }
    assert_eq!((net.take(1), net.stacks[1].paths.len()), (vec![], 1));
}

/// An address that is proved by the same packet that ends the association may be another's, which keeps it.
#[test]
fn an_association_that_ends_leaves_the_paths_of_others() {
    let shared = SocketAddr::new(address_in(1, 2).ip(), address(0).port());
    let claiming = SctpConfig { tell_addresses: true, addresses: vec![shared.ip()], ..SctpConfig::fast(1) };
    let mut net = Net::new(&[claiming, SctpConfig::fast(2), SctpConfig::fast(3)]);
    net.hosts.insert(shared, 2);
    net.sources.insert(2, shared);
    for client in [2, 0] {
        let (request, local_port, deadline) = (ConnectId(7), SctpPort(5000), net.now + millis(1000));
        net.act(client, Action::Connect { request, local_port, peer: peer(1).into(), deadline });
        net.run_for(millis(10));
    }
    let [Event::Connected(owner), Event::Connected(other)] = &net.take(1)[..] else { panic!() };
    let association = &net.stacks[1].associations[&other.association];
    let header =
        Header { source_port: SctpPort(5000), destination_port: SctpPort(PORT), tag: association.local_tag };
    let beat = net.tap.iter().filter(|(_, to, _)| *to == shared).find_map(|(_, _, bytes)| {
        packet::parse(bytes).unwrap().1.find(|chunk| chunk.kind == kind::HEARTBEAT)
    });
    let chunks = [Chunk::new(kind::HEARTBEAT_ACK, beat.unwrap().body), Chunk::new(kind::ABORT, Bytes::new())];
    net.stacks[1].handle_datagram(net.now, address(0), single(header, &chunks));
    net.drain(1);
    assert_eq!(net.take(1), [down(other.association, aborted(None, ""))]);
    let paths: Vec<_> = net.stacks[1].paths.iter().map(|(path, owner)| (path.remote, *owner)).collect();
    assert_eq!(paths, [(shared, crate::sctp::Owner::Association(owner.association))]);
}
