//! A user that has sessions with a service, one after the other.

use std::convert::Infallible;

use rserpool_core::base::{CommandId, Instant, PoolHandle};
use rserpool_core::endpoint::{Action, Endpoint, Event, Output};
use rserpool_core::user::{Answer, Command, Delivery, Message, Notice, Open, SessionId, User, UserConfig};
use rserpool_services::{Client, ClientAction, ClientEvent};

use super::application::{After, Application};
use crate::hosts::{Custom, Startup};

/// A user of the core with its application, as one endpoint.
#[derive(Debug)]
pub struct ApplicationUser<A: Application> {
    user: User,
    application: A,
    last_command: u64,
    stage: Stage<A::Client>,
    stopping: bool,
}

/// How far the present session has come.
#[derive(Debug)]
enum Stage<C> {
    /// There is none; the next one is to be opened at this time.
    Idle(Option<(Instant, PoolHandle)>),
    /// It is being opened by this command.
    Opening(CommandId, C),
    Open(SessionId, C),
}

impl<A: Application + 'static> ApplicationUser<A> {
    /// A user whose first session begins when the application says so.
    pub fn new(config: UserConfig, mut application: A, now: Instant) -> Self {
        let stage = Stage::Idle(application.next(now, After::Start));
        let user = User::new(config);
        let mut this = Self { user, application, last_command: 0, stage, stopping: false };
        this.settle(now);
        this
    }

    /// A program whose processes are users with an application of `make`.
    pub fn program(config: UserConfig, make: impl Fn(Startup) -> A + Send + Sync + 'static) -> Custom {
        Custom::new(&[], move |startup| {
            let mut config = config.clone();
            config.seed = startup.seed;
            Self::new(config, make(startup), startup.now)
        })
    }

    /// The user.
    pub const fn user(&self) -> &User {
        &self.user
    }

    /// The application.
    pub const fn application(&self) -> &A {
        &self.application
    }

    fn command(&mut self, now: Instant, command: Command) -> CommandId {
        self.last_command += 1;
        let id = CommandId(self.last_command);
        self.user.handle_command(now, id, command);
        id
    }

    /// Opens the next session if it is time.
    fn open_due(&mut self, now: Instant) {
        if let Stage::Idle(Some((at, handle))) = &self.stage
            && *at <= now
            && !self.stopping
        {
            let handle = handle.clone();
            let client = self.application.begin(now);
            let command = self.command(now, Command::Open(Open::new(handle)));
            self.stage = Stage::Opening(command, client);
        }
    }

    /// Lets user and client tell each other what they have to say.
    fn settle(&mut self, now: Instant) {
        self.open_due(now);
        loop {
            while let Some(output) = self.user.poll_output() {
                match output {
                    Output::Answer(id, answer) => self.answered(now, id, answer),
                    Output::Notice(notice) => {
                        self.application.notice(now, &notice);
                        self.notice(now, notice);
                    }
                }
            }
            let Stage::Open(session, client) = &mut self.stage else { return };
            let session = *session;
            let Some(action) = client.poll_action() else { return };
            let message = |protocol, bytes| Message::new(session, protocol, bytes);
            let command = match action {
                ClientAction::Send { protocol, bytes } => Command::Send(message(protocol, bytes)),
                ClientAction::Request { request, protocol, bytes } => {
                    Command::Send(message(protocol, bytes).delivery(Delivery::Retry(request)))
                }
                ClientAction::Answered(request) => Command::Answered { session, request },
                ClientAction::FailOver { unreachable } => Command::Failover { session, unreachable },
                ClientAction::Report(report) => {
                    self.application.report(now, client, report);
                    continue;
                }
                ClientAction::Close => {
                    self.rest(now, After::Session);
                    Command::Close { session }
                }
                _ => continue,
            };
            self.command(now, command);
            self.open_due(now);
        }
    }

    fn rest(&mut self, now: Instant, after: After) {
        self.stage = Stage::Idle(self.application.next(now, after));
    }

    fn answered(&mut self, now: Instant, id: CommandId, answer: Answer) {
        let Answer::Opened(outcome) = answer else { return };
        match (std::mem::replace(&mut self.stage, Stage::Idle(None)), outcome) {
            (Stage::Opening(command, mut client), Ok(opened)) if command == id => {
                client.handle_event(now, ClientEvent::Opened { element: opened.element });
                self.stage = Stage::Open(opened.session, client);
            }
            (Stage::Opening(command, _), Err(error)) if command == id => {
                self.rest(now, After::NotOpened(error));
                self.open_due(now);
            }
            (stage, _) => self.stage = stage,
        }
    }

    fn notice(&mut self, now: Instant, notice: Notice) {
        let Stage::Open(open, client) = &mut self.stage else { return };
        match notice {
            Notice::Received { session, protocol, bytes, .. } if session == *open => {
                client.handle_event(now, ClientEvent::Received { protocol, bytes });
            }
            Notice::FailedOver { session, to, cookie_echoed, .. } if session == *open => {
                client.handle_event(now, ClientEvent::FailedOver { element: to, cookie_echoed });
            }
            Notice::Unanswered { session, request, .. } if session == *open => {
                client.handle_event(now, ClientEvent::Unanswered(request));
            }
            Notice::Closed { session, error, .. } if session == *open => {
                self.rest(now, error.map_or(After::Session, After::Lost));
                self.open_due(now);
            }
            _ => {}
        }
    }
}

impl<A: Application + 'static> Endpoint for ApplicationUser<A> {
    type Command = Infallible;
    type Answer = Infallible;
    type Notice = Infallible;

    fn handle_event(&mut self, now: Instant, event: Event) {
        self.user.handle_event(now, event);
        self.settle(now);
    }

    fn handle_command(&mut self, _: Instant, _: CommandId, never: Infallible) {
        match never {}
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.user.poll_timeout().is_some_and(|at| at <= now) {
            self.user.handle_timeout(now);
        }
        if let Stage::Open(_, client) = &mut self.stage
            && client.poll_timeout().is_some_and(|at| at <= now)
        {
            client.handle_timeout(now);
        }
        self.settle(now);
    }

    fn poll_action(&mut self) -> Option<Action> {
        self.user.poll_action()
    }

    fn poll_output(&mut self) -> Option<Output<Infallible, Infallible>> {
        None
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let application = match &self.stage {
            Stage::Idle(next) if !self.stopping => next.as_ref().map(|(at, _)| *at),
            Stage::Idle(_) | Stage::Opening(..) => None,
            Stage::Open(_, client) => client.poll_timeout(),
        };
        [self.user.poll_timeout(), application].into_iter().flatten().min()
    }

    fn begin_shutdown(&mut self, now: Instant, deadline: Instant) {
        self.stopping = true;
        self.user.begin_shutdown(now, deadline);
        self.settle(now);
    }

    fn is_stopped(&self) -> bool {
        self.user.is_stopped()
    }
}
