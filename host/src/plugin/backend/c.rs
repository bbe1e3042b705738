//! The mechanism `c`: libraries in C, C++, Go or any other language that export the table of `pitstop_plugin.h`.

use super::{Backend, Candidate, Instance, Proven, table};
use crate::plugin::spec::Spec;
use pitstop_contract::Reason;
use pitstop_proof::Proof;
use pitstop_reloadable::__private::plugin_table::{ABI_SYMBOL, TABLE_SYMBOL};
use pitstop_reloadable::PluginError;

pub(crate) struct C;

impl Backend for C {
    fn accepts(&self, spec: &Spec) -> Result<(), (&'static str, String)> {
        super::in_process(spec)
    }

    fn prove(&self, candidate: &Candidate) -> Result<Proof, Vec<Reason>> {
        table::prove(&candidate.file, &candidate.bytes, &[ABI_SYMBOL, TABLE_SYMBOL])?;
        let gap = "a library of mechanism `c` says nothing of its types: its table's version and size are checked";
        Ok(Proof { gaps: vec![gap.to_owned()], ..Proof::default() })
    }

    fn open(&self, proven: &Proven) -> Result<Box<dyn Instance>, PluginError> {
        table::open(proven, |_| Ok(()))
    }
}
