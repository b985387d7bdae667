//! How long an element waits between two attempts of a kind, so that a registrar that undoes each of them at
//! once does not make it send a flood.

use core::time::Duration;

/// The shortest time between two attempts. A shorter timer of the RFC is used instead.
const PACE: Duration = Duration::from_millis(500);

/// The time from one attempt to the next, after so many that came to nothing: the timer, doubled for each after
/// the first, and at most `longest`.
pub(super) fn pause(vain: u32, timer: Duration, longest: Duration) -> Duration {
    let Some(doublings) = vain.checked_sub(1) else { return PACE.min(timer) };
    let factor = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
    timer.saturating_mul(factor).min(longest)
}
