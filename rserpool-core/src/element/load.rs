//! The load that the application tells, and when its registrar hears of it.

use core::time::Duration;

use crate::base::Instant;

/// A load is told at once, and those that follow within an interval are told as one when it ends.
#[derive(Debug, Default)]
pub(super) struct Loads {
    /// The newest one that was not told.
    waiting: Option<u32>,
    /// Until when nothing is told.
    quiet: Option<Instant>,
}

impl Loads {
    /// The application is loaded so much; returns what is to be told now.
    pub(super) fn set(&mut self, now: Instant, interval: Duration, load: u32) -> Option<u32> {
        self.waiting = Some(load);
        self.take_due(now, interval)
    }

    /// What is to be told now.
    pub(super) fn take_due(&mut self, now: Instant, interval: Duration) -> Option<u32> {
        if self.quiet.is_some_and(|until| now < until) {
            return None;
        }
        let load = self.waiting.take()?;
        self.quiet = Some(now + interval);
        Some(load)
    }

    /// When something is to be told.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.waiting.and(self.quiet)
    }
}
