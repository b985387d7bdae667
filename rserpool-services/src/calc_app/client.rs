//! The user's side of CalcApp.

use alloc::collections::VecDeque;
use core::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{ElementId, Instant};

use super::{Job, Kind, Message, PROTOCOL};
use crate::client::{Client, ClientAction, ClientEvent};

/// How a user waits for its jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CalcAppClientConfig {
    /// How long after its last sign of life the element is asked whether it still works on the job.
    pub keep_alive_interval: Duration,
    /// How long it has to answer, and to accept a job; then the session moves to another element.
    pub keep_alive_timeout: Duration,
    /// How long after a rejection another element is asked.
    pub reject_pause: Duration,
}

impl Default for CalcAppClientConfig {
    /// Keep-alives of 2.5 s and 2.5 s, and a second after a rejection.
    fn default() -> Self {
        Self {
            keep_alive_interval: Duration::from_millis(2_500),
            keep_alive_timeout: Duration::from_millis(2_500),
            reject_pause: Duration::from_secs(1),
        }
    }
}

/// What a user tells of its jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Report {
    /// An element does the job.
    Accepted {
        /// The element.
        element: ElementId,
        /// The number of the job.
        job: u32,
    },
    /// An element has enough to do, or has dropped the job.
    Rejected {
        /// The element.
        element: ElementId,
        /// The number of the job.
        job: u32,
    },
    /// The job is done.
    Completed {
        /// The element that has completed it.
        element: ElementId,
        /// The number of the job.
        job: u32,
        /// Its calculations.
        size: u64,
        /// How long it took, from [`CalcAppClient::begin`].
        took: Duration,
    },
}

/// Has one job done after the other.
#[derive(Debug)]
pub struct CalcAppClient {
    config: CalcAppClientConfig,
    element: Option<ElementId>,
    next_job: u32,
    work: Option<Work>,
    actions: VecDeque<ClientAction<Report>>,
}

/// A job that is not done yet.
#[derive(Clone, Copy, Debug)]
struct Work {
    id: u32,
    size: u64,
    since: Instant,
    stage: Stage,
}

/// How it is with a job, and when that has to change.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The session has no element, or moves to another one.
    Moving,
    /// An element was given the cookie, and accepts the job by itself if it understands it; else it is asked.
    Restoring(Instant),
    /// An element was asked.
    Asked(Instant),
    /// An element works on it, and is asked for a sign of life at this time.
    Running(Instant),
    /// It was asked for one.
    Watched(Instant),
    /// It was rejected; another element is asked at this time.
    Rejected(Instant),
}

impl CalcAppClient {
    /// A user without a job, whose session is about to open.
    pub const fn new(config: CalcAppClientConfig) -> Self {
        Self { config, element: None, next_job: 1, work: None, actions: VecDeque::new() }
    }

    /// Has a job of this many calculations done; false if the one before is not done yet.
    pub fn begin(&mut self, now: Instant, size: u64) -> bool {
        if self.work.is_some() {
            return false;
        }
        self.work = Some(Work { id: self.next_job, size, since: now, stage: Stage::Moving });
        self.next_job = self.next_job.wrapping_add(1);
        if self.element.is_some() {
            self.ask(now);
        }
        true
    }

    /// Whether a job is not done yet.
    pub const fn is_busy(&self) -> bool {
        self.work.is_some()
    }

    /// Closes the session. A job that is not done is given up.
    pub fn finish(&mut self) {
        if self.work.is_some() && self.element.is_some() {
            self.say(Kind::Abort);
        }
        self.work = None;
        self.actions.push_back(ClientAction::Close);
    }

    fn say(&mut self, kind: Kind) {
        if let Some(Work { id, size, .. }) = self.work {
            let bytes = Message { kind, job: Job { id, size, completed: 0 } }.encode();
            self.actions.push_back(ClientAction::Send { protocol: PROTOCOL, bytes });
        }
    }

    fn ask(&mut self, now: Instant) {
        self.say(Kind::Request);
        self.enter(Stage::Asked(now + self.config.keep_alive_timeout));
    }

    fn enter(&mut self, stage: Stage) {
        if let Some(work) = &mut self.work {
            work.stage = stage;
        }
    }

    fn fail_over(&mut self, unreachable: bool) {
        self.enter(Stage::Moving);
        self.actions.push_back(ClientAction::FailOver { unreachable });
    }

    fn message(&mut self, now: Instant, bytes: &Bytes) {
        let Ok(Message { kind, job }) = Message::decode(bytes) else { return };
        let (Some(work), Some(element)) = (self.work.filter(|work| work.id == job.id), self.element) else {
            return;
        };
        let alive = Stage::Running(now + self.config.keep_alive_interval);
        match (kind, work.stage) {
            // An element that was given up already.
            (_, Stage::Moving | Stage::Rejected(_)) => {}
            (Kind::Accept, Stage::Asked(_) | Stage::Restoring(_)) => {
                self.enter(alive);
                self.actions.push_back(ClientAction::Report(Report::Accepted { element, job: work.id }));
            }
            (Kind::Reject | Kind::Abort, _) => {
                self.enter(Stage::Rejected(now + self.config.reject_pause));
                self.actions.push_back(ClientAction::Report(Report::Rejected { element, job: work.id }));
            }
            (Kind::KeepAlive, _) => {
                self.say(Kind::KeepAliveAck);
                if let Stage::Running(_) | Stage::Watched(_) = work.stage {
                    self.enter(alive);
                }
            }
            (Kind::KeepAliveAck, Stage::Running(_) | Stage::Watched(_)) => self.enter(alive),
            (Kind::Complete, _) => {
                self.work = None;
                let (job, size, took) = (work.id, work.size, now.since(work.since));
                self.actions.push_back(ClientAction::Report(Report::Completed { element, job, size, took }));
            }
            _ => {}
        }
    }
}

impl Client for CalcAppClient {
    type Report = Report;

    fn handle_event(&mut self, now: Instant, event: ClientEvent) {
        match event {
            ClientEvent::Opened { element } => {
                self.element = Some(element);
                self.ask(now);
            }
            ClientEvent::FailedOver { element, cookie_echoed } => {
                self.element = Some(element);
                if cookie_echoed {
                    self.enter(Stage::Restoring(now + self.config.keep_alive_timeout));
                } else {
                    self.ask(now);
                }
            }
            ClientEvent::Received { protocol: PROTOCOL, bytes } => self.message(now, &bytes),
            ClientEvent::Received { .. } | ClientEvent::Unanswered(_) => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        match self.work.map(|work| work.stage) {
            Some(Stage::Restoring(at)) if at <= now => self.ask(now),
            Some(Stage::Asked(at) | Stage::Watched(at)) if at <= now => self.fail_over(true),
            Some(Stage::Running(at)) if at <= now => {
                self.say(Kind::KeepAlive);
                self.enter(Stage::Watched(now + self.config.keep_alive_timeout));
            }
            Some(Stage::Rejected(at)) if at <= now => self.fail_over(false),
            _ => {}
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self.work?.stage {
            Stage::Moving => None,
            Stage::Restoring(at)
            | Stage::Asked(at)
            | Stage::Running(at)
            | Stage::Watched(at)
            | Stage::Rejected(at) => Some(at),
        }
    }

    fn poll_action(&mut self) -> Option<ClientAction<Report>> {
        self.actions.pop_front()
    }
}
