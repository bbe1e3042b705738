//! Writes into a pipe that maybe nobody reads. A program written in Rust ignores SIGPIPE; one written in C that has this
//! host in it would be ended by it.

use libc::sigset_t;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::mem::MaybeUninit;
use std::ptr::null_mut;

/// `write`, whose `EPIPE` comes without a SIGPIPE.
pub(crate) fn write(pipe: &OwnedFd, bytes: &[u8]) -> Result<usize, Errno> {
    let sigpipe = only_sigpipe();
    let mut before = MaybeUninit::uninit();
    // SAFETY: the first pointer is to a set, the second to room for one.
    let failed = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const sigpipe, before.as_mut_ptr()) };
    if failed != 0 {
        return Err(Errno::from_raw_os_error(failed));
    }
    // SAFETY: the call above succeeded, and has filled it in.
    let before: sigset_t = unsafe { before.assume_init() };
    // A program that blocks it itself may wait for one, and ours would be told as that one: that one stays.
    let theirs = has_sigpipe(&before) && is_pending();
    let written = rustix::io::write(pipe, bytes);
    if written == Err(Errno::PIPE) && !theirs && is_pending() {
        let mut signal = 0;
        // SAFETY: the pointers are to a set and a number of ours; the signal is pending, so this returns at once.
        unsafe { libc::sigwait(&raw const sigpipe, &raw mut signal) };
    }
    // SAFETY: the pointer is to a set.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, null_mut()) };
    written
}

fn only_sigpipe() -> sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the pointer is to room for one.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: the set was initialized just now.
    unsafe { libc::sigaddset(set.as_mut_ptr(), libc::SIGPIPE) };
    // SAFETY: as above.
    unsafe { set.assume_init() }
}

fn is_pending() -> bool {
    let mut pending = MaybeUninit::uninit();
    // SAFETY: the pointer is to room for one.
    if unsafe { libc::sigpending(pending.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: the call above succeeded, and has filled it in.
    has_sigpipe(unsafe { pending.assume_init_ref() })
}

fn has_sigpipe(set: &sigset_t) -> bool {
    // SAFETY: the pointer is to a set.
    unsafe { libc::sigismember(set, libc::SIGPIPE) == 1 }
}
