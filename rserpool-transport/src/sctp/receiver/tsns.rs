//! Which TSNs of the peer have arrived.
//!
//! They are counted on in 64 bits here, so that nothing wraps.

use std::collections::BTreeMap;

/// How far, in TSNs, DATA may be ahead of the first gap: more than our own stack ever sends, and a bound for
/// what a peer can make us remember in tiny pieces.
const MAX_AHEAD: u64 = 4096;

/// Duplicates that a SACK reports. They are for the peer's statistics only.
const MAX_DUPLICATES: usize = 16;

#[derive(Debug)]
pub(super) struct Tsns {
    /// Everything up to here has arrived.
    cumulative: u64,
    /// What has arrived beyond: the first and the last TSN of each block. Blocks do not touch.
    ahead: BTreeMap<u64, u64>,
    duplicates: Vec<u32>,
}

/// What a TSN is to those that have arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tsn {
    /// It has not arrived yet.
    New(u64),
    /// It has arrived before.
    Duplicate,
    /// It is too far ahead of the gap to be remembered; the peer will send it again.
    TooFar,
}

impl Tsns {
    /// None has arrived; this is the first that will.
    pub(super) fn new(first: u32) -> Self {
        Self { cumulative: (1 << 32) + u64::from(first) - 1, ahead: BTreeMap::new(), duplicates: Vec::new() }
    }

    /// Everything up to this one has arrived.
    pub(super) const fn cumulative(&self) -> u64 {
        self.cumulative
    }

    /// Whether something is missing in front of what has arrived.
    pub(super) fn has_gaps(&self) -> bool {
        !self.ahead.is_empty()
    }

    pub(super) fn contains(&self, tsn: u64) -> bool {
        tsn <= self.cumulative || self.ahead.range(..=tsn).next_back().is_some_and(|(_, last)| tsn <= *last)
    }

    /// What to make of a TSN as it stands in a chunk.
    pub(super) fn find(&self, tsn: u32) -> Tsn {
        let distance = tsn.wrapping_sub(self.cumulative as u32).cast_signed();
        let tsn = self.cumulative.saturating_add_signed(distance.into());
        if self.contains(tsn) {
            Tsn::Duplicate
        } else if tsn > self.cumulative + MAX_AHEAD {
            Tsn::TooFar
        } else {
            Tsn::New(tsn)
        }
    }

    /// A new one has arrived.
    pub(super) fn add(&mut self, tsn: u64) {
        debug_assert!(!self.contains(tsn), "a TSN arrives once");
        let after = self.ahead.remove(&(tsn + 1));
        let last = after.unwrap_or(tsn);
        if tsn == self.cumulative + 1 {
            self.cumulative = last;
        } else if let Some((_, before)) = self.ahead.range_mut(..tsn).next_back()
            && *before + 1 == tsn
        {
            *before = last;
        } else {
            self.ahead.insert(tsn, last);
        }
        debug_assert!(
            self.ahead.first_key_value().is_none_or(|(first, _)| *first > self.cumulative + 1),
            "what is in sequence is not ahead"
        );
    }

    /// One has arrived again.
    pub(super) fn add_duplicate(&mut self, tsn: u32) {
        if self.duplicates.len() < MAX_DUPLICATES {
            self.duplicates.push(tsn);
        }
    }

    /// The duplicates since the last call.
    pub(super) fn take_duplicates(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.duplicates)
    }

    /// The blocks beyond the first gap, as a SACK tells them: by their distance from what is in sequence.
    pub(super) fn blocks(&self) -> impl Iterator<Item = (u16, u16)> {
        let distance = |tsn: u64| u16::try_from(tsn - self.cumulative).unwrap_or(u16::MAX);
        self.ahead.iter().map(move |(first, last)| (distance(*first), distance(*last)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrive(tsns: &mut Tsns, list: &[u32]) {
        for tsn in list {
            match tsns.find(*tsn) {
                Tsn::New(tsn) => tsns.add(tsn),
                other => panic!("{tsn}: {other:?}"),
            }
        }
    }

    fn blocks(tsns: &Tsns) -> Vec<(u16, u16)> {
        tsns.blocks().collect()
    }

    #[test]
    fn blocks_join_and_wrap() {
        let mut tsns = Tsns::new(u32::MAX - 1);
        assert_eq!(tsns.find(u32::MAX - 2), Tsn::Duplicate);
        arrive(&mut tsns, &[u32::MAX, 1, 3]);
        assert_eq!((tsns.cumulative() as u32, blocks(&tsns)), (u32::MAX - 2, vec![(2, 2), (4, 4), (6, 6)]));
        arrive(&mut tsns, &[2]);
        assert_eq!(blocks(&tsns), [(2, 2), (4, 6)]);
        arrive(&mut tsns, &[u32::MAX - 1]);
        assert_eq!((tsns.cumulative() as u32, blocks(&tsns)), (u32::MAX, vec![(2, 4)]));
        arrive(&mut tsns, &[0]);
        assert_eq!((tsns.cumulative() as u32, tsns.has_gaps()), (3, false));
        assert_eq!([0, 3, u32::MAX].map(|tsn| tsns.find(tsn)), [Tsn::Duplicate; 3]);
    }

    #[test]
    fn what_is_too_far_ahead_is_not_remembered() {
        let tsns = Tsns::new(100);
        assert!(matches!(tsns.find(99 + 4096), Tsn::New(_)));
        assert_eq!(tsns.find(99 + 4097), Tsn::TooFar);
        assert_eq!(tsns.find(100 + (1 << 30)), Tsn::TooFar);
    }

    #[test]
    fn duplicates_are_reported_once_and_in_bounds() {
        let mut tsns = Tsns::new(1);
        (0..100).for_each(|tsn| tsns.add_duplicate(tsn));
        assert_eq!(tsns.take_duplicates(), (0..16).collect::<Vec<_>>());
        assert_eq!(tsns.take_duplicates(), []);
    }
}
