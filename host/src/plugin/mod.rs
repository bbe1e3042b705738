//! Plugins: code that the program was not built with, loaded, called, and swapped at the safe point.
//!
//! In reading order: `config` reads what is to be loaded into a `spec`; `open` takes a file to a version that is ready, by way of
//! `stage`, which makes a private copy of it, and `backend`, which proves and opens that; a `version` is what calls run, a `post` is
//! what handles call through, and a `handover` what calls wait for; `yard` decides what is loaded when and what ends, and `registry` is what the program holds.

// Copies are made of libraries too, which are followed without the feature: what concerns plugins alone is not used then.
#[cfg_attr(not(feature = "plugins"), allow(dead_code))]
mod access;
#[cfg_attr(not(feature = "plugins"), allow(dead_code))]
mod spec;
pub(crate) mod stage;

#[cfg(feature = "plugins")]
mod backend;
#[cfg(feature = "plugins")]
mod config;
#[cfg(feature = "plugins")]
mod error;
#[cfg(feature = "plugins")]
mod handover;
#[cfg(feature = "plugins")]
mod info;
#[cfg(feature = "plugins")]
mod open;
#[cfg(feature = "plugins")]
mod pin;
#[cfg(feature = "plugins")]
mod post;
#[cfg(feature = "plugins")]
mod registry;
#[cfg(feature = "plugins")]
mod route;
#[cfg(feature = "plugins")]
mod shared;
#[cfg(feature = "plugins")]
mod version;
#[cfg(not(feature = "plugins"))]
mod without;
#[cfg(feature = "plugins")]
mod yard;

pub(crate) use access::Policy;
pub(crate) use spec::Spec;
#[cfg(not(feature = "plugins"))]
pub(crate) use without::{ask_again, heard, published};

#[cfg(feature = "plugins")]
pub use self::{
    config::ConfigError,
    error::PluginsError,
    info::{PluginInfo, PluginState, VersionInfo},
    post::PluginHandle,
    registry::Plugins,
    route::{Route, VersionRef, split},
};
#[cfg(all(unix, feature = "rpc"))]
pub use backend::rpc::{Channel, Pinned};
#[cfg(feature = "plugins")]
pub(crate) use shared::{ask_again, heard, published};
