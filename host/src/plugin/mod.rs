//! Plugins: code that the program was not built with, loaded, called, and swapped at the safe point.
//!
//! In reading order: `config` reads what is to be loaded into a `spec`; `open` takes a file to a version that is ready, by way of
//! `stage`, which makes a private copy of it, and `backend`, which proves and opens that; a `version` is what calls run, a `post` is
//! what handles call through, and a `handover` what calls wait for; `yard` decides what is loaded when and what ends, and `registry` is what the program holds.

mod access;
mod backend;
mod config;
mod error;
mod handover;
mod info;
mod open;
mod pin;
mod post;
mod registry;
mod route;
mod shared;
mod spec;
pub(crate) mod stage;
mod version;
mod yard;

#[cfg(all(unix, feature = "rpc"))]
pub use backend::rpc::{Channel, Pinned};
pub use config::ConfigError;
pub(crate) use config::Policy;
pub use error::PluginsError;
pub use info::{PluginInfo, PluginState, VersionInfo};
pub use post::PluginHandle;
pub use registry::Plugins;
pub use route::{Route, VersionRef, split};
pub(crate) use shared::{ask_again, heard, published};
pub(crate) use spec::Spec;
