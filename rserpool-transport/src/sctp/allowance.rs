//! How many answers to strangers a stack may give.

use std::time::Duration;

use rserpool_core::base::Instant;

/// How many answers may still be given within this second, so that this stack cannot be used to
/// flood a third party.
#[derive(Debug)]
pub(super) struct Allowance {
    left: u32,
    per_second: u32,
    /// When the second began.
    since: Instant,
}

impl Allowance {
    pub(super) const fn new(per_second: u32) -> Self {
        Self { left: per_second, per_second, since: Instant::ORIGIN }
    }

    pub(super) fn take(&mut self, now: Instant) -> bool {
        if now.since(self.since) >= Duration::from_secs(1) {
            self.left = self.per_second;
            self.since = now;
        }
        let allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        allowed
    }
}
