//! A program that is kept running, and answers calls by lines of JSON-RPC 2.0. Calls of several threads are with it at the
//! same time; what it answers, in any order, finds its way by number.
//!
//! When the host ends, however it ends, the program's standard input does too, and that is the sign for it to go. Linux's
//! `PR_SET_PDEATHSIG` is no use here: it tells of the end of the thread that started the program, not of the host's.

mod connection;
mod rpc;
mod shared;
mod supervise;

use self::connection::Connection;
use self::rpc::{Answer, Question};
use self::shared::{Begun, Order, Shared};
use super::describe;
use crate::plugin::backend::process::{Child, Command};
use crate::plugin::backend::{Candidate, Description, Instance};
use crossbeam_channel::Receiver;
use pitstop_reloadable::PluginError;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const AWAKE_FOR: Duration = Duration::from_micros(100);

struct Serve {
    shared: Arc<Shared>,
    /// Owns the process.
    supervisor: Option<JoinHandle<()>>,
    description: Description,
}

pub(super) fn open(candidate: &Candidate) -> Result<Box<dyn Instance>, PluginError> {
    let command = Command::new(&candidate.file, &candidate.spec, Some("serve"), &candidate.spec.arguments, &[])?;
    let (mut serve, first) = Serve::start(candidate, command)?;
    serve.description = serve.describe(first)?;
    Ok(Box::new(serve))
}

impl Serve {
    /// With the first call, which begins before anything can happen: if the process ends or talks before it is asked, that is
    /// the answer, and no other process is waited for.
    fn start(candidate: &Candidate, command: Command) -> Result<(Self, Begun), PluginError> {
        let spec = &candidate.spec;
        let failed = |error: std::io::Error| PluginError::NotStarted {
            file: candidate.file.display().to_string(),
            why: format!("{error}; close files, or end threads, that are no longer used"),
        };
        let mut child = Child::start(&command)?;
        let connection = Arc::new(Connection::new(child.stdin.take()));
        let (id, answers) = connection.begin().ok_or_else(|| PluginError::failed("it has ended"))?;
        let first = Begun { connection: connection.clone(), id, answers, has_waited: false };
        let (woken, wake) = std::io::pipe().map_err(failed)?;
        let shared = Arc::new(Shared::new(spec.name.clone(), spec.limits.clone(), connection.clone(), wake.into()));
        let supervise = {
            let shared = shared.clone();
            move || supervise::supervise(&shared, &command, child, connection, &woken.into())
        };
        let thread = std::thread::Builder::new().name(format!("pitstop-{}", spec.name));
        let supervisor = Some(thread.spawn(supervise).map_err(failed)?);
        Ok((Self { shared, supervisor, description: Description::default() }, first))
    }

    /// Asks for a description. That it knows none is an answer too.
    fn describe(&self, first: Begun) -> Result<Description, PluginError> {
        match self.ask(Question::Describe, first, self.until())? {
            Answer::Result(value) => describe::told(value),
            Answer::Refused { code: rpc::UNKNOWN_METHOD, .. } => Ok(Description::default()),
            Answer::Refused { message, .. } => Err(PluginError::Failed { message }),
            Answer::Lost(error) => Err(error),
        }
    }

    /// When a call that begins now has to be over. A time that cannot be told is as good as no limit.
    fn until(&self) -> Option<Instant> {
        Instant::now().checked_add(self.shared.limits.time)
    }

    fn call(&self, question: Question<'_>) -> Result<Answer, PluginError> {
        let until = self.until();
        self.ask(question, self.shared.begin(until)?, until)
    }

    fn ask(&self, question: Question<'_>, begun: Begun, until: Option<Instant>) -> Result<Answer, PluginError> {
        let Begun { connection, id, answers, has_waited } = begun;
        let timed_out = PluginError::TimedOut { limit: self.shared.limits.time };
        if connection.write(&rpc::request(id, question), until).is_err() {
            // A part of the line may be written: nothing can come after it.
            self.shared.abandon_stuck(&connection);
            return Err(timed_out);
        }
        let answer = soon(&answers).or_else(|| match until {
            Some(until) => answers.recv_deadline(until).ok(),
            None => answers.recv().ok(),
        });
        if answer.is_none() && !has_waited {
            // A process that did not have the whole time may be starting still; its answer will find nobody.
            self.shared.abandon_stuck(&connection);
        }
        answer.ok_or(timed_out)
    }

    fn end(&mut self, order: Order) {
        if let Some(supervisor) = self.supervisor.take() {
            self.shared.order(order);
            let _ = supervisor.join();
        }
    }
}

/// Waits awake for an answer that comes soon: to be woken, maybe on a processor that has gone to sleep in the meantime, takes
/// longer than most plugins.
fn soon(answers: &Receiver<Answer>) -> Option<Answer> {
    let until = Instant::now() + AWAKE_FOR;
    loop {
        match answers.try_recv() {
            Ok(answer) => return Some(answer),
            Err(_) if Instant::now() >= until => return None,
            // The plugin's process may need this processor.
            Err(_) => std::thread::yield_now(),
        }
    }
}

impl Instance for Serve {
    fn description(&self) -> &Description {
        &self.description
    }

    fn process(&self, input: &[u8]) -> Result<Vec<u8>, PluginError> {
        match self.call(Question::Process(input))? {
            Answer::Result(value) => rpc::output(value, self.shared.limits.output),
            Answer::Refused { code: rpc::UNKNOWN_METHOD, .. } => {
                Err(PluginError::Unsupported { verb: "process".to_owned() })
            }
            Answer::Refused { message, .. } => Err(PluginError::Failed { message }),
            Answer::Lost(error) => Err(error),
        }
    }

    fn retire(mut self: Box<Self>, grace: Duration) {
        self.end(Order::Retire(grace));
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        self.end(Order::Kill);
    }
}
