//! Starts compilers, and takes in what comes of them.

use super::{Loop, Message};
use crate::build::{Cancel, Outcome, Report, compile};
use crate::exit_code::Fatal;
use crate::program::Job;
use crate::stage::{Artifact, Timing, ms, now_us};
use crate::watch::Edit;
use pitstop_contract::Generation;
use pitstop_contract::event::Event;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
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

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The program itself.
    Start,
    /// Fills the images' incremental state, so that the first edit is as quick as the second.
    Warm,
    /// To be published.
    Publish,
}

impl Loop<'_> {
    pub(super) fn build(&mut self, jobs: Vec<Job>, purpose: Purpose) {
        let next = self.generation.next();
        if let Some(running) = self.building.take() {
            running.cancel.cancel();
            if running.purpose == Purpose::Publish {
                self.tell(&Event::BuildCancelled { generation: next });
            }
        }
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
        let generation = if purpose == Purpose::Publish { next } else { Generation::LINKED };
        let (program, compiler, linkage) = (Arc::clone(&self.program), self.compiler.clone(), self.linkage.clone());
        let (place, cancel, sender, build) =
            (self.place.clone(), building.cancel.clone(), self.sender.clone(), building.id);
        std::thread::spawn(move || {
            let report = compile(&program, &jobs, generation, &compiler, &linkage, &place, &cancel);
            let _ = sender.send(Message::Built { build, report: Box::new(report) });
        });
        if purpose == Purpose::Publish {
            let crates = self.images_of(&building.jobs);
            self.tell(&Event::BuildStarted { generation: next, crates });
        }
        self.building = Some(building);
    }

    pub(super) fn built(&mut self, build: u64, report: Report) -> Result<(), Fatal> {
        if self.building.as_ref().is_none_or(|building| building.id != build) {
            // Of a build that was stopped in favour of a later one.
            return Ok(());
        }
        let Some(building) = self.building.take() else { return Ok(()) };
        let finished = Instant::now();
        if building.purpose == Purpose::Start {
            // Before anybody is told that the session is ready for edits.
            self.learn(report.sources.clone(), building.started_at)?;
        }
        match report.outcome {
            Outcome::Cancelled => {}
            Outcome::Failed { crate_name, errors, rendered } => {
                self.last_failed = building.purpose != Purpose::Warm;
                if self.last_failed {
                    // The time to live counts from the edit that mends it.
                    self.edit = None;
                    let generation = self.generation.next();
                    self.tell(&Event::BuildFailed { generation, crate_name, errors, rendered });
                }
            }
            Outcome::Built => {
                self.last_failed = false;
                self.output.warnings(&report.warnings);
                match building.purpose {
                    Purpose::Start => self.go_live()?,
                    Purpose::Warm => {
                        report.artifacts.iter().for_each(|artifact| drop(std::fs::remove_file(&artifact.path)));
                    }
                    Purpose::Publish => {
                        self.publish(&building, &report.artifacts, report.warnings.len(), finished);
                    }
                }
            }
        }
        if building.purpose == Purpose::Start { Ok(()) } else { self.learn(report.sources, building.started_at) }
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

    pub(super) fn publish(&mut self, building: &Building, artifacts: &[Artifact], warnings: usize, finished: Instant) {
        let generation = self.generation.next();
        let (edit_at_us, edit_at) = building.edit.unwrap_or((now_us(), building.started));
        let timing = Timing {
            edit_at_us,
            detect: building.started.saturating_duration_since(edit_at),
            build: finished.saturating_duration_since(building.started),
            built: finished,
        };
        if let Err(error) = self.shop.publish(&self.session, generation, artifacts, &timing) {
            self.notice(format!("generation {generation} is built but cannot be published: {error}"));
            return;
        }
        self.generation = generation;
        self.dirty.clear();
        self.edit = None;
        let crates = artifacts.iter().map(|artifact| artifact.crate_name.clone()).collect();
        self.tell(&Event::Built { generation, crates, build_ms: ms(timing.build), warnings });
        self.shop.prune();
    }

    pub(super) fn stop_building(&mut self) {
        if let Some(building) = self.building.take() {
            building.cancel.cancel();
        }
    }
}
