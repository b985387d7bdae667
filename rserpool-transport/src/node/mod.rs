//! One transport stack shared by several endpoints of one type.
//!
//! A node routes: events of inbound associations by local SCTP port, events of outbound ones by
//! the endpoint that asked, actions back to the stack. It adds no timer and no protocol of its
//! own. Like everything below it, a node does no I/O; a driver owns it, hands in what the sockets
//! received and what the clock says, and after every input drains [`Node::poll_datagram`],
//! [`Node::poll_connection`], [`Node::poll_announce`] and [`Node::poll_output`].

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use bytes::Bytes;
use rserpool_core::base::{AssociationId, CommandId, ConnectId, Deadlines, Instant, ProtocolId, SctpPort};
use rserpool_core::endpoint::{
    AbortCause, Action, Channel, Connected, Endpoint, Event, Origin, Output, OutputOf,
};

use crate::{
    ConnectionAction, ConnectionEvent, ConnectionId, Datagram, Datagrams, Stack, Streams, Undelivered,
};

#[cfg(test)]
mod tests;

/// Names an endpoint of a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EndpointKey(usize);

/// Endpoints of one type and the stack through which they all talk.
///
/// Any number of endpoints: no operation scans them, except those that concern each of them
/// ([`Node::handle_announce`] and [`Node::begin_shutdown`]).
#[derive(Debug)]
pub struct Node<E: Endpoint, S> {
    stack: S,
    members: Vec<Member<E>>,
    /// How many members have not stopped.
    running: usize,
    /// Which endpoint gets the inbound associations of a local SCTP port.
    ports: BTreeMap<SctpPort, usize>,
    /// Whose an association is. Bounded by the stack's limit of associations.
    owners: BTreeMap<AssociationId, usize>,
    attempts: Attempts,
    deadlines: Deadlines<usize>,
    leaving: Leaving,
    announces: VecDeque<(Channel, Bytes)>,
    outputs: VecDeque<Told<E::Answer, E::Notice>>,
}

/// What an endpoint tells its application.
type Told<A, N> = (EndpointKey, Output<A, N>);

#[derive(Debug)]
struct Member<E> {
    endpoint: E,
    stopped: bool,
}

/// How far the shutdown of the node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    /// No shutdown has been asked for.
    No,
    /// The endpoints are leaving; whatever is left then is aborted.
    Until(Instant),
    /// They have left; the associations that they left behind are being closed.
    Closing(Instant),
    /// The deadline has passed: no association may live.
    Over,
}

impl Leaving {
    const fn deadline(self) -> Option<Instant> {
        match self {
            Self::Until(deadline) | Self::Closing(deadline) => Some(deadline),
            Self::No | Self::Over => None,
        }
    }

    /// Whether there may be an endpoint that wants a new association.
    const fn is_open(self) -> bool {
        matches!(self, Self::No | Self::Until(_))
    }
}

impl<E: Endpoint, S: Stack> Node<E, S> {
    /// A node without endpoints.
    pub fn new(stack: S) -> Self {
        Self {
            stack,
            members: Vec::new(),
            running: 0,
            ports: BTreeMap::new(),
            owners: BTreeMap::new(),
            attempts: Attempts::default(),
            deadlines: Deadlines::default(),
            leaving: Leaving::No,
            announces: VecDeque::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Adds an endpoint. Inbound associations on the SCTP ports `listen` go to it; of two
    /// endpoints with the same port the later one gets them.
    pub fn add(&mut self, endpoint: E, listen: &[SctpPort]) -> EndpointKey {
        let key = self.members.len();
        // Due at once: it may have decided something already, such as to connect.
        self.deadlines.set(key, Instant::ORIGIN);
        self.members.push(Member { endpoint, stopped: false });
        self.running += 1;
        for &port in listen {
            self.ports.insert(port, key);
            self.stack.listen(port);
        }
        EndpointKey(key)
    }

    /// An endpoint, to be queried.
    ///
    /// # Panics
    /// If `key` comes from another node that has more endpoints.
    pub fn endpoint(&self, key: EndpointKey) -> &E {
        &self.members[key.0].endpoint
    }

    /// The stack, to be queried.
    pub const fn stack(&self) -> &S {
        &self.stack
    }

    /// Lets something happen to the stack, and carries out what follows from it. By this a driver serves a
    /// stack that takes neither [datagrams](Datagrams) nor [streams](Streams).
    pub fn with_stack<T>(&mut self, now: Instant, act: impl FnOnce(&mut S) -> T) -> T {
        let outcome = act(&mut self.stack);
        self.hand_out_events(now);
        outcome
    }

    /// A datagram has arrived on an announcement channel; every endpoint sees it.
    pub fn handle_announce(&mut self, now: Instant, channel: Channel, source: SocketAddr, bytes: Bytes) {
        for key in 0..self.members.len() {
            self.tell(now, key, Event::Announce { channel, source, bytes: bytes.clone() });
        }
        self.hand_out_events(now);
    }

    /// The application asks an endpoint for something; see [`Endpoint::handle_command`].
    pub fn handle_command(&mut self, now: Instant, key: EndpointKey, id: CommandId, command: E::Command) {
        if let Some(member) = self.members.get_mut(key.0) {
            member.endpoint.note_transport(&self.stack.counters());
            member.endpoint.handle_command(now, id, command);
            self.collect(now, key.0);
            self.hand_out_events(now);
        }
    }

    /// Time has passed; does nothing if no deadline is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.stack.handle_timeout(now);
        self.hand_out_events(now);
        // Fetched first, so that an endpoint that is due again at once waits for the next call.
        let due: Vec<usize> = std::iter::from_fn(|| self.deadlines.pop_due(now)).collect();
        for key in due {
            if let Some(member) = self.members.get_mut(key) {
                member.endpoint.handle_timeout(now);
                self.collect(now, key);
                self.hand_out_events(now);
            }
        }
        if self.leaving.deadline().is_some_and(|deadline| deadline <= now) {
            self.leaving = Leaving::Over;
            self.abandon(now);
            self.hand_out_events(now);
        }
    }

    /// Every endpoint begins to leave; what is left of associations at `deadline` is aborted.
    /// The end is reached when [`Node::is_idle`].
    pub fn begin_shutdown(&mut self, now: Instant, deadline: Instant) {
        self.leaving = Leaving::Until(deadline);
        // A peer that comes now is refused at once, instead of being left alone when we are gone.
        self.stack.stop_listening();
        for key in 0..self.members.len() {
            self.members[key].endpoint.begin_shutdown(now, deadline);
            self.collect(now, key);
        }
        self.hand_out_events(now);
    }

    /// The next datagram for an announcement channel.
    pub fn poll_announce(&mut self) -> Option<(Channel, Bytes)> {
        self.announces.pop_front()
    }

    /// The next thing to tell the application, with the endpoint that says it.
    pub fn poll_output(&mut self) -> Option<(EndpointKey, OutputOf<E>)> {
        self.outputs.pop_front()
    }

    /// The one deadline at which [`Node::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.stack.poll_timeout(), self.deadlines.next(), self.leaving.deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether every endpoint has stopped; associations may be left.
    pub const fn is_stopped(&self) -> bool {
        self.running == 0
    }

    /// Whether every endpoint has stopped and no association is left.
    pub fn is_idle(&self) -> bool {
        self.is_stopped() && self.stack.associations() == 0
    }

    /// Hands the stack's events out until there are none. An event makes an endpoint act, an
    /// action may cause the next event.
    fn hand_out_events(&mut self, now: Instant) {
        while let Some(event) = self.stack.poll_event() {
            self.route(now, event);
        }
        // No endpoint is left that could end its associations.
        if let Leaving::Until(deadline) = self.leaving
            && self.running == 0
        {
            self.leaving = Leaving::Closing(deadline);
            for association in self.owners.keys().copied() {
                self.stack.handle_action(now, Action::Shutdown { association, deadline });
            }
            self.hand_out_events(now);
        }
    }

    /// Finds the endpoint that an event is for. An event that names an attempt or an association
    /// of no endpoint was overtaken by a cancellation.
    fn route(&mut self, now: Instant, mut event: Event) {
        let key = match &mut event {
            Event::Connected(Connected { association, origin, local_port, .. }) => {
                let key = match origin {
                    Origin::Peer => self.ports.get(local_port).copied(),
                    Origin::Attempt(request) => self.attempts.finish(*request).map(|(key, own)| {
                        *request = own;
                        key
                    }),
                };
                let Some(key) = key.filter(|_| self.leaving.is_open()) else {
                    let cause = AbortCause::User;
                    self.stack.handle_action(now, Action::Abort { association: *association, cause });
                    return;
                };
                self.owners.insert(*association, key);
                Some(key)
            }
            Event::ConnectFailed { request, .. } => self.attempts.finish(*request).map(|(key, own)| {
                *request = own;
                key
            }),
            Event::Addresses { association, .. }
            | Event::Message { association, .. }
            | Event::Arriving { association }
            | Event::Congested { association }
            | Event::Drained { association } => self.owners.get(association).copied(),
            Event::Disconnected { association, .. } => self.owners.remove(association),
            Event::HungUp { local_port, .. } => self.ports.get(local_port).copied(),
            // Announcements come from their own sockets.
            Event::Announce { .. } => None,
        };
        if let Some(key) = key {
            self.tell(now, key, event);
        }
    }

    fn tell(&mut self, now: Instant, key: usize, event: Event) {
        if let Some(member) = self.members.get_mut(key) {
            if matches!(event, Event::Message { protocol: ProtocolId::MANAGEMENT, .. }) {
                member.endpoint.note_transport(&self.stack.counters());
            }
            member.endpoint.handle_event(now, event);
            self.collect(now, key);
        }
    }

    /// Carries out what an endpoint has decided, and takes its new deadline.
    fn collect(&mut self, now: Instant, key: usize) {
        let member = &mut self.members[key];
        while let Some(action) = member.endpoint.poll_action() {
            match action {
                Action::Connect { request, local_port, peer, deadline } => {
                    let request = self.attempts.begin(key, request);
                    self.stack.handle_action(now, Action::Connect { request, local_port, peer, deadline });
                }
                Action::CancelConnect { request } => {
                    if let Some(request) = self.attempts.cancel(key, request) {
                        self.stack.handle_action(now, Action::CancelConnect { request });
                    }
                }
                Action::Announce { channel, bytes } => self.announces.push_back((channel, bytes)),
                Action::Send { .. }
                | Action::Hold { .. }
                | Action::Release { .. }
                | Action::Shutdown { .. }
                | Action::Abort { .. } => {
                    self.stack.handle_action(now, action);
                }
            }
        }
        while let Some(reservation) = member.endpoint.poll_reservation() {
            self.stack.reserve(reservation);
        }
        while let Some(output) = member.endpoint.poll_output() {
            self.outputs.push_back((EndpointKey(key), output));
        }
        match member.endpoint.poll_timeout() {
            Some(at) => self.deadlines.set(key, at),
            None => {
                self.deadlines.clear(&key);
            }
        }
        if !member.stopped && member.endpoint.is_stopped() {
            member.stopped = true;
            self.running -= 1;
        }
    }

    /// Ends what is left at the deadline of the shutdown.
    fn abandon(&mut self, now: Instant) {
        for request in self.attempts.take_all() {
            self.stack.handle_action(now, Action::CancelConnect { request });
        }
        for association in self.owners.keys().copied() {
            let cause = AbortCause::User;
            self.stack.handle_action(now, Action::Abort { association, cause });
        }
    }
}

impl<E: Endpoint, S: Stack + Datagrams> Node<E, S> {
    /// A datagram has arrived on the encapsulation socket.
    pub fn handle_datagram(&mut self, now: Instant, source: SocketAddr, bytes: Bytes) {
        self.with_stack(now, |stack| stack.handle_datagram(now, source, bytes));
    }

    /// The network has returned a datagram of the encapsulation socket.
    pub fn handle_undelivered(&mut self, now: Instant, undelivered: Undelivered) {
        self.with_stack(now, |stack| stack.handle_undelivered(now, undelivered));
    }

    /// The next datagram for the encapsulation socket.
    pub fn poll_datagram(&mut self) -> Option<Datagram> {
        self.stack.poll_datagram()
    }
}

impl<E: Endpoint, S: Stack + Streams> Node<E, S> {
    /// A client has connected by TCP. `None`: drop the connection.
    pub fn accept(&mut self, now: Instant, peer: SocketAddr) -> Option<ConnectionId> {
        self.with_stack(now, |stack| stack.accept(now, peer))
    }

    /// Something has happened to a TCP connection.
    pub fn handle_connection(&mut self, now: Instant, connection: ConnectionId, event: ConnectionEvent) {
        self.with_stack(now, |stack| stack.handle_connection(now, connection, event));
    }

    /// Whether to read from a TCP connection at the moment.
    pub fn reads(&self, connection: ConnectionId) -> bool {
        self.stack.reads(connection)
    }

    /// The next thing to be done with a TCP connection.
    pub fn poll_connection(&mut self) -> Option<ConnectionAction> {
        self.stack.poll_connection()
    }
}

/// Attempts to connect: each endpoint chooses its own names, the stack wants unique ones.
///
/// Bounded by the stack, which answers every attempt beyond its limit at once.
#[derive(Debug, Default)]
struct Attempts {
    by_stack: BTreeMap<ConnectId, (usize, ConnectId)>,
    by_endpoint: BTreeMap<(usize, ConnectId), ConnectId>,
    last: u64,
}

impl Attempts {
    /// Chooses the stack's name for an attempt of an endpoint.
    fn begin(&mut self, key: usize, own: ConnectId) -> ConnectId {
        self.last += 1;
        let name = ConnectId(self.last);
        self.by_stack.insert(name, (key, own));
        self.by_endpoint.insert((key, own), name);
        name
    }

    /// Whose attempt it was, and its name there.
    fn finish(&mut self, name: ConnectId) -> Option<(usize, ConnectId)> {
        let owner = self.by_stack.remove(&name)?;
        self.by_endpoint.remove(&owner);
        Some(owner)
    }

    /// The stack's name of an attempt that its endpoint gives up.
    fn cancel(&mut self, key: usize, own: ConnectId) -> Option<ConnectId> {
        let name = self.by_endpoint.remove(&(key, own))?;
        self.by_stack.remove(&name);
        Some(name)
    }

    fn take_all(&mut self) -> Vec<ConnectId> {
        self.by_endpoint.clear();
        std::mem::take(&mut self.by_stack).into_keys().collect()
    }
}
