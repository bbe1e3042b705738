//! The mechanism `dylib`: libraries in Rust, proven as images are, whose records go to the program's logger.
#![expect(unsafe_code, reason = "hands a proven library what the program lends")]

use super::{Backend, Candidate, Instance, Proven, table};
use crate::plugin::spec::Spec;
use crate::program::executable;
use pitstop_contract::Reason;
use pitstop_proof::{Interface, Proof, prove_plugin};
use pitstop_reloadable::__private::plugin_table::{ABI_SYMBOL, ENTER_SYMBOL, TABLE_SYMBOL};
use pitstop_reloadable::__private::{Records, interface_records};
use pitstop_reloadable::PluginError;
use std::sync::OnceLock;

pub(crate) struct Dylib;

impl Backend for Dylib {
    fn accepts(&self, spec: &Spec) -> Result<(), (&'static str, String)> {
        super::in_process(spec)
    }

    fn prove(&self, candidate: &Candidate) -> Result<Proof, Vec<Reason>> {
        table::prove(&candidate.file, &candidate.bytes, &[ABI_SYMBOL, TABLE_SYMBOL, ENTER_SYMBOL])?;
        prove_plugin(&candidate.file, &candidate.bytes, candidate.layouts.as_ref(), interface())
    }

    fn open(&self, proven: &Proven) -> Result<Box<dyn Instance>, PluginError> {
        table::open(proven, |mapped| {
            type Enter = unsafe extern "C" fn(*const Records);
            let Some(enter) = mapped.symbol(ENTER_SYMBOL) else { return Ok(()) };
            let records = Records::of_the_program();
            // SAFETY: the file was shown to be made by the macro that defines this symbol, of the same version and compiler.
            let enter: Enter = unsafe { std::mem::transmute(enter) };
            // SAFETY: the types that cross were compared, and what is lent is copied.
            unsafe { enter(&raw const records) };
            Ok(())
        })
    }
}

/// What this program knows of the interface. Reads its own executable, once.
fn interface() -> &'static Interface {
    static INTERFACE: OnceLock<Interface> = OnceLock::new();
    INTERFACE.get_or_init(|| {
        let bytes = executable().unwrap_or_default();
        Interface::of_program(&interface_records(), &bytes)
    })
}
