//! Drives `cargo pitstop` as a person would, for tests and benchmarks: copies a fixture, edits files, awaits events.

mod adder;
mod go;
mod go_host;
mod mount;
mod project;
mod session;

pub use adder::Adder;
pub use go::{GoPlugin, go};
pub use go_host::{GoHost, Tls};
pub use mount::Mount;
pub use project::{Project, built, command, repository};
pub use session::{Session, TIMEOUT, signal};

/// What the peers of the RPC tests say to each other: `tests/fixtures/go-plugin/peer.proto`, compiled.
pub mod peer {
    #![expect(missing_docs, reason = "generated; the file itself says what each is for")]
    tonic::include_proto!("peer");
}
