//! Systems other than Unix: no program is started here.

use std::path::Path;

const WHY: &str = "plugins that are programs need Unix; write it in Rust or against `pitstop_plugin.h` instead";

pub(crate) fn supported() -> Result<(), String> {
    Err(WHY.to_owned())
}

pub(crate) fn limits_memory() -> Result<(), String> {
    Err(WHY.to_owned())
}

pub(crate) fn executable(_file: &Path) -> Result<(), String> {
    Err(WHY.to_owned())
}
