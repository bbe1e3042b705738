//! Where threads are woken one by one.

use std::thread::Thread;
use std::time::Duration;

/// One thread.
#[derive(Debug)]
pub(super) struct Place(Thread);

impl Place {
    pub(super) fn new() -> Self {
        Self(std::thread::current())
    }

    /// Sleeps until it is woken or the time is over, or for no reason.
    pub(super) fn wait(&self, is_asleep: impl FnOnce() -> bool, left: Option<Duration>) {
        match left {
            _ if !is_asleep() => {}
            Some(left) => std::thread::park_timeout(left),
            None => std::thread::park(),
        }
    }

    pub(super) fn wake(&self) {
        self.0.unpark();
    }
}

/// Whoever is woken in a function is woken by it.
pub(in crate::transport) fn together(wakes: impl FnOnce()) {
    wakes();
}
