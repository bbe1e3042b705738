//! Values that outlive the code that works on them.

mod cell;
#[cfg(debug_assertions)]
mod live;
mod operations;
#[cfg(not(debug_assertions))]
mod plain;
mod saved;
mod seat;
#[cfg(all(test, debug_assertions))]
mod tests;

pub use cell::Cell;
pub use operations::{Carried, Free, NoMigrate, NoRestore, NoSave, Of, Operations, Restore, Save};
pub use saved::{Migrate, RestoreError, Saved};
pub use seat::{Access, Keeper, Seat};

#[cfg(debug_assertions)]
pub use live::State;
#[cfg(not(debug_assertions))]
pub use plain::State;

/// Whether this build of the crate checks who touches a [`State`].
///
/// The command turns debug assertions on for this one crate, in any profile, so that a live build checks, and a plain
/// release build has nothing to check with: there a `State` is a box. This needs neither a feature nor a build script, and
/// the two builds lie side by side in cargo's target directory.
pub const CHECKED: bool = cfg!(debug_assertions);

/// The seat of this link unit: its program or image.
pub static SEAT: Seat = Seat::of_program();
