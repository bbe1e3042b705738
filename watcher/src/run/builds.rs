//! Starts compilers, and takes in what comes of them.

use super::{Commands, Loop, Message};
use crate::build::{Cancel, Outcome, Report, compile};
use crate::exit_code::Fatal;
use crate::program::{Form, Job, Program};
use crate::stage::{Artifact, Timing, ms, now_us};
use crate::watch::Edit;
use pitstop_contract::Generation;
use pitstop_contract::event::Event;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Instant, SystemTime};

/// A running compilation.
pub(super) struct Building {
    pub(super) id: u64,
    pub(super) cancel: Cancel,
    pub(super) jobs: Vec<Job>,
    pub(super) purpose: Purpose,
    /// When the compilers were started.
    pub(super) started: Instant,
    pub(super) started_at: SystemTime,
    pub(super) edit: Option<(u64, Instant)>,
}

/// When something was edited, and when it was built.
pub(super) struct Times {
    pub(super) edit: Option<(u64, Instant)>,
    pub(super) started: Instant,
    pub(super) finished: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The program itself.
    Start,
    /// Fills the images' incremental state, so that the first edit is as quick as the second.
    Warm,
    /// To be published.
    Publish,
    /// The program once more, to take the place of the one that runs.
    Restart,
}

impl Loop<'_> {
    pub(super) fn build(&mut self, jobs: Vec<Job>, purpose: Purpose) {
        self.cancel_building();
        self.builds += 1;
        let building = Building {
            id: self.builds,
            cancel: Cancel::default(),
            jobs: jobs.clone(),
            purpose,
            started: Instant::now(),
            started_at: SystemTime::now(),
            edit: self.edit,
        };
        let generation = if purpose == Purpose::Publish { self.generation.next() } else { Generation::LINKED };
        let planned = self.planned.as_ref().filter(|_| purpose == Purpose::Restart);
        let Commands { program, compiler, linkage, .. } = planned.unwrap_or(&self.commands).clone();
        let (place, cancel, sender, build) =
            (self.place.clone(), building.cancel.clone(), self.sender.clone(), building.id);
        std::thread::spawn(move || {
            let report = compile(&program, &jobs, generation, &compiler, &linkage, &place, &cancel);
            let _ = sender.send(Message::Built { build, report: Box::new(report) });
        });
        if let Some(generation) = self.number(purpose) {
            let crates = match purpose {
                Purpose::Restart => vec![self.commands.wanted.flags[1].clone()],
                _ => self.images_of(&building.jobs),
            };
            self.tell(&Event::BuildStarted { generation, crates });
        }
        self.building = Some(building);
    }

    /// Stops what is being built, and tells of it.
    pub(super) fn cancel_building(&mut self) {
        if let Some(running) = self.building.take() {
            running.cancel.cancel();
            if let Some(generation) = self.number(running.purpose) {
                self.tell(&Event::BuildCancelled { generation });
            }
        }
    }

    /// The number that events of a build have, where it has events: 0 for the program itself.
    fn number(&self, purpose: Purpose) -> Option<Generation> {
        match purpose {
            Purpose::Start | Purpose::Warm => None,
            Purpose::Publish => Some(self.generation.next()),
            Purpose::Restart => Some(Generation::LINKED),
        }
    }

    pub(super) fn is_building(&self, purpose: Purpose) -> bool {
        self.building.as_ref().is_some_and(|building| building.purpose == purpose)
    }

    /// Whether an image of this crate is about to be published.
    pub(super) fn is_being_built(&self, crate_name: &str) -> bool {
        let building = self.building.as_ref().filter(|building| building.purpose == Purpose::Publish);
        building.is_some_and(|building| self.images_of(&building.jobs).iter().any(|name| name == crate_name))
    }

    pub(super) fn built(&mut self, build: u64, report: Report) -> Result<(), Fatal> {
        if self.building.as_ref().is_none_or(|building| building.id != build) {
            // Of a build that was stopped in favour of a later one.
            return Ok(());
        }
        let Some(building) = self.building.take() else { return Ok(()) };
        let finished = Instant::now();
        let is_program = matches!(building.purpose, Purpose::Start | Purpose::Restart);
        if is_program {
            // Before anybody is told that the session is ready for edits.
            self.learn(report.sources.clone(), building.started_at)?;
        }
        match report.outcome {
            Outcome::Cancelled => {}
            Outcome::Failed { crate_name, errors, rendered } => {
                self.last_failed = building.purpose != Purpose::Warm;
                self.restarts.failed = building.purpose == Purpose::Restart;
                if self.last_failed {
                    // The time to live counts from the edit that mends it.
                    self.edit = None;
                    let generation = self.number(building.purpose).unwrap_or(self.generation.next());
                    let crate_name = self.published_name(crate_name);
                    self.tell(&Event::BuildFailed { generation, crate_name, errors, rendered });
                }
            }
            Outcome::Built => {
                self.last_failed = false;
                self.output.warnings(&report.warnings);
                match building.purpose {
                    Purpose::Start => {
                        let executable = self.name_executable(&self.commands.program, build)?;
                        self.go_live(executable)?;
                    }
                    Purpose::Warm => {
                        report.artifacts.iter().for_each(|artifact| drop(std::fs::remove_file(&artifact.path)));
                    }
                    Purpose::Publish => {
                        let times = Times { edit: building.edit, started: building.started, finished };
                        self.publish_built(report.artifacts, report.warnings.len(), &times);
                        self.published()?;
                    }
                    Purpose::Restart => self.built_anew(build)?,
                }
            }
        }
        if is_program { Ok(()) } else { self.learn(report.sources, building.started_at) }
    }

    /// Gives the program that was just built a path that no other has: whoever runs it, or debugs it, has the file mapped,
    /// and the next one is built where this one was.
    pub(super) fn name_executable(&self, program: &Program, build: u64) -> Result<PathBuf, Fatal> {
        let (built, _) = self.place.output(&program.units[program.host], Form::Host);
        let path = self.place.executable(&built, build);
        let folder = path.parent().unwrap_or(&self.place.directory);
        let moved = std::fs::create_dir_all(folder).and_then(|()| std::fs::rename(&built, &path));
        moved.map_err(|error| {
            Fatal::session(format!("cannot move {} to {}: {error}", built.display(), path.display()))
        })?;
        Ok(path)
    }

    /// What else there is to do once images are published.
    fn published(&mut self) -> Result<(), Fatal> {
        if self.restart_is_due() && !self.restarts.failed {
            self.build_restart();
        } else if self.gone.is_some() {
            self.start_again()?;
        }
        Ok(())
    }

    /// Takes in what compilers read, watches where it lies, and looks again at what changed meanwhile.
    fn learn(&mut self, sources: BTreeMap<Job, Vec<PathBuf>>, started: SystemTime) -> Result<(), Fatal> {
        let uncertain = self.sources.learn(sources, started);
        self.watch_workspace()?;
        if !uncertain.is_empty() {
            let edit = Edit { paths: uncertain, at_us: now_us(), at: Instant::now(), settled: true };
            let _ = self.sender.send(Message::Edited(edit));
        }
        Ok(())
    }

    fn publish_built(&mut self, built: Vec<Artifact>, warnings: usize, times: &Times) {
        let generation = self.generation.next();
        let artifacts = self.named_as_published(built, generation);
        if artifacts.is_empty() {
            // Nobody wants it any more.
            return self.tell(&Event::BuildCancelled { generation });
        }
        match self.publish(&artifacts, warnings, times) {
            Ok(()) => {
                self.dirty.clear();
                self.edit = None;
            }
            Err(message) => self.notice(message),
        }
    }

    /// Publishes what was built, and tells of it; or says why it cannot be published.
    pub(super) fn publish(&mut self, artifacts: &[Artifact], warnings: usize, times: &Times) -> Result<(), String> {
        let generation = self.generation.next();
        // Without an edit, of when it was begun: for a program that has just asked for it.
        let begun = || u64::try_from(times.started.elapsed().as_micros()).map_or(0, |ago| now_us().saturating_sub(ago));
        let (edit_at_us, edit_at) = times.edit.unwrap_or_else(|| (begun(), times.started));
        let timing = Timing {
            edit_at_us,
            detect: times.started.saturating_duration_since(edit_at),
            build: times.finished.saturating_duration_since(times.started),
            built: times.finished,
        };
        if let Err(error) = self.shop.publish(&self.session, generation, artifacts, &timing) {
            return Err(format!("generation {generation} is built but cannot be published: {error}"));
        }
        self.generation = generation;
        let crates = artifacts.iter().map(|artifact| artifact.crate_name.clone()).collect();
        self.tell(&Event::Built { generation, crates, build_ms: ms(timing.build), warnings });
        self.shop.prune();
        Ok(())
    }

    pub(super) fn stop_building(&mut self) {
        if let Some(building) = self.building.take() {
            building.cancel.cancel();
        }
        self.plugins.stop();
    }
}
