//! A sorted list of entries that gives fast access to the best ones.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

/// An entry; the smallest is the best.
pub(super) type Entry = u128;

/// Entries in descending order, in chunks. The best entries are at the very end: they are read from adjacent
/// memory, and removing them moves nothing. Adding an entry behind all others moves nothing either; every
/// other change takes two searches and the shift of a part of one chunk.
#[derive(Debug, Default)]
pub(super) struct Order {
    chunks: VecDeque<Chunk>,
    /// The first and largest entry of each chunk.
    bounds: VecDeque<Entry>,
}

/// Some entries in descending order, with room at either end, so that the shorter side is shifted.
#[derive(Debug)]
struct Chunk {
    entries: Box<[Entry; CHUNK]>,
    begin: usize,
    end: usize,
}

/// The most entries in a chunk: 1 KiB, of which a change mostly shifts less than half.
const CHUNK: usize = 64;

impl Chunk {
    /// A chunk of these entries, with its room in front of them.
    fn new(entries: &[Entry]) -> Self {
        let mut chunk = Self { entries: Box::new([0; CHUNK]), begin: CHUNK - entries.len(), end: CHUNK };
        chunk.entries[chunk.begin..].copy_from_slice(entries);
        chunk
    }

    fn entries(&self) -> &[Entry] {
        &self.entries[self.begin..self.end]
    }

    const fn len(&self) -> usize {
        self.end - self.begin
    }

    /// The index at which an entry is inserted: the number of entries that are not smaller. (An entry that is
    /// there stands one before.) It counts among every eighth entry, then among eight of them. No branch
    /// depends on the comparisons, because a mispredicted branch takes longer than comparing.
    fn insertion_index(&self, entry: Entry) -> usize {
        let not_smaller = |other: &&Entry| **other >= entry;
        let (blocks, rest) = self.entries().as_chunks::<8>();
        let block = blocks.iter().map(|block| &block[7]).filter(not_smaller).count();
        let within = blocks.get(block).map_or(rest, |block| block);
        8 * block + within.iter().filter(not_smaller).count()
    }

    /// Inserts an entry at this index; there must be room.
    fn insert(&mut self, index: usize, entry: Entry) {
        let at = self.begin + index;
        let forward = self.end == CHUNK || (self.begin > 0 && index < self.len() / 2);
        if forward {
            self.entries.copy_within(self.begin..at, self.begin - 1);
            self.begin -= 1;
            self.entries[at - 1] = entry;
        } else {
            self.entries.copy_within(at..self.end, at + 1);
            self.end += 1;
            self.entries[at] = entry;
        }
    }

    /// Removes the entry at this index.
    fn remove(&mut self, index: usize) {
        let at = self.begin + index;
        if index < self.len() / 2 {
            self.entries.copy_within(self.begin..at, self.begin + 1);
            self.begin += 1;
        } else {
            self.entries.copy_within(at + 1..self.end, at);
            self.end -= 1;
        }
    }
}

impl Order {
    pub(super) const fn new() -> Self {
        Self { chunks: VecDeque::new(), bounds: VecDeque::new() }
    }

    /// The best entry.
    pub(super) fn best(&self) -> Option<Entry> {
        self.nearest().last().copied()
    }

    /// The worst entry.
    pub(super) fn worst(&self) -> Option<Entry> {
        self.bounds.front().copied()
    }

    /// All entries, the best first.
    pub(super) fn iter(&self) -> impl Iterator<Item = Entry> {
        self.chunks.iter().rev().flat_map(|chunk| chunk.entries().iter().rev().copied())
    }

    /// The best entries that are adjacent in memory, the best one last.
    pub(super) fn nearest(&self) -> &[Entry] {
        self.chunks.back().map_or(&[], |chunk| chunk.entries())
    }

    /// Adds an entry, which must not be there yet.
    pub(super) fn insert(&mut self, entry: Entry) {
        if self.bounds.front().is_none_or(|largest| entry > *largest) {
            return self.append(entry);
        }
        let mut at = self.chunk_of(entry);
        if self.chunks[at].len() == CHUNK {
            let second = Chunk::new(&self.chunks[at].entries[CHUNK / 2..]);
            self.chunks[at].end = CHUNK / 2;
            self.bounds.insert(at + 1, second.entries()[0]);
            self.chunks.insert(at + 1, second);
            at += usize::from(entry <= self.bounds[at + 1]);
        }
        let chunk = &mut self.chunks[at];
        chunk.insert(chunk.insertion_index(entry), entry);
    }

    /// Adds an entry behind all others. If the first chunk has no room in front, a new chunk is begun, so
    /// that elements that take turns are never shifted.
    fn append(&mut self, entry: Entry) {
        match self.chunks.front_mut() {
            Some(chunk) if chunk.begin > 0 => {
                chunk.insert(0, entry);
                self.bounds[0] = entry;
            }
            _ => {
                self.chunks.push_front(Chunk::new(&[entry]));
                self.bounds.push_front(entry);
            }
        }
    }

    /// Removes an entry, which must be there.
    pub(super) fn remove(&mut self, entry: Entry) {
        let at = self.chunk_of(entry);
        let Some(chunk) = self.chunks.get_mut(at) else { return };
        let Some(index) = chunk.insertion_index(entry).checked_sub(1) else { return };
        if chunk.entries()[index] != entry {
            return;
        }
        chunk.remove(index);
        match chunk.entries().first() {
            Some(first) => self.bounds[at] = *first,
            None => self.drop_chunk(at),
        }
        self.merge(at);
    }

    /// Removes the best entry.
    pub(super) fn pop_best(&mut self) -> Option<Entry> {
        let chunk = self.chunks.back_mut()?;
        let best = chunk.entries().last().copied();
        chunk.end -= 1;
        if chunk.len() == 0 {
            self.drop_chunk(self.chunks.len() - 1);
        }
        best
    }

    /// Replaces the best entry with another one.
    pub(super) fn replace_best(&mut self, entry: Entry) {
        if let Some(chunk) = self.chunks.back_mut()
            && let [.., second, _] = *chunk.entries()
            && entry < second
        {
            chunk.entries[chunk.end - 1] = entry;
            return;
        }
        self.pop_best();
        self.insert(entry);
    }

    /// The chunk that holds an entry, or into which it would be inserted if it does not go behind all others.
    fn chunk_of(&self, entry: Entry) -> usize {
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
            if let Some(behind) = self.chunks.remove(at + 1) {
                let entries = [self.chunks[at].entries(), behind.entries()].concat();
                self.chunks[at] = Chunk::new(&entries);
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
            assert_eq!((order.best(), order.worst()), (set.first().copied(), set.last().copied()));
            if step % 100 == 0 {
                assert!(order.iter().eq(set.iter().copied()));
                assert!(order.chunks.len() <= 2 + set.len() / 8, "{} of {}", order.chunks.len(), set.len());
            }
        }
    }
}
