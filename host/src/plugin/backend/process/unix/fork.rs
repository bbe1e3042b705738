//! Starts a program by fork and exec, on systems where nothing ties it to its host's end.

use super::command::Command;
use libc::{c_char, c_int};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, setrlimit};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::ptr::null;

/// Descriptors are closed one by one; those above this one stay open.
const MOST_DESCRIPTORS: u64 = 1 << 16;

/// Starts it with these as its standard input, output and error.
pub(crate) fn spawn(command: &Command, ends: &[OwnedFd; 3]) -> Result<Pid, Errno> {
    let end = |index: usize| ends[index].try_clone().map(Stdio::from).map_err(|error| errno(&error));
    let mut forked = std::process::Command::new(&command.file);
    forked.current_dir(&command.directory).process_group(0).stdin(end(0)?).stdout(end(1)?).stderr(end(2)?);
    let become_program = program(command);
    // SAFETY: what runs in the forked process only calls the system, and allocates nothing.
    unsafe { forked.pre_exec(become_program) };
    let child = forked.spawn().map_err(|error| errno(&error))?;
    Pid::from_raw(child.id().cast_signed()).ok_or(Errno::SRCH)
}

fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::INVAL, Errno::from_raw_os_error)
}

/// Lists of pointers to texts that `Command` owns.
struct Pointers(Vec<*const c_char>);

// SAFETY: they are only read, in the forked process, by the system.
unsafe impl Send for Pointers {}
// SAFETY: as above.
unsafe impl Sync for Pointers {}

/// The end of a forked process's life as a copy of the host. The program is executed here and not by `std`, which would
/// pass a text without `#!` to a shell.
fn program(command: &Command) -> impl FnMut() -> io::Result<()> + Send + Sync + 'static {
    let command = command.clone();
    let pointers =
        |texts: &[std::ffi::CString]| Pointers(texts.iter().map(|text| text.as_ptr()).chain([null()]).collect());
    let (arguments, environment) = (pointers(command.arguments()), pointers(command.environment()));
    move || {
        let (arguments, environment) = (&arguments, &environment);
        reset_signals();
        keep_no_descriptors();
        if let Some(memory) = command.memory {
            setrlimit(Resource::As, Rlimit { current: Some(memory), maximum: Some(memory) })?;
        }
        // SAFETY: both lists end with null, and their elements are NUL-terminated and owned by `command`.
        unsafe { libc::execve(command.program().as_ptr(), arguments.0.as_ptr(), environment.0.as_ptr()) };
        Err(io::Error::last_os_error())
    }
}

fn reset_signals() {
    for signal in 1..=64 {
        // SAFETY: the default is a valid disposition; numbers that are no signals, or that cannot be changed, fail.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let mut none = MaybeUninit::uninit();
    // SAFETY: the pointer is to room for one.
    unsafe { libc::sigemptyset(none.as_mut_ptr()) };
    // SAFETY: the set was initialized just now.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut()) };
}

/// Marks all but the standard ones to be closed by exec: until then, `std` has one for telling of a failure.
fn keep_no_descriptors() {
    let most = rustix::process::getrlimit(Resource::Nofile).current.unwrap_or(MOST_DESCRIPTORS).min(MOST_DESCRIPTORS);
    for descriptor in 3..c_int::try_from(most).unwrap_or(c_int::MAX) {
        // SAFETY: touches no memory; numbers that are no descriptors fail.
        unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}
