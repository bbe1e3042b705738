//! Stops running commands from another thread.

use crate::process::kill_tree;
use std::collections::BTreeSet;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, PoisonError};

/// Stops running commands from another thread.
#[derive(Clone, Default)]
pub(crate) struct Cancel(Arc<Mutex<Running>>);

#[derive(Default)]
struct Running {
    cancelled: bool,
    pids: BTreeSet<u32>,
}

impl Cancel {
    /// Kills the commands and what they started; what they wrote so far is of no use to anybody.
    pub(crate) fn cancel(&self) {
        let mut running = self.lock();
        running.cancelled = true;
        running.pids.iter().for_each(|&pid| kill_tree(pid));
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.lock().cancelled
    }

    /// Takes a step unless this was cancelled. Whoever cancels waits for the end of the step, and so it never touches what
    /// the next compiler writes under the same name.
    pub(super) fn unless_cancelled<T>(&self, step: impl FnOnce() -> T) -> Option<T> {
        let running = self.lock();
        (!running.cancelled).then(step)
    }

    /// Starts a command, which is to have a process group of its own; `None` if this was cancelled before.
    pub(super) fn spawn(&self, command: &mut Command) -> Option<std::io::Result<Child>> {
        // Under the lock, so that a command is either never started or known to whoever cancels.
        let mut running = self.lock();
        if running.cancelled {
            return None;
        }
        let spawned = command.spawn();
        running.pids.extend(spawned.as_ref().ok().map(Child::id));
        Some(spawned)
    }

    /// A command has ended, and its number may become another's.
    pub(super) fn ended(&self, pid: u32) {
        self.lock().pids.remove(&pid);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
