//! Log lines that the network can cause, limited in their rate.

use std::collections::BTreeMap;
use std::time::Duration;

use rserpool_core::base::Instant;

/// So many lines of one kind may come at once.
const BURST: u32 = 20;
/// Then one per this interval: a flood from the network must not become a flood of the disk.
const INTERVAL: Duration = Duration::from_millis(500);

/// One token bucket per kind of line.
#[derive(Debug, Default)]
#[expect(unnameable_types, reason = "seals `Configuration`")]
pub struct Log {
    now: Instant,
    buckets: BTreeMap<&'static str, Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: u32,
    filled: Instant,
    suppressed: u64,
}

impl Log {
    /// Time moves on.
    pub(super) fn at(&mut self, now: Instant) -> &mut Self {
        self.now = now;
        self
    }

    /// Whether a line of this kind may be written now.
    pub(super) fn allow(&mut self, kind: &'static str) -> Option<Line> {
        let now = self.now;
        let bucket = self.buckets.entry(kind).or_insert(Bucket { tokens: BURST, filled: now, suppressed: 0 });
        let earned = now.since(bucket.filled).as_nanos() / INTERVAL.as_nanos();
        if earned > 0 {
            bucket.tokens = u32::try_from(earned).unwrap_or(BURST).saturating_add(bucket.tokens).min(BURST);
            bucket.filled = now;
        }
        if bucket.tokens == 0 {
            bucket.suppressed += 1;
            return None;
        }
        bucket.tokens -= 1;
        let suppressed = std::mem::take(&mut bucket.suppressed);
        Some(Line { suppressed: (suppressed > 0).then_some(suppressed) })
    }
}

/// The permission to write a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// How many lines of its kind were not written before it, if any.
    pub(super) suppressed: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_counted_per_kind() {
        let mut log = Log::default();
        let written = (0..100).filter(|_| log.allow("a").is_some()).count();
        assert_eq!(written, 20);
        assert_eq!(log.allow("b"), Some(Line { suppressed: None }));
        let later = Instant::ORIGIN + INTERVAL;
        assert_eq!(log.at(later).allow("a"), Some(Line { suppressed: Some(80) }));
        assert_eq!(log.allow("a"), None);
        assert_eq!(log.at(later + INTERVAL * 1000).allow("a"), Some(Line { suppressed: Some(1) }));
    }
}
