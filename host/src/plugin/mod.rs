//! Plugins: code that the program was not built with, loaded, called, and swapped at the safe point.
#![allow(dead_code, reason = "until the registry calls it")]

mod backend;
mod spec;

pub use pitstop_reloadable::{Metadata, Plugin, PluginError};
