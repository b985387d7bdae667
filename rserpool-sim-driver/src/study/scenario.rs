//! The parameters of a scenario, with the values of the paper.

use serde::{Deserialize, Serialize};

use super::policy::PoolPolicy;

/// How the capacities of elements are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CapacityDraw {
    /// Each for itself, negative exponentially distributed.
    Exponential,
    /// The quantiles of that distribution, shuffled: each run has the same capacities at other elements, so that runs
    /// differ less.
    Stratified,
    /// All elements have the mean.
    Equal,
}

/// What happens to an element that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// Nothing gets to it or from it. It goes on working and keeps its identifier.
    Unreachable,
    /// Its process is killed with all its jobs, and started again with a new identifier.
    Crash,
    /// Its process is killed, and started again at another address with the same identifier.
    Move,
}

/// What an attacker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attack {
    /// It asks for elements and reports them as unreachable.
    Reports,
    /// It asks for elements.
    Resolutions,
    /// It registers elements that do not exist.
    Registrations,
}

macro_rules! scenario {
    ($($(#[doc = $doc:literal])+ $(#[serde($($serde:tt)*)])? $key:ident: $type:ty = $value:expr, $range:expr;)+) => {
        /// What a simulated world consists of and what happens in it. The default is the scenario of the paper with its
        /// calibrated profile.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        #[non_exhaustive]
        pub struct Scenario {
            $($(#[doc = $doc])+ $(#[serde($($serde)*)])? pub $key: $type,)+
        }

        impl Default for Scenario {
            fn default() -> Self {
                Self { $($key: $value,)+ }
            }
        }

        impl Scenario {
            /// The keys of all parameters, with what they mean.
            pub const KEYS: &'static [(&'static str, &'static str)] =
                &[$((stringify!($key), concat!($($doc),+)),)+];

            /// Checks the values.
            ///
            /// # Errors
            /// The first that cannot be.
            pub fn check(&self) -> Result<(), String> {
                $(within(stringify!($key), &self.$key, &$range)?;)+
                self.check_together()
            }
        }
    };
}

/// Values that a parameter can have.
enum Range {
    /// Numbers from the first to the second.
    From(f64, f64),
    /// All that its type has.
    Any,
}

const fn from(least: f64, most: f64) -> Range {
    Range::From(least, most)
}

/// What a parameter is as a number, if it is one.
trait Number {
    fn number(&self) -> Option<f64> {
        None
    }
}

impl Number for u32 {
    fn number(&self) -> Option<f64> {
        Some(f64::from(*self))
    }
}

impl Number for f64 {
    fn number(&self) -> Option<f64> {
        Some(*self)
    }
}

impl Number for bool {}
impl Number for PoolPolicy {}
impl Number for CapacityDraw {}
impl Number for Failure {}
impl Number for Attack {}

fn within(key: &str, value: &impl Number, range: &Range) -> Result<(), String> {
    match (value.number(), range) {
        (Some(value), Range::From(least, most)) if !(*least..=*most).contains(&value) => {
            Err(format!("{key} = {value}: it has to be from {least} to {most}"))
        }
        _ => Ok(()),
    }
}

/// A time that may be as long as one likes, within reason: a year.
const LONG: f64 = 31_536_000.0;

scenario! {
    /// Simulated time of a run, in seconds.
    duration_s: f64 = 1200.0, from(1.0, LONG);
    /// Registrars, all of which know each other.
    registrars: u32 = 1, from(1.0, 33.0);
    /// Pool elements. They know all registrars and prefer them in turns.
    elements: u32 = 9, from(1.0, 100_000.0);
    /// Pool users. They prefer registrars in turns, too.
    users: u32 = 18, from(0.0, 1_000_000.0);
    /// The selection policy of the pool.
    policy: PoolPolicy = PoolPolicy::LeastUsed, Range::Any;
    /// For policies with a delay penalty: the penalty for each millisecond, as a fraction of a full load.
    delay_penalty: f64 = 0.001, from(0.0, 1.0);

    /// The time that a packet takes in one direction, in milliseconds.
    delay_ms: f64 = 10.0, from(0.0, 60_000.0);
    /// At most so much is added to that, evenly distributed, in milliseconds.
    jitter_ms: f64 = 0.0, from(0.0, 60_000.0);
    /// The fraction of packets that is lost.
    loss: f64 = 0.0, from(0.0, 0.5);
    /// Sites. Elements are spread over them; registrars and users are at the first one.
    sites: u32 = 1, from(1.0, 1000.0);
    /// The time that a packet takes between two sites, in milliseconds.
    wan_delay_ms: f64 = 500.0, from(0.0, 60_000.0);

    /// The mean capacity of elements, in calculations per second.
    capacity: f64 = 2.2e6, from(1.0, 1e15);
    /// The least capacity of an element: smaller ones that are drawn become this.
    capacity_min: f64 = 250_000.0, from(0.0, 1e15);
    /// How capacities are drawn: `exponential`, `stratified` or `equal`.
    capacity_draw: CapacityDraw = CapacityDraw::Exponential, Range::Any;
    /// The most requests that an element works on at the same time. It rejects further ones. Its load is their number
    /// as a fraction of this one.
    max_jobs: u32 = 4, from(1.0, 10_000.0);
    /// The mean size of requests, in calculations, negative exponentially distributed.
    request_size: f64 = 1e7, from(1.0, 1e18);
    /// The mean time between the end of a request and the next one of the same user, in seconds, negative exponentially
    /// distributed.
    think_s: f64 = 10.0, from(0.0, LONG);
    /// The mean time after which a user tries another element if one has rejected its request, in seconds, varied by
    /// half.
    reject_pause_s: f64 = 1.0, from(0.001, LONG);
    /// How long a user waits for an element to accept a connection, in seconds.
    request_timeout_s: f64 = 10.0, from(0.001, LONG);
    /// After how long a user asks again if the pool is empty, in seconds.
    empty_pool_pause_s: f64 = 30.0, from(0.001, LONG);
    /// After how long a user whose session moves tries again if it has tried all elements that it was told, or the pool is
    /// empty, in seconds; it doubles three times.
    failover_pause_s: f64 = 0.25, from(0.001, LONG);
    /// After how long of silence users and elements ask each other for a sign of life while a request is in work, in
    /// seconds.
    session_keep_alive_interval_s: f64 = 5.0, from(0.001, LONG);
    /// How long the answer to that may take, in seconds.
    session_keep_alive_timeout_s: f64 = 5.0, from(0.001, LONG);
    /// An element leaves the state of a request with its user after so many calculations.
    cookie_interval: f64 = 5e6, from(1.0, 1e18);

    /// The mean time between two keep-alives of a registrar to one element, in seconds; it varies by half.
    keep_alive_interval_s: f64 = 5.0, from(0.001, 1_000_000.0);
    /// How long the answer to that may take, in seconds.
    keep_alive_timeout_s: f64 = 5.0, from(0.001, 1_000_000.0);
    /// The time between two registrations of an element, in seconds.
    reregistration_s: f64 = 5.0, from(0.001, 100_000.0);
    /// How long the answer to a registration or a question may take (T1, T2), in seconds.
    answer_timeout_s: f64 = 5.0, from(0.001, 1_000_000.0);
    /// The most elements in an answer to a user (MaxHResItems).
    max_elements: u32 = 4, from(1.0, 500.0);
    /// How long a user keeps such an answer (stale cache value), in seconds.
    cache_s: f64 = 0.0, from(0.0, LONG);
    /// How long a user does not select an element that has failed, unless there is no other one, in seconds.
    exclusion_s: f64 = 10.0, from(0.001, LONG);
    /// An element of which more reports than this say that it cannot be reached gets no second attempt (MaxBadPEReports).
    max_bad_reports: u32 = 3, from(0.0, 1_000_000.0);
    /// The shortest time between two keep-alives of a registrar to one element that reports cause, in seconds; 0: without
    /// a limit.
    prompt_interval_s: f64 = 1.0, from(0.0, 1_000_000.0);

    /// The fraction of time in which an element works.
    availability: f64 = 1.0, from(0.001, 1.0);
    /// The mean time for which an element fails, in seconds, negative exponentially distributed.
    downtime_s: f64 = 60.0, from(0.001, LONG);
    /// What that means: `unreachable`, `crash` or `move`.
    failure: Failure = Failure::Unreachable, Range::Any;
    /// The mean time for which a registrar works before it is killed, in seconds, negative exponentially distributed;
    /// 0 for ever.
    registrar_uptime_s: f64 = 0.0, from(0.0, LONG);
    /// The mean time after which it is started again, in seconds, negative exponentially distributed.
    registrar_downtime_s: f64 = 100.0, from(0.001, LONG);
    /// Whether registrars offer elements to those that have clearly fewer, by the takeover suggestion flag.
    takeover_suggestion: bool = true, Range::Any;
    /// The time between two heartbeats of a registrar to its peers, in seconds. A peer is asked for a sign of life after
    /// twice this and a second.
    heartbeat_s: f64 = 30.0, from(0.001, 100_000.0);

    /// Attackers, each on a host of its own.
    attackers: u32 = 0, from(0.0, 1000.0);
    /// What they do: `reports`, `resolutions` or `registrations`.
    attack: Attack = Attack::Reports, Range::Any;
    /// The time between two messages of an attacker, in seconds.
    attack_interval_s: f64 = 1.0, from(0.0001, LONG);
}

impl Scenario {
    /// The paper as it is printed, with short times where it is silent. Its own counts cannot come from it.
    pub fn literal() -> Self {
        Self { capacity: 1e6, request_timeout_s: 5.0, empty_pool_pause_s: 1.0, ..Self::default() }
    }

    /// The paper with the capacity and the times with which its counts come out.
    pub fn calibrated() -> Self {
        Self::default()
    }

    /// What no parameter says alone.
    fn check_together(&self) -> Result<(), String> {
        let hosts = self.registrars + self.elements + self.users + self.attackers;
        if hosts > 1_100_000 {
            return Err(format!("{hosts} hosts: there can be 1100000 at most"));
        }
        if self.reregistration_s > 280.0 && self.reregistration_s >= f64::from(self.registration_life()) {
            return Err(format!("reregistration_s = {}: it is too long", self.reregistration_s));
        }
        if self.sites > self.elements {
            return Err(format!("sites = {}: there are only {} elements", self.sites, self.elements));
        }
        Ok(())
    }

    /// The life of registrations in seconds: never in the way of re-registrations.
    pub(super) fn registration_life(&self) -> u32 {
        300.max((self.reregistration_s * 2.0) as u32)
    }

    /// The mean time between two failures of an element, in seconds.
    pub(super) fn uptime_s(&self) -> Option<f64> {
        (self.availability < 1.0).then(|| self.downtime_s * self.availability / (1.0 - self.availability))
    }
}
