//! Where a pool keeps its elements.

use alloc::vec::Vec;

use crate::policy::Slot;
use crate::wire::PoolElement;

/// Elements by slot, in blocks: they never move, and not more than one block is unused at the end.
#[derive(Debug, Default)]
pub(super) struct Slab {
    blocks: Vec<Vec<Option<PoolElement>>>,
    free: Vec<Slot>,
}

/// Elements in a block. Only the first block of a pool grows by and by, so small pools stay small.
const BLOCK: usize = 64;

impl Slab {
    pub(super) fn insert(&mut self, element: PoolElement) -> Slot {
        if let Some(slot) = self.free.pop() {
            self.blocks[slot.index() / BLOCK][slot.index() % BLOCK] = Some(element);
            return slot;
        }
        if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
            let room = if self.blocks.is_empty() { 0 } else { BLOCK };
            self.blocks.push(Vec::with_capacity(room));
        }
        let at = self.blocks.len() - 1;
        let block = &mut self.blocks[at];
        block.push(Some(element));
        Slot((at * BLOCK + block.len() - 1) as u32)
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&PoolElement> {
        self.blocks.get(slot.index() / BLOCK)?.get(slot.index() % BLOCK)?.as_ref()
    }

    /// Puts new attributes in place of the old ones, which it returns.
    pub(super) fn replace(&mut self, slot: Slot, element: PoolElement) -> Option<PoolElement> {
        self.blocks.get_mut(slot.index() / BLOCK)?.get_mut(slot.index() % BLOCK)?.replace(element)
    }

    pub(super) fn remove(&mut self, slot: Slot) -> Option<PoolElement> {
        let element = self.blocks.get_mut(slot.index() / BLOCK)?.get_mut(slot.index() % BLOCK)?.take();
        if element.is_some() {
            self.free.push(slot);
        }
        element
    }
}
