//! Starts a program on Linux as `posix_spawn` does inside, with what that does not offer: a limit of memory, and an end with the
//! host's. The new process borrows the host's memory until it executes the program, so that it does not matter how much that is.

use super::command::{Command, Outlives};
use libc::{c_char, c_int, c_void};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, setrlimit};
use std::ffi::CString;
use std::mem::MaybeUninit;
use std::ptr::null;

/// What runs on it calls the system and little else.
const STACK: usize = 64 << 10;
/// Where there is no other way to close descriptors than one by one, those above this one stay open.
const MOST_DESCRIPTORS: u64 = 1 << 16;

/// Starts it with these as its standard input, output and error, all of which are above 2.
pub(crate) fn spawn(command: &Command, ends: &[OwnedFd; 3]) -> Result<Pid, Errno> {
    let (arguments, environment) = (pointers(command.arguments()), pointers(command.environment()));
    let mut start = Start {
        command,
        arguments: &arguments,
        environment: &environment,
        ends: [0, 1, 2].map(|end: usize| ends[end].as_raw_fd()),
        host: rustix::process::getpid(),
        failed: None,
    };
    let mut stack = vec![MaybeUninit::<u128>::uninit(); STACK / size_of::<u128>()];
    let top = stack.as_mut_ptr_range().end;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // A handler of the host's would run in both processes at once.
    let masked = Masked::new();
    // SAFETY: this thread stands still until the new process has another memory or has ended, so that it has the stack and `start`
    // for itself; `become_program` does not return.
    let pid = unsafe { libc::clone(become_program, top.cast(), flags, (&raw mut start).cast()) };
    let failed = start.failed.or((pid < 0).then(|| Errno::from_io_error(&std::io::Error::last_os_error())).flatten());
    drop(masked);
    let Some(pid) = Pid::from_raw(pid.max(0)) else { return Err(failed.unwrap_or(Errno::AGAIN)) };
    match failed {
        None => Ok(pid),
        Some(why) => {
            // It has ended; what it was is nobody's business.
            let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
            Err(why)
        }
    }
}

fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([null()]).collect()
}

/// What the new process is to do, and why it could not.
struct Start<'a> {
    command: &'a Command,
    arguments: &'a [*const c_char],
    environment: &'a [*const c_char],
    ends: [c_int; 3],
    host: Pid,
    failed: Option<Errno>,
}

/// All that the new process does in the memory of the host: calls of the system, in which nothing is allocated and nothing panics.
extern "C" fn become_program(start: *mut c_void) -> c_int {
    // SAFETY: it is the `start` of `spawn`, which nobody else uses meanwhile.
    let start = unsafe { &mut *start.cast::<Start<'_>>() };
    start.failed = prepare(start).err().or_else(|| Some(execute(start)));
    // SAFETY: ends the new process, with nothing of the host's.
    unsafe { libc::_exit(127) }
}

fn prepare(start: &Start<'_>) -> Result<(), Errno> {
    let command = start.command;
    reset_signals();
    rustix::process::setpgid(None, None)?;
    dies_with(command.outlives, start.host)?;
    rustix::process::chdir(command.working_directory())?;
    for (end, standard) in start.ends.into_iter().zip(0..) {
        // SAFETY: touches no memory.
        if unsafe { libc::dup2(end, standard) } < 0 {
            return Err(last_error());
        }
    }
    keep_no_descriptors();
    if let Some(memory) = command.memory {
        setrlimit(Resource::As, Rlimit { current: Some(memory), maximum: Some(memory) })?;
    }
    block_no_signals();
    Ok(())
}

/// Returns only if that fails.
fn execute(start: &Start<'_>) -> Errno {
    let (program, arguments, environment) = (start.command.program(), start.arguments, start.environment);
    // SAFETY: both lists end with null, and their elements are NUL-terminated and owned by the command.
    unsafe { libc::execve(program.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    last_error()
}

fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}

/// Ties the process to the thread that started it.
fn dies_with(outlives: Outlives, host: Pid) -> Result<(), Errno> {
    if outlives == Outlives::MayOutlive {
        return Ok(());
    }
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    // The host may have ended before that: then nothing tells of it any more.
    if rustix::process::getppid() == Some(host) { Ok(()) } else { Err(Errno::SRCH) }
}

fn reset_signals() {
    for signal in 1..=64 {
        // SAFETY: the default is a valid disposition; numbers that are no signals, or that cannot be changed, fail.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

fn block_no_signals() {
    let none = signals(Signals::None);
    // SAFETY: the set is initialized.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()) };
}

/// Marks all but the standard ones to be closed by exec.
fn keep_no_descriptors() {
    // SAFETY: touches no memory.
    let marked = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if marked == 0 {
        return;
    }
    let most = rustix::process::getrlimit(Resource::Nofile).current.unwrap_or(MOST_DESCRIPTORS).min(MOST_DESCRIPTORS);
    for descriptor in 3..c_int::try_from(most).unwrap_or(c_int::MAX) {
        // SAFETY: touches no memory; numbers that are no descriptors fail.
        unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// While this lives, this thread gets no signals.
struct Masked(libc::sigset_t);

impl Masked {
    fn new() -> Self {
        let (all, mut before) = (signals(Signals::All), signals(Signals::None));
        // SAFETY: both sets are initialized.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before) };
        Self(before)
    }
}

impl Drop for Masked {
    fn drop(&mut self) {
        // SAFETY: the set is initialized.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut()) };
    }
}

#[derive(Clone, Copy)]
enum Signals {
    None,
    All,
}

fn signals(which: Signals) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    match which {
        // SAFETY: the pointer is to room for one.
        Signals::None => unsafe { libc::sigemptyset(set.as_mut_ptr()) },
        // SAFETY: the pointer is to room for one.
        Signals::All => unsafe { libc::sigfillset(set.as_mut_ptr()) },
    };
    // SAFETY: it was initialized just now.
    unsafe { set.assume_init() }
}
