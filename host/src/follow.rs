//! Sees that files changed which no watcher of a session looks after: libraries and plugins of a program without one, and the
//! configuration of plugins.

use crate::swap::micros_since_1970;
use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Paths at which a writer has finished, or something came or went.
pub(crate) struct Touch {
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) what: Touched,
    pub(crate) at_us: u64,
    #[cfg_attr(not(feature = "plugins"), allow(dead_code))]
    pub(crate) at: Instant,
}

/// What became of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touched {
    /// There is another file, or none.
    Content,
    /// Who may do what with it, maybe while it is being written.
    Permissions,
}

/// How much of a folder is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    /// What lies in it.
    Folder,
    /// And in the folders below.
    #[cfg_attr(not(feature = "plugins"), allow(dead_code))]
    Tree,
}

pub(crate) struct Follow {
    watcher: Option<RecommendedWatcher>,
    folders: Vec<(PathBuf, Depth)>,
}

impl Follow {
    /// Touches go to `take`, which must only enqueue.
    pub(crate) fn new(take: impl Fn(Touch) + Send + 'static) -> Self {
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if let Ok(event) = event
                && let Some(what) = touched(&event)
            {
                take(Touch { paths: event.paths, what, at_us: micros_since_1970(), at: Instant::now() });
            }
        });
        let watcher = watcher.inspect_err(|error| log::error!("pitstop: files are not followed: {error}")).ok();
        Self { watcher, folders: Vec::new() }
    }

    /// Watches a folder, unless that happens already.
    pub(crate) fn folder(&mut self, folder: &Path, depth: Depth) {
        let Some(watcher) = &mut self.watcher else { return };
        let covers = |(known, known_depth): &(PathBuf, Depth)| match known_depth {
            Depth::Tree => folder.starts_with(known),
            Depth::Folder => folder == known && depth == Depth::Folder,
        };
        if self.folders.iter().any(covers) {
            return;
        }
        let mode = match depth {
            Depth::Folder => RecursiveMode::NonRecursive,
            Depth::Tree => RecursiveMode::Recursive,
        };
        match watcher.watch(folder, mode) {
            Ok(()) => self.folders.push((folder.to_owned(), depth)),
            Err(error) => log::warn!("pitstop: files in {} are not followed: {error}", folder.display()),
        }
    }

    /// Has folders that came into a watched tree watched by the time this returns: what is read there afterwards is either
    /// complete or followed by a touch. `notify` tells of such a folder first and watches it then; files that are written in
    /// between are told of by nobody.
    #[cfg(feature = "plugins")]
    pub(crate) fn arrived(&mut self, touch: &Touch) {
        let Some(watcher) = &mut self.watcher else { return };
        let is_in_tree =
            |path: &Path| self.folders.iter().any(|(folder, depth)| *depth == Depth::Tree && path.starts_with(folder));
        for path in touch.paths.iter().filter(|path| is_in_tree(path) && path.is_dir()) {
            // One that is gone again is touched again.
            let _ = watcher.watch(path, RecursiveMode::Recursive);
        }
    }
}

fn touched(event: &notify::Event) -> Option<Touched> {
    // Linux tells of another owner or mode as of any other attribute.
    let is_permissions = matches!(event.kind, EventKind::Modify(ModifyKind::Metadata(_)));
    if is_permissions { Some(Touched::Permissions) } else { is_settled(event).then_some(Touched::Content) }
}

/// Whether whoever wrote has finished: closed the file, renamed or linked it into place, or removed it.
fn is_settled(event: &notify::Event) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)) => false,
        EventKind::Modify(ModifyKind::Name(RenameMode::From)) | EventKind::Remove(_) => true,
        // Told of before, by the new name alone.
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => !cfg!(target_os = "linux"),
        EventKind::Modify(ModifyKind::Name(_)) | EventKind::Create(CreateKind::Folder) => true,
        // A link to a file that is complete, as cargo makes one, is never closed.
        EventKind::Create(_) => event.paths.iter().any(|path| is_linked(path)) || !cfg!(target_os = "linux"),
        _ => !cfg!(target_os = "linux"),
    }
}

#[cfg(unix)]
fn is_linked(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.nlink() > 1 || metadata.is_symlink())
}

#[cfg(not(unix))]
fn is_linked(_path: &Path) -> bool {
    true
}
