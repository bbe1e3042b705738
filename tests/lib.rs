//! Drives `cargo pitstop` as a person would, for tests and benchmarks: copies a fixture, edits files, awaits events.

mod mount;
mod project;
mod session;

pub use mount::Mount;
pub use project::{Project, command, repository};
pub use session::{Session, TIMEOUT, signal};
