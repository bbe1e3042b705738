//! The end of the program, and of the session.

use super::crash::Crash;
use super::restart::GRACE;
use super::{Loop, Message, Purpose};
use crate::exit_code::{ExitCode, Fatal};
use crate::process::{exit_of, fault, kill, terminate};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use pitstop_contract::event::Event;
use std::process::ExitStatus;
use std::time::Instant;

/// What a Rust program ends with when `main` panics.
const PANICKED: i32 = 101;
/// The signal of Ctrl-C, which reaches the program and this command alike.
const INTERRUPT: i32 = 2;

impl Loop<'_> {
    /// The program ended. Returns the code to end with, unless the session goes on.
    pub(super) fn ended(&mut self, status: ExitStatus, at: Instant) -> Result<Option<u8>, Fatal> {
        self.listen();
        let Some(host) = self.host.take() else { return Ok(None) };
        self.restarts.former.push(host.pid);
        // A full-screen program that could not give the terminal back would hide all that is said now.
        self.terminal.restore();
        let (code, signal) = exit_of(status);
        let mut crash = None;
        if let Some(signal) = signal.filter(|&signal| fault(signal)) {
            let event = crate::crash::report(&self.session.directory, host.pid, signal);
            self.tell(&event);
            if let Event::Crashed { name, generation, .. } = event {
                crash = Some((name, generation));
            }
        } else if code == Some(PANICKED)
            && let Some(generation) = host.broken
        {
            crash = Some((format!("a panic in #{generation}"), Some(generation)));
        }
        self.tell(&Event::Exited { code, signal });
        let code = code_of(code, signal);
        if self.restarts.handover.is_some() && signal != Some(INTERRUPT) {
            // Whatever it ended by, the next one is there.
            self.take_over(at)?;
            return Ok(None);
        }
        let Some((what, generation)) = crash else {
            if self.restarts.requested.is_some() && self.is_building(Purpose::Restart) {
                // Somebody wants to see the new one.
                self.waits_for_build(code, at);
                return Ok(None);
            }
            self.stop_building();
            return Ok(Some(code));
        };
        // New code that crashes at once leaves the program no time to tell that it is live.
        let generation = generation.unwrap_or_else(|| self.shop.newest_live().max(host.taken));
        let restarted = host.is_restart.then_some(host.started);
        self.crashed(Crash { code, what, generation, at, restarted })
    }

    pub(super) fn interrupted(&mut self, messages: &Receiver<Message>) -> u8 {
        self.stop_building();
        if let Some(pid) = self.host.as_ref().map(|host| host.pid) {
            terminate(pid);
            let deadline = Instant::now() + GRACE;
            loop {
                match messages.recv_deadline(deadline) {
                    Ok(Message::HostEnded(status, _)) => {
                        self.listen();
                        let (code, signal) = exit_of(status);
                        self.tell(&Event::Exited { code, signal });
                        break;
                    }
                    Ok(_) => {}
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                        kill(pid);
                        break;
                    }
                }
            }
            self.terminal.restore();
        }
        ExitCode::Interrupted as u8
    }
}

fn code_of(code: Option<i32>, signal: Option<i32>) -> u8 {
    match (code, signal) {
        (Some(code), _) => u8::try_from(code).unwrap_or(1),
        (None, Some(signal)) => u8::try_from(128 + signal).unwrap_or(1),
        (None, None) => 1,
    }
}
