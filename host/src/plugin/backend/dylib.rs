//! The mechanism for libraries written in Rust.

use super::{Backend, Candidate, Instance, Proven};
use crate::plugin::spec::Spec;
use pitstop_contract::Reason;
use pitstop_proof::Proof;
use pitstop_reloadable::PluginError;

pub(crate) struct Dylib;

impl Backend for Dylib {
    fn accepts(&self, _spec: &Spec) -> Result<(), (&'static str, String)> {
        Ok(())
    }

    fn prove(&self, _candidate: &Candidate) -> Result<Proof, Vec<Reason>> {
        Ok(Proof::default())
    }

    fn open(&self, _proven: &Proven) -> Result<Box<dyn Instance>, PluginError> {
        Err(PluginError::failed("not there yet"))
    }
}
