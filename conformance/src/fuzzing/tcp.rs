//! ASAP over TCP, and sessions over plain TCP: connections, and at their other ends somebody who sends any octets in any pieces,
//! reads or does not, and vanishes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{
    AssociationId, Carrier, ConnectId, Instant, ProtocolId, SctpPort, TcpAddress, TransportAddress,
};
use rserpool_core::endpoint::{AbortCause, Action, ConnectError, Connected, DownReason, Event};
use rserpool_transport::tcp::{Tcp, TcpConfig};
use rserpool_transport::{ConnectionAction, ConnectionEvent, ConnectionId, Stack, Streams};

use super::input::Input;

const SERVICE: u16 = 3863;
const MAX_STEPS: usize = 300;
const MAX_CONNECTIONS: usize = 5;
const MAX_PER_ADDRESS: usize = 3;
/// More than any connection may have waiting to be written: four answers of the longest kind; and of a session.
const MAX_WAITING: usize = 300_000;
const MAX_SESSION_WAITING: usize = 5 << 20;
/// Longer than any limit of the configuration.
const AGES: Duration = Duration::from_secs(3_600);

struct World {
    tcp: Tcp,
    now: Instant,
    /// What the driver holds.
    connections: BTreeMap<ConnectionId, Connection>,
    /// What the endpoint knows.
    up: BTreeSet<AssociationId>,
    /// Those of them that carry the octets of sessions.
    sessions: BTreeSet<AssociationId>,
    attempts: BTreeSet<ConnectId>,
    last_attempt: u64,
}

/// A connection as its driver sees it.
#[derive(Default)]
struct Connection {
    opening: bool,
    accepted: bool,
    ended: bool,
    /// Octets to be written.
    waiting: usize,
    /// What has come in and was not told as messages yet.
    octets: Vec<u8>,
}

/// Octets and actions for TCP connections. They never panic; what is told as messages is what came in,
/// cut by lengths, in its order; every association has a beginning and an end; limits are kept; and who
/// does nothing any more is gone at last.
pub fn tcp(octets: &[u8]) {
    let mut config = TcpConfig::default();
    config.max_connections = MAX_CONNECTIONS;
    config.max_per_address = MAX_PER_ADDRESS;
    let mut world = World {
        tcp: Tcp::new(config, SctpPort(SERVICE)),
        now: Instant::ORIGIN,
        connections: BTreeMap::new(),
        up: BTreeSet::new(),
        sessions: BTreeSet::new(),
        attempts: BTreeSet::new(),
        last_attempt: 0,
    };
    let mut input = Input::new(octets);
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        world.step(&mut input);
        world.settle(&mut input);
    }
    world.end();
}

impl World {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(12) {
            0 => {
                let peer = SocketAddr::new([192, 0, 2, input.below(3)].into(), 1 + input.u16() % 60_000);
                if let Some(id) = self.tcp.accept(self.now, peer) {
                    self.connections.insert(id, Connection { accepted: true, ..Connection::default() });
                }
            }
            1 => {
                self.last_attempt += 1;
                let request = ConnectId(self.last_attempt);
                let addresses = (0..input.below(5)).map(|last| [198, 51, 100, last].into()).collect();
                let port = input.u16() % 6;
                let peer = match port < 3 {
                    true => TransportAddress::tcp(addresses, port),
                    false => TransportAddress::Octets(TcpAddress::new(addresses, port - 3)),
                };
                let deadline = self.now + Duration::from_millis(input.u16().into());
                self.attempts.insert(request);
                let connect = Action::Connect { request, local_port: SctpPort(0), peer, deadline };
                self.tcp.handle_action(self.now, connect);
            }
            2 => {
                let request = ConnectId(1 + u64::from(input.u8()));
                self.attempts.remove(&request);
                self.tcp.handle_action(self.now, Action::CancelConnect { request });
            }
            3 => {
                let (opened, reason) = (input.below(2) == 0, input.below(2));
                let Some(id) = self.pick(input, |connection| connection.opening) else { return };
                if opened {
                    self.change(id, |connection| connection.opening = false);
                    self.happens(id, ConnectionEvent::Opened);
                } else {
                    self.connections.remove(&id);
                    let reason = if reason == 0 { ConnectError::Refused } else { ConnectError::NoRoute };
                    self.happens(id, ConnectionEvent::Failed(reason));
                }
            }
            // Octets, most of them as messages; the length of some is not theirs.
            4..=6 => {
                let whole = input.below(3) > 0;
                let mut octets = input.octets().to_vec();
                if whole && let Some(length) = octets.get_mut(2..4) {
                    length.copy_from_slice(&[0, input.u8()]);
                }
                let Some(id) = self.pick(input, |connection| !connection.opening && !connection.ended) else {
                    return;
                };
                if self.tcp.reads(id) {
                    self.change(id, |connection| connection.octets.extend_from_slice(&octets));
                    self.happens(id, ConnectionEvent::Received(octets.into()));
                }
            }
            7 => {
                let share = usize::from(input.u16());
                let Some(id) = self.pick(input, |connection| connection.waiting > 0) else { return };
                let mut written = 0;
                self.change(id, |connection| {
                    written = 1 + share % connection.waiting;
                    connection.waiting -= written;
                });
                self.happens(id, ConnectionEvent::Written(written));
            }
            8 => {
                let lost = input.below(3) == 0;
                let Some(id) = self.pick(input, |connection| !connection.opening) else { return };
                if lost {
                    self.connections.remove(&id);
                    self.happens(id, ConnectionEvent::Lost);
                } else if self.tcp.reads(id) {
                    self.change(id, |connection| connection.ended = true);
                    self.happens(id, ConnectionEvent::Ended);
                }
            }
            9 => {
                let place = usize::from(input.u8()) % self.up.len().max(1);
                let Some(association) = self.up.iter().nth(place).copied() else { return };
                let deadline = self.now + Duration::from_millis(u64::from(input.u16()));
                let action = match input.below(6) {
                    0 => Action::Abort { association, cause: AbortCause::User },
                    1 => Action::Shutdown { association, deadline },
                    2 => Action::Hold { association },
                    3 => Action::Release { association },
                    _ => self.send(association, 1 + usize::from(input.u16())),
                };
                self.tcp.handle_action(self.now, action);
            }
            10 => self.now += Duration::from_millis(u64::from(input.u16()) * 10),
            _ => {
                if let Some(next) = self.tcp.poll_timeout() {
                    self.now = self.now.max(next);
                }
            }
        }
    }

    /// Takes what the stack has decided, and checks that it may. Questions are answered, some at length.
    fn settle(&mut self, input: &mut Input<'_>) {
        self.tcp.handle_timeout(self.now);
        while let Some(event) = self.tcp.poll_event() {
            match event {
                Event::Connected(Connected { association, origin, peer, .. }) => {
                    assert!(association.carrier() == Carrier::Tcp && peer.is_tcp());
                    assert!(self.up.insert(association), "connected twice");
                    if matches!(peer, TransportAddress::Octets(_)) {
                        self.sessions.insert(association);
                    }
                    assert!(origin.attempt().is_none_or(|request| self.attempts.remove(&request)));
                }
                Event::ConnectFailed { request, .. } => assert!(self.attempts.remove(&request)),
                Event::Message { association, protocol, stream, bytes } => {
                    assert!(
                        self.up.contains(&association)
                            && (protocol, stream) == (self.protocol(association), 0)
                    );
                    self.check_message(association, &bytes);
                    let long = usize::from(input.u8()) * 250;
                    self.tcp.handle_action(self.now, self.send(association, 4 + long));
                }
                Event::Disconnected { association, reason } => {
                    assert!(self.up.remove(&association), "disconnected without being connected");
                    assert_ne!(reason, DownReason::Restarted);
                }
                Event::HungUp { local_port, peer, .. } => {
                    assert!(local_port == SctpPort(SERVICE) && peer.is_tcp());
                }
                Event::Arriving { association } => assert!(self.up.contains(&association)),
                Event::Congested { association } | Event::Drained { association } => {
                    assert!(self.sessions.contains(&association));
                }
                Event::Addresses { .. } | Event::Announce { .. } => panic!("{event:?}"),
            }
        }
        while let Some(action) = self.tcp.poll_connection() {
            match action {
                ConnectionAction::Open { connection, .. } => {
                    let opening = Connection { opening: true, ..Connection::default() };
                    assert!(self.connections.insert(connection, opening).is_none(), "a name used twice");
                }
                ConnectionAction::Write { connection, bytes } => {
                    let session = self.sessions.contains(&AssociationId::tcp(connection.0));
                    assert!(session || bytes.len() % 4 == 0);
                    // One that was lost meanwhile is not told so again.
                    if let Some(connection) = self.connections.get_mut(&connection) {
                        assert!(!connection.opening);
                        connection.waiting += bytes.len();
                        let most = if session { MAX_SESSION_WAITING } else { MAX_WAITING };
                        assert!(connection.waiting <= most, "{} wait", connection.waiting);
                    }
                }
                ConnectionAction::Finish { connection } => {
                    let open = self.connections.get(&connection);
                    assert!(open.is_none_or(|open| open.waiting == 0), "not everything is written");
                }
                ConnectionAction::Resume { connection } => {
                    assert!(self.sessions.contains(&AssociationId::tcp(connection.0)));
                }
                ConnectionAction::Drop { connection } => {
                    self.connections.remove(&connection);
                }
            }
        }
        let accepted = self.connections.values().filter(|connection| connection.accepted).count();
        assert!(accepted <= MAX_CONNECTIONS && self.tcp.associations() <= MAX_CONNECTIONS);
        assert!(self.tcp.poll_timeout().is_none_or(|next| next > self.now), "a deadline is left behind");
    }

    fn protocol(&self, association: AssociationId) -> ProtocolId {
        if self.sessions.contains(&association) { ProtocolId::UNSPECIFIED } else { ProtocolId::ASAP }
    }

    fn send(&self, association: AssociationId, octets: usize) -> Action {
        let protocol = self.protocol(association);
        Action::Send { association, protocol, stream: 0, bytes: vec![b'x'; octets].into() }
    }

    /// A message is the next that has come in over its connection: as long as it says, and filled up; those of
    /// sessions are as long as they are.
    fn check_message(&mut self, association: AssociationId, message: &Bytes) {
        let id = ConnectionId(association.number());
        let length = match self.sessions.contains(&association) {
            true => message.len(),
            false => usize::from(u16::from_be_bytes([message[2], message[3]])),
        };
        let whole = length >= 4 && message.len() == length.next_multiple_of(4);
        assert!(!message.is_empty() && (whole || self.sessions.contains(&association)));
        if let Some(connection) = self.connections.get_mut(&id) {
            assert_eq!(connection.octets.get(..message.len()), Some(&message[..]));
            connection.octets.drain(..message.len());
            assert!(!connection.accepted || length <= 4096);
        }
    }

    /// Nobody does anything any more: the clients are gone at last, and then we close what is ours.
    fn end(&mut self) {
        let nothing = &mut Input::new(&[]);
        self.now += AGES;
        for _ in 0..3 {
            self.settle(nothing);
        }
        assert!(self.connections.values().all(|connection| !connection.accepted), "a client is left");
        assert!(self.attempts.is_empty() && self.connections.values().all(|connection| !connection.opening));
        for association in self.up.clone() {
            let deadline = self.now + Duration::from_secs(1);
            self.tcp.handle_action(self.now, Action::Shutdown { association, deadline });
        }
        self.now += AGES;
        self.settle(nothing);
        assert!(self.up.is_empty() && self.connections.is_empty() && self.tcp.associations() == 0);
        assert_eq!(self.tcp.poll_timeout(), None);
    }

    fn pick(&self, input: &mut Input<'_>, which: impl Fn(&Connection) -> bool) -> Option<ConnectionId> {
        let found: Vec<ConnectionId> =
            self.connections.iter().filter(|(_, connection)| which(connection)).map(|(id, _)| *id).collect();
        found.get(usize::from(input.u8()) % found.len().max(1)).copied()
    }

    fn change(&mut self, id: ConnectionId, change: impl FnOnce(&mut Connection)) {
        if let Some(connection) = self.connections.get_mut(&id) {
            change(connection);
        }
    }

    fn happens(&mut self, id: ConnectionId, event: ConnectionEvent) {
        self.tcp.handle_connection(self.now, id, event);
    }
}
