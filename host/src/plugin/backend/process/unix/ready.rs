//! Waits until a descriptor is ready, or a time has come.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// What is waited for at a descriptor.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) at: BorrowedFd<'a>,
    pub(crate) flags: PollFlags,
}

impl<'a> Wanted<'a> {
    pub(crate) fn reading(at: BorrowedFd<'a>) -> Self {
        Self { at, flags: PollFlags::IN }
    }

    pub(crate) fn writing(at: BorrowedFd<'a>) -> Self {
        Self { at, flags: PollFlags::OUT }
    }
}

/// Waits until one is ready, or has failed or ended, or the time has come. Returns which; maybe none.
pub(crate) fn ready<const N: usize>(wanted: [Option<Wanted<'_>>; N], until: Option<Instant>) -> [bool; N] {
    let mut polled: Vec<PollFd<'_>> =
        wanted.iter().flatten().map(|wanted| PollFd::from_borrowed_fd(wanted.at, wanted.flags)).collect();
    let left = until.map(|until| until.saturating_duration_since(Instant::now()));
    if poll(&mut polled, left.and_then(|left| Timespec::try_from(left).ok()).as_ref()).is_err() {
        // A signal came in between: the caller looks at the time and comes again.
        return [false; N];
    }
    let mut found = polled.iter().map(|polled| !polled.revents().is_empty());
    wanted.map(|wanted| wanted.is_some() && found.next().unwrap_or(false))
}

/// Lets some time pass, where no event tells of what is waited for.
pub(crate) fn pause(duration: Duration) {
    ready([None], Instant::now().checked_add(duration));
}
