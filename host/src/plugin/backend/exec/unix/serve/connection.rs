//! The lines to and from one process: calls that wait for their answer.

use super::rpc::Answer;
use crate::lock::lock;
use crate::plugin::backend::process::{Wanted, ready, write};
use crossbeam_channel::{Receiver, Sender};
use pitstop_reloadable::PluginError;
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::io::Errno;
use std::collections::HashMap;
use std::sync::{Mutex, TryLockError};
use std::time::Instant;

/// The lines to and from one process.
pub(super) struct Connection {
    /// Whoever writes a line has it until the line is written.
    stdin: Mutex<Option<OwnedFd>>,
    calls: Mutex<Calls>,
}

#[derive(Default)]
struct Calls {
    waiting: HashMap<u64, Sender<Answer>>,
    last: u64,
    /// Nothing is answered any more.
    closed: bool,
}

/// The time was over before the line was written.
pub(super) struct Late;

impl Connection {
    pub(super) fn new(stdin: Option<OwnedFd>) -> Self {
        Self { stdin: Mutex::new(stdin), calls: Mutex::default() }
    }

    /// The number of a new call, and where its answer comes. `None` if none will come.
    pub(super) fn begin(&self) -> Option<(u64, Receiver<Answer>)> {
        let mut calls = lock(&self.calls);
        if calls.closed {
            return None;
        }
        let (sender, receiver) = crossbeam_channel::bounded(1);
        calls.last += 1;
        let id = calls.last;
        calls.waiting.insert(id, sender);
        Some((id, receiver))
    }

    /// Passes an answer on. Whether a call of this number waits for one.
    pub(super) fn answer(&self, id: u64, answer: Answer) -> bool {
        let Some(call) = lock(&self.calls).waiting.remove(&id) else { return false };
        // The caller may have run out of time just now.
        let _ = call.try_send(answer);
        true
    }

    /// Lets all calls fail, and no more begin.
    pub(super) fn close(&self, error: &PluginError) {
        let waiting = {
            let mut calls = lock(&self.calls);
            calls.closed = true;
            std::mem::take(&mut calls.waiting)
        };
        for call in waiting.into_values() {
            let _ = call.try_send(Answer::Lost(error.clone()));
        }
    }

    /// Whether nothing is answered any more.
    pub(super) fn is_closed(&self) -> bool {
        lock(&self.calls).closed
    }

    /// Writes a line. One that nobody will read is no error here: whoever sees the process end, tells the call of it.
    pub(super) fn write(&self, line: &[u8], until: Option<Instant>) -> Result<(), Late> {
        let stdin = lock(&self.stdin);
        let Some(pipe) = &*stdin else { return Ok(()) };
        let mut left = line;
        while !left.is_empty() {
            match write(pipe, left) {
                Ok(written) => left = left.get(written..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) if until.is_some_and(|until| Instant::now() >= until) => return Err(Late),
                Err(Errno::AGAIN) => {
                    ready([Some(Wanted::writing(pipe.as_fd()))], until);
                }
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    /// Ends the process's input, which tells it to go. Not while a call is being written.
    pub(super) fn end_input(&self) {
        match self.stdin.try_lock() {
            Ok(mut stdin) => *stdin = None,
            Err(TryLockError::Poisoned(stdin)) => *stdin.into_inner() = None,
            Err(TryLockError::WouldBlock) => {}
        }
    }
}
