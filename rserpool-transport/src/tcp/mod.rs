//! ASAP over TCP (RFC 5352 sections 2.1 and 3.3): any number of connections, no I/O.
//!
//! Between users and registrars; a connection counts as an association. The stream of octets is
//! cut into messages by their own lengths (reading B14), so it has no place for a payload protocol
//! identifier: everything in it is ASAP. ENRP and the private questions for counters stay on SCTP.
//!
//! A user may also connect to an element that serves its users over plain TCP. Such a connection carries the octets of
//! the application, in pieces as they come, and has no control channel.
//!
//! Any host that reaches the port may connect. Therefore everything that a client could hold is bounded: the
//! octets and time of a connection in `connection`, the number of connections here. A client is read no faster
//! than it takes answers; several clients that have asked are served in turn.

mod attempt;
mod config;
mod connection;
mod frames;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use bytes::Bytes;

pub use config::TcpConfig;

use self::attempt::{Attempt, Due};
use self::connection::{Connection, Content, MAX_INPUT, Opener};
use super::{ConnectionAction, ConnectionEvent, ConnectionId, Stack, Streams};
use crate::places::{Places, Victim};
use rserpool_core::base::{
    AssociationId, ConnectId, Deadlines, Instant, ProtocolId, SctpPort, Source, TcpAddress, TransportAddress,
};
use rserpool_core::endpoint::{
    AbortReason, Action, ConnectError, Connected, DownReason, Event, HangUp, Origin,
};

/// All TCP connections of one node.
#[derive(Debug)]
pub struct Tcp {
    config: TcpConfig,
    /// The port of the endpoint to whom accepted connections go.
    service: SctpPort,
    accepts: bool,
    /// What connections carry that are accepted.
    accepted: Content,
    now: Instant,
    connections: BTreeMap<ConnectionId, Connection>,
    attempts: BTreeMap<ConnectId, Attempt>,
    /// Whose attempt a connection belongs to that is being opened.
    opening: BTreeMap<ConnectionId, ConnectId>,
    /// The connections that were accepted.
    places: Places<ConnectionId>,
    /// Connections that may have a whole message, in the order of their turns.
    ready: VecDeque<ConnectionId>,
    events: VecDeque<Event>,
    actions: VecDeque<ConnectionAction>,
    deadlines: Deadlines<Owner>,
    /// Associations that an endpoint knows.
    named: usize,
    last: u64,
}

/// Whose a deadline is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Connection(ConnectionId),
    Attempt(ConnectId),
}

impl Tcp {
    /// No connection yet. Those that are accepted are told to the endpoint that listens on the SCTP port
    /// `service`. The configuration must be [valid](TcpConfig::check).
    pub fn new(config: TcpConfig, service: SctpPort) -> Self {
        Self {
            config,
            service,
            accepts: true,
            accepted: Content::Asap,
            now: Instant::ORIGIN,
            connections: BTreeMap::new(),
            attempts: BTreeMap::new(),
            opening: BTreeMap::new(),
            places: Places::new(),
            ready: VecDeque::new(),
            events: VecDeque::new(),
            actions: VecDeque::new(),
            deadlines: Deadlines::default(),
            named: 0,
            last: 0,
        }
    }

    /// Connections that are accepted carry octets from now on, and no messages of ASAP: those of TLS, whose records say
    /// themselves where they end.
    #[must_use]
    pub fn accepting_octets(self) -> Self {
        Self { accepted: Content::Octets, ..self }
    }

    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    fn is_full(&self) -> bool {
        self.connections.len() + self.attempts.len() >= self.config.max_connections
    }

    /// Makes room for a client, if another has to give its place up. False if there is none.
    fn make_place(&mut self, source: Source) -> bool {
        if !self.is_full() {
            return true;
        }
        match self.places.victim(source) {
            Some(Victim::Silent(id)) => self.hang_up(id, HangUp::Silent),
            Some(Victim::Greedy(id)) => self.hang_up(id, HangUp::TooMany),
            None => {}
        }
        !self.is_full()
    }

    const fn next_connection(&mut self) -> ConnectionId {
        self.last += 1;
        ConnectionId(self.last)
    }

    fn connect(
        &mut self,
        request: ConnectId,
        local_port: SctpPort,
        peer: TransportAddress,
        deadline: Instant,
    ) {
        let refused = if self.attempts.contains_key(&request) {
            ConnectError::InUse
        } else if self.is_full() {
            ConnectError::TooMany
        } else if let Some(attempt) = Attempt::new(self.now, local_port, peer, deadline) {
            self.attempts.insert(request, attempt);
            return self.go_on(request);
        } else {
            ConnectError::NoRoute
        };
        self.events.push_back(Event::ConnectFailed { request, reason: refused });
    }

    /// Tries the next address of an attempt, or gives it up, if it is time for that.
    fn go_on(&mut self, request: ConnectId) {
        let Some(attempt) = self.attempts.get_mut(&request) else { return };
        match attempt.due(self.now, &self.config) {
            Due::Wait => {}
            Due::Try(address) => {
                self.last += 1;
                let connection = ConnectionId(self.last);
                attempt.opening.insert(connection);
                self.opening.insert(connection, request);
                self.actions.push_back(ConnectionAction::Open { connection, address });
            }
            Due::GiveUp => {
                if let Some(attempt) = self.forget(request) {
                    let late = !attempt.opening.is_empty();
                    let reason = if late { ConnectError::TimedOut } else { attempt.error };
                    self.events.push_back(Event::ConnectFailed { request, reason });
                }
                return;
            }
        }
        self.deadlines.set(Owner::Attempt(request), attempt.deadline());
    }

    /// Ends an attempt, and drops what it was opening.
    fn forget(&mut self, request: ConnectId) -> Option<Attempt> {
        let attempt = self.attempts.remove(&request)?;
        self.deadlines.clear(&Owner::Attempt(request));
        for connection in &attempt.opening {
            self.opening.remove(connection);
            self.actions.push_back(ConnectionAction::Drop { connection: *connection });
        }
        Some(attempt)
    }

    /// One of the connections of an attempt is up; the others are not needed any more.
    fn opened(&mut self, id: ConnectionId) {
        let Some(request) = self.opening.remove(&id) else { return };
        if let Some(attempt) = self.attempts.get_mut(&request) {
            attempt.opening.remove(&id);
        }
        if let Some(attempt) = self.forget(request) {
            self.establish(id, Opener::Us, Origin::Attempt(request), attempt.local_port, attempt.peer);
        }
    }

    fn establish(
        &mut self,
        id: ConnectionId,
        opener: Opener,
        origin: Origin,
        local_port: SctpPort,
        peer: TransportAddress,
    ) {
        let content = if origin == Origin::Peer { self.accepted } else { Content::at(&peer) };
        self.connections.insert(id, Connection::new(opener, content, self.now));
        self.named += 1;
        self.events.push_back(Event::Connected(Connected::new(association(id), origin, local_port, peer)));
        self.rearm(id);
    }

    fn received(&mut self, id: ConnectionId, octets: &Bytes) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if !connection.named {
            return;
        }
        connection.frames.push(octets);
        if connection.frames.len() > MAX_INPUT {
            return self.hang_up(id, HangUp::Flooding);
        }
        self.make_ready(id);
    }

    /// Gives a connection its turn, if it may have a message, or its end, to tell.
    fn make_ready(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id)
            && connection.named
            && !connection.is_paused()
            && !core::mem::replace(&mut connection.queued, true)
        {
            self.ready.push_back(id);
        }
    }

    /// Takes one message out of a connection whose turn it is.
    fn take_message(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.queued = false;
        if !connection.named || connection.is_paused() {
            return;
        }
        match connection.next() {
            Ok(Some(bytes)) => {
                connection.took_message(self.now);
                self.places.heard(id);
                let (association, protocol) = (association(id), protocol_of(connection.content));
                self.events.push_back(Event::Message { association, protocol, stream: 0, bytes });
                self.make_ready(id);
            }
            Ok(None) => {
                connection.took_none(self.now);
                // Only who asks waits for an answer.
                if matches!(connection.opener, Opener::Us) && connection.frames.len() > 0 {
                    self.events.push_back(Event::Arriving { association: association(id) });
                }
                let Some(connection) = self.connections.get_mut(&id) else { return };
                if connection.ended {
                    return self.peer_finished(id);
                }
            }
            Err(_) => return self.hang_up(id, HangUp::Malformed),
        }
        self.rearm(id);
    }

    /// The peer has finished, and everything that it has sent has been told. The endpoint is done with
    /// it; what was answered is still written.
    fn peer_finished(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let reason = if connection.closing.is_some() { DownReason::Local } else { DownReason::PeerShutdown };
        self.disown(id, reason);
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.closing.get_or_insert(self.now + self.config.write_timeout);
        }
        self.progress(id);
    }

    fn send(&mut self, to: AssociationId, protocol: ProtocolId, bytes: Bytes) {
        let id = name(to);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let bytes = match connection.content {
            Content::Asap if protocol == ProtocolId::ASAP => frames::fill_up(bytes),
            Content::Octets if !is_ours(protocol) => bytes,
            // The receiver would take it for something else.
            Content::Asap | Content::Octets => return,
        };
        if connection.closing.is_some() || bytes.is_empty() {
            return;
        }
        if !connection.queue(self.now, bytes.len()) {
            return self.hang_up(id, HangUp::Flooding);
        }
        if connection.becomes_congested() {
            self.events.push_back(Event::Congested { association: to });
        }
        self.actions.push_back(ConnectionAction::Write { connection: id, bytes });
        self.rearm(id);
    }

    /// An endpoint takes no more of what comes over a session, or does again. What a registrar answers it has asked for.
    fn hold(&mut self, association: AssociationId, held: bool) {
        let id = name(association);
        if let Some(connection) = self.connections.get_mut(&id)
            && connection.content == Content::Octets
        {
            connection.held = held;
            self.make_ready(id);
            if !held {
                self.actions.push_back(ConnectionAction::Resume { connection: id });
            }
        }
    }

    /// Goes on with closing a connection, as far as what is to be written has been.
    fn progress(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.closing.is_some() && connection.is_written() {
            if connection.ended && !connection.queued {
                return self.drop_connection(id, DownReason::Local);
            }
            if !core::mem::replace(&mut connection.finished, true) {
                self.actions.push_back(ConnectionAction::Finish { connection: id });
            }
        }
        self.rearm(id);
    }

    /// Drops a connection because of what its peer does, or does not do. The endpoint is told of those
    /// who came to it; a registrar that we went to is its user's business.
    fn hang_up(&mut self, id: ConnectionId, reason: HangUp) {
        let Some(connection) = self.connections.get(&id) else { return };
        if let Opener::Peer(peer) = connection.opener {
            self.hung_up(peer, reason);
        }
        self.drop_connection(id, reason.into());
    }

    fn hung_up(&mut self, peer: SocketAddr, reason: HangUp) {
        let (local_port, peer) = (self.service, address(peer).into());
        self.events.push_back(Event::HungUp { local_port, peer, reason });
    }

    fn drop_connection(&mut self, id: ConnectionId, reason: DownReason) {
        if self.connections.contains_key(&id) {
            self.actions.push_back(ConnectionAction::Drop { connection: id });
            self.remove(id, reason);
        }
    }

    /// Forgets a connection, or one that was being opened, which is gone.
    fn remove(&mut self, id: ConnectionId, reason: DownReason) {
        self.disown(id, reason);
        self.deadlines.clear(&Owner::Connection(id));
        let Some(connection) = self.connections.remove(&id) else { return };
        if let Opener::Peer(peer) = connection.opener {
            self.places.remove(Source::of(peer.ip()), id);
        }
    }

    /// Tells the endpoint that an association has ended.
    fn disown(&mut self, id: ConnectionId, reason: DownReason) {
        if let Some(connection) = self.connections.get_mut(&id)
            && core::mem::take(&mut connection.named)
        {
            self.named -= 1;
            self.events.push_back(Event::Disconnected { association: association(id), reason });
        }
    }

    fn rearm(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(&id) else { return };
        match connection.deadline(&self.config) {
            Some((at, _)) => self.deadlines.set(Owner::Connection(id), at),
            None => {
                self.deadlines.clear(&Owner::Connection(id));
            }
        }
    }
}

/// Connections that are accepted are told to the endpoint that listens on the SCTP port given to [`Tcp::new`];
/// the driver binds the TCP port.
impl Stack for Tcp {
    fn listen(&mut self, _local_port: SctpPort) {}

    fn stop_listening(&mut self) {
        self.accepts = false;
    }

    fn handle_action(&mut self, now: Instant, action: Action) {
        self.advance(now);
        match action {
            Action::Connect { request, local_port, peer, deadline } => {
                if peer.is_tcp() {
                    self.connect(request, local_port, peer, deadline);
                } else {
                    self.events.push_back(Event::ConnectFailed { request, reason: ConnectError::NoRoute });
                }
            }
            Action::CancelConnect { request } => {
                self.forget(request);
            }
            Action::Send { association, protocol, stream: _, bytes } => {
                self.send(association, protocol, bytes);
            }
            Action::Shutdown { association, deadline } => {
                let id = name(association);
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.closing.get_or_insert(deadline);
                    self.progress(id);
                }
            }
            Action::Abort { association, cause: _ } => {
                self.drop_connection(name(association), DownReason::Local);
            }
            Action::Hold { association } => self.hold(association, true),
            Action::Release { association } => self.hold(association, false),
            Action::Announce { .. } => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        // Fetched first: what is due again at once waits for the next call.
        let due: Vec<Owner> = std::iter::from_fn(|| self.deadlines.pop_due(self.now)).collect();
        for owner in due {
            match owner {
                Owner::Attempt(request) => self.go_on(request),
                Owner::Connection(id) => {
                    let due = self.connections.get(&id).and_then(|c| c.deadline(&self.config));
                    match due {
                        Some((at, Some(reason))) if at <= self.now => self.hang_up(id, reason),
                        Some((at, None)) if at <= self.now => self.drop_connection(id, DownReason::Local),
                        _ => self.rearm(id),
                    }
                }
            }
        }
    }

    /// Messages are cut out one by one, when they are fetched, so what
    /// an answer does to a connection counts before its next message.
    fn poll_event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            let id = self.ready.pop_front()?;
            self.take_message(id);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Attempts, and connections that an endpoint knows.
    fn associations(&self) -> usize {
        self.named + self.attempts.len()
    }
}

impl Streams for Tcp {
    fn accept(&mut self, now: Instant, peer: SocketAddr) -> Option<ConnectionId> {
        self.advance(now);
        let source = Source::of(peer.ip());
        if !self.accepts {
            return None;
        }
        if self.places.count(source) >= self.config.max_per_address || !self.make_place(source) {
            self.hung_up(peer, HangUp::TooMany);
            return None;
        }
        let connection = self.next_connection();
        self.places.add(source, connection);
        let peer_address = TransportAddress::Tcp(address(peer));
        self.establish(connection, Opener::Peer(peer), Origin::Peer, self.service, peer_address);
        Some(connection)
    }

    fn handle_connection(&mut self, now: Instant, id: ConnectionId, event: ConnectionEvent) {
        self.advance(now);
        match event {
            ConnectionEvent::Opened => self.opened(id),
            ConnectionEvent::Failed(reason) => {
                if let Some(request) = self.opening.remove(&id)
                    && let Some(attempt) = self.attempts.get_mut(&request)
                {
                    attempt.opening.remove(&id);
                    attempt.error = reason;
                    self.go_on(request);
                }
            }
            ConnectionEvent::Received(octets) => self.received(id, &octets),
            ConnectionEvent::Written(octets) => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.written(octets);
                    if connection.becomes_free() {
                        self.events.push_back(Event::Drained { association: association(id) });
                    }
                    self.make_ready(id);
                    self.progress(id);
                }
            }
            ConnectionEvent::Ended => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.ended = true;
                    // What has come before is still answered.
                    self.make_ready(id);
                    self.progress(id);
                }
            }
            ConnectionEvent::Lost => self.remove(id, DownReason::Aborted(AbortReason::default())),
        }
    }

    fn reads(&self, id: ConnectionId) -> bool {
        self.connections.get(&id).is_some_and(Connection::reads)
    }

    fn poll_connection(&mut self) -> Option<ConnectionAction> {
        self.actions.pop_front()
    }
}

const fn association(id: ConnectionId) -> AssociationId {
    AssociationId::tcp(id.0)
}

const fn name(association: AssociationId) -> ConnectionId {
    ConnectionId(association.number())
}

/// Whether messages with this identifier are of no use to who takes them for octets of an application.
const fn is_ours(protocol: ProtocolId) -> bool {
    matches!(protocol, ProtocolId::ASAP | ProtocolId::ENRP | ProtocolId::MANAGEMENT | ProtocolId::CALL)
}

/// Octets of an application have no identifier over TCP.
const fn protocol_of(content: Content) -> ProtocolId {
    match content {
        Content::Asap => ProtocolId::ASAP,
        Content::Octets => ProtocolId::UNSPECIFIED,
    }
}

fn address(peer: SocketAddr) -> TcpAddress {
    TcpAddress::new(vec![peer.ip().to_canonical()], peer.port())
}
