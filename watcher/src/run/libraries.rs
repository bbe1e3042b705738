//! Libraries that the program asks for by name: crates of the workspace, and files that something else builds.

use super::{Building, Loop, Purpose};
use crate::build::Cancel;
use crate::cargo::Workspace;
use crate::program::{Id, Job, Program};
use crate::stage::{Artifact, now_us};
use crate::watch::Edit;
use pitstop_contract::manifest::Kind;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

impl Loop<'_> {
    pub(super) fn want(&mut self, name: String) {
        let path = Path::new(&name);
        let is_new = !self.wanted_crates.contains(&name) && !self.wanted_files.contains_key(path);
        if let Some(allocator) = self.commands.linkage.own_allocator().filter(|_| is_new) {
            self.notice(format!(
                "library `{name}` has an allocator of its own, and the program's is {allocator}: what one of them allocates \
                 the other must not free or grow; in a crate with `#[reloadable]` all memory is the program's"
            ));
        }
        if path.is_absolute() {
            self.wanted_files.entry(path.to_owned()).or_insert(0);
            self.watch_file(path);
            self.stage_file(path, (now_us(), Instant::now()));
        } else if self.wanted_crates.insert(name.clone()) {
            self.want_crate(&name);
        }
    }

    /// Watches a library's folder, or as long as it is not there the nearest one above it.
    fn watch_file(&mut self, path: &Path) {
        let mut watched = None;
        loop {
            let nearest = path.ancestors().skip(1).find(|folder| folder.is_dir());
            // The next one may have been made before the watch began, unnoticed.
            let Some(folder) = nearest.filter(|folder| watched != Some(*folder)) else { return };
            if let Err(error) = self.watch.anew(folder) {
                return self.notice(format!("cannot watch {}: {error}", folder.display()));
            }
            watched = Some(folder);
        }
    }

    fn want_crate(&mut self, crate_name: &str) {
        let mut program = self.commands.program.copy();
        let library = match self.add_library(&self.commands.workspace, &mut program, crate_name) {
            Ok(library) => library,
            Err(message) => return self.notice(message),
        };
        // What is being built for hosts is built along with it.
        let building = self.building.as_ref();
        let building = building.filter(|building| building.purpose == Purpose::Publish);
        self.dirty.extend(building.into_iter().flat_map(|building| &building.jobs).map(|job| job.unit));
        // Whatever does not compile yet is built again with the edit that mends it.
        let mut jobs: BTreeSet<Job> = program.library_jobs(library).into_iter().collect();
        self.dirty.extend(jobs.iter().map(|job| job.unit));
        jobs.extend(program.jobs_for(&self.dirty));
        self.commands.program = Arc::new(program);
        self.build(jobs.into_iter().collect(), Purpose::Publish);
    }

    /// Adds a library that a host asked for to a program; or says why it cannot.
    fn add_library(&self, workspace: &Workspace, program: &mut Program, crate_name: &str) -> Result<Id, String> {
        let asks = format!("the program asks for library `{crate_name}`");
        let Some(package) = workspace.library(crate_name) else {
            return Err(format!("{asks}, but no crate of the workspace has this name"));
        };
        // Together with the program, whose features the command line may name.
        let mut flags = vec!["-p".to_owned(), package.name.to_string(), "--lib".to_owned()];
        flags.extend(self.commands.wanted.flags.clone());
        let capture = workspace.capture(&self.options.selection, &self.commands.wanted.package, &flags, &self.session);
        let mut capture = capture.map_err(|fatal| format!("{asks}: {}", fatal.message))?;
        capture.units.retain(|unit| !unit.is_program());
        program.add_library(&mut capture, crate_name).ok_or_else(|| {
            format!(
                "{asks}, which is neither a `cdylib` nor a `dylib`: add `crate-type = [\"cdylib\"]` to [lib] in its \
                 Cargo.toml"
            )
        })
    }

    /// Adds all libraries that hosts asked for to a program for which cargo was asked anew.
    pub(super) fn add_libraries(&mut self, workspace: &Workspace, program: &mut Program) {
        for crate_name in self.wanted_crates.clone() {
            if let Err(message) = self.add_library(workspace, program, &crate_name) {
                self.notice(message);
            }
        }
    }

    pub(super) fn libraries_changed(&mut self, settled: &BTreeSet<&Path>, edits: &[Edit]) {
        let Some(first) = edits.first() else { return };
        for path in self.wanted_files.keys().cloned().collect::<Vec<_>>() {
            let is_above = |touched: &PathBuf| *touched != path && path.starts_with(touched);
            let is_moved = edits.iter().flat_map(|edit| &edit.paths).any(is_above);
            if is_moved {
                self.watch_file(&path);
            }
            if is_moved || settled.contains(path.as_path()) {
                self.stage_file(&path, (first.at_us, first.at));
            }
        }
    }

    /// Publishes a library that something else builds. Copied, once: whoever builds it may write over it while it is
    /// mapped.
    fn stage_file(&mut self, path: &Path, edit: (u64, Instant)) {
        let Ok(bytes) = std::fs::read(path) else { return };
        let sum = crc32fast::hash(&bytes).max(1);
        if self.wanted_files.get(path) == Some(&sum) {
            return;
        }
        let generation = self.generation.next();
        let staged = self.place.copy(path, generation);
        if let Err(error) = std::fs::write(&staged, &bytes) {
            self.notice(format!("cannot stage {}: {error}", path.display()));
            return;
        }
        let artifact = Artifact { crate_name: path.display().to_string(), kind: Kind::Library, path: staged };
        let now = Instant::now();
        let building = Building {
            id: 0,
            cancel: Cancel::default(),
            jobs: Vec::new(),
            purpose: Purpose::Publish,
            started: now,
            started_at: SystemTime::now(),
            edit: Some(edit),
        };
        let (dirty, first) = (self.dirty.clone(), self.edit);
        self.publish(&building, &[artifact], 0, now);
        (self.dirty, self.edit) = (dirty, first);
        if self.generation == generation {
            self.wanted_files.insert(path.to_owned(), sum);
        }
    }
}
