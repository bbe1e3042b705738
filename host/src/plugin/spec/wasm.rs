//! What is granted to a plugin in WebAssembly, and what holds it.

/// The table `wasm` of a plugin's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wasm {}
