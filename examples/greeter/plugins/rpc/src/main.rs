//! The greeter as a program of its own: a plugin of mechanism `rpc`, which a host in Go could run as well.

use pitstop_reloadable::{Metadata, Plugin, PluginError, rpc};

struct Greeter;

impl Plugin for Greeter {
    fn name(&self) -> &str {
        "greeter"
    }

    fn process(&self, input: &[u8]) -> Result<Vec<u8>, PluginError> {
        let name = std::str::from_utf8(input).map_err(|_| "the name is no text")?;
        Ok(format!("Hello, {name}, from another process").into_bytes())
    }

    fn metadata(&self) -> Metadata {
        Metadata::new(env!("CARGO_PKG_VERSION"))
    }
}

fn main() {
    rpc::serve(Greeter)
}
