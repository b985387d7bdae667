//! Distances, as the policies with a delay penalty use them (draft rserpool-delay section 2.1).

use core::time::Duration;

/// The distance in milliseconds for a delay: the multiple of `step` nearest to it, so that small differences
/// do not count. The delay is half a round-trip time, or the sum of several such delays. A step of zero
/// rounds to whole milliseconds.
pub fn distance(delay: Duration, step: Duration) -> u32 {
    let step = step.max(Duration::from_millis(1)).as_nanos();
    let steps = (delay.as_nanos() + step / 2) / step;
    u32::try_from(steps.saturating_mul(step) / 1_000_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_nearest_multiple() {
        let ms = Duration::from_millis;
        let rounded = [0, 24, 25, 26, 74, 75, 140].map(|delay| distance(ms(delay), ms(50)));
        assert_eq!(rounded, [0, 0, 50, 50, 50, 100, 150]);
        assert_eq!(distance(Duration::from_micros(1_499), Duration::ZERO), 1);
        assert_eq!(distance(Duration::MAX, ms(50)), u32::MAX);
    }
}
