//! Reads from a library's debug info which signature an exported function has, and compares it with the one asked for.
//!
//! The file is read and never loaded. Its bytes are not trusted: every walk through them is bounded, and what cannot be
//! read is reported or counts as another type.

mod find;
mod types;

mod compare;
mod parse;

#[cfg(all(test, target_os = "linux"))]
mod tests;

pub use compare::compare;
pub(crate) use find::exported_functions;
pub use find::{all, find};

/// How deep a type may nest. Deeper ones count as unreadable.
const DEPTH: usize = 48;

/// What debug info says of an exported function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub(crate) parameters: Vec<Ty>,
    /// Whether more arguments may follow, as in C's `printf`.
    pub(crate) variadic: bool,
    /// `None`: it returns nothing.
    pub(crate) result: Option<Ty>,
    pub(crate) source_language: Language,
}

/// The language that a function is written in, as far as signatures depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Rust,
    C,
    Other,
}

/// A type, as far as calls need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ty {
    /// As the debug info writes it, for example `u64`, `&mut logic::World`, `unsigned long`, `struct Foo *`.
    pub(crate) name: String,
    /// What else the type itself is called: C's tags and the names of its typedefs.
    pub(crate) aliases: Vec<String>,
    pub(crate) shape: Shape,
}

/// How a type is passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Unit,
    Never,
    Bool,
    /// 32 bits of Unicode.
    Char,
    /// `signed: None` is C's `char` or an enum, which stand for either.
    Int {
        signed: Option<bool>,
        bytes: u64,
    },
    Float {
        bytes: u64,
    },
    /// A thin one.
    Pointer,
    /// Struct, union, tuple, array, fat pointer, or an enum of Rust.
    Aggregate {
        bytes: Option<u64>,
    },
    /// Nothing that a Rust signature can name, or that the file says enough of.
    Other,
}
