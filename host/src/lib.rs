//! Attach a running program to Pitstop: new code is proven, loaded, and swapped in at the program's safe point.
//!
//! ```no_run
//! # struct World;
//! # mod logic { pub fn update<W>(_: &mut W, _: f32) {} }
//! let pit = pitstop_host::attach(); // inert unless a session is running
//! let mut world = World;
//! loop {
//!     pit.safe_point(); // one atomic load when nothing is pending
//!     logic::update(&mut world, 1.0 / 60.0); // an ordinary call
//! }
//! ```
//!
//! The stages of an image, in reading order: `inbox` waits for the manifest, `verify` proves a file without running
//! any of its code, `load` maps it, `swap` stores its functions into the slots. All but the last happen on a thread
//! of their own; each consumes what the one before it proved.
//!
//! # Features
//!
//! None is on by default, so that a program compiles no more than it uses:
//!
//! - `plugins`: `Plugins` and all that belongs to it, with the mechanisms `dylib`, `c` and `exec`.
//! - `rpc`: plugins that are programs of their own and speak go-plugin's protocol, and the module `rpc`. Implies `plugins`.
//! - `wasm`: plugins in WebAssembly. Implies `plugins`.

mod inbox;
#[expect(unsafe_code, reason = "runs the system's loader on verified images")]
mod load;
mod swap;
mod verify;

mod attach;
mod config;
mod crash;
mod events;
mod follow;
mod gate;
mod history;
mod hooks;
mod lent;
mod library;
mod lock;
mod panics;
mod pending;
mod plugin;
mod program;
mod retained;
#[cfg(all(unix, feature = "rpc"))]
pub mod rpc;
mod state;

pub use attach::{Pitstop, attach, attach_with};
pub use config::Config;
pub use events::Events;
pub use gate::Unit;
pub use library::{Function, FunctionError, Library, LibraryError};
pub use pitstop_contract::event::{Event, Stages, Waited};
pub use pitstop_contract::{Generation, Reason, Rule};
pub use pitstop_reloadable::{Metadata, OnPanic, Plugin, PluginError, State, Swap};
#[cfg(feature = "plugins")]
pub use plugin::{
    ConfigError, PluginHandle, PluginInfo, PluginState, Plugins, PluginsError, Route, VersionInfo, VersionRef, split,
};
