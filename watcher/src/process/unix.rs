//! Unix: process groups, termios, exec.

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use rustix::termios::{LocalModes, tcgetattr};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};

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

/// Whether the program draws on our terminal: then our lines would spoil its picture. Full-screen programs turn line
/// editing off.
pub(crate) fn terminal_is_taken() -> bool {
    match tcgetattr(rustix::stdio::stderr()) {
        Ok(modes) => !modes.local_modes.contains(LocalModes::ICANON),
        Err(_) => false,
    }
}
