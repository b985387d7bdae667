//! Means with their intervals, and the sign test.

use serde::{Deserialize, Serialize};

/// A mean over runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Half the width of its 95 % confidence interval, by Student's distribution; `None` for a single run, about which
    /// nothing can be said.
    pub ci95: Option<f64>,
}

impl Mean {
    /// The mean of these values.
    pub fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / n };
        let ci95 = (values.len() > 1).then(|| {
            let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
            quantile_975(values.len() - 1) * (variance / n).sqrt()
        });
        Self { mean, ci95 }
    }
}

/// The quantile of 97.5 % of Student's distribution with so many degrees of freedom.
fn quantile_975(freedom: usize) -> f64 {
    const FIRST: [f64; 10] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];
    if let Some(quantile) = freedom.checked_sub(1).and_then(|n| FIRST.get(n)) {
        return *quantile;
    }
    // The expansion of Cornish and Fisher around the normal distribution, good to 0.001 from here on.
    let (z, n) = (1.959_964_f64, freedom as f64);
    let (z3, z5, z7) = (z.powi(3), z.powi(5), z.powi(7));
    z + (z3 + z) / (4.0 * n)
        + (5.0 * z5 + 16.0 * z3 + 3.0 * z) / (96.0 * n.powi(2))
        + (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * z) / (384.0 * n.powi(3))
}

/// The sign test: how often the first of each pair is larger, among those that differ, and how probable it is that this
/// happens so often by chance.
pub(super) fn sign_test(pairs: impl Iterator<Item = (f64, f64)>) -> (u32, u32, f64) {
    let (mut wins, mut differ) = (0, 0);
    for (a, b) in pairs.filter(|(a, b)| a != b) {
        differ += 1;
        wins += u32::from(a > b);
    }
    // The sum of binomial probabilities from `wins` on.
    let mut term = 0.5_f64.powi(differ as i32);
    let mut chance = 0.0;
    for k in 0..=differ {
        if k >= wins {
            chance += term;
        }
        term *= f64::from(differ - k) / f64::from(k + 1);
    }
    (wins, differ, chance.min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_tables() {
        for (freedom, quantile) in
            [(1, 12.706), (10, 2.228), (11, 2.201), (29, 2.045), (49, 2.010), (999, 1.962)]
        {
            assert!((quantile_975(freedom) - quantile).abs() < 0.001, "{freedom}: {}", quantile_975(freedom));
        }
        let mean = Mean::of(&[1.0, 2.0, 3.0]);
        assert_eq!(mean.mean, 2.0);
        assert!((mean.ci95.unwrap_or_default() - 4.303 / 3.0_f64.sqrt()).abs() < 1e-9);
        assert_eq!(Mean::of(&[5.0]).ci95, None);
    }

    #[test]
    fn eight_of_ten_are_not_certain_and_ten_are() {
        let pairs = |wins: u32| (0..10).map(move |n| if n < wins { (1.0, 0.0) } else { (0.0, 1.0) });
        let (wins, differ, chance) = sign_test(pairs(8));
        assert_eq!((wins, differ), (8, 10));
        assert!((chance - 56.0 / 1024.0).abs() < 1e-12, "{chance}");
        assert!((sign_test(pairs(10)).2 - 1.0 / 1024.0).abs() < 1e-12);
        assert_eq!(sign_test([(1.0, 1.0)].into_iter()), (0, 0, 1.0));
    }
}
