//! Associations that are over, as far as late packets must not bring them back.

use std::collections::{BTreeSet, VecDeque};

/// Tags of associations that have ended: a late copy of a cookie must not bring one back.
///
/// Bounded, because a cookie dies of old age too; the last 4,096 cover a second of the busiest
/// stack.
#[derive(Debug, Default)]
pub(super) struct Spent {
    order: VecDeque<u32>,
    tags: BTreeSet<u32>,
}

impl Spent {
    const MAX: usize = 4096;

    pub(super) fn add(&mut self, tag: u32) {
        if self.tags.insert(tag) {
            self.order.push_back(tag);
        }
        if self.order.len() > Self::MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.tags.remove(&oldest);
        }
    }

    pub(super) fn contains(&self, tag: u32) -> bool {
        self.tags.contains(&tag)
    }
}
