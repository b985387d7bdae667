//! The time on the calendar, from the time that is handed in: certificates have dates.

use core::time::Duration;
use std::sync::atomic::{AtomicU64, Ordering};

use rserpool_core::base::Instant;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

/// The seconds since 1970, as far as they have been told.
#[derive(Debug)]
pub(crate) struct Clock {
    /// At the origin of the instants.
    origin: Duration,
    seconds: AtomicU64,
}

impl Clock {
    pub(crate) const fn new(origin: Duration) -> Self {
        Self { origin, seconds: AtomicU64::new(origin.as_secs()) }
    }

    /// It is later than before. Several stacks may share a clock.
    pub(crate) fn advance(&self, now: Instant) {
        let seconds = (self.origin + now.since(Instant::ORIGIN)).as_secs();
        self.seconds.fetch_max(seconds, Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(self.seconds.load(Ordering::Relaxed)))
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.now())
    }
}
