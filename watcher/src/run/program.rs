//! Starts the program, and hears what it says.

use super::{Loop, Message, Phase, Purpose};
use crate::build::in_images;
use crate::exit_code::Fatal;
use crate::host_process::{self, Launch};
use crate::program::Form;
use pitstop_contract::event::Event;
use std::path::PathBuf;
use std::sync::Arc;

impl Loop<'_> {
    pub(super) fn go_live(&mut self) -> Result<(), Fatal> {
        if let Some(obstacle) = in_images(&self.program, &self.linkage, &self.place) {
            return Err(Fatal::workspace(obstacle));
        }
        self.phase = Phase::Live;
        self.edit = None;
        let program = Arc::clone(&self.program);
        let host = &program.units[program.host];
        let (executable, _) = self.place.output(host, Form::Host);
        let reloadable: Vec<String> =
            program.reloadable.iter().map(|&id| program.units[id].crate_name.clone()).collect();
        if let Err(error) = self.session.make_current() {
            self.notice(format!("hosts started by hand will not find this session: {error}"));
        }
        self.tell(&Event::Session {
            session: self.session.name.clone(),
            directory: self.session.directory.display().to_string(),
            crates: reloadable,
            linkage: self.linkage.name().to_owned(),
            linkage_reason: self.linkage.reason().to_owned(),
            host: Some(executable.display().to_string()),
        });
        if self.options.starts_program {
            let launch = self.launch(executable);
            let started = host_process::start(&launch, &self.session, self.sender.clone(), Message::HostEnded);
            let pid = started
                .map_err(|error| Fatal::workspace(format!("cannot start {}: {error}", launch.executable.display())))?;
            self.host = Some(pid);
        }
        let images = program.images();
        if !images.is_empty() {
            // A program that was started by hand may be older than the source.
            let purpose = if self.options.starts_program { Purpose::Warm } else { Purpose::Publish };
            self.build(images, purpose);
        }
        Ok(())
    }

    fn launch(&self, executable: PathBuf) -> Launch {
        let unit = &self.program.units[self.program.host];
        let manifest = unit.captured.environment.iter().filter(|(name, _)| {
            name.starts_with("CARGO_PKG_")
                || *name == "CARGO_MANIFEST_DIR"
                || *name == "CARGO_MANIFEST_PATH"
                || *name == "CARGO"
        });
        let native = self.capture.native_paths.iter();
        let native = native.map(|path| path.split_once('=').map_or(path.as_str(), |(_, path)| path));
        Launch {
            executable,
            arguments: self.options.arguments.clone(),
            environment: manifest.map(|(name, value)| (name.clone(), value.clone())).collect(),
            libraries: native
                .map(PathBuf::from)
                .filter(|path| path.starts_with(&self.workspace.target_directory))
                .collect(),
            stdout_is_taken: self.output.is_json(),
        }
    }

    pub(super) fn listen(&mut self) {
        for event in self.logs.news(&self.session.directory) {
            match &event {
                Event::Live { crate_name, generation, .. } => self.shop.mapped(crate_name, *generation),
                Event::Wanted { path } => self.want(path.clone()),
                _ => {}
            }
            // The host has it already.
            self.output.event(&event);
        }
    }
}
