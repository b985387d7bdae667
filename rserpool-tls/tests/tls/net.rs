//! A client and a server that reach each other at once, in virtual time.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{
    AssociationId, ConnectId, Instant, ProtocolId, SctpPort, TransportAddress, UdpPort,
};
use rserpool_core::endpoint::{Action, Connected, Event};
use rserpool_tls::{Credentials, Secured, ServerNames, Settings, Tls};
use rserpool_transport::sctp::{Sctp, SctpConfig};
use rserpool_transport::tcp::{Tcp, TcpConfig};
use rserpool_transport::{
    Carriers, ConnectionAction, ConnectionEvent, ConnectionId, Datagrams, Stack, Streams,
};

use crate::authority::NOW;

pub(crate) const CLIENT: usize = 0;
pub(crate) const SERVER: usize = 1;
pub(crate) const ENRP: SctpPort = SctpPort(9902);
const ASAP: SctpPort = SctpPort(3864);
/// Where there is no TLS, if the server is told so.
pub(crate) const PLAIN: SctpPort = SctpPort(3863);

/// A client without TLS, or one with it, and a server.
pub(crate) struct Net {
    now: Instant,
    pub(crate) tls: [Tls; 2],
    stacks: [Secured<Carriers>; 2],
    events: [Vec<Event>; 2],
    wire: VecDeque<(usize, Wire)>,
    /// All octets that were sent.
    tap: Vec<Bytes>,
    /// The last record that the client has sent.
    last: Option<Bytes>,
    /// The connections of the one at the other.
    connections: BTreeMap<(usize, ConnectionId), ConnectionId>,
}

enum Wire {
    Datagram(Bytes),
    Connection(ConnectionId, ConnectionEvent),
}

fn address(stack: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 20_001 + stack as u16))
}

/// The server at one of its SCTP ports.
pub(crate) fn sctp(port: SctpPort) -> TransportAddress {
    TransportAddress::sctp(vec![address(SERVER).ip()], port, UdpPort(address(SERVER).port()))
}

pub(crate) fn asap() -> TransportAddress {
    sctp(ASAP)
}

pub(crate) fn enrp() -> TransportAddress {
    sctp(ENRP)
}

pub(crate) fn tcp() -> TransportAddress {
    TransportAddress::tcp(vec![address(SERVER).ip()], 3864)
}

fn secured(stack: usize, tls: &Tls) -> Secured<Carriers> {
    let sctp = Sctp::new(SctpConfig::fast(stack as u64), address(stack));
    let tcp = Tcp::new(TcpConfig::default(), ASAP).accepting_octets();
    let mut secured = Secured::new(Carriers::new(sctp, tcp), tls.clone());
    if stack == SERVER {
        [ASAP, ENRP, PLAIN].into_iter().for_each(|port| secured.listen(port));
    }
    secured
}

impl Net {
    pub(crate) fn new(credentials: [Credentials; 2]) -> Self {
        Self::named(credentials, ServerNames::Addressed(Vec::new()))
    }

    /// A client that knows its servers by these names.
    pub(crate) fn named(credentials: [Credentials; 2], names: ServerNames) -> Self {
        let mut settings = Settings::default();
        settings.server_names = names;
        let origin = Duration::from_secs(NOW);
        let tls = credentials
            .map(|credentials| Tls::new(settings.clone(), credentials, origin, Instant::ORIGIN).unwrap());
        Self {
            now: Instant::ORIGIN,
            stacks: [secured(CLIENT, &tls[CLIENT]), secured(SERVER, &tls[SERVER])],
            tls,
            events: [Vec::new(), Vec::new()],
            wire: VecDeque::new(),
            tap: Vec::new(),
            last: None,
            connections: BTreeMap::new(),
        }
    }

    /// The server has no TLS at this port.
    pub(crate) fn server_is_plain_at(&mut self, port: SctpPort) {
        let mut settings = Settings::default();
        settings.plain_ports = vec![port];
        let authority = crate::authority::Authority::new();
        let credentials = authority.credentials(&["127.0.0.1"]);
        let origin = Duration::from_secs(NOW);
        let tls = Tls::new(settings, credentials, origin, Instant::ORIGIN).unwrap();
        self.stacks[SERVER] = secured(SERVER, &tls);
    }

    pub(crate) fn later(&self, millis: u64) -> Instant {
        self.now + Duration::from_millis(millis)
    }

    pub(crate) fn act(&mut self, stack: usize, action: Action) {
        self.stacks[stack].handle_action(self.now, action);
        self.run();
    }

    pub(crate) fn connect(&mut self, peer: TransportAddress) {
        self.connect_until(peer, 10_000);
    }

    pub(crate) fn connect_until(&mut self, peer: TransportAddress, millis: u64) {
        let (request, local_port, deadline) = (ConnectId(7), SctpPort(0), self.later(millis));
        self.act(CLIENT, Action::Connect { request, local_port, peer, deadline });
    }

    /// Connects; the names of the association at both, whose events stay.
    pub(crate) fn pair(&mut self, peer: TransportAddress) -> (AssociationId, AssociationId) {
        self.connect(peer);
        self.settle();
        let name = |events: &[Event]| match events {
            [Event::Connected(Connected { association, .. })] => *association,
            other => panic!("{other:?}"),
        };
        (name(&self.events[CLIENT]), name(&self.events[SERVER]))
    }

    /// Connects without TLS: the client is one that knows nothing of it.
    pub(crate) fn connect_below(&mut self, peer: TransportAddress) -> AssociationId {
        let mut settings = Settings::default();
        settings.plain_ports = vec![ASAP, ENRP, PLAIN];
        let credentials = crate::authority::Authority::new().user_of_this();
        let origin = Duration::from_secs(NOW);
        let tls = Tls::new(settings, credentials, origin, Instant::ORIGIN).unwrap();
        self.stacks[CLIENT] = secured(CLIENT, &tls);
        self.connect(peer);
        match self.take(CLIENT)[..] {
            [Event::Connected(Connected { association, .. })] => association,
            ref other => panic!("{other:?}"),
        }
    }

    pub(crate) fn send_below(&mut self, association: AssociationId, bytes: Bytes) {
        self.send(CLIENT, association, ProtocolId::ASAP, 0, bytes);
    }

    pub(crate) fn send(
        &mut self,
        from: usize,
        association: AssociationId,
        protocol: ProtocolId,
        stream: u16,
        bytes: Bytes,
    ) {
        self.act(from, Action::Send { association, protocol, stream, bytes });
    }

    /// The association below TLS sends the last record again, as somebody on the way could.
    pub(crate) fn replay(&mut self, association: AssociationId) {
        let bytes = self.last.clone().unwrap();
        let now = self.now;
        self.stacks[CLIENT].with_stack_below(|stack| {
            let (protocol, stream) = (ProtocolId::ASAP, 0);
            stack.handle_action(now, Action::Send { association, protocol, stream, bytes });
        });
        self.run();
    }

    pub(crate) fn take(&mut self, stack: usize) -> Vec<Event> {
        std::mem::take(&mut self.events[stack])
    }

    /// Forgets what has happened so far.
    pub(crate) fn forget(&mut self) {
        self.events.iter_mut().for_each(Vec::clear);
        self.tap.clear();
    }

    /// The messages that a stack has received, and nothing else.
    pub(crate) fn messages(&mut self, stack: usize) -> Vec<(AssociationId, ProtocolId, u16, Bytes)> {
        self.settle();
        let messages = self.take(stack).into_iter().filter_map(|event| match event {
            Event::Message { association, protocol, stream, bytes } => {
                Some((association, protocol, stream, bytes))
            }
            Event::Congested { .. } | Event::Drained { .. } => None,
            other => panic!("stack {stack}: {other:?}"),
        });
        messages.collect()
    }

    pub(crate) fn wire_shows(&self, octets: &[u8]) -> bool {
        self.tap.iter().any(|sent| sent.windows(octets.len()).any(|window| window == octets))
    }

    /// Whether a stack keeps nothing of any association.
    pub(crate) fn is_empty(&self, stack: usize) -> bool {
        let kept = format!("{:?}", self.stacks[stack]);
        ["associations: {}", "shaking: {}", "held: {}", "congested: {}"]
            .iter()
            .all(|empty| kept.contains(empty))
    }

    pub(crate) fn octets(&self) -> usize {
        self.tap.iter().map(Bytes::len).sum()
    }

    pub(crate) fn associations(&self) -> usize {
        self.stacks.iter().map(Stack::associations).sum()
    }

    /// A second passes: what is under way arrives, and is acknowledged.
    pub(crate) fn settle(&mut self) {
        self.pass(Duration::from_secs(1));
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.run();
        while let Some(at) = self.stacks.iter().filter_map(Stack::poll_timeout).min().filter(|at| *at <= end)
        {
            self.now = self.now.max(at);
            let now = self.now;
            self.stacks.iter_mut().for_each(|stack| stack.handle_timeout(now));
            self.run();
        }
        self.now = end;
    }

    /// Everything that is on its way arrives, and what follows from it.
    fn run(&mut self) {
        loop {
            (0..2).for_each(|stack| self.drain(stack));
            let Some((to, wire)) = self.wire.pop_front() else { break };
            match wire {
                Wire::Datagram(bytes) => {
                    self.stacks[to].handle_datagram(self.now, address(1 - to), bytes);
                }
                Wire::Connection(id, event) => self.stacks[to].handle_connection(self.now, id, event),
            }
        }
    }

    fn drain(&mut self, stack: usize) {
        while let Some(event) = self.stacks[stack].poll_event() {
            if !matches!(event, Event::Arriving { .. }) {
                self.events[stack].push(event);
            }
        }
        while let Some(datagram) = self.stacks[stack].poll_datagram() {
            self.tap.push(datagram.bytes.clone());
            if stack == CLIENT {
                // The first message in it, if there is one of TLS: behind the headers of packet and chunk.
                let octets = datagram.bytes.get(28..).unwrap_or_default();
                if let [0x17, _, _, high, low, ..] = *octets {
                    let length = 5 + usize::from(u16::from_be_bytes([high, low]));
                    self.last = octets.get(..length).map(Bytes::copy_from_slice).or_else(|| self.last.take());
                }
            }
            self.wire.push_back((1 - stack, Wire::Datagram(datagram.bytes)));
        }
        while let Some(action) = self.stacks[stack].poll_connection() {
            self.carry(stack, action);
        }
    }

    fn carry(&mut self, stack: usize, action: ConnectionAction) {
        let other = 1 - stack;
        match action {
            ConnectionAction::Open { connection, .. } => {
                let accepted = self.stacks[other].accept(self.now, address(stack)).unwrap();
                self.connections.insert((stack, connection), accepted);
                self.connections.insert((other, accepted), connection);
                self.wire.push_back((stack, Wire::Connection(connection, ConnectionEvent::Opened)));
            }
            ConnectionAction::Write { connection, bytes } => {
                self.tap.push(bytes.clone());
                let written = ConnectionEvent::Written(bytes.len());
                self.wire.push_back((stack, Wire::Connection(connection, written)));
                let there = self.connections[&(stack, connection)];
                self.wire.push_back((other, Wire::Connection(there, ConnectionEvent::Received(bytes))));
            }
            ConnectionAction::Finish { connection } => {
                let there = self.connections[&(stack, connection)];
                self.wire.push_back((other, Wire::Connection(there, ConnectionEvent::Ended)));
            }
            ConnectionAction::Drop { connection } => {
                if let Some(there) = self.connections.remove(&(stack, connection)) {
                    self.wire.push_back((other, Wire::Connection(there, ConnectionEvent::Ended)));
                }
            }
            ConnectionAction::Resume { .. } => {}
        }
    }
}
