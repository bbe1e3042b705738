//! What earlier generations still take up, which threads run them, and letting go of those that are free.
//!
//! All of it is the work of one thread of its own, after a swap. The host's threads wait for none of it, but for the moment
//! that `freeze/` stops them, which is asked for with `Config::unload`.

mod ground;
mod keeper;
mod maps;
mod memory;
mod peek;
mod place;
mod rest;
mod scan;
mod snapshot;
mod sweep;
mod threads;
mod unload;

mod freeze;

pub(crate) use ground::FreshGround;
pub(crate) use keeper::Retained;
pub(crate) use sweep::wipe_stack;
