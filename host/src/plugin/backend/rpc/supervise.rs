//! The thread that owns a plugin's process: reads what it writes, sees it end, and starts it again.

use super::greeting::end_of;
use super::shared::{Order, Shared};
use super::start::{Launch, NotRunning, Running};
use crate::plugin::backend::process::{
    Backoff, Child, KILLED_WITHIN, WITHIN, Wanted, failure, ready, receive, take_present,
};
use pitstop_reloadable::PluginError;
use rustix::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Whether the plugin is wanted any longer.
enum Wish {
    /// Its process has ended, for this reason.
    Again(PluginError),
    Gone,
}

/// Keeps a process running until it is ordered to end.
pub(super) fn supervise(shared: &Arc<Shared>, launch: &Launch, running: Running, woken: &OwnedFd) {
    let (most, name) = (shared.spec.rpc.crashes, &shared.spec.name);
    let (mut backoff, mut started) = (Backoff::new(most), Instant::now());
    let mut wish = Process::new(shared, running).attend(woken);
    while let Wish::Again(last) = wish {
        let Some(pause) = backoff.ended(started, Instant::now()) else {
            log::warn!(target: "pitstop::plugin", "{name} ended {most} times within {WITHIN:?}; last: {last}");
            return shared.down(PluginError::CrashLoop { ends: most, within: WITHIN, last: last.to_string() });
        };
        log::warn!(target: "pitstop::plugin", "{name} is started again in {pause:?}: {last}");
        if is_over(shared, woken, pause) {
            break;
        }
        started = Instant::now();
        wish = match start_unless_ordered(shared, launch, woken) {
            Ok(running) => {
                log::info!(target: "pitstop::plugin", "{name} runs again");
                shared.up(running.connection.clone());
                Process::new(shared, running).attend(woken)
            }
            Err(NotRunning::Failed(error)) => Wish::Again(error),
            Err(NotRunning::Ordered) => break,
        };
    }
    shared.down(shared.retired());
}

/// Starts it, unless it is not wanted any longer. What else wakes this thread concerns processes that are gone.
fn start_unless_ordered(shared: &Shared, launch: &Launch, woken: &OwnedFd) -> Result<Running, NotRunning> {
    launch.start(Some(woken.as_fd()), || shared.ordered(woken).is_some())
}

/// Lets the time pass. Whether the plugin is not wanted any longer.
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
    Killed(Instant),
}

impl Ending {
    fn until(self) -> Option<Instant> {
        match self {
            Self::NotYet => None,
            Self::Leaving(until) | Self::Killed(until) => Some(until),
        }
    }
}

struct Process<'a> {
    shared: &'a Shared,
    running: Running,
    ending: Ending,
    is_wanted: bool,
    /// Why it is ended, if it does not end by itself.
    reason: Option<PluginError>,
}

impl<'a> Process<'a> {
    fn new(shared: &'a Shared, running: Running) -> Self {
        Self { shared, running, ending: Ending::NotYet, is_wanted: true, reason: None }
    }

    /// Reads what it writes until it is gone.
    fn attend(mut self, woken: &OwnedFd) -> Wish {
        // A wish that came while it was started finds nobody otherwise.
        self.obey(self.shared.ordered_now());
        loop {
            let child = &self.running.child;
            let pipes = [child.stdout.as_ref(), child.stderr.as_ref()];
            let [stdout, stderr] = pipes.map(|pipe| pipe.map(|pipe| Wanted::reading(pipe.as_fd())));
            let wanted = [stdout, stderr, Some(Wanted::reading(woken.as_fd())), None];
            let ([stdout, stderr, ordered, _], ended) = child.wait(wanted, self.ending.until());
            if stdout {
                self.read(|child| &mut child.stdout);
            }
            if stderr {
                self.read_errors();
            }
            if ordered {
                self.obey(self.shared.ordered(woken));
            }
            if ended || !self.advance() {
                return self.finish(ended);
            }
        }
    }

    fn read(&mut self, pipe: impl Fn(&mut Child) -> &mut Option<OwnedFd>) {
        let mut written = Vec::new();
        receive(pipe(&mut self.running.child), &mut written);
        self.running.output.chatter(&written);
    }

    fn read_errors(&mut self) {
        let mut said = Vec::new();
        receive(&mut self.running.child.stderr, &mut said);
        self.running.output.errors(&said);
    }

    fn obey(&mut self, order: Option<Order>) {
        match order {
            Some(Order::Kill) => {
                self.is_wanted = false;
                self.kill();
            }
            Some(Order::Leave(within)) => {
                self.is_wanted = false;
                if matches!(self.ending, Ending::NotYet) {
                    // A time that cannot be told is as good as a long one.
                    let now = Instant::now();
                    self.ending = Ending::Leaving(now.checked_add(within).unwrap_or(now + Duration::from_secs(3600)));
                }
            }
            None if self.reason.is_none() && self.running.connection.is_broken() => {
                self.reason = Some(PluginError::Protocol {
                    expected: "a connection that stays for as long as the process runs".to_owned(),
                    found: "that it was closed".to_owned(),
                });
                // Mostly because the process ends, and then how it ended is the reason.
                if matches!(self.ending, Ending::NotYet) {
                    self.ending = Ending::Leaving(Instant::now() + Duration::from_secs(1));
                }
            }
            None => {}
        }
    }

    fn kill(&mut self) {
        self.running.child.kill();
        self.ending = Ending::Killed(Instant::now() + KILLED_WITHIN);
    }

    /// Goes on with its end, if it is time. Not once everything was tried.
    fn advance(&mut self) -> bool {
        if self.ending.until().is_none_or(|until| Instant::now() < until) {
            return true;
        }
        match self.ending {
            Ending::NotYet => true,
            Ending::Leaving(_) => {
                self.kill();
                true
            }
            Ending::Killed(_) => false,
        }
    }

    /// Takes what it has written last, and lets what waits for more fail.
    fn finish(mut self, ended: bool) -> Wish {
        let mut error = self.reason.take();
        if ended {
            let mut written = Vec::new();
            take_present(&mut self.running.child.stdout, &mut written);
            self.running.output.chatter(&written);
            let (_, status) = end_of(&mut self.running.child, &mut self.running.output);
            // Killed by the host, the signal says nothing.
            if !matches!(self.ending, Ending::Killed(_)) || error.is_none() {
                error = Some(failure(status, self.running.output.said().reason()));
            }
        }
        let error = error.unwrap_or_else(|| PluginError::failed("it cannot be ended"));
        self.shared.lose(&self.running.connection, &error);
        if self.is_wanted { Wish::Again(error) } else { Wish::Gone }
    }
}
