//! How a registrar is at one moment, for those who watch over it.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Reverse;

use super::counters::Figures;
use super::{PeerStatus, Registrar, RegistrarStatus};
use crate::base::PoolHandle;
use crate::handlespace::Pool;
use crate::wire::Policy;

/// How a registrar is at one moment. Its size is bounded, however large the handlespace is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overview {
    /// Who it is, and whether it serves.
    pub status: RegistrarStatus,
    /// Its counters and sizes.
    pub figures: Box<Figures>,
    /// The other registrars, in the order of their identifiers.
    pub peers: Vec<PeerStatus>,
    /// The largest pools, the largest first; those of the same size in the order of their handles.
    pub pools: Vec<PoolFigures>,
}

/// The size of one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolFigures {
    /// Its handle.
    pub handle: PoolHandle,
    /// Its policy.
    pub policy: Policy,
    /// How many elements it has.
    pub elements: usize,
    /// How many of them have this registrar as their home.
    pub own_elements: usize,
}

impl Registrar {
    /// How it is at the time of the last input, with at most this many pools.
    pub fn overview(&self, most_pools: usize) -> Overview {
        Overview {
            status: self.status(),
            figures: Box::new(self.figures()),
            peers: self.peers(),
            pools: self.largest_pools(most_pools),
        }
    }

    fn largest_pools(&self, most: usize) -> Vec<PoolFigures> {
        let mut pools: Vec<(&PoolHandle, &Pool)> = self.elements.listing.pools().collect();
        // The sort keeps the order of the handles among pools of the same size.
        pools.sort_by_key(|(_, pool)| Reverse(pool.len()));
        pools.truncate(most);
        let mut own: BTreeMap<&PoolHandle, usize> = BTreeMap::new();
        for pe in self.elements.listing.names_of_home(self.ctx.id) {
            *own.entry(&pe.pool).or_default() += 1;
        }
        let figures = |(handle, pool): (&PoolHandle, &Pool)| PoolFigures {
            handle: handle.clone(),
            policy: pool.policy().clone(),
            elements: pool.len(),
            own_elements: own.get(handle).copied().unwrap_or(0),
        };
        pools.into_iter().map(figures).collect()
    }
}
