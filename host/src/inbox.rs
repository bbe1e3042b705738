//! Waits for the next published generation, proves and loads it, and makes a plan of it. A thread of its own.
//!
//! Everything that reaches the thread comes through one channel; callbacks only enqueue.

use crate::attach::Host;
use crate::load::load;
use crate::program::Program;
use crate::swap::{Plan, Target, slot_stores};
use crate::verify::{Against, Candidate, Verified, verify};
use crossbeam_channel::{Receiver, Sender};
use notify::{RecursiveMode, Watcher};
use pitstop_contract::event::{Answer, Event};
use pitstop_contract::manifest::{self, Image, Kind, Manifest};
use pitstop_contract::session::{CURRENT, ENV_SESSION, EVENTS, LOCK, MANIFEST, host_events, host_lock};
use pitstop_contract::{Generation, Reason, Rule};
use pitstop_proof::layout::{Layouts, Root, RootKind};
use pitstop_reloadable::__private::Services;
use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// All that reaches the inbox's thread.
pub(crate) enum Message {
    /// Something in the session directory changed.
    Touched,
    /// Another session became the newest.
    SessionChanged,
    /// The host has something to tell.
    Report(Event),
    /// Drops the sender: all that was reported before is written.
    Written(Sender<()>),
    /// A library was asked for, whose image may have arrived before.
    Replan,
}

/// A session that this host takes part in.
pub(crate) struct Session {
    directory: PathBuf,
    /// Held as long as the host lives, so that nobody removes what it has mapped.
    _lock: Option<File>,
    log: Option<File>,
}

/// The session that started this process, or the newest one that watches its build.
pub(crate) fn find_session(program: &Program) -> Option<Session> {
    if let Some(directory) = std::env::var_os(ENV_SESSION) {
        let directory = PathBuf::from(directory);
        if directory.is_dir() {
            return Some(Session::join(directory));
        }
        log::warn!("pitstop: {ENV_SESSION} names {}, which is no directory; not attached", directory.display());
        return None;
    }
    newest_session(&program.sessions()?).map(Session::join)
}

fn newest_session(sessions: &Path) -> Option<PathBuf> {
    let name = std::fs::read_to_string(sessions.join(CURRENT)).ok()?;
    let directory = sessions.join(name.trim());
    is_watched(&directory).then_some(directory)
}

/// Whether a watcher holds the session's lock.
fn is_watched(directory: &Path) -> bool {
    match File::open(directory.join(LOCK)) {
        Ok(file) => file.try_lock_shared().is_err(),
        Err(_) => false,
    }
}

impl Session {
    fn join(directory: PathBuf) -> Self {
        let pid = std::process::id();
        let lock = File::create(directory.join(host_lock(pid)));
        let lock = lock.and_then(|file| file.lock().map(|()| file));
        let log = OpenOptions::new().create(true).append(true).open(directory.join(host_events(pid)));
        for error in [lock.as_ref().err(), log.as_ref().err()].into_iter().flatten() {
            log::warn!(
                "pitstop: cannot write into {}: {error}; the watcher will not hear of this host",
                directory.display()
            );
        }
        Self { directory, _lock: lock.ok(), log: log.ok() }
    }

    fn append(&mut self, event: &Event) {
        let (Some(log), Ok(mut line)) = (&mut self.log, serde_json::to_string(event)) else {
            return;
        };
        line.push('\n');
        // One write per line, so that the watcher never reads half of one. A full disk costs the line, not the host.
        let _ = log.write_all(line.as_bytes());
    }
}

/// Starts the thread.
pub(crate) fn start(host: &'static Host, session: Session, messages: Receiver<Message>) {
    let thread = std::thread::Builder::new().name("pitstop-inbox".to_owned());
    let spawned = thread.spawn(move || Inbox::new(host, session).run(&messages));
    if let Err(error) = spawned {
        log::error!("pitstop: cannot start the inbox's thread: {error}; nothing will be reloaded");
    }
}

struct Inbox {
    host: &'static Host,
    session: Session,
    /// Made for the first image: by then the host has set its logger.
    services: Option<&'static Services>,
    /// By crate, the newest image looked at, loaded or refused.
    seen: HashMap<String, Generation>,
    target: Target,
    /// Images whose code keeps values by their type, the first for each type.
    kept_by_type: Vec<Layouts>,
    last_manifest: Vec<u8>,
    events_read: u64,
}

impl Inbox {
    fn new(host: &'static Host, session: Session) -> Self {
        Self {
            host,
            session,
            services: None,
            seen: HashMap::new(),
            target: Target::new(),
            kept_by_type: Vec::new(),
            last_manifest: Vec::new(),
            events_read: 0,
        }
    }

    fn run(mut self, messages: &Receiver<Message>) {
        self.report(Event::Attached { pid: std::process::id() });
        // Watch first, look then: what is published in between is seen twice rather than never.
        let mut watch = self.watch();
        self.skip_old_events();
        self.look();
        // Before the first edit comes, which would wait for it.
        self.host.program.layouts();
        for message in messages {
            match message {
                Message::Touched => self.look(),
                Message::Report(event) => self.report(event),
                Message::Written(told) => drop(told),
                Message::Replan => self.offer(Vec::new()),
                Message::SessionChanged => {
                    if self.move_to_newest_session() {
                        watch = self.watch();
                        self.skip_old_events();
                        self.look();
                    }
                }
            }
        }
        drop(watch);
    }

    fn watch(&self) -> Option<Box<dyn Watcher + Send>> {
        let directory = &self.session.directory;
        let watched = watch(directory, self.host.inbox.clone());
        watched
            .inspect_err(|error| {
                log::error!("pitstop: cannot watch {}: {error}; nothing will be reloaded", directory.display())
            })
            .ok()
    }

    /// A watcher that was killed and started again has a new session: follow it there.
    fn move_to_newest_session(&mut self) -> bool {
        let directory = &self.session.directory;
        let Some(newest) = directory.parent().and_then(newest_session) else {
            return false;
        };
        if newest == *directory || is_watched(directory) {
            return false;
        }
        self.session = Session::join(newest);
        self.seen.clear();
        self.last_manifest.clear();
        self.events_read = 0;
        self.report(Event::Attached { pid: std::process::id() });
        for path in self.host.shelf.names() {
            self.report(Event::Wanted { path });
        }
        true
    }

    fn look(&mut self) {
        self.pass_on_events();
        let path = self.session.directory.join(MANIFEST);
        let Ok(bytes) = std::fs::read(&path) else { return };
        if bytes == self.last_manifest {
            return;
        }
        match read_manifest(&path, &bytes) {
            Ok(manifest) => self.take(manifest),
            Err(reason) => self.report(Event::Rejected {
                crate_name: String::new(),
                generation: Generation::LINKED,
                reasons: vec![reason],
            }),
        }
        self.last_manifest = bytes;
    }

    /// Proves and loads what is new. Images of one generation were built together and are taken together or not at all.
    fn take(&mut self, manifest: Manifest) {
        let mut groups: BTreeMap<Generation, Vec<Image>> = BTreeMap::new();
        for image in manifest.images {
            let seen = self.seen.get(&image.crate_name);
            if seen.is_none_or(|seen| image.generation > *seen) {
                self.seen.insert(image.crate_name.clone(), image.generation);
                groups.entry(image.generation).or_default().push(image);
            }
        }
        let mut fresh = Vec::new();
        for images in groups.into_values() {
            fresh.extend(self.take_group(images));
        }
        if !fresh.is_empty() {
            self.offer(fresh);
        }
    }

    fn take_group(&mut self, images: Vec<Image>) -> Vec<Arc<crate::load::Loaded>> {
        let mut verified = Vec::new();
        let mut refused = false;
        for image in images {
            let (crate_name, generation) = (image.crate_name.clone(), image.generation);
            let candidate = Candidate { path: self.session.directory.join(&image.file), image };
            let Host { program, shelf, .. } = self.host;
            match verify(candidate, &Against { program, shelf, earlier: &self.kept_by_type }) {
                Ok(image) => {
                    self.report_proof(&image);
                    verified.push((crate_name, generation, image));
                }
                Err(reasons) => {
                    refused = true;
                    self.report(Event::Rejected { crate_name, generation, reasons });
                }
            }
        }
        if refused {
            return Vec::new();
        }
        let mut loaded = Vec::new();
        let services = *self.services.get_or_insert_with(|| services(self.host));
        for (crate_name, generation, image) in verified {
            match load(image, services) {
                Ok(image) => loaded.push(Arc::new(image)),
                Err(reasons) => {
                    self.report(Event::Rejected { crate_name, generation, reasons });
                    return Vec::new();
                }
            }
        }
        if let Err((image, reasons)) = self.host.shelf.admit(&loaded) {
            let (crate_name, generation) = (image.image.crate_name.clone(), image.image.generation);
            self.report(Event::Rejected { crate_name, generation, reasons });
            return Vec::new();
        }
        for image in &loaded {
            self.remember_kept_by_type(&image.layouts);
        }
        loaded
    }

    /// Of libraries without the attribute, what is proven is told by their handles.
    fn report_proof(&mut self, image: &Verified) {
        let (facts, proof) = (image.image(), image.proof());
        if facts.kind == Kind::Reloadable {
            self.report(Event::Verified {
                crate_name: facts.crate_name.clone(),
                generation: facts.generation,
                types: proof.compared,
                gaps: proof.gaps.clone(),
                notes: proof.notes.clone(),
            });
        }
    }

    /// Values that this image makes may be kept by their type for as long as the program runs.
    fn remember_kept_by_type(&mut self, layouts: &Layouts) {
        let is_new = |root: &Root| {
            root.kind == RootKind::Keyed
                && !self
                    .kept_by_type
                    .iter()
                    .any(|known| known.roots.iter().any(|other| other.kind == root.kind && other.name == root.name))
        };
        if layouts.roots.iter().any(is_new) {
            self.kept_by_type.push(layouts.clone());
        }
    }

    fn offer(&mut self, fresh: Vec<Arc<crate::load::Loaded>>) {
        for image in &fresh {
            self.target.insert(image.image.crate_name.clone(), Arc::clone(image));
        }
        let mut stores = slot_stores(&self.target, &self.host.program);
        for image in self.target.values().filter(|image| image.image.kind == Kind::Library) {
            stores.extend(self.host.shelf.stores(image));
        }
        self.host.offer(Plan { stores, fresh });
        self.host.shelf.arrived(&self.target);
    }

    fn report(&mut self, event: Event) {
        match &event {
            Event::Rejected { crate_name, generation, reasons } => {
                for reason in reasons {
                    log::warn!("pitstop: {crate_name} generation {generation} refused: {reason}");
                }
            }
            Event::Live { crate_name, generation, edit_to_live_ms, .. } => {
                log::info!(
                    "pitstop: {crate_name} generation {generation} is live, {edit_to_live_ms:.0} ms after the edit"
                );
            }
            _ => {}
        }
        self.session.append(&event);
        self.host.listeners.tell(&event);
    }

    /// What the watcher said before this host was there is not news.
    fn skip_old_events(&mut self) {
        let events = std::fs::metadata(self.session.directory.join(EVENTS));
        self.events_read = events.map_or(0, |metadata| metadata.len());
    }

    fn pass_on_events(&mut self) {
        let path = self.session.directory.join(EVENTS);
        let Ok(mut file) = File::open(path) else { return };
        let mut text = Vec::new();
        if file.seek(SeekFrom::Start(self.events_read)).is_err() || file.read_to_end(&mut text).is_err() {
            return;
        }
        let Some(end) = text.iter().rposition(|&byte| byte == b'\n') else { return };
        self.events_read += end as u64 + 1;
        for line in text[..end].split(|&byte| byte == b'\n') {
            // A line of a newer watcher's that this host does not know is passed over.
            if let Ok(event) = serde_json::from_slice::<Event>(line) {
                self.host.listeners.tell(&event);
            }
        }
    }
}

fn read_manifest(path: &Path, bytes: &[u8]) -> Result<Manifest, Reason> {
    let subject = path.display().to_string();
    let refuse = |expected: String, found: String| {
        let advice = "end the session and start it anew with one version of `cargo pitstop` and `pitstop-host`";
        Reason::new(Rule::Manifest, &subject, expected, found, advice)
    };
    // The format comes first: the rest of another format may be anything.
    let value: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|error| refuse("a manifest in JSON".to_owned(), error.to_string()))?;
    let format = value.get("format").and_then(serde_json::Value::as_u64);
    if format != Some(u64::from(manifest::FORMAT)) {
        let found = format.map_or("none".to_owned(), |format| format!("format {format}"));
        return Err(refuse(format!("format {}", manifest::FORMAT), found));
    }
    serde_json::from_value(value).map_err(|error| refuse("a manifest's fields".to_owned(), error.to_string()))
}

/// Watches the session's files, and the name of the newest session beside it.
fn watch(directory: &Path, inbox: Sender<Message>) -> notify::Result<Box<dyn Watcher + Send>> {
    let enqueue = move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        if event.kind.is_access() {
            return;
        }
        let names = |name: &str| event.paths.iter().any(|path| path.file_name().is_some_and(|file| file == name));
        if names(MANIFEST) || names(EVENTS) {
            let _ = inbox.send(Message::Touched);
        } else if names(CURRENT) {
            let _ = inbox.send(Message::SessionChanged);
        }
    };
    let mut watcher: Box<dyn Watcher + Send> = match notify::recommended_watcher(enqueue.clone()) {
        Ok(watcher) => Box::new(watcher),
        Err(error) => {
            log::warn!("pitstop: {error}; looking every 100 ms instead");
            let config = notify::Config::default().with_poll_interval(Duration::from_millis(100));
            Box::new(notify::PollWatcher::new(enqueue, config)?)
        }
    };
    watcher.watch(directory, RecursiveMode::NonRecursive)?;
    if let Some(sessions) = directory.parent() {
        watcher.watch(sessions, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

/// How long a panic may be held back for its event.
const LAST_WORDS: Duration = Duration::from_millis(500);

static PANICS: OnceLock<&'static Host> = OnceLock::new();

fn services(host: &'static Host) -> &'static Services {
    let _ = PANICS.set(host);
    let linkage = host.program.built.crates.values().next();
    let shared_std = linkage.is_some_and(|facts| {
        use pitstop_contract::descriptor::{fact, linkage};
        facts.get(fact::LINKAGE) == linkage::SHARED
    });
    Box::leak(Box::new(Services {
        alloc: std::alloc::alloc,
        alloc_zeroed: std::alloc::alloc_zeroed,
        realloc: std::alloc::realloc,
        dealloc: std::alloc::dealloc,
        panicked,
        raise,
        logger: &HostLogger,
        max_level: log::max_level() as usize,
        shared_std,
    }))
}

/// Whatever logger the host has at the time.
struct HostLogger;

impl log::Log for HostLogger {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        log::logger().enabled(metadata)
    }

    fn log(&self, record: &log::Record<'_>) {
        log::logger().log(record);
    }

    fn flush(&self) {
        log::logger().flush();
    }
}

fn panicked(function: &str, message: &str) {
    let Some(host) = PANICS.get() else { return };
    host.report(Event::Panicked {
        crate_name: pitstop_contract::descriptor::crate_of(function).to_owned(),
        generation: host.live_generation(function),
        function: function.to_owned(),
        message: message.to_owned(),
        location: None,
        backtrace: Vec::new(),
        count: 1,
        answer: Answer::Propagate,
    });
    // Nobody may catch it, and then the program ends here: what was reported is written first. Not at any price, for the
    // inbox may be loading an image.
    let (told, written) = crossbeam_channel::bounded(0);
    if host.inbox.send(Message::Written(told)).is_ok() {
        let _ = written.recv_timeout(LAST_WORDS);
    }
}

/// Begins a panic of the host's own `std`, whose unwinding an image's frames let pass.
fn raise(message: String) -> ! {
    std::panic::resume_unwind(Box::new(message))
}
