//! Who has founded the pools: one source, or one peer, may take half of the room at most, so that it cannot keep
//! all others out.

use alloc::collections::BTreeMap;

use super::source::Source;
use crate::base::{PoolHandle, RegistrarId};

/// Up to this number the room is not divided: a scope that allows for so little is not open to strangers.
const UNDIVIDED: usize = 64;

/// The most of a limit that one holder may take.
pub(super) fn share(limit: usize) -> usize {
    (limit / 2).max(limit.min(UNDIVIDED))
}

/// For whom a share is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holder {
    /// Elements of ours from one place.
    Source(Source),
    /// Another registrar, with what it tells us of its elements.
    Peer(RegistrarId),
}

/// Who has founded which pool, as long as the pool lasts.
#[derive(Debug, Default)]
pub(super) struct Founders {
    of: BTreeMap<PoolHandle, Holder>,
    pools: BTreeMap<Holder, usize>,
}

impl Founders {
    /// How many pools there are of this founder.
    pub(super) fn count(&self, holder: Holder) -> usize {
        self.pools.get(&holder).copied().unwrap_or_default()
    }

    pub(super) fn found(&mut self, pool: &PoolHandle, holder: Holder) {
        let before = self.of.insert(pool.clone(), holder);
        debug_assert!(before.is_none(), "{pool} is founded twice");
        *self.pools.entry(holder).or_default() += 1;
    }

    /// A pool is gone.
    pub(super) fn forget(&mut self, pool: &PoolHandle) {
        let Some(holder) = self.of.remove(pool) else { return };
        if let Some(count) = self.pools.get_mut(&holder) {
            *count -= 1;
            if *count == 0 {
                self.pools.remove(&holder);
            }
        }
    }
}
