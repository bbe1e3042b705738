//! The session: one loop that takes in edits, builds and the program's words, and decides what is next.

use crate::build::{
    Cancel, GlobalAllocator, Linkage, Outcome, Place, Report, choose, compile, in_images, share, share_native,
};
use crate::cargo::{self, Capture, Selection, Wanted, Workspace, directory_of};
use crate::cli::LinkageChoice;
use crate::exit_code::{ExitCode, Fatal};
use crate::host_process::{self, HostLogs, Launch};
use crate::output::Output;
use crate::process::{exit_of, fault, terminate};
use crate::program::{Form, Id, Job, Program};
use crate::session::Session;
use crate::stage::{Artifact, Shop, Timing, ms, now_us};
use crate::unit::Compiler;
use crate::watch::{Edit, Sources, Watch, watched_folders};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use notify::RecursiveMode;
use pitstop_contract::descriptor::allocator;
use pitstop_contract::event::Event;
use pitstop_contract::manifest::Kind;
use pitstop_contract::{Generation, Reason, Rule};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// What the command line asks for.
pub(crate) struct Options {
    pub(crate) selection: Selection,
    pub(crate) linkage: LinkageChoice,
    /// For the program.
    pub(crate) arguments: Vec<String>,
    pub(crate) starts_program: bool,
}

/// All that can happen in a session.
pub(crate) enum Message {
    Edited(Edit),
    Built { build: u64, report: Box<Report> },
    HostSpoke,
    HostEnded(ExitStatus),
    Interrupted,
}

/// How long the program may take to end after Ctrl-C.
const GRACE: Duration = Duration::from_secs(2);

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
    let wanted = workspace.program(&options.selection)?;
    let session = Session::begin(&workspace.target_directory, &workspace.build_directory)?;
    let mut capture = workspace.capture(&options.selection, &wanted.package, &wanted.flags, &session)?;
    let program = Program::new(&mut capture, &workspace, &wanted)?;
    let host = &program.units[program.host];
    let compiler = cargo::compiler(&host.captured.rustc, &host.captured.directory, host.target())?;
    let linkage = linkage(options.linkage, &program, &workspace, &capture, &compiler, &session)?;
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
        options,
        output,
        session,
        workspace,
        wanted,
        capture,
        program: Arc::new(program),
        compiler,
        linkage,
        place,
        watch,
        hosts,
        sender,
        sources: Sources::default(),
        shop: Shop::default(),
        logs: HostLogs::default(),
        generation: Generation::LINKED,
        builds: 0,
        building: None,
        dirty: BTreeSet::new(),
        edit: None,
        last_failed: false,
        phase: Phase::FirstBuild,
        host: None,
        wanted_files: BTreeMap::new(),
        wanted_crates: BTreeSet::new(),
        told_copies: BTreeSet::new(),
    };
    state.run(&messages)
}

fn cannot_watch(error: notify::Error) -> Fatal {
    let advice = "the system's limit on watches may be reached: on Linux raise fs.inotify.max_user_watches and \
                  max_user_instances";
    Fatal::session(format!("cannot watch files: {error}; {advice}"))
}

/// How the program and its images come by their dependencies; builds the library that they share.
pub(crate) fn linkage(
    choice: LinkageChoice,
    program: &Program,
    workspace: &Workspace,
    capture: &Capture,
    compiler: &Compiler,
    session: &Session,
) -> Result<Linkage, Fatal> {
    let native = share_native(&program.units[program.host], workspace, capture, compiler, &session.cache);
    let folders = program.units.iter().map(|unit| unit.manifest_directory.join("src"));
    let allocator = GlobalAllocator::find(program, &rust_files(folders.collect()));
    let alone = |reason: &str| Linkage::SelfContained {
        reason: reason.to_owned(),
        native: native.clone(),
        allocator: allocator.as_ref().map_or(allocator::SYSTEM.to_owned(), ToString::to_string),
    };
    if choice == LinkageChoice::SelfContained {
        return Ok(alone("asked for"));
    }
    let obstacle = choose(program, allocator.as_ref());
    match (obstacle, choice) {
        (Some(reason), LinkageChoice::Shared) => {
            Err(Fatal::workspace(format!("dependencies cannot be shared: {reason}")))
        }
        (Some(reason), _) => Ok(alone(&reason)),
        (None, _) => match share(program, workspace, capture, compiler, native.clone(), &session.cache) {
            Err(fatal) if choice != LinkageChoice::Shared => {
                let first = fatal.message.lines().next().unwrap_or("").to_owned();
                Ok(alone(&format!("no library of them could be made: {first}")))
            }
            shared => shared,
        },
    }
}

/// The source files in these folders, before any compiler has named them.
pub(crate) fn rust_files(mut folders: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The program was not built yet.
    FirstBuild,
    /// It runs, or may be started.
    Live,
}

/// A running compilation.
struct Building {
    id: u64,
    cancel: Cancel,
    jobs: Vec<Job>,
    purpose: Purpose,
    /// When the compilers were started.
    started: Instant,
    started_at: SystemTime,
    edit: Option<(u64, Instant)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// The program itself.
    Start,
    /// Fills the images' incremental state, so that the first edit is as quick as the second.
    Warm,
    /// To be published.
    Publish,
}

struct Loop<'a> {
    options: Options,
    output: &'a mut Output,
    session: Session,
    workspace: Workspace,
    wanted: Wanted,
    capture: Capture,
    program: Arc<Program>,
    compiler: Compiler,
    linkage: Linkage,
    place: Place,
    watch: Watch,
    /// Watches the session directory.
    hosts: Watch,
    sender: Sender<Message>,
    sources: Sources,
    shop: Shop,
    logs: HostLogs,
    /// The highest that was published.
    generation: Generation,
    builds: u64,
    building: Option<Building>,
    /// Crates whose source is newer than their image.
    dirty: BTreeSet<Id>,
    /// The first edit that is not live.
    edit: Option<(u64, Instant)>,
    last_failed: bool,
    phase: Phase,
    host: Option<u32>,
    /// Libraries that the host asked for by path, and the content that was published last.
    wanted_files: BTreeMap<PathBuf, u32>,
    wanted_crates: BTreeSet<String>,
    /// Crates of which it was said that the program has a copy of its own.
    told_copies: BTreeSet<String>,
}

impl Loop<'_> {
    fn run(mut self, messages: &Receiver<Message>) -> Result<u8, Fatal> {
        self.watch_workspace()?;
        let jobs = self.program.everything();
        self.output.building(&self.wanted.flags[1], jobs.len());
        self.build(jobs, Purpose::Start);
        for message in messages {
            match message {
                Message::Edited(edit) => {
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
                    self.edited(&edits);
                }
                Message::Built { build, report } => self.built(build, *report)?,
                Message::HostSpoke => self.listen(),
                Message::HostEnded(status) => return Ok(self.ended(status)),
                Message::Interrupted => return Ok(self.interrupted(messages)),
            }
        }
        Ok(ExitCode::Success as u8)
    }

    fn tell(&mut self, event: &Event) {
        self.session.tell(event);
        self.output.event(event);
    }

    fn notice(&mut self, message: impl Into<String>) {
        self.tell(&Event::Notice { message: message.into() });
    }

    fn watch_workspace(&mut self) -> Result<(), Fatal> {
        let root = self.workspace.root().to_owned();
        let mut files = vec![root.join("Cargo.toml"), root.join("Cargo.lock")];
        for name in [".cargo/config.toml", ".cargo/config", "rust-toolchain", "rust-toolchain.toml"] {
            files.push(root.join(name));
        }
        for package in self.workspace.members() {
            let folder = directory_of(package);
            files.extend([folder.join("Cargo.toml"), folder.join("build.rs")]);
        }
        let mut folders = watched_folders(&self.workspace);
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

    // ---- edits

    fn edited(&mut self, edits: &[Edit]) {
        let mut paths: BTreeSet<&Path> = BTreeSet::new();
        for edit in edits {
            paths.extend(edit.paths.iter().map(PathBuf::as_path));
        }
        let settled: BTreeSet<&Path> =
            edits.iter().filter(|edit| edit.settled).flat_map(|edit| edit.paths.iter().map(PathBuf::as_path)).collect();
        self.libraries_changed(&settled, edits);
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
        let waits = self.last_failed || (self.building.is_some() && !self.dirty.is_empty());
        waits && is_source && path.is_file() && self.program.owner(path).is_some()
    }

    fn take_up(&mut self, changed: &[PathBuf], dirty: BTreeSet<Id>) {
        if self.phase == Phase::FirstBuild {
            let jobs = self.program.everything();
            self.build(jobs, Purpose::Start);
            return;
        }
        let files = changed.iter().map(|path| self.shown(path)).collect::<Vec<_>>();
        let mut all = self.dirty.clone();
        all.extend(&dirty);
        let jobs = self.program.jobs_for(&all);
        let crates = self.images_of(&jobs);
        self.tell(&Event::Change { files: files.clone(), crates });
        for (name, notice) in self.program.copies_in_host(&dirty) {
            if self.told_copies.insert(name) {
                self.notice(notice);
            }
        }
        let stuck: Vec<String> = self.program.host_code(&dirty).map(|unit| unit.crate_name.clone()).collect();
        for crate_name in stuck {
            self.reject(
                &crate_name,
                Reason::new(
                    Rule::HostCode,
                    files.join(", "),
                    "source of a reloadable crate",
                    "source that is linked into the running program",
                    "end the program and run it again to see the edit",
                ),
            );
        }
        if jobs.is_empty() {
            self.edit = None;
            return;
        }
        self.dirty = all;
        self.build(jobs, Purpose::Publish);
    }

    fn reject(&mut self, crate_name: &str, reason: Reason) {
        let generation = self.generation;
        self.tell(&Event::Rejected { crate_name: crate_name.to_owned(), generation, reasons: vec![reason] });
    }

    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(self.workspace.root()).unwrap_or(path).display().to_string()
    }

    fn images_of(&self, jobs: &[Job]) -> Vec<String> {
        let images = jobs.iter().filter(|job| matches!(job.form, Form::Image | Form::Library));
        images.map(|job| self.program.units[job.unit].crate_name.clone()).collect()
    }

    /// The manifest, the lock file, a build script or a configuration changed: asks cargo for the commands anew. Returns the
    /// crates whose command is another.
    fn recapture(&mut self, files: &[PathBuf]) -> BTreeSet<Id> {
        match self.ask_cargo_again() {
            Ok(dirty) => dirty,
            Err(fatal) => {
                let files = files.iter().map(|file| self.shown(file)).collect::<Vec<_>>().join(", ");
                self.notice(format!("{files} changed, and cargo cannot build with it: {}", fatal.message));
                BTreeSet::new()
            }
        }
    }

    fn ask_cargo_again(&mut self) -> Result<BTreeSet<Id>, Fatal> {
        let workspace = cargo::workspace(&self.options.selection)?;
        let wanted = workspace.program(&self.options.selection)?;
        let mut capture = workspace.capture(&self.options.selection, &wanted.package, &wanted.flags, &self.session)?;
        let mut program = Program::new(&mut capture, &workspace, &wanted)?;
        self.add_libraries(&workspace, &mut program);
        let moved = program.take_identities(&self.program);
        let dirty = program.changed_since(&self.program);
        if let Some(moved) = moved {
            self.reject(
                &moved.name,
                Reason::new(
                    Rule::Dependencies,
                    format!("dependency `{}` of `{}`", moved.name, moved.user),
                    moved.before,
                    moved.after,
                    "the running program is linked with the first; undo the change, or end the program and run it again",
                ),
            );
            return Ok(BTreeSet::new());
        }
        if self.phase == Phase::FirstBuild {
            let host = &program.units[program.host];
            self.compiler = cargo::compiler(&host.captured.rustc, &host.captured.directory, host.target())?;
            self.linkage =
                linkage(self.options.linkage, &program, &workspace, &capture, &self.compiler, &self.session)?;
        }
        self.workspace = workspace;
        self.wanted = wanted;
        self.capture = capture;
        self.program = Arc::new(program);
        self.watch_workspace()?;
        Ok(dirty)
    }

    // ---- builds

    fn build(&mut self, jobs: Vec<Job>, purpose: Purpose) {
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

    fn built(&mut self, build: u64, report: Report) -> Result<(), Fatal> {
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

    fn publish(&mut self, building: &Building, artifacts: &[Artifact], warnings: usize, finished: Instant) {
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

    // ---- the program

    fn go_live(&mut self) -> Result<(), Fatal> {
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

    fn listen(&mut self) {
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

    // ---- libraries by name

    fn want(&mut self, name: String) {
        let path = Path::new(&name);
        let is_new = !self.wanted_crates.contains(&name) && !self.wanted_files.contains_key(path);
        if let Some(allocator) = self.linkage.own_allocator().filter(|_| is_new) {
            self.notice(format!(
                "library `{name}` has an allocator of its own, and the program's is {allocator}: what one of them allocates \
                 the other must not free or grow; in a crate with `#[reloadable]` all memory is the program's"
            ));
        }
        if path.is_absolute() {
            self.wanted_files.entry(path.to_owned()).or_insert(0);
            self.watch_file(path);
            self.stage_file(path, (now_us(), Instant::now()));
        } else if self.wanted_crates.insert(name.clone()) {
            self.want_crate(&name);
        }
    }

    /// Watches a library's folder, or as long as it is not there the nearest one above it.
    fn watch_file(&mut self, path: &Path) {
        let mut watched = None;
        loop {
            let nearest = path.ancestors().skip(1).find(|folder| folder.is_dir());
            // The next one may have been made before the watch began, unnoticed.
            let Some(folder) = nearest.filter(|folder| watched != Some(*folder)) else { return };
            if let Err(error) = self.watch.anew(folder) {
                return self.notice(format!("cannot watch {}: {error}", folder.display()));
            }
            watched = Some(folder);
        }
    }

    fn want_crate(&mut self, crate_name: &str) {
        let mut program = self.program.copy();
        let library = match self.add_library(&self.workspace, &mut program, crate_name) {
            Ok(library) => library,
            Err(message) => return self.notice(message),
        };
        // What is being built for hosts is built along with it.
        let building = self.building.as_ref();
        let building = building.filter(|building| building.purpose == Purpose::Publish);
        self.dirty.extend(building.into_iter().flat_map(|building| &building.jobs).map(|job| job.unit));
        // Whatever does not compile yet is built again with the edit that mends it.
        let mut jobs: BTreeSet<Job> = program.library_jobs(library).into_iter().collect();
        self.dirty.extend(jobs.iter().map(|job| job.unit));
        jobs.extend(program.jobs_for(&self.dirty));
        self.program = Arc::new(program);
        self.build(jobs.into_iter().collect(), Purpose::Publish);
    }

    /// Adds a library that a host asked for to a program; or says why it cannot.
    fn add_library(&self, workspace: &Workspace, program: &mut Program, crate_name: &str) -> Result<Id, String> {
        let asks = format!("the program asks for library `{crate_name}`");
        let Some(package) = workspace.library(crate_name) else {
            return Err(format!("{asks}, but no crate of the workspace has this name"));
        };
        // Together with the program, whose features the command line may name.
        let mut flags = vec!["-p".to_owned(), package.name.to_string(), "--lib".to_owned()];
        flags.extend(self.wanted.flags.clone());
        let capture = workspace.capture(&self.options.selection, &self.wanted.package, &flags, &self.session);
        let mut capture = capture.map_err(|fatal| format!("{asks}: {}", fatal.message))?;
        capture.units.retain(|unit| !unit.is_program());
        program.add_library(&mut capture, crate_name).ok_or_else(|| {
            format!(
                "{asks}, which is neither a `cdylib` nor a `dylib`: add `crate-type = [\"cdylib\"]` to [lib] in its \
                 Cargo.toml"
            )
        })
    }

    /// Adds all libraries that hosts asked for to a program for which cargo was asked anew.
    fn add_libraries(&mut self, workspace: &Workspace, program: &mut Program) {
        for crate_name in self.wanted_crates.clone() {
            if let Err(message) = self.add_library(workspace, program, &crate_name) {
                self.notice(message);
            }
        }
    }

    fn libraries_changed(&mut self, settled: &BTreeSet<&Path>, edits: &[Edit]) {
        let Some(first) = edits.first() else { return };
        for path in self.wanted_files.keys().cloned().collect::<Vec<_>>() {
            let is_above = |touched: &PathBuf| *touched != path && path.starts_with(touched);
            let is_moved = edits.iter().flat_map(|edit| &edit.paths).any(is_above);
            if is_moved {
                self.watch_file(&path);
            }
            if is_moved || settled.contains(path.as_path()) {
                self.stage_file(&path, (first.at_us, first.at));
            }
        }
    }

    /// Publishes a library that something else builds. Copied, once: whoever builds it may write over it while it is
    /// mapped.
    fn stage_file(&mut self, path: &Path, edit: (u64, Instant)) {
        let Ok(bytes) = std::fs::read(path) else { return };
        let sum = crc32fast::hash(&bytes).max(1);
        if self.wanted_files.get(path) == Some(&sum) {
            return;
        }
        let generation = self.generation.next();
        let staged = self.place.copy(path, generation);
        if let Err(error) = std::fs::write(&staged, &bytes) {
            self.notice(format!("cannot stage {}: {error}", path.display()));
            return;
        }
        let artifact = Artifact { crate_name: path.display().to_string(), kind: Kind::Library, path: staged };
        let now = Instant::now();
        let building = Building {
            id: 0,
            cancel: Cancel::default(),
            jobs: Vec::new(),
            purpose: Purpose::Publish,
            started: now,
            started_at: SystemTime::now(),
            edit: Some(edit),
        };
        let (dirty, first) = (self.dirty.clone(), self.edit);
        self.publish(&building, &[artifact], 0, now);
        (self.dirty, self.edit) = (dirty, first);
        if self.generation == generation {
            self.wanted_files.insert(path.to_owned(), sum);
        }
    }

    // ---- the end

    fn ended(&mut self, status: ExitStatus) -> u8 {
        self.stop_building();
        self.listen();
        let (code, signal) = exit_of(status);
        if let (Some(pid), Some(signal)) = (self.host, signal.filter(|&signal| fault(signal))) {
            let crashed = crate::crash::report(&self.session.directory, pid, signal);
            self.tell(&crashed);
        }
        self.tell(&Event::Exited { code, signal });
        match (code, signal) {
            (Some(code), _) => u8::try_from(code).unwrap_or(1),
            (None, Some(signal)) => u8::try_from(128 + signal).unwrap_or(1),
            (None, None) => 1,
        }
    }

    fn interrupted(&mut self, messages: &Receiver<Message>) -> u8 {
        self.stop_building();
        if let Some(pid) = self.host {
            terminate(pid);
            let deadline = Instant::now() + GRACE;
            loop {
                match messages.recv_deadline(deadline) {
                    Ok(Message::HostEnded(status)) => {
                        self.ended(status);
                        break;
                    }
                    Ok(_) => {}
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                        crate::process::kill(pid);
                        break;
                    }
                }
            }
        }
        ExitCode::Interrupted as u8
    }

    fn stop_building(&mut self) {
        if let Some(building) = self.building.take() {
            building.cancel.cancel();
        }
    }
}
