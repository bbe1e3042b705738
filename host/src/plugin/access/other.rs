//! Files where there are no permissions to look at in Unix's terms.

use super::{Change, Danger};
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

pub(crate) fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Access lists are not read: who may write to the folder of a program is up to whoever installs it.
pub(crate) fn danger(_: &Metadata) -> Option<Danger> {
    None
}

pub(crate) fn is_ours(_: &Metadata) -> bool {
    true
}

pub(crate) fn is_sticky(_: &Metadata) -> bool {
    true
}

pub(crate) fn change(metadata: &Metadata) -> Change {
    Change { length: metadata.len(), modified: metadata.modified().ok(), changed: (0, 0), names: 1 }
}

pub(crate) fn is_executable(_: &Metadata) -> bool {
    true
}

/// The path is found anew: a file that is open cannot be replaced here.
pub(crate) fn real_path(_: &File, opened: &Path) -> io::Result<Option<PathBuf>> {
    opened.canonicalize().map(Some)
}

pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    std::fs::create_dir(path)
}

pub(crate) fn write_new(path: &Path, _: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

pub(crate) fn noexec(_: &Path) -> bool {
    false
}
