//! What is linked into the running program itself: its reloadable functions and the facts of their crates.

use pitstop_contract::descriptor::{Descriptor, fact};
use pitstop_proof::Built;
use pitstop_proof::layout::{self, Layouts};
use pitstop_reloadable::__private::{CRATES, ENTRIES, Slot};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::OnceLock;

/// Generation 0: the code linked into the host.
#[derive(Default)]
pub(crate) struct Program {
    pub(crate) built: Built,
    layouts: OnceLock<Layouts>,
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

    /// The types of the reloadable functions, from the debug info of the program's own executable. Takes a while at first,
    /// so that it is called on no thread of the program's.
    pub(crate) fn layouts(&self) -> &Layouts {
        self.layouts.get_or_init(|| {
            let crates: Vec<&str> = self.built.crates.keys().map(String::as_str).collect();
            match executable() {
                Ok(bytes) => layout::read(&bytes, &crates),
                Err(error) => Layouts::unread(format!("the executable cannot be read: {error}")),
            }
        })
    }

    /// Where sessions of this build are, for a host that was started by hand.
    pub(crate) fn sessions(&self) -> Option<PathBuf> {
        let facts = self.built.crates.values().next()?;
        let folder = facts.get(fact::SESSIONS);
        (!folder.is_empty()).then(|| PathBuf::from(folder))
    }
}

/// The very file that runs, even if another lies at its path by now.
fn executable() -> std::io::Result<Vec<u8>> {
    if cfg!(target_os = "linux") { std::fs::read("/proc/self/exe") } else { std::fs::read(std::env::current_exe()?) }
}

fn read(record: &[u8]) -> Option<Descriptor> {
    let read = Descriptor::parse(record);
    read.inspect_err(|error| log::error!("pitstop: a record of the program's own cannot be read: {error}")).ok()
}
