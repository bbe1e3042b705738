//! The session: one loop that takes in edits, builds and the program's words, and decides what is next.

mod commands;
mod edits;
mod stale;

mod builds;
mod libraries;
mod linkage;
mod plugins;
mod program;

mod crash;
mod end;
mod restart;

pub(crate) use linkage::{linkage, rust_files};

use crate::build::{Made, Place, Report};
use crate::cargo::{self, Selection, directory_of};
use crate::cli::{LinkageChoice, RestartChoice};
use crate::exit_code::{ExitCode, Fatal};
use crate::host_process::{HostLogs, Lines};
use crate::output::Output;
use crate::process::Terminal;
use crate::program::{Id, Program};
use crate::session::Session;
use crate::stage::Shop;
use crate::watch::{Edit, Sources, Watch, watched_folders};
use builds::{Building, Purpose};
use commands::{Asked, Commands};
use crash::Gone;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use libraries::Copied;
use notify::RecursiveMode;
use pitstop_contract::Generation;
use pitstop_contract::event::Event;
use plugins::Plugins;
use program::Host;
use restart::Restarts;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Instant;

/// What the command line asks for.
pub(crate) struct Options {
    pub(crate) selection: Selection,
    pub(crate) linkage: LinkageChoice,
    pub(crate) restart: RestartChoice,
    /// For the program.
    pub(crate) arguments: Vec<String>,
    pub(crate) starts_program: bool,
}

/// All that can happen in a session.
pub(crate) enum Message {
    Edited(Edit),
    Built {
        build: u64,
        report: Box<Report>,
    },
    PluginMade {
        plugin: String,
        build: u64,
        made: Made,
    },
    HostSpoke,
    /// And when it did.
    HostEnded(ExitStatus, Instant),
    /// Whether the program is to be started again.
    Answered(bool),
    Interrupted,
}

/// Runs a session to its end.
pub(crate) fn run(options: Options, mut output: Output) -> std::process::ExitCode {
    let code = match begin(options, &mut output) {
        Ok(code) => code,
        Err(fatal) => {
            let message = fatal.message.strip_prefix("error: ").unwrap_or(&fatal.message);
            output.line(format!("\x1b[1;31merror\x1b[0m: {message}"));
            fatal.code as u8
        }
    };
    output.flush();
    std::process::ExitCode::from(code)
}

fn begin(options: Options, output: &mut Output) -> Result<u8, Fatal> {
    let (sender, messages) = unbounded();
    let interrupts = sender.clone();
    // Fails only when there is a handler already.
    let _ = ctrlc::set_handler(move || {
        let _ = interrupts.send(Message::Interrupted);
    });
    let workspace = cargo::workspace(&options.selection)?;
    let session = Session::begin(&workspace.target_directory, &workspace.build_directory)?;
    let commands = Asked::of(workspace, &options, &session)?.commands(&options, &session)?;
    let place = Place {
        session: session.name.clone(),
        directory: session.directory.clone(),
        root: session.root.clone(),
        cache: session.cache.clone(),
        colour: output.wants_colour(),
    };
    let watch = Watch::new(sender.clone(), Message::Edited).map_err(cannot_watch)?;
    let hosts = Watch::new(sender.clone(), |_| Message::HostSpoke).map_err(cannot_watch)?;
    let state = Loop {
        running: Arc::clone(&commands.program),
        options,
        output,
        session,
        commands,
        next: None,
        planned: None,
        place,
        watch,
        hosts,
        sender,
        sources: Sources::default(),
        shop: Shop::default(),
        logs: HostLogs::default(),
        requests: Lines::default(),
        terminal: Terminal::now(),
        generation: Generation::LINKED,
        builds: 0,
        building: None,
        dirty: BTreeSet::new(),
        held: BTreeSet::new(),
        edit: None,
        last_failed: false,
        phase: Phase::FirstBuild,
        executable: PathBuf::new(),
        host: None,
        restarts: Restarts::default(),
        quick_crashes: 0,
        gone: None,
        copies: BTreeMap::new(),
        wanted_crates: BTreeSet::new(),
        plugins: Plugins::default(),
        told_copies: BTreeSet::new(),
    };
    state.run(&messages)
}

fn cannot_watch(error: notify::Error) -> Fatal {
    let advice = "the system's limit on watches may be reached: on Linux raise fs.inotify.max_user_watches and \
                  max_user_instances";
    Fatal::session(format!("cannot watch files: {error}; {advice}"))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The program was not built yet.
    FirstBuild,
    /// It runs, or may be started.
    Live,
}

struct Loop<'a> {
    options: Options,
    output: &'a mut Output,
    session: Session,
    /// Of the running program and its images.
    commands: Commands,
    /// What cargo said last, where the program itself was built with something else.
    next: Option<Asked>,
    /// Of the program that is to be built.
    planned: Option<Commands>,
    /// The program as it was built.
    running: Arc<Program>,
    place: Place,
    watch: Watch,
    /// Watches the session directory.
    hosts: Watch,
    sender: Sender<Message>,
    sources: Sources,
    shop: Shop,
    logs: HostLogs,
    requests: Lines,
    /// The terminal as it was before the program had it.
    terminal: Terminal,
    /// The highest that was published.
    generation: Generation,
    builds: u64,
    building: Option<Building>,
    /// Crates whose source is newer than their image.
    dirty: BTreeSet<Id>,
    /// Crates whose newest image crashed: not built again before one of them is edited.
    held: BTreeSet<Id>,
    /// The first edit that is not live.
    edit: Option<(u64, Instant)>,
    last_failed: bool,
    phase: Phase,
    executable: PathBuf,
    host: Option<Host>,
    restarts: Restarts,
    /// Crashes in a row, each right after a restart.
    quick_crashes: u32,
    /// After a crash, while it is not known whether the program is started again.
    gone: Option<Gone>,
    /// Libraries that the host asked for by path, and plugins that are files, by the name of their image.
    copies: BTreeMap<String, Copied>,
    wanted_crates: BTreeSet<String>,
    plugins: Plugins,
    /// Crates of which it was said that the program has a copy of its own.
    told_copies: BTreeSet<String>,
}

impl Loop<'_> {
    fn run(mut self, messages: &Receiver<Message>) -> Result<u8, Fatal> {
        self.watch_workspace()?;
        let jobs = self.commands.program.everything();
        self.output.building(&self.commands.wanted.flags[1], jobs.len());
        self.build(jobs, Purpose::Start);
        loop {
            let message = match self.deadline() {
                Some(deadline) => messages.recv_deadline(deadline),
                None => messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match message {
                Ok(Message::Edited(edit)) => {
                    let mut edits = vec![edit];
                    // Whatever came meanwhile is one edit: a checkout touches many files.
                    while let Ok(message) = messages.try_recv() {
                        match message {
                            Message::Edited(edit) => edits.push(edit),
                            other => {
                                let _ = self.sender.send(other);
                                break;
                            }
                        }
                    }
                    if self.restarts.handover.is_some() {
                        self.restarts.postponed.extend(edits);
                    } else {
                        self.edited(&edits);
                    }
                }
                Ok(Message::Built { build, report }) => self.built(build, *report)?,
                Ok(Message::PluginMade { plugin, build, made }) => self.plugin_made(&plugin, build, made)?,
                Ok(Message::HostSpoke) => self.listen(),
                Ok(Message::HostEnded(status, at)) => {
                    if let Some(code) = self.ended(status, at)? {
                        return Ok(code);
                    }
                }
                Ok(Message::Answered(yes)) => {
                    if let Some(code) = self.answered(yes)? {
                        return Ok(code);
                    }
                }
                Ok(Message::Interrupted) => return Ok(self.interrupted(messages)),
                Err(RecvTimeoutError::Timeout) => self.overdue(),
                Err(RecvTimeoutError::Disconnected) => return Ok(ExitCode::Success as u8),
            }
        }
    }

    fn tell(&mut self, event: &Event) {
        self.session.tell(event);
        self.output.event(event);
    }

    fn notice(&mut self, message: impl Into<String>) {
        self.tell(&Event::Notice { message: message.into() });
    }

    fn watch_workspace(&mut self) -> Result<(), Fatal> {
        let root = self.commands.workspace.root().to_owned();
        let mut files = vec![root.join("Cargo.toml"), root.join("Cargo.lock")];
        for name in [".cargo/config.toml", ".cargo/config", "rust-toolchain", "rust-toolchain.toml"] {
            files.push(root.join(name));
        }
        for package in self.commands.workspace.members() {
            let folder = directory_of(package);
            files.extend([folder.join("Cargo.toml"), folder.join("build.rs")]);
        }
        let mut folders = watched_folders(&self.commands.workspace);
        folders.extend(self.sources.folders().into_iter().map(|folder| (folder, RecursiveMode::NonRecursive)));
        files.iter().for_each(|file| self.sources.know(file));
        // The wider ones first, so that what they cover is not watched twice.
        folders.sort_by_key(|(folder, mode)| (*mode != RecursiveMode::Recursive, folder.clone()));
        for (folder, mode) in folders {
            // Build output changes all the time and is never a source, but for what build scripts write.
            if folder.starts_with(&self.session.root) {
                continue;
            }
            self.watch.folder(&folder, mode).map_err(cannot_watch)?;
        }
        let directory = self.session.directory.clone();
        self.hosts.folder(&directory, RecursiveMode::NonRecursive).map_err(cannot_watch)
    }
}
