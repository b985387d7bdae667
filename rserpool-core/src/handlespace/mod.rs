//! Pools and their elements, as a registrar keeps them (RFC 5352 section 3.1, RFC 5353 3.6.2).
//!
//! A handlespace checks that an element fits its pool, selects elements by the pool's policy and
//! keeps the checksum over the elements of every home registrar. It knows no association, no
//! timer and no message.

mod checksum;
mod pool;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

pub use checksum::Checksum;
pub use pool::{Inconsistent, Pool};

use crate::base::{ElementId, PoolHandle, Random, RegistrarId};
use crate::wire::{Policy, PoolElement};

/// A PE handle: the pool and, within it, the element (RFC 5352 section 1.1).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeHandle {
    /// The pool.
    pub pool: PoolHandle,
    /// The element.
    pub element: ElementId,
}

impl fmt::Display for PeHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.pool, self.element)
    }
}

impl fmt::Debug for PeHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How much a handlespace may hold, so that nobody fills a registrar's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Pools.
    pub pools: usize,
    /// Elements in one pool.
    pub elements_per_pool: usize,
    /// Elements in all pools.
    pub elements: usize,
}

/// What a granted registration did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The element is new.
    New,
    /// The element was there and has new attributes.
    Renewed,
}

/// Why an element is not admitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    /// Nothing here selects by this policy.
    #[error("policy {} is not supported", .0.name())]
    UnsupportedPolicy(Policy),
    /// The element does not fit its pool.
    #[error(transparent)]
    Inconsistent(Inconsistent),
    /// A limit is reached.
    #[error("the limit of {0} is reached")]
    Full(&'static str),
}

/// All pools of an operational scope.
#[derive(Debug)]
pub struct Handlespace {
    pools: BTreeMap<PoolHandle, Pool>,
    checksums: BTreeMap<RegistrarId, Checksum>,
    elements: usize,
    limits: Limits,
}

impl Handlespace {
    /// An empty handlespace.
    pub const fn new(limits: Limits) -> Self {
        Self { pools: BTreeMap::new(), checksums: BTreeMap::new(), elements: 0, limits }
    }

    /// Admits an element to a pool, which is created if it does not exist, or renews its
    /// attributes. An element that is refused leaves everything as it was.
    pub fn admit(&mut self, handle: &PoolHandle, element: PoolElement) -> Result<Admission, AdmissionError> {
        let previous = match self.pools.get_mut(handle) {
            Some(pool) => {
                pool.check(&element).map_err(AdmissionError::Inconsistent)?;
                if pool.get(element.id).is_none() {
                    if pool.len() >= self.limits.elements_per_pool {
                        return Err(AdmissionError::Full("elements in a pool"));
                    }
                    if self.elements >= self.limits.elements {
                        return Err(AdmissionError::Full("elements"));
                    }
                }
                self.checksums.entry(element.home).or_default().add(handle, element.id);
                pool.insert(element)
            }
            None => {
                if self.pools.len() >= self.limits.pools {
                    return Err(AdmissionError::Full("pools"));
                }
                if self.elements >= self.limits.elements {
                    return Err(AdmissionError::Full("elements"));
                }
                let pool = Pool::founded_by(&element)
                    .ok_or_else(|| AdmissionError::UnsupportedPolicy(element.policy.clone()))?;
                self.checksums.entry(element.home).or_default().add(handle, element.id);
                self.pools.entry(handle.clone()).or_insert(pool).insert(element)
            }
        };
        match previous {
            Some(old) => {
                self.forget_checksum(handle, &old);
                Ok(Admission::Renewed)
            }
            None => {
                self.elements += 1;
                Ok(Admission::New)
            }
        }
    }

    /// The handle as it is kept: shared with its pool, or, if that is new, a copy that does not
    /// hold on to the message it came in.
    pub fn intern(&self, handle: &PoolHandle) -> PoolHandle {
        match self.pools.get_key_value(handle) {
            Some((kept, _)) => kept.clone(),
            None => PoolHandle::new(bytes::Bytes::copy_from_slice(handle.as_bytes())),
        }
    }

    /// Removes an element, and its pool with the last one.
    pub fn remove(&mut self, pe: &PeHandle) -> Option<PoolElement> {
        let pool = self.pools.get_mut(&pe.pool)?;
        let element = pool.remove(pe.element)?;
        if pool.is_empty() {
            self.pools.remove(&pe.pool);
        }
        self.elements -= 1;
        self.forget_checksum(&pe.pool, &element);
        Some(element)
    }

    /// An element.
    pub fn get(&self, pe: &PeHandle) -> Option<&PoolElement> {
        self.pools.get(&pe.pool)?.get(pe.element)
    }

    /// A pool.
    pub fn pool(&self, handle: &PoolHandle) -> Option<&Pool> {
        self.pools.get(handle)
    }

    /// All pools, in the order of their handles.
    pub fn pools(&self) -> impl Iterator<Item = (&PoolHandle, &Pool)> {
        self.pools.iter()
    }

    /// Every element behind `after` in the order of pool handle and PE identifier: the order in
    /// which a handle table is downloaded.
    pub fn elements_after<'a>(
        &'a self,
        after: Option<&PeHandle>,
    ) -> impl Iterator<Item = (&'a PoolHandle, &'a PoolElement)> {
        let from = after.map(|pe| pe.pool.clone());
        let after = after.cloned();
        let pools = match from {
            Some(handle) => self.pools.range(handle..),
            None => self.pools.range::<PoolHandle, _>(..),
        };
        pools.flat_map(move |(handle, pool)| {
            let begin = after.as_ref().filter(|pe| pe.pool == *handle).map(|pe| pe.element);
            pool.elements_after(begin).map(move |element| (handle, element))
        })
    }

    /// Selects up to `count` elements of a pool; `None` if there is no such pool.
    pub fn select(
        &mut self,
        handle: &PoolHandle,
        count: usize,
        random: &mut Random,
    ) -> Option<(&Policy, Vec<&PoolElement>)> {
        self.pools.get_mut(handle).map(|pool| pool.select(count, random))
    }

    /// The PE checksum over the elements whose home is `home` (RFC 5353 section 3.6.2).
    pub fn checksum(&self, home: RegistrarId) -> u16 {
        self.checksums.get(&home).copied().unwrap_or_default().value()
    }

    /// How many elements have this home.
    pub fn owned(&self, home: RegistrarId) -> usize {
        self.checksums.get(&home).map_or(0, |checksum| checksum.elements() as usize)
    }

    /// Every home of an element, with the number of its elements and the PE checksum over them,
    /// in the order of the identifiers.
    pub fn homes(&self) -> impl Iterator<Item = (RegistrarId, usize, u16)> {
        self.checksums.iter().map(|(home, checksum)| (*home, checksum.elements() as usize, checksum.value()))
    }

    /// How many pools there are.
    pub fn pool_count(&self) -> usize {
        self.pools.len()
    }

    /// How many elements there are in all pools.
    pub const fn element_count(&self) -> usize {
        self.elements
    }

    /// Takes an element out of its home's checksum, and the checksum of nothing out of the map.
    fn forget_checksum(&mut self, handle: &PoolHandle, element: &PoolElement) {
        if let Some(checksum) = self.checksums.get_mut(&element.home) {
            checksum.remove(handle, element.id);
            if checksum.elements() == 0 {
                self.checksums.remove(&element.home);
            }
        }
    }
}

#[cfg(test)]
mod tests;
