//! The users of the paper: a request, its result, time to think, the next request.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rserpool_core::base::{Instant, PoolHandle, Random};
use rserpool_core::user::{Notice, UserError};
use rserpool_services::calc_app::{CalcAppClient, CalcAppClientConfig, Report};

use super::draws::{exponential, exponential_time, varied};
use super::scenario::Scenario;
use crate::id::HostId;
use crate::random::{Purpose, stream};
use crate::services::{After, Application};

/// What the users of a run have seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) completed: u64,
    /// From the wish to the result.
    pub(super) handling: Duration,
    pub(super) rejected: u64,
    pub(super) failovers: u64,
    /// From the failure of an element to its replacement.
    pub(super) failing_over: Duration,
    /// Attempts to open a session that found an empty pool.
    pub(super) empty: u64,
}

/// Users of one run add to one tally.
pub(super) type SharedTally = Arc<Mutex<Tally>>;

/// What all users of a run have in common.
#[derive(Clone, Debug)]
pub(super) struct Habits {
    request_size: f64,
    think_s: f64,
    reject_pause_s: f64,
    empty_pool_pause: Duration,
    client: CalcAppClientConfig,
    pool: PoolHandle,
}

impl Habits {
    pub(super) fn of(scenario: &Scenario, pool: PoolHandle) -> Self {
        let mut client = CalcAppClientConfig::default();
        client.keep_alive_interval = Duration::from_secs_f64(scenario.session_keep_alive_interval_s);
        client.keep_alive_timeout = Duration::from_secs_f64(scenario.session_keep_alive_timeout_s);
        Self {
            request_size: scenario.request_size,
            think_s: scenario.think_s,
            reject_pause_s: scenario.reject_pause_s,
            empty_pool_pause: Duration::from_secs_f64(scenario.empty_pool_pause_s),
            client,
            pool,
        }
    }
}

/// The application of one user.
#[derive(Debug)]
pub(super) struct Calculating {
    habits: Arc<Habits>,
    tally: SharedTally,
    sizes: Random,
    pauses: Random,
    /// The request that is not done yet, and since when it is wanted.
    wanted: Option<(u64, Instant)>,
    /// When the element of the session failed, until it is replaced.
    failed: Option<Instant>,
}

impl Calculating {
    pub(super) fn new(habits: Arc<Habits>, tally: SharedTally, seed: u64, host: HostId) -> Self {
        let (sizes, pauses) = (stream(seed, host, Purpose::Sizes), stream(seed, host, Purpose::Pauses));
        Self { habits, tally, sizes, pauses, wanted: None, failed: None }
    }

    fn note(&self, add: impl FnOnce(&mut Tally)) {
        if let Ok(mut tally) = self.tally.lock() {
            add(&mut tally);
        }
    }
}

impl Application for Calculating {
    type Client = CalcAppClient;

    fn next(&mut self, now: Instant, after: After) -> Option<(Instant, PoolHandle)> {
        self.failed = None;
        let at = match after {
            After::Start | After::Session => {
                let at = now + exponential_time(&mut self.pauses, self.habits.think_s);
                let size = exponential(&mut self.sizes, self.habits.request_size).max(1.0) as u64;
                self.wanted = Some((size, at));
                at
            }
            After::NotOpened(UserError::UnknownPool) => {
                self.note(|tally| tally.empty += 1);
                now + self.habits.empty_pool_pause
            }
            // It has waited for elements that do not answer; others may.
            After::NotOpened(_) | After::Lost(_) => now + Duration::from_millis(1),
        };
        Some((at, self.habits.pool.clone()))
    }

    fn begin(&mut self, now: Instant) -> CalcAppClient {
        let mut config = self.habits.client;
        config.reject_pause = varied(&mut self.pauses, self.habits.reject_pause_s);
        let mut client = CalcAppClient::new(config);
        if let Some((size, _)) = self.wanted {
            client.begin(now, size);
        }
        client
    }

    fn report(&mut self, now: Instant, client: &mut CalcAppClient, report: Report) {
        match report {
            Report::Completed { .. } => {
                if let Some((_, since)) = self.wanted.take() {
                    self.note(|tally| {
                        tally.completed += 1;
                        tally.handling += now.since(since);
                    });
                }
                client.finish();
            }
            Report::Rejected { .. } => self.note(|tally| tally.rejected += 1),
            _ => {}
        }
    }

    fn notice(&mut self, now: Instant, notice: &Notice) {
        match notice {
            Notice::ElementFailed { .. } => self.failed = Some(now),
            Notice::FailedOver { .. } => {
                if let Some(failed) = self.failed.take() {
                    self.note(|tally| {
                        tally.failovers += 1;
                        tally.failing_over += now.since(failed);
                    });
                }
            }
            _ => {}
        }
    }
}
