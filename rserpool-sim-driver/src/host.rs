//! A host: a machine with one address on which one process may run.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use rserpool_core::base::{AssociationId, ConnectId, ElementId, Instant, Random};
use rserpool_core::element::ElementConfig;
use rserpool_core::endpoint::{Action, Channel, Endpoint, Event};
use rserpool_core::registrar::{Registrar, RegistrarConfig};
use rserpool_core::user::UserConfig;
use rserpool_core::{element, user};

use crate::app::{Client, Load, Note, Server, Service, Violation};
use crate::custom::{Custom, Machine};
use crate::fault::Order;

/// The name of a host: its number in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub usize);

/// What runs on a host. Seeds, and the addresses of elements and registrars, are set by the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// A registrar.
    Registrar(RegistrarConfig),
    /// An element that sends back what it is sent.
    Element(ElementConfig, Service),
    /// A user with its load.
    User(UserConfig, Load),
    /// An endpoint of somebody's own.
    Custom(Custom),
}

impl Program {
    /// The SCTP ports on which it listens.
    pub(crate) fn listens_on(&self, port: u16) -> bool {
        match self {
            Self::Registrar(config) => port == config.asap_port || port == config.enrp_port,
            Self::Element(config, _) => port == config.port,
            Self::User(..) => false,
            Self::Custom(custom) => custom.listens_on(port),
        }
    }
}

/// A running program.
#[derive(Debug)]
pub enum Process {
    /// A registrar.
    Registrar(Box<Registrar>),
    /// An element with its application.
    Element(Box<Server>),
    /// A user with its application.
    User(Box<Client>),
    /// An endpoint of somebody's own, see [`World::custom`](crate::World::custom).
    Custom(Machinery),
}

/// An endpoint of somebody's own.
#[derive(Debug)]
pub struct Machinery(pub(crate) Box<dyn Machine>);

/// Calls the same method of every kind of endpoint.
macro_rules! each {
    ($process:expr, $endpoint:ident => $call:expr) => {
        match $process {
            Process::Registrar($endpoint) => $call,
            Process::Element(server) => {
                let $endpoint = &mut server.element;
                $call
            }
            Process::User(client) => {
                let $endpoint = &mut client.user;
                $call
            }
            Process::Custom(Machinery($endpoint)) => $call,
        }
    };
}

impl Process {
    pub(crate) fn handle_event(&mut self, now: Instant, event: Event) {
        each!(self, endpoint => endpoint.handle_event(now, event));
    }

    /// Time has passed, for the endpoint or its application.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        each!(self, endpoint => endpoint.handle_timeout(now));
        match self {
            Self::Registrar(_) | Self::Custom(_) => {}
            Self::Element(server) => server.handle_timeout(now),
            Self::User(client) => client.handle_timeout(now),
        }
    }

    pub(crate) fn poll_action(&mut self) -> Option<Action> {
        each!(self, endpoint => endpoint.poll_action())
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let (endpoint, application) = match self {
            Self::Registrar(registrar) => (registrar.poll_timeout(), None),
            Self::Element(server) => (server.element.poll_timeout(), server.poll_timeout()),
            Self::User(client) => (client.user.poll_timeout(), client.poll_timeout()),
            Self::Custom(Machinery(machine)) => (machine.poll_timeout(), None),
        };
        [endpoint, application].into_iter().flatten().min()
    }

    pub(crate) fn begin_shutdown(&mut self, now: Instant, deadline: Instant) {
        match self {
            Self::Registrar(registrar) => registrar.begin_shutdown(now, deadline),
            Self::Element(server) => server.element.begin_shutdown(now, deadline),
            Self::User(client) => client.begin_shutdown(now, deadline),
            Self::Custom(Machinery(machine)) => machine.begin_shutdown(now, deadline),
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        match self {
            Self::Registrar(registrar) => registrar.is_stopped(),
            Self::Element(server) => server.element.is_stopped(),
            Self::User(client) => client.user.is_stopped(),
            Self::Custom(Machinery(machine)) => machine.is_stopped(),
        }
    }

    /// The next notice, after the application has been told.
    pub(crate) fn poll_note(&mut self, now: Instant) -> Option<(Note, Result<(), Violation>)> {
        match self {
            Self::Registrar(registrar) => {
                registrar.poll_notice().map(|(_, notice)| (Note::Registrar(notice), Ok(())))
            }
            Self::Element(server) => {
                let (id, notice) = server.element.poll_notice()?;
                let verdict = server.notice(now, id, &notice);
                Some((Note::Element(notice), verdict))
            }
            Self::User(client) => {
                let (id, notice) = client.user.poll_notice()?;
                let verdict = client.notice(now, id, &notice);
                Some((Note::User(notice), verdict))
            }
            Self::Custom(Machinery(machine)) => machine.poll_note().map(|note| (Note::Custom(note), Ok(()))),
        }
    }

    /// Lets the application do something, if it can.
    pub(crate) fn order(&mut self, now: Instant, order: Order) {
        match self {
            Self::Registrar(_) | Self::Custom(_) => {}
            Self::Element(server) => server.order(now, order),
            Self::User(client) => client.order(now, order),
        }
    }

    /// Gives an element a command.
    pub(crate) fn element_command(&mut self, now: Instant, command: element::Command) {
        if let Self::Element(server) = self {
            server.command(now, command);
        }
    }

    /// Gives a user a command.
    pub(crate) fn user_command(&mut self, now: Instant, command: user::Command) {
        if let Self::User(client) = self {
            client.other_command(now, command);
        }
    }
}

/// What tells the associations of a host apart: its port, and the peer's address and port.
pub(crate) type Path = (u16, IpAddr, u16);

/// A host.
#[derive(Debug)]
pub struct Host {
    /// Its name in traces.
    pub name: String,
    pub(crate) program: Program,
    pub(crate) process: Option<Process>,
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
    pub(crate) inbox: VecDeque<Event>,
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
    pub(crate) attempts: BTreeMap<ConnectId, crate::handshake::Attempt>,
    /// The associations that its process knows.
    pub(crate) known: BTreeMap<AssociationId, (u64, crate::association::Side)>,
    /// The same by our port and the peer's address and port: two between the same would be one.
    pub(crate) paths: BTreeMap<Path, (u64, crate::association::Side)>,
    /// The associations with an end on the host, also those that its process does not know.
    pub(crate) involved: BTreeSet<u64>,
}

impl Host {
    /// The process that runs there.
    pub const fn process(&self) -> Option<&Process> {
        self.process.as_ref()
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
        subscribed && self.multicast && self.process.is_some()
    }

    /// Whether a process runs and is not stopped by SIGSTOP.
    pub(crate) const fn answers(&self) -> bool {
        self.process.is_some() && !self.paused
    }

    /// Whether it works at full speed.
    pub(crate) const fn is_well(&self) -> bool {
        self.answers() && self.slowness.is_zero() && !self.stopping
    }
}
