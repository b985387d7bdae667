//! Pools and their elements, as a registrar keeps them (RFC 5352 section 3.1, RFC 5353 3.6.2).
//!
//! A handlespace checks that an element fits its pool, selects elements by the pool's policy, and keeps
//! the checksum over the elements of every home registrar. It also keeps one deadline for each element,
//! beside the element because almost every message of one moves it; what is due then, its owner knows.
//! It knows associations and messages neither.

mod checksum;
mod index;
mod pool;
mod slab;
mod watch;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;
use core::ops::Bound;

pub use checksum::Checksum;
use index::Index;
pub use pool::{Inconsistent, Pool, Selected};

use crate::base::{ElementId, PoolHandle, Random, RegistrarId};
use crate::policy::{Policies, Slot};
use crate::wire::{Policy, PoolElement};

/// A PE handle (RFC 5352 section 1.1). Handles are ordered as a handle table is downloaded: by pool,
/// then by element.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeHandle {
    /// The pool handle; of zero octets in no registered element.
    pub pool: PoolHandle,
    /// The PE identifier, unique within the pool.
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
#[non_exhaustive]
pub struct Limits {
    /// The most pools.
    pub pools: usize,
    /// The most elements in one pool.
    pub elements_per_pool: usize,
    /// The most elements in all pools together.
    pub elements: usize,
}

impl Default for Limits {
    /// 10,000 pools, 100,000 elements in one pool, 200,000 in all.
    fn default() -> Self {
        Self { pools: 10_000, elements_per_pool: 100_000, elements: 200_000 }
    }
}

/// One of the [`Limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::pools`].
    #[error("pools")]
    Pools,
    /// [`Limits::elements_per_pool`].
    #[error("elements in a pool")]
    ElementsPerPool,
    /// [`Limits::elements`].
    #[error("elements")]
    Elements,
}

/// What a granted registration did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Admission {
    /// It brought an element that was not listed.
    New,
    /// It renewed the attributes of a listed element.
    Renewed,
}

/// Why an element is not admitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdmissionError {
    /// Nothing here selects by this policy.
    #[error("policy {} is not supported: add it to the policies of the registrar", .0.name())]
    UnsupportedPolicy(Policy),
    /// The element does not fit its pool.
    #[error(transparent)]
    Inconsistent(Inconsistent),
    /// A limit is reached.
    #[error("the limit of {0} is reached: raise it, or let some leave")]
    Full(Limit),
}

/// The elements of one home registrar. Without them every page of its handle table would cost a walk through
/// the elements of all others.
#[derive(Debug, Default)]
struct Home {
    checksum: Checksum,
    elements: BTreeSet<PeHandle>,
}

/// Who has said what is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// The element, in a registration or re-registration.
    ByElement,
    /// Somebody else, or its transport.
    ByOthers,
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
    homes: BTreeMap<RegistrarId, Home>,
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
            homes: BTreeMap::new(),
            elements: 0,
            limits,
            policies,
            recent: 0,
            selected: Vec::new(),
            watches: watch::Watches::default(),
        }
    }

    /// Admits an element to a pool, which is created if it does not exist, or renews its attributes.
    ///
    /// # Errors
    /// [`AdmissionError`]; everything is as it was then.
    pub fn admit(&mut self, handle: &PoolHandle, element: PoolElement) -> Result<Admission, AdmissionError> {
        self.enter(handle, element, Said::ByElement)
    }

    /// The same, if the attributes are not those of a registration, but what has become known of a listed
    /// element since: its load degradation goes on (RFC 5356 section 5.2.2 names only registrations).
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub fn amend(&mut self, handle: &PoolHandle, element: PoolElement) -> Result<Admission, AdmissionError> {
        self.enter(handle, element, Said::ByOthers)
    }

    fn enter(
        &mut self,
        handle: &PoolHandle,
        element: PoolElement,
        said: Said,
    ) -> Result<Admission, AdmissionError> {
        let (id, home) = (element.id, element.home);
        if let Some(number) = self.number(handle)
            && let Some(pool) = self.pools[number as usize].as_mut()
        {
            self.recent = number;
            pool.check(&element).map_err(AdmissionError::Inconsistent)?;
            if let Some(slot) = pool.slot(id) {
                let before = pool.renew(slot, element, said);
                if before != home {
                    let pe = PeHandle { pool: pool.handle().clone(), element: id };
                    self.leave_home(&pe, before);
                    self.enter_home(pe, home);
                }
                return Ok(Admission::Renewed);
            }
            if pool.len() >= self.limits.elements_per_pool {
                return Err(AdmissionError::Full(Limit::ElementsPerPool));
            }
            if self.elements >= self.limits.elements {
                return Err(AdmissionError::Full(Limit::Elements));
            }
            pool.insert(element);
            let pool = pool.handle().clone();
            self.enter_home(PeHandle { pool, element: id }, home);
        } else {
            if self.by_handle.len() >= self.limits.pools {
                return Err(AdmissionError::Full(Limit::Pools));
            }
            if self.elements >= self.limits.elements {
                return Err(AdmissionError::Full(Limit::Elements));
            }
            self.create_pool(handle, element)?;
            self.enter_home(PeHandle { pool: handle.clone(), element: id }, home);
        }
        self.elements += 1;
        Ok(Admission::New)
    }

    /// The handle as it is kept: shared with its pool, or, if that is new, a copy that does not
    /// hold on to the message it came in.
    pub fn intern(&self, handle: &PoolHandle) -> PoolHandle {
        match self.pool(handle) {
            Some(pool) => pool.handle().clone(),
            None => PoolHandle::new(bytes::Bytes::copy_from_slice(handle.as_bytes())),
        }
    }

    /// Removes an element, and its pool with the last one; `None` if it is not listed.
    pub fn remove(&mut self, pe: &PeHandle) -> Option<PoolElement> {
        let number = self.number(&pe.pool)?;
        let pool = self.pools[number as usize].as_mut()?;
        let slot = pool.strike(pe.element)?;
        let (home, last) = (pool.at(slot)?.home, pool.is_empty());
        self.disarm(number, slot);
        debug_assert!(self.elements > 0, "an element was not counted");
        self.elements -= 1;
        self.leave_home(pe, home);
        if last {
            self.unused.push(number);
            self.by_handle.remove(&pe.pool);
            self.index.remove(pe.pool.as_bytes(), number);
            return self.pools[number as usize].take()?.take(slot);
        }
        self.pools[number as usize].as_mut()?.take(slot)
    }

    /// The attributes of a listed element.
    pub fn get(&self, pe: &PeHandle) -> Option<&PoolElement> {
        self.pool(&pe.pool)?.get(pe.element)
    }

    /// A pool that has elements.
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

    /// The same for the elements of one home alone. It costs nothing for the elements of others.
    pub fn elements_of_home_after<'a>(
        &'a self,
        home: RegistrarId,
        after: Option<&PeHandle>,
    ) -> impl Iterator<Item = (&'a PoolHandle, &'a PoolElement)> {
        let behind = after.map_or(Bound::Unbounded, |pe| Bound::Excluded(pe.clone()));
        let elements = self.homes.get(&home).map(|home| home.elements.range((behind, Bound::Unbounded)));
        elements.into_iter().flatten().filter_map(|pe| Some((&pe.pool, self.get(pe)?)))
    }

    /// The names of the elements of one home, in the same order.
    pub fn names_of_home(&self, home: RegistrarId) -> impl Iterator<Item = &PeHandle> {
        self.homes.get(&home).into_iter().flat_map(|home| &home.elements)
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
        self.homes.get(&home).map(|home| home.checksum).unwrap_or_default().value()
    }

    /// How many elements have this home.
    pub fn owned(&self, home: RegistrarId) -> usize {
        self.homes.get(&home).map_or(0, |home| home.elements.len())
    }

    /// Every home of an element, with the number of its elements and the PE checksum over them,
    /// in the order of the identifiers.
    pub fn homes(&self) -> impl Iterator<Item = (RegistrarId, usize, u16)> {
        self.homes.iter().map(|(id, home)| (*id, home.elements.len(), home.checksum.value()))
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
        let found = self.index.find(handle.as_bytes(), is_it);
        let found = found.or_else(|| self.by_handle.get(handle).copied());
        debug_assert!(found.is_none_or(is_it), "{handle} is not the pool of its number");
        found
    }

    fn numbered<'a>(
        &'a self,
        pools: impl Iterator<Item = (&'a PoolHandle, &'a u32)>,
    ) -> impl Iterator<Item = (&'a PoolHandle, &'a Pool)> {
        pools.filter_map(|(handle, number)| Some((handle, self.pools[*number as usize].as_ref()?)))
    }

    /// Creates a pool with its first element.
    fn create_pool(&mut self, handle: &PoolHandle, element: PoolElement) -> Result<(), AdmissionError> {
        let mut pool = Pool::for_first(handle.clone(), &element, &self.policies)
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

    fn enter_home(&mut self, pe: PeHandle, home: RegistrarId) {
        let home = self.homes.entry(home).or_default();
        home.checksum.add(&pe.pool, pe.element);
        home.elements.insert(pe);
    }

    /// A home without elements is none.
    fn leave_home(&mut self, pe: &PeHandle, home: RegistrarId) {
        let Some(left) = self.homes.get_mut(&home) else {
            debug_assert!(false, "{pe} is not among the elements of {home}");
            return;
        };
        left.checksum.remove(&pe.pool, pe.element);
        left.elements.remove(pe);
        debug_assert_eq!(left.checksum.elements() as usize, left.elements.len());
        if left.elements.is_empty() {
            self.homes.remove(&home);
        }
    }
}

#[cfg(test)]
mod tests;
