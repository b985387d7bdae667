//! An element that offers a service.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use rserpool_core::base::{CommandId, Instant};
use rserpool_core::element::{Answer, Command, Element, ElementConfig, Message, Notice};
use rserpool_core::endpoint::{Action, Endpoint, Event, Output, Refusal};
use rserpool_services::{Service, ServiceAction, ServiceEvent};

use crate::hosts::{Custom, Startup};
use crate::id::UDP_PORT;

/// After how long an element that has given up registering tries again.
const REGISTER_AGAIN: Duration = Duration::from_secs(1);

/// An element of the core with its service, as one endpoint.
#[derive(Debug)]
pub struct ServiceElement<S> {
    element: Element,
    config: ElementConfig,
    service: S,
    last_command: u64,
    /// The message that was sent last, until it is answered.
    sending: Option<Message>,
    /// Messages for users that take none at the moment.
    waiting: VecDeque<Message>,
    register_again: Option<Instant>,
}

impl<S: Service + fmt::Debug + 'static> ServiceElement<S> {
    /// An element that registers at once. The world has set seed and addresses.
    pub fn new(config: ElementConfig, service: S, now: Instant) -> Self {
        let element = Element::new(config.clone(), now);
        let (sending, waiting) = (None, VecDeque::new());
        let mut this =
            Self { element, config, service, last_command: 0, sending, waiting, register_again: None };
        this.settle(now);
        this
    }

    /// A program whose processes are elements with a service of `make`.
    pub fn program(config: ElementConfig, make: impl Fn(Startup) -> S + Send + Sync + 'static) -> Custom {
        Custom::new(&[config.port], move |startup| {
            let mut config = config.clone();
            config.addresses = vec![startup.address];
            config.udp_port = UDP_PORT;
            config.seed = startup.seed;
            Self::new(config, make(startup), startup.now)
        })
    }

    /// The element.
    pub const fn element(&self) -> &Element {
        &self.element
    }

    /// The service.
    pub const fn service(&self) -> &S {
        &self.service
    }

    fn command(&mut self, now: Instant, command: Command) {
        self.last_command += 1;
        self.element.handle_command(now, CommandId(self.last_command), command);
    }

    /// Lets element and service tell each other what they have to say.
    fn settle(&mut self, now: Instant) {
        loop {
            while let Some(output) = self.element.poll_output() {
                match output {
                    Output::Answer(_, answer) => self.answered(answer),
                    Output::Notice(notice) => self.notice(now, notice),
                }
            }
            let Some(action) = self.service.poll_action() else { return };
            match action {
                ServiceAction::Send { session, protocol, bytes } => {
                    let message = Message::new(session, protocol, bytes);
                    if self.waiting.iter().any(|other| other.session == session) {
                        self.waiting.push_back(message);
                    } else {
                        self.send(now, message);
                    }
                }
                ServiceAction::SendCookie { session, cookie } => {
                    self.command(now, Command::SendCookie { session, cookie });
                }
                ServiceAction::Close { session } => self.command(now, Command::Close { session }),
                ServiceAction::Load(load) => {
                    let load = (load.clamp(0.0, 1.0) * f64::from(u32::MAX)) as u32;
                    self.command(now, Command::SetLoad(load));
                }
                _ => {}
            }
        }
    }

    fn send(&mut self, now: Instant, message: Message) {
        self.sending = Some(message.clone());
        self.command(now, Command::Send(message));
    }

    fn answered(&mut self, answer: Answer) {
        let message = self.sending.take();
        if let (Answer::Done(Err(Refusal::Congested)), Some(message)) = (answer, message) {
            self.waiting.push_front(message);
        }
    }

    fn notice(&mut self, now: Instant, notice: Notice) {
        let event = match notice {
            Notice::SessionOpened { session, .. } => ServiceEvent::Opened { session },
            Notice::CookieEcho { session, cookie, .. } => ServiceEvent::Restored { session, cookie },
            Notice::CookieWanted { session, .. } => ServiceEvent::CookieWanted { session },
            Notice::Received { session, protocol, bytes, .. } => {
                ServiceEvent::Received { session, protocol, bytes }
            }
            Notice::SessionClosed { session, .. } => {
                self.waiting.retain(|message| message.session != session);
                ServiceEvent::Closed { session }
            }
            Notice::Writable { session, .. } => {
                let (due, others) = self.waiting.drain(..).partition(|message| message.session == session);
                self.waiting = others;
                let due: VecDeque<Message> = due;
                due.into_iter().for_each(|message| self.send(now, message));
                ServiceEvent::Room { session }
            }
            Notice::RegistrationFailed(_) => {
                self.register_again = Some(now + REGISTER_AGAIN);
                return;
            }
            _ => return,
        };
        self.service.handle_event(now, event);
    }
}

impl<S: Service + fmt::Debug + 'static> Endpoint for ServiceElement<S> {
    type Command = Infallible;
    type Answer = Infallible;
    type Notice = Infallible;

    fn handle_event(&mut self, now: Instant, event: Event) {
        self.element.handle_event(now, event);
        self.settle(now);
    }

    fn handle_command(&mut self, _: Instant, _: CommandId, never: Infallible) {
        match never {}
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.element.poll_timeout().is_some_and(|at| at <= now) {
            self.element.handle_timeout(now);
        }
        if self.service.poll_timeout().is_some_and(|at| at <= now) {
            self.service.handle_timeout(now);
        }
        if self.register_again.take_if(|at| *at <= now).is_some() {
            self.command(now, Command::UpdatePolicy(self.config.policy.clone()));
        }
        self.settle(now);
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.element.poll_action()
    }

    fn poll_output(&mut self) -> Option<Output<Infallible, Infallible>> {
        None
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.element.poll_timeout(), self.service.poll_timeout(), self.register_again]
            .into_iter()
            .flatten()
            .min()
    }

    fn begin_shutdown(&mut self, now: Instant, deadline: Instant) {
        self.element.begin_shutdown(now, deadline);
        self.settle(now);
    }

    fn is_stopped(&self) -> bool {
        self.element.is_stopped()
    }
}
