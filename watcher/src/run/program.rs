//! Starts the program, and hears what it says.

use super::plugins::Asked;
use super::{Loop, Message, Phase, Purpose};
use crate::build::in_images;
use crate::exit_code::Fatal;
use crate::host_process::{self, Launch};
use pitstop_contract::event::Event;
use pitstop_contract::request::Request;
use pitstop_contract::{Generation, Rule};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// The running program.
pub(super) struct Host {
    pub(super) pid: u32,
    pub(super) started: Instant,
    /// Whether it was started in place of another.
    pub(super) is_restart: bool,
    /// Whether it takes part in the session: it hears what is asked of it.
    pub(super) is_attached: bool,
    /// The newest generation that it has taken, to make it live at its next safe point.
    pub(super) taken: Generation,
    /// The generation that panicked, or whose state could not be used: what may end the program.
    pub(super) broken: Option<Generation>,
}

impl Loop<'_> {
    pub(super) fn go_live(&mut self, executable: PathBuf) -> Result<(), Fatal> {
        if let Some(obstacle) = in_images(&self.commands.program, &self.commands.linkage, &self.place) {
            return Err(Fatal::workspace(obstacle));
        }
        self.phase = Phase::Live;
        self.edit = None;
        self.executable = executable;
        self.running = Arc::clone(&self.commands.program);
        self.sources.program_is_built();
        let program = Arc::clone(&self.commands.program);
        let reloadable: Vec<String> =
            program.reloadable.iter().map(|&id| program.units[id].crate_name.clone()).collect();
        if let Err(error) = self.session.make_current() {
            self.notice(format!("hosts started by hand will not find this session: {error}"));
        }
        self.tell(&Event::Session {
            session: self.session.name.clone(),
            directory: self.session.directory.display().to_string(),
            crates: reloadable,
            linkage: self.commands.linkage.name().to_owned(),
            linkage_reason: self.commands.linkage.reason().to_owned(),
            host: Some(self.executable.display().to_string()),
        });
        if self.options.starts_program {
            self.start(None, false)?;
        }
        let images = program.images();
        if !images.is_empty() {
            // A program that was started by hand may be older than the source.
            let purpose = if self.options.starts_program { Purpose::Warm } else { Purpose::Publish };
            self.build(images, purpose);
        }
        Ok(())
    }

    /// Starts the program, with saved values where there are any.
    pub(super) fn start(&mut self, restore: Option<PathBuf>, is_restart: bool) -> Result<(), Fatal> {
        let launch = self.launch(restore);
        let ended = |status| Message::HostEnded(status, Instant::now());
        let started = host_process::start(&launch, &self.session, self.sender.clone(), ended);
        let pid = started
            .map_err(|error| Fatal::workspace(format!("cannot start {}: {error}", launch.executable.display())))?;
        let (started, taken) = (Instant::now(), Generation::LINKED);
        self.host = Some(Host { pid, started, is_restart, is_attached: false, taken, broken: None });
        Ok(())
    }

    fn launch(&self, restore: Option<PathBuf>) -> Launch {
        let unit = &self.running.units[self.running.host];
        let manifest = unit.captured.environment.iter().filter(|(name, _)| {
            name.starts_with("CARGO_PKG_")
                || *name == "CARGO_MANIFEST_DIR"
                || *name == "CARGO_MANIFEST_PATH"
                || *name == "CARGO"
        });
        let native = self.commands.capture.native_paths.iter();
        let native = native.map(|path| path.split_once('=').map_or(path.as_str(), |(_, path)| path));
        Launch {
            executable: self.executable.clone(),
            arguments: self.options.arguments.clone(),
            environment: manifest.map(|(name, value)| (name.clone(), value.clone())).collect(),
            libraries: native
                .map(PathBuf::from)
                .filter(|path| path.starts_with(&self.commands.workspace.target_directory))
                .collect(),
            restore,
            stdout_is_taken: self.output.is_json(),
        }
    }

    /// Takes in what hosts say, and what is asked of the session.
    pub(super) fn listen(&mut self) {
        for (pid, event) in self.logs.news(&self.session.directory) {
            // The host has it already.
            self.output.event(&event);
            self.heard(pid, event);
        }
        for request in self.requests.news::<Request>(&self.session.requests()) {
            if request == Request::Restart {
                self.asked_to_restart("it was asked for");
            }
        }
    }

    fn heard(&mut self, pid: u32, event: Event) {
        let is_ours = self.host.as_ref().is_some_and(|host| host.pid == pid);
        match event {
            Event::Live { crate_name, generation, .. } => {
                self.shop.mapped(&crate_name, generation);
                if is_ours {
                    self.shop.is_live(&crate_name, generation);
                    self.accepted(&crate_name, generation);
                }
            }
            Event::RolledBack { crate_name, from, generation, why } if is_ours => {
                self.shop.rolled_back(&crate_name, from, generation, why);
            }
            Event::Wanted { path } if self.restarts.handover.is_none() => self.want(path),
            // During a handover the new program's are meant, which asks by itself.
            Event::PluginWanted { name, artifact, crate_name, build, directory }
                if self.restarts.handover.is_none() =>
            {
                self.want_plugin(pid, &name, Asked::new(artifact, crate_name, build, directory));
            }
            Event::PluginForgotten { name } if self.restarts.handover.is_none() => self.forget_plugin(pid, &name),
            Event::Verified { generation, .. } if is_ours => {
                self.host.iter_mut().for_each(|host| host.taken = host.taken.max(generation));
            }
            Event::Attached { .. } if is_ours => self.host.iter_mut().for_each(|host| host.is_attached = true),
            Event::Panicked { generation, .. } if is_ours => self.may_end_by(generation),
            Event::Rejected { crate_name, generation, reasons } if is_ours => {
                if reasons.iter().any(|reason| reason.rule == Rule::State) {
                    self.may_end_by(generation);
                }
                self.refused(&crate_name, generation, &reasons);
            }
            Event::Saved { id, file, states, .. } if is_ours => self.saved(id, &file, !states.is_empty()),
            Event::RestartWanted { why } if is_ours => self.program_wants_restart(&why),
            _ => {}
        }
    }

    fn may_end_by(&mut self, generation: Generation) {
        self.host.iter_mut().for_each(|host| host.broken = Some(generation));
    }
}
