//! The host's function pointer for one reloadable function.
#![expect(unsafe_code, reason = "gives a type-erased function pointer its type back")]

use std::sync::atomic::{AtomicPtr, Ordering};

/// The host's function pointer for one reloadable function. Calling through it takes one load and no lock.
///
/// C reads it as a plain pointer: see `pitstop_function_live` in `pitstop.h`.
#[repr(transparent)]
#[derive(Debug)]
pub struct Slot(AtomicPtr<()>);

impl Slot {
    /// A slot that points to generation 0, the body linked beside it.
    #[must_use]
    pub const fn new(body: *const ()) -> Self {
        Self(AtomicPtr::new(body.cast_mut()))
    }

    /// The live function, as the type of `like`, which must be the type of the function that the slot was made for.
    ///
    /// Acquire: whoever sees a new pointer sees the image it points into.
    #[inline(always)]
    #[must_use]
    pub fn get<F: Copy>(&self, like: F) -> F {
        let _ = like;
        // SAFETY: F is a function pointer (the attribute casts to one) of the slot's own signature, which the host
        // compares with the image's before it stores a pointer.
        unsafe { self.cast() }
    }

    /// The live function, as a function pointer of type `F`.
    ///
    /// # Safety
    /// `F` must be the function pointer type of what the slot points to.
    #[inline(always)]
    #[must_use]
    pub unsafe fn cast<F: Copy>(&self) -> F {
        const { assert!(size_of::<F>() == size_of::<*mut ()>()) };
        let pointer = self.0.load(Ordering::Acquire);
        // SAFETY: the caller says that F is the type of what is behind the pointer; the size was compared.
        unsafe { std::mem::transmute_copy(&pointer) }
    }

    /// The live pointer, without its type.
    #[must_use]
    pub fn pointer(&self) -> *const () {
        self.0.load(Ordering::Acquire)
    }

    /// Makes another function live. The caller has proven that it has this slot's signature and stays mapped.
    pub fn set(&self, body: *const ()) {
        self.0.store(body.cast_mut(), Ordering::Release);
    }
}
