//! Programs and the processes that they become: an endpoint with its application.

use std::collections::VecDeque;
use std::convert::Infallible;

use rserpool_core::base::{CommandId, Instant};
use rserpool_core::element::{self, ElementConfig};
use rserpool_core::endpoint::{Action, Endpoint, Event, Output};
use rserpool_core::registrar::{Registrar, RegistrarConfig};
use rserpool_core::user::{self, UserConfig};

use crate::applications::{Client, Load, Note, Server, Service, Violation};
use crate::fault::Order;
use crate::hosts::custom_endpoint::{Custom, Machine};
use crate::judges::Exchange;

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
    pub(crate) fn ports(&self) -> Vec<u16> {
        match self {
            Self::Registrar(config) => vec![config.asap_port, config.enrp_port],
            Self::Element(config, _) => vec![config.port],
            Self::User(..) => Vec::new(),
            Self::Custom(custom) => custom.ports().to_vec(),
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
    fn handle_event(&mut self, now: Instant, event: Event) {
        each!(self, endpoint => endpoint.handle_event(now, event));
    }

    /// Time has passed, for the endpoint or its application.
    fn handle_timeout(&mut self, now: Instant) {
        each!(self, endpoint => endpoint.handle_timeout(now));
        match self {
            Self::Registrar(_) | Self::Custom(_) => {}
            Self::Element(server) => server.handle_timeout(now),
            Self::User(client) => client.handle_timeout(now),
        }
    }

    fn poll_action(&mut self) -> Option<Action> {
        each!(self, endpoint => endpoint.poll_action())
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let (endpoint, application) = match self {
            Self::Registrar(registrar) => (registrar.poll_timeout(), None),
            Self::Element(server) => (server.element.poll_timeout(), server.poll_timeout()),
            Self::User(client) => (client.user.poll_timeout(), client.poll_timeout()),
            Self::Custom(Machinery(machine)) => (machine.poll_timeout(), None),
        };
        [endpoint, application].into_iter().flatten().min()
    }

    fn begin_shutdown(&mut self, now: Instant, deadline: Instant) {
        match self {
            Self::Registrar(registrar) => registrar.begin_shutdown(now, deadline),
            Self::Element(server) => server.element.begin_shutdown(now, deadline),
            Self::User(client) => client.begin_shutdown(now, deadline),
            Self::Custom(Machinery(machine)) => machine.begin_shutdown(now, deadline),
        }
    }

    fn is_stopped(&self) -> bool {
        match self {
            Self::Registrar(registrar) => registrar.is_stopped(),
            Self::Element(server) => server.element.is_stopped(),
            Self::User(client) => client.user.is_stopped(),
            Self::Custom(Machinery(machine)) => machine.is_stopped(),
        }
    }

    /// The next notice, after the application has been told.
    fn poll_note(&mut self, now: Instant) -> Option<(Note, Result<(), Violation>)> {
        match self {
            Self::Registrar(registrar) => Some(match registrar.poll_output()? {
                Output::Answer(id, answer) => {
                    let detail = format!("{id:?} was answered by {answer:?}");
                    (
                        Note::Custom(format!("{answer:?}")),
                        Err(Violation::new("nobody commands a registrar", detail)),
                    )
                }
                Output::Notice(notice) => (Note::Registrar(notice), Ok(())),
            }),
            Self::Element(server) => Some(match server.element.poll_output()? {
                Output::Answer(id, answer) => (Note::ElementAnswer(answer), server.answer(id)),
                Output::Notice(notice) => {
                    server.notice(now, &notice);
                    (Note::Element(notice), Ok(()))
                }
            }),
            Self::User(client) => Some(match client.user.poll_output()? {
                Output::Answer(id, answer) => {
                    let verdict = client.answer(now, id, &answer);
                    (Note::UserAnswer(answer), verdict)
                }
                Output::Notice(notice) => {
                    let verdict = client.notice(now, &notice);
                    (Note::User(notice), verdict)
                }
            }),
            Self::Custom(Machinery(machine)) => machine.poll_note().map(|note| (Note::Custom(note), Ok(()))),
        }
    }

    fn wish(&mut self, now: Instant, wish: Wish) {
        match (self, wish) {
            (Self::Element(server), Wish::Element(command)) => server.command(now, command),
            (Self::Element(server), Wish::Order(order)) => server.order(now, order),
            (Self::User(client), Wish::User(command)) => client.other_command(now, command),
            (Self::User(client), Wish::Resolve) => client.resolve(now),
            (Self::User(client), Wish::Order(order)) => client.order(now, order),
            _ => {}
        }
    }
}

/// What the world wants of a process. One that cannot do it does nothing.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    /// A command for an element.
    Element(element::Command),
    /// A command for a user.
    User(user::Command),
    /// A user shall ask for its pool, past its cache.
    Resolve,
    /// The application shall do something.
    Order(Order),
}

/// What the world is told of a process.
#[derive(Clone, Debug)]
pub(crate) enum Report {
    /// It was handed an event.
    Heard(Event),
    /// It has decided something that its node has carried out.
    Did(Action),
    /// It has done what must never happen.
    Broke(Violation),
    /// Its application was told something.
    Told(Note),
}

/// A process as one endpoint: its application acts at once on what it is told.
#[derive(Debug)]
pub(crate) struct Actor {
    pub(crate) process: Process,
    /// Whether actions are reported, because nobody else sees them.
    pub(crate) overheard: bool,
    /// What it was handed and has done.
    seen: VecDeque<Report>,
    /// What its application was told since.
    told: VecDeque<Report>,
}

impl Actor {
    pub(crate) fn new(now: Instant, process: Process, overheard: bool) -> Self {
        let mut actor = Self { process, overheard, seen: VecDeque::new(), told: VecDeque::new() };
        // It may have something to tell from the start.
        actor.tell_application(now);
        actor
    }

    /// Hands notices to the application, which may act upon them.
    fn tell_application(&mut self, now: Instant) {
        while let Some((note, verdict)) = self.process.poll_note(now) {
            if let Err(violation) = verdict {
                self.told.push_back(Report::Broke(violation));
            }
            self.told.push_back(Report::Told(note));
        }
    }
}

impl Endpoint for Actor {
    type Command = Wish;
    type Answer = Infallible;
    type Notice = Report;

    fn handle_event(&mut self, now: Instant, event: Event) {
        self.seen.push_back(Report::Heard(event.clone()));
        let exchange = match &self.process {
            Process::Registrar(registrar) => Exchange::before(registrar, &event),
            _ => None,
        };
        self.process.handle_event(now, event);
        if let (Some(exchange), Process::Registrar(registrar)) = (exchange, &self.process)
            && let Err(violation) = exchange.judge(registrar)
        {
            self.seen.push_back(Report::Broke(violation));
        }
        self.tell_application(now);
    }

    fn handle_command(&mut self, now: Instant, _: CommandId, wish: Wish) {
        self.process.wish(now, wish);
        self.tell_application(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.process.handle_timeout(now);
        self.tell_application(now);
    }

    fn poll_action(&mut self) -> Option<Action> {
        let action = self.process.poll_action()?;
        if self.overheard {
            self.seen.push_back(Report::Did(action.clone()));
        }
        Some(action)
    }

    fn poll_output(&mut self) -> Option<Output<Infallible, Report>> {
        self.seen.pop_front().or_else(|| self.told.pop_front()).map(Output::Notice)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.process.poll_timeout()
    }

    fn begin_shutdown(&mut self, now: Instant, deadline: Instant) {
        self.process.begin_shutdown(now, deadline);
        self.tell_application(now);
    }

    fn is_stopped(&self) -> bool {
        self.process.is_stopped()
    }
}
