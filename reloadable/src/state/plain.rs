//! A carried value in a build that no code is ever swapped in: a box.
#![expect(unsafe_code, reason = "has the functions of its live twin")]

use super::Cell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

/// A value that outlives the code that works on it. It derefs to the value. In this build, a box.
#[derive(Debug)]
pub struct State<T: 'static> {
    value: Box<T>,
    /// What does not compile in a live build does not compile in this one: the handle stays on its thread.
    not_send: PhantomData<std::sync::MutexGuard<'static, ()>>,
}

impl<T> State<T> {
    /// A value.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self { value: Box::new(value), not_send: PhantomData }
    }

    /// Of the live twin: a host asks for [`CHECKED`](super::CHECKED) first.
    ///
    /// # Safety
    /// None: it never returns.
    #[must_use]
    pub unsafe fn of(_: *mut Cell) -> Self {
        unreachable!("a value is kept in a build that does not check who touches it")
    }
}

impl<T> Deref for State<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for State<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}
