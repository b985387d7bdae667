//! How many answers to strangers a stack may give, so that it cannot be used to flood a third party, and so that
//! who asks too much does not use up the share of others.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use rserpool_core::base::{Instant, Source};

/// The most sockets whose answers are counted in a second.
const MAX_TRACKED: usize = 8192;

/// How many answers may still be given within this second.
#[derive(Debug)]
pub(super) struct Allowance {
    limits: Limits,
    /// When the second began.
    since: Instant,
    given: u32,
    /// What sources and sockets were given in this second.
    sources: BTreeMap<Source, u32>,
    sockets: BTreeMap<SocketAddr, u32>,
}

/// The most answers in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) all: u32,
    /// To one source.
    pub(super) source: u32,
    /// To one address and UDP port: a process.
    pub(super) socket: u32,
}

impl Allowance {
    pub(super) fn new(limits: Limits) -> Self {
        let (sources, sockets) = Default::default();
        Self { limits, since: Instant::ORIGIN, given: 0, sources, sockets }
    }

    pub(super) fn take(&mut self, now: Instant, to: SocketAddr) -> bool {
        if now.since(self.since) >= Duration::from_secs(1) {
            self.since = now;
            self.given = 0;
            self.sources.clear();
            self.sockets.clear();
        }
        let source = Source::of(to.ip());
        let of_source = self.sources.get(&source).copied().unwrap_or_default();
        let of_socket = self.sockets.get(&to).copied().unwrap_or_default();
        let Limits { all, source: most_of_source, socket: most_of_socket } = self.limits;
        if self.given >= all || of_source >= most_of_source || of_socket >= most_of_socket {
            return false;
        }
        self.given = self.given.saturating_add(1);
        // A flood from so many cannot be told from a crowd.
        if self.sockets.len() < MAX_TRACKED || of_socket > 0 {
            self.sources.insert(source, of_source + 1);
            self.sockets.insert(to, of_socket + 1);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn sockets_sources_and_all_have_their_shares() {
        let mut allowance = Allowance::new(Limits { all: 20, source: 8, socket: 3 });
        let mut taken = |millis, host: u8, port| {
            let to = SocketAddr::from(([192, 0, 2, host], port));
            (0..100).filter(|_| allowance.take(at(millis), to)).count()
        };
        assert_eq!([1, 2, 3].map(|port| taken(5000, 1, port)), [3, 3, 2]);
        assert_eq!([2, 3, 4, 5, 6].map(|host| taken(5000, host, 1)), [3, 3, 3, 3, 0]);
        assert_eq!(taken(5999, 7, 1), 0);
        assert_eq!((taken(6000, 1, 1), allowance.sources.len()), (3, 1));
    }
}
