//! What a running program cannot become: why it would have to be started anew.

use super::{Loop, Purpose};
use crate::cli::RestartChoice;
use pitstop_contract::event::Event;
use pitstop_contract::manifest::plugin_of;
use pitstop_contract::{Generation, Reason, Rule};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Why the running program is not what its source says, and cannot become it while it runs.
#[derive(Default)]
pub(super) struct Stale {
    /// Files of its own code that hold something else than it was built from.
    pub(super) files: BTreeSet<PathBuf>,
    /// What cargo does otherwise now, each a sentence.
    pub(super) commands: Vec<String>,
    /// By crate, the newest image that the program refused, and why: a sentence.
    refused: BTreeMap<String, (Generation, String)>,
}

impl Stale {
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.commands.is_empty() && self.refused.is_empty()
    }

    /// Each a sentence.
    fn reasons(&self, shown: impl Fn(&Path) -> String) -> Vec<String> {
        let files = self.files.iter().map(|file| format!("{} is linked into the program", shown(file)));
        let refused = self.refused.values().map(|(_, why)| why.clone());
        files.chain(self.commands.iter().cloned()).chain(refused).collect()
    }

    /// New images of these crates are about to be judged in their own right.
    pub(super) fn forget_refusals(&mut self, crates: &[String]) {
        self.refused.retain(|crate_name, _| !crates.contains(crate_name));
    }
}

/// Whether an image that was refused for this would be part of a program that is built anew.
fn is_mended_by_restart(rule: Rule) -> bool {
    match rule {
        Rule::Signature
        | Rule::Layout
        | Rule::State
        | Rule::Missing
        | Rule::Linkage
        | Rule::Dependencies
        | Rule::Profile
        | Rule::Compiler
        | Rule::Allocator => true,
        // Of the program's own code it is said by whoever saw the edit.
        Rule::HostCode => false,
        // What is wrong with the file, its way here, or the user's own hook: the same for a new program.
        Rule::Manifest
        | Rule::File
        | Rule::Complete
        | Rule::Checksum
        | Rule::Target
        | Rule::Descriptor
        | Rule::Load
        | Rule::Hook => false,
    }
}

impl Loop<'_> {
    /// What becomes of a change that only a new process can show; where nothing does, what the person can do.
    pub(super) fn advice(&self, otherwise: &str) -> String {
        match self.options.restart {
            // How, is said with the offer.
            RestartChoice::Ask => "undo the change, or restart the program".to_owned(),
            RestartChoice::Auto => "the program is built and started anew with its state".to_owned(),
            RestartChoice::Never => otherwise.to_owned(),
        }
    }

    pub(super) fn restart_reasons(&self) -> Vec<String> {
        self.restarts.stale.reasons(|path| self.shown(path))
    }

    /// The program refused an image.
    pub(super) fn refused(&mut self, crate_name: &str, generation: Generation, reasons: &[Reason]) {
        let Some(reason) = reasons.iter().find(|reason| is_mended_by_restart(reason.rule)) else { return };
        if self.shop.is_asked_for(crate_name) || plugin_of(crate_name).is_some() {
            // The same code would ask for the same library.
            return;
        }
        if self.shop.newest(crate_name).is_some_and(|newest| newest > generation) || self.is_being_built(crate_name) {
            // A newer image is on its way, whose own verdict counts.
            return;
        }
        let more = match reasons.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let why = format!("{crate_name} #{generation} was refused: {} ({}){more}", reason.subject, reason.rule);
        self.restarts.stale.refused.insert(crate_name.to_owned(), (generation, why));
        self.review(true);
        let is_free = self.building.is_none() || self.is_building(Purpose::Warm);
        if self.restart_is_due() && is_free && self.restarts.handover.is_none() {
            self.build_restart();
        }
    }

    /// The program took an image.
    pub(super) fn accepted(&mut self, crate_name: &str, generation: Generation) {
        if self.restarts.stale.refused.get(crate_name).is_some_and(|(refused, _)| *refused < generation) {
            self.restarts.stale.refused.remove(crate_name);
            self.review(false);
        }
    }

    /// Offers a restart, or takes the offer back. With news, an offer is made again though nothing of it has changed.
    pub(super) fn review(&mut self, news: bool) {
        if self.options.restart != RestartChoice::Ask {
            return;
        }
        let reasons = self.restart_reasons();
        if reasons != self.restarts.offered || (news && !reasons.is_empty()) {
            self.restarts.offered.clone_from(&reasons);
            self.tell(&Event::RestartOffered { reasons });
        }
    }

    /// Whether the program is to be built anew and started, now that something was edited, or built.
    pub(super) fn restart_is_due(&self) -> bool {
        let by_itself = self.options.restart == RestartChoice::Auto || self.gone.is_some();
        self.options.starts_program
            && (self.restarts.requested.is_some() || by_itself && !self.restarts.stale.is_empty())
    }
}
