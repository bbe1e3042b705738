//! Unix: programs are started, as leaders of process groups of their own.

mod backoff;
mod child;
mod command;
#[cfg(feature = "rpc")]
mod keeper;
mod lines;
mod read;
mod ready;
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "prepares a new process for its program")]
#[path = "clone.rs"]
mod spawn;
#[cfg(not(target_os = "linux"))]
#[expect(unsafe_code, reason = "prepares a forked process for its program")]
#[path = "fork.rs"]
mod spawn;
mod started;
#[expect(unsafe_code, reason = "keeps SIGPIPE from a program that is written in C")]
mod write;

pub(crate) use backoff::{Backoff, MOST_ENDS, WITHIN};
pub(crate) use child::{Child, GRACE, KILLED_WITHIN, Status, failure};
pub(crate) use command::Command;
#[cfg(feature = "rpc")]
pub(crate) use command::Outlives;
#[cfg(feature = "rpc")]
pub(crate) use keeper::start_kept;
pub(crate) use lines::{Lines, split};
pub(crate) use read::{receive, take_present};
pub(crate) use ready::{Wanted, ready};
pub(crate) use write::write;

use rustix::fs::{Access, access};
use rustix::io::Errno;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

pub(crate) fn supported() -> Result<(), String> {
    Ok(())
}

pub(crate) fn limits_memory() -> Result<(), String> {
    if cfg!(target_os = "macos") {
        return Err("macOS does not keep a limit of the address space; leave it out".to_owned());
    }
    Ok(())
}

/// Whether a file can be executed; if not, what it is instead.
pub(crate) fn executable(file: &Path) -> Result<(), String> {
    let metadata = file.metadata().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "not there".to_owned(),
        _ => format!("not readable: {error}"),
    })?;
    if metadata.is_dir() {
        return Err("a directory".to_owned());
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o111 == 0 {
        return Err(format!("not executable: its mode is {mode:03o}"));
    }
    match access(file, Access::EXEC_OK) {
        Ok(()) => Ok(()),
        Err(Errno::ACCESS) => Err(format!(
            "not executable for this user, or on a file system that is mounted `noexec`: its mode is {mode:03o}"
        )),
        Err(error) => Err(format!("not executable: {error}")),
    }
}
