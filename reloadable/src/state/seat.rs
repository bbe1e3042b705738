//! Which code touches a value: every program and image has a seat, and a value knows which seats may have it.

use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};

/// One link unit's place among the code that may touch carried values. The host seats images as they go live.
#[derive(Debug)]
#[repr(transparent)]
pub struct Seat(AtomicU64);

impl Seat {
    /// The bit of the program itself.
    pub const PROGRAM: u64 = 1;
    /// Of code that has no bit: it has to ask each time.
    pub const NONE: u64 = 0;

    /// A program's seat. An image begins with it too, and loses it before the host runs anything of it.
    #[must_use]
    pub const fn of_program() -> Self {
        Self(AtomicU64::new(Self::PROGRAM))
    }

    /// Its bit.
    #[inline(always)]
    #[must_use]
    pub fn bit(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Gives the unit another bit.
    pub fn set(&self, bit: u64) {
        self.0.store(bit, Ordering::Release);
    }
}

/// What is done with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It is looked at: `&T`.
    Read,
    /// It may be changed: `&mut T`. Nobody has a reference to it or to what it was before a migration.
    Write,
}

/// Keeps carried values: the host, or nobody in a program without a session.
pub trait Keeper: Sync {
    /// Lets the code of a unit at the value with this number, once it is known to have the value's layout.
    ///
    /// # Errors
    /// Why not, and what to do, for the panic that follows.
    fn admit(&self, value: usize, unit: &'static Seat, access: Access, at: &Location<'_>) -> Result<(), String>;

    /// The handle is dropped: drops the value, by the code that made it.
    fn release(&self, value: usize);
}
