//! The element's side of CalcApp.

use alloc::collections::VecDeque;
use core::time::Duration;

use bytes::Bytes;
use rserpool_core::base::{AssociationId, Instant};

use super::jobs::{Jobs, Watch};
use super::{Job, Kind, Message, PROTOCOL};
use crate::service::{Service, ServiceAction, ServiceEvent};

/// What an element can do, and how it watches its users.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct CalcAppConfig {
    /// Calculations per second, above 0.
    pub capacity: f64,
    /// The most jobs at the same time; further ones are rejected.
    pub max_jobs: usize,
    /// How long after its last sign of life a user is asked whether it still waits.
    pub keep_alive_interval: Duration,
    /// How long it has to answer; then its job is dropped.
    pub keep_alive_timeout: Duration,
    /// A cookie is sent after so many calculations, at least 1.
    pub cookie_calculations: u64,
    /// A cookie is sent after so much time at the latest.
    pub cookie_time: Duration,
}

impl Default for CalcAppConfig {
    /// A million calculations per second, 10 jobs, keep-alives of 2.5 s and 2.5 s, and a cookie after five million
    /// calculations or 5 s.
    fn default() -> Self {
        Self {
            capacity: 1e6,
            max_jobs: 10,
            keep_alive_interval: Duration::from_millis(2_500),
            keep_alive_timeout: Duration::from_millis(2_500),
            cookie_calculations: 5_000_000,
            cookie_time: Duration::from_secs(5),
        }
    }
}

/// Does jobs. All jobs get the same share of its capacity.
#[derive(Debug)]
pub struct CalcApp {
    config: CalcAppConfig,
    jobs: Jobs,
    /// The load that was told last.
    load: f64,
    /// What was not a message or cookie of this service, and was left alone.
    strange: u64,
    actions: VecDeque<ServiceAction>,
}

impl CalcApp {
    /// An element without jobs.
    pub const fn new(config: CalcAppConfig) -> Self {
        let jobs = Jobs::new(config.capacity);
        Self { config, jobs, load: 0.0, strange: 0, actions: VecDeque::new() }
    }

    /// The number of jobs.
    pub fn jobs(&self) -> usize {
        self.jobs.len()
    }

    /// How many messages and cookies were left alone because they are not of this service.
    pub const fn strange(&self) -> u64 {
        self.strange
    }

    fn send(&mut self, session: AssociationId, kind: Kind, job: Job) {
        let bytes = Message { kind, job }.encode();
        self.actions.push_back(ServiceAction::Send { session, protocol: PROTOCOL, bytes });
    }

    /// A job is wanted, whole or from where its cookie says.
    fn wanted(&mut self, session: AssociationId, job: Job) {
        // Its cookie may have begun it already.
        let known = self.jobs.find(session, job.id).is_some();
        if !known && self.jobs.len() >= self.config.max_jobs {
            return self.send(session, Kind::Reject, job);
        }
        if !known {
            let watch = self.ask_later();
            self.jobs.begin(session, job, watch);
        }
        self.send(session, Kind::Accept, job);
    }

    fn ask_later(&self) -> Watch {
        Watch::AskAt(self.jobs.now() + self.config.keep_alive_interval)
    }

    fn message(&mut self, session: AssociationId, bytes: &Bytes) {
        let Ok(Message { kind, job }) = Message::decode(bytes) else {
            self.strange += 1;
            return;
        };
        let watch = self.ask_later();
        match (kind, self.jobs.find(session, job.id)) {
            (Kind::Request, _) => self.wanted(session, Job { completed: 0, ..job }),
            (Kind::KeepAlive, Some(running)) => {
                running.watch = watch;
                let job = running.job();
                self.send(session, Kind::KeepAliveAck, job);
            }
            // It waits for what nobody does.
            (Kind::KeepAlive, None) => self.send(session, Kind::Abort, job),
            (Kind::KeepAliveAck, Some(running)) => running.watch = watch,
            (Kind::Abort, _) => self.jobs.remove(session, job.id),
            _ => self.strange += 1,
        }
    }

    /// Whatever is due.
    fn work(&mut self, now: Instant) {
        for done in self.jobs.take_done() {
            let job = Job { completed: done.size, ..done.job() };
            self.send(done.session, Kind::Complete, job);
        }
        for (session, job) in self.jobs.cookies(self.config.cookie_calculations, self.config.cookie_time) {
            self.actions.push_back(ServiceAction::SendCookie { session, cookie: job.encode() });
        }
        self.watch(now);
        let load = self.jobs.len() as f64 / self.config.max_jobs.max(1) as f64;
        if load != self.load {
            self.load = load;
            self.actions.push_back(ServiceAction::Load(load));
        }
    }

    /// Asks users whether they still wait, and drops the jobs of those that do not.
    fn watch(&mut self, now: Instant) {
        let mut said = VecDeque::new();
        for running in self.jobs.iter_mut() {
            match running.watch {
                Watch::AskAt(at) if at <= now => {
                    running.watch = Watch::AnswerUntil(now + self.config.keep_alive_timeout);
                    said.push_back((running.session, Kind::KeepAlive, running.job()));
                }
                Watch::AnswerUntil(at) if at <= now => {
                    said.push_back((running.session, Kind::Abort, running.job()));
                }
                Watch::AskAt(_) | Watch::AnswerUntil(_) => {}
            }
        }
        for (session, kind, job) in said {
            if kind == Kind::Abort {
                self.jobs.remove(session, job.id);
            }
            self.send(session, kind, job);
        }
    }
}

impl Service for CalcApp {
    fn handle_event(&mut self, now: Instant, event: ServiceEvent) {
        self.jobs.advance(now);
        match event {
            ServiceEvent::Restored { session, cookie } => match Job::decode(&cookie) {
                Ok(job) => self.wanted(session, job),
                Err(_) => self.strange += 1,
            },
            ServiceEvent::Received { session, protocol: PROTOCOL, bytes } => self.message(session, &bytes),
            ServiceEvent::Received { .. } => self.strange += 1,
            ServiceEvent::CookieWanted { session } => {
                let jobs = self.jobs.of_session(session);
                // There is nothing to wait for.
                if jobs.is_empty() {
                    self.actions.push_back(ServiceAction::Close { session });
                }
                for (session, job) in jobs {
                    self.actions.push_back(ServiceAction::SendCookie { session, cookie: job.encode() });
                }
            }
            ServiceEvent::Closed { session } => self.jobs.remove_session(session),
            ServiceEvent::Opened { .. } | ServiceEvent::Room { .. } => {}
        }
        self.work(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.jobs.advance(now);
        self.work(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let work = self.jobs.due(self.config.cookie_calculations, self.config.cookie_time);
        [work, self.jobs.next_watch()].into_iter().flatten().min()
    }

    fn poll_action(&mut self) -> Option<ServiceAction> {
        self.actions.pop_front()
    }
}
