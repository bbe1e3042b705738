//! The table `rpc` of a plugin that speaks go-plugin's protocol.

use super::document::{Key, Section};
use super::error::ConfigError;
use crate::plugin::spec::Rpc;

const KEYS: &[Key] = &[];

/// Reads the table, if there is one.
pub(super) fn rpc(section: &Section<'_, '_>) -> Result<Rpc, ConfigError> {
    let Some(table) = section.table("rpc")? else { return Ok(Rpc::default()) };
    let _section = Section::new(section.document, table, "`rpc`", KEYS)?;
    Ok(Rpc {})
}
