//! A host: a machine with one address on which one process may run, bare or as a whole node.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{AssociationId, CommandId, ConnectId, ElementId, Instant, Random};
use rserpool_core::endpoint::{self, Action, Channel, Endpoint, Event};
use rserpool_transport::Datagram;
use rserpool_transport::node::{EndpointKey, Node};
use rserpool_transport::sctp::{self, SctpConfig};

use super::process::Actor;
use super::{Process, Program, Report, Wish};
use crate::id::HostId;
use crate::network::{Attempt, Path, Side};

/// What a process is handed.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    Event(Event),
    /// A datagram for the SCTP stack of a node.
    Datagram(SocketAddr, Bytes),
}

/// What a process wants, or tells.
#[derive(Debug)]
pub(crate) enum Output {
    /// The world shall carry it out.
    Action(Action),
    /// The network shall carry it.
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

/// A process in one of the two modes of the world.
#[derive(Debug)]
pub(crate) enum Body {
    /// An endpoint whose associations are modelled by the world.
    Endpoint(Box<Actor>),
    /// A node with an SCTP stack of its own.
    Node(Box<Node<Actor, sctp::Sctp>>, EndpointKey),
}

impl Body {
    pub(crate) fn endpoint(now: Instant, process: Process) -> Self {
        Self::Endpoint(Box::new(Actor::new(now, process, false)))
    }

    /// `ports` are the SCTP ports on which it listens.
    pub(crate) fn node(
        now: Instant,
        process: Process,
        ports: &[u16],
        config: SctpConfig,
        local: SocketAddr,
    ) -> Self {
        let mut node = Node::new(sctp::Sctp::new(config, local));
        let key = node.add(Actor::new(now, process, true), ports);
        Self::Node(Box::new(node), key)
    }

    fn process(&self) -> &Process {
        match self {
            Self::Endpoint(actor) => &actor.process,
            Self::Node(node, key) => &node.endpoint(*key).process,
        }
    }

    pub(crate) fn handle(&mut self, now: Instant, input: Input) {
        match (self, input) {
            (Self::Endpoint(actor), Input::Event(event)) => actor.handle_event(now, event),
            (Self::Node(node, _), Input::Datagram(source, bytes)) => {
                node.handle_datagram(now, source, bytes);
            }
            (Self::Node(node, _), Input::Event(Event::Announce { channel, source, bytes })) => {
                node.handle_announce(now, channel, source, bytes);
            }
            // Each mode has its own.
            (Self::Endpoint(_), Input::Datagram(..)) | (Self::Node(..), Input::Event(_)) => {}
        }
    }

    pub(crate) fn wish(&mut self, now: Instant, wish: Wish) {
        match self {
            Self::Endpoint(actor) => actor.handle_command(now, CommandId(0), wish),
            Self::Node(node, key) => node.handle_command(now, *key, CommandId(0), wish),
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Endpoint(actor) => actor.handle_timeout(now),
            Self::Node(node, _) => node.handle_timeout(now),
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Endpoint(actor) => actor.poll_timeout(),
            Self::Node(node, _) => node.poll_timeout(),
        }
    }

    pub(crate) fn begin_shutdown(&mut self, now: Instant, deadline: Instant) {
        match self {
            Self::Endpoint(actor) => actor.begin_shutdown(now, deadline),
            Self::Node(node, _) => node.begin_shutdown(now, deadline),
        }
    }

    /// Whether it has come to its end.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Endpoint(actor) => actor.is_stopped(),
            Self::Node(node, _) => node.is_idle(),
        }
    }

    pub(crate) fn poll(&mut self) -> Option<Output> {
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

/// A host.
#[derive(Debug)]
pub struct Host {
    /// Its name in traces.
    pub name: String,
    pub(crate) program: Program,
    pub(crate) body: Option<Body>,
    /// Counts the processes it has run.
    pub(crate) life: u32,
    /// The identifier of its element, kept over a restart.
    pub(crate) element: Option<ElementId>,
    pub(crate) paused: bool,
    /// It was asked to stop.
    pub(crate) stopping: bool,
    /// How long the process takes for every input.
    pub(crate) slowness: Duration,
    /// When a slow process is ready for the next input.
    pub(crate) ready: Instant,
    /// What has arrived and was not handled yet.
    pub(crate) inbox: VecDeque<Input>,
    /// When the process is woken next.
    pub(crate) wake: Option<Instant>,
    /// When the host was last disturbed by anything but the network.
    pub(crate) disturbed: Instant,
    /// When its last process ended.
    pub(crate) died: Option<Instant>,
    pub(crate) last_association: u64,
    pub(crate) last_port: u16,
    pub(crate) multicast: bool,
    pub(crate) random: Random,
    /// Who is at the other end of the associations of which its process was told.
    pub(crate) peers: BTreeMap<AssociationId, HostId>,
    pub(crate) attempts: BTreeMap<ConnectId, Attempt>,
    /// The modelled associations that its process knows.
    pub(crate) known: BTreeMap<AssociationId, (u64, Side)>,
    /// The same by our port and the peer's address and port: two between the same would be one.
    pub(crate) paths: BTreeMap<Path, (u64, Side)>,
    /// The associations with an end on the host, also those that its process does not know.
    pub(crate) involved: BTreeSet<u64>,
}

impl Host {
    /// The process that runs there.
    pub fn process(&self) -> Option<&Process> {
        self.body.as_ref().map(Body::process)
    }

    /// What it runs.
    pub const fn program(&self) -> &Program {
        &self.program
    }

    /// Whether announcements of a channel reach it.
    pub(crate) fn hears(&self, channel: Channel) -> bool {
        let subscribed = match (channel, &self.program) {
            (Channel::Asap, _) => true,
            (Channel::Enrp, Program::Registrar(config)) => config.enrp.announce,
            (Channel::Enrp, Program::Element(..) | Program::User(..)) => false,
            (Channel::Enrp, Program::Custom(_)) => true,
        };
        subscribed && self.multicast && self.body.is_some()
    }

    /// Whether a process runs and is not stopped by SIGSTOP.
    pub(crate) const fn answers(&self) -> bool {
        self.body.is_some() && !self.paused
    }

    /// Whether it works at full speed.
    pub(crate) const fn is_well(&self) -> bool {
        self.answers() && self.slowness.is_zero() && !self.stopping
    }
}
