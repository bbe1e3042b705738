//! Asks cargo for the commands anew when what cargo reads has changed.

use super::{Loop, Phase, linkage};
use crate::cargo;
use crate::exit_code::Fatal;
use crate::program::{Id, Program};
use pitstop_contract::{Reason, Rule};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

impl Loop<'_> {
    /// The manifest, the lock file, a build script or a configuration changed: asks cargo for the commands anew. Returns the
    /// crates whose command is another.
    pub(super) fn recapture(&mut self, files: &[PathBuf]) -> BTreeSet<Id> {
        match self.ask_cargo_again() {
            Ok(dirty) => dirty,
            Err(fatal) => {
                let files = files.iter().map(|file| self.shown(file)).collect::<Vec<_>>().join(", ");
                self.notice(format!("{files} changed, and cargo cannot build with it: {}", fatal.message));
                BTreeSet::new()
            }
        }
    }

    fn ask_cargo_again(&mut self) -> Result<BTreeSet<Id>, Fatal> {
        let workspace = cargo::workspace(&self.options.selection)?;
        let wanted = workspace.program(&self.options.selection)?;
        let mut capture = workspace.capture(&self.options.selection, &wanted.package, &wanted.flags, &self.session)?;
        let mut program = Program::new(&mut capture, &workspace, &wanted)?;
        self.add_libraries(&workspace, &mut program);
        let moved = program.take_identities(&self.program);
        let dirty = program.changed_since(&self.program);
        if let Some(moved) = moved {
            self.reject(
                &moved.name,
                Reason::new(
                    Rule::Dependencies,
                    format!("dependency `{}` of `{}`", moved.name, moved.user),
                    moved.before,
                    moved.after,
                    "the running program is linked with the first; undo the change, or end the program and run it again",
                ),
            );
            return Ok(BTreeSet::new());
        }
        if self.phase == Phase::FirstBuild {
            let host = &program.units[program.host];
            self.compiler = cargo::compiler(&host.captured.rustc, &host.captured.directory, host.target())?;
            self.linkage =
                linkage(self.options.linkage, &program, &workspace, &capture, &self.compiler, &self.session)?;
        }
        self.workspace = workspace;
        self.wanted = wanted;
        self.capture = capture;
        self.program = Arc::new(program);
        self.watch_workspace()?;
        Ok(dirty)
    }
}
