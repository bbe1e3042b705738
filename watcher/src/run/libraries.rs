//! Libraries that the program asks for by name: crates of the workspace, and files that something else builds.

use super::builds::Times;
use super::{Loop, Purpose};
use crate::cargo::Workspace;
use crate::process::{copy_executable, is_executable};
use crate::program::{Id, Job, Program};
use crate::stage::{Artifact, now_us};
use crate::watch::Edit;
use pitstop_contract::manifest::{Kind, plugin_of};
use std::collections::BTreeSet;
use std::fs::Metadata;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// How often a file is read that is written to meanwhile.
const READS: usize = 3;
/// How many links are followed from one to the next.
const LINKS: usize = 8;

/// A file that something else builds, of which copies are published.
pub(super) struct Copied {
    kind: Kind,
    /// The file that is watched; none where a command of the plugin's is run for it.
    pub(super) source: Option<PathBuf>,
    /// Of the content that was published last; 0 where it is to be published whatever it is.
    sum: u32,
    /// The newest copy.
    copy: Option<PathBuf>,
}

impl Copied {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, source: None, sum: 0, copy: None }
    }

    /// It is to be published once more to whoever asks.
    pub(super) fn forget(&mut self) {
        self.sum = 0;
    }
}

/// What became of a file that was to be published.
pub(super) enum Staged {
    Published,
    /// It holds what was published last.
    Same,
    /// Why it cannot be.
    Failed(String),
}

impl Loop<'_> {
    pub(super) fn want(&mut self, name: String) {
        let path = Path::new(&name);
        let is_new = !self.wanted_crates.contains(&name) && !self.copies.contains_key(&name);
        if let Some(allocator) = self.commands.linkage.own_allocator().filter(|_| is_new) {
            self.notice(format!(
                "library `{name}` has an allocator of its own, and the program's is {allocator}: what one of them allocates \
                 the other must not free or grow; in a crate with `#[reloadable]` all memory is the program's"
            ));
        }
        if path.is_absolute() {
            let copied = self.copies.entry(name.clone()).or_insert_with(|| Copied::new(Kind::Library));
            copied.source = Some(path.to_owned());
            self.watch_file(path);
            self.stage_file(&name, (now_us(), Instant::now()));
        } else if self.wanted_crates.insert(name.clone())
            && let Err(message) = self.want_crate(&name)
        {
            self.notice(message);
        }
    }

    /// Watches a file's folder, or as long as it is not there the nearest one above it; of a link also where it leads.
    pub(super) fn watch_file(&mut self, path: &Path) {
        with_links(path).iter().for_each(|path| self.watch_folder_of(path));
    }

    fn watch_folder_of(&mut self, path: &Path) {
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

    /// Builds a crate of the workspace for a host that asked for it; or says why it cannot.
    pub(super) fn want_crate(&mut self, crate_name: &str) -> Result<(), String> {
        let mut program = self.commands.program.copy();
        let library = self.add_library(&self.commands.workspace, &mut program, crate_name)?;
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
        Ok(())
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
        for crate_name in self.wanted_crates.iter().cloned().chain(self.plugins.crates()).collect::<BTreeSet<_>>() {
            if let Err(message) = self.add_library(workspace, program, &crate_name) {
                self.notice(message);
            }
        }
    }

    /// Publishes the files anew that were touched.
    pub(super) fn files_changed(&mut self, settled: &BTreeSet<&Path>, edits: &[Edit]) {
        let Some(first) = edits.first() else { return };
        let sources = self.copies.iter().filter_map(|(name, copied)| Some((name.clone(), copied.source.clone()?)));
        for (name, path) in sources.collect::<Vec<_>>() {
            let paths = with_links(&path);
            let is_above = |touched: &PathBuf| paths.iter().any(|path| touched != path && path.starts_with(touched));
            let is_moved = edits.iter().flat_map(|edit| &edit.paths).any(is_above);
            let is_written = paths.iter().any(|path| settled.contains(path.as_path()));
            if is_moved || is_written && paths.len() > 1 {
                self.watch_file(&path);
            }
            if is_moved || is_written || self.is_executable_now(&name, &path) {
                self.stage_file(&name, (first.at_us, first.at));
            }
        }
    }

    /// Whether a plugin's file may be executed, and what was published of it last may not.
    fn is_executable_now(&self, name: &str, path: &Path) -> bool {
        let copied = self.copies.get(name).filter(|copied| copied.kind == Kind::Plugin && copied.sum != 0);
        let is = |path: &Path| std::fs::metadata(path).is_ok_and(|file| is_executable(&file));
        copied.and_then(|copied| copied.copy.as_deref()).is_some_and(|copy| !is(copy) && is(path))
    }

    /// Publishes a file that something else builds, if it is there and another than before.
    pub(super) fn stage_file(&mut self, name: &str, edit: (u64, Instant)) {
        let source = self.copies.get(name).and_then(|copied| copied.source.clone());
        // Of a pipe one would wait for the end.
        let Some(path) = source.filter(|path| path.is_file()) else { return };
        let now = Instant::now();
        if let Staged::Failed(message) =
            self.stage(name, &path, &Times { edit: Some(edit), started: now, finished: now })
        {
            self.notice(message);
        }
    }

    /// Publishes the newest copy once more, for a program that has none.
    pub(super) fn stage_again(&mut self, name: &str) {
        let Some(copied) = self.copies.get(name).filter(|copied| copied.sum == 0) else { return };
        let Some(copy) = copied.copy.clone().filter(|copy| copy.is_file()) else { return };
        let now = Instant::now();
        if let Staged::Failed(message) = self.stage(name, &copy, &Times { edit: None, started: now, finished: now }) {
            self.notice(message);
        }
    }

    /// Publishes a copy of a file, under a name that no other has. Copied, once: whoever builds it may write over it while it
    /// is mapped.
    pub(super) fn stage(&mut self, name: &str, path: &Path, times: &Times) -> Staged {
        let Some(Copied { kind, sum: before, .. }) = self.copies.get(name) else { return Staged::Same };
        let (kind, before) = (*kind, *before);
        let cannot = |error: std::io::Error| Staged::Failed(format!("cannot stage {}: {error}", path.display()));
        let (metadata, bytes) = match read(path) {
            Ok(read) => read,
            Err(error) => return cannot(error),
        };
        let sum = crc32fast::hash(&bytes).max(1);
        if sum == before && !self.is_executable_now(name, path) {
            return Staged::Same;
        }
        let generation = self.generation.next();
        let copy = match plugin_of(name) {
            Some(plugin) => self.place.plugin(plugin, path, generation),
            None => self.place.copy(path, generation),
        };
        if let Err(error) = std::fs::write(&copy, &bytes).and_then(|()| copy_executable(&metadata, &copy)) {
            return cannot(error);
        }
        let artifact = Artifact { crate_name: name.to_owned(), kind, path: copy.clone() };
        if let Err(message) = self.publish(&[artifact], 0, times) {
            return Staged::Failed(message);
        }
        if let Some(copied) = self.copies.get_mut(name) {
            (copied.sum, copied.copy) = (sum, Some(copy));
        }
        Staged::Published
    }
}

/// A file as it is while nobody writes to it.
fn read(path: &Path) -> std::io::Result<(Metadata, Vec<u8>)> {
    for _ in 0..READS {
        let (before, bytes, after) = (std::fs::metadata(path)?, std::fs::read(path)?, std::fs::metadata(path)?);
        let is_whole = bytes.len() as u64 == after.len();
        if is_whole && before.len() == after.len() && before.modified().ok() == after.modified().ok() {
            return Ok((after, bytes));
        }
    }
    Err(std::io::Error::other("it is being written to; it is staged when whoever writes is done"))
}

/// A path, and if it is a link those that it leads to.
fn with_links(path: &Path) -> Vec<PathBuf> {
    let mut paths = vec![path.to_owned()];
    while let Some(last) = paths.last().filter(|_| paths.len() < LINKS)
        && let Ok(target) = std::fs::read_link(last)
    {
        let target = plain(&last.parent().unwrap_or(Path::new("/")).join(target));
        paths.push(target);
    }
    paths
}

/// A path without `.` and `..`, which is how notices of changes name it.
pub(super) fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}
