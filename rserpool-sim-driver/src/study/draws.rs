//! What is drawn from the seed of a run. Each purpose of each entity has a stream of its own, so that runs with the same
//! seed have the same sizes, failures and capacities, whatever else differs (common random numbers).

use std::time::Duration;

use rserpool_core::base::Random;

use super::scenario::{CapacityDraw, Scenario};
use crate::id::HostId;
use crate::random::{Purpose, stream};

/// A fraction, at least 0 and below 1.
fn fraction(random: &mut Random) -> f64 {
    (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// The quantile of a negative exponential distribution.
fn quantile(mean: f64, of: f64) -> f64 {
    -mean * (-of).ln_1p()
}

/// A negative exponentially distributed number.
pub(super) fn exponential(random: &mut Random, mean: f64) -> f64 {
    quantile(mean, fraction(random))
}

/// The same as a time.
pub(super) fn exponential_time(random: &mut Random, mean_s: f64) -> Duration {
    Duration::from_secs_f64(exponential(random, mean_s))
}

/// A time between half and one and a half times the mean.
pub(super) fn varied(random: &mut Random, mean_s: f64) -> Duration {
    Duration::from_secs_f64(mean_s * (0.5 + fraction(random)))
}

/// The capacities of the elements of a run.
pub(super) fn capacities(scenario: &Scenario, seed: u64) -> Vec<f64> {
    let n = scenario.elements as usize;
    let mut random = stream(seed, HostId(0), Purpose::Capacities);
    let drawn: Vec<f64> = match scenario.capacity_draw {
        CapacityDraw::Equal => vec![scenario.capacity; n],
        CapacityDraw::Exponential => (0..n).map(|_| exponential(&mut random, scenario.capacity)).collect(),
        CapacityDraw::Stratified => {
            let of = |k: usize| quantile(scenario.capacity, (k as f64 + 0.5) / n as f64);
            let mut all: Vec<f64> = (0..n).map(of).collect();
            for last in (1..n).rev() {
                all.swap(last, random.below(last as u64 + 1) as usize);
            }
            all
        }
    };
    drawn.into_iter().map(|capacity| capacity.max(scenario.capacity_min).max(1.0)).collect()
}

/// The failures of a host within a time: when each begins, and when it ends. The last one may end later.
pub(super) fn outages(
    seed: u64,
    host: HostId,
    until: Duration,
    uptime_s: f64,
    downtime_s: f64,
) -> Vec<(Duration, Duration)> {
    let mut random = stream(seed, host, Purpose::Outages);
    let mut outages = Vec::new();
    let mut at = exponential_time(&mut random, uptime_s);
    while at < until {
        let end = at + exponential_time(&mut random, downtime_s).max(Duration::from_nanos(1));
        outages.push((at, end));
        at = end + exponential_time(&mut random, uptime_s).max(Duration::from_nanos(1));
    }
    outages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stratified_capacities_are_the_same_in_every_run() {
        let scenario = Scenario { capacity_draw: CapacityDraw::Stratified, ..Scenario::default() };
        let sorted = |seed| {
            let mut drawn = capacities(&scenario, seed);
            drawn.sort_by(f64::total_cmp);
            drawn
        };
        assert_eq!(sorted(1), sorted(2));
        assert_ne!(capacities(&scenario, 1), capacities(&scenario, 2));
    }

    #[test]
    fn an_element_works_for_the_fraction_of_time_that_is_wanted() {
        let until = Duration::from_secs(10_000_000);
        let down: Duration =
            outages(7, HostId(3), until, 60.0, 60.0).iter().map(|(begin, end)| *end - *begin).sum();
        let fraction = down.as_secs_f64() / until.as_secs_f64();
        assert!((0.49..0.51).contains(&fraction), "{fraction}");
    }
}
