//! What all associations together may keep of one kind: data received, or messages to be sent.
//!
//! If it is too much, someone has to give: the association that keeps most, of the source that keeps most. An
//! attacker with many associations is met before an honest peer with a long message.

use std::collections::{BTreeMap, BTreeSet};

use rserpool_core::base::{AssociationId, Source};

/// Octets are counted in units of this many, so that the small messages of busy peers cost no work here.
const UNIT: usize = 1024;

#[derive(Debug)]
pub(super) struct Budget {
    limit: usize,
    total: usize,
    /// What each source keeps, and those of its associations that keep anything.
    sources: BTreeMap<Source, Share>,
    /// The sources by what they keep.
    by_total: BTreeSet<(usize, Source)>,
}

#[derive(Debug, Default)]
struct Share {
    total: usize,
    by_size: BTreeSet<(usize, AssociationId)>,
}

/// What one association is known to keep, in units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry(usize);

impl Budget {
    pub(super) const fn new(limit: usize) -> Self {
        Self { limit: limit / UNIT, total: 0, sources: BTreeMap::new(), by_total: BTreeSet::new() }
    }

    /// An association keeps so many octets now.
    pub(super) fn set(&mut self, source: Source, id: AssociationId, entry: &mut Entry, octets: usize) {
        let (before, after) = (std::mem::replace(&mut entry.0, octets / UNIT), octets / UNIT);
        if before == after {
            return;
        }
        let share = self.sources.entry(source).or_default();
        self.by_total.remove(&(share.total, source));
        share.by_size.remove(&(before, id));
        if after > 0 {
            share.by_size.insert((after, id));
        }
        share.total = share.total - before + after;
        self.total = self.total - before + after;
        if share.by_size.is_empty() {
            self.sources.remove(&source);
        } else {
            self.by_total.insert((share.total, source));
        }
        debug_assert_eq!(self.by_total.len(), self.sources.len(), "each source is listed once");
        debug_assert!(self.total > 0 || self.sources.is_empty(), "who keeps something is counted");
    }

    /// Who has to give, if it is too much in all.
    pub(super) fn excess(&self) -> Option<AssociationId> {
        if self.total <= self.limit {
            return None;
        }
        let (_, source) = self.by_total.last()?;
        self.sources.get(source)?.by_size.last().map(|(_, id)| *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_of_the_greediest_source_gives() {
        let mut budget = Budget::new(10 * UNIT);
        let [honest, many] = [1, 2].map(|n| Source::of([192, 0, 2, n].into()));
        let mut entries = [Entry::default(); 5];
        let mut set = |budget: &mut Budget, source, n: usize, octets| {
            budget.set(source, AssociationId::sctp(n as u64), &mut entries[n], octets);
        };
        set(&mut budget, honest, 0, 4 * UNIT);
        set(&mut budget, many, 1, 2 * UNIT);
        set(&mut budget, many, 2, 3 * UNIT);
        set(&mut budget, many, 3, UNIT);
        assert_eq!(budget.excess(), None);
        set(&mut budget, many, 4, UNIT);
        assert_eq!(budget.excess(), Some(AssociationId::sctp(2)));
        set(&mut budget, many, 2, 0);
        assert_eq!(budget.excess(), None);
        set(&mut budget, honest, 0, 9 * UNIT);
        assert_eq!(budget.excess(), Some(AssociationId::sctp(0)));
        for n in [1, 3, 4] {
            set(&mut budget, many, n, UNIT - 1);
        }
        set(&mut budget, honest, 0, 0);
        assert_eq!((budget.total, budget.sources.len(), budget.by_total.len()), (0, 0, 0));
    }
}
