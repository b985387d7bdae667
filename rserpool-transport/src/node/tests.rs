//! Nodes of echo endpoints that talk over two real stacks, in virtual time.

use std::time::Duration;

use rserpool_core::base::{ProtocolId, SctpAddress, SctpPort, TransportAddress, UdpPort};
use rserpool_core::endpoint::{ConnectError, Connected, DownReason, Origin, Outbox, Output, Reservation};

use super::*;
use crate::sctp::{Sctp, SctpConfig};

const PING: ProtocolId = ProtocolId(1);
const PONG: ProtocolId = ProtocolId(2);

/// Answers every ping, connects and sends a ping on command, and wants a timeout if it has a
/// period.
#[derive(Debug, Default)]
struct Echo {
    out: Outbox<Told, Told>,
    name: &'static str,
    next: Option<Instant>,
    period: Option<Duration>,
    /// The last attempt; every endpoint counts from 1.
    attempts: u64,
    pending: BTreeMap<ConnectId, CommandId>,
    associations: Vec<AssociationId>,
    leaving: bool,
    /// Does not close its associations when it leaves.
    careless: bool,
    /// For whom room is to be kept.
    known: Option<Reservation>,
}

#[derive(Debug, PartialEq, Eq)]
enum Told {
    Ping(Bytes),
    Pong(Bytes),
    Failed(ConnectError),
    Up,
    Down(DownReason),
    Tick,
    Announced(Bytes),
}

enum Ask {
    Connect(TransportAddress),
    ConnectAndCancel(TransportAddress),
    Announce,
}

impl Endpoint for Echo {
    type Command = Ask;
    type Answer = Told;
    type Notice = Told;

    fn handle_event(&mut self, _: Instant, event: Event) {
        match event {
            Event::Connected(Connected { association, origin, .. }) => {
                self.associations.push(association);
                match origin {
                    Origin::Attempt(request) => {
                        let id = self.pending.remove(&request).expect("an attempt of our own");
                        self.out.answer(id, Told::Up);
                        self.out.send(association, PING, Bytes::from(self.name));
                    }
                    Origin::Peer => self.out.tell(Told::Up),
                }
            }
            Event::ConnectFailed { request, reason } => {
                let id = self.pending.remove(&request).expect("an attempt of our own");
                self.out.answer(id, Told::Failed(reason));
            }
            Event::Message { association, protocol, bytes, .. } => {
                assert!(self.associations.contains(&association));
                if protocol == PING {
                    self.out.send(association, PONG, Bytes::from(self.name));
                    self.out.tell(Told::Ping(bytes));
                } else {
                    self.out.tell(Told::Pong(bytes));
                }
            }
            Event::Disconnected { association, reason } => {
                self.associations.retain(|a| *a != association);
                self.out.tell(Told::Down(reason));
            }
            Event::Announce { bytes, .. } => self.out.tell(Told::Announced(bytes)),
            Event::Addresses { .. }
            | Event::Congested { .. }
            | Event::Drained { .. }
            | Event::Arriving { .. }
            | Event::HungUp { .. } => {}
        }
    }

    fn handle_command(&mut self, now: Instant, id: CommandId, command: Ask) {
        let (Ask::Connect(peer) | Ask::ConnectAndCancel(peer)) = &command else {
            return self.out.act(Action::Announce { channel: Channel::Asap, bytes: Bytes::from(self.name) });
        };
        self.attempts += 1;
        let request = ConnectId(self.attempts);
        let (peer, deadline) = (peer.clone(), now + Duration::from_secs(1));
        self.out.act(Action::Connect { request, local_port: SctpPort(0), peer, deadline });
        if matches!(command, Ask::ConnectAndCancel(_)) {
            self.out.act(Action::CancelConnect { request });
        } else {
            self.pending.insert(request, id);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some(period) = self.period.filter(|_| self.next.is_some_and(|next| next <= now)) {
            self.next = Some(now + period);
            self.out.tell(Told::Tick);
        }
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.out.actions.pop_front()
    }

    fn poll_output(&mut self) -> Option<Output<Told, Told>> {
        self.out.outputs.pop_front()
    }

    fn poll_reservation(&mut self) -> Option<Reservation> {
        self.known.take()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    fn begin_shutdown(&mut self, _: Instant, deadline: Instant) {
        self.leaving = true;
        self.next = None;
        if !self.careless {
            for association in self.associations.clone() {
                self.out.act(Action::Shutdown { association, deadline });
            }
        }
    }

    fn is_stopped(&self) -> bool {
        self.leaving && (self.careless || self.associations.is_empty())
    }
}

/// Two nodes and the datagrams between them; a datagram takes one millisecond.
struct World {
    now: Instant,
    nodes: [Node<Echo, Sctp>; 2],
    wire: VecDeque<(Instant, usize, Bytes)>,
    cut: bool,
}

const SOCKETS: [SocketAddr; 2] = [
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 20_001),
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 20_002),
];

impl World {
    fn new() -> Self {
        let node = |n: usize| Node::new(Sctp::new(SctpConfig::fast(n as u64), SOCKETS[n]));
        Self { now: Instant::ORIGIN, nodes: [node(0), node(1)], wire: VecDeque::new(), cut: false }
    }

    fn drain(&mut self, n: usize) {
        while let Some(datagram) = self.nodes[n].poll_datagram() {
            if let Some(to) = SOCKETS.iter().position(|s| *s == datagram.destination).filter(|_| !self.cut) {
                self.wire.push_back((self.now + Duration::from_millis(1), to, datagram.bytes));
            }
        }
    }

    fn command(&mut self, n: usize, key: EndpointKey, id: u64, command: Ask) {
        self.nodes[n].handle_command(self.now, key, CommandId(id), command);
        self.drain(n);
    }

    fn shutdown(&mut self, n: usize, patience: u64) {
        let deadline = self.now + Duration::from_millis(patience);
        self.nodes[n].begin_shutdown(self.now, deadline);
        self.drain(n);
    }

    fn run(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        loop {
            let timer = (0..2).filter_map(|n| Some((self.nodes[n].poll_timeout()?, n))).min();
            let arrival = self.wire.front().map(|(at, ..)| *at);
            let next = [timer.map(|(at, _)| at), arrival].into_iter().flatten().min();
            let Some(at) = next.filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            let n = if arrival == Some(at) {
                let Some((_, n, bytes)) = self.wire.pop_front() else { break };
                self.nodes[n].handle_datagram(self.now, SOCKETS[1 - n], bytes);
                n
            } else {
                let n = timer.map_or(0, |(_, n)| n);
                self.nodes[n].handle_timeout(self.now);
                n
            };
            self.drain(n);
        }
        self.now = end;
    }

    fn notices(&mut self, n: usize) -> Vec<(EndpointKey, Option<u64>, Told)> {
        std::iter::from_fn(|| self.nodes[n].poll_output())
            .map(|(key, output)| match output {
                Output::Answer(id, told) => (key, Some(id.0), told),
                Output::Notice(told) => (key, None, told),
            })
            .collect()
    }
}

fn echo(name: &'static str) -> Echo {
    Echo { name, ..Echo::default() }
}

fn at(n: usize, port: u16) -> TransportAddress {
    SctpAddress::new(SOCKETS[n].ip(), SctpPort(port), UdpPort(SOCKETS[n].port())).into()
}

#[test]
fn inbound_goes_by_port_and_outbound_by_owner() {
    let mut world = World::new();
    let alice = world.nodes[0].add(echo("alice"), &[]);
    let bob = world.nodes[0].add(echo("bob"), &[]);
    let carol = world.nodes[1].add(echo("carol"), &[SctpPort(7), SctpPort(8)]);
    let dave = world.nodes[1].add(echo("dave"), &[SctpPort(9)]);
    // Both endpoints name their attempt 1.
    world.command(0, alice, 10, Ask::Connect(at(1, 9)));
    world.command(0, bob, 20, Ask::Connect(at(1, 8)));
    world.run(50);
    assert_eq!(
        world.notices(0),
        [
            (alice, Some(10), Told::Up),
            (bob, Some(20), Told::Up),
            (alice, None, Told::Pong("dave".into())),
            (bob, None, Told::Pong("carol".into())),
        ]
    );
    assert_eq!(
        world.notices(1),
        [
            (dave, None, Told::Up),
            (carol, None, Told::Up),
            (dave, None, Told::Ping("alice".into())),
            (carol, None, Told::Ping("bob".into())),
        ]
    );
    assert_eq!(world.nodes[0].endpoint(alice).name, "alice");
    assert!(!world.nodes[0].is_idle());
}

#[test]
fn failures_reach_the_endpoint_that_asked() {
    let mut world = World::new();
    let alice = world.nodes[0].add(echo("alice"), &[]);
    let bob = world.nodes[0].add(echo("bob"), &[]);
    world.command(0, alice, 10, Ask::Connect(at(1, 9)));
    world.command(0, bob, 20, Ask::ConnectAndCancel(at(1, 9)));
    world.run(50);
    assert_eq!(world.notices(0), [(alice, Some(10), Told::Failed(ConnectError::Refused))]);
    assert_eq!(world.nodes[0].stack().associations(), 0);
}

#[test]
fn announcements_go_to_every_endpoint_and_come_from_any() {
    let mut world = World::new();
    let alice = world.nodes[0].add(echo("alice"), &[]);
    let bob = world.nodes[0].add(echo("bob"), &[]);
    world.nodes[0].handle_announce(world.now, Channel::Asap, SOCKETS[1], "hello".into());
    let heard = || Told::Announced("hello".into());
    assert_eq!(world.notices(0), [(alice, None, heard()), (bob, None, heard())]);
    world.command(0, bob, 1, Ask::Announce);
    assert_eq!(world.nodes[0].poll_announce(), Some((Channel::Asap, "bob".into())));
    assert_eq!(world.nodes[0].poll_announce(), None);
}

#[test]
fn each_endpoint_is_called_at_its_own_deadline() {
    let mut world = World::new();
    let ticking = |name, millis| {
        let period = Duration::from_millis(millis);
        Echo { period: Some(period), next: Some(Instant::ORIGIN + period), ..echo(name) }
    };
    let keys: Vec<_> = (0..1000).map(|_| world.nodes[0].add(ticking("many", 1000), &[])).collect();
    let quick = world.nodes[0].add(ticking("quick", 300), &[]);
    world.run(999);
    assert_eq!(
        world.notices(0),
        [(quick, None, Told::Tick), (quick, None, Told::Tick), (quick, None, Told::Tick)]
    );
    world.run(1);
    assert_eq!(world.notices(0), keys.iter().map(|key| (*key, None, Told::Tick)).collect::<Vec<_>>());
}

#[test]
fn a_shutdown_ends_when_all_endpoints_and_associations_have() {
    let mut world = World::new();
    let alice = world.nodes[0].add(echo("alice"), &[]);
    let bob = world.nodes[0].add(echo("bob"), &[]);
    let carol = world.nodes[1].add(echo("carol"), &[SctpPort(7)]);
    world.command(0, alice, 10, Ask::Connect(at(1, 7)));
    world.run(50);
    world.notices(0);
    world.notices(1);
    world.shutdown(0, 500);
    assert!(!world.nodes[0].is_idle());
    world.run(2);
    assert!(world.nodes[0].is_idle());
    assert_eq!(world.notices(0), [(alice, None, Told::Down(DownReason::Local))]);
    assert_eq!(world.notices(1), [(carol, None, Told::Down(DownReason::PeerShutdown))]);
    assert!(!world.nodes[1].is_idle());
    let _ = bob;
}

/// An endpoint that does not close its associations: the node does.
#[test]
fn leftover_associations_are_closed() {
    let mut world = World::new();
    let alice = world.nodes[0].add(Echo { careless: true, ..echo("alice") }, &[]);
    let carol = world.nodes[1].add(echo("carol"), &[SctpPort(7)]);
    world.command(0, alice, 10, Ask::Connect(at(1, 7)));
    world.run(50);
    world.notices(0);
    world.notices(1);
    world.shutdown(0, 500);
    world.run(2);
    assert!(world.nodes[0].is_idle());
    assert_eq!(world.notices(1), [(carol, None, Told::Down(DownReason::PeerShutdown))]);
}

/// Nobody answers: the deadline ends associations and attempts.
#[test]
fn a_shutdown_is_over_at_its_deadline() {
    let mut world = World::new();
    let alice = world.nodes[0].add(Echo { careless: true, ..echo("alice") }, &[]);
    let carol = world.nodes[1].add(echo("carol"), &[SctpPort(7)]);
    world.command(0, alice, 10, Ask::Connect(at(1, 7)));
    world.run(50);
    world.cut = true;
    world.command(0, alice, 11, Ask::Connect(at(1, 7)));
    world.shutdown(0, 100);
    world.run(99);
    assert!(!world.nodes[0].is_idle());
    world.run(1);
    assert!(world.nodes[0].is_idle());
    assert_eq!(world.nodes[0].poll_timeout(), None);
    let _ = carol;
}

/// Whoever connects while the node is leaving is not let in once the deadline has passed.
#[test]
fn nobody_gets_in_after_the_deadline() {
    let mut world = World::new();
    let alice = world.nodes[0].add(echo("alice"), &[]);
    let carol = world.nodes[1].add(echo("carol"), &[SctpPort(7)]);
    world.shutdown(1, 10);
    world.run(20);
    world.command(0, alice, 10, Ask::Connect(at(1, 7)));
    world.run(50);
    assert!(world.nodes[1].is_idle());
    assert_eq!(world.notices(1), []);
    assert_eq!(world.notices(0), [(alice, Some(10), Told::Failed(ConnectError::Refused))]);
    let _ = carol;
}

/// Strangers from as many addresses as there are places have taken all, and each has said something.
#[test]
fn whom_an_endpoint_knows_gets_in_although_strangers_have_all_places() {
    const SERVER: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 200)), 9899);
    let now = Instant::from_nanos(1_000_000_000);
    let config = SctpConfig { max_associations: 20, ..SctpConfig::fast(1000) };
    let mut server = Node::new(Sctp::new(config, SERVER));
    let key = server.add(Echo { name: "echo", ..Echo::default() }, &[SctpPort(7)]);
    let address = |host: u8| SocketAddr::from(([10, 0, 0, host], 9899));
    let visit = |server: &mut Node<Echo, Sctp>, host: u8| {
        let mut client = Sctp::new(SctpConfig::fast(host.into()), address(host));
        let peer = SctpAddress::new(SERVER.ip(), SctpPort(7), UdpPort(SERVER.port())).into();
        let (request, deadline) = (ConnectId(1), now + Duration::from_secs(1));
        client.handle_action(now, Action::Connect { request, local_port: SctpPort(0), peer, deadline });
        for _ in 0..10 {
            while let Some(datagram) = client.poll_datagram() {
                server.handle_datagram(now, address(host), datagram.bytes);
            }
            while let Some(datagram) = server.poll_datagram() {
                if datagram.destination == address(host) {
                    client.handle_datagram(now, SERVER, datagram.bytes);
                }
            }
            match client.poll_event() {
                Some(Event::Connected(Connected { association, .. })) => {
                    let bytes = Bytes::from("hello");
                    client.handle_action(now, Action::Send { association, protocol: PING, stream: 0, bytes });
                }
                Some(Event::Message { .. }) => return true,
                Some(Event::ConnectFailed { reason: ConnectError::Busy, .. }) => return false,
                None => {}
                other => panic!("{host}: {other:?}"),
            }
        }
        panic!("{host} is not answered");
    };
    let hosts: Vec<bool> = (1..=20).map(|host| visit(&mut server, host)).collect();
    assert_eq!(hosts.iter().filter(|there| **there).count(), 19);
    assert!(!visit(&mut server, 99));
    server.members[key.0].endpoint.known = Some(Reservation { address: address(99).ip(), associations: 1 });
    server.handle_command(now, key, CommandId(1), Ask::Announce);
    assert!(visit(&mut server, 99));
    assert!(!visit(&mut server, 98), "room is kept for that address only");
}
