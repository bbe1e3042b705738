//! What an edit reaches, and what is done about it.

use super::{Loop, Phase, Purpose};
use crate::cli::RestartChoice;
use crate::program::{Form, Id, Job};
use crate::watch::Edit;
use pitstop_contract::event::Event;
use pitstop_contract::{Reason, Rule};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Loop<'_> {
    pub(super) fn edited(&mut self, edits: &[Edit]) {
        let mut paths: BTreeSet<&Path> = BTreeSet::new();
        for edit in edits {
            paths.extend(edit.paths.iter().map(PathBuf::as_path));
        }
        let settled: BTreeSet<&Path> =
            edits.iter().filter(|edit| edit.settled).flat_map(|edit| edit.paths.iter().map(PathBuf::as_path)).collect();
        self.files_changed(&settled, edits);
        self.plugins_changed(&settled, edits);
        let mut changed = Vec::new();
        let mut dirty = BTreeSet::new();
        let mut manifests = Vec::new();
        for path in paths {
            // Emptied by a save in place, whose content is on its way; the notice of its end follows.
            let is_begun = !settled.contains(path) && std::fs::metadata(path).is_ok_and(|file| file.len() == 0);
            if is_begun || path.starts_with(&self.session.root) {
                continue;
            }
            let units = self.sources.made_from(path);
            let is_known = self.sources.is_known(path);
            if is_known && self.sources.changed(path) {
                if self.sources.is_manifest(path) {
                    manifests.push(path.to_owned());
                }
                changed.push(path.to_owned());
                dirty.extend(units);
            } else if !is_known && self.may_mend(path) && self.sources.changed(path) {
                changed.push(path.to_owned());
                dirty.extend(self.dirty.clone());
            }
        }
        if changed.is_empty() {
            return;
        }
        let first = edits.iter().min_by_key(|edit| edit.at);
        self.edit = self.edit.or(first.map(|edit| (edit.at_us, edit.at)));
        if !manifests.is_empty() {
            dirty.extend(self.recapture(&manifests));
        }
        self.take_up(&changed, dirty);
    }

    /// Whether a file that no compiler has named may be what the last failed build lacked: a module just made.
    fn may_mend(&self, path: &Path) -> bool {
        // An editor's own files come and go beside the sources.
        let is_source = path.extension().is_some_and(|extension| extension == "rs");
        let waits = self.last_failed
            || (self.building.is_some() && !self.dirty.is_empty())
            || self.is_building(Purpose::Restart);
        waits && is_source && path.is_file() && self.commands.program.owner(path).is_some()
    }

    fn take_up(&mut self, changed: &[PathBuf], dirty: BTreeSet<Id>) {
        if self.phase == Phase::FirstBuild {
            let jobs = self.commands.program.everything();
            self.build(jobs, Purpose::Start);
            return;
        }
        let files = changed.iter().map(|path| self.shown(path)).collect::<Vec<_>>();
        let mut all = self.dirty.clone();
        all.extend(&dirty);
        let mut jobs = self.commands.program.jobs_for(&all);
        if jobs.iter().any(|job| self.held.contains(&job.unit)) {
            // One of those that crashed together was edited: the others are of the same source as ever.
            all.append(&mut self.held);
            jobs = self.commands.program.jobs_for(&all);
        }
        let crates = self.images_of(&jobs);
        self.tell(&Event::Change { files, crates: crates.clone() });
        for (name, notice) in self.commands.program.copies_in_host(&dirty) {
            if self.told_copies.insert(name) {
                self.notice(notice);
            }
        }
        let is_of_program = self.note_host_code(changed) || changed.iter().any(|path| self.sources.is_manifest(path));
        let had_failed = std::mem::take(&mut self.restarts.failed);
        if self.options.restart == RestartChoice::Auto {
            self.restarts.stale.forget_refusals(&crates);
        }
        self.dirty = all;
        if self.restart_is_due() && (is_of_program || !had_failed || jobs.is_empty()) {
            self.build_restart();
        } else if jobs.is_empty() {
            self.edit = None;
            self.dirty.clear();
            if self.is_building(Purpose::Restart) {
                // For an edit that was undone.
                self.cancel_building();
            }
        } else {
            // What cannot be built into the program now may still be seen in its images; see `Loop::published`.
            self.build(jobs, Purpose::Publish);
        }
    }

    /// Takes note of files that are linked into the program itself, and tells of those that are not as they were. Returns
    /// whether there was any.
    fn note_host_code(&mut self, changed: &[PathBuf]) -> bool {
        let mut stuck: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut found = false;
        for path in changed {
            let units = self.sources.made_from(path);
            let program = Arc::clone(&self.commands.program);
            for unit in program.host_code(&units) {
                found = true;
                if self.sources.is_as_built(path) {
                    self.restarts.stale.files.remove(path);
                } else {
                    self.restarts.stale.files.insert(path.clone());
                    stuck.entry(unit.crate_name.clone()).or_default().push(self.shown(path));
                }
            }
        }
        let news = !stuck.is_empty();
        for (crate_name, files) in stuck {
            let reason = Reason::new(
                Rule::HostCode,
                files.join(", "),
                "source of a reloadable crate",
                "source that is linked into the running program",
                self.advice("end the program and run it again to see the edit"),
            );
            self.reject(&crate_name, reason);
        }
        self.review(news);
        found
    }

    pub(super) fn reject(&mut self, crate_name: &str, reason: Reason) {
        let generation = self.generation;
        self.tell(&Event::Rejected { crate_name: crate_name.to_owned(), generation, reasons: vec![reason] });
    }

    pub(super) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(self.commands.workspace.root()).unwrap_or(path).display().to_string()
    }

    /// The images that come of these jobs, as they are published.
    pub(super) fn images_of(&self, jobs: &[Job]) -> Vec<String> {
        let images = jobs.iter().filter(|job| matches!(job.form, Form::Image | Form::Library));
        let named = images.flat_map(|job| {
            let crate_name = &self.commands.program.units[job.unit].crate_name;
            let mut names = Vec::new();
            if job.form == Form::Library {
                names = self.plugins.images_of_crate(crate_name);
            }
            if job.form == Form::Image || self.wanted_crates.contains(crate_name) {
                names.push(crate_name.clone());
            }
            names
        });
        named.collect()
    }

    /// What a crate is published as, where it is not only a plugin.
    pub(super) fn published_name(&self, crate_name: String) -> String {
        let plugins = self.plugins.images_of_crate(&crate_name);
        plugins.into_iter().next().filter(|_| !self.wanted_crates.contains(&crate_name)).unwrap_or(crate_name)
    }
}
