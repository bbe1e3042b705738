//! Plugins: code that the program was not built with, loaded, called, and swapped at the safe point.
#![allow(dead_code, reason = "until the registry calls it")]

mod access;
mod backend;
mod config;
mod spec;
mod stage;

pub use config::ConfigError;
pub use pitstop_reloadable::{Metadata, Plugin, PluginError};
