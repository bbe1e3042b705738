//! A carried value in a build that checks who touches it.
#![expect(unsafe_code, reason = "gives a value behind a pointer its type back")]

use super::{Access, Cell};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

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

impl<T> State<T> {
    /// A value that nobody keeps: of a program without a session.
    #[must_use]
    pub fn new(value: T) -> Self {
        unsafe fn free<T>(value: *mut ()) {
            // SAFETY: `new` made it of a box of this type, and the handle that owned it is gone.
            drop(unsafe { Box::from_raw(value.cast::<T>()) });
        }
        let cell = Cell::unkept(Box::into_raw(Box::new(value)).cast(), free::<T>);
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
        self.cell().release();
        // SAFETY: the cell came from a box, see `of`, and its only handle goes.
        drop(unsafe { Box::from_raw(self.cell.as_ptr()) });
    }
}

impl<T: fmt::Debug> fmt::Debug for State<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("State").field(&**self).finish()
    }
}
