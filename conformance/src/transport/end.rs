//! One of our stacks as one end of a test: orders in, what it has seen out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::UdpStack;
use rserpool_core::base::{
    AssociationId, ConnectId, Instant, ProtocolId, SctpAddress, SctpPort, TransportAddress,
};
use rserpool_core::endpoint::{AbortCause, Action, Connected, DownReason, Event};

use super::content::{Message, content};

/// Who somebody is in a test: a small number.
pub(super) type Who = usize;

/// What an end shall do. Everything but `Connect` concerns its newest association with the other.
#[derive(Clone, Debug)]
pub(super) enum Order {
    /// Open an association from this SCTP port; 0 is any.
    Connect {
        /// Where to.
        to: SctpAddress,
        /// From which SCTP port.
        from_port: u16,
    },
    /// Send messages with consecutive numbers.
    Send {
        /// With this payload protocol identifier.
        protocol: u32,
        /// On this stream.
        stream: u16,
        /// Octets of each.
        length: usize,
        /// The number of the first.
        first: u32,
        /// How many.
        count: u32,
    },
    /// Close when everything is delivered.
    Shutdown,
    /// Close at once.
    Abort,
    /// Take no messages from the association until `Resume`.
    Pause,
    /// Take them again.
    Resume,
}

/// What an end has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// An association is up.
    Up,
    /// An attempt has failed.
    Failed(String),
    /// An association is over.
    Down(Why),
    /// A message has arrived.
    Message(Message),
    /// The queue is full.
    Congested,
}

/// How an association ended, in terms that every implementation has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// With a shutdown.
    Closed,
    /// With an ABORT of the other side; its cause if this end says it.
    Aborted(Option<u16>),
    /// The other side was silent.
    Silent,
    /// The other side has started anew.
    Restarted,
    /// Otherwise.
    Other(String),
}

/// One of our stacks.
pub(super) struct End {
    /// The stack.
    pub(super) stack: Box<dyn UdpStack>,
    with: BTreeMap<Who, AssociationId>,
    others: BTreeMap<AssociationId, Who>,
    attempts: BTreeMap<ConnectId, Who>,
    requests: u64,
    /// What waits for a queue to drain.
    waiting: BTreeMap<AssociationId, VecDeque<Action>>,
    congested: BTreeSet<AssociationId>,
    /// Taken from the stack and not yet told.
    events: VecDeque<Event>,
}

/// The end whose stack is under test.
pub(super) const US: Who = 0;
/// The first peer.
pub(super) const PEER: Who = 1;
/// Another peer.
pub(super) const FRIEND: Who = 2;

/// How long an attempt to connect or a shutdown may take.
const PATIENCE: Duration = Duration::from_secs(30);

impl End {
    /// An end without associations.
    pub(super) fn new(stack: Box<dyn UdpStack>) -> Self {
        Self {
            stack,
            with: BTreeMap::new(),
            others: BTreeMap::new(),
            attempts: BTreeMap::new(),
            requests: 0,
            waiting: BTreeMap::new(),
            congested: BTreeSet::new(),
            events: VecDeque::new(),
        }
    }

    /// The newest association with somebody.
    pub(super) fn association(&self, with: Who) -> Option<AssociationId> {
        self.with.get(&with).copied()
    }

    /// Carries an order out. False if there is no association that it could concern.
    pub(super) fn order(&mut self, now: Instant, with: Who, order: &Order) -> bool {
        if let Order::Connect { to, from_port } = order {
            self.requests += 1;
            let request = ConnectId(self.requests);
            self.attempts.insert(request, with);
            let (local_port, peer, deadline) = (*from_port, to.clone(), now + PATIENCE);
            self.stack.handle_action(
                now,
                Action::Connect { request, local_port: SctpPort(local_port), peer: peer.into(), deadline },
            );
            return true;
        }
        let Some(association) = self.association(with) else { return false };
        match *order {
            Order::Send { protocol, stream, length, first, count } => {
                let messages = (first..first + count).map(|number| Action::Send {
                    association,
                    protocol: ProtocolId(protocol),
                    stream,
                    bytes: content(number, length),
                });
                self.waiting.entry(association).or_default().extend(messages);
                self.feed(now, association);
            }
            Order::Shutdown => {
                self.stack.handle_action(now, Action::Shutdown { association, deadline: now + PATIENCE });
            }
            Order::Abort => {
                self.stack.handle_action(now, Action::Abort { association, cause: AbortCause::User });
            }
            // Nothing holds a message back here: whoever drives a stack stops its socket instead.
            Order::Connect { .. } | Order::Pause | Order::Resume => {}
        }
        true
    }

    /// Sends what waits, as far as the queue takes it.
    fn feed(&mut self, now: Instant, association: AssociationId) {
        while !self.congested.contains(&association)
            && let Some(action) = self.waiting.get_mut(&association).and_then(VecDeque::pop_front)
        {
            self.stack.handle_action(now, action);
            self.collect();
        }
    }

    /// Takes the events of the stack and notes which queues are full.
    fn collect(&mut self) {
        while let Some(event) = self.stack.poll_event() {
            match event {
                Event::Congested { association } => {
                    self.congested.insert(association);
                }
                Event::Drained { association } => {
                    self.congested.remove(&association);
                }
                _ => {}
            }
            self.events.push_back(event);
        }
    }

    /// What the stack has seen, to be called after everything that happens and before datagrams
    /// are fetched. `locate` says who has a transport address.
    pub(super) fn seen(
        &mut self,
        now: Instant,
        locate: impl Fn(&TransportAddress) -> Who,
    ) -> Vec<(Who, What)> {
        let mut seen = Vec::new();
        self.collect();
        while let Some(event) = self.events.pop_front() {
            match event {
                Event::Connected(Connected { association, peer, .. }) => {
                    let who = locate(&peer);
                    self.with.insert(who, association);
                    self.others.insert(association, who);
                    seen.push((who, What::Up));
                }
                Event::ConnectFailed { request, reason } => {
                    let who = self.attempts.remove(&request).unwrap_or(US);
                    seen.push((who, What::Failed(reason.to_string())));
                }
                Event::Message { association, protocol, stream, bytes } => {
                    let message = Message::arrived(protocol.0, stream, &bytes);
                    seen.push((self.who(association), What::Message(message)));
                }
                Event::Congested { association } => seen.push((self.who(association), What::Congested)),
                Event::Drained { association } => {
                    self.feed(now, association);
                }
                Event::Disconnected { association, reason } => {
                    let who = self.who(association);
                    self.others.remove(&association);
                    self.waiting.remove(&association);
                    if self.association(who) == Some(association) {
                        self.with.remove(&who);
                    }
                    seen.push((who, What::Down(why(reason))));
                }
                Event::Addresses { .. }
                | Event::Arriving { .. }
                | Event::Announce { .. }
                | Event::HungUp { .. } => {}
            }
        }
        seen
    }

    fn who(&self, association: AssociationId) -> Who {
        self.others.get(&association).copied().unwrap_or(US)
    }
}

fn why(reason: DownReason) -> Why {
    match reason {
        DownReason::PeerShutdown | DownReason::Local => Why::Closed,
        DownReason::Aborted(reason) => Why::Aborted(reason.cause),
        DownReason::Busy => Why::Aborted(Some(4)),
        DownReason::Silent | DownReason::Unreachable => Why::Silent,
        DownReason::Restarted => Why::Restarted,
        other => Why::Other(other.to_string()),
    }
}
