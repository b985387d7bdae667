//! Finding a pool by its handle without a walk through a tree.

use alloc::vec;
use alloc::vec::Vec;

/// Numbers of pools by the hash of their handles.
///
/// It looks into a few places and no further. Therefore it may miss what it was given, and the tree of all
/// handles decides; handles that were made to collide cost no more than the tree.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Hash and number; a power of two, or none.
    places: Vec<(u32, u32)>,
}

/// A place without a pool.
const FREE: (u32, u32) = (0, u32::MAX);

/// How many places are looked into, from the one of the hash onwards.
const REACH: usize = 8;

impl Index {
    /// The number of the pool that `is_it` accepts.
    pub(super) fn find(&self, handle: &[u8], is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let hash = hash(handle);
        let mask = self.places.len().wrapping_sub(1);
        (0..REACH.min(self.places.len()))
            .map(|step| self.places[(hash as usize + step) & mask])
            .find(|place| place.0 == hash && place.1 != FREE.1 && is_it(place.1))
            .map(|place| place.1)
    }

    /// Adds a pool, if there is room near its place.
    pub(super) fn add(&mut self, handle: &[u8], number: u32) {
        let hash = hash(handle);
        let mask = self.places.len().wrapping_sub(1);
        for step in 0..REACH.min(self.places.len()) {
            let place = &mut self.places[(hash as usize + step) & mask];
            if *place == FREE {
                *place = (hash, number);
                return;
            }
        }
    }

    /// Removes a pool, if it is there.
    pub(super) fn remove(&mut self, handle: &[u8], number: u32) {
        let hash = hash(handle);
        let mask = self.places.len().wrapping_sub(1);
        for step in 0..REACH.min(self.places.len()) {
            let place = &mut self.places[(hash as usize + step) & mask];
            if *place == (hash, number) {
                *place = FREE;
            }
        }
    }

    /// Makes room for this many pools. True if the index is empty now, so that all must be added again.
    pub(super) fn grow(&mut self, pools: usize) -> bool {
        let enough = (4 * pools).next_power_of_two().max(16);
        let grows = self.places.len() < 2 * pools.max(1);
        if grows {
            self.places = vec![FREE; enough];
        }
        grows
    }
}

/// Eight octets at a time, multiplied and folded.
fn hash(octets: &[u8]) -> u32 {
    const FACTOR: u128 = 0x9e37_79b9_7f4a_7c15;
    let fold = |state: u64, word: u64| {
        let product = u128::from(state ^ word) * FACTOR;
        (product >> 64) as u64 ^ product as u64
    };
    let (words, rest) = octets.as_chunks::<8>();
    let state = words.iter().fold(octets.len() as u64, |state, word| fold(state, u64::from_le_bytes(*word)));
    let rest = rest.iter().fold(0, |word, octet| word << 8 | u64::from(*octet));
    let state = fold(fold(state, rest), 0x2545_f491_4f6c_dd1d);
    state as u32
}
