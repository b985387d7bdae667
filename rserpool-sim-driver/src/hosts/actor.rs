//! A process as one endpoint: its application acts at once on what it is told.

use std::collections::VecDeque;
use std::convert::Infallible;

use rserpool_core::base::{CommandId, Instant};
use rserpool_core::endpoint::{Action, Endpoint, Event, Output};

use super::peer_message::Expectation;
use super::process::{Process, Report, Wish};

/// What carries the actions of a process out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CarriedOut {
    /// The world: it sees them.
    ByWorld,
    /// A node of its own: the actions are reported, because the world sees packets only.
    ByNode,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Actor {
    process: Process,
    carried_out: CarriedOut,
    /// What it was handed and has done.
    seen: VecDeque<Report>,
    /// What its application was told since.
    told: VecDeque<Report>,
}

impl Actor {
    pub(super) fn new(now: Instant, process: Process, carried_out: CarriedOut) -> Self {
        let mut actor = Self { process, carried_out, seen: VecDeque::new(), told: VecDeque::new() };
        // It may have notices from the start.
        actor.tell_application(now);
        actor
    }

    pub(super) const fn process(&self) -> &Process {
        &self.process
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
        let expectation = match &self.process {
            Process::Registrar(registrar) => Expectation::before(registrar, &event),
            _ => None,
        };
        self.process.handle_event(now, event);
        if let (Some(expectation), Process::Registrar(registrar)) = (expectation, &self.process)
            && let Err(violation) = expectation.judge(registrar)
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
        if self.carried_out == CarriedOut::ByNode {
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
