//! Who has founded the pools: one source, or one peer, may take half of the room at most, and one association a
//! quarter, so that none can keep all others out.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::base::{AssociationId, PoolHandle, RegistrarId, Source};

/// Up to this number the room is not divided: a scope that allows for so little is not open to strangers.
const UNDIVIDED: usize = 64;

/// For whom a share is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holder {
    /// Elements of ours from one place.
    Source(Source),
    /// The same over one association.
    Association(AssociationId),
    /// Another registrar, with what it tells us of its elements.
    Peer(RegistrarId),
}

impl Holder {
    /// The most of a limit that it may take.
    pub(super) fn share(self, limit: usize) -> usize {
        let part = match self {
            Self::Source(_) | Self::Peer(_) => 2,
            Self::Association(_) => 4,
        };
        (limit / part).max(limit.min(UNDIVIDED))
    }
}

/// Who has founded which pool, as long as the pool lasts.
#[derive(Debug, Default)]
pub(super) struct Founders {
    of: BTreeMap<PoolHandle, Vec<Holder>>,
    pools: BTreeMap<Holder, usize>,
}

impl Founders {
    /// Whether all of these may found one more pool, of so many in all.
    pub(super) fn may_found(&self, holders: &[Holder], limit: usize) -> bool {
        let count = |holder: &Holder| self.pools.get(holder).copied().unwrap_or_default();
        holders.iter().all(|holder| count(holder) < holder.share(limit))
    }

    pub(super) fn found(&mut self, pool: &PoolHandle, holders: &[Holder]) {
        let before = self.of.insert(pool.clone(), holders.into());
        debug_assert!(before.is_none(), "{pool} is founded twice");
        for holder in holders {
            *self.pools.entry(*holder).or_default() += 1;
        }
    }

    /// A pool is gone.
    pub(super) fn forget(&mut self, pool: &PoolHandle) {
        for holder in self.of.remove(pool).into_iter().flatten() {
            if let Some(count) = self.pools.get_mut(&holder) {
                *count -= 1;
                if *count == 0 {
                    self.pools.remove(&holder);
                }
            }
        }
    }
}
