//! A bad network: delay, loss, reordering and duplication, decided by a seed.

use std::collections::BTreeMap;
use std::time::Duration;

use rserpool_core::base::{Instant, Random};

/// What a network does to datagrams, in each direction alike.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Link {
    /// The least time that a datagram takes.
    pub(super) delay: Duration,
    /// Up to this much is added to it at random, so that datagrams overtake each other.
    pub(super) jitter: Duration,
    /// Datagrams lost, in percent.
    pub(super) loss: u64,
    /// Datagrams that arrive twice, in percent.
    pub(super) duplication: u64,
}

/// Things on their way.
#[derive(Debug)]
pub(super) struct Wire<T> {
    link: Link,
    random: Random,
    travelling: BTreeMap<(Instant, u64), T>,
    sent: u64,
}

impl<T: Clone> Wire<T> {
    /// An empty wire.
    pub(super) fn new(link: Link, seed: u64) -> Self {
        Self { link, random: Random::new(seed), travelling: BTreeMap::new(), sent: 0 }
    }

    /// Sends a thing off, or loses it.
    pub(super) fn put(&mut self, now: Instant, thing: &T) {
        let copies = 1 + u64::from(self.random.below(100) < self.link.duplication);
        for _ in 0..copies {
            if self.random.below(100) < self.link.loss {
                continue;
            }
            let jitter = match u64::try_from(self.link.jitter.as_nanos()).unwrap_or(u64::MAX) {
                0 => Duration::ZERO,
                most => Duration::from_nanos(self.random.below(most)),
            };
            self.sent += 1;
            self.travelling.insert((now + self.link.delay + jitter, self.sent), thing.clone());
        }
    }

    /// When the next thing arrives.
    pub(super) fn next(&self) -> Option<Instant> {
        self.travelling.keys().next().map(|(at, _)| *at)
    }

    /// The next thing that has arrived by now.
    pub(super) fn take(&mut self, now: Instant) -> Option<T> {
        self.next().filter(|at| *at <= now)?;
        self.travelling.pop_first().map(|(_, thing)| thing)
    }
}
