//! The table `wasm` of a plugin in WebAssembly: what is granted to it.

use super::document::{Key, Section};
use super::error::ConfigError;
use crate::plugin::spec::Wasm;

const KEYS: &[Key] = &[];

/// Reads the table, if there is one.
pub(super) fn wasm(section: &Section<'_, '_>) -> Result<Wasm, ConfigError> {
    let Some(table) = section.table("wasm")? else { return Ok(Wasm::default()) };
    let _section = Section::new(section.document, table, "`wasm`", KEYS)?;
    Ok(Wasm {})
}
