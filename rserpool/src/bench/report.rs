//! What was measured, for people and for programs.

use std::time::Duration;

use serde::Serialize;

use super::{BenchCommand, Latency, Mode, Tally, Times};
use crate::exit::Failure;
use crate::output;

/// What was measured.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    mode: Mode,
    elements: usize,
    /// From the start of the first to the registration of the last.
    registrations_per_second: f64,
    /// From its start to its registration, of each element.
    registration: Latency,
    /// Elements that lost their place while the registrar was loaded, and came back.
    registered_again: u64,
    users: usize,
    /// How many questions or calls a second were to be made; null if as many as are answered.
    asked_per_second: Option<f64>,
    duration_s: f64,
    #[serde(flatten)]
    measured: Measured,
}

/// What differs between the modes.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Measured {
    Resolve {
        resolutions: u64,
        resolutions_per_second: f64,
        resolution: Latency,
        failed: u64,
        not_asked: u64,
    },
    Register {
        rounds: u64,
    },
    Session {
        #[serde(flatten)]
        calls: Calls,
    },
    Failover {
        #[serde(flatten)]
        calls: Calls,
        /// Elements killed.
        kills: u64,
        /// Sessions that went to another element.
        failovers: u64,
        /// How long a call took in which its session went to another element.
        gap: Latency,
    },
}

#[derive(Debug, Serialize)]
pub(super) struct Calls {
    calls: u64,
    calls_per_second: f64,
    call: Latency,
    failed: u64,
    not_asked: u64,
}

impl Calls {
    fn of(tally: &Tally, time: Duration) -> Self {
        Self {
            calls: tally.times.count(),
            calls_per_second: tally.times.count() as f64 / time.as_secs_f64(),
            call: Latency::of(&tally.times),
            failed: tally.failed,
            not_asked: tally.not_asked,
        }
    }
}

impl Measured {
    pub(super) fn resolve(tally: &Tally, time: Duration) -> Self {
        Self::Resolve {
            resolutions: tally.times.count(),
            resolutions_per_second: tally.times.count() as f64 / time.as_secs_f64(),
            resolution: Latency::of(&tally.times),
            failed: tally.failed,
            not_asked: tally.not_asked,
        }
    }

    pub(super) fn session(tally: &Tally, time: Duration) -> Self {
        Self::Session { calls: Calls::of(tally, time) }
    }

    pub(super) fn failover(tally: &Tally, time: Duration, kills: u64) -> Self {
        let (calls, gap) = (Calls::of(tally, time), Latency::of(&tally.gaps));
        Self::Failover { calls, kills, failovers: tally.failovers, gap }
    }
}

impl Report {
    pub(super) fn new(
        command: &BenchCommand,
        time: Duration,
        (rate, registration, registered_again): (f64, &Times, u64),
        measured: Measured,
    ) -> Self {
        Self {
            mode: command.mode,
            elements: command.elements(),
            registrations_per_second: rate,
            registration: Latency::of(registration),
            registered_again,
            users: command.users(),
            asked_per_second: command.rate(),
            duration_s: time.as_secs_f64(),
            measured,
        }
    }

    pub(super) fn print(&self) -> Result<(), Failure> {
        output::line(format!(
            "{} elements registered, {:.0} per second, {} had to register again",
            self.elements, self.registrations_per_second, self.registered_again
        ))?;
        if self.elements > 0 {
            latency("  registration", &self.registration)?;
        }
        let users = (self.users, self.duration_s);
        match &self.measured {
            Measured::Register { rounds } => {
                output::line(format!("{rounds} times in {:.1} s", self.duration_s))
            }
            _ if self.users == 0 => Ok(()),
            Measured::Resolve { resolutions, resolutions_per_second, resolution, failed, not_asked } => {
                asked(users, ("resolutions", *resolutions, *resolutions_per_second), (*failed, *not_asked))?;
                latency("  resolution", resolution)
            }
            Measured::Session { calls } => calls.print(users),
            Measured::Failover { calls, kills, failovers, gap } => {
                calls.print(users)?;
                output::line(format!("{kills} elements killed, {failovers} failovers"))?;
                latency("  call with a failover", gap)
            }
        }
    }

    /// Whether all went well.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        let (failed, what) = match &self.measured {
            Measured::Resolve { failed, .. } => (*failed, "questions"),
            Measured::Session { calls } | Measured::Failover { calls, .. } => (calls.failed, "calls"),
            Measured::Register { .. } => (0, ""),
        };
        if failed == 0 { Ok(()) } else { Err(Failure::failed(format!("{failed} {what} failed"))) }
    }
}

impl Calls {
    fn print(&self, users: (usize, f64)) -> Result<(), Failure> {
        asked(users, ("calls", self.calls, self.calls_per_second), (self.failed, self.not_asked))?;
        latency("  call", &self.call)
    }
}

fn asked(
    (users, seconds): (usize, f64),
    (what, count, rate): (&str, u64, f64),
    (failed, not_asked): (u64, u64),
) -> Result<(), Failure> {
    let late = match not_asked {
        0 => String::new(),
        late => format!(", {late} not begun because the last ones took too long"),
    };
    output::line(format!(
        "{users} users: {count} {what} in {seconds:.1} s, {rate:.0} per second, {failed} failed{late}"
    ))
}

fn latency(name: &str, latency: &Latency) -> Result<(), Failure> {
    let Latency { p50_us, p90_us, p99_us, p999_us, max_us } = latency;
    output::line(format!(
        "{name} in us: 50 % {p50_us}, 90 % {p90_us}, 99 % {p99_us}, 99.9 % {p999_us}, max {max_us}"
    ))
}
