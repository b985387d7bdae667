//! Where a pool keeps its elements.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::base::{ElementId, RegistrarId};
use crate::policy::Slot;
use crate::wire::{Policy, PoolElement, RegistrationLife, Transport};

/// Elements by slot, in blocks: they never move, and not more than one block is unused at the end.
///
/// Nothing in it tells whether a slot is free, so that a selection computes where elements are
/// without touching them.
#[derive(Debug, Default)]
pub(super) struct Slab {
    blocks: Vec<Vec<PoolElement>>,
    free: Vec<Slot>,
}

/// Elements in a block. Only the first block of a pool grows step by step: small pools stay small.
const BLOCK: usize = 64;

impl Slab {
    pub(super) fn insert(&mut self, element: PoolElement) -> Slot {
        if let Some(slot) = self.free.pop() {
            self.blocks[slot.index() / BLOCK][slot.index() % BLOCK] = element;
            return slot;
        }
        if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
            let room = if self.blocks.is_empty() { 0 } else { BLOCK };
            self.blocks.push(Vec::with_capacity(room));
        }
        let at = self.blocks.len() - 1;
        let block = &mut self.blocks[at];
        block.push(element);
        Slot((at * BLOCK + block.len() - 1) as u32)
    }

    /// The contents of a slot. A free slot holds a placeholder, not a pool element.
    pub(super) fn get(&self, slot: Slot) -> Option<&PoolElement> {
        self.blocks.get(slot.index() / BLOCK)?.get(slot.index() % BLOCK)
    }

    /// The contents of a slot, to be changed.
    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut PoolElement> {
        self.blocks.get_mut(slot.index() / BLOCK)?.get_mut(slot.index() % BLOCK)
    }

    /// Takes an element out of its slot, which is free then.
    pub(super) fn remove(&mut self, slot: Slot) -> Option<PoolElement> {
        self.free.push(slot);
        Some(core::mem::replace(self.get_mut(slot)?, placeholder()))
    }
}

/// The contents of a free slot; it needs no memory outside the slot.
const fn placeholder() -> PoolElement {
    PoolElement {
        id: ElementId(0),
        home: RegistrarId::NONE,
        life: RegistrationLife(0),
        user_transport: Transport::Opaque(Bytes::new()),
        policy: Policy::RoundRobin,
        asap_transport: None,
        encapsulation: None,
    }
}
