//! What a program says of itself: `{"name": "...", "version": "...", "capabilities": ["..."]}`, each of them optional.

use crate::plugin::backend::Description;
use crate::plugin::backend::process::quoted;
use pitstop_reloadable::PluginError;
use serde::Deserialize;
use serde_json::Value;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Described {
    name: String,
    version: String,
    capabilities: Vec<String>,
}

/// Reads what a program has printed. What is no JSON object says nothing.
pub(super) fn printed(output: &[u8]) -> Result<Description, PluginError> {
    serde_json::from_slice(output).map_or_else(|_| Ok(Description::default()), told)
}

/// Reads an answer.
pub(super) fn told(value: Value) -> Result<Description, PluginError> {
    if !value.is_object() {
        return Ok(Description::default());
    }
    let text = value.to_string();
    let Described { name, version, capabilities } =
        serde_json::from_value(value).map_err(|error| PluginError::Protocol {
            expected: "a description with `name` and `version` as texts and `capabilities` as a list of texts"
                .to_owned(),
            found: format!("`{}` ({error})", quoted(text.as_bytes())),
        })?;
    Ok(Description { name, version, capabilities })
}
