//! An allocator that hands out memory of its own, and keeps what is given back. Only the case `other-allocator` has it.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};

const ROOM: usize = 1 << 20;

struct Arena {
    room: UnsafeCell<[u8; ROOM]>,
    used: AtomicUsize,
}

#[global_allocator]
static ARENA: Arena = Arena { room: UnsafeCell::new([0; ROOM]), used: AtomicUsize::new(0) };

// SAFETY: no part of the room is handed out twice.
unsafe impl Sync for Arena {}

// SAFETY: as above, and each part is as large and as aligned as it was asked for.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let needed = layout.size() + layout.align();
        let at = self.used.fetch_add(needed, Ordering::Relaxed);
        if at + needed > ROOM {
            return null_mut();
        }
        let start = self.room.get().cast::<u8>().wrapping_add(at);
        start.wrapping_add(start.align_offset(layout.align()))
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
