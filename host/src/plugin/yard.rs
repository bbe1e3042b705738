//! Where versions of plugins come from and where they go: staged, proven and opened off the program's threads; live at its safe
//! point; ended once nothing calls them.
//!
//! One thread for each registry decides; whatever may take long, a start or an end, is on a thread of its own.

use super::backend::{self, Candidate, Instance};
use super::post::Post;
use super::route::Routing;
use super::shared::{Shared, forget};
use super::spec::{Source, Spec};
use super::stage;
use super::version::{Counts, Version};
use crate::attach::attached;
use crate::follow::{Depth, Follow, Touch};
use crate::library::find_beside_executable;
use crate::pending;
use crate::swap::micros_since_1970;
use crate::verify::attached as attached_layouts;
use crossbeam_channel::{Receiver, Sender};
use pitstop_contract::event::{Event, Recipe, Stages};
use pitstop_contract::manifest::{Image, plugin_image};
use pitstop_contract::{Generation, Reason, Rule};
use pitstop_proof::Proof;
use pitstop_proof::file::{identical, read};
use pitstop_reloadable::PluginError;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// All that reaches a registry's thread.
pub(crate) enum Message {
    /// A plugin is new here, or is configured anew.
    Adopt(Arc<Post>),
    /// Files changed.
    Touched(Touch),
    /// The session's watcher has published a version.
    Published { name: String, image: Box<Image>, path: PathBuf },
    /// The session's watcher could not build one.
    NotBuilt { name: String, why: String },
    /// Another watcher is there, which is to be asked for all plugins.
    AskAgain,
    /// What became of a candidate.
    Loaded(Box<Loaded>),
    /// Something happened.
    Tell(Event),
    /// Nobody calls this version any more.
    Drained(Drained),
    /// A version has ended.
    Retired { name: String, number: Generation, counts: Arc<Counts> },
    /// Load a version from this file, not to be live.
    Standby { post: Arc<Post>, file: PathBuf, reply: Sender<Result<Generation, Vec<Reason>>> },
    /// A plugin has gone.
    Gone(Arc<Post>),
    /// Drops the sender once all plugins have a first version, or none to be had.
    Settled(Sender<()>),
    /// The program is done with its plugins.
    End,
}

/// A version that nobody calls any more.
pub(crate) struct Drained {
    pub(crate) name: String,
    pub(crate) number: Generation,
    pub(crate) instance: Box<dyn Instance>,
    pub(crate) grace: Duration,
    pub(crate) file: PathBuf,
    pub(crate) counts: Arc<Counts>,
}

/// What became of a candidate.
pub(crate) struct Loaded {
    post: Arc<Post>,
    number: Generation,
    purpose: Purpose,
    outcome: Outcome,
}

enum Outcome {
    /// The file is what it was.
    Same,
    Refused(Vec<Reason>),
    Ready {
        version: Arc<Version>,
        proof: Proof,
        timing: Timing,
    },
}

enum Purpose {
    /// To be live.
    Live,
    /// To be routed to.
    Standby(Sender<Result<Generation, Vec<Reason>>>),
}

/// Where a candidate comes from.
enum From {
    /// A file that anything may write.
    File(PathBuf),
    /// One that the watcher has staged.
    Image { image: Box<Image>, path: PathBuf },
}

/// When its change was noticed, and where the time went since.
#[derive(Clone, Copy)]
struct Timing {
    edit_at_us: u64,
    stages: Stages,
    bytes: u64,
    ready: Instant,
}

pub(crate) struct Yard {
    shared: Arc<Shared>,
    follow: Follow,
    /// The last number that was given, without a session.
    numbers: u32,
    /// Plugins that have no version yet, and may get one.
    expected: BTreeSet<String>,
    waiting: Vec<Sender<()>>,
    /// Versions that are loaded, or about to be.
    alive: usize,
    ended: bool,
}

impl Yard {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let yard = shared.yard.clone();
        let follow = Follow::new(move |touch| drop(yard.send(Message::Touched(touch))));
        Self { shared, follow, numbers: 0, expected: BTreeSet::new(), waiting: Vec::new(), alive: 0, ended: false }
    }

    /// Until the program is done with its plugins and all of them have ended.
    pub(crate) fn run(mut self, messages: &Receiver<Message>) {
        self.scan();
        while let Ok(message) = messages.recv() {
            self.take(message);
            if self.expected.is_empty() {
                self.waiting.clear();
            }
            if self.ended && self.alive == 0 {
                return;
            }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Adopt(post) => self.adopt(&post),
            Message::Touched(touch) => self.touched(&touch),
            Message::Published { name, image, path } => {
                if let Some(post) = self.shared.post(&name) {
                    let number = image.generation;
                    self.load(&post, number, From::Image { image, path }, Purpose::Live, None);
                }
            }
            Message::NotBuilt { name, why } => {
                if let Some(post) = self.shared.post(&name) {
                    self.expected.remove(&name);
                    post.standing().problem = Some(why);
                }
            }
            Message::AskAgain => {
                for post in self.shared.posts() {
                    post.standing().newest = Generation::LINKED;
                    self.adopt(&post);
                }
            }
            Message::Loaded(loaded) => self.loaded(*loaded),
            Message::Tell(event) => self.shared.tell(&event),
            Message::Drained(drained) => self.drained(drained),
            Message::Retired { name, number, counts } => {
                self.alive -= 1;
                let (calls, errors) = (counts.calls(), counts.errors());
                self.shared.tell(&Event::Retired {
                    crate_name: plugin_image(&name),
                    generation: number,
                    calls,
                    errors,
                });
            }
            Message::Standby { post, file, reply } => {
                let number = self.next_number();
                self.load(&post, number, From::File(file), Purpose::Standby(reply), None);
            }
            Message::Gone(post) => {
                self.expected.remove(&post.name);
                if self.shared.remove(&post) && attached().is_some() {
                    forget(&post.name);
                    self.shared.tell(&Event::PluginForgotten { name: post.name.clone() });
                }
            }
            Message::Settled(sender) => self.waiting.push(sender),
            Message::End => {
                self.ended = true;
                self.expected.clear();
                self.shared.close();
            }
        }
    }

    fn next_number(&mut self) -> Generation {
        self.numbers += 1;
        Generation(self.numbers)
    }

    /// Reads the configuration once more, and brings what is loaded in line with it.
    fn scan(&mut self) {
        for folder in self.shared.folders() {
            self.follow.folder(&folder.0, folder.1);
        }
        for post in self.shared.scan() {
            self.adopt(&post);
        }
    }

    /// Has a plugin's first version loaded, or another one where it is configured anew.
    fn adopt(&mut self, post: &Arc<Post>) {
        let spec = Arc::clone(&post.standing().spec);
        if self.ended || !post.standing().is_enabled {
            return;
        }
        if !post.has_version() {
            self.expected.insert(post.name.clone());
        }
        post.standing().staged = None;
        if attached().is_some() {
            self.shared.tell(&wanted(&spec));
            if let Some((image, path)) = self.shared.image(&post.name).filter(|_| !is_loaded_as(post, &spec)) {
                let number = image.generation;
                // What was edited is its configuration, just now.
                let edit_at_us = micros_since_1970();
                let image = Image { edit_at_us, detect_ms: 0.0, build_ms: 0.0, stage_ms: 0.0, ..image };
                self.load(post, number, From::Image { image: Box::new(image), path }, Purpose::Live, None);
            }
            return;
        }
        match file_of(&spec) {
            Ok(file) => {
                if let Some(folder) = file.parent() {
                    self.follow.folder(folder, Depth::Folder);
                }
                let number = self.next_number();
                self.load(post, number, From::File(file), Purpose::Live, None);
            }
            Err(reason) => {
                self.expected.remove(&post.name);
                post.standing().problem = Some(reason.to_string());
                self.refuse(post, Generation::LINKED, vec![reason]);
            }
        }
    }

    fn touched(&mut self, touch: &Touch) {
        if self.ended {
            return;
        }
        if self.shared.concerns_configuration(&touch.paths) {
            self.scan();
        }
        if attached().is_some() {
            return;
        }
        for post in self.shared.posts() {
            let (spec, enabled) = {
                let standing = post.standing();
                (Arc::clone(&standing.spec), standing.is_enabled)
            };
            let Ok(file) = file_of(&spec) else { continue };
            if enabled && touch.paths.iter().any(|touched| file.starts_with(touched)) {
                let number = self.next_number();
                self.load(&post, number, From::File(file), Purpose::Live, Some(touch));
            }
        }
    }

    /// Stages, proves and opens a candidate, on a thread of its own.
    fn load(&mut self, post: &Arc<Post>, number: Generation, from: From, purpose: Purpose, touch: Option<&Touch>) {
        self.alive += 1;
        let seen = touch.map_or_else(|| (micros_since_1970(), Instant::now()), |touch| (touch.at_us, touch.at));
        let (post, shared) = (Arc::clone(post), Arc::clone(&self.shared));
        let spec = Arc::clone(&post.standing().spec);
        let work = move || {
            let outcome = load(&shared, &post, &spec, number, from, seen, &purpose);
            let _ = shared.yard.send(Message::Loaded(Box::new(Loaded { post, number, purpose, outcome })));
        };
        let spawned = std::thread::Builder::new().name("pitstop-plugin".to_owned()).spawn(work);
        if let Err(error) = spawned {
            self.alive -= 1;
            self.expected.clear();
            log::error!("pitstop: cannot start a thread for a plugin: {error}");
        }
    }

    fn loaded(&mut self, loaded: Loaded) {
        let Loaded { post, number, purpose, outcome } = loaded;
        self.expected.remove(&post.name);
        let is_here = !self.ended && self.shared.post(&post.name).is_some_and(|known| Arc::ptr_eq(&known, &post));
        let (version, proof, timing) = match outcome {
            Outcome::Ready { version, proof, timing } => (version, proof, timing),
            Outcome::Same => {
                self.alive -= 1;
                return;
            }
            Outcome::Refused(reasons) => {
                self.alive -= 1;
                match purpose {
                    Purpose::Standby(reply) => drop(reply.send(Err(reasons))),
                    Purpose::Live if is_here => {
                        let problem = reasons.first().map(ToString::to_string);
                        let before = std::mem::replace(&mut post.standing().problem, problem.clone());
                        // One change may be noticed more than once.
                        if before != problem {
                            self.refuse(&post, number, reasons);
                        }
                    }
                    Purpose::Live => {}
                }
                return;
            }
        };
        if !is_here {
            return;
        }
        let Proof { compared, gaps, notes, .. } = proof;
        let crate_name = plugin_image(&post.name);
        match purpose {
            Purpose::Standby(reply) => {
                post.standing().standby.push(version);
                let _ = reply.send(Ok(number));
            }
            Purpose::Live => self.offer(post, version, timing),
        }
        // What this wakes finds the version at its next safe point. That it is live is told later, by a message to this thread.
        self.shared.tell(&Event::Verified { crate_name, generation: number, types: compared, gaps, notes });
    }

    /// A first version is live at once: nothing calls another one. Others wait for the safe point.
    fn offer(&self, post: Arc<Post>, version: Arc<Version>, timing: Timing) {
        {
            let mut standing = post.standing();
            if version.number < standing.newest {
                return;
            }
            standing.newest = version.number;
            standing.problem = None;
        }
        let yard = self.shared.yard.clone();
        let is_first = !post.has_version();
        let subject = post.pending("live");
        let swap = move || {
            let event = became_live(&version, timing);
            // Held until the event is on its way: the end of the old version is told after it.
            let before = post.live();
            make_live(&post, version);
            let _ = yard.send(Message::Tell(event));
            drop(before);
        };
        if is_first {
            swap();
        } else {
            pending::offer(&subject, swap);
        }
    }

    fn refuse(&self, post: &Post, generation: Generation, reasons: Vec<Reason>) {
        self.shared.tell(&Event::Rejected { crate_name: plugin_image(&post.name), generation, reasons });
    }

    /// Ends a version on a thread of its own: it may take as long as it is given.
    fn drained(&self, drained: Drained) {
        let shared = Arc::clone(&self.shared);
        let work = move || {
            let Drained { name, number, instance, grace, file, counts } = drained;
            instance.retire(grace);
            shared.staging.remove(&file);
            let yard = shared.yard.clone();
            // Let go of before it is told: whoever waits for the last end takes the folder of copies away.
            drop(shared);
            let _ = yard.send(Message::Retired { name, number, counts });
        };
        let spawned = std::thread::Builder::new().name("pitstop-plugin".to_owned()).spawn(work);
        if let Err(error) = spawned {
            log::error!("pitstop: cannot start a thread for a plugin's end: {error}");
        }
    }
}

/// Whether a version is there that is configured like this, but for how it is built.
fn is_loaded_as(post: &Post, spec: &Spec) -> bool {
    let is_it = |version: &Arc<Version>| {
        let Spec { build, origin, .. } = spec.clone();
        Spec { build, origin, ..(*version.spec).clone() } == *spec
    };
    post.live().versions().iter().any(is_it)
}

/// The file of a plugin, in a program without a session.
fn file_of(spec: &Spec) -> Result<PathBuf, Reason> {
    let name = match &spec.source {
        Source::File(file) => return Ok(file.clone()),
        Source::Crate(name) => name,
    };
    find_beside_executable(name).map_err(|error| {
        let origin = format!("{}:{}", spec.origin.file.display(), spec.origin.line);
        let advice = format!(
            "start the program by `cargo pitstop run`, which builds the crate; or by hand: `cargo build -p {name}`"
        );
        Reason::new(Rule::File, origin, format!("the library of crate `{name}`"), error.to_string(), advice)
    })
}

/// What the session's watcher is to do.
fn wanted(spec: &Spec) -> Event {
    let (artifact, crate_name) = match &spec.source {
        Source::File(file) => (Some(file.display().to_string()), None),
        Source::Crate(name) => (None, Some(name.clone())),
    };
    let build = spec.build.as_ref().map(|build| Recipe {
        command: build.command.clone(),
        watch: build.watch.iter().map(|path| path.display().to_string()).collect(),
    });
    let directory = spec.origin.folder().display().to_string();
    Event::PluginWanted { name: spec.name.clone(), artifact, crate_name, build, directory }
}

/// Puts a version in the place of the newest, or of what would be live if the plugin were enabled.
fn make_live(post: &Post, version: Arc<Version>) {
    let mut standing = post.standing();
    if standing.is_enabled {
        let next = Arc::new(post.live().renewed(version));
        drop(standing);
        post.turn(next);
    } else {
        let next = standing.parked.take().map(|parked| parked.renewed(Arc::clone(&version)));
        standing.parked = Some(Arc::new(next.unwrap_or(Routing::One(version))));
    }
}

fn became_live(version: &Version, timing: Timing) -> Event {
    let wait = ms(timing.ready.elapsed());
    Event::Live {
        crate_name: plugin_image(&version.spec.name),
        generation: version.number,
        edit_to_live_ms: micros_since_1970().saturating_sub(timing.edit_at_us) as f64 / 1e3,
        stages: Stages { wait, ..timing.stages },
        slots: 1,
        image_bytes: timing.bytes,
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Stages, proves and opens a candidate.
fn load(
    shared: &Arc<Shared>,
    post: &Post,
    spec: &Arc<Spec>,
    number: Generation,
    from: From,
    seen: (u64, Instant),
    purpose: &Purpose,
) -> Outcome {
    let mut stages = Stages { detect: ms(seen.1.elapsed()), ..Stages::default() };
    let mut edit_at_us = seen.0;
    let begun = Instant::now();
    // Of an image it was checked just now, which takes unoptimised code a while.
    let mut known = None;
    let candidate = match from {
        From::File(file) => {
            let candidate = stage::stage(spec, &file, &shared.staging, number);
            stages.stage = ms(begun.elapsed());
            candidate
        }
        From::Image { image, path } => {
            (stages.detect, stages.build, stages.stage) = (image.detect_ms, image.build_ms, image.stage_ms);
            edit_at_us = image.edit_at_us;
            known = Some((image.bytes, image.crc32));
            published(spec, &image, path)
        }
    };
    let candidate = match candidate {
        Ok(candidate) => candidate,
        Err(reason) => return Outcome::Refused(vec![reason]),
    };
    let sum = known.unwrap_or_else(|| (candidate.bytes.len() as u64, crc32fast::hash(&candidate.bytes)));
    if matches!(purpose, Purpose::Live) && post.standing().staged.replace(sum) == Some(sum) {
        shared.staging.remove(&candidate.file);
        return Outcome::Same;
    }
    let (file, bytes) = (candidate.file.clone(), sum.0);
    let verifying = Instant::now();
    let proven = match backend::prove(candidate) {
        Ok(proven) => proven,
        Err(reasons) => {
            shared.staging.remove(&file);
            // The same bytes may be good once something else about the file is.
            post.standing().staged = None;
            return Outcome::Refused(reasons.into_iter().map(|reason| of_source(spec, &file, reason)).collect());
        }
    };
    stages.verify = ms(verifying.elapsed());
    let opening = Instant::now();
    let instance = match backend::backend(spec.mechanism).open(&proven) {
        Ok(instance) => instance,
        Err(error) => {
            // A library that was mapped stays so; its file is not needed for that.
            shared.staging.remove(&file);
            return Outcome::Refused(vec![of_source(spec, &file, not_opened(spec, &file, &error))]);
        }
    };
    stages.load = ms(opening.elapsed());
    let proof = proven.proof().clone();
    let version = Version::new(number, Arc::clone(spec), file, instance, shared.yard.clone());
    let timing = Timing { edit_at_us, stages, bytes, ready: Instant::now() };
    Outcome::Ready { version: Arc::new(version), proof, timing }
}

/// A file that the watcher has staged, which nobody else writes.
fn published(spec: &Arc<Spec>, image: &Image, path: PathBuf) -> Result<Candidate, Reason> {
    let bytes = read(&path)?;
    identical(&path, &bytes, image.bytes, image.crc32)?;
    stage::matches_pin(spec, &path, &bytes)?;
    let layouts = attached_layouts(image, &path);
    Ok(Candidate { spec: Arc::clone(spec), file: path, bytes, layouts })
}

/// A reason that names what a person edits, in place of the copy that was looked at.
fn of_source(spec: &Spec, copy: &Path, reason: Reason) -> Reason {
    let source = match &spec.source {
        Source::File(file) => file.display().to_string(),
        Source::Crate(name) => format!("the library of crate `{name}`"),
    };
    let copy = copy.display().to_string();
    let told = |text: String| text.replace(&copy, &source);
    Reason {
        subject: told(reason.subject),
        expected: told(reason.expected),
        found: told(reason.found),
        notes: reason.notes.into_iter().map(told).collect(),
        advice: told(reason.advice),
        ..reason
    }
}

fn not_opened(spec: &Spec, file: &Path, error: &PluginError) -> Reason {
    let rule = match error {
        PluginError::Protocol { .. } => Rule::Signature,
        _ => Rule::Load,
    };
    let (expected, found) = match error {
        PluginError::Protocol { expected, found } => (expected.clone(), found.clone()),
        other => ("a plugin that starts and says that it is well".to_owned(), other.to_string()),
    };
    let advice = "mend the plugin; the version before it stays live";
    let subject = format!("{} of plugin `{}`", file.display(), spec.name);
    Reason::new(rule, subject, expected, found, advice)
}
