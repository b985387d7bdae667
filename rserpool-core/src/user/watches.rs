//! The pools that the application watches: what a registrar has promised about each, and what was told.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::interface::{Notice, Resolution};
use crate::base::PoolHandle;
use crate::wire::{Policy, PoolElement};

/// The most pools that are watched at the same time: a registrar grants an association no more.
pub const MAX_WATCHED: usize = 64;

/// The watched pools.
#[derive(Debug, Default)]
pub(super) struct Watches(BTreeMap<PoolHandle, Watch>);

#[derive(Debug, Default)]
struct Watch {
    /// Whether the present registrar has promised to tell of changes (the A flag).
    promised: bool,
    /// What the application was told last.
    told: Option<Told>,
}

#[derive(Debug, PartialEq, Eq)]
enum Told {
    Gone,
    Elements(Policy, Vec<PoolElement>),
}

impl Watches {
    /// Begins to watch a pool; false if there is no room. What is known of it is told anew.
    pub(super) fn add(&mut self, handle: &PoolHandle) -> bool {
        let room = self.0.len() < MAX_WATCHED || self.0.contains_key(handle);
        if room {
            self.0.entry(handle.clone()).or_default().told = None;
        }
        room
    }

    /// Watches a pool no longer. Tells whether a registrar has promised to tell of its changes.
    pub(super) fn remove(&mut self, handle: &PoolHandle) -> bool {
        self.0.remove(handle).is_some_and(|watch| watch.promised)
    }

    pub(super) fn contains(&self, handle: &PoolHandle) -> bool {
        self.0.contains_key(handle)
    }

    pub(super) fn handles(&self) -> Vec<PoolHandle> {
        self.0.keys().cloned().collect()
    }

    /// Whether the registrar tells of the changes of this pool.
    pub(super) fn is_promised(&self, handle: &PoolHandle) -> bool {
        self.0.get(handle).is_some_and(|watch| watch.promised)
    }

    pub(super) fn set_promised(&mut self, handle: &PoolHandle, promised: bool) {
        if let Some(watch) = self.0.get_mut(handle) {
            watch.promised = promised;
        }
    }

    /// The registrar that has promised anything is gone.
    pub(super) fn forget_promises(&mut self) {
        for watch in self.0.values_mut() {
            watch.promised = false;
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The pool is so now: what the application is to be told of it, if that is news.
    pub(super) fn seen(
        &mut self,
        handle: &PoolHandle,
        policy: &Policy,
        elements: &[PoolElement],
    ) -> Option<Notice> {
        let mut sorted: Vec<_> = elements.iter().map(for_users).collect();
        sorted.sort_unstable_by_key(|element| element.id);
        self.news(handle, Told::Elements(policy.clone(), sorted))?;
        let (handle, policy, elements) = (handle.clone(), policy.clone(), elements.to_vec());
        Some(Notice::PoolChanged(Resolution { handle, policy, elements }))
    }

    /// There is no such pool now: what the application is to be told, if that is news.
    pub(super) fn gone(&mut self, handle: &PoolHandle) -> Option<Notice> {
        self.news(handle, Told::Gone)?;
        Some(Notice::PoolGone { handle: handle.clone() })
    }

    fn news(&mut self, handle: &PoolHandle, now: Told) -> Option<()> {
        let watch = self.0.get_mut(handle)?;
        (watch.told.as_ref() != Some(&now)).then(|| watch.told = Some(now))
    }
}

/// An element without what its users do not see change: its home and its registration life.
fn for_users(element: &PoolElement) -> PoolElement {
    let (home, life) = (Default::default(), crate::wire::RegistrationLife::INFINITE);
    PoolElement { home, life, ..element.clone() }
}
