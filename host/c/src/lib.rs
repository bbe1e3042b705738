//! Pitstop's host as a C library: what `include/pitstop.h` declares, which cbindgen makes of these files.
//!
//! The words at each function are written for that header. All of them keep to one form: they catch panics, check their
//! arguments, and return an error object or null; see `border`.

pub mod abi;
pub mod host;

pub mod library;
pub mod unit;

pub mod events;
pub mod log_to;
pub mod plugins;

mod arguments;
mod border;
pub mod config;
pub mod error;
