//! What is linked into the running program itself: its reloadable functions and the facts of their crates.

use pitstop_contract::descriptor::{Descriptor, Facts, SlotFact, fact};
use pitstop_reloadable::__private::{CRATES, ENTRIES, Slot};
use std::collections::HashMap;
use std::path::PathBuf;

/// A reloadable function of the program: generation 0.
pub(crate) struct Linked {
    pub(crate) fact: SlotFact,
    pub(crate) slot: &'static Slot,
}

/// Generation 0: the code linked into the host.
#[derive(Default)]
pub(crate) struct Program {
    pub(crate) slots: HashMap<String, Linked>,
    pub(crate) crates: HashMap<String, Facts>,
}

impl Program {
    /// Reads the link-time tables. In a plain build they are empty.
    pub(crate) fn linked() -> Self {
        let mut program = Self::default();
        for entry in ENTRIES.iter() {
            let Some(slot) = entry.slot() else { continue };
            match Descriptor::parse(entry.record()) {
                Ok(descriptor) => {
                    for fact in descriptor.slots {
                        program.slots.insert(fact.name.clone(), Linked { fact, slot });
                    }
                }
                Err(error) => log::error!("pitstop: a function's own record cannot be read: {error}"),
            }
        }
        for record in CRATES.iter() {
            match Descriptor::parse(record) {
                Ok(descriptor) => {
                    let facts = descriptor.crates.into_iter();
                    program.crates.extend(facts.map(|facts| (facts.crate_name.clone(), facts)));
                }
                Err(error) => log::error!("pitstop: a crate's own record cannot be read: {error}"),
            }
        }
        program
    }

    /// Where sessions of this build are, for a host that was started by hand.
    pub(crate) fn sessions(&self) -> Option<PathBuf> {
        let facts = self.crates.values().next()?;
        let folder = facts.get(fact::SESSIONS);
        (!folder.is_empty()).then(|| PathBuf::from(folder))
    }
}
