//! A program that is executed once for each call: input, output and errors through pipes, at the same time.

use super::describe;
use crate::plugin::backend::process::{Child, Command, Status, Tail, Wanted, failure, receive, take_present, write};
use crate::plugin::backend::{Candidate, Description, Instance};
use pitstop_reloadable::PluginError;
use rustix::fd::AsFd;
use rustix::io::Errno;
use std::time::{Duration, Instant};

/// Of the question for a description: whoever starts a plugin waits for it.
const DESCRIBED_WITHIN: Duration = Duration::from_secs(5);
/// By this exit code a program says that it does not know a verb: `EX_USAGE`.
const UNKNOWN_VERB: i32 = 64;

struct Once {
    process: Command,
    bounds: Bounds,
    description: Description,
}

/// What a call may take up.
#[derive(Clone, Copy)]
struct Bounds {
    time: Duration,
    output: u64,
}

pub(super) fn open(candidate: &Candidate) -> Result<Box<dyn Instance>, PluginError> {
    let limits = &candidate.spec.limits;
    let bounds = Bounds { time: limits.time, output: limits.output };
    let description =
        description(&Command::new(&candidate.file, &candidate.spec, Some("describe"), &[], &[])?, bounds)?;
    let process = Command::new(&candidate.file, &candidate.spec, Some("process"), &candidate.spec.arguments, &[])?;
    Ok(Box::new(Once { process, bounds, description }))
}

/// Asks a program for what it says of itself, which it need not know. That shows that it starts.
fn description(command: &Command, bounds: Bounds) -> Result<Description, PluginError> {
    let Ended { status, output, errors } =
        run(command, b"", Bounds { time: bounds.time.min(DESCRIBED_WITHIN), ..bounds })?;
    let said = format!("{} (when asked to `describe`: what cannot, exits with {UNKNOWN_VERB})", errors.last_line());
    match status {
        Status::Exited(0) => describe::printed(&output),
        Status::Exited(UNKNOWN_VERB) => Ok(Description::default()),
        status => Err(failure(status, said.trim_start().to_owned())),
    }
}

impl Instance for Once {
    fn description(&self) -> &Description {
        &self.description
    }

    fn process(&self, input: &[u8]) -> Result<Vec<u8>, PluginError> {
        let Ended { status, output, errors } = run(&self.process, input, self.bounds)?;
        match status {
            Status::Exited(0) => Ok(output),
            Status::Exited(UNKNOWN_VERB) => Err(PluginError::Unsupported { verb: "process".to_owned() }),
            status => Err(failure(status, errors.last_line())),
        }
    }

    fn retire(self: Box<Self>, _grace: Duration) {
        // Nothing of it runs between calls.
    }
}

/// A run that has ended by itself.
struct Ended {
    status: Status,
    output: Vec<u8>,
    errors: Tail,
}

fn run(command: &Command, input: &[u8], bounds: Bounds) -> Result<Ended, PluginError> {
    // A time that cannot be told is as good as no limit.
    let until = Instant::now().checked_add(bounds.time);
    let mut run = Run { child: Child::start(command)?, input, output: Vec::new(), errors: Tail::default() };
    // There is room in the pipe, mostly for all of it: the program finds its input when it starts.
    run.write();
    loop {
        let ended = run.step(until);
        if ended {
            run.drain();
        }
        if run.output.len() as u64 > bounds.output {
            // Gone with `run`, unasked: it would go on to write.
            return Err(PluginError::TooMuchOutput { limit: bounds.output });
        }
        if ended {
            let status = run.child.finish();
            return Ok(Ended { status, output: run.output, errors: run.errors });
        }
        if until.is_some_and(|until| Instant::now() >= until) {
            run.child.stop();
            return Err(PluginError::TimedOut { limit: bounds.time });
        }
    }
}

struct Run<'a> {
    child: Child,
    /// What was not yet written.
    input: &'a [u8],
    output: Vec<u8>,
    errors: Tail,
}

impl Run<'_> {
    /// Waits, and passes on what can be passed on. Whether the program has ended.
    fn step(&mut self, until: Option<Instant>) -> bool {
        let child = &self.child;
        let wanted = [
            child.stdin.as_ref().map(|pipe| Wanted::writing(pipe.as_fd())),
            child.stdout.as_ref().map(|pipe| Wanted::reading(pipe.as_fd())),
            child.stderr.as_ref().map(|pipe| Wanted::reading(pipe.as_fd())),
            None,
        ];
        let ([stdin, stdout, stderr, _], ended) = child.wait(wanted, until);
        if stdin {
            self.write();
        }
        if stdout {
            receive(&mut self.child.stdout, &mut self.output);
        }
        if stderr {
            let mut said = Vec::new();
            receive(&mut self.child.stderr, &mut said);
            self.errors.push(&said);
        }
        ended
    }

    /// A program need not read what it is given.
    fn write(&mut self) {
        while let Some(pipe) = self.child.stdin.as_ref().filter(|_| !self.input.is_empty()) {
            match write(pipe, self.input) {
                Ok(written) => self.input = self.input.get(written..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => break,
            }
        }
        self.child.stdin = None;
    }

    /// Takes what was written by the time that the program ended, and no more: what it has started may hold the pipes
    /// open, and go on to write.
    fn drain(&mut self) {
        take_present(&mut self.child.stdout, &mut self.output);
        let mut said = Vec::new();
        take_present(&mut self.child.stderr, &mut said);
        self.errors.push(&said);
    }
}
