//! A session's directory: made, locked, and removed again, also when an earlier watcher could not.

use crate::build::UNNAMED;
use crate::exit_code::Fatal;
use pitstop_contract::event::Event;
use pitstop_contract::request::Request;
use pitstop_contract::session::{CACHE, CURRENT, EVENTS, IMAGES, LOCK, REQUESTS, ROOT, host_lock};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// A running session. Its directory is removed on drop, unless a host still lives in it.
pub(crate) struct Session {
    pub(crate) name: String,
    pub(crate) directory: PathBuf,
    /// The folder of all sessions.
    pub(crate) root: PathBuf,
    /// What outlives sessions: incremental state and shared dependencies.
    pub(crate) cache: PathBuf,
    lock: Option<File>,
    events: File,
}

impl Session {
    pub(crate) fn begin(target: &Path, build: &Path) -> Result<Self, Fatal> {
        let root = target.join(ROOT);
        let cannot = |what: &Path, error: std::io::Error| {
            let advice = "is the target directory writable, and has its disk room?";
            Fatal::session(format!("cannot write {}: {error}; {advice}", what.display()))
        };
        let cache = build.join(ROOT).join(CACHE);
        for folder in [&root, &cache] {
            std::fs::create_dir_all(folder).map_err(|error| cannot(folder, error))?;
        }
        sweep(&root);
        let (name, directory) = fresh_directory(&root).map_err(|error| cannot(&root, error))?;
        for folder in [IMAGES, UNNAMED, "lib", "bin", "capture"] {
            let folder = directory.join(folder);
            std::fs::create_dir_all(&folder).map_err(|error| cannot(&folder, error))?;
        }
        let lock = File::create(directory.join(LOCK)).map_err(|error| cannot(&directory, error))?;
        lock.lock().map_err(|error| cannot(&directory, error))?;
        let events = OpenOptions::new().create(true).append(true).open(directory.join(EVENTS));
        let events = events.map_err(|error| cannot(&directory, error))?;
        Ok(Self { name, directory, root, cache, lock: Some(lock), events })
    }

    pub(crate) fn capture(&self) -> PathBuf {
        self.directory.join("capture")
    }

    /// What is asked of hosts and of this session.
    pub(crate) fn requests(&self) -> PathBuf {
        self.directory.join(REQUESTS)
    }

    /// Makes this the session that hosts started by hand find.
    pub(crate) fn make_current(&self) -> std::io::Result<()> {
        replace(&self.root.join(CURRENT), self.name.as_bytes())
    }

    /// Tells the hosts.
    pub(crate) fn tell(&mut self, event: &Event) {
        let Ok(mut line) = serde_json::to_vec(event) else { return };
        line.push(b'\n');
        // A full disk costs the hosts this line; the terminal shows it all the same.
        let _ = self.events.write_all(&line);
    }
}

/// Asks something of the hosts of a session, or of its watcher.
pub(crate) fn ask(directory: &Path, request: &Request) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    // One write, so that nobody reads half a line, and nobody else's line gets into it.
    OpenOptions::new().create(true).append(true).open(directory.join(REQUESTS))?.write_all(&line)
}

/// Removes the values that a program has saved.
pub(crate) fn remove_saved(directory: &Path, pid: u32) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    let prefix = format!("state-{pid}-");
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix)) {
        let _ = std::fs::remove_file(entry.path());
    }
}

/// The newest session below a target directory that a watcher runs.
pub(crate) fn newest(target: &Path) -> Option<PathBuf> {
    let root = target.join(ROOT);
    let is_watched = |directory: &PathBuf| is_locked(&directory.join(LOCK));
    let current = std::fs::read_to_string(root.join(CURRENT)).ok().map(|name| root.join(name.trim()));
    current.filter(is_watched).or_else(|| {
        // The newest one may have ended and an earlier one go on. Names begin with the time, in as many digits each.
        let entries = std::fs::read_dir(&root).ok()?;
        entries.flatten().map(|entry| entry.path()).filter(is_watched).max()
    })
}

impl Drop for Session {
    fn drop(&mut self) {
        self.lock = None;
        if !has_live_host(&self.directory) {
            let _ = std::fs::remove_dir_all(&self.directory);
        }
        // Only if it is still ours.
        let current = self.root.join(CURRENT);
        if std::fs::read_to_string(&current).is_ok_and(|name| name == self.name) {
            let _ = std::fs::remove_file(current);
        }
    }
}

/// A directory that nobody else has: made, not found, so that two sessions never share one, not even when they begin in one
/// millisecond, or in two containers with the same process number.
fn fresh_directory(root: &Path) -> std::io::Result<(String, PathBuf)> {
    loop {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = format!("{:x}-{}", since.as_micros(), std::process::id());
        let directory = root.join(&name);
        match std::fs::create_dir(&directory) {
            Ok(()) => return Ok((name, directory)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Writes a file so that readers see the old or the new content, never half of one.
pub(crate) fn replace(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let fresh = path.with_file_name(name);
    std::fs::write(&fresh, content)?;
    std::fs::rename(&fresh, path).inspect_err(|_| {
        let _ = std::fs::remove_file(&fresh);
    })
}

/// Removes what crashed sessions left: those whose watcher and hosts are all gone.
fn sweep(root: &Path) {
    let Ok(entries) = std::fs::read_dir(root) else { return };
    for entry in entries.flatten() {
        let directory = entry.path();
        let is_session = directory.join(LOCK).is_file();
        if is_session && !is_locked(&directory.join(LOCK)) && !has_live_host(&directory) {
            let _ = std::fs::remove_dir_all(&directory);
        }
    }
}

fn has_live_host(directory: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(directory) else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("host-") && name.ends_with(".lock") && is_locked(&entry.path())
    })
}

/// Whether a host of this session runs.
pub(crate) fn is_host_alive(directory: &Path, pid: u32) -> bool {
    is_locked(&directory.join(host_lock(pid)))
}

fn is_locked(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| file.try_lock_shared().is_err())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crashed_session_is_swept_and_a_living_one_is_not() {
        let target = std::env::temp_dir().join(format!("pitstop-sweep-{}", std::process::id()));
        let crashed = target.join(ROOT).join("1-1");
        std::fs::create_dir_all(&crashed).expect("a folder");
        std::fs::write(crashed.join(LOCK), "").expect("a lock nobody holds");
        let living = Session::begin(&target, &target).expect("a session");
        assert!(!crashed.exists(), "nobody holds the crashed session's lock");
        let second = Session::begin(&target, &target).expect("a second session");
        assert!(living.directory.exists(), "the first session is alive");
        assert_ne!(living.directory, second.directory);
        let gone = living.directory.clone();
        drop(living);
        assert!(!gone.exists(), "a session cleans up after itself");
        drop(second);
        std::fs::remove_dir_all(&target).expect("clean up");
    }
}
