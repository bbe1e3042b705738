//! The layout proof: every type that crosses the border, compared between the running program and an image.
//!
//! `read` walks debug info and gives [`Layouts`], a graph of types; `compare` walks two of them in step.

mod canonical;
mod model;
mod names;
mod read;
mod scan;

pub use model::{FORMAT, Field, Generic, Kind, Layouts, Root, RootKind, Static, Type, TypeId, Variant};
pub use read::read;
