//! The running program, and what hosts of this session say.

use crate::session::Session;
use crossbeam_channel::Sender;
use pitstop_contract::event::Event;
use pitstop_contract::session::{ENV_RESTORE, ENV_SESSION};
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// How the program is started.
pub(crate) struct Launch {
    pub(crate) executable: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    /// Folders of native libraries, as `cargo run` puts them before the loader's path.
    pub(crate) libraries: Vec<PathBuf>,
    /// The saved values that it begins with.
    pub(crate) restore: Option<PathBuf>,
    /// Whether the program's standard output goes to standard error, since ours carries events.
    pub(crate) stdout_is_taken: bool,
}

/// Starts the program; `ended` makes the message that its end is told by.
pub(crate) fn start<M: Send + 'static>(
    launch: &Launch,
    session: &Session,
    sender: Sender<M>,
    ended: fn(ExitStatus) -> M,
) -> std::io::Result<u32> {
    let mut command = Command::new(&launch.executable);
    command.args(&launch.arguments);
    command.envs(launch.environment.iter().map(|(name, value)| (name, value)));
    command.env(ENV_SESSION, &session.directory);
    match &launch.restore {
        Some(file) => command.env(ENV_RESTORE, file),
        None => command.env_remove(ENV_RESTORE),
    };
    if !launch.libraries.is_empty() {
        let name = if cfg!(target_os = "macos") { "DYLD_FALLBACK_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };
        let before = std::env::var_os(name).unwrap_or_default();
        let all = launch.libraries.iter().cloned().chain(std::env::split_paths(&before));
        if let Ok(joined) = std::env::join_paths(all) {
            command.env(name, joined);
        }
    }
    if launch.stdout_is_taken {
        command.stdout(Stdio::from(std::io::stderr()));
    }
    let mut child = command.spawn()?;
    let pid = child.id();
    std::thread::spawn(move || {
        if let Ok(status) = child.wait() {
            let _ = sender.send(ended(status));
        }
    });
    Ok(pid)
}

/// Reads what hosts append to their logs.
#[derive(Default)]
pub(crate) struct HostLogs {
    read: HashMap<PathBuf, Lines>,
}

impl HostLogs {
    /// The events since the last call, of all hosts, with their processes.
    pub(crate) fn news(&mut self, directory: &Path) -> Vec<(u32, Event)> {
        let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
        let mut events = Vec::new();
        for entry in entries.flatten() {
            let Some(pid) = host_of(&entry.file_name().to_string_lossy()) else { continue };
            let lines = self.read.entry(entry.path()).or_default();
            events.extend(lines.news(&entry.path()).into_iter().map(|event| (pid, event)));
        }
        events
    }
}

/// The process that a log is of.
fn host_of(name: &str) -> Option<u32> {
    name.strip_prefix("host-")?.strip_suffix(".jsonl")?.parse().ok()
}

/// A file of JSON lines that is appended to.
#[derive(Default)]
pub(crate) struct Lines {
    read: u64,
}

impl Lines {
    /// The lines since the last call. One that is not known, of another version of the other side, is passed over.
    pub(crate) fn news<T: DeserializeOwned>(&mut self, path: &Path) -> Vec<T> {
        let Ok(mut file) = std::fs::File::open(path) else { return Vec::new() };
        let mut text = Vec::new();
        if file.seek(SeekFrom::Start(self.read)).is_err() || file.read_to_end(&mut text).is_err() {
            return Vec::new();
        }
        // A line that is still being written is left for the next time.
        let Some(end) = text.iter().rposition(|&byte| byte == b'\n') else { return Vec::new() };
        self.read += end as u64 + 1;
        let lines = text[..end].split(|&byte| byte == b'\n');
        lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }
}
