//! Compiles what an edit reaches: rustc itself, with the arguments that cargo gave it, in the form that is needed.

mod allocator;
mod arguments;
mod compile;
mod native;
mod shared;

pub(crate) use allocator::{GlobalAllocator, in_images};
pub(crate) use arguments::{Linkage, Place, UNNAMED, image_of, linked_crates, program_in};
pub(crate) use compile::{Cancel, Outcome, Report, compile};
pub(crate) use native::share_native;
pub(crate) use shared::{choose, share};
