//! What the paper prints: requests completed in figure 6.

use crate::study::policy::PoolPolicy;

/// Availability, and the requests completed with Least Used, Round Robin and Random.
const COMPLETED: [(f64, [f64; 3]); 5] = [
    (1.0, [1260.0, 715.0, 714.0]),
    (0.66, [1104.0, 660.0, 651.0]),
    (0.5, [903.0, 556.0, 571.0]),
    (0.33, [573.0, 420.0, 429.0]),
    (0.1, [91.0, 75.0, 77.0]),
];

const ORDER: [PoolPolicy; 3] = [PoolPolicy::LeastUsed, PoolPolicy::RoundRobin, PoolPolicy::Random];

/// The requests completed, if they are printed.
pub(super) fn completed(policy: PoolPolicy, availability: f64) -> Option<f64> {
    let column = ORDER.iter().position(|other| *other == policy)?;
    COMPLETED.iter().find(|(at, _)| *at == availability).map(|(_, values)| values[column])
}

/// All of them, by policy, for a chart.
pub(super) fn overlay() -> Vec<(String, Vec<(f64, f64)>)> {
    let line = |policy: PoolPolicy| {
        let values = COMPLETED.iter().filter_map(|(at, _)| Some((*at, completed(policy, *at)?)));
        (format!("{policy:?}"), values.collect())
    };
    ORDER.map(line).into()
}
