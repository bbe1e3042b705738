//! Sees edits: events of the file system, and whether a file's content is really another.

use crate::cargo::{Workspace, directory_of};
use crate::program::{Id, Job};
use crate::stage::now_us;
use crossbeam_channel::Sender;
use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

/// Paths that something was done to.
#[derive(Debug)]
pub(crate) struct Edit {
    pub(crate) paths: Vec<PathBuf>,
    /// When the notice came, on the wall clock that the host shares.
    pub(crate) at_us: u64,
    pub(crate) at: Instant,
    /// Whether whoever wrote has finished: closed the file, or renamed it into place.
    pub(crate) settled: bool,
}

/// Watches folders. Files are never watched themselves: editors replace them.
pub(crate) struct Watch {
    watcher: RecommendedWatcher,
    folders: BTreeMap<PathBuf, RecursiveMode>,
}

impl Watch {
    /// Edits go to `sender` as whatever `message` makes of them.
    pub(crate) fn new<M: Send + 'static>(sender: Sender<M>, message: fn(Edit) -> M) -> notify::Result<Self> {
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if let Ok(event) = event
                && let Some(settled) = writes(event.kind)
            {
                let edit = Edit { paths: event.paths, at_us: now_us(), at: Instant::now(), settled };
                let _ = sender.send(message(edit));
            }
        })?;
        Ok(Self { watcher, folders: BTreeMap::new() })
    }

    /// Begins to watch a folder, unless that happens already.
    pub(crate) fn folder(&mut self, folder: &Path, mode: RecursiveMode) -> notify::Result<()> {
        let covered = folder.ancestors().any(|ancestor| match self.folders.get(ancestor) {
            Some(RecursiveMode::Recursive) => true,
            Some(RecursiveMode::NonRecursive) => ancestor == folder && mode == RecursiveMode::NonRecursive,
            None => false,
        });
        if covered || !folder.is_dir() {
            return Ok(());
        }
        self.watcher.watch(folder, mode)?;
        self.folders.insert(folder.to_owned(), mode);
        Ok(())
    }

    /// Watches a folder that may be another than the one that was watched under its name.
    pub(crate) fn anew(&mut self, folder: &Path) -> notify::Result<()> {
        self.folders.remove(folder);
        self.folder(folder, RecursiveMode::NonRecursive)
    }
}

/// The folders of a workspace that a session watches from the start.
pub(crate) fn watched_folders(workspace: &Workspace) -> Vec<(PathBuf, RecursiveMode)> {
    let root = workspace.root();
    let mut folders =
        vec![(root.to_owned(), RecursiveMode::NonRecursive), (root.join(".cargo"), RecursiveMode::NonRecursive)];
    for package in workspace.members() {
        let folder = directory_of(package).to_owned();
        folders.push((folder.join("src"), RecursiveMode::Recursive));
        folders.push((folder, RecursiveMode::NonRecursive));
    }
    folders
}

/// Whether an event may have changed content, and if so whether the writer has finished.
fn writes(kind: EventKind) -> Option<bool> {
    match kind {
        // rustc itself opens and reads the files.
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(true),
        EventKind::Access(_) => None,
        EventKind::Modify(ModifyKind::Name(RenameMode::From)) => Some(false),
        EventKind::Modify(ModifyKind::Name(_)) => Some(true),
        // Of a script that is made executable.
        EventKind::Modify(ModifyKind::Metadata(_)) => Some(false),
        _ => Some(!cfg!(target_os = "linux")),
    }
}

/// What a file held when it was last looked at. `None`: it was not there.
type Content = Option<(u64, u32)>;

fn content(path: &Path) -> Content {
    let bytes = std::fs::read(path).ok()?;
    Some((bytes.len() as u64, crc32fast::hash(&bytes)))
}

/// The files that the program is made from, and what each held when it was compiled.
#[derive(Default)]
pub(crate) struct Sources {
    known: HashMap<PathBuf, Content>,
    /// The same, of when the running program was built.
    built: HashMap<PathBuf, Content>,
    /// Those of them that cargo reads, not a compiler.
    manifests: BTreeSet<PathBuf>,
    units: BTreeMap<Job, Vec<PathBuf>>,
}

impl Sources {
    /// Takes in what compilers read. Returns the files that changed since `started`, while a compiler may have been
    /// reading them: what it saw of these nobody knows.
    pub(crate) fn learn(&mut self, sources: BTreeMap<Job, Vec<PathBuf>>, started: SystemTime) -> Vec<PathBuf> {
        let mut uncertain = Vec::new();
        for (job, files) in sources {
            for file in &files {
                if self.known.contains_key(file) {
                    continue;
                }
                let modified = std::fs::metadata(file).and_then(|metadata| metadata.modified());
                if modified.is_ok_and(|time| time < started) {
                    self.known.insert(file.clone(), content(file));
                } else {
                    self.known.insert(file.clone(), None);
                    uncertain.push(file.clone());
                }
            }
            self.units.insert(job, files);
        }
        uncertain
    }

    /// A file that matters though no compiler reads it: a manifest, a build script.
    pub(crate) fn know(&mut self, file: &Path) {
        self.known.entry(file.to_owned()).or_insert_with(|| content(file));
        self.manifests.insert(file.to_owned());
    }

    /// Whether a change of the file is cargo's business.
    pub(crate) fn is_manifest(&self, path: &Path) -> bool {
        self.manifests.contains(path)
    }

    pub(crate) fn is_known(&self, path: &Path) -> bool {
        self.known.contains_key(path)
    }

    /// Whether the file's content is another than when this was last asked.
    pub(crate) fn changed(&mut self, path: &Path) -> bool {
        let now = content(path);
        if self.known.get(path) == Some(&now) {
            return false;
        }
        self.known.insert(path.to_owned(), now);
        true
    }

    /// The program that runs from now on was built from what is known.
    pub(crate) fn program_is_built(&mut self) {
        self.built.clone_from(&self.known);
    }

    /// Whether the running program was built from what the file holds now.
    pub(crate) fn is_as_built(&self, path: &Path) -> bool {
        let content = |files: &HashMap<PathBuf, Content>| files.get(path).copied().flatten();
        content(&self.known) == content(&self.built)
    }

    /// The crates that are made from a file.
    pub(crate) fn made_from(&self, path: &Path) -> BTreeSet<Id> {
        let jobs = self.units.iter().filter(|(_, files)| files.iter().any(|file| file == path));
        jobs.map(|(job, _)| job.unit).collect()
    }

    pub(crate) fn folders(&self) -> BTreeSet<PathBuf> {
        self.known.keys().filter_map(|file| file.parent().map(Path::to_owned)).collect()
    }
}
