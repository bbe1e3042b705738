//! The mechanism for WebAssembly: components that keep to `wit/pitstop.wit`, and core modules that export the same in C's terms
//! (`wit/README.md`).
//!
//! In reading order: what a configuration may ask for and what a file must be; how it becomes machine code, or comes from the
//! cache; what is lent to it; its instances, and the pool that they wait in.

mod accept;
mod kind;
mod prove;

mod cache;
mod code;
mod deserialize;
mod engine;
mod ticker;

mod guest;
mod lend;
mod output;

mod component;
mod core;
mod error;
mod live;
mod pool;
mod types;
mod wait;

#[cfg(test)]
mod tests;

use super::{Backend, Candidate, Instance, Proven};
use crate::plugin::spec::Spec;
use pitstop_contract::Reason;
use pitstop_proof::Proof;
use pitstop_reloadable::PluginError;

pub(crate) struct Wasm;

impl Backend for Wasm {
    fn accepts(&self, spec: &Spec) -> Result<(), (&'static str, String)> {
        accept::accepts(spec)
    }

    fn prove(&self, candidate: &Candidate) -> Result<Proof, Vec<Reason>> {
        prove::prove(candidate)
    }

    fn open(&self, proven: &Proven) -> Result<Box<dyn Instance>, PluginError> {
        pool::open(proven.candidate(), cache::Cache::of_user().as_ref())
    }
}
