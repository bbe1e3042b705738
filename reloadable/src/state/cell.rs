//! A value whose layout may change, behind a pointer that the host moves.
#![expect(unsafe_code, reason = "keeps a value whose type the code of this unit may no longer know")]
#![cfg_attr(not(debug_assertions), expect(dead_code, reason = "the plain twin of `State` has no cell"))]

use super::{Access, Keeper, SEAT};
use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// What is behind a [`State`](super::State): the value, and who may touch it.
pub struct Cell {
    value: AtomicPtr<()>,
    /// Seats of the units whose code may look at the value, as far as they have asked.
    readers: AtomicU64,
    /// Those that may change it.
    writers: AtomicU64,
    /// `None` in a program without a session, where all may and nothing changes; then this drops the value.
    keeper: Option<(&'static dyn Keeper, usize)>,
    drop: unsafe fn(*mut ()),
}

// SAFETY: all that changes is atomic, and the value is touched through handles only.
unsafe impl Sync for Cell {}
// SAFETY: as above.
unsafe impl Send for Cell {}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cell").field("readers", &self.readers).field("writers", &self.writers).finish_non_exhaustive()
    }
}

impl Cell {
    /// A cell that somebody keeps, under this number. Nobody may touch the value before asking.
    #[must_use]
    pub fn kept(value: *mut (), keeper: &'static dyn Keeper, number: usize) -> Self {
        Self {
            value: AtomicPtr::new(value),
            readers: AtomicU64::new(0),
            writers: AtomicU64::new(0),
            keeper: Some((keeper, number)),
            drop: |_| {},
        }
    }

    /// A cell that nobody keeps: all may touch the value, which `drop` drops with its handle.
    pub(super) fn unkept(value: *mut (), drop: unsafe fn(*mut ())) -> Self {
        Self {
            value: AtomicPtr::new(value),
            readers: AtomicU64::new(u64::MAX),
            writers: AtomicU64::new(u64::MAX),
            keeper: None,
            drop,
        }
    }

    /// The handle is dropped: the value goes with it.
    pub(super) fn release(&self) {
        match self.keeper {
            Some((keeper, number)) => keeper.release(number),
            // SAFETY: made for this value, which nobody else has.
            None => unsafe { (self.drop)(self.value()) },
        }
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> *mut () {
        self.value.load(Ordering::Acquire)
    }

    /// Puts another value in place of this one, which stays good; whoever touches the new one has to ask.
    pub fn replace(&self, value: *mut ()) {
        // In this order: who sees the new value sees that nobody was let at it.
        self.close();
        self.value.store(value, Ordering::Release);
    }

    /// Whoever touches the value from now on has to ask.
    pub fn close(&self) {
        self.readers.store(0, Ordering::Release);
        self.writers.store(0, Ordering::Release);
    }

    /// Lets all code of a seat at the value.
    pub fn open(&self, bit: u64, access: Access) {
        self.of(access).fetch_or(bit, Ordering::Release);
    }

    #[inline(always)]
    fn of(&self, access: Access) -> &AtomicU64 {
        match access {
            Access::Read => &self.readers,
            Access::Write => &self.writers,
        }
    }

    /// The value, if the code of this unit may have it.
    #[inline(always)]
    #[track_caller]
    pub(super) fn touch(&self, access: Access) -> *mut () {
        // The seat comes last: it is taken from old code before new code that gets the same bit is let at a new value.
        let value = self.value.load(Ordering::Acquire);
        let admitted = self.of(access).load(Ordering::Acquire);
        if admitted & SEAT.bit() == 0 {
            return self.ask(access);
        }
        value
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn ask(&self, access: Access) -> *mut () {
        if let Some((keeper, number)) = self.keeper
            && let Err(why) = keeper.admit(number, &SEAT, access, Location::caller())
        {
            panic!("{why}");
        }
        self.value()
    }
}
