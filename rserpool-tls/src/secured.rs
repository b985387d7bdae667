//! Associations and connections of any stack, each with TLS on it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytes::Bytes;
use rserpool_core::base::{
    AssociationId, Carrier, ConnectId, Deadlines, Instant, ProtocolId, SctpPort, TransportAddress,
};
use rserpool_core::endpoint::{
    AbortCause, Action, ConnectError, Connected, DownReason, Event, HangUp, Origin, Reservation,
    TransportCounters,
};
use rserpool_transport::{
    ConnectionAction, ConnectionEvent, ConnectionId, Datagram, Datagrams, Stack, Streams, Undelivered,
};
use rustls::pki_types::ServerName;

use crate::frames::Frame;
use crate::link::Link;
use crate::settings::Tls;

/// How long an association that has failed may take to tell the peer why.
const FAREWELL: core::time::Duration = core::time::Duration::from_secs(1);

/// A stack whose associations are secured by TLS, except at the [plain ports](crate::Settings::plain_ports).
///
/// Connections over TCP must be those of a [`Tcp`](rserpool_transport::tcp::Tcp) that
/// [accepts octets](rserpool_transport::tcp::Tcp::accepting_octets), because records are no messages of ASAP.
#[derive(Debug)]
pub struct Secured<S> {
    stack: S,
    tls: Tls,
    now: Instant,
    /// What the stack tries to connect to, with TLS on it. Bounded by the stack, which answers every attempt.
    attempts: BTreeMap<ConnectId, Attempt>,
    /// The associations of the stack with TLS on them. Bounded by it, too.
    associations: BTreeMap<AssociationId, State>,
    /// The handshakes of our attempts.
    shaking: BTreeMap<ConnectId, AssociationId>,
    /// The ends of handshakes.
    deadlines: Deadlines<AssociationId>,
    /// Associations that may have a message, in the order of their turns.
    ready: VecDeque<AssociationId>,
    /// Associations whose messages wait because the endpoint takes none.
    held: BTreeSet<AssociationId>,
    /// Associations whose messages wait because the peer has to take answers first.
    congested: BTreeSet<AssociationId>,
    events: VecDeque<Event>,
}

/// An attempt to connect.
#[derive(Debug)]
struct Attempt {
    /// As the endpoint named it: over TCP the stack is told of another kind of address.
    peer: TransportAddress,
    deadline: Instant,
}

/// How far an association is.
#[derive(Debug)]
enum State {
    /// In the handshake; the endpoint has not heard of it.
    Shaking(Box<Shaking>),
    /// Up.
    Open(Box<Link>),
    /// The endpoint has been told that it has failed, or does not want it; its end is awaited.
    Over,
}

#[derive(Debug)]
struct Shaking {
    link: Link,
    connected: Connected,
    /// Whether more addresses were verified meanwhile.
    moved: bool,
}

impl<S: Stack> Secured<S> {
    /// All associations of a stack that has none yet.
    pub fn new(stack: S, tls: Tls) -> Self {
        Self {
            stack,
            tls,
            now: Instant::ORIGIN,
            attempts: BTreeMap::new(),
            associations: BTreeMap::new(),
            shaking: BTreeMap::new(),
            deadlines: Deadlines::default(),
            ready: VecDeque::new(),
            held: BTreeSet::new(),
            congested: BTreeSet::new(),
            events: VecDeque::new(),
        }
    }

    /// The stack below, to be queried.
    pub const fn stack(&self) -> &S {
        &self.stack
    }

    /// Lets something happen to the stack below, past TLS: what a test has somebody on the way do.
    #[doc(hidden)]
    pub fn with_stack_below<T>(&mut self, act: impl FnOnce(&mut S) -> T) -> T {
        act(&mut self.stack)
    }

    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.tls.clock().advance(self.now);
    }

    /// What TLS does with an event of the stack below.
    fn take(&mut self, event: Event) {
        match event {
            Event::Connected(connected) => self.connected(connected),
            Event::ConnectFailed { request, .. } => {
                self.attempts.remove(&request);
                self.events.push_back(event);
            }
            Event::Message { association, stream, ref bytes, .. } => {
                match self.associations.get_mut(&association) {
                    None => self.events.push_back(event),
                    Some(State::Over) => {}
                    // Beside TLS nothing is believed (RFC 3436 section 6.2).
                    Some(_) if stream != 0 => {}
                    Some(_) => self.received(association, bytes),
                }
            }
            Event::Addresses { association, ref peer } => match self.associations.get_mut(&association) {
                Some(State::Shaking(shaking)) => {
                    shaking.connected.peer = peer.clone();
                    shaking.moved = true;
                }
                _ => self.pass(association, event),
            },
            Event::Congested { association } => {
                self.congested.insert(association);
                self.pass(association, event);
            }
            Event::Drained { association } => {
                self.congested.remove(&association);
                self.make_ready(association);
                self.pass(association, event);
            }
            Event::Arriving { association } => self.pass(association, event),
            Event::Disconnected { association, ref reason } => self.disconnected(association, reason.clone()),
            Event::HungUp { .. } | Event::Announce { .. } => self.events.push_back(event),
        }
    }

    /// Passes an event on if the endpoint knows the association.
    fn pass(&mut self, association: AssociationId, event: Event) {
        if matches!(self.associations.get(&association), None | Some(State::Open(_))) {
            self.events.push_back(event);
        }
    }

    /// An association of the stack is up: the handshake begins.
    fn connected(&mut self, mut connected: Connected) {
        let attempt = connected.origin.attempt().and_then(|request| self.attempts.remove(&request));
        let is_secured = match connected.origin {
            Origin::Attempt(_) => attempt.is_some(),
            Origin::Peer => connected.peer.is_tcp() || self.tls.settings().secures(connected.local_port),
        };
        if !is_secured {
            return self.events.push_back(Event::Connected(connected));
        }
        let mut deadline = self.now + self.tls.settings().handshake_timeout;
        let current = self.tls.current();
        let link = match attempt {
            Some(attempt) => {
                deadline = deadline.min(attempt.deadline);
                connected.peer = named_as(attempt.peer, connected.peer);
                let address = connected.peer.sockets().next();
                let address = address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |socket| socket.ip());
                let server = ServerName::IpAddress(address.to_canonical().into());
                Link::client(&current, server, self.protocol_at(port_of(&connected.peer)))
            }
            None => Link::server(&current, self.protocol_at(connected.local_port)),
        };
        let association = connected.association;
        match link {
            Ok(link) => {
                if let Some(request) = connected.origin.attempt() {
                    self.shaking.insert(request, association);
                }
                let shaking = Shaking { link, connected, moved: false };
                self.associations.insert(association, State::Shaking(Box::new(shaking)));
                self.deadlines.set(association, deadline);
                self.flush(association);
            }
            Err(error) => {
                self.associations.insert(association, State::Over);
                self.tell_failed(&connected, &error.to_string());
                self.part(association);
            }
        }
    }

    /// What is spoken at the port of the end that was connected to.
    fn protocol_at(&self, port: SctpPort) -> ProtocolId {
        if self.tls.settings().enrp_ports.contains(&port) { ProtocolId::ENRP } else { ProtocolId::ASAP }
    }

    /// Octets of records have come.
    fn received(&mut self, association: AssociationId, octets: &Bytes) {
        let now = self.tls.clock().now().as_secs();
        let outcome = match self.associations.get_mut(&association) {
            Some(State::Shaking(shaking)) => {
                shaking.link.receive(octets).and_then(|()| match shaking.link.is_shaking_hands() {
                    true => Ok(None),
                    false => shaking.link.security(now).map(Some),
                })
            }
            Some(State::Open(link)) => link.receive(octets).map(|()| None),
            _ => return,
        };
        match outcome {
            Ok(None) => {}
            Ok(Some(security)) => {
                if let Some(State::Shaking(shaking)) = self.associations.remove(&association) {
                    let Shaking { link, connected, moved } = *shaking;
                    self.forget_handshake(association, connected.origin);
                    let peer = moved.then(|| connected.peer.clone());
                    self.events.push_back(Event::Connected(connected.with_security(security)));
                    if let Some(peer) = peer {
                        self.events.push_back(Event::Addresses { association, peer });
                    }
                    self.associations.insert(association, State::Open(Box::new(link)));
                }
            }
            Err(error) => return self.fail(association, &error.to_string()),
        }
        self.flush(association);
        self.make_ready(association);
    }

    /// Sends the records that wait.
    fn flush(&mut self, association: AssociationId) {
        let link = match self.associations.get_mut(&association) {
            Some(State::Shaking(shaking)) => &mut shaking.link,
            Some(State::Open(link)) => link,
            _ => return,
        };
        // A message of ASAP over TCP would have to say its length; octets do not.
        let protocol = match association.carrier() {
            Carrier::Tcp => ProtocolId::UNSPECIFIED,
            _ => link.native(),
        };
        for bytes in link.records() {
            self.stack.handle_action(self.now, Action::Send { association, protocol, stream: 0, bytes });
        }
    }

    /// Something is wrong: the peer is told what (an alert waits to be sent), and then the association ends.
    fn fail(&mut self, association: AssociationId, error: &str) {
        self.flush(association);
        match self.associations.insert(association, State::Over) {
            Some(State::Shaking(shaking)) => {
                self.forget_handshake(association, shaking.connected.origin);
                self.tell_failed(&shaking.connected, error);
            }
            Some(State::Open(_)) => {
                self.events.push_back(Event::Disconnected { association, reason: DownReason::Violation });
            }
            _ => {}
        }
        self.part(association);
    }

    fn part(&mut self, association: AssociationId) {
        let deadline = self.now + FAREWELL;
        self.stack.handle_action(self.now, Action::Shutdown { association, deadline });
    }

    fn tell_failed(&mut self, connected: &Connected, error: &str) {
        let Connected { origin, local_port, peer, .. } = connected;
        self.events.push_back(match origin.attempt() {
            Some(request) => Event::ConnectFailed { request, reason: ConnectError::Insecure(error.into()) },
            None => {
                let (local_port, peer) = (*local_port, peer.clone());
                Event::HungUp { local_port, peer, reason: HangUp::Insecure }
            }
        });
    }

    fn forget_handshake(&mut self, association: AssociationId, origin: Origin) {
        self.deadlines.clear(&association);
        if let Some(request) = origin.attempt() {
            self.shaking.remove(&request);
        }
    }

    fn disconnected(&mut self, association: AssociationId, reason: DownReason) {
        self.held.remove(&association);
        self.congested.remove(&association);
        match self.associations.remove(&association) {
            None => self.events.push_back(Event::Disconnected { association, reason }),
            Some(State::Open(mut link)) => {
                // What came before the end counts.
                while let Ok(Some(frame)) = link.next() {
                    self.events.push_back(message(association, frame));
                }
                self.events.push_back(Event::Disconnected { association, reason });
            }
            Some(State::Shaking(shaking)) => {
                self.forget_handshake(association, shaking.connected.origin);
                self.tell_failed(&shaking.connected, &format!("{reason} during the handshake"));
            }
            Some(State::Over) => {}
        }
    }

    /// Gives an association its turn, if it may have a message.
    fn make_ready(&mut self, association: AssociationId) {
        if matches!(self.associations.get(&association), Some(State::Open(_))) {
            self.ready.push_back(association);
        }
    }

    /// Takes one message out of an association whose turn it is.
    fn take_message(&mut self, association: AssociationId) {
        if self.held.contains(&association) || self.congested.contains(&association) {
            return;
        }
        let Some(State::Open(link)) = self.associations.get_mut(&association) else { return };
        match link.next() {
            Ok(Some(frame)) => {
                self.events.push_back(message(association, frame));
                self.make_ready(association);
            }
            Ok(None) if link.has_part() => self.events.push_back(Event::Arriving { association }),
            Ok(None) => {}
            Err(_) => self.fail(association, "a message of impossible length"),
        }
    }

    fn connect(
        &mut self,
        request: ConnectId,
        local_port: SctpPort,
        peer: TransportAddress,
        deadline: Instant,
    ) {
        let secured = match &peer {
            // The octets of an application that has brought its own server: its security is its own.
            TransportAddress::Octets(_) => None,
            TransportAddress::Tcp(address) => Some(TransportAddress::Octets(address.clone())),
            other => self.tls.settings().secures(port_of(other)).then(|| other.clone()),
        };
        let below = match secured {
            Some(below) => {
                self.attempts.insert(request, Attempt { peer, deadline });
                below
            }
            None => peer,
        };
        self.stack.handle_action(self.now, Action::Connect { request, local_port, peer: below, deadline });
    }

    /// An attempt is not wanted any longer.
    fn cancel(&mut self, request: ConnectId) {
        self.attempts.remove(&request);
        let Some(association) = self.shaking.remove(&request) else {
            return self.stack.handle_action(self.now, Action::CancelConnect { request });
        };
        self.deadlines.clear(&association);
        self.associations.insert(association, State::Over);
        let abort = Action::Abort { association, cause: AbortCause::User };
        self.stack.handle_action(self.now, abort);
    }
}

impl<S: Stack> Stack for Secured<S> {
    fn listen(&mut self, local_port: SctpPort) {
        self.stack.listen(local_port);
    }

    fn stop_listening(&mut self) {
        self.stack.stop_listening();
    }

    fn handle_action(&mut self, now: Instant, action: Action) {
        self.advance(now);
        match action {
            Action::Connect { request, local_port, peer, deadline } => {
                return self.connect(request, local_port, peer, deadline);
            }
            Action::CancelConnect { request } => return self.cancel(request),
            Action::Send { association, protocol, stream, ref bytes } => {
                match self.associations.get_mut(&association) {
                    Some(State::Open(link)) => {
                        link.send(&Frame { protocol, stream, bytes: bytes.clone() });
                        return self.flush(association);
                    }
                    Some(_) => return,
                    None => {}
                }
            }
            Action::Shutdown { association, .. } => {
                if let Some(State::Open(link)) = self.associations.get_mut(&association) {
                    link.close();
                    self.flush(association);
                }
            }
            // The endpoint may ask for that when the association has just ended, and nothing would end it then.
            Action::Hold { association } if self.associations.contains_key(&association) => {
                self.held.insert(association);
            }
            Action::Release { association } => {
                self.held.remove(&association);
                self.make_ready(association);
            }
            Action::Hold { .. } | Action::Abort { .. } | Action::Announce { .. } => {}
        }
        self.stack.handle_action(now, action);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        self.stack.handle_timeout(now);
        while let Some(association) = self.deadlines.pop_due(self.now) {
            self.fail(association, "the handshake took too long");
        }
    }

    /// Messages are cut out one by one, when they are fetched, so what an answer does to an association counts before
    /// its next message.
    fn poll_event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            match self.ready.pop_front() {
                Some(association) => self.take_message(association),
                None => {
                    let event = self.stack.poll_event()?;
                    self.take(event);
                }
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.stack.poll_timeout(), self.deadlines.next()].into_iter().flatten().min()
    }

    fn counters(&self) -> TransportCounters {
        self.stack.counters()
    }

    fn reserve(&mut self, reservation: Reservation) {
        self.stack.reserve(reservation);
    }

    fn associations(&self) -> usize {
        self.stack.associations()
    }
}

impl<S: Stack + Datagrams> Datagrams for Secured<S> {
    fn handle_datagram(&mut self, now: Instant, source: SocketAddr, bytes: Bytes) {
        self.advance(now);
        self.stack.handle_datagram(now, source, bytes);
    }

    fn handle_undelivered(&mut self, now: Instant, undelivered: Undelivered) {
        self.advance(now);
        self.stack.handle_undelivered(now, undelivered);
    }

    fn poll_datagram(&mut self) -> Option<Datagram> {
        self.stack.poll_datagram()
    }
}

impl<S: Stack + Streams> Streams for Secured<S> {
    fn accept(&mut self, now: Instant, peer: SocketAddr) -> Option<ConnectionId> {
        self.advance(now);
        self.stack.accept(now, peer)
    }

    fn handle_connection(&mut self, now: Instant, connection: ConnectionId, event: ConnectionEvent) {
        self.advance(now);
        self.stack.handle_connection(now, connection, event);
    }

    fn reads(&self, connection: ConnectionId) -> bool {
        self.stack.reads(connection)
    }

    fn poll_connection(&mut self) -> Option<ConnectionAction> {
        self.stack.poll_connection()
    }
}

fn message(association: AssociationId, frame: Frame) -> Event {
    let Frame { protocol, stream, bytes } = frame;
    Event::Message { association, protocol, stream, bytes }
}

/// The SCTP port of a peer; 0 over TCP.
fn port_of(peer: &TransportAddress) -> SctpPort {
    peer.as_sctp().map_or(SctpPort(0), |address| address.port)
}

/// The peer as the endpoint named it if it is over TCP, and else as the stack has found it.
fn named_as(asked: TransportAddress, found: TransportAddress) -> TransportAddress {
    if asked.is_tcp() { asked } else { found }
}
