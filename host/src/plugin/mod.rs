//! Plugins: code that the program was not built with, loaded, called, and swapped at the safe point.
//!
//! In reading order: `config` reads what is to be loaded into a `spec`, `stage` takes a private copy of the file, `backend` proves
//! and opens it, a `version` is what calls run, a `post` is what handles call through; `yard` moves versions along this way, and
//! `registry` is what the program holds.

mod access;
mod backend;
mod config;
mod error;
mod info;
mod pin;
mod post;
mod registry;
mod route;
mod shared;
mod spec;
pub(crate) mod stage;
mod version;
mod yard;

pub use config::ConfigError;
pub(crate) use config::Policy;
pub use error::PluginsError;
pub use info::{PluginInfo, PluginState, VersionInfo};
pub use post::PluginHandle;
pub use registry::Plugins;
pub use route::{Route, VersionRef, split};
pub(crate) use shared::{heard, published};
pub(crate) use spec::Spec;
