//! The mechanism for WebAssembly: components that keep to `wit/pitstop.wit`, and core modules.

use super::{Backend, Candidate, Instance, Proven};
use crate::plugin::spec::Spec;
use pitstop_contract::Reason;
use pitstop_proof::Proof;
use pitstop_reloadable::PluginError;

pub(crate) struct Wasm;

impl Backend for Wasm {
    fn accepts(&self, _spec: &Spec) -> Result<(), (&'static str, String)> {
        Ok(())
    }

    fn prove(&self, _candidate: &Candidate) -> Result<Proof, Vec<Reason>> {
        Err(Vec::new())
    }

    fn open(&self, _proven: &Proven) -> Result<Box<dyn Instance>, PluginError> {
        Err(PluginError::failed("not yet"))
    }
}
