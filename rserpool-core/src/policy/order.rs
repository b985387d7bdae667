//! A sorted list of entries whose best ones are at hand.

use alloc::collections::VecDeque;

/// An entry; the smallest is the best.
pub(super) type Entry = u128;

/// Entries in descending order, in chunks, so that the best stand at the very end: they are read
/// from adjacent memory and taken off for nothing. What goes behind all others costs nothing either;
/// all else costs two binary searches and the shift of a part of a chunk.
#[derive(Debug, Default)]
pub(super) struct Order {
    chunks: VecDeque<VecDeque<Entry>>,
    /// The first and largest entry of each chunk.
    bounds: VecDeque<Entry>,
}

/// Entries in a chunk at most: 1 KiB, of which not more than half is shifted.
const CHUNK: usize = 64;

impl Order {
    pub(super) const fn new() -> Self {
        Self { chunks: VecDeque::new(), bounds: VecDeque::new() }
    }

    /// The best entry.
    pub(super) fn best(&self) -> Option<Entry> {
        self.chunks.back().and_then(|chunk| chunk.back().copied())
    }

    /// All entries, the best first.
    pub(super) fn iter(&self) -> impl Iterator<Item = Entry> {
        self.chunks.iter().rev().flat_map(|chunk| chunk.iter().rev().copied())
    }

    /// The best entries that stand together in memory, the best one last.
    pub(super) fn nearest(&self) -> &[Entry] {
        match self.chunks.back().map(VecDeque::as_slices) {
            Some((all, [])) => all,
            Some((_, nearest)) => nearest,
            None => &[],
        }
    }

    /// Adds an entry that is not there.
    pub(super) fn insert(&mut self, entry: Entry) {
        let mut at = self.chunk_of(entry);
        if self.chunks.is_empty() {
            self.chunks.push_back(VecDeque::new());
            self.bounds.push_back(entry);
        } else if self.chunks[at].len() >= CHUNK {
            let mut second = VecDeque::with_capacity(CHUNK);
            second.extend(self.chunks[at].drain(CHUNK / 2..));
            let bound = second[0];
            self.chunks.insert(at + 1, second);
            self.bounds.insert(at + 1, bound);
            if entry <= bound {
                at += 1;
            }
        }
        let chunk = &mut self.chunks[at];
        if entry > self.bounds[at] {
            chunk.push_front(entry);
            self.bounds[at] = entry;
        } else {
            let place = chunk.partition_point(|other| *other >= entry);
            chunk.insert(place, entry);
        }
    }

    /// Removes an entry that is there.
    pub(super) fn remove(&mut self, entry: Entry) {
        let at = self.chunk_of(entry);
        let Some(chunk) = self.chunks.get_mut(at) else { return };
        let place = chunk.partition_point(|other| *other > entry);
        if chunk.get(place) != Some(&entry) {
            return;
        }
        chunk.remove(place);
        match chunk.front() {
            Some(first) => self.bounds[at] = *first,
            None => self.drop_chunk(at),
        }
        self.merge(at);
    }

    /// Takes the best entry off.
    pub(super) fn pop_best(&mut self) -> Option<Entry> {
        let chunk = self.chunks.back_mut()?;
        let best = chunk.pop_back();
        if chunk.is_empty() {
            self.drop_chunk(self.chunks.len() - 1);
        }
        best
    }

    /// Puts another entry in place of the best one.
    pub(super) fn replace_best(&mut self, entry: Entry) {
        if let Some(chunk) = self.chunks.back_mut()
            && let Some(second) = chunk.len().checked_sub(2)
            && entry < chunk[second]
        {
            chunk[second + 1] = entry;
            return;
        }
        self.pop_best();
        self.insert(entry);
    }

    /// The chunk in which an entry stands, or would.
    fn chunk_of(&self, entry: Entry) -> usize {
        if self.bounds.front().is_some_and(|largest| entry > *largest) {
            return 0;
        }
        self.bounds.partition_point(|bound| *bound >= entry).saturating_sub(1)
    }

    fn drop_chunk(&mut self, at: usize) {
        self.chunks.remove(at);
        self.bounds.remove(at);
    }

    /// Joins a chunk that has become small with the one behind it, so that memory follows the number
    /// of entries.
    fn merge(&mut self, at: usize) {
        if let (Some(chunk), Some(behind)) = (self.chunks.get(at), self.chunks.get(at + 1))
            && chunk.len() + behind.len() <= CHUNK / 2
        {
            self.bounds.remove(at + 1);
            if let Some(mut behind) = self.chunks.remove(at + 1) {
                self.chunks[at].append(&mut behind);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;
    use crate::base::Random;

    /// A drawn history of every operation, against a set of the standard library.
    #[test]
    fn behaves_like_a_sorted_set() {
        let (mut order, mut set) = (Order::default(), BTreeSet::new());
        let mut random = Random::new(2);
        for step in 0..20_000 {
            // Grows, stays, shrinks.
            let bound = [6, 5, 4][step / 7_000];
            let entry = Entry::from(random.quick_below(3_000));
            match random.quick_below(10) {
                draw if draw < bound => {
                    if set.insert(entry) {
                        order.insert(entry);
                    }
                }
                9 => assert_eq!(order.pop_best(), set.pop_first()),
                8 if !set.is_empty() && !set.contains(&entry) => {
                    order.replace_best(entry);
                    set.pop_first();
                    set.insert(entry);
                }
                _ => {
                    order.remove(entry);
                    set.remove(&entry);
                }
            }
            assert_eq!(order.best(), set.first().copied());
            if step % 100 == 0 {
                assert!(order.iter().eq(set.iter().copied()));
                assert!(order.chunks.len() <= 2 + set.len() / 8, "{} of {}", order.chunks.len(), set.len());
            }
        }
    }
}
