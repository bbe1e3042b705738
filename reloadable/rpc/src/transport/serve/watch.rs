//! Sees to it that a call which takes its time, and is answered by whoever moves the connection, holds up no other: somebody else
//! takes the seat.

use super::seat::Seat;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::thread::Thread;
use std::time::Duration;
use tokio::runtime::Handle;

/// A call that runs at two looks in a row takes its time.
const LOOKS: Duration = Duration::from_millis(1);
/// So often nothing is seen before nobody looks until there is a call again.
const IDLE: u32 = 50;

#[derive(Default)]
pub(super) struct Watch {
    /// How many calls have begun, and how many of them run.
    begun: AtomicU64,
    running: AtomicU64,
    is_watched: AtomicBool,
    thread: OnceLock<Thread>,
}

/// A call that runs.
pub(super) struct Watched<'a>(&'a Watch);

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Release);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

impl Watch {
    /// Starts to look. That is a thread, since it may be that all threads of the runtime are in calls.
    pub(super) fn start(&self, seat: &Arc<Seat>) -> io::Result<()> {
        let (seat, runtime) = (Arc::downgrade(seat), Handle::current());
        let thread = std::thread::Builder::new().name("pitstop-watch".to_owned());
        let thread = thread.spawn(move || look(&seat, &runtime))?;
        let _ = self.thread.set(thread.thread().clone());
        Ok(())
    }

    /// A call begins in the seat.
    pub(super) fn begin(&self) -> Watched<'_> {
        self.begun.fetch_add(1, Ordering::Release);
        self.running.fetch_add(1, Ordering::SeqCst);
        if !self.is_watched.swap(true, Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
        Watched(self)
    }

    /// Whether nobody has to look until the next call.
    fn rests(&self) -> bool {
        self.is_watched.store(false, Ordering::SeqCst);
        // One that has begun in the meantime relies on it.
        self.running.load(Ordering::SeqCst) == 0 || self.is_watched.swap(true, Ordering::SeqCst)
    }
}

/// Looks for as long as there is a seat.
fn look(seat: &Weak<Seat>, runtime: &Handle) {
    let (mut last, mut idle) = (0, IDLE);
    while let Some(now) = seat.upgrade() {
        let (begun, runs) = (now.watch.begun.load(Ordering::Acquire), now.watch.running.load(Ordering::SeqCst) > 0);
        let is_same = std::mem::replace(&mut last, begun) == begun;
        idle = if is_same && !runs { idle + 1 } else { 0 };
        let rests = idle > IDLE && now.watch.rests();
        if is_same && runs {
            // If the seat was taken already, this ends at once.
            drop(runtime.spawn(now.attend()));
        } else {
            drop(now);
        }
        if rests {
            std::thread::park();
        } else {
            std::thread::park_timeout(LOOKS);
        }
    }
}
