//! Jobs that share a capacity equally.

use alloc::vec::Vec;
use core::time::Duration;

use rserpool_core::base::{AssociationId, Instant};

use super::Job;

/// What is left of a job that is done, because of rounding.
const NOTHING: f64 = 0.5;

/// A job at an element.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) session: AssociationId,
    pub(super) id: u32,
    pub(super) size: u64,
    completed: f64,
    /// What was done, and when, at the last cookie.
    cookie: (f64, Instant),
    /// When its user is asked whether it waits, or has to have answered.
    pub(super) watch: Watch,
}

/// What is known of a job's user.
#[derive(Clone, Copy, Debug)]
pub(super) enum Watch {
    /// It has given a sign of life, and is asked at this time.
    AskAt(Instant),
    /// It was asked, and has time to answer until then.
    AnswerUntil(Instant),
}

impl Watch {
    pub(super) const fn due(self) -> Instant {
        match self {
            Self::AskAt(at) | Self::AnswerUntil(at) => at,
        }
    }
}

impl Running {
    pub(super) fn job(&self) -> Job {
        Job { id: self.id, size: self.size, completed: (self.completed as u64).min(self.size) }
    }

    fn is_done(&self) -> bool {
        self.size as f64 - self.completed < NOTHING
    }
}

/// The jobs of an element.
#[derive(Debug)]
pub(super) struct Jobs {
    /// Calculations per second.
    capacity: f64,
    jobs: Vec<Running>,
    /// Until when the work is counted.
    now: Instant,
}

impl Jobs {
    pub(super) const fn new(capacity: f64) -> Self {
        Self { capacity, jobs: Vec::new(), now: Instant::ORIGIN }
    }

    /// Until when the work is counted.
    pub(super) const fn now(&self) -> Instant {
        self.now
    }

    /// When the next user is to be asked, or has to have answered.
    pub(super) fn next_watch(&self) -> Option<Instant> {
        self.jobs.iter().map(|job| job.watch.due()).min()
    }

    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Running> {
        self.jobs.iter_mut()
    }

    pub(super) fn find(&mut self, session: AssociationId, id: u32) -> Option<&mut Running> {
        self.jobs.iter_mut().find(|job| job.session == session && job.id == id)
    }

    /// Counts the work that was done until now.
    pub(super) fn advance(&mut self, now: Instant) {
        let each = now.since(self.now).as_secs_f64() * self.share();
        for job in &mut self.jobs {
            job.completed = (job.completed + each).min(job.size as f64);
        }
        self.now = self.now.max(now);
    }

    /// A job begins, or goes on where its cookie says.
    pub(super) fn begin(&mut self, session: AssociationId, job: Job, watch: Watch) {
        let completed = job.completed as f64;
        let cookie = (completed, self.now);
        self.jobs.push(Running { session, id: job.id, size: job.size, completed, cookie, watch });
    }

    pub(super) fn remove(&mut self, session: AssociationId, id: u32) {
        self.jobs.retain(|job| job.session != session || job.id != id);
    }

    /// How far the jobs of a session have come.
    pub(super) fn of_session(&self, session: AssociationId) -> Vec<(AssociationId, Job)> {
        let jobs = self.jobs.iter().filter(|job| job.session == session);
        jobs.map(|job| (job.session, job.job())).collect()
    }

    pub(super) fn remove_session(&mut self, session: AssociationId) {
        self.jobs.retain(|job| job.session != session);
    }

    /// Takes out the jobs that are done.
    pub(super) fn take_done(&mut self) -> Vec<Running> {
        self.jobs.extract_if(.., |job| job.is_done()).collect()
    }

    /// Whose cookie is due: so many calculations, or so much time after the last one.
    pub(super) fn cookies(&mut self, calculations: u64, time: Duration) -> Vec<(AssociationId, Job)> {
        let mut due = Vec::new();
        for job in &mut self.jobs {
            let (completed, at) = job.cookie;
            if job.completed - completed + NOTHING >= calculations as f64 || at + time <= self.now {
                job.cookie = (job.completed, self.now);
                due.push((job.session, job.job()));
            }
        }
        due
    }

    /// When a job is done or a cookie is due, if nothing changes before.
    pub(super) fn due(&self, calculations: u64, time: Duration) -> Option<Instant> {
        let share = self.share();
        let after = |work: f64| self.now + Duration::from_secs_f64((work.max(0.0) / share).min(1e9));
        let due = |job: &Running| {
            let done = after(job.size as f64 - job.completed);
            let worked = after(job.cookie.0 + calculations as f64 - job.completed);
            done.min(worked).min(job.cookie.1 + time)
        };
        self.jobs.iter().map(due).min()
    }

    /// The calculations per second that each job gets.
    fn share(&self) -> f64 {
        self.capacity / self.jobs.len().max(1) as f64
    }
}
