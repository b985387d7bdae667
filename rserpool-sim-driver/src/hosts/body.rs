//! How a process is driven: as a bare endpoint, or as a node with a real SCTP stack.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use rserpool_core::base::{CommandId, Instant, SctpPort};
use rserpool_core::endpoint::{self, Action, Channel, Endpoint, Event};
use rserpool_transport::node::{EndpointKey, Node};
use rserpool_transport::sctp::{self, SctpConfig};
use rserpool_transport::{Datagram, Undelivered};

use super::actor::{Actor, CarriedOut};
use super::process::{Process, Report, Wish};

/// How endpoints talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Encoded messages over modelled associations: fast.
    Messages,
    /// Whole nodes, whose SCTP stacks send packets.
    Packets,
}

/// What a process is handed.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    Event(Event),
    /// A datagram for the SCTP stack of a node.
    Datagram(SocketAddr, Bytes),
    /// The network has returned a datagram of that stack.
    Undelivered(Undelivered),
}

/// What a process wants done, or reports.
#[derive(Debug)]
pub(crate) enum Output {
    /// For the world to carry out.
    Action(Action),
    /// For the network to deliver.
    Datagram(Datagram),
    Announce(Channel, Bytes),
    Report(Report),
}

fn report(output: endpoint::Output<Infallible, Report>) -> Output {
    match output {
        endpoint::Output::Answer(_, never) => match never {},
        endpoint::Output::Notice(report) => Output::Report(report),
    }
}

/// A process in one of the two modes of a world.
#[derive(Debug)]
pub(super) enum Body {
    /// An endpoint whose associations are modelled by the world.
    Endpoint(Box<Actor>),
    /// A node with an SCTP stack of its own.
    Node(Box<Node<Actor, sctp::Sctp>>, EndpointKey),
}

impl Body {
    pub(super) fn endpoint(now: Instant, process: Process) -> Self {
        Self::Endpoint(Box::new(Actor::new(now, process, CarriedOut::ByWorld)))
    }

    /// `ports` are the SCTP ports on which it listens.
    pub(super) fn node(
        now: Instant,
        process: Process,
        ports: &[SctpPort],
        config: SctpConfig,
        local: SocketAddr,
    ) -> Self {
        let mut node = Node::new(sctp::Sctp::new(config, local));
        let key = node.add(Actor::new(now, process, CarriedOut::ByNode), ports);
        Self::Node(Box::new(node), key)
    }

    pub(super) fn process(&self) -> &Process {
        match self {
            Self::Endpoint(actor) => actor.process(),
            Self::Node(node, key) => node.endpoint(*key).process(),
        }
    }

    pub(super) fn handle(&mut self, now: Instant, input: Input) {
        match (self, input) {
            (Self::Endpoint(actor), Input::Event(event)) => actor.handle_event(now, event),
            (Self::Node(node, _), Input::Datagram(source, bytes)) => {
                node.handle_datagram(now, source, bytes);
            }
            (Self::Node(node, _), Input::Event(Event::Announce { channel, source, bytes })) => {
                node.handle_announce(now, channel, source, bytes);
            }
            (Self::Node(node, _), Input::Undelivered(undelivered)) => {
                node.handle_undelivered(now, undelivered);
            }
            // Endpoints take events, nodes take datagrams.
            (Self::Endpoint(_), Input::Datagram(..) | Input::Undelivered(_))
            | (Self::Node(..), Input::Event(_)) => {}
        }
    }

    pub(super) fn wish(&mut self, now: Instant, wish: Wish) {
        match self {
            Self::Endpoint(actor) => actor.handle_command(now, CommandId(0), wish),
            Self::Node(node, key) => node.handle_command(now, *key, CommandId(0), wish),
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Endpoint(actor) => actor.handle_timeout(now),
            Self::Node(node, _) => node.handle_timeout(now),
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Endpoint(actor) => actor.poll_timeout(),
            Self::Node(node, _) => node.poll_timeout(),
        }
    }

    pub(super) fn begin_shutdown(&mut self, now: Instant, deadline: Instant) {
        match self {
            Self::Endpoint(actor) => actor.begin_shutdown(now, deadline),
            Self::Node(node, _) => node.begin_shutdown(now, deadline),
        }
    }

    /// Whether it has come to its end.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Endpoint(actor) => actor.is_stopped(),
            Self::Node(node, _) => node.is_idle(),
        }
    }

    pub(super) fn poll(&mut self) -> Option<Output> {
        match self {
            Self::Endpoint(actor) => {
                actor.poll_action().map(Output::Action).or_else(|| actor.poll_output().map(report))
            }
            Self::Node(node, _) => node
                .poll_datagram()
                .map(Output::Datagram)
                .or_else(|| node.poll_announce().map(|(channel, bytes)| Output::Announce(channel, bytes)))
                .or_else(|| node.poll_output().map(|(_, output)| report(output))),
        }
    }
}
