//! Compiles what an edit reaches: rustc itself, with the arguments that cargo gave it, in the form that is needed.

mod allocator;
mod arguments;
mod cancel;
mod compile;
mod native;
mod recipe;
mod shared;

pub(crate) use allocator::{GlobalAllocator, in_images};
pub(crate) use arguments::{Linkage, Place, UNNAMED, image_of, linked_crates, program_in};
pub(crate) use cancel::Cancel;
pub(crate) use compile::{Outcome, Report, compile};
pub(crate) use native::share_native;
pub(crate) use recipe::{Made, Order, make};
pub(crate) use shared::{choose, share};
