//! What is linked into the running program itself: its reloadable functions and the facts of their crates.

use crate::state::CarriedTypes;
use pitstop_contract::descriptor::{Descriptor, crate_of, fact};
use pitstop_contract::session::ROOT;
use pitstop_proof::Built;
use pitstop_proof::layout::{self, Layouts};
use pitstop_reloadable::__private::{CRATES, ENTRIES, HOOKS, HookEntry, STATES, Slot};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Generation 0: the code linked into the host.
#[derive(Default)]
pub(crate) struct Program {
    pub(crate) built: Built,
    layouts: OnceLock<Layouts>,
    /// By the name of the function.
    pub(crate) slots: HashMap<String, Linked>,
    pub(crate) carried: CarriedTypes,
    /// The hooks of all crates.
    hooks: Vec<&'static HookEntry>,
}

/// A slot, and what it points to as the program begins.
#[derive(Clone, Copy)]
pub(crate) struct Linked {
    pub(crate) slot: &'static Slot,
    pub(crate) body: *const (),
}

// SAFETY: the pointer is to code of the program.
#[expect(unsafe_code, reason = "code pointers are used on the inbox's thread")]
unsafe impl Send for Linked {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "code pointers are used on the inbox's thread")]
unsafe impl Sync for Linked {}

impl Program {
    /// Reads the link-time tables. In a plain build they are empty.
    pub(crate) fn linked() -> Self {
        let hooks = HOOKS.iter().collect();
        let mut program = Self { carried: CarriedTypes::of(&STATES), hooks, ..Self::default() };
        for entry in ENTRIES.iter() {
            let Some(slot) = entry.slot() else { continue };
            let Some(descriptor) = read(entry.record()) else { continue };
            let linked = Linked { slot, body: entry.body() };
            program.slots.extend(descriptor.slots.iter().map(|fact| (fact.name.clone(), linked)));
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

    /// The reloadable crate that a source file is of, as the compiler names both.
    pub(crate) fn crate_at(&self, file: &str) -> Option<&str> {
        let is_in = |source: &str| {
            let folder = Path::new(source).parent();
            folder.is_some_and(|folder| !folder.as_os_str().is_empty() && Path::new(file).starts_with(folder))
        };
        let found = self.built.crates.iter().find(|(_, facts)| is_in(facts.get(fact::SOURCE)));
        found.map(|(name, _)| name.as_str())
    }

    /// The hooks of one of its crates.
    pub(crate) fn hooks_of(&self, crate_name: &str) -> Vec<&'static HookEntry> {
        self.hooks.iter().filter(|hook| crate_of(hook.name) == crate_name).copied().collect()
    }

    /// Where sessions of this build are, for a host that was started by hand.
    pub(crate) fn sessions(&self) -> Option<PathBuf> {
        if let Some(facts) = self.built.crates.values().next() {
            let folder = facts.get(fact::SESSIONS);
            return (!folder.is_empty()).then(|| PathBuf::from(folder));
        }
        // It has plugins and no reloadable code: a session has put it at `<sessions>/<session>/bin/<build>/<program>`.
        let program = std::env::current_exe().ok()?;
        program.ancestors().nth(4).filter(|folder| folder.ends_with(ROOT)).map(Path::to_owned)
    }
}

/// The very file that runs, even if another lies at its path by now.
pub(crate) fn executable() -> std::io::Result<Vec<u8>> {
    if cfg!(target_os = "linux") { std::fs::read("/proc/self/exe") } else { std::fs::read(std::env::current_exe()?) }
}

fn read(record: &[u8]) -> Option<Descriptor> {
    let read = Descriptor::parse(record);
    read.inspect_err(|error| log::error!("pitstop: a record of the program's own cannot be read: {error}")).ok()
}
