//! What the host has done to a value by the code of one unit, which knows its type.
#![expect(unsafe_code, reason = "works on a value behind a pointer without a type")]

use super::saved::{Migrate, RestoreError, Saved};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A type of carried values, as one unit knows it.
#[derive(Debug)]
pub struct Carried {
    /// The record in the descriptor, which debug info leads from.
    pub record: &'static [u8],
    /// The type's name, by which units agree on which type it is: its `TypeId` changes with its fields.
    pub type_name: fn() -> &'static str,
    /// What can be done.
    pub operations: Operations,
}

/// What the code of one unit can do with values of a type. None of it panics.
#[derive(Clone, Copy, Debug)]
pub struct Operations {
    /// The version of the type.
    pub version: u32,
    /// Writes the saved form; `None` for a type without `serde::Serialize`.
    pub save: Option<Save>,
    /// Makes a value of the saved form; `None` for a type without `serde::Deserialize`.
    pub restore: Option<Restore>,
    /// Drops a value that this unit made.
    pub drop: Free,
}

/// Of a pointer to a value of the type.
pub type Save = unsafe fn(*const ()) -> Result<Vec<u8>, String>;
/// Of a saved form and the version that saved it; gives a box's pointer.
pub type Restore = fn(&[u8], u32) -> Result<*mut (), RestoreError>;
/// Of a box's pointer. A panic of the value's own `drop` is given back.
pub type Free = unsafe fn(*mut ()) -> Result<(), String>;

/// What is known of a type at compile time. An inherent constant is preferred to that of a trait, so that each of these
/// is there where the type has what it takes, and `None` from the traits below where not.
pub struct Of<T>(PhantomData<T>);

impl<T> Of<T> {
    /// How its values are dropped.
    pub const DROP: Free = free::<T>;
}

impl<T: Serialize> Of<T> {
    /// How its values are saved.
    pub const SAVE: Option<Save> = Some(save::<T>);
}

impl<T: DeserializeOwned> Of<T> {
    /// How they are restored.
    pub const READ: Option<Restore> = Some(|bytes, _| restore(|| Saved(bytes).read::<T>()));
}

impl<T: Migrate> Of<T> {
    /// How those of any version are.
    pub const MIGRATE: Option<(u32, Restore)> = Some((T::VERSION, |bytes, from| {
        restore(|| if from == T::VERSION { Saved(bytes).read() } else { T::migrate(from, Saved(bytes)) })
    }));
}

/// A type without `Serialize`.
pub trait NoSave {
    /// None.
    const SAVE: Option<Save> = None;
}
impl<T> NoSave for Of<T> {}

/// A type without `Deserialize`.
pub trait NoRestore {
    /// None.
    const READ: Option<Restore> = None;
}
impl<T> NoRestore for Of<T> {}

/// A type without [`Migrate`].
pub trait NoMigrate {
    /// None.
    const MIGRATE: Option<(u32, Restore)> = None;
}
impl<T> NoMigrate for Of<T> {}

impl Operations {
    /// Those of a type, from what [`Of`] says of it.
    #[must_use]
    pub const fn new(save: Option<Save>, read: Option<Restore>, migrate: Option<(u32, Restore)>, drop: Free) -> Self {
        let (version, restore) = match migrate {
            Some((version, migrate)) => (version, Some(migrate)),
            None => (0, read),
        };
        Self { version, save, restore, drop }
    }
}

unsafe fn save<T: Serialize>(value: *const ()) -> Result<Vec<u8>, String> {
    // SAFETY: the host calls this with a value that this unit, or one whose layout of `T` is the same, has made.
    let value = unsafe { &*value.cast::<T>() };
    caught(|| rmp_serde::to_vec_named(value).map_err(|error| error.to_string()))
}

fn restore<T>(read: impl FnOnce() -> Result<T, RestoreError>) -> Result<*mut (), RestoreError> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(value) => value.map(|value| Box::into_raw(Box::new(value)).cast()),
        Err(payload) => Err(RestoreError::new(panicked(payload))),
    }
}

unsafe fn free<T>(value: *mut ()) -> Result<(), String> {
    caught(|| {
        // SAFETY: the host calls this once, with a box's pointer that this unit gave it, and nobody has the value.
        drop(unsafe { Box::from_raw(value.cast::<T>()) });
        Ok(())
    })
}

/// A panic stays inside of the unit, whose `std` may be its own.
fn caught<R>(body: impl FnOnce() -> Result<R, String>) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| Err(panicked(payload)))
}

fn panicked(payload: Box<dyn std::any::Any + Send>) -> String {
    let message = crate::border::message(&*payload);
    // Its drop glue may be anything.
    std::mem::forget(payload);
    format!("panicked: {message}")
}
