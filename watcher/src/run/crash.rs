//! What is done when the program crashes: started again on the code that worked, as it was asked for.

use super::libraries::Copied;
use super::restart::Snapshot;
use super::{Loop, Message, Purpose};
use crate::cli::RestartChoice;
use crate::describe::{YELLOW, label};
use crate::exit_code::Fatal;
use crate::process::Question;
use pitstop_contract::Generation;
use pitstop_contract::manifest::plugin_of;
use std::time::{Duration, Instant};

/// A program that crashes so soon after a restart would go on doing so.
const QUICK: Duration = Duration::from_secs(3);
/// How many of these in a row end the session.
const QUICK_LIMIT: u32 = 2;

/// A program that crashed, and may be started again.
pub(super) struct Gone {
    /// What the session ends with, if not.
    code: u8,
    why: String,
    pub(super) at: Instant,
    /// To whom sits at the terminal; withdrawn when dropped.
    _question: Option<Question>,
}

/// How a program crashed.
pub(super) struct Crash {
    pub(super) code: u8,
    /// `SIGSEGV`, or what it was otherwise.
    pub(super) what: String,
    /// The generation whose code it was; 0 for the program's own.
    pub(super) generation: Generation,
    pub(super) at: Instant,
    /// When that program was started, if in place of another.
    pub(super) restarted: Option<Instant>,
}

impl Loop<'_> {
    /// Goes back to what worked, and starts it or asks. Returns the code to end with, if neither.
    pub(super) fn crashed(&mut self, crash: Crash) -> Result<Option<u8>, Fatal> {
        let is_quick = crash.restarted.is_some_and(|started| crash.at.duration_since(started) < QUICK);
        self.quick_crashes = if is_quick { self.quick_crashes + 1 } else { 0 };
        let has_images = self.shop.highest() != Generation::LINKED;
        if is_quick && !has_images {
            // All that is left which may be what it crashes on.
            self.restarts.snapshot = None;
        }
        let why = format!("it crashed ({})", crash.what);
        let gone = |question| Gone { code: crash.code, why, at: crash.at, _question: question };
        match self.options.restart {
            RestartChoice::Auto if self.quick_crashes < QUICK_LIMIT => {
                self.roll_back(crash.generation);
                self.gone = Some(gone(None));
                self.start_again()?;
                return Ok(None);
            }
            RestartChoice::Auto | RestartChoice::Ask if self.is_building(Purpose::Restart) => {
                // What is being built may not crash, and is started as soon as it is there.
                self.roll_back(crash.generation);
                self.gone = Some(gone(None));
                return Ok(None);
            }
            RestartChoice::Auto => {
                self.notice(format!(
                    "the program crashed {QUICK_LIMIT} times within {} s of being started again, and is not started once more",
                    QUICK.as_secs()
                ));
            }
            RestartChoice::Ask if !self.output.is_json() => {
                self.roll_back(crash.generation);
                let sender = self.sender.clone();
                let answer = move |yes| {
                    let _ = sender.send(Message::Answered(yes));
                };
                if let Some(question) = Question::ask(answer) {
                    self.output.line(self.question());
                    self.gone = Some(gone(Some(question)));
                    return Ok(None);
                }
            }
            RestartChoice::Ask | RestartChoice::Never => {}
        }
        self.stop_building();
        Ok(Some(crash.code))
    }

    /// The program ended, and the new one is started once it is built.
    pub(super) fn waits_for_build(&mut self, code: u8, at: Instant) {
        self.gone = Some(Gone { code, why: "it ended".to_owned(), at, _question: None });
    }

    /// Publishes what was live before a generation.
    fn roll_back(&mut self, bad: Generation) {
        match self.shop.roll_back(&self.session, bad) {
            Ok(dropped) => {
                for name in dropped {
                    let program = &self.commands.program;
                    let is_reloadable = |id: &usize| program.units[*id].crate_name == name;
                    self.held.extend(program.reloadable.iter().copied().filter(is_reloadable));
                    // The program asks for its libraries anew.
                    self.wanted_crates.remove(&name);
                    // But a plugin waits for an edit, where an earlier one is published in its place.
                    let is_replaced = plugin_of(&name).is_some() && self.shop.newest(&name).is_some();
                    self.copies.get_mut(&name).filter(|_| !is_replaced).into_iter().for_each(Copied::forget);
                }
            }
            Err(error) => self.notice(format!("cannot go back to earlier images: {error}")),
        }
    }

    fn question(&self) -> String {
        let code = match self.shop.highest() {
            Generation::LINKED => "as it was built".to_owned(),
            generation => format!("on #{generation}"),
        };
        let state = match self.restarts.snapshot.as_ref().and_then(Snapshot::age) {
            Some(age) => format!("with the state of {age:.0} s ago"),
            None => "without state".to_owned(),
        };
        format!("{}{code}, {state}? An edit does it too [Y/n]", label(YELLOW, "Restart"))
    }

    /// Starts the program that crashed, with what is published.
    pub(super) fn start_again(&mut self) -> Result<(), Fatal> {
        let Some(gone) = self.gone.take() else { return Ok(()) };
        self.start_in_place(gone.why, false, gone.at)
    }

    /// The person at the terminal has decided.
    pub(super) fn answered(&mut self, yes: bool) -> Result<Option<u8>, Fatal> {
        match &self.gone {
            // An edit came first.
            None => Ok(None),
            Some(_) if yes => {
                self.start_again()?;
                Ok(None)
            }
            Some(gone) => {
                let code = gone.code;
                self.stop_building();
                Ok(Some(code))
            }
        }
    }
}
