//! A component's functions, as `wit/pitstop.wit` has them.

use super::guest::Guest;
use super::live::{Answer, Turn};
use super::types;
use crate::plugin::backend::Description;
use wasmtime::component::{Func, Instance};
use wasmtime::{Error, Result, Store};

/// What a component exports. Versions that differ in the last number only are the same to wasmtime.
const GUEST: &str = "pitstop:plugin/guest@0.1.0";

/// The functions of its interface `guest`.
pub(super) struct Entry {
    process: Func,
    describe: Func,
}

impl Entry {
    pub(super) fn new(store: &mut Store<Guest>, instance: Instance) -> Result<Self> {
        let guest = instance.get_export_index(&mut *store, None, GUEST);
        let guest = guest.ok_or_else(|| Error::msg(format!("it does not export `{GUEST}`")))?;
        let mut function = |name: &str| {
            let index = instance.get_export_index(&mut *store, Some(&guest), name);
            let function = index.and_then(|index| instance.get_func(&mut *store, index));
            function.ok_or_else(|| Error::msg(format!("its `{GUEST}` has no function `{name}`")))
        };
        let (process, describe) = (function("process")?, function("describe")?);
        // That it is of the right type is found out now.
        process.typed::<(&[u8],), (Processed,)>(&*store)?;
        Ok(Self { process, describe })
    }

    pub(super) fn process(&self, store: &mut Store<Guest>, turn: &Turn, input: &[u8]) -> Result<Answer> {
        let process = self.process.typed::<(&[u8],), (Processed,)>(&*store)?;
        let (processed,) = turn.component(&process, store, (input,))?;
        Ok(match processed {
            Ok(output) if output.len() as u64 > turn.output => Answer::TooMuch,
            Ok(output) => Answer::Output(output),
            Err(message) => Answer::Refusal(message),
        })
    }

    pub(super) fn describe(&self, store: &mut Store<Guest>, turn: &Turn) -> Result<Description> {
        let describe = self.describe.typed::<(), (types::Description,)>(&*store)?;
        let (types::Description { name, version, capabilities },) = turn.component(&describe, store, ())?;
        Ok(Description { name, version, capabilities })
    }
}

type Processed = std::result::Result<Vec<u8>, String>;
