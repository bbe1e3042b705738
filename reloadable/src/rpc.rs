//! A plugin as a program of its own, which speaks go-plugin's protocol: a host in Rust or in Go runs it.
//!
//! ```no_run
//! use pitstop_reloadable::{Plugin, PluginError};
//!
//! struct Greeter;
//!
//! impl Plugin for Greeter {
//!     fn name(&self) -> &str {
//!         "greeter"
//!     }
//!
//!     fn process(&self, input: &[u8]) -> Result<Vec<u8>, PluginError> {
//!         let name = std::str::from_utf8(input).map_err(|_| "the name is no text")?;
//!         Ok(format!("Hello, {name}!").into_bytes())
//!     }
//! }
//!
//! fn main() {
//!     pitstop_reloadable::rpc::serve(Greeter)
//! }
//! ```
//!
//! With services of its own, from whatever `.proto`, it is a [`Server`]: `Server::new().plugin(Greeter).add_service(kv)`.

mod service;

pub use pitstop_rpc::plugin::{Ended, Network, Orphan, Server, Session, StandardError, StartError, logger};
pub use pitstop_rpc::{Broker, Cookie};
pub use service::{PluginService, ServePlugin, service};

use crate::plugin::Plugin;

/// Serves a plugin to the host that has started this process, until the host says that it is over; then the process ends.
/// Records of `log` go to the host, if there is no logger yet.
///
/// Its calls run on threads of tokio's, several at once, and may take their time. To wait for a future in one of them, use
/// `tokio::task::block_in_place` with `tokio::runtime::Handle::block_on` in it.
pub fn serve(plugin: impl Plugin + 'static) -> ! {
    // There is one already.
    let _ = logger();
    Server::new().plugin(plugin).serve()
}
