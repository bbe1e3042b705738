//! The link-time tables: which reloadable functions, hooks and crates are linked into this executable or image.
#![expect(unsafe_code, reason = "shares code pointers between threads; linkme declares its sections")]

use crate::slot::Slot;
use crate::state::{Carried, Seat};
use crate::swap::HookEntry;
use linkme::distributed_slice;
use std::marker::PhantomData;

/// All reloadable functions of this link unit.
#[distributed_slice]
pub static ENTRIES: [Entry];

/// The fact records of all reloadable crates of this link unit.
#[distributed_slice]
pub static CRATES: [&'static [u8]];

/// The types of carried values that reloadable functions of this link unit name.
#[distributed_slice]
pub static STATES: [Carried];

/// The hooks of this link unit.
#[distributed_slice]
pub static HOOKS: [HookEntry];

/// A function's record in the descriptor's section.
///
/// `F` is the function pointer type. A static of this type is in debug info with `F`, and so are all types that `F`
/// names, at a place that debug info tells too: the address of the very record. This is how the proof finds the types
/// of each function, whatever the optimiser made of the function itself.
#[repr(transparent)]
#[derive(Debug)]
pub struct Record<F, const LENGTH: usize> {
    bytes: [u8; LENGTH],
    function: PhantomData<F>,
}

impl<F, const LENGTH: usize> Record<F, LENGTH> {
    /// Puts the parts together; `LENGTH` is the sum of their lengths.
    #[must_use]
    pub const fn new(parts: &[&[u8]]) -> Self {
        Self { bytes: record(parts), function: PhantomData }
    }

    /// The record as the descriptor's section holds it.
    #[must_use]
    pub const fn bytes(&'static self) -> &'static [u8] {
        &self.bytes
    }
}

/// One reloadable function.
#[derive(Debug)]
pub struct Entry {
    record: &'static [u8],
    slot: Option<&'static Slot>,
    body: *const (),
}

// SAFETY: the pointer is to code, which nobody writes; the rest is shared data.
unsafe impl Sync for Entry {}

impl Entry {
    /// An entry; `slot` is `None` for the functions that an image exports.
    #[must_use]
    pub const fn new(record: &'static [u8], slot: Option<&'static Slot>, body: *const ()) -> Self {
        Self { record, slot, body }
    }

    /// Its record in the descriptor.
    #[must_use]
    pub fn record(&self) -> &'static [u8] {
        self.record
    }

    /// Where callers of this link unit look the function up.
    #[must_use]
    pub fn slot(&self) -> Option<&'static Slot> {
        self.slot
    }

    /// The function that this link unit holds.
    #[must_use]
    pub fn body(&self) -> *const () {
        self.body
    }
}

/// What an image hands to the host.
#[repr(C)]
#[derive(Debug)]
pub struct Table {
    /// Its reloadable functions.
    pub entries: &'static [Entry],
    /// The types of carried values that these name.
    pub states: &'static [Carried],
    /// The hooks.
    pub hooks: &'static [HookEntry],
    /// Its place among those that may touch carried values.
    pub seat: &'static Seat,
}

/// Puts a record together in a constant. The parts must be `N` bytes.
#[must_use]
const fn record<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut bytes = [0; N];
    let mut at = 0;
    let mut part = 0;
    while part < parts.len() {
        let mut index = 0;
        while index < parts[part].len() {
            bytes[at] = parts[part][index];
            at += 1;
            index += 1;
        }
        part += 1;
    }
    assert!(at == N, "the parts of a record have another length than was reckoned");
    bytes
}

/// Size and alignment of a type, for the descriptor.
pub struct Layout<T: ?Sized>(std::marker::PhantomData<T>);

impl<T> Layout<T> {
    /// Size and alignment in bytes, as two little-endian `u64`.
    pub const NUMBERS: [u8; 16] = {
        let size = (size_of::<T>() as u64).to_le_bytes();
        let align = (align_of::<T>() as u64).to_le_bytes();
        record(&[&size, &align])
    };
}

/// What [`Layout`] says of an unsized type: an inherent constant is preferred where there is one.
pub trait Unsized {
    /// Zeros.
    const NUMBERS: [u8; 16] = [0; 16];
}

impl<T: ?Sized> Unsized for Layout<T> {}
