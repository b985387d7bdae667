//! An allocator that counts.
//!
//! It cuts its memory off one end and gives nothing back, which is enough for a script; what counts are
//! the octets alive, as an allocator without overhead would need them. One thread only.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Enough for everything that the script ever asks for.
const SIZE: usize = 256 << 10;

#[repr(align(16))]
struct Arena(UnsafeCell<[u8; SIZE]>);

pub(crate) struct Heap {
    arena: Arena,
    used: AtomicUsize,
    alive: AtomicUsize,
    peak: AtomicUsize,
}

// SAFETY: there is one thread; no interrupt allocates.
unsafe impl Sync for Heap {}

impl Heap {
    pub(crate) const fn new() -> Self {
        Self {
            arena: Arena(UnsafeCell::new([0; SIZE])),
            used: AtomicUsize::new(0),
            alive: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
        }
    }

    /// Octets allocated now.
    pub(crate) fn alive(&self) -> usize {
        self.alive.load(Relaxed)
    }

    /// The most octets that were allocated at the same time since the last call.
    pub(crate) fn take_peak(&self) -> usize {
        self.peak.swap(self.alive(), Relaxed)
    }
}

// SAFETY: blocks are cut one behind the other, aligned, and never twice.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.used.load(Relaxed).next_multiple_of(layout.align());
        let end = start.saturating_add(layout.size());
        if end > SIZE || layout.align() > 16 {
            return core::ptr::null_mut();
        }
        self.used.store(end, Relaxed);
        let alive = self.alive() + layout.size();
        self.alive.store(alive, Relaxed);
        self.peak.store(self.peak.load(Relaxed).max(alive), Relaxed);
        // SAFETY: `start` is within the arena.
        unsafe { self.arena.0.get().cast::<u8>().add(start) }
    }

    unsafe fn dealloc(&self, _: *mut u8, layout: Layout) {
        self.alive.store(self.alive() - layout.size(), Relaxed);
    }
}
