//! The layout proof: every type that crosses the border, compared between the running program and an image.
//!
//! [`read()`] walks debug info and gives [`Layouts`], a graph of types; [`compare()`] walks two of them in step.

mod canonical;
mod compare;
mod model;
mod name;
mod pairs;
mod path;
mod read;
mod report;
mod scan;
mod vtables;
mod warnings;

#[cfg(test)]
mod tests;

pub use compare::{Comparison, Difference, Extent, Note, Resized, compare, compare_roots};
pub use model::{FORMAT, Field, Generic, Kind, Layouts, Root, RootKind, Static, Type, TypeId, Variant, Vtable};
pub use name::{is_standard, normalised, shown};
pub use read::{own, read, read_with};
pub use report::{ParameterName, tree};
pub use vtables::moved_methods;
pub use warnings::{Borrowed, borrowed};
