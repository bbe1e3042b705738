//! Mark functions as replaceable while the program runs.
//!
//! ```
//! use pitstop_reloadable::reloadable;
//!
//! pub struct World {
//!     pub height: f32,
//!     pub speed: f32,
//! }
//!
//! #[reloadable]
//! pub fn update(world: &mut World, dt: f32) {
//!     world.speed -= 9.81 * dt;
//!     world.height += world.speed * dt;
//! }
//! # update(&mut World { height: 1.0, speed: 0.0 }, 0.1);
//! ```
//!
//! In a plain `cargo build` the attribute leaves the function exactly as it is. Under `cargo pitstop run` the same call
//! goes through a pointer that the host swaps at its safe point, once the new code is shown to match.
//!
//! The attribute goes on free functions and on `impl` blocks, inherent or of a trait for a concrete type, in any module.
//! `async fn`s may be marked: a future runs the code its call began with, the next call runs the new code. Generic,
//! `impl Trait`, `const` and variadic signatures are refused with a compile error.
//!
//! With the feature `tracing`, spans and events of an image that has its own copy of `tracing-core` go to the program's
//! subscriber. Log records go to the program's logger without further ado.

mod again;
mod backtrace;
mod border;
mod future;
mod hook;
mod note;
mod output;
mod plugin;
mod records;
#[cfg(feature = "rpc")]
pub mod rpc;
mod services;
mod slot;
mod state;
mod swap;
mod table;

pub use border::OnPanic;
pub use pitstop_contract::Generation;
pub use pitstop_macros::{plugin, reloadable};
pub use plugin::{Metadata, Plugin, PluginError};
pub use state::{Migrate, RestoreError, Saved, State};
pub use swap::Swap;

/// What the attribute's expansion and `pitstop-host` use. Not for direct use: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use crate::again::{IsCopy, Kept, MaybeCopy, like};
    pub use crate::border::{Caught, OnPanic, Over, Site, border, border_future, contained};
    pub use crate::erase;
    pub use crate::future::{Erased, IsSend, MaybeSend, live};
    pub use crate::hook::hear;
    pub use crate::note::{Note, Place, Trace, hush, install as install_panic_hook, new_epoch, take as take_note};
    pub use crate::output::{at_exit, flush_at_exit};
    pub use crate::plugin::table::{self as plugin_table, ABI, Buffer, PluginHost, PluginTable, Status};
    pub use crate::plugin::{Functions, Metadata, Storage, enter as enter_plugin, interface_records};
    pub use crate::records::{Records, follow};
    pub use crate::services::{HostAllocator, Panic, Reply, Services, enter_image, lend};
    pub use crate::slot::Slot;
    pub use crate::state::{
        Access, CHECKED, Carried, Cell, Free, Keeper, NoMigrate, NoRestore, NoSave, Of, Operations, Restore, SEAT,
        Save, Seat,
    };
    pub use crate::swap::{HookEntry, HookKind, run_hook};
    pub use crate::table::{CRATES, ENTRIES, Entry, HOOKS, Layout, Record, STATES, Table, Unsized};
    pub use linkme;
}
