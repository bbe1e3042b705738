//! A call that is made a second time: with the same arguments, of another generation's function.
#![expect(
    unsafe_code,
    reason = "keeps the bits of arguments that may be had twice, and gives a code pointer its type back"
)]

use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// The bits of an argument, for the case that the call is made again.
pub struct Kept<T>(MaybeUninit<T>);

impl<T> std::fmt::Debug for Kept<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kept")
    }
}

impl<T> Kept<T> {
    /// Copies the bits, if they are to be had twice.
    #[inline(always)]
    #[must_use]
    pub fn of(value: &T, twice: bool) -> Self {
        if !twice {
            return Self(MaybeUninit::uninit());
        }
        // SAFETY: any bits may be in a `MaybeUninit`, and these are read from a reference.
        Self(unsafe { std::ptr::from_ref(value).cast::<MaybeUninit<T>>().read() })
    }

    /// The argument anew. The attribute's expansion asks for it only when it was kept, once the first call is over, and only
    /// where its type is `Copy`, or it is a reference that was lent to that call alone.
    #[inline(always)]
    #[must_use]
    pub fn again(self) -> T {
        // SAFETY: see above.
        unsafe { self.0.assume_init() }
    }
}

/// Asks a value's type whether it is `Copy`: the inherent method is preferred where its bound holds.
#[derive(Debug)]
pub struct IsCopy<T>(PhantomData<T>);

impl<T> Clone for IsCopy<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for IsCopy<T> {}

impl<T> IsCopy<T> {
    /// Of this value's type.
    #[inline(always)]
    #[must_use]
    pub fn of(_: &T) -> Self {
        Self(PhantomData)
    }
}

impl<T: Copy> IsCopy<T> {
    /// It is.
    #[inline(always)]
    #[must_use]
    pub fn is_copy(&self) -> bool {
        true
    }
}

/// The answer of [`IsCopy`] for types that are not.
pub trait MaybeCopy {
    /// It is not.
    #[inline(always)]
    fn is_copy(&self) -> bool {
        false
    }
}

impl<T> MaybeCopy for IsCopy<T> {}

/// A code pointer as the type of `like`, a function pointer. The host has shown that what is behind it has that type.
#[inline(always)]
#[must_use]
pub fn like<F: Copy>(pointer: *const (), like: F) -> F {
    const { assert!(size_of::<F>() == size_of::<*const ()>()) };
    let _ = like;
    // SAFETY: the host hands out only what was live in the slot whose function `like` is; the size was compared.
    unsafe { std::mem::transmute_copy(&pointer) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_copy_types_are_told_to_be() {
        assert!(IsCopy::of(&1.5_f32).is_copy());
        assert!(IsCopy::of(&"text").is_copy());
        assert!(!IsCopy::of(&String::new()).is_copy());
        assert!(!IsCopy::of(&&mut 3).is_copy());
    }

    #[test]
    fn a_kept_argument_is_had_again() {
        let mut list = vec![1];
        let lent = &mut list;
        let kept = Kept::of(&lent, true);
        lent.push(2);
        kept.again().push(3);
        assert_eq!(list, [1, 2, 3]);
    }

    #[test]
    fn a_pointer_becomes_the_function_that_it_was() {
        fn double(number: u32) -> u32 {
            number * 2
        }
        let double = double as fn(u32) -> u32;
        assert_eq!(like(double as *const (), double)(4), 8);
    }
}
