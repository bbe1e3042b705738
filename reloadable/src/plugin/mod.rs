//! Plugins: code that a program was not built with, behind one interface, whatever it is written in.
//!
//! ```
//! use pitstop_reloadable::{Plugin, PluginError};
//!
//! #[derive(Default)]
//! pub struct Greeter;
//!
//! #[pitstop_reloadable::plugin]
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
//! ```

mod error;
#[expect(unsafe_code, reason = "the functions that a program calls through the table")]
mod export;
pub mod table;

pub use error::PluginError;
pub use export::{Functions, Storage, enter, interface_records};

/// Something that makes an output of an input. What a plugin written in Rust implements, and what a program calls,
/// whatever the plugin is written in.
///
/// Calls may come from any thread, and several at once.
pub trait Plugin: Send + Sync {
    /// What it is called: in a program, the name by which the program knows it.
    fn name(&self) -> &str;

    /// Makes the output of an input, both any bytes.
    ///
    /// # Errors
    /// See [`PluginError`].
    fn process(&self, input: &[u8]) -> Result<Vec<u8>, PluginError>;

    /// [`process`](Self::process) for text.
    ///
    /// # Errors
    /// As `process`, and [`PluginError::NotText`].
    fn process_text(&self, input: &str) -> Result<String, PluginError> {
        String::from_utf8(self.process(input.as_bytes())?).map_err(|error| PluginError::NotText {
            valid_up_to: error.utf8_error().valid_up_to(),
            length: error.as_bytes().len(),
        })
    }

    /// Whether [`save`](Self::save) may give something once it has worked for a while. Calls of a newer version then wait until those
    /// of this one have ended and it was saved. Asked for as it starts; `true` is taken for granted where there is something to
    /// save already. By `rpc` only; a library keeps what outlives it in a `State`.
    fn keeps_state(&self) -> bool {
        false
    }

    /// What it keeps, in a form that another version of it understands: asked for when a newer version is about to take its
    /// place, once no call runs any more. `None`: there is nothing to hand over.
    ///
    /// # Errors
    /// Whatever keeps it from saving; the newer version is then refused.
    fn save(&self) -> Result<Option<Vec<u8>>, PluginError> {
        Ok(None)
    }

    /// Takes over what the version before it has saved, before its first call.
    ///
    /// # Errors
    /// It cannot be used here; the version before it stays live.
    fn restore(&self, _saved: &[u8]) -> Result<(), PluginError> {
        Ok(())
    }

    /// What it says of itself. `#[plugin]` puts the crate's version in.
    fn metadata(&self) -> Metadata {
        Metadata::default()
    }
}

/// What a plugin says of itself, and how it is run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// Its version, in whatever form; empty where it says none.
    pub version: String,
    /// How it is run: `dylib`, `c`, `exec`, `rpc`, `wasm`. The program fills it in.
    pub mechanism: String,
    /// What it can do, in words that it and the program agree on.
    pub capabilities: Vec<String>,
}

impl Metadata {
    /// Of a version.
    #[must_use]
    pub fn new(version: &str) -> Self {
        Self { version: version.to_owned(), ..Self::default() }
    }

    /// With what it can do.
    #[must_use]
    pub fn with_capabilities(self, capabilities: &[&str]) -> Self {
        Self { capabilities: capabilities.iter().map(|&capability| capability.to_owned()).collect(), ..self }
    }
}
