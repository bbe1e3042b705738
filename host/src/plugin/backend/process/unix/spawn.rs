//! Starts a program by `posix_spawn`: the process is not forked, so it does not matter how much memory the host has.

use super::command::{Command, Outlives};
use libc::{c_char, c_int, c_short, c_void, posix_spawn_file_actions_t, posix_spawnattr_t, sigset_t};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::process::Pid;
use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::OnceLock;

type AddChdir = unsafe extern "C" fn(*mut posix_spawn_file_actions_t, *const c_char) -> c_int;
type AddCloseFrom = unsafe extern "C" fn(*mut posix_spawn_file_actions_t, c_int) -> c_int;

/// What glibc has from 2.34 on, looked up so that a host still starts with an older one.
#[derive(Clone, Copy)]
struct Newer {
    add_chdir: AddChdir,
    add_close_from: AddCloseFrom,
}

/// Starts it with these as its standard input, output and error. `None` where that takes a fork.
///
/// All of `ends` are above 2, so that none is overwritten before it is used.
pub(crate) fn spawn(command: &Command, ends: &[OwnedFd; 3]) -> Option<Result<Pid, Errno>> {
    if command.memory.is_some() || command.outlives != Outlives::MayOutlive {
        return None;
    }
    newer().map(|newer| spawn_with(newer, command, ends))
}

fn spawn_with(newer: Newer, command: &Command, ends: &[OwnedFd; 3]) -> Result<Pid, Errno> {
    let mut actions = Actions::new()?;
    for (end, standard) in ends.iter().zip(0..) {
        actions.dup2(end, standard)?;
    }
    actions.change_directory(newer, command.working_directory())?;
    actions.close_from(newer, 3)?;
    let attributes = Attributes::new()?;
    let (arguments, environment) = (pointers(command.arguments()), pointers(command.environment()));
    let mut pid = 0;
    // SAFETY: the pointers are to values of ours that outlive the call; both lists end with null, and their elements are
    // NUL-terminated.
    let failed = unsafe {
        libc::posix_spawn(
            &raw mut pid,
            command.program().as_ptr(),
            &raw const actions.0,
            &raw const attributes.0,
            arguments.as_ptr(),
            environment.as_ptr(),
        )
    };
    succeeded(failed)?;
    Pid::from_raw(pid).ok_or(Errno::SRCH)
}

fn pointers(texts: &[CString]) -> Vec<*mut c_char> {
    texts.iter().map(|text| text.as_ptr().cast_mut()).chain([null_mut()]).collect()
}

fn succeeded(result: c_int) -> Result<(), Errno> {
    if result == 0 { Ok(()) } else { Err(Errno::from_raw_os_error(result)) }
}

fn newer() -> Option<Newer> {
    static NEWER: OnceLock<Option<Newer>> = OnceLock::new();
    *NEWER.get_or_init(|| {
        let add_chdir = symbol(c"posix_spawn_file_actions_addchdir_np")?;
        let add_close_from = symbol(c"posix_spawn_file_actions_addclosefrom_np")?;
        Some(Newer {
            // SAFETY: the C library's function of this name has this type.
            add_chdir: unsafe { std::mem::transmute::<*mut c_void, AddChdir>(add_chdir) },
            // SAFETY: as above.
            add_close_from: unsafe { std::mem::transmute::<*mut c_void, AddCloseFrom>(add_close_from) },
        })
    })
}

fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name is NUL-terminated.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

struct Actions(posix_spawn_file_actions_t);

impl Actions {
    fn new() -> Result<Self, Errno> {
        let mut actions = MaybeUninit::uninit();
        // SAFETY: the pointer is to room for one.
        succeeded(unsafe { libc::posix_spawn_file_actions_init(actions.as_mut_ptr()) })?;
        // SAFETY: it was initialized just now.
        Ok(Self(unsafe { actions.assume_init() }))
    }

    fn dup2(&mut self, end: &OwnedFd, standard: c_int) -> Result<(), Errno> {
        // SAFETY: the actions are initialized.
        succeeded(unsafe { libc::posix_spawn_file_actions_adddup2(&raw mut self.0, end.as_raw_fd(), standard) })
    }

    fn change_directory(&mut self, newer: Newer, directory: &CStr) -> Result<(), Errno> {
        // SAFETY: the actions are initialized, and the path is NUL-terminated; it is copied.
        succeeded(unsafe { (newer.add_chdir)(&raw mut self.0, directory.as_ptr()) })
    }

    fn close_from(&mut self, newer: Newer, first: c_int) -> Result<(), Errno> {
        // SAFETY: the actions are initialized.
        succeeded(unsafe { (newer.add_close_from)(&raw mut self.0, first) })
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        // SAFETY: the actions are initialized, and not used after.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.0) };
    }
}

/// A process group of its own, no signal blocked, and none ignored.
struct Attributes(posix_spawnattr_t);

impl Attributes {
    fn new() -> Result<Self, Errno> {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: the pointer is to room for one.
        succeeded(unsafe { libc::posix_spawnattr_init(attributes.as_mut_ptr()) })?;
        // SAFETY: it was initialized just now.
        let mut attributes = Self(unsafe { attributes.assume_init() });
        let (none, all) = (signals(Signals::None), signals(Signals::All));
        // SAFETY: both are initialized.
        succeeded(unsafe { libc::posix_spawnattr_setsigmask(&raw mut attributes.0, &raw const none) })?;
        // SAFETY: both are initialized.
        succeeded(unsafe { libc::posix_spawnattr_setsigdefault(&raw mut attributes.0, &raw const all) })?;
        // SAFETY: the attributes are initialized.
        succeeded(unsafe { libc::posix_spawnattr_setpgroup(&raw mut attributes.0, 0) })?;
        let flags = libc::POSIX_SPAWN_SETPGROUP | libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF;
        // SAFETY: the attributes are initialized.
        succeeded(unsafe { libc::posix_spawnattr_setflags(&raw mut attributes.0, flags as c_short) })?;
        Ok(attributes)
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: the attributes are initialized, and not used after.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.0) };
    }
}

enum Signals {
    None,
    All,
}

fn signals(which: Signals) -> sigset_t {
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
