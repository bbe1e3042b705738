//! Starts the program anew: the new one is built while the old one runs, which then saves its state and makes room.

use super::libraries::Copied;
use super::stale::Stale;
use super::{Commands, Loop, Phase, Purpose};
use crate::build::in_images;
use crate::cli::RestartChoice;
use crate::exit_code::Fatal;
use crate::process::{kill, terminate};
use crate::session;
use crate::stage::ms;
use crate::watch::Edit;
use pitstop_contract::event::Event;
use pitstop_contract::request::Request;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the program may take to reach a safe point and save its values there.
const SAVE: Duration = Duration::from_secs(5);
/// How long it may take to end, once it has saved or was told to.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// All that is known of restarts: wanted, under way and done.
#[derive(Default)]
pub(super) struct Restarts {
    pub(super) stale: Stale,
    /// The reasons that were offered last.
    pub(super) offered: Vec<String>,
    /// Why somebody asked for one that is not done yet.
    pub(super) requested: Option<String>,
    /// Whether the program could not be built anew since the last edit.
    pub(super) failed: bool,
    pub(super) handover: Option<Handover>,
    /// Edits that came during a handover: they are the new program's.
    pub(super) postponed: Vec<Edit>,
    /// How often a program was asked to save.
    saves: u64,
    /// What a program saved last.
    pub(super) snapshot: Option<Snapshot>,
    /// Earlier programs, whose saved values are kept until the next save.
    pub(super) former: Vec<u32>,
    /// The executable before the one that runs.
    previous: Option<PathBuf>,
}

/// What a program has saved.
#[derive(Clone)]
pub(super) struct Snapshot {
    file: PathBuf,
    at: Instant,
    /// A program without carried values saves none.
    has_values: bool,
}

impl Snapshot {
    /// How long ago, in seconds; `None` where nothing is left of it.
    pub(super) fn age(&self) -> Option<f64> {
        (self.has_values && self.file.is_file()).then(|| self.at.elapsed().as_secs_f64())
    }
}

/// A new program is built, and the old one has to make room for it.
pub(super) struct Handover {
    why: String,
    executable: PathBuf,
    commands: Commands,
    /// Of the request to save.
    id: u64,
    step: Step,
    saved: bool,
}

/// What the old program is to do next, and until when.
#[derive(Clone, Copy)]
enum Step {
    Save(Instant),
    /// By itself, as it has saved.
    Leave(Instant),
    /// As it was told to by a signal.
    End(Instant),
    /// It was killed.
    Vanish,
}

impl Loop<'_> {
    /// Somebody asks for a restart, whatever `--restart` says.
    pub(super) fn asked_to_restart(&mut self, why: &str) {
        if !self.options.starts_program {
            self.notice(
                "the program was not started by this command: end it and start it by hand, or use `cargo pitstop run`",
            );
            return;
        }
        if self.restarts.handover.is_some() || self.phase == Phase::FirstBuild {
            return;
        }
        self.restarts.requested.get_or_insert_with(|| why.to_owned());
        if !self.is_building(Purpose::Restart) {
            self.build_restart();
        }
    }

    /// The program itself asks.
    pub(super) fn program_wants_restart(&mut self, why: &str) {
        if self.options.restart == RestartChoice::Never {
            self.notice(format!("the program asks to be started anew ({why}), which `--restart never` rules out"));
        } else {
            self.asked_to_restart(why);
        }
    }

    /// Builds the program once more. Not before somebody asks for it, unless `--restart auto`: to compile and link all of it
    /// keeps the machine busy for seconds, and mostly the next edit comes first, whose image would have to wait.
    pub(super) fn build_restart(&mut self) {
        match self.plan() {
            Ok(commands) => {
                let jobs = commands.program.everything();
                self.build(jobs, Purpose::Restart);
            }
            Err(fatal) => {
                self.restarts.failed = true;
                self.notice(format!("the program cannot be built anew: {}", fatal.message));
            }
        }
    }

    /// The new program is there: asks the old one to save its values and end.
    pub(super) fn built_anew(&mut self, build: u64) -> Result<(), Fatal> {
        let commands = self.planned.take().unwrap_or_else(|| self.commands.clone());
        if let Some(obstacle) = in_images(&commands.program, &commands.linkage, &self.place) {
            self.planned = Some(commands);
            self.restarts.failed = true;
            self.notice(format!("the program is not started anew: {obstacle}"));
            return Ok(());
        }
        let executable = match self.name_executable(&commands.program, build) {
            Ok(executable) => executable,
            Err(fatal) => {
                self.planned = Some(commands);
                self.restarts.failed = true;
                self.notice(format!("the program is not started anew: {}", fatal.message));
                return Ok(());
            }
        };
        let why = self.restarts.requested.clone().filter(|_| self.restarts.stale.is_empty());
        let why = why.unwrap_or_else(|| self.restart_reasons().join("; "));
        self.restarts.saves += 1;
        let (id, now) = (self.restarts.saves, Instant::now());
        let step = Step::Save(now + SAVE);
        self.restarts.handover = Some(Handover { why, executable, commands, id, step, saved: false });
        let Some(host) = &self.host else {
            let ended = self.gone.as_ref().map_or(now, |gone| gone.at);
            return self.take_over(ended);
        };
        if !host.is_attached {
            self.end_host("the program does not take part in the session, and so cannot be asked for its state");
        } else if let Err(error) =
            session::ask(&self.session.directory, &Request::Save { id, end: true, pid: Some(host.pid) })
        {
            self.end_host(&format!("the program cannot be asked for its state: {error}"));
        }
        Ok(())
    }

    /// The program has saved its values.
    pub(super) fn saved(&mut self, id: u64, file: &str, has_values: bool) {
        let file = self.session.directory.join(file);
        self.restarts.snapshot = Some(Snapshot { file, at: Instant::now(), has_values });
        // What those before it have saved is of no more use.
        for pid in std::mem::take(&mut self.restarts.former) {
            session::remove_saved(&self.session.directory, pid);
        }
        if let Some(handover) = self.restarts.handover.as_mut().filter(|handover| handover.id == id) {
            handover.saved = true;
            handover.step = Step::Leave(Instant::now() + GRACE);
        }
    }

    /// Until when the old program has to have done what it is asked for.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.restarts.handover.as_ref()?.step {
            Step::Save(until) | Step::Leave(until) | Step::End(until) => Some(until),
            Step::Vanish => None,
        }
    }

    /// It has not.
    pub(super) fn overdue(&mut self) {
        match self.restarts.handover.as_ref().map(|handover| handover.step) {
            Some(Step::Save(_)) => self.end_host(&format!(
                "the program has not saved its state within {} s: does it call `safe_point()`?",
                SAVE.as_secs()
            )),
            Some(Step::Leave(_)) => self.end_host("the program has saved its state, but goes on"),
            Some(Step::End(_)) => {
                if let (Some(handover), Some(host)) = (&mut self.restarts.handover, &self.host) {
                    handover.step = Step::Vanish;
                    kill(host.pid);
                }
            }
            Some(Step::Vanish) | None => {}
        }
    }

    /// Ends the old program from outside.
    fn end_host(&mut self, why: &str) {
        self.notice(format!("{why}; it is ended"));
        if let (Some(handover), Some(host)) = (&mut self.restarts.handover, &self.host) {
            handover.step = Step::End(Instant::now() + GRACE);
            terminate(host.pid);
        }
    }

    /// Starts the new program in place of the old one, which ended at `gone`.
    pub(super) fn take_over(&mut self, gone: Instant) -> Result<(), Fatal> {
        let Some(handover) = self.restarts.handover.take() else { return Ok(()) };
        // It would be given images that are older than itself.
        self.shop
            .reset(&self.session, self.generation)
            .map_err(|error| Fatal::session(format!("cannot write the manifest: {error}; has its disk room?")))?;
        self.commands = handover.commands;
        let older = std::mem::replace(&mut self.executable, handover.executable);
        // The last one may still be looked at, by whoever has its process or its crash in a debugger.
        if let Some(oldest) = self.restarts.previous.replace(older).as_deref().and_then(Path::parent) {
            let _ = std::fs::remove_dir_all(oldest);
        }
        self.running = Arc::clone(&self.commands.program);
        self.sources.program_is_built();
        self.forget_what_was_due();
        self.gone = None;
        self.start_in_place(handover.why, handover.saved, gone)?;
        self.watch_workspace()?;
        let images = self.commands.program.images();
        if !images.is_empty() {
            self.build(images, Purpose::Warm);
        }
        let edits = std::mem::take(&mut self.restarts.postponed);
        if !edits.is_empty() {
            self.edited(&edits);
        }
        Ok(())
    }

    /// The new program has it all in it.
    fn forget_what_was_due(&mut self) {
        self.next = None;
        self.dirty.clear();
        self.held.clear();
        self.edit = None;
        self.last_failed = false;
        self.quick_crashes = 0;
        self.restarts.failed = false;
        self.restarts.requested = None;
        self.restarts.stale = Stale::default();
        self.restarts.offered.clear();
        self.told_copies.clear();
        // It asks for its libraries itself.
        self.wanted_crates.clear();
        self.copies.values_mut().for_each(Copied::forget);
    }

    /// Starts a program in place of the one that ended at `gone`, with what was saved last. That may have been a while ago,
    /// unless it was `just_saved`.
    pub(super) fn start_in_place(&mut self, why: String, just_saved: bool, gone: Instant) -> Result<(), Fatal> {
        let snapshot = self.restarts.snapshot.clone().filter(|snapshot| snapshot.file.is_file());
        let age = snapshot.as_ref().and_then(Snapshot::age);
        self.start(snapshot.map(|snapshot| snapshot.file), true)?;
        self.tell(&Event::Restarted { why, down_ms: ms(gone.elapsed()), with_state: age.is_some() });
        if let Some(age) = age.filter(|_| !just_saved) {
            self.notice(format!("its state was saved {age:.1} s before"));
        }
        Ok(())
    }
}
