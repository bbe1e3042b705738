//! A program that runs, with the processes that it has started. Whatever happens, none of them is left once this is gone.

use super::command::Command;
use super::ready::{Wanted, pause, ready};
use super::{spawn, started};
use pitstop_reloadable::PluginError;
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::io::{Errno, fcntl_dupfd_cloexec, ioctl_fionbio};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, waitid};
use std::time::{Duration, Instant};

/// Between SIGTERM and SIGKILL.
pub(crate) const GRACE: Duration = Duration::from_secs(2);
/// How long the system may take to end what it was told to kill; after that, a thread waits for it.
pub(crate) const KILLED_WITHIN: Duration = Duration::from_secs(5);
/// How long a file may be open for writing somewhere before that is told as an error.
const BUSY_FOR: Duration = Duration::from_secs(1);
/// Where no descriptor tells of the end.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Exited(i32),
    Signalled(i32),
    /// Somebody else has waited for it.
    Unknown,
}

/// A program that runs, as the leader of a process group.
pub(crate) struct Child {
    pid: Pid,
    /// Readable once it has ended.
    end: Option<OwnedFd>,
    status: Option<Status>,
    /// Does not block.
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) stdout: Option<OwnedFd>,
    pub(crate) stderr: Option<OwnedFd>,
}

impl Child {
    pub(crate) fn start(command: &Command) -> Result<Self, PluginError> {
        let failed = |error: Errno| started::not_started(command, error);
        let (stdin, stdout, stderr) = (pipe().map_err(failed)?, pipe().map_err(failed)?, pipe().map_err(failed)?);
        ioctl_fionbio(&stdin.write, true).map_err(failed)?;
        let pid = spawn_unless_busy(command, &[stdin.read, stdout.write, stderr.write]).map_err(failed)?;
        let (stdin, stdout, stderr) = (Some(stdin.write), Some(stdout.read), Some(stderr.read));
        Ok(Self { pid, end: end_of(pid), status: None, stdin, stdout, stderr })
    }

    /// Waits until one of these is ready, the program has ended, or the time has come: which, and whether it has ended.
    pub(crate) fn wait(&self, wanted: [Option<Wanted<'_>>; 4], until: Option<Instant>) -> ([bool; 4], bool) {
        let [first, second, third, fourth] = wanted;
        let Some(end) = &self.end else {
            let next = Instant::now() + LOOK_EVERY;
            let found = ready(wanted, Some(until.map_or(next, |until| until.min(next))));
            return (found, self.has_ended());
        };
        let end = Some(Wanted::reading(end.as_fd()));
        let [first, second, third, fourth, ended] = ready([first, second, third, fourth, end], until);
        ([first, second, third, fourth], ended)
    }

    fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::Pid(self.pid), options), Ok(None) | Err(Errno::INTR))
    }

    /// Asks it and what it has started to end.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends it and what it has started, unasked.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        // Until it is waited for, its number is nobody else's. The group may consist of what is dead already.
        if self.status.is_none() {
            let _ = kill_process_group(self.pid, signal);
        }
    }

    /// Ends it: asked, and after a while unasked.
    pub(crate) fn stop(mut self) {
        (self.stdin, self.stdout, self.stderr) = (None, None, None);
        self.terminate();
        self.wait_until(Instant::now() + GRACE);
        // The rest, where it went: `drop`.
    }

    /// Waits for its end, at most until then; whether it has ended.
    pub(crate) fn wait_until(&self, until: Instant) -> bool {
        loop {
            if self.wait([None; 4], Some(until)).1 {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
        }
    }

    /// Once it has ended: ends what it has started, and tells how it ended.
    pub(crate) fn finish(&mut self) -> Status {
        if let Some(status) = self.status {
            return status;
        }
        // Looked at and not taken: its number must be its own until the group was killed.
        let status = take(self.pid, WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        if status != Status::Unknown {
            self.kill();
            take(self.pid, WaitIdOptions::EXITED);
        }
        self.status = Some(status);
        status
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.status.is_some() {
            return;
        }
        self.kill();
        if self.wait_until(Instant::now() + KILLED_WITHIN) {
            self.finish();
            return;
        }
        let pid = self.pid;
        let wait = move || {
            take(pid, WaitIdOptions::EXITED);
        };
        // Without a thread it stays as a zombie, once the system lets go of it.
        let _ = std::thread::Builder::new().name("pitstop-reaper".to_owned()).spawn(wait);
    }
}

/// The error of a program that has ended, and should not have.
pub(crate) fn failure(status: Status, message: String) -> PluginError {
    match status {
        Status::Exited(code) => PluginError::Exited { code, message },
        Status::Signalled(signal) => PluginError::Signalled { signal, message },
        Status::Unknown => PluginError::Protocol {
            expected: "that only Pitstop waits for the plugin's process".to_owned(),
            found: "how it ended was taken by someone else: the program ignores SIGCHLD, or waits for any child"
                .to_owned(),
        },
    }
}

fn take(pid: Pid, options: WaitIdOptions) -> Status {
    loop {
        return match waitid(WaitId::Pid(pid), options) {
            Ok(Some(status)) => told(&status),
            Err(Errno::INTR) => continue,
            Ok(None) | Err(_) => Status::Unknown,
        };
    }
}

fn told(status: &WaitIdStatus) -> Status {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Status::Exited(code),
        (None, Some(signal)) => Status::Signalled(signal),
        (None, None) => Status::Unknown,
    }
}

struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
}

/// Both of whose ends are above the standard descriptors, also in a program that has closed these: what is to become the
/// standard output must not be overwritten by what becomes the standard input.
fn pipe() -> Result<Pipe, Errno> {
    let (read, write) =
        std::io::pipe().map_err(|error| error.raw_os_error().map_or(Errno::MFILE, Errno::from_raw_os_error))?;
    let above = |end: OwnedFd| if end.as_raw_fd() > 2 { Ok(end) } else { fcntl_dupfd_cloexec(&end, 3) };
    Ok(Pipe { read: above(read.into())?, write: above(write.into())? })
}

fn spawn_unless_busy(command: &Command, ends: &[OwnedFd; 3]) -> Result<Pid, Errno> {
    let (until, mut again) = (Instant::now() + BUSY_FOR, Duration::from_millis(1));
    loop {
        let spawned = spawn::spawn(command, ends);
        // Another thread had the file open for writing when it forked, and its child has not yet executed anything. No
        // event tells of the end of that.
        if spawned != Err(Errno::TXTBSY) || Instant::now() >= until {
            return spawned;
        }
        pause(again);
        again = (again * 2).min(Duration::from_millis(50));
    }
}

#[cfg(target_os = "linux")]
fn end_of(pid: Pid) -> Option<OwnedFd> {
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn end_of(_pid: Pid) -> Option<OwnedFd> {
    None
}
