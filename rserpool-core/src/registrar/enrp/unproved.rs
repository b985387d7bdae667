//! How often addresses are tried where nobody has ever answered.
//!
//! Lists, presences and announcements are not authenticated: whoever sends one can name addresses of somebody else. He may
//! not have us send much there, neither at a time nor in all, however many identifiers and ports he makes up.

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::base::{Instant, MAX_TRIED_ADDRESSES, SctpAddress, Source};

/// The most attempts at such addresses at a time, in all and at one source. Each sends an INIT, and some more until
/// MAX-TIME-NO-RESPONSE. More than an operational scope has registrars.
const MAX_AT_ONCE: usize = 16;
const MAX_AT_SOURCE: usize = 8;

/// After so many failures in a row, two full rounds, there is one attempt at a time at a source, and one for each contact,
/// until there was none for a while. Not fewer: a living registrar may be there that was cut off, and before it is taken
/// over it has to be asked.
const MAX_FAILURES: u32 = 16;
const PAUSE: Duration = Duration::from_secs(600);

/// The most sources that are remembered; there are no more contacts at a time.
const MAX_SOURCES: usize = 64;

/// What has come of attempts at such addresses.
#[derive(Debug, Default)]
pub(super) struct Unproved {
    failures: BTreeMap<Source, Failures>,
}

#[derive(Debug)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Unproved {
    /// Whether so many attempts have failed there that each contact gets no more than one.
    pub(super) fn is_doubted(&self, now: Instant, address: &SctpAddress) -> bool {
        sources(address).filter_map(|source| self.failures.get(&source)).any(|f| f.are_many(now))
    }

    /// An attempt has failed there.
    pub(super) fn failed(&mut self, now: Instant, address: &SctpAddress) {
        for source in sources(address) {
            if self.failures.len() >= MAX_SOURCES && !self.failures.contains_key(&source) {
                let oldest = self.failures.iter().min_by_key(|(_, failures)| failures.last);
                let oldest = oldest.map(|(source, _)| *source);
                oldest.map(|source| self.failures.remove(&source));
            }
            let failures = self.failures.entry(source).or_insert(Failures { count: 0, last: now });
            if now.since(failures.last) >= PAUSE {
                failures.count = 0;
            }
            failures.count = failures.count.saturating_add(1);
            failures.last = now;
        }
        debug_assert!(self.failures.len() <= MAX_SOURCES, "what is remembered is bounded");
    }

    /// Somebody has answered there.
    pub(super) fn answered(&mut self, address: &SctpAddress) {
        for source in sources(address) {
            self.failures.remove(&source);
        }
    }

    /// Whether there is room for one more attempt, beside those at these addresses.
    pub(super) fn has_room<'a>(
        &self,
        now: Instant,
        address: &SctpAddress,
        under_way: impl Iterator<Item = &'a SctpAddress> + Clone,
    ) -> bool {
        let at = |source| under_way.clone().filter(|other| sources(other).any(|s| s == source)).count();
        let most = if self.is_doubted(now, address) { 1 } else { MAX_AT_SOURCE };
        under_way.clone().count() < MAX_AT_ONCE && sources(address).all(|source| at(source) < most)
    }
}

impl Failures {
    fn are_many(&self, now: Instant) -> bool {
        self.count >= MAX_FAILURES && now.since(self.last) < PAUSE
    }
}

/// The sources of the addresses that an attempt uses.
fn sources(address: &SctpAddress) -> impl Iterator<Item = Source> {
    address.addresses.iter().take(MAX_TRIED_ADDRESSES).map(|address| Source::of(*address))
}
