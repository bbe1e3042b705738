//! What cargo says: the workspace, the program in it, and the commands that build it. Asked anew when what cargo reads has
//! changed.

use super::{Loop, Options, Phase, linkage};
use crate::build::Linkage;
use crate::cargo::{self, Capture, Wanted, Workspace};
use crate::exit_code::Fatal;
use crate::program::{Id, Moved, Program};
use crate::session::Session;
use crate::unit::Compiler;
use pitstop_contract::{Reason, Rule};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// What cargo said.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) workspace: Arc<Workspace>,
    pub(super) wanted: Wanted,
    pub(super) capture: Arc<Capture>,
    pub(super) program: Arc<Program>,
}

/// The same, and how it is compiled and linked.
#[derive(Clone)]
pub(super) struct Commands {
    pub(super) workspace: Arc<Workspace>,
    pub(super) wanted: Wanted,
    pub(super) capture: Arc<Capture>,
    pub(super) program: Arc<Program>,
    pub(super) compiler: Compiler,
    pub(super) linkage: Linkage,
}

impl Asked {
    pub(super) fn of(workspace: Workspace, options: &Options, session: &Session) -> Result<Self, Fatal> {
        let wanted = workspace.program(&options.selection)?;
        let mut capture = workspace.capture(&options.selection, &wanted.package, &wanted.flags, session)?;
        let program = Arc::new(Program::new(&mut capture, &workspace, &wanted)?);
        Ok(Self { workspace: Arc::new(workspace), wanted, capture: Arc::new(capture), program })
    }

    /// Finds the compiler, and builds the library of dependencies that the program's parts share.
    pub(super) fn commands(self, options: &Options, session: &Session) -> Result<Commands, Fatal> {
        let Self { workspace, wanted, capture, program } = self;
        let host = &program.units[program.host];
        let compiler = cargo::compiler(&host.captured.rustc, &host.captured.directory, host.target())?;
        let linkage = linkage(options.linkage, &program, &workspace, &capture, &compiler, session)?;
        Ok(Commands { workspace, wanted, capture, program, compiler, linkage })
    }
}

impl Loop<'_> {
    /// The manifest, the lock file, a build script or a configuration changed: asks cargo for the commands anew. Returns the
    /// crates whose command is another.
    pub(super) fn recapture(&mut self, files: &[PathBuf]) -> BTreeSet<Id> {
        let files = files.iter().map(|file| self.shown(file)).collect::<Vec<_>>().join(", ");
        match self.ask_cargo_again(&files) {
            Ok(dirty) => dirty,
            Err(fatal) => {
                self.notice(format!("{files} changed, and cargo cannot build with it: {}", fatal.message));
                BTreeSet::new()
            }
        }
    }

    fn ask_cargo_again(&mut self, files: &str) -> Result<BTreeSet<Id>, Fatal> {
        let workspace = cargo::workspace(&self.options.selection)?;
        let mut asked = Asked::of(workspace, &self.options, &self.session)?;
        let mut program = asked.program.copy();
        self.add_libraries(&asked.workspace, &mut program);
        program.take_places(&self.commands.program);
        asked.program = Arc::new(program);
        if self.phase == Phase::FirstBuild {
            self.commands = asked.commands(&self.options, &self.session)?;
            self.running = Arc::clone(&self.commands.program);
            self.watch_workspace()?;
            return Ok(BTreeSet::new());
        }
        let mut images = asked.program.copy();
        let moved = images.take_identities(&self.commands.program);
        let outdated = asked.program.outdated(&self.running);
        let mut dirty = BTreeSet::new();
        if moved.is_none() {
            dirty = images.changed_since(&self.commands.program);
            asked.program = Arc::new(images);
            self.commands.workspace = Arc::clone(&asked.workspace);
            self.commands.wanted = asked.wanted.clone();
            self.commands.capture = Arc::clone(&asked.capture);
            self.commands.program = Arc::clone(&asked.program);
        }
        // A new process may have other dependencies and types of other identities than the running one.
        self.next = Some(asked);
        self.planned = None;
        self.watch_workspace()?;
        self.program_is_built_otherwise(files, moved, &outdated);
        Ok(dirty)
    }

    /// Notes what a change of manifests means for the program itself, and tells what is new of it.
    fn program_is_built_otherwise(&mut self, files: &str, moved: Option<Moved>, outdated: &[String]) {
        let before = std::mem::take(&mut self.restarts.stale.commands);
        for name in outdated {
            let why = format!("`{name}` is built otherwise now");
            if !before.contains(&why) {
                let reason = Reason::new(
                    Rule::HostCode,
                    files,
                    format!("the command that `{name}` was compiled with"),
                    "another one",
                    self.advice("end the program and run it again to see the edit"),
                );
                self.reject(name, reason);
            }
            self.restarts.stale.commands.push(why);
        }
        if let Some(Moved { name, user, before: was, after }) = moved {
            let subject = format!("dependency `{name}` of `{user}`");
            let why = format!("{subject} is {after} now, and not {was}");
            if !before.contains(&why) {
                let advice = "the running program is linked with the first; undo the change, or end the program and run it \
                              again";
                let reason = Reason::new(Rule::Dependencies, subject, was, after, self.advice(advice));
                self.reject(&name, reason);
            }
            self.restarts.stale.commands.push(why);
        }
    }

    /// The commands for the program that is to be built, and for its images.
    pub(super) fn plan(&mut self) -> Result<&Commands, Fatal> {
        let mut commands = match (&self.next, self.planned.take()) {
            (Some(asked), _) => asked.clone().commands(&self.options, &self.session)?,
            (None, Some(planned)) => planned,
            (None, None) => self.commands.clone(),
        };
        self.next = None;
        // Libraries may have been added since.
        let mut program = commands.program.copy();
        program.take_places(&self.commands.program);
        commands.program = Arc::new(program);
        Ok(self.planned.insert(commands))
    }
}
