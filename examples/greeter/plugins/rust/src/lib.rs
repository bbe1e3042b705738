//! The greeter in Rust: a plugin of mechanism `dylib`.

use pitstop_reloadable::{Plugin, PluginError, plugin};

#[derive(Default)]
struct Greeter;

#[plugin]
impl Plugin for Greeter {
    fn name(&self) -> &str {
        "greeter"
    }

    fn process(&self, input: &[u8]) -> Result<Vec<u8>, PluginError> {
        let name = std::str::from_utf8(input).map_err(|_| "the name is no text")?;
        Ok(format!("Hello, {name}, from Rust").into_bytes())
    }
}
