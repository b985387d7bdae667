//! How long things took, and when they were to begin.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::exit::Failure;

/// Microseconds that half of the times, and so on, do not exceed.
#[derive(Debug, Serialize)]
pub(super) struct Latency {
    pub(super) p50_us: u64,
    pub(super) p90_us: u64,
    pub(super) p99_us: u64,
    pub(super) p999_us: u64,
    pub(super) max_us: u64,
}

impl Latency {
    pub(super) fn of(times: &Times) -> Self {
        let micros = |quantile| times.0.value_at_quantile(quantile) / 1_000;
        Self {
            p50_us: micros(0.5),
            p90_us: micros(0.9),
            p99_us: micros(0.99),
            p999_us: micros(0.999),
            max_us: times.0.max() / 1_000,
        }
    }
}

/// Times as they were measured.
#[derive(Clone, Debug)]
pub(super) struct Times(Histogram<u64>);

impl Times {
    /// Nanoseconds with three digits; what lasts longer than an hour counts as one.
    pub(super) fn new() -> Self {
        const HOUR: u64 = 3_600_000_000_000;
        #[expect(clippy::expect_used, reason = "bounds and precision are constants that work")]
        Self(Histogram::new_with_bounds(1, HOUR, 3).expect("valid bounds"))
    }

    pub(super) fn note(&mut self, time: Duration) {
        self.0.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn count(&self) -> u64 {
        self.0.len()
    }

    pub(super) fn add(&mut self, other: &Self) -> Result<(), Failure> {
        self.0.add(&other.0).map_err(|error| Failure::failed(error.to_string()))
    }
}

/// When a user asks: at once when its last question is answered, or at times that were fixed before.
#[derive(Debug)]
pub(super) struct Pace {
    next: Instant,
    interval: Option<Duration>,
    until: Instant,
}

impl Pace {
    /// For one of several users, who together ask so many times a second, in turns.
    pub(super) fn new(
        (begin, until): (Instant, Instant),
        per_second: Option<f64>,
        place: usize,
        users: usize,
    ) -> Self {
        let of_all = per_second.map(|rate| Duration::from_secs_f64(1.0 / rate));
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let next = begin + of_all.unwrap_or_default().saturating_mul(count(place));
        Self { next, interval: of_all.map(|of_all| of_all.saturating_mul(count(users))), until }
    }

    /// Waits until the next question is to begin, and says when its time began: earlier than now if the last one
    /// took too long. What our own timer is late is not the time of who is asked. `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let Some(interval) = self.interval else { return (now < self.until).then_some(now) };
        if self.next.max(now) >= self.until {
            return None;
        }
        let intended = self.next;
        self.next += interval;
        if intended <= now {
            return Some(intended);
        }
        tokio::time::sleep_until(intended.into()).await;
        Some(Instant::now())
    }

    /// How many questions were to begin before the end and have not.
    pub(super) fn not_begun(&self) -> u64 {
        let Some(interval) = self.interval.filter(|interval| !interval.is_zero()) else { return 0 };
        let rest = self.until.saturating_duration_since(self.next).as_nanos();
        u64::try_from(rest.div_ceil(interval.as_nanos())).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(per_second: Option<f64>, place: usize) -> (Pace, Instant) {
        let begin = Instant::now();
        (Pace::new((begin, begin + Duration::from_secs(3600)), per_second, place, 4), begin)
    }

    #[tokio::test]
    async fn a_question_that_was_kept_waiting_begins_when_it_was_to() {
        let (mut pace, begin) = pace(Some(1e9), 2);
        assert_eq!(pace.next().await, Some(begin + Duration::from_nanos(2)), "users take turns");
        assert_eq!(
            pace.next().await,
            Some(begin + Duration::from_nanos(6)),
            "the clock has gone on meanwhile"
        );
    }

    #[tokio::test]
    async fn without_a_rate_a_question_follows_an_answer() {
        let (mut pace, begin) = pace(None, 2);
        assert!(pace.next().await >= Some(begin));
        assert_eq!(pace.not_begun(), 0);
    }

    #[test]
    fn what_was_not_begun_is_counted() {
        let begin = Instant::now();
        let pace = Pace::new((begin, begin + Duration::from_secs(10)), Some(8.0), 1, 4);
        assert_eq!(pace.not_begun(), 20, "2 a second, from an eighth of a second on");
    }
}
