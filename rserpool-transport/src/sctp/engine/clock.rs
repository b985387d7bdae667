//! Our time and the standard library's: the one place where this crate asks for the time.
//!
//! sctp-proto wants `std::time::Instant`, a type without any other constructor than `now`. One
//! such value is taken per stack and stands for our origin; which moment it was does not matter,
//! only differences do. So a stack runs on virtual time as well as on real time.

use rserpool_core::base::Instant;

#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    origin: std::time::Instant,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the type has no other constructor")]
    pub(super) fn new() -> Self {
        Self { origin: std::time::Instant::now() }
    }

    /// sctp-proto's form of our time. "Never" stands for what the library cannot hold.
    pub(super) fn outward(&self, at: Instant) -> std::time::Instant {
        self.origin.checked_add(at.since(Instant::ORIGIN)).unwrap_or(self.origin)
    }

    /// Our form of sctp-proto's time.
    pub(super) fn inward(&self, at: std::time::Instant) -> Instant {
        Instant::ORIGIN + at.saturating_duration_since(self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_is_exact() {
        let clock = Clock::new();
        for nanos in [0, 1, 999_999_999, 86_400_000_000_001, 1 << 60] {
            let at = Instant::from_nanos(nanos);
            assert_eq!(clock.inward(clock.outward(at)), at);
        }
        let _ = clock.outward(Instant::from_nanos(u64::MAX));
    }
}
