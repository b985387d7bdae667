//! A user's memory of single elements: whether something was sent to them, and whether they failed.

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use crate::base::{Deadlines, ElementId, Instant, PoolHandle};

/// The most elements that are remembered. Beyond that, the least recently used one is forgotten. A user uses
/// a few elements in each of a few pools.
const MAX_REMEMBERED: usize = 4_096;

/// The elements that a user has used.
#[derive(Debug)]
pub(super) struct Health {
    elements: BTreeMap<Key, Record>,
    /// When each was last used.
    touched: Deadlines<Key>,
    exclusion: Duration,
}

type Key = (PoolHandle, ElementId);

#[derive(Clone, Copy, Debug, Default)]
struct Record {
    /// Whether something was sent to it since it was last reported.
    sent: bool,
    failed: Option<Instant>,
    /// When the transport last said that it is unreachable, and it was reported for that.
    reported: Option<Instant>,
}

impl Health {
    pub(super) fn new(exclusion: Duration) -> Self {
        Self { elements: BTreeMap::new(), touched: Deadlines::default(), exclusion }
    }

    /// Something is sent to an element, so its failure may be reported.
    pub(super) fn sent(&mut self, now: Instant, handle: &PoolHandle, id: ElementId) {
        let key = (handle.clone(), id);
        match self.elements.get(&key) {
            Some(Record { sent: true, .. }) => {}
            _ => self.record(now, key).sent = true,
        }
    }

    /// An element has failed, and is not selected for a while.
    pub(super) fn failed(&mut self, now: Instant, handle: &PoolHandle, id: ElementId) {
        self.record(now, (handle.clone(), id)).failed = Some(now);
    }

    /// An element has sent something. (That it accepts connections proves nothing: it may end them at once.)
    pub(super) fn answers(&mut self, handle: &PoolHandle, id: ElementId) {
        if let Some(record) = self.elements.get_mut(&(handle.clone(), id)) {
            (record.failed, record.reported) = (None, None);
        }
    }

    /// The transport says that an element is unreachable: whether that is to be reported. It is one failure for
    /// all sessions and attempts, until the element has answered or the exclusion is over (ASAP-3.5-03: not more
    /// than one report for a failure).
    pub(super) fn take_failure(&mut self, now: Instant, handle: &PoolHandle, id: ElementId) -> bool {
        let exclusion = self.exclusion;
        let record = self.record(now, (handle.clone(), id));
        let known = record.reported.is_some_and(|reported| now < reported + exclusion);
        if !known {
            (record.sent, record.reported) = (false, Some(now));
        }
        !known
    }

    /// The application says that an element is unreachable: whether that is to be reported. The next time, only
    /// after something was sent to the element again (ASAP-3.5-03; ASAP-3.5-04: none unless a message was sent).
    pub(super) fn take_complaint(&mut self, handle: &PoolHandle, id: ElementId) -> bool {
        let record = self.elements.get_mut(&(handle.clone(), id));
        record.is_some_and(|record| core::mem::take(&mut record.sent))
    }

    /// When the element failed, if it is still excluded for that.
    pub(super) fn excluded_since(&self, now: Instant, handle: &PoolHandle, id: ElementId) -> Option<Instant> {
        let failed = self.elements.get(&(handle.clone(), id))?.failed?;
        (now < failed + self.exclusion).then_some(failed)
    }

    /// The elements of a pool that are excluded now.
    pub(super) fn excluded(&self, now: Instant, handle: &PoolHandle) -> BTreeSet<ElementId> {
        let of_pool = (handle.clone(), ElementId(0))..=(handle.clone(), ElementId(u32::MAX));
        let excluded = |record: &Record| record.failed.is_some_and(|failed| now < failed + self.exclusion);
        let records = self.elements.range(of_pool).filter(|(_, record)| excluded(record));
        records.map(|((_, id), _)| *id).collect()
    }

    fn record(&mut self, now: Instant, key: Key) -> &mut Record {
        if !self.elements.contains_key(&key)
            && self.elements.len() >= MAX_REMEMBERED
            && let Some(oldest) = self.touched.pop_due(Instant::from_nanos(u64::MAX))
        {
            self.elements.remove(&oldest);
        }
        self.touched.set(key.clone(), now);
        debug_assert!(self.touched.len() <= MAX_REMEMBERED, "what is remembered is bounded");
        self.elements.entry(key).or_default()
    }
}
