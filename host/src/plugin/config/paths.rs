//! Paths in a configuration file: what they start from, whether they may lead there, and who else can change what is there.

use super::Policy;
use super::document::quoted;
use crate::plugin::access::{self, Danger};
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

/// What the paths in one configuration file start from.
pub(super) struct Ground {
    /// The file, absolute.
    pub(super) file: PathBuf,
    /// Its folder.
    pub(super) folder: PathBuf,
    pub(super) reach: Reach,
    pub(super) policy: Policy,
}

/// How far paths may lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The program's own configuration names any file.
    Anywhere,
    /// A drop-in has what it needs in its folder.
    Folder,
}

impl Ground {
    pub(super) fn new(file: &Path, reach: Reach, policy: Policy) -> io::Result<Self> {
        let file = std::path::absolute(file)?;
        let folder = file.parent().map(PathBuf::from).unwrap_or_default();
        Ok(Self { file, folder, reach, policy })
    }

    /// A path as absolute, or why it may not be used. Nothing need be there.
    pub(super) fn resolve(&self, path: &str) -> Result<PathBuf, String> {
        if path.is_empty() {
            return Err("is empty; write a path, from the file's folder".to_owned());
        }
        let inside = || format!("a drop-in's paths stay in its folder {}", self.folder.display());
        if self.reach == Reach::Folder && !access::stays_inside(Path::new(path)) {
            return Err(format!("is {}, which leads out; {}", quoted(path), inside()));
        }
        // Collected anew, a path has no `.` in it.
        let absolute: PathBuf = self.folder.join(path).components().collect();
        if self.reach == Reach::Folder
            && let Some(end) = self.leads_out(&absolute).map_err(|error| format!("is {}: {error}", quoted(path)))?
        {
            return Err(format!("is {}, a link that leads out to {}; {}", quoted(path), end.display(), inside()));
        }
        Ok(absolute)
    }

    /// Where a path ends, if its links lead out of the folder. Of one that is not there, as far as it is there.
    fn leads_out(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        let folder = self.folder.canonicalize()?;
        let there = path.ancestors().find(|part| part.symlink_metadata().is_ok()).unwrap_or(&self.folder);
        let end = there.canonicalize().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => io::Error::new(error.kind(), "a link that leads nowhere"),
            _ => error,
        })?;
        Ok((!end.starts_with(&folder)).then_some(end))
    }

    /// What is at a path, or how it is to be mended.
    pub(super) fn look(&self, path: &Path, wanted: Wanted) -> Result<Looked, String> {
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound && path.symlink_metadata().is_err() => {
                return Ok(Looked::Nothing);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(format!("{} is a link that leads nowhere", path.display()));
            }
            Err(error) => return Err(format!("{} cannot be looked at: {error}", path.display())),
        };
        let fits = match wanted {
            Wanted::File => metadata.is_file(),
            Wanted::Folder => metadata.is_dir(),
            Wanted::Either => metadata.is_file() || metadata.is_dir(),
        };
        if !fits {
            return Err(format!("{} is {}, not {}", path.display(), access::kind(&metadata), wanted.name()));
        }
        Ok(Looked::There(metadata))
    }

    /// Refuses what others could change.
    pub(super) fn trust(&self, path: &Path, metadata: &Metadata) -> Result<(), String> {
        trust(path, metadata, self.policy)
    }

    /// Refuses a folder between a drop-in's and its file that others could change: they could put another file in.
    pub(super) fn trust_between(&self, path: &Path) -> Result<(), String> {
        if self.reach == Reach::Anywhere {
            return Ok(());
        }
        if self.policy == Policy::AllowWorldWritable {
            return Ok(());
        }
        let real = |path: &Path| path.canonicalize();
        let found = real(path).and_then(|path| access::danger_above(&path, &real(&self.folder)?));
        match found.map_err(|error| format!("{} cannot be looked at: {error}", path.display()))? {
            Some((folder, danger)) => Err(refusal(&folder, danger)),
            None => Ok(()),
        }
    }
}

/// Refuses what others could change, unless that is allowed.
pub(super) fn trust(path: &Path, metadata: &Metadata, policy: Policy) -> Result<(), String> {
    let danger = match policy {
        Policy::AllowWorldWritable => None,
        Policy::RefuseWorldWritable => access::danger(metadata),
    };
    danger.map_or(Ok(()), |danger| Err(refusal(path, danger)))
}

fn refusal(path: &Path, danger: Danger) -> String {
    format!(
        "{} {}, so that others could put their code into the program; {}, or {}",
        path.display(),
        danger.found(),
        danger.remedy(path),
        access::ALLOW
    )
}

/// What is to be at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    File,
    Folder,
    Either,
}

impl Wanted {
    fn name(self) -> &'static str {
        match self {
            Self::File => "a file",
            Self::Folder => "a folder",
            Self::Either => "a file or a folder",
        }
    }
}

/// What is at a path.
pub(super) enum Looked {
    There(Metadata),
    Nothing,
}
