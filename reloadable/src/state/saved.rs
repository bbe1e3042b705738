//! The saved form of a value, and types that know how to read earlier ones.

use serde::de::DeserializeOwned;
use std::fmt;

/// A value as another generation, or an earlier run of the program, has saved it: fields by name, in MessagePack.
#[derive(Clone, Copy)]
pub struct Saved<'a>(pub(super) &'a [u8]);

impl fmt::Debug for Saved<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Saved({} bytes)", self.0.len())
    }
}

impl Saved<'_> {
    /// Reads it as a type of your own: the one of that version, or a part of it.
    ///
    /// ```
    /// # use pitstop_reloadable::{Migrate, RestoreError, Saved};
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// pub struct World {
    ///     speed_in_km_per_hour: f32,
    /// }
    ///
    /// impl Migrate for World {
    ///     const VERSION: u32 = 2;
    ///
    ///     fn migrate(from: u32, value: Saved<'_>) -> Result<Self, RestoreError> {
    ///         #[derive(serde::Deserialize)]
    ///         struct World1 {
    ///             speed_in_m_per_s: f32,
    ///         }
    ///         match from {
    ///             1 => value.read().map(|old: World1| Self { speed_in_km_per_hour: 3.6 * old.speed_in_m_per_s }),
    ///             _ => value.read(),
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// Which field cannot be read, and why.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, RestoreError> {
        rmp_serde::from_slice(self.0).map_err(|error| {
            // Once more, with notes of the way: it takes longer.
            let mut reader = rmp_serde::Deserializer::from_read_ref(self.0);
            match serde_path_to_error::deserialize::<_, T>(&mut reader) {
                Err(traced) => RestoreError { field: traced.path().to_string(), why: in_words(traced.inner()) },
                Ok(_) => RestoreError { field: ".".to_owned(), why: in_words(&error) },
            }
        })
    }
}

/// Why a value cannot be restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreError {
    field: String,
    why: String,
}

impl RestoreError {
    /// For a migration of your own that cannot go on.
    #[must_use]
    pub fn new(why: impl Into<String>) -> Self {
        Self { field: ".".to_owned(), why: why.into() }
    }

    /// The way to what could not be read: `balls[3].radius`; `.` for the whole.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field == "." { f.write_str(&self.why) } else { write!(f, "{}: {}", self.field, self.why) }
    }
}

impl std::error::Error for RestoreError {}

/// What MessagePack calls things, in the words of Rust.
fn in_words(error: &rmp_serde::decode::Error) -> String {
    use rmp_serde::decode::Error;
    match error {
        Error::TypeMismatch(marker) => {
            let kind = format!("{marker:?}");
            let kind = match kind.split('(').next().unwrap_or(&kind) {
                "FixStr" | "Str8" | "Str16" | "Str32" => "a string",
                "FixPos" | "FixNeg" | "U8" | "U16" | "U32" | "U64" | "I8" | "I16" | "I32" | "I64" => "an integer",
                "F32" | "F64" => "a floating-point number",
                "True" | "False" => "a bool",
                "Null" => "nothing",
                "FixArray" | "Array16" | "Array32" => "a sequence",
                "FixMap" | "Map16" | "Map32" => "a map or a struct",
                "Bin8" | "Bin16" | "Bin32" => "bytes",
                _ => return error.to_string(),
            };
            format!("{kind} was saved, which the new type does not take")
        }
        other => other.to_string(),
    }
}

/// A type that reads what other versions of it have saved, older or newer ones.
///
/// Without it, a value is restored as serde does it, field by field by name: `#[serde(default)]`, `rename`, `alias` and
/// functions of your own work as they do anywhere. With it, this is what happens between equal versions only.
pub trait Migrate: DeserializeOwned {
    /// The version of this type. A type without `Migrate` has version 0.
    const VERSION: u32;

    /// Makes a value of one that another version has saved: `from` is greater than [`Migrate::VERSION`] when a person goes
    /// back to this code.
    ///
    /// # Errors
    /// Then the program stays with the code it has.
    fn migrate(from: u32, value: Saved<'_>) -> Result<Self, RestoreError>;
}
