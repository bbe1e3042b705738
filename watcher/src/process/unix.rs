//! Unix: process groups, termios, exec.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::fs::Metadata;
use std::io::{IsTerminal, PipeReader, PipeWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};

/// Puts the command into a process group of its own, so that Ctrl-C does not reach it and all of it can be killed.
pub(crate) fn own_group(command: &mut Command) {
    command.process_group(0);
}

/// Kills a process group made by [`own_group`]: rustc and the linker it started.
pub(crate) fn kill_tree(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // Gone already is as good.
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

/// Waits for a process that has a group of its own, and kills what it leaves behind in it. `before_free` runs while nobody
/// else can have its number.
pub(crate) fn wait_for_tree(child: &mut Child, before_free: impl FnOnce()) -> std::io::Result<ExitStatus> {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // An error is told by the second wait.
        while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        {
        }
        kill_tree(child.id());
    }
    before_free();
    child.wait()
}

/// Whether anybody may execute a file.
pub(crate) fn is_executable(file: &Metadata) -> bool {
    file.permissions().mode() & 0o111 != 0
}

/// Lets everybody execute a file who may read it, if that can be said of another one.
pub(crate) fn copy_executable(from: &Metadata, to: &Path) -> std::io::Result<()> {
    if !is_executable(from) {
        return Ok(());
    }
    let mut permissions = std::fs::metadata(to)?.permissions();
    let mode = permissions.mode();
    permissions.set_mode(mode | (mode & 0o444) >> 2);
    std::fs::set_permissions(to, permissions)
}

/// Asks a process to end.
pub(crate) fn terminate(pid: u32) {
    signal(pid, Signal::TERM);
}

/// Ends a process.
pub(crate) fn kill(pid: u32) {
    signal(pid, Signal::KILL);
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // Gone already is as good.
        let _ = kill_process(pid, signal);
    }
}

/// Replaces this process. Returns only on failure.
pub(crate) fn exec(mut command: Command) -> std::io::Error {
    command.exec()
}

/// Exit code and signal.
pub(crate) fn exit_of(status: ExitStatus) -> (Option<i32>, Option<i32>) {
    (status.code(), status.signal())
}

/// Whether the signal tells of a fault in the program, rather than of somebody's wish to end it.
pub(crate) fn fault(signal: i32) -> bool {
    FAULTS.iter().any(|(fault, _)| fault.as_raw() == signal)
}

/// A signal's name.
pub(crate) fn signal_name(signal: i32) -> String {
    let mut known = FAULTS.iter().chain(&OTHERS);
    let known = known.find(|(known, _)| known.as_raw() == signal);
    known.map_or_else(|| format!("signal {signal}"), |(_, name)| (*name).to_owned())
}

const FAULTS: [(Signal, &str); 7] = [
    (Signal::SEGV, "SIGSEGV"),
    (Signal::BUS, "SIGBUS"),
    (Signal::ILL, "SIGILL"),
    (Signal::FPE, "SIGFPE"),
    (Signal::ABORT, "SIGABRT"),
    (Signal::TRAP, "SIGTRAP"),
    (Signal::SYS, "SIGSYS"),
];

/// Others that are known to end programs.
const OTHERS: [(Signal, &str); 6] = [
    (Signal::HUP, "SIGHUP"),
    (Signal::INT, "SIGINT"),
    (Signal::QUIT, "SIGQUIT"),
    (Signal::KILL, "SIGKILL"),
    (Signal::PIPE, "SIGPIPE"),
    (Signal::TERM, "SIGTERM"),
];

/// How the terminal was set.
pub(crate) struct Terminal(Option<Termios>);

impl Terminal {
    pub(crate) fn now() -> Self {
        Self(tcgetattr(rustix::stdio::stderr()).ok())
    }

    /// Takes the terminal back from a full-screen program that could not give it back itself.
    pub(crate) fn restore(&self) {
        if let Some(modes) = self.0.as_ref().filter(|_| terminal_is_taken()) {
            // Leaves the alternate screen, and shows the cursor.
            let _ = std::io::stderr().write_all(b"\x1b[?1049l\x1b[?25h");
            let _ = tcsetattr(rustix::stdio::stderr(), OptionalActions::Now, modes);
        }
    }
}

/// A question to the person at the terminal, withdrawn when dropped.
pub(crate) struct Question {
    _open: PipeWriter,
}

impl Question {
    /// Has `answer` called with the yes or no that is typed; `None` when nobody sits there. What is typed after the question
    /// was withdrawn is the program's.
    pub(crate) fn ask(answer: impl FnOnce(bool) + Send + 'static) -> Option<Self> {
        if !std::io::stdin().is_terminal() {
            return None;
        }
        let (withdrawn, open) = std::io::pipe().ok()?;
        std::thread::spawn(move || {
            if let Some(line) = typed(&withdrawn) {
                let word = line.trim().to_lowercase();
                // The end of the input is no consent.
                answer(!line.is_empty() && (word.is_empty() || "yes".starts_with(&word)));
            }
        });
        Some(Self { _open: open })
    }
}

/// A line from the terminal; `None` if the question was withdrawn before.
fn typed(withdrawn: &PipeReader) -> Option<String> {
    let stdin = std::io::stdin();
    let mut waits = [PollFd::new(&stdin, PollFlags::IN), PollFd::new(withdrawn, PollFlags::IN)];
    while let Err(rustix::io::Errno::INTR) = poll(&mut waits, None) {}
    if !waits[1].revents().is_empty() || waits[0].revents().is_empty() {
        return None;
    }
    let mut line = String::new();
    stdin.read_line(&mut line).ok()?;
    Some(line)
}

/// Whether the program draws on our terminal: then our lines would spoil its picture. Full-screen programs turn line
/// editing off.
pub(crate) fn terminal_is_taken() -> bool {
    match tcgetattr(rustix::stdio::stderr()) {
        Ok(modes) => !modes.local_modes.contains(LocalModes::ICANON),
        Err(_) => false,
    }
}
