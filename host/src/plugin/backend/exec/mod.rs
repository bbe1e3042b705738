//! The mechanism for any program, in any language: executed once for each call, or kept running and asked by lines.
//!
//! Where programs can be executed: `once` and `serve`.

#[cfg(unix)]
#[path = "unix/mod.rs"]
mod platform;
#[cfg(not(unix))]
#[path = "other.rs"]
mod platform;

// They look for what is left in `/proc`.
#[cfg(all(test, target_os = "linux"))]
mod tests;

use super::{Backend, Candidate, Instance, Proven, process};
use crate::plugin::spec::Spec;
use pitstop_contract::Reason;
use pitstop_proof::Proof;
use pitstop_reloadable::PluginError;

pub(crate) struct Exec;

impl Backend for Exec {
    fn accepts(&self, spec: &Spec) -> Result<(), (&'static str, String)> {
        process::accepts(spec)
    }

    fn prove(&self, candidate: &Candidate) -> Result<Proof, Vec<Reason>> {
        process::prove(candidate).map_err(|reason| vec![reason])
    }

    fn open(&self, proven: &Proven) -> Result<Box<dyn Instance>, PluginError> {
        platform::open(proven.candidate())
    }
}
