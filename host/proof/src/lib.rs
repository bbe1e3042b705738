//! Shows, from the bytes of a file alone, whether an image's code matches a running program: no code of it runs.
//!
//! There is no I/O here but in [`mod@file`], and bytes are never trusted: every walk through them is bounded.

pub mod facts;
pub mod file;
pub mod layout;
pub mod signature;
pub mod slots;

mod built;
mod compiler;
mod complete;
mod debug_info;
mod image;
mod order;
mod plugin;
mod prove;
mod sparse;

pub use built::Built;
pub use compiler::compilers;
pub use complete::{complete, is_native_code, machine_here, whole};
pub use debug_info::data::section;
pub use debug_info::split::{Companion, Companions};
pub use image::{described, descriptor, exports};
pub use plugin::{Interface, plugin_layouts, prove_plugin};
pub use prove::{Image, Proof, agree_on, carried, crosses, prove, prove_kept_by_type};
