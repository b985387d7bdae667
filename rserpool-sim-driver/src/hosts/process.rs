//! The processes that programs become: an endpoint with its application.

use rserpool_core::base::Instant;
use rserpool_core::element;
use rserpool_core::endpoint::{Action, Endpoint, Event, Output};
use rserpool_core::registrar::Registrar;
use rserpool_core::user;

use super::custom_endpoint::Machine;
use crate::applications::{Client, Note, Server};
use crate::fault::Order;
use crate::violation::Violation;

/// A running program.
#[derive(Debug)]
pub enum Process {
    /// A registrar.
    Registrar(Box<Registrar>),
    /// An element with its application.
    Element(Box<Server>),
    /// A user with its application.
    User(Box<Client>),
    /// An endpoint of your own, see [`World::custom`](crate::World::custom).
    Custom(CustomProcess),
}

/// An endpoint of your own.
#[derive(Debug)]
pub struct CustomProcess(Box<dyn Machine>);

impl CustomProcess {
    pub(super) fn new(machine: Box<dyn Machine>) -> Self {
        Self(machine)
    }

    /// The endpoint, if it is an `E`.
    pub fn endpoint<E: 'static>(&self) -> Option<&E> {
        self.0.as_any().downcast_ref()
    }
}

/// Calls the same method of every kind of endpoint.
macro_rules! each {
    ($process:expr, $endpoint:ident => $call:expr) => {
        match $process {
            Process::Registrar($endpoint) => $call,
            Process::Element(server) => {
                let $endpoint = server.element_mut();
                $call
            }
            Process::User(client) => {
                let $endpoint = client.user_mut();
                $call
            }
            Process::Custom(CustomProcess($endpoint)) => $call,
        }
    };
}

impl Process {
    pub(super) fn handle_event(&mut self, now: Instant, event: Event) {
        each!(self, endpoint => endpoint.handle_event(now, event));
    }

    /// Time has passed, for the endpoint or its application.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        each!(self, endpoint => endpoint.handle_timeout(now));
        match self {
            Self::Registrar(_) | Self::Custom(_) => {}
            Self::Element(server) => server.handle_timeout(now),
            Self::User(client) => client.handle_timeout(now),
        }
    }

    pub(super) fn poll_action(&mut self) -> Option<Action> {
        each!(self, endpoint => endpoint.poll_action())
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let (endpoint, application) = match self {
            Self::Registrar(registrar) => (registrar.poll_timeout(), None),
            Self::Element(server) => (server.element().poll_timeout(), server.poll_timeout()),
            Self::User(client) => (client.user().poll_timeout(), client.poll_timeout()),
            Self::Custom(CustomProcess(machine)) => (machine.poll_timeout(), None),
        };
        [endpoint, application].into_iter().flatten().min()
    }

    pub(super) fn begin_shutdown(&mut self, now: Instant, deadline: Instant) {
        match self {
            Self::Registrar(registrar) => registrar.begin_shutdown(now, deadline),
            Self::Element(server) => server.element_mut().begin_shutdown(now, deadline),
            Self::User(client) => client.begin_shutdown(now, deadline),
            Self::Custom(CustomProcess(machine)) => machine.begin_shutdown(now, deadline),
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        match self {
            Self::Registrar(registrar) => registrar.is_stopped(),
            Self::Element(server) => server.element().is_stopped(),
            Self::User(client) => client.user().is_stopped(),
            Self::Custom(CustomProcess(machine)) => machine.is_stopped(),
        }
    }

    /// The next answer or notice, after the application has been told.
    pub(super) fn poll_note(&mut self, now: Instant) -> Option<(Note, Result<(), Violation>)> {
        match self {
            Self::Registrar(registrar) => Some(match registrar.poll_output()? {
                Output::Answer(id, answer) => {
                    let answer = format!("{id:?} was answered by {answer:?}");
                    let violation = Violation::new("only commands are answered", answer.clone());
                    (Note::Custom(answer), Err(violation))
                }
                Output::Notice(notice) => (Note::Registrar(notice), Ok(())),
            }),
            Self::Element(server) => Some(match server.element_mut().poll_output()? {
                Output::Answer(id, answer) => (Note::ElementAnswer(answer), server.answer(id)),
                Output::Notice(notice) => {
                    server.notice(now, &notice);
                    (Note::Element(notice), Ok(()))
                }
            }),
            Self::User(client) => Some(match client.user_mut().poll_output()? {
                Output::Answer(id, answer) => {
                    let verdict = client.answer(now, id, &answer);
                    (Note::UserAnswer(answer), verdict)
                }
                Output::Notice(notice) => {
                    let verdict = client.notice(now, &notice);
                    (Note::User(notice), verdict)
                }
            }),
            Self::Custom(CustomProcess(machine)) => {
                machine.poll_note().map(|note| (Note::Custom(note), Ok(())))
            }
        }
    }

    pub(super) fn wish(&mut self, now: Instant, wish: Wish) {
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
    /// A user asks for its pool, past its cache.
    Resolve,
    /// The application does something.
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
