//! Systems other than Unix: no program is executed here.

use super::super::{Candidate, Instance};
use pitstop_reloadable::PluginError;
use std::path::Path;

const WHY: &str = "exec plugins need Unix; write it in Rust or against `pitstop_plugin.h` instead";

pub(super) fn supported() -> Result<(), String> {
    Err(WHY.to_owned())
}

pub(super) fn limits_memory() -> Result<(), String> {
    Err(WHY.to_owned())
}

pub(super) fn executable(_file: &Path) -> Result<(), String> {
    Err(WHY.to_owned())
}

pub(super) fn open(candidate: &Candidate) -> Result<Box<dyn Instance>, PluginError> {
    Err(PluginError::NotStarted { file: candidate.file.display().to_string(), why: WHY.to_owned() })
}
