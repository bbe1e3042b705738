//! Reads from a pipe of a program, as much as is there.

use rustix::buffer::spare_capacity;
use rustix::fd::OwnedFd;
use rustix::io::{Errno, ioctl_fionread, read};

/// How much is read at once, at the least.
const ROOM: usize = 8 << 10;

/// Reads once from a pipe that is ready. At its end, it is closed.
pub(crate) fn receive(pipe: &mut Option<OwnedFd>, into: &mut Vec<u8>) {
    let Some(open) = pipe else { return };
    into.reserve(ROOM);
    match read(open, spare_capacity(into)) {
        Ok(0) => *pipe = None,
        Ok(_) | Err(Errno::INTR | Errno::AGAIN) => {}
        Err(_) => *pipe = None,
    }
}

/// Reads what is in a pipe now.
pub(crate) fn take_present(pipe: &mut Option<OwnedFd>, into: &mut Vec<u8>) {
    let present = pipe.as_ref().and_then(|pipe| ioctl_fionread(pipe).ok()).unwrap_or(0);
    let before = into.len();
    while ((into.len() - before) as u64) < present && pipe.is_some() {
        receive(pipe, into);
    }
}
