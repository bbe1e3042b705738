//! Systems other than Unix: no program is executed here.

use super::super::{Candidate, Instance};
use pitstop_reloadable::PluginError;

pub(super) fn open(candidate: &Candidate) -> Result<Box<dyn Instance>, PluginError> {
    let why = "exec plugins need Unix; write it in Rust or against `pitstop_plugin.h` instead".to_owned();
    Err(PluginError::NotStarted { file: candidate.file.display().to_string(), why })
}
