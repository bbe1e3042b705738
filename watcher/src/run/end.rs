//! The end of the program, and of the session.

use super::{Loop, Message};
use crate::exit_code::ExitCode;
use crate::process::{exit_of, fault, terminate};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use pitstop_contract::event::Event;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// How long the program may take to end after Ctrl-C.
const GRACE: Duration = Duration::from_secs(2);

impl Loop<'_> {
    pub(super) fn ended(&mut self, status: ExitStatus) -> u8 {
        self.stop_building();
        self.listen();
        let (code, signal) = exit_of(status);
        if let (Some(pid), Some(signal)) = (self.host, signal.filter(|&signal| fault(signal))) {
            let crashed = crate::crash::report(&self.session.directory, pid, signal);
            self.tell(&crashed);
        }
        self.tell(&Event::Exited { code, signal });
        match (code, signal) {
            (Some(code), _) => u8::try_from(code).unwrap_or(1),
            (None, Some(signal)) => u8::try_from(128 + signal).unwrap_or(1),
            (None, None) => 1,
        }
    }

    pub(super) fn interrupted(&mut self, messages: &Receiver<Message>) -> u8 {
        self.stop_building();
        if let Some(pid) = self.host {
            terminate(pid);
            let deadline = Instant::now() + GRACE;
            loop {
                match messages.recv_deadline(deadline) {
                    Ok(Message::HostEnded(status)) => {
                        self.ended(status);
                        break;
                    }
                    Ok(_) => {}
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                        crate::process::kill(pid);
                        break;
                    }
                }
            }
        }
        ExitCode::Interrupted as u8
    }
}
