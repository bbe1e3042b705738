//! Who else could change a file, and which file a descriptor has open.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(unix, expect(unsafe_code, reason = "asks the system who runs the program, and how a folder is mounted"))]
#[cfg_attr(not(unix), path = "other.rs")]
mod system;

pub(crate) use system::{
    change, danger, is_executable, is_ours, is_sticky, make_folder, noexec, open, real_path, write_new,
};

use std::fs::{FileType, Metadata};
use std::io;
use std::path::{Component, Path, PathBuf};

/// What else helps against a [`Danger`].
pub(crate) const ALLOW: &str = "write `world-writable = \"allow\"` below `[plugins]` in pitstop.toml";

/// What is done about files and folders that others than root and the program's own user could change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Policy {
    #[default]
    RefuseWorldWritable,
    AllowWorldWritable,
}

/// Someone who could change a file or what is in a folder, without being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Danger {
    /// Everybody may write it; these are its permissions.
    Everybody(u32),
    /// Another user owns it, who is neither root nor the one that runs this program.
    Owner { owner: u32, ours: u32 },
}

impl Danger {
    /// What is found.
    pub(crate) fn found(self) -> String {
        match self {
            Self::Everybody(mode) => format!("may be written by everybody (mode {mode:04o})"),
            Self::Owner { owner, ours } => {
                format!("belongs to user {owner}, who is neither root nor the one that runs the program ({ours})")
            }
        }
    }

    /// What takes it away.
    pub(crate) fn remedy(self, path: &Path) -> String {
        match self {
            Self::Everybody(_) => format!("`chmod o-w {}`", path.display()),
            Self::Owner { ours, .. } => format!("`chown {ours} {}`", path.display()),
        }
    }
}

/// The first folder that others could change, from the one that a path is in up to `top`. Both are without links.
pub(crate) fn danger_above(path: &Path, top: &Path) -> io::Result<Option<(PathBuf, Danger)>> {
    for folder in path.ancestors().skip(1).take_while(|folder| folder.starts_with(top)) {
        if let Some(danger) = danger(&std::fs::metadata(folder)?) {
            return Ok(Some((folder.to_owned(), danger)));
        }
    }
    Ok(None)
}

/// Whether a file is what it was: nobody wrote to it in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) length: u64,
    pub(crate) modified: Option<std::time::SystemTime>,
    /// The change of its attributes, where the system keeps it: unlike the other it cannot be set.
    pub(crate) changed: (i64, i64),
    /// How many names it has: none any more once another file took its place.
    pub(crate) names: u64,
}

/// What a file is, in words.
pub(crate) fn kind(metadata: &Metadata) -> &'static str {
    let kind = metadata.file_type();
    if kind.is_file() {
        "a file"
    } else if kind.is_dir() {
        "a folder"
    } else if kind.is_symlink() {
        "a link"
    } else {
        special(kind)
    }
}

#[cfg(unix)]
fn special(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn special(_: FileType) -> &'static str {
    "a device"
}

/// Whether a path, by its words alone, stays in the folder that it starts from.
pub(crate) fn stays_inside(path: &Path) -> bool {
    let depth = path.components().try_fold(0u32, |depth, component| match component {
        Component::Normal(_) => depth.checked_add(1),
        Component::CurDir => Some(depth),
        Component::ParentDir => depth.checked_sub(1),
        Component::Prefix(_) | Component::RootDir => None,
    });
    depth.is_some()
}
