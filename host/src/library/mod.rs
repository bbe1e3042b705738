//! Libraries without the attribute: handles to functions by name, whose pointers are swapped at the safe point.

mod followed;
mod handle;
mod shelf;

pub(crate) use followed::follow;
pub(crate) use handle::as_path;
#[cfg(feature = "plugins")]
pub(crate) use handle::find_beside_executable;
pub use handle::{Function, FunctionError, Library, LibraryError};
pub(crate) use shelf::Shelf;
