//! What Pitstop's watcher, host and images agree on. Pure: no I/O, no threads, no unsafe code.

pub mod crash;
#[cfg(feature = "serde")]
pub mod dependency;
pub mod descriptor;
#[cfg(feature = "serde")]
pub mod event;
mod generation;
#[cfg(feature = "serde")]
pub mod manifest;
mod reason;
#[cfg(feature = "serde")]
pub mod request;
pub mod session;
#[cfg(feature = "serde")]
pub mod snapshot;

pub use generation::Generation;
pub use reason::{Reason, Rule};
