//! The private folder that copies are in, for as long as the program lives.

use super::contents::Contents;
use crate::lock::lock;
use crate::plugin::access::{self, Policy};
use crate::plugin::spec::{Mechanism, Spec};
use pitstop_contract::{Generation, Reason, Rule};
use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

const PREFIX: &str = "pitstop-plugins-";
/// Held for as long as the folder is used.
const LOCK: &str = "lock";
/// How many names are tried.
const ATTEMPTS: u32 = 100;

/// A private folder for copies, which goes when this is dropped; after a crash, the next one removes it: see [`sweep`](Self::sweep).
#[derive(Debug)]
pub(crate) struct Staging {
    folder: PathBuf,
    /// What that is in.
    base: PathBuf,
    policy: Policy,
    /// The versions that were written, gone or not: a loader that knows a path by its name is never shown another file.
    used: Mutex<HashSet<String>>,
    /// Who made it: a process that is forked from it leaves it alone.
    process: u32,
    _lock: File,
}

impl Staging {
    /// Makes a folder below `preferred`, which is made if it is not there, or the system's temporary folder.
    ///
    /// # Errors
    /// Why nothing can be staged there.
    pub(crate) fn new(preferred: Option<&Path>, policy: Policy) -> Result<Self, Reason> {
        let base = preferred.map_or_else(std::env::temp_dir, Path::to_owned);
        let refuse = |error: io::Error| refuse(&base, "a folder for copies of plugins", error.to_string());
        let real = std::fs::create_dir_all(&base).and_then(|()| base.canonicalize()).map_err(refuse)?;
        safe_base(&real, policy)?;
        let (folder, lock) = claim(&real).map_err(refuse)?;
        let process = std::process::id();
        let staging = Self { folder, base: real, policy, used: Mutex::default(), process, _lock: lock };
        if access::noexec(&staging.folder) {
            let found = "its file system is mounted with `noexec`";
            return Err(self::refuse(&base, "a folder whose files can be executed", found));
        }
        Ok(staging)
    }

    /// Removes what programs that have crashed left beside it. In a full folder that takes a while, and nobody waits for it.
    pub(crate) fn sweep(&self) {
        sweep(&self.base);
    }

    pub(super) fn policy(&self) -> Policy {
        self.policy
    }

    /// Where the copy of a version goes: a path that no other had.
    pub(super) fn place(&self, spec: &Spec, artifact: &Path, number: Generation) -> Result<Place<'_>, Reason> {
        let version = format!("{}-{number}", spec.name);
        let folder = self.folder.join(&version);
        let (name, mode) = match spec.mechanism {
            Mechanism::Exec | Mechanism::Rpc => (artifact.file_name().unwrap_or(spec.name.as_ref()).into(), 0o500),
            Mechanism::Wasm => (artifact.file_name().unwrap_or(spec.name.as_ref()).into(), 0o400),
            Mechanism::Dylib | Mechanism::C => {
                (PathBuf::from(format!("lib{version}.{}", std::env::consts::DLL_EXTENSION)), 0o400)
            }
        };
        let file = folder.join(name);
        if !lock(&self.used).insert(version.clone()) {
            return Err(refuse(&file, "a path that is new", "that this version was staged before"));
        }
        Ok(Place { staging: self, version, folder, file, mode, is_kept: false })
    }

    /// Removes the copy of a version that has gone. What is no copy of this folder's stays.
    pub(crate) fn remove(&self, file: &Path) {
        let Some(version) = file.parent().filter(|_| file.file_name().is_some()) else { return };
        let is_version = |name: &str| lock(&self.used).contains(name) && version.parent() == Some(&self.folder);
        if !version.file_name().and_then(|name| name.to_str()).is_some_and(is_version) {
            return;
        }
        match std::fs::remove_dir_all(version) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                log::debug!("pitstop: {} stays until the program ends: {error}", version.display());
            }
            _ => {}
        }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.process != std::process::id() {
            return;
        }
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            log::debug!("pitstop: {} stays until another program stages plugins: {error}", self.folder.display());
        }
    }
}

/// Where a copy goes. Until it is kept, it goes again with this: half a copy is of no use, and neither is one of what is refused.
pub(super) struct Place<'a> {
    staging: &'a Staging,
    version: String,
    folder: PathBuf,
    file: PathBuf,
    mode: u32,
    is_kept: bool,
}

/// Which end has failed.
pub(super) enum NotCopied {
    Unreadable(io::Error),
    Unwritable(io::Error),
}

impl NotCopied {
    /// Of an error that may be either's: by what only a file that grows can meet.
    fn by(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::Unwritable(error)
            }
            _ => Self::Unreadable(error),
        }
    }
}

impl Place<'_> {
    /// Copies at most so many bytes and one more, in place of what was copied before.
    pub(super) fn copy(&self, file: &File, length: u64) -> Result<Contents, NotCopied> {
        self.clear();
        let mut copy = access::make_folder(&self.folder)
            .and_then(|()| access::write_new(&self.file, self.mode))
            .map_err(NotCopied::Unwritable)?;
        // On Linux the system copies by itself.
        io::copy(&mut file.take(length.saturating_add(1)), &mut copy).map_err(NotCopied::by)?;
        // It is closed for writing before anybody executes it.
        drop(copy);
        File::open(&self.file).and_then(|copy| Contents::of(&copy)).map_err(NotCopied::Unwritable)
    }

    pub(super) fn unwritable(&self, artifact: &Path, error: &io::Error) -> Reason {
        refuse(&self.file, format!("a copy of {}", artifact.display()), error.to_string())
    }

    /// The copy, which stays.
    pub(super) fn keep(mut self) -> PathBuf {
        self.is_kept = true;
        std::mem::take(&mut self.file)
    }

    fn clear(&self) {
        // That it cannot be removed is less than why it is to be.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            self.clear();
            // No loader has seen it.
            lock(&self.staging.used).remove(&self.version);
        }
    }
}

/// A private folder for something else than copies; it is the caller's to remove. After a crash, the next program that makes
/// one removes it.
#[cfg(all(unix, feature = "rpc"))]
pub(crate) fn private(base: &Path) -> io::Result<(PathBuf, File)> {
    // What is left there is of programs that have ended: to look once is enough.
    static SWEPT: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    let mut swept = lock(&SWEPT);
    if !swept.iter().any(|known| known == base) {
        swept.push(base.to_owned());
        sweep(base);
    }
    drop(swept);
    claim(base)
}

/// Makes a folder that no other process has, and takes its lock.
fn claim(base: &Path) -> io::Result<(PathBuf, File)> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..ATTEMPTS {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let unique = format!("{:x}-{}", since.as_nanos(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = base.join(format!("{PREFIX}{}-{unique}", std::process::id()));
        match access::make_folder(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            made => made?,
        }
        if let Some(lock) = take_lock(&folder)? {
            return Ok((folder, lock));
        }
    }
    Err(io::Error::other("other programs remove each folder that is made"))
}

/// The lock of a new folder; `None` if somebody sweeps it already, who saw it before it had a lock.
fn take_lock(folder: &Path) -> io::Result<Option<File>> {
    let lock = match OpenOptions::new().read(true).write(true).create_new(true).open(folder.join(LOCK)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    match lock.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
        Err(std::fs::TryLockError::Error(error)) => return Err(error),
    }
    let swept = access::change(&lock.metadata()?).names == 0;
    Ok((!swept).then_some(lock))
}

/// Removes the folders of processes of this user that are gone.
fn sweep(base: &Path) {
    for entry in std::fs::read_dir(base).into_iter().flatten().flatten() {
        let is_one = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        // Of the entry itself: a link is none of ours, wherever it leads.
        let ours = || entry.metadata().is_ok_and(|metadata| metadata.is_dir() && access::is_ours(&metadata));
        if is_one && ours() {
            // One that cannot be removed is in nobody's way.
            let _ = sweep_one(&entry.path());
        }
    }
}

fn sweep_one(folder: &Path) -> io::Result<()> {
    let path = folder.join(LOCK);
    let lock = match OpenOptions::new().read(true).write(true).open(&path) {
        // Its process ended before it had one, or has not got so far: only an empty folder is removed then.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return std::fs::remove_dir(folder),
        opened => opened?,
    };
    if lock.try_lock().is_err() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // The lock goes last: without it, the rest would not be swept if this process ends here.
        if entry.file_name() != LOCK {
            let remove = if entry.file_type()?.is_dir() { std::fs::remove_dir_all } else { std::fs::remove_file };
            remove(entry.path())?;
        }
    }
    std::fs::remove_file(path)?;
    std::fs::remove_dir(folder)
}

/// In a folder whose entries others can rename, copies could be replaced.
fn safe_base(base: &Path, policy: Policy) -> Result<(), Reason> {
    let unreadable = |error: io::Error| refuse(base, "a folder for copies of plugins", error.to_string());
    let metadata = std::fs::metadata(base).map_err(unreadable)?;
    let danger = access::danger(&metadata).filter(|danger| match danger {
        access::Danger::Everybody(_) => !access::is_sticky(&metadata),
        access::Danger::Owner { .. } => true,
    });
    match (danger, policy) {
        (None, _) | (_, Policy::AllowWorldWritable) => Ok(()),
        (Some(danger), Policy::RefuseWorldWritable) => {
            let found = format!("that it {}", danger.found());
            Err(refuse(base, "a folder that nobody else can change", found))
        }
    }
}

fn refuse(subject: &Path, expected: impl Into<String>, found: impl Into<String>) -> Reason {
    let advice = "make room there, or name another folder as `staging` below `[plugins]` in pitstop.toml";
    Reason::new(Rule::File, subject.display().to_string(), expected, found, advice)
}
