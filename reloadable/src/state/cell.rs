//! A value whose layout may change, behind a pointer that the host moves.
#![expect(unsafe_code, reason = "keeps a value whose type the code of this unit may no longer know")]

use super::{Access, Keeper, SEAT};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// A value that outlives the code that works on it. It derefs to the value.
///
/// The host makes one with `pit.state::<World>()` and passes it to reloadable functions. When an edit changes the layout
/// of `World`, the old code saves the value and the new code restores it, at the safe point; a reference taken before
/// stays good, and leads to what the value was then.
///
/// Each deref compares the layout that its code was compiled with to the value's, by one bit, and panics when they
/// differ: it never reads wrong bytes. In a plain release build this is a box.
///
/// The handle stays on its thread, since values are migrated there; `&State` may be shared with others.
pub struct State<T: 'static> {
    cell: NonNull<Cell>,
    value: PhantomData<(T, *const ())>,
}

// SAFETY: `&State<T>` gives `&T` only, and what a migration puts in place of a value does not end what `&T`s lead to.
unsafe impl<T: Sync> Sync for State<T> {}

/// What is behind a [`State`]: the value, and who may touch it.
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
    fn touch(&self, access: Access) -> *mut () {
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

impl<T> State<T> {
    /// A value that nobody keeps: of a program without a session.
    #[must_use]
    pub fn new(value: T) -> Self {
        unsafe fn free<T>(value: *mut ()) {
            // SAFETY: `new` made it of a box of this type, and the handle that owned it is gone.
            drop(unsafe { Box::from_raw(value.cast::<T>()) });
        }
        let cell = Cell {
            value: AtomicPtr::new(Box::into_raw(Box::new(value)).cast()),
            readers: AtomicU64::new(u64::MAX),
            writers: AtomicU64::new(u64::MAX),
            keeper: None,
            drop: free::<T>,
        };
        // SAFETY: the only handle to a cell of a value of this type.
        unsafe { Self::of(Box::into_raw(Box::new(cell))) }
    }

    /// The handle to a cell.
    ///
    /// # Safety
    /// The cell came from a box and has no other handle, its keeper lets no code at the value but such to which `T` is the
    /// value's type, and a value that was replaced is not dropped before [`Access::Write`] is asked for.
    #[must_use]
    pub unsafe fn of(cell: *mut Cell) -> Self {
        // SAFETY: a box's pointer is not null.
        Self { cell: unsafe { NonNull::new_unchecked(cell) }, value: PhantomData }
    }

    #[inline(always)]
    fn cell(&self) -> &Cell {
        // SAFETY: the cell lives until this handle is dropped, and nothing but shared references to it are made.
        unsafe { self.cell.as_ref() }
    }
}

impl<T> Deref for State<T> {
    type Target = T;

    #[inline(always)]
    #[track_caller]
    fn deref(&self) -> &T {
        let value = self.cell().touch(Access::Read).cast::<T>();
        // SAFETY: this unit was let at the value, so `T` is its type; it is not dropped while a reference from this handle
        // is there, see `of`.
        unsafe { &*value }
    }
}

impl<T> DerefMut for State<T> {
    #[inline(always)]
    #[track_caller]
    fn deref_mut(&mut self) -> &mut T {
        let value = self.cell().touch(Access::Write).cast::<T>();
        // SAFETY: as above, and there is one handle, which is borrowed mutably.
        unsafe { &mut *value }
    }
}

impl<T> Drop for State<T> {
    fn drop(&mut self) {
        let cell = self.cell.as_ptr();
        match self.cell().keeper {
            Some((keeper, number)) => keeper.release(number),
            None => {
                let (free, value) = (self.cell().drop, self.cell().value());
                // SAFETY: made for this value, which nobody else has.
                unsafe { free(value) };
            }
        }
        // SAFETY: the cell came from a box, see `of`, and its only handle goes.
        drop(unsafe { Box::from_raw(cell) });
    }
}

impl<T: fmt::Debug> fmt::Debug for State<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("State").field(&**self).finish()
    }
}
