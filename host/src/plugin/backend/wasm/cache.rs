//! Compiled guests, kept from one run of the program to the next: `$XDG_CACHE_HOME/pitstop/wasm`, else `~/.cache/pitstop/wasm`.
//!
//! An entry is named for all that it depends on: the guest's content, wasmtime's version, and how it was compiled. What is in
//! it will be executed, so that the folder has to be this user's alone, and an entry that is not as it was written is none.

use super::code::Compiled;
use super::deserialize::{Trusted, deserialize};
use super::kind::Kind;
use crate::plugin::access;
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, File, Metadata};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;
use wasmtime::Engine;

/// How much is kept: 256 MiB. Beyond it, what was not used for the longest time is removed.
const MOST: u64 = 256 << 20;
/// An entry that is longer is not read.
const LONGEST: u64 = MOST;
/// Ends an entry: a mark with the format's version, the sum and the length of what is before.
const MARK: &[u8; 8] = b"pitstop1";
const END: usize = MARK.len() + 4 + 8;
const SUFFIX: &str = "cwasm";

/// A folder with compiled guests.
pub(super) struct Cache {
    folder: PathBuf,
    most: u64,
}

impl Cache {
    /// The user's, if there is a place for it that nobody else can write to.
    pub(super) fn of_user() -> Option<Self> {
        // Where there are no owners to look at, nothing is trusted.
        if !cfg!(unix) {
            return None;
        }
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
        let cache = Self::at(caches.join("pitstop").join("wasm"), MOST);
        cache.inspect_err(|error| log::debug!("pitstop: WebAssembly is compiled anew each time: {error}")).ok()
    }

    /// In a folder, which is made if it is not there, and of so many bytes.
    pub(super) fn at(folder: PathBuf, most: u64) -> io::Result<Self> {
        if let Some(parent) = folder.parent() {
            fs::create_dir_all(parent)?;
        }
        match access::make_folder(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
        let metadata = folder.symlink_metadata()?;
        if !metadata.is_dir() || !is_ours_alone(&metadata) {
            let why = format!("{} is no folder that this user alone can write to", folder.display());
            return Err(io::Error::other(why));
        }
        Ok(Self { folder, most })
    }

    /// What was kept of a guest. Anything that cannot be used is as good as nothing.
    pub(super) fn find(&self, engine: &Engine, kind: Kind, content: &[u8]) -> Option<Compiled> {
        let path = self.path(engine, kind, content);
        let (file, bytes) = match read(&path) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                log::debug!("pitstop: {} is compiled anew: {error}", path.display());
                return None;
            }
        };
        let Some(whole) = whole(&bytes) else {
            log::debug!("pitstop: {} is not as it was written; it is compiled anew", path.display());
            return None;
        };
        match deserialize(engine, kind, Trusted(whole)) {
            Ok(found) => {
                // So that it is among the last to go.
                let _ = file.set_modified(SystemTime::now());
                found
            }
            Err(error) => {
                log::debug!("pitstop: {} is of no use and is compiled anew: {error:#}", path.display());
                None
            }
        }
    }

    /// Keeps what was compiled. That it cannot be kept is no failure.
    pub(super) fn keep(&self, engine: &Engine, kind: Kind, content: &[u8], compiled: &Compiled) {
        let serialized = match compiled {
            Compiled::Module(module) => module.serialize(),
            Compiled::Component(component) => component.serialize(),
        };
        let path = self.path(engine, kind, content);
        let written = serialized.map_err(|error| io::Error::other(error.to_string())).and_then(|mut bytes| {
            let end = [&MARK[..], &crc32fast::hash(&bytes).to_le_bytes(), &(bytes.len() as u64).to_le_bytes()].concat();
            bytes.extend_from_slice(&end);
            self.write(&path, &bytes)
        });
        match written {
            Ok(()) => self.bound(&path),
            Err(error) => log::debug!("pitstop: {} is not kept: {error}", path.display()),
        }
    }

    /// The path of an entry.
    pub(super) fn path(&self, engine: &Engine, kind: Kind, content: &[u8]) -> PathBuf {
        let mut name = String::new();
        for byte in Sha256::digest(content) {
            let _ = write!(name, "{byte:02x}");
        }
        let mut way = Words(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut way);
        let way = u64::from_le_bytes(way.0.finalize()[..8].try_into().unwrap_or_default());
        let kind = if kind == Kind::Component { "component" } else { "module" };
        self.folder.join(format!("{name}-{way:016x}-{kind}.{SUFFIX}"))
    }

    /// Under another name first: whoever reads finds all of it or nothing.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let mut name = OsString::from(format!(".{}-{}-", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        name.push(path.file_name().unwrap_or_default());
        let other = path.with_file_name(name);
        let written = access::write_new(&other, 0o600)
            .and_then(|mut file| file.write_all(bytes))
            .and_then(|()| fs::rename(&other, path));
        written.inspect_err(|_| drop(fs::remove_file(&other)))
    }

    /// Removes what was not used for the longest time, until the rest is small enough. The new entry stays.
    fn bound(&self, new: &Path) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut entries: Vec<(SystemTime, u64, PathBuf)> = entries
            .filter_map(|entry| {
                let metadata = entry.metadata().ok()?;
                Some((metadata.modified().ok()?, metadata.len(), entry.path()))
            })
            .collect();
        let mut all: u64 = entries.iter().map(|(_, length, _)| length).sum();
        entries.sort();
        for (_, length, path) in entries.iter().filter(|(.., path)| path != new) {
            if all <= self.most {
                return;
            }
            // One that is gone already is as small.
            let _ = fs::remove_file(path);
            all -= length;
        }
    }
}

/// What is before the end, if it is what was written.
fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let (before, end) = bytes.split_at_checked(bytes.len().checked_sub(END)?)?;
    let (mark, end) = end.split_at(MARK.len());
    let (sum, length) = end.split_at(4);
    let as_written =
        mark == MARK && length == (before.len() as u64).to_le_bytes() && sum == crc32fast::hash(before).to_le_bytes();
    as_written.then_some(before)
}

/// Reads an entry whose file is this user's alone.
fn read(path: &Path) -> io::Result<(File, Vec<u8>)> {
    if path.symlink_metadata()?.is_symlink() {
        return Err(io::Error::other("it is a link"));
    }
    let file = access::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || !is_ours_alone(&metadata) || metadata.len() > LONGEST {
        return Err(io::Error::other("it is no file that this user alone can write to"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1);
    (&file).take(LONGEST).read_to_end(&mut bytes)?;
    Ok((file, bytes))
}

#[cfg(unix)]
fn is_ours_alone(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    access::is_ours(metadata) && metadata.permissions().mode() & 0o022 == 0
}

#[cfg(not(unix))]
fn is_ours_alone(metadata: &Metadata) -> bool {
    access::is_ours(metadata)
}

/// A hash that is the same in each run and with each compiler.
struct Words(Sha256);

impl Hasher for Words {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}
