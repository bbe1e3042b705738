//! Waits for the next published generation, proves and loads it, and makes a plan of it. A thread of its own.
//!
//! Everything that reaches the thread comes through one channel; callbacks only enqueue.

use crate::attach::{Asked, Host};
use crate::events::log_event;
use crate::history::History;
use crate::lent::services;
use crate::load::load;
use crate::program::Program;
use crate::retained::{FreshGround, Retained, wipe_stack};
use crate::state::{Code, Save};
use crate::swap::{Plan, Target, slot_stores};
use crate::verify::{Against, Candidate, Verified, inside, verify};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use notify::{RecursiveMode, Watcher};
use pitstop_contract::event::{Event, Why};
use pitstop_contract::manifest::{self, Image, Kind, Manifest};
use pitstop_contract::request::Request;
use pitstop_contract::session::{
    CURRENT, ENV_SESSION, EVENTS, LOCK, MANIFEST, REQUESTS, host_crash, host_events, host_lock, state_file,
};
use pitstop_contract::{Generation, Reason, Rule};
use pitstop_proof::layout::{Layouts, Root, RootKind};
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How often the inbox looks whether values are to be saved.
const TICK: Duration = Duration::from_secs(1);

/// How many steps undo can go back, where images are unmapped.
const KEPT: usize = 2;

/// All that reaches the inbox's thread.
pub(crate) enum Message {
    /// Something in the session directory changed.
    Touched,
    /// Another session became the newest.
    SessionChanged,
    /// The host has something to tell.
    Report(Event),
    /// Drops the sender: all that was reported before is written.
    Written(Sender<bool>),
    /// A library was asked for, whose image may have arrived before.
    Replan,
    /// A plan was carried out.
    Swapped { target: Target, why: Option<Why> },
    /// A plan cannot be: what was live stays live.
    Refused,
    /// A person asks for something.
    Asked(Request),
    /// Code of this generation panicked: nothing but a person's redo leads back to it.
    Panicked { crate_name: String, generation: Generation },
    /// And it is to be live no longer.
    RollBack { crate_name: String, generation: Generation },
    /// An event that takes a while to put together.
    Tell(Box<dyn FnOnce() -> Event + Send>),
    /// Whether a watcher is there.
    IsWatched(Sender<bool>),
    /// Values were saved, to be written down.
    Save(Save),
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
        crate::crash::prepare(&directory.join(host_crash(pid)));
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
    /// By crate, the newest image looked at, loaded or refused.
    seen: HashMap<String, Generation>,
    /// What is live once every plan is carried out.
    target: Target,
    history: History,
    retained: Retained,
    /// Images whose code keeps values by their type, the first for each type.
    kept_by_type: Vec<Layouts>,
    last_manifest: Vec<u8>,
    events_read: u64,
    requests_read: u64,
    /// The values that are in the file of the last save, and those that could not be saved.
    saved: Option<(Vec<String>, Vec<Reason>)>,
}

impl Inbox {
    fn new(host: &'static Host, session: Session) -> Self {
        Self {
            host,
            session,
            seen: HashMap::new(),
            target: Target::new(),
            history: History::default(),
            retained: Retained::new(host),
            kept_by_type: Vec::new(),
            last_manifest: Vec::new(),
            events_read: 0,
            requests_read: 0,
            saved: None,
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
        loop {
            let message = match messages.recv_timeout(TICK) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => {
                    if !self.host.states.is_empty() && self.host.states.due.now() {
                        self.host.ask(Asked { save: 0, end: false });
                    }
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            match message {
                Message::Touched => self.look(),
                Message::Report(event) => self.report(event),
                Message::Written(told) => drop(told),
                Message::Replan => self.offer(Vec::new()),
                Message::Swapped { target, why } => {
                    match why {
                        None => self.history.went_on(target),
                        Some(_) => self.history.moved(&target),
                    }
                    if self.host.config.unload {
                        self.host.states.forget(&self.history.forget(KEPT, &self.target));
                    }
                }
                Message::Refused => self.target = self.history.live().clone(),
                Message::Asked(request) => self.asked(&request),
                Message::Panicked { crate_name, generation } => self.history.mark(&crate_name, generation),
                Message::Tell(event) => self.report(event()),
                Message::IsWatched(reply) => drop(reply.send(is_watched(&self.session.directory))),
                Message::RollBack { crate_name, generation } => {
                    let live = self.history.live().get(&crate_name).map(|image| image.image.generation);
                    // Else it is on its way out already.
                    if live == Some(generation) {
                        self.go(Why::Panic);
                    }
                }
                Message::Save(save) => self.write_down(save),
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
        crate::plugin::ask_again();
        true
    }

    fn asked(&mut self, request: &Request) {
        match request {
            Request::Undo => self.go(Why::Undo),
            Request::Redo => self.go(Why::Redo),
            Request::Save { id, end, pid } if pid.is_none_or(|pid| pid == std::process::id()) => {
                self.host.ask(Asked { save: *id, end: *end });
            }
            // Another host's, and the watcher's.
            Request::Save { .. } | Request::Restart => {}
        }
    }

    /// Makes an earlier or a later generation pending.
    fn go(&mut self, why: Why) {
        let Some(target) = self.history.towards(why) else {
            let message = match why {
                Why::Panic => return,
                Why::Undo => "there is no earlier generation to go back to",
                Why::Redo => "there is no later generation to go forward to",
            };
            return self.report(Event::Notice { message: message.to_owned() });
        };
        self.target = target;
        self.propose(Vec::new(), Some(why));
    }

    /// Saves of the program's own accord have one file, and are told of when other values are in it than before.
    fn write_down(&mut self, save: Save) {
        let Save { id, snapshot, lost, took, .. } = save;
        let path = self.session.directory.join(state_file(std::process::id(), id));
        let bytes = rmp_serde::to_vec_named(&snapshot).map_err(|error| error.to_string());
        let written = bytes.and_then(|bytes| {
            let length = bytes.len() as u64;
            // Whole or not at all: it may be the crash of this program that somebody reads it after.
            let draft = path.with_extension("draft");
            let moved = std::fs::write(&draft, bytes).and_then(|()| std::fs::rename(&draft, &path));
            moved.map(|()| length).map_err(|error| error.to_string())
        });
        let states = snapshot.states.iter().map(|state| crate::state::name(&state.type_name, &state.key)).collect();
        let contents = (states, lost);
        match written {
            Ok(_) if id == 0 && self.saved.as_ref() == Some(&contents) => {}
            Ok(bytes) => {
                let (states, lost) = contents.clone();
                let took_ms = took.as_secs_f64() * 1e3;
                self.report(Event::Saved { id, file: path.display().to_string(), states, lost, bytes, took_ms });
                self.saved = Some(contents);
            }
            Err(error) => {
                let message = format!("carried values cannot be saved in {}: {error}", path.display());
                self.report(Event::Notice { message });
            }
        }
    }

    fn look(&mut self) {
        self.pass_on_events();
        for request in self.requests() {
            self.asked(&request);
        }
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
        let mut groups: Vec<(Generation, Vec<Image>)> = Vec::new();
        for image in manifest.images {
            let seen = self.seen.get(&image.crate_name);
            if seen.is_some_and(|seen| image.generation <= *seen) {
                continue;
            }
            self.seen.insert(image.crate_name.clone(), image.generation);
            if image.kind == Kind::Plugin {
                // No part of the program's own code.
                self.hand_over(&image);
            } else {
                match groups.binary_search_by(|(known, _)| known.cmp(&image.generation)) {
                    Ok(at) => groups[at].1.push(image),
                    Err(at) => groups.insert(at, (image.generation, vec![image])),
                }
            }
        }
        let mut fresh = Vec::new();
        for (_, images) in groups {
            fresh.extend(self.take_group(images));
        }
        if !fresh.is_empty() {
            self.offer(fresh);
        }
    }

    /// A plugin's file, to whoever loads plugins.
    fn hand_over(&mut self, image: &Image) {
        match inside(&image.file) {
            Ok(()) => crate::plugin::published(image, &self.session.directory.join(&image.file)),
            Err(reason) => {
                let (crate_name, generation) = (image.crate_name.clone(), image.generation);
                self.report(Event::Rejected { crate_name, generation, reasons: vec![reason] });
            }
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
        let ground = self.host.config.unload.then(FreshGround::new);
        for (crate_name, generation, image) in verified {
            // One that is loaded stays so, and so do its types: of an edit of a body, they are not kept twice.
            let before = self.target.get(&crate_name).map(|before| Arc::clone(&before.layouts));
            match load(image, before.as_ref(), || services(self.host, &crate_name, generation)) {
                Ok(image) => {
                    wipe_stack();
                    loaded.push(Arc::new(image));
                }
                Err(reasons) => {
                    self.report(Event::Rejected { crate_name, generation, reasons });
                    return Vec::new();
                }
            }
        }
        drop(ground);
        if let Err((image, reasons)) = self.host.shelf.admit(&loaded) {
            let (crate_name, generation) = (image.image.crate_name.clone(), image.image.generation);
            self.report(Event::Rejected { crate_name, generation, reasons });
            return Vec::new();
        }
        for image in &loaded {
            self.remember_kept_by_type(&image.layouts);
            self.retained.loaded(image);
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
            self.history.loaded(Arc::clone(image));
            self.host.states.know(&Code::Image(Arc::clone(image)), &image.carried.names());
        }
        self.propose(fresh, None);
    }

    fn propose(&mut self, fresh: Vec<Arc<crate::load::Loaded>>, why: Option<Why>) {
        // A library is not part of what is undone: what calls it by name knows no earlier one.
        let libraries = self.history.live().iter().filter(|(_, image)| image.image.kind == Kind::Library);
        for (name, image) in libraries {
            self.target.entry(name.clone()).or_insert_with(|| Arc::clone(image));
        }
        let mut stores = slot_stores(&self.target, &self.host.program);
        for image in self.target.values().filter(|image| image.image.kind == Kind::Library) {
            stores.extend(self.host.shelf.stores(image));
        }
        let seats = self.history.seats(&self.target);
        self.host.offer(Plan { stores, fresh, target: self.target.clone(), seats, why });
        wipe_stack();
        self.host.shelf.arrived(&self.target);
    }

    fn report(&mut self, event: Event) {
        log_event(&event);
        self.retained.note(&event);
        self.session.append(&event);
        self.host.listeners.tell(&event);
    }

    /// What was said and asked before this host was there is not for it.
    fn skip_old_events(&mut self) {
        let length = |name| std::fs::metadata(self.session.directory.join(name)).map_or(0, |metadata| metadata.len());
        (self.events_read, self.requests_read) = (length(EVENTS), length(REQUESTS));
    }

    fn pass_on_events(&mut self) {
        let path = self.session.directory.join(EVENTS);
        for event in appended::<Event>(&path, &mut self.events_read) {
            crate::plugin::heard(&event);
            self.host.listeners.tell(&event);
        }
    }

    fn requests(&mut self) -> Vec<Request> {
        appended(&self.session.directory.join(REQUESTS), &mut self.requests_read)
    }
}

/// The lines that were appended to a file since it was `read` that far. One that is unknown here, of a newer command's, is
/// passed over, and one that is still being written is left for the next time.
fn appended<T: DeserializeOwned>(path: &Path, read: &mut u64) -> Vec<T> {
    let Ok(mut file) = File::open(path) else { return Vec::new() };
    let mut text = Vec::new();
    if file.seek(SeekFrom::Start(*read)).is_err() || file.read_to_end(&mut text).is_err() {
        return Vec::new();
    }
    let Some(end) = text.iter().rposition(|&byte| byte == b'\n') else { return Vec::new() };
    *read += end as u64 + 1;
    text[..end].split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
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
        if names(MANIFEST) || names(EVENTS) || names(REQUESTS) {
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
