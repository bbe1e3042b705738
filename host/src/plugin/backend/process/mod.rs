//! Programs as processes of their own: what the mechanisms that start programs share.
//!
//! In reading order: what a configuration may ask for, what a file must be, and, where programs can be started, how one is
//! started, watched and ended.

mod accept;
mod prove;
mod shebang;
mod text;

#[cfg(unix)]
#[path = "unix/mod.rs"]
mod platform;
#[cfg(not(unix))]
#[path = "other.rs"]
mod platform;

pub(crate) use accept::accepts;
#[cfg(unix)]
pub(crate) use platform::{
    Backoff, Child, Command, GRACE, KILLED_WITHIN, Lines, MOST_ENDS, Status, WITHIN, Wanted, failure, ready, receive,
    split, take_present, write,
};
#[cfg(all(unix, feature = "rpc"))]
pub(crate) use platform::{Outlives, start_kept};
pub(crate) use prove::prove;
#[cfg(unix)]
pub(crate) use text::Tail;
#[cfg(any(unix, feature = "wasm"))]
pub(crate) use text::quoted;

/// Tells a plugin its name.
const NAME_VARIABLE: &str = "PITSTOP_PLUGIN";
/// Tells it the folder of the file that configures it: its own file is a copy elsewhere.
const FOLDER_VARIABLE: &str = "PITSTOP_PLUGIN_FOLDER";
