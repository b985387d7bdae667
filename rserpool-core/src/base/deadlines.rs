//! A set of named deadlines that gives fast access to the earliest.

use alloc::collections::{BTreeMap, BTreeSet};

use super::Instant;

/// Deadlines, at most one for each key. Every operation takes O(log n).
///
/// The caller bounds the number of keys: each key stands for something that exists (an element, a request).
#[derive(Clone, Debug)]
pub struct Deadlines<K> {
    by_time: BTreeSet<(Instant, K)>,
    by_key: BTreeMap<K, Instant>,
}

impl<K> Default for Deadlines<K> {
    fn default() -> Self {
        Self { by_time: BTreeSet::new(), by_key: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> Deadlines<K> {
    /// Arms the deadline of `key`, or moves it if it is armed.
    pub fn set(&mut self, key: K, at: Instant) {
        if let Some(old) = self.by_key.insert(key.clone(), at) {
            self.by_time.remove(&(old, key.clone()));
        }
        self.by_time.insert((at, key));
        debug_assert_eq!(self.by_time.len(), self.by_key.len(), "each key has one deadline");
    }

    /// Disarms the deadline of `key`. Returns whether it was armed.
    pub fn clear(&mut self, key: &K) -> bool {
        match self.by_key.remove(key) {
            Some(at) => self.by_time.remove(&(at, key.clone())),
            None => false,
        }
    }

    /// When the deadline of `key` is due, if it is armed.
    pub fn get(&self, key: &K) -> Option<Instant> {
        self.by_key.get(key).copied()
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Disarms one deadline that is due at `now`, the earliest first, and returns its key.
    pub fn pop_due(&mut self, now: Instant) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        let (at, key) = self.by_time.pop_first()?;
        let armed = self.by_key.remove(&key);
        debug_assert_eq!(armed, Some(at), "both orders hold the same deadlines");
        Some(key)
    }

    /// How many deadlines are armed.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether no deadline is armed.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earliest_first_and_one_per_key() {
        let at = Instant::from_nanos;
        let mut deadlines = Deadlines::default();
        deadlines.set("a", at(30));
        deadlines.set("b", at(20));
        deadlines.set("a", at(10));
        assert_eq!((deadlines.len(), deadlines.next(), deadlines.get(&"b")), (2, Some(at(10)), Some(at(20))));
        assert_eq!(deadlines.pop_due(at(9)), None);
        assert_eq!(deadlines.pop_due(at(20)), Some("a"));
        assert!(deadlines.clear(&"b"));
        assert!(!deadlines.clear(&"b"));
        assert!(deadlines.is_empty());
        assert_eq!(deadlines.next(), None);
    }
}
