//! Unix: programs are executed.

mod describe;
mod once;
mod serve;

use super::super::{Candidate, Instance};
use crate::plugin::spec::Mode;
use pitstop_reloadable::PluginError;

pub(super) fn open(candidate: &Candidate) -> Result<Box<dyn Instance>, PluginError> {
    match candidate.spec.mode {
        Mode::Once => once::open(candidate),
        Mode::Serve => serve::open(candidate),
    }
}
