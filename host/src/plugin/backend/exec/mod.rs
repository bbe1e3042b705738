//! The mechanism for any program, in any language: executed once for each call, or kept running and asked by lines.
//!
//! In reading order: what a configuration may ask for, what a file must be, and, where programs can be executed, `once`
//! and `serve`.

mod accept;
mod prove;
mod shebang;
mod text;

#[cfg(unix)]
#[path = "unix/mod.rs"]
mod platform;
#[cfg(not(unix))]
#[path = "other.rs"]
mod platform;

// They look for what is left in `/proc`.
#[cfg(all(test, target_os = "linux"))]
mod tests;

use super::{Backend, Candidate, Instance, Proven};
use crate::plugin::spec::Spec;
use pitstop_contract::Reason;
use pitstop_proof::Proof;
use pitstop_reloadable::PluginError;

/// Tells a plugin its name.
const NAME_VARIABLE: &str = "PITSTOP_PLUGIN";
/// Tells it the folder of the file that configures it: its own file is a copy elsewhere.
const FOLDER_VARIABLE: &str = "PITSTOP_PLUGIN_FOLDER";

pub(crate) struct Exec;

impl Backend for Exec {
    fn accepts(&self, spec: &Spec) -> Result<(), (&'static str, String)> {
        accept::accepts(spec)
    }

    fn prove(&self, candidate: &Candidate) -> Result<Proof, Vec<Reason>> {
        prove::prove(candidate).map_err(|reason| vec![reason])
    }

    fn open(&self, proven: &Proven) -> Result<Box<dyn Instance>, PluginError> {
        platform::open(proven.candidate())
    }
}
