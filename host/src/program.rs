//! What is linked into the running program itself: its reloadable functions and the facts of their crates.

use pitstop_contract::descriptor::{Descriptor, fact};
use pitstop_proof::Built;
use pitstop_reloadable::__private::{CRATES, ENTRIES, Slot};
use std::collections::HashMap;
use std::path::PathBuf;

/// Generation 0: the code linked into the host.
#[derive(Default)]
pub(crate) struct Program {
    pub(crate) built: Built,
    /// By the name of the function.
    pub(crate) slots: HashMap<String, &'static Slot>,
}

impl Program {
    /// Reads the link-time tables. In a plain build they are empty.
    pub(crate) fn linked() -> Self {
        let mut program = Self::default();
        for entry in ENTRIES.iter() {
            let Some(slot) = entry.slot() else { continue };
            let Some(descriptor) = read(entry.record()) else { continue };
            program.slots.extend(descriptor.slots.iter().map(|fact| (fact.name.clone(), slot)));
            program.built.add(descriptor);
        }
        for descriptor in CRATES.iter().filter_map(|record| read(record)) {
            program.built.add(descriptor);
        }
        program
    }

    /// Where sessions of this build are, for a host that was started by hand.
    pub(crate) fn sessions(&self) -> Option<PathBuf> {
        let facts = self.built.crates.values().next()?;
        let folder = facts.get(fact::SESSIONS);
        (!folder.is_empty()).then(|| PathBuf::from(folder))
    }
}

fn read(record: &[u8]) -> Option<Descriptor> {
    let read = Descriptor::parse(record);
    read.inspect_err(|error| log::error!("pitstop: a record of the program's own cannot be read: {error}")).ok()
}
