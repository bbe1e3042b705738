//! The thread that owns a kept program's process: hands over its answers, sees it end, and starts it again.

use super::connection::Connection;
use super::rpc;
use super::shared::{Order, Shared};
use crate::plugin::backend::process::{
    Backoff, Child, Command, GRACE, KILLED_WITHIN, Lines, MOST_ENDS, Tail, WITHIN, Wanted, failure, quoted, ready,
    receive, split, take_present,
};
use pitstop_reloadable::PluginError;
use rustix::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A program that has closed its output has this long for ending by itself, so that its exit code is told.
const LEAVES_WITHIN: Duration = Duration::from_secs(1);
/// A line of standard error that is longer is logged in pieces.
const LOGGED_LINE: usize = 8 << 10;

/// Whether the program is wanted any longer.
enum Wish {
    /// It has ended, for this reason.
    Again(PluginError),
    Gone,
}

/// Keeps a process running until it is ordered to end.
pub(super) fn supervise(
    shared: &Shared,
    command: &Command,
    child: Child,
    connection: Arc<Connection>,
    woken: &OwnedFd,
) {
    let (mut backoff, mut started) = (Backoff::new(MOST_ENDS), Instant::now());
    let mut wish = Process::new(shared, &connection, child).attend(woken);
    while let Wish::Again(last) = wish {
        let Some(pause) = backoff.ended(started, Instant::now()) else {
            log::warn!(target: "pitstop::plugin", "{} ended {MOST_ENDS} times within {WITHIN:?}; last: {last}", shared.name);
            return shared.down(PluginError::CrashLoop { ends: MOST_ENDS, within: WITHIN, last: last.to_string() });
        };
        log::warn!(target: "pitstop::plugin", "{} is started again in {pause:?}: {last}", shared.name);
        if is_over(shared, woken, pause) {
            break;
        }
        started = Instant::now();
        wish = match Child::start(command) {
            Ok(mut child) => {
                let connection = Arc::new(Connection::new(child.stdin.take()));
                shared.up(connection.clone());
                Process::new(shared, &connection, child).attend(woken)
            }
            Err(error) => Wish::Again(error),
        };
    }
    shared
        .down(PluginError::Unavailable { name: shared.name.clone(), why: "this version of it was retired".to_owned() });
}

/// Lets the time pass. Whether the program is not wanted any longer.
fn is_over(shared: &Shared, woken: &OwnedFd, pause: Duration) -> bool {
    let until = Instant::now() + pause;
    while Instant::now() < until {
        let [ordered] = ready([Some(Wanted::reading(woken.as_fd()))], Some(until));
        if ordered && shared.ordered(woken).is_some() {
            return true;
        }
    }
    false
}

/// How far the end of a process is, and until when the next step waits.
#[derive(Clone, Copy)]
enum Ending {
    NotYet,
    Leaving(Instant),
    Asked(Instant),
    Killed(Instant),
}

impl Ending {
    fn until(self) -> Option<Instant> {
        match self {
            Self::NotYet => None,
            Self::Leaving(until) | Self::Asked(until) | Self::Killed(until) => Some(until),
        }
    }
}

struct Process<'a> {
    shared: &'a Shared,
    connection: &'a Arc<Connection>,
    child: Child,
    output: Lines,
    errors: Lines,
    said: Tail,
    ending: Ending,
    /// Why it is ended, if it does not end by itself.
    reason: Option<PluginError>,
    is_wanted: bool,
}

impl<'a> Process<'a> {
    fn new(shared: &'a Shared, connection: &'a Arc<Connection>, child: Child) -> Self {
        let (output, errors, said) = (Lines::default(), Lines::default(), Tail::default());
        let ending = Ending::NotYet;
        Self { shared, connection, child, output, errors, said, ending, reason: None, is_wanted: true }
    }

    /// Hands over answers until the process is gone.
    fn attend(mut self, woken: &OwnedFd) -> Wish {
        loop {
            let (stdout, stderr) = (&self.child.stdout, &self.child.stderr);
            let wanted = [stdout, stderr].map(|pipe| pipe.as_ref().map(|pipe| Wanted::reading(pipe.as_fd())));
            let wanted = [wanted[0], wanted[1], Some(Wanted::reading(woken.as_fd())), None];
            let ([stdout, stderr, ordered, _], ended) = self.child.wait(wanted, self.ending.until());
            if stdout {
                receive(&mut self.child.stdout, &mut self.output.bytes);
                self.hand_over();
            }
            if stderr {
                receive(&mut self.child.stderr, &mut self.errors.bytes);
                self.log();
            }
            if ordered {
                self.obey(self.shared.ordered(woken));
            }
            if ended || !self.advance() {
                return self.finish(ended);
            }
        }
    }

    fn hand_over(&mut self) {
        let lines = self.output.take();
        let mut result = Ok(());
        if self.reason.is_none() {
            result = split(&lines).try_for_each(|line| self.hand_over_line(line));
        }
        // As JSON, an output is at most twice as long, if the plugin takes base64 for what has many escapes.
        let limit = self.shared.limits.output;
        if result.is_ok() && self.output.bytes.len() as u64 > limit.saturating_mul(2).saturating_add(4096) {
            result = Err(PluginError::TooMuchOutput { limit });
        }
        if let Err(error) = result {
            self.output = Lines::default();
            self.give_up(error);
        } else if self.child.stdout.is_none() && matches!(self.ending, Ending::NotYet) {
            // Mostly because it ends. If not, it cannot answer any more.
            self.leave(LEAVES_WITHIN);
        }
    }

    fn hand_over_line(&self, line: &[u8]) -> Result<(), PluginError> {
        let (id, answer) = rpc::response(line)?;
        if self.connection.answer(id, answer) {
            return Ok(());
        }
        Err(PluginError::Protocol {
            expected: "one answer to each call, with the call's `id`".to_owned(),
            found: format!("`{}`, and no call {id} waits for one", quoted(line)),
        })
    }

    fn log(&mut self) {
        let mut lines = self.errors.take();
        if self.errors.bytes.len() > LOGGED_LINE || self.child.stderr.is_none() {
            lines.append(&mut std::mem::take(&mut self.errors).bytes);
        }
        self.said.push(&lines);
        for line in split(&lines) {
            log::info!(target: "pitstop::plugin", "{}: {}", self.shared.name, quoted(line));
        }
    }

    fn obey(&mut self, order: Option<Order>) {
        match order {
            Some(Order::Kill) => {
                self.is_wanted = false;
                self.kill();
            }
            Some(Order::Retire(grace)) => {
                self.is_wanted = false;
                if matches!(self.ending, Ending::NotYet | Ending::Leaving(_)) {
                    self.leave(grace);
                }
            }
            None if self.reason.is_none() && self.connection.is_closed() => {
                self.give_up(PluginError::TimedOut { limit: self.shared.limits.time });
            }
            None => {}
        }
    }

    /// What it does is wrong: its calls fail for this reason, and it is ended.
    fn give_up(&mut self, error: PluginError) {
        self.shared.abandon(self.connection, &error);
        self.reason.get_or_insert(error);
        if matches!(self.ending, Ending::NotYet | Ending::Leaving(_)) {
            self.terminate();
        }
    }

    fn leave(&mut self, within: Duration) {
        self.connection.end_input();
        // A time that cannot be told is as good as a long one.
        let now = Instant::now();
        self.ending = Ending::Leaving(now.checked_add(within).unwrap_or(now + Duration::from_secs(3600)));
    }

    fn terminate(&mut self) {
        self.child.terminate();
        self.ending = Ending::Asked(Instant::now() + GRACE);
    }

    fn kill(&mut self) {
        self.child.kill();
        self.ending = Ending::Killed(Instant::now() + KILLED_WITHIN);
    }

    /// Goes on with its end, if it is time. Not once everything was tried.
    fn advance(&mut self) -> bool {
        if self.ending.until().is_none_or(|until| Instant::now() < until) {
            return true;
        }
        match self.ending {
            Ending::NotYet => {}
            Ending::Leaving(_) if self.is_wanted => self.give_up(PluginError::Protocol {
                expected: "a process that answers on its standard output".to_owned(),
                found: "one that has closed it, and goes on".to_owned(),
            }),
            Ending::Leaving(_) => self.terminate(),
            Ending::Asked(_) => self.kill(),
            Ending::Killed(_) => return false,
        }
        true
    }

    /// Hands over what it has written last, and lets what waits for more fail.
    fn finish(mut self, ended: bool) -> Wish {
        if ended {
            take_present(&mut self.child.stdout, &mut self.output.bytes);
            self.hand_over();
            take_present(&mut self.child.stderr, &mut self.errors.bytes);
            self.child.stderr = None;
            self.log();
            let error = failure(self.child.finish(), self.said.last_line());
            let half = self.output.bytes.trim_ascii();
            let error = if half.is_empty() { error } else { half_a_line(half, &error) };
            self.reason.get_or_insert(error);
        }
        let error = self.reason.take().unwrap_or_else(|| PluginError::failed("it cannot be ended"));
        self.shared.abandon(self.connection, &error);
        if self.is_wanted { Wish::Again(error) } else { Wish::Gone }
    }
}

fn half_a_line(half: &[u8], end: &PluginError) -> PluginError {
    PluginError::Protocol {
        expected: "whole lines".to_owned(),
        found: format!("half of one, `{}`, and then: {end}", quoted(half)),
    }
}
