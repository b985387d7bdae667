//! The elements that wait for an attempt to reach them, and how many attempts each source has under way. A source
//! with many elements that have vanished does not delay the others: sources take turns, the elements of one
//! come in the order of their age, and no source has all the attempts.

use alloc::collections::BTreeMap;
use core::ops::Bound;

use super::Ticket;
use crate::base::Source;
use crate::handlespace::PeHandle;
use crate::registrar::attempts::MAX_PROBES;

/// The most attempts under way to elements of one source: the rest is for the others. A single host with many
/// elements needs a third more time than with all.
pub(in crate::registrar) const MAX_PROBES_OF_ONE: usize = MAX_PROBES / 4 * 3;

#[derive(Debug, Default)]
pub(super) struct Probes {
    waiting: BTreeMap<Source, BTreeMap<Ticket, PeHandle>>,
    under_way: BTreeMap<Source, usize>,
    /// The source whose turn was last.
    last: Option<Source>,
    next: u64,
}

impl Probes {
    /// Whether an element of this source has to wait for its attempt.
    pub(super) fn are_full(&self, source: Source) -> bool {
        self.under_way.get(&source).is_some_and(|count| *count >= MAX_PROBES_OF_ONE)
    }

    pub(super) fn begun(&mut self, source: Source) {
        *self.under_way.entry(source).or_default() += 1;
    }

    pub(super) fn ended(&mut self, source: Source) {
        let Some(count) = self.under_way.get_mut(&source) else {
            debug_assert!(false, "no attempt to {source:?} is under way");
            return;
        };
        *count -= 1;
        if *count == 0 {
            self.under_way.remove(&source);
        }
    }

    /// An element has to wait.
    pub(super) fn wait(&mut self, source: Source, pe: &PeHandle) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        self.waiting.entry(source).or_default().insert(ticket, pe.clone());
        ticket
    }

    /// An element does not wait any longer.
    pub(super) fn leave(&mut self, source: Source, ticket: Ticket) {
        let Some(waiting) = self.waiting.get_mut(&source) else { return };
        waiting.remove(&ticket);
        if waiting.is_empty() {
            self.waiting.remove(&source);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The element whose turn it is: the oldest of the next source that may have an attempt. Few sources can be
    /// full at a time, so that few are passed over.
    pub(super) fn take_next(&mut self) -> Option<(Ticket, PeHandle)> {
        let behind = self.last.map(|last| (Bound::Excluded(last), Bound::Unbounded));
        let behind = behind.map(|range| self.waiting.range(range)).into_iter().flatten();
        let (source, waiting) = behind.chain(&self.waiting).find(|(source, _)| !self.are_full(**source))?;
        let (source, ticket) = (*source, *waiting.keys().next()?);
        self.last = Some(source);
        let pe = self.waiting.get_mut(&source)?.remove(&ticket)?;
        self.leave(source, ticket);
        Some((ticket, pe))
    }
}

#[cfg(test)]
impl Probes {
    pub(super) fn waiting(&self) -> impl Iterator<Item = (Ticket, &PeHandle)> {
        self.waiting.values().flatten().map(|(ticket, pe)| (*ticket, pe))
    }
}
