//! Pools and their elements, as a registrar keeps them (RFC 5352 section 3.1, RFC 5353 3.6.2).
//!
//! A handlespace checks that an element fits its pool, selects elements by the pool's policy, keeps
//! the checksum over the elements of every home registrar and a deadline for each element. It knows
//! no association and no message, and not what the deadlines are for.

mod checksum;
mod index;
mod pool;
mod slab;
mod watch;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

pub use checksum::Checksum;
use index::Index;
pub use pool::{Inconsistent, Pool, Selected};

use crate::base::{ElementId, PoolHandle, Random, RegistrarId};
use crate::policy::{Policies, Slot};
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
#[non_exhaustive]
pub enum AdmissionError {
    /// Nothing here selects by this policy.
    #[error("policy {} is not supported; add it to the policies of the registrar", .0.name())]
    UnsupportedPolicy(Policy),
    /// The element does not fit its pool.
    #[error(transparent)]
    Inconsistent(Inconsistent),
    /// A limit is reached.
    #[error("the limit of {0} is reached; raise it, or let some leave")]
    Full(&'static str),
}

/// All pools of an operational scope.
#[derive(Debug)]
pub struct Handlespace {
    /// Pools by number; a number is used again when its pool is gone.
    pools: Vec<Option<Pool>>,
    unused: Vec<u32>,
    by_handle: BTreeMap<PoolHandle, u32>,
    /// The same for most handles, at once.
    index: Index,
    checksums: BTreeMap<RegistrarId, Checksum>,
    elements: usize,
    limits: Limits,
    policies: Policies,
    /// The pool of the last selection or registration.
    recent: u32,
    /// The slots of the last selection: memory that is used again.
    selected: Vec<Slot>,
    watches: watch::Watches,
}

impl Handlespace {
    /// An empty handlespace with the built-in policies.
    pub fn new(limits: Limits) -> Self {
        Self::with_policies(limits, Policies::default())
    }

    /// An empty handlespace whose pools select by these policies.
    pub fn with_policies(limits: Limits, policies: Policies) -> Self {
        Self {
            pools: Vec::new(),
            unused: Vec::new(),
            by_handle: BTreeMap::new(),
            index: Index::default(),
            checksums: BTreeMap::new(),
            elements: 0,
            limits,
            policies,
            recent: 0,
            selected: Vec::new(),
            watches: watch::Watches::default(),
        }
    }

    /// Admits an element to a pool, which is created if it does not exist, or renews its
    /// attributes. An element that is refused leaves everything as it was.
    pub fn admit(&mut self, handle: &PoolHandle, element: PoolElement) -> Result<Admission, AdmissionError> {
        let (id, home) = (element.id, element.home);
        let Some(number) = self.number(handle) else {
            if self.by_handle.len() >= self.limits.pools {
                return Err(AdmissionError::Full("pools"));
            }
            if self.elements >= self.limits.elements {
                return Err(AdmissionError::Full("elements"));
            }
            self.found(handle, element)?;
            self.entered(handle, id, home);
            return Ok(Admission::New);
        };
        self.recent = number;
        let Some(pool) = self.pools[number as usize].as_mut() else {
            return Err(AdmissionError::Full("pools"));
        };
        pool.check(&element).map_err(AdmissionError::Inconsistent)?;
        let Some(slot) = pool.slot(id) else {
            if pool.len() >= self.limits.elements_per_pool {
                return Err(AdmissionError::Full("elements in a pool"));
            }
            if self.elements >= self.limits.elements {
                return Err(AdmissionError::Full("elements"));
            }
            pool.insert(element);
            self.entered(handle, id, home);
            return Ok(Admission::New);
        };
        let before = pool.renew(slot, element);
        if before != Some(home) {
            self.checksums.entry(home).or_default().add(handle, id);
            self.forget_checksum(handle, id, before.unwrap_or(home));
        }
        Ok(Admission::Renewed)
    }

    /// The handle as it is kept: shared with its pool, or, if that is new, a copy that does not
    /// hold on to the message it came in.
    pub fn intern(&self, handle: &PoolHandle) -> PoolHandle {
        match self.pool(handle) {
            Some(pool) => pool.handle().clone(),
            None => PoolHandle::new(bytes::Bytes::copy_from_slice(handle.as_bytes())),
        }
    }

    /// Removes an element, and its pool with the last one.
    pub fn remove(&mut self, pe: &PeHandle) -> Option<PoolElement> {
        let number = self.number(&pe.pool)?;
        let pool = self.pools[number as usize].as_mut()?;
        let slot = pool.strike(pe.element)?;
        let (home, last) = (pool.at(slot)?.home, pool.is_empty());
        self.disarm(number, slot);
        self.elements -= 1;
        self.forget_checksum(&pe.pool, pe.element, home);
        if last {
            self.unused.push(number);
            self.by_handle.remove(&pe.pool);
            self.index.remove(pe.pool.as_bytes(), number);
            return self.pools[number as usize].take()?.take(slot);
        }
        self.pools[number as usize].as_mut()?.take(slot)
    }

    /// An element.
    pub fn get(&self, pe: &PeHandle) -> Option<&PoolElement> {
        self.pool(&pe.pool)?.get(pe.element)
    }

    /// A pool.
    pub fn pool(&self, handle: &PoolHandle) -> Option<&Pool> {
        self.pools[self.number(handle)? as usize].as_ref()
    }

    /// All pools, in the order of their handles.
    pub fn pools(&self) -> impl Iterator<Item = (&PoolHandle, &Pool)> {
        self.numbered(self.by_handle.iter())
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
            Some(handle) => self.by_handle.range(handle..),
            None => self.by_handle.range::<PoolHandle, _>(..),
        };
        self.numbered(pools).flat_map(move |(handle, pool)| {
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
    ) -> Option<(&Policy, Selected<'_>)> {
        self.recent = self.number(handle)?;
        let pool = self.pools[self.recent as usize].as_mut()?;
        Some(pool.select(count, random, &mut self.selected))
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
        self.by_handle.len()
    }

    /// How many elements there are in all pools.
    pub const fn element_count(&self) -> usize {
        self.elements
    }

    fn number(&self, handle: &PoolHandle) -> Option<u32> {
        let at = |number: u32| self.pools.get(number as usize).and_then(Option::as_ref);
        let is_it = |number: u32| at(number).is_some_and(|pool| pool.is(handle));
        // Questions about one pool often come one after the other.
        if is_it(self.recent) {
            return Some(self.recent);
        }
        self.index.find(handle.as_bytes(), is_it).or_else(|| self.by_handle.get(handle).copied())
    }

    fn numbered<'a>(
        &'a self,
        pools: impl Iterator<Item = (&'a PoolHandle, &'a u32)>,
    ) -> impl Iterator<Item = (&'a PoolHandle, &'a Pool)> {
        pools.filter_map(|(handle, number)| Some((handle, self.pools[*number as usize].as_ref()?)))
    }

    /// Founds a pool with its first element.
    fn found(&mut self, handle: &PoolHandle, element: PoolElement) -> Result<(), AdmissionError> {
        let mut pool = Pool::founded_by(handle.clone(), &element, &self.policies)
            .ok_or_else(|| AdmissionError::UnsupportedPolicy(element.policy.clone()))?;
        pool.insert(element);
        let number = self.unused.pop().unwrap_or_else(|| {
            self.pools.push(None);
            (self.pools.len() - 1) as u32
        });
        self.pools[number as usize] = Some(pool);
        self.by_handle.insert(handle.clone(), number);
        if self.index.grow(self.by_handle.len()) {
            for (handle, number) in &self.by_handle {
                self.index.add(handle.as_bytes(), *number);
            }
        } else {
            self.index.add(handle.as_bytes(), number);
        }
        Ok(())
    }

    /// A new element is in its pool: count it.
    fn entered(&mut self, handle: &PoolHandle, element: ElementId, home: RegistrarId) {
        self.elements += 1;
        self.checksums.entry(home).or_default().add(handle, element);
    }

    /// Takes an element out of its home's checksum, and the checksum of nothing out of the map.
    fn forget_checksum(&mut self, handle: &PoolHandle, element: ElementId, home: RegistrarId) {
        if let Some(checksum) = self.checksums.get_mut(&home) {
            checksum.remove(handle, element);
            if checksum.elements() == 0 {
                self.checksums.remove(&home);
            }
        }
    }
}

#[cfg(test)]
mod tests;
