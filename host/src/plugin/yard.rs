//! Where versions of plugins come from and where they go: staged, proven and opened off the program's threads; live at its safe
//! point; ended once nothing calls them.
//!
//! One thread for each registry decides; whatever may take long, a start or an end, is on a thread of its own.

use super::backend::Instance;
use super::handover::{Ended, Refused, hand_over};
use super::open::{From, Order, Outcome, Purpose, Reload, Timing, ms, open};
use super::post::{Loading, Post};
use super::route::Routing;
use super::shared::{Shared, forget};
use super::spec::{Source, Spec};
use super::version::{Counts, Version};
use crate::attach::attached;
use crate::follow::{Depth, Follow, Touch, Touched};
use crate::library::find_beside_executable;
use crate::pending;
use crate::swap::micros_since_1970;
use crossbeam_channel::{Receiver, Sender};
use pitstop_contract::event::{Event, Recipe, Stages};
use pitstop_contract::manifest::{Image, plugin_image};
use pitstop_contract::{Generation, Reason, Rule};
use pitstop_proof::Proof;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

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
    /// Versions could not take over what an older one keeps. It is there again where none could.
    NotTaken { refused: Refused, older: Option<Drained> },
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
    pub(crate) number: Generation,
    pub(crate) spec: Arc<Spec>,
    pub(crate) instance: Box<dyn Instance>,
    pub(crate) file: PathBuf,
    pub(crate) counts: Arc<Counts>,
    /// Who takes over what it keeps.
    pub(crate) heir: Option<Arc<Version>>,
}

/// What became of a candidate.
pub(crate) struct Loaded {
    post: Arc<Post>,
    number: Generation,
    purpose: Purpose,
    outcome: Outcome,
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
        // While the first versions are loaded.
        self.shared.staging.sweep();
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
                    self.order(&post, Order::now(number, From::Image { image, path }, Reload::IfOther));
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
            Message::NotTaken { refused, older } => self.not_taken(refused, older),
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
                let order = Order::now(number, From::File(file), Reload::IfOther);
                self.load(&post, order, Purpose::Standby(reply));
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
        if attached().is_some() {
            self.shared.tell(&wanted(&spec));
            if let Some((image, path)) = self.shared.image(&post.name).filter(|_| !is_loaded_as(post, &spec)) {
                let number = image.generation;
                // What was edited is its configuration, just now.
                let edit_at_us = micros_since_1970();
                let image = Image { edit_at_us, detect_ms: 0.0, build_ms: 0.0, stage_ms: 0.0, ..image };
                self.order(post, Order::now(number, From::Image { image: Box::new(image), path }, Reload::Always));
            }
            return;
        }
        match file_of(&spec) {
            Ok(file) => {
                if let Some(folder) = file.parent() {
                    self.follow.folder(folder, Depth::Folder);
                }
                let number = self.next_number();
                self.order(post, Order::now(number, From::File(file), Reload::Always));
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
        self.follow.arrived(touch);
        if self.shared.concerns_configuration(touch) {
            self.scan();
        }
        if attached().is_some() {
            return;
        }
        for post in self.shared.posts() {
            let (spec, is_wanted) = {
                let standing = post.standing();
                // Permissions are no other file, but may be what one was refused for.
                let may_differ = touch.what == Touched::Content || standing.problem.is_some();
                (Arc::clone(&standing.spec), standing.is_enabled && may_differ)
            };
            let Ok(file) = file_of(&spec) else { continue };
            // One that is gone is being built anew; one that is taken out has its configuration taken out.
            if is_wanted
                && file.symlink_metadata().is_ok()
                && touch.paths.iter().any(|touched| file.starts_with(touched))
            {
                let number = self.next_number();
                let (from, seen) = (From::File(file), (touch.at_us, touch.at));
                self.order(&post, Order { number, from, seen, reload: Reload::IfOther });
            }
        }
    }

    /// Has a candidate loaded to be live; after the one that is being loaded, if there is one, and then the newest only.
    fn order(&mut self, post: &Arc<Post>, order: Order) {
        let mut standing = post.standing();
        let reload = match std::mem::replace(&mut standing.loading, Loading::Busy) {
            Loading::Idle => {
                drop(standing);
                return self.load(post, order, Purpose::Live);
            }
            Loading::Busy => order.reload,
            Loading::Then(before) if before.reload == Reload::Always => Reload::Always,
            Loading::Then(_) => order.reload,
        };
        standing.loading = Loading::Then(Order { reload, ..order });
    }

    /// A candidate to be live was loaded, or refused: goes on with the next one.
    fn next_order(&mut self, post: &Arc<Post>) {
        let next = std::mem::replace(&mut post.standing().loading, Loading::Idle);
        if let Loading::Then(order) = next
            && self.is_here(post)
        {
            self.order(post, order);
        }
    }

    fn is_here(&self, post: &Arc<Post>) -> bool {
        !self.ended && self.shared.post(&post.name).is_some_and(|known| Arc::ptr_eq(&known, post))
    }

    /// Stages, proves and opens a candidate, on a thread of its own.
    fn load(&mut self, post: &Arc<Post>, order: Order, purpose: Purpose) {
        self.alive += 1;
        let Order { number, from, seen, reload } = order;
        let (own, shared) = (Arc::clone(post), Arc::clone(&self.shared));
        let spec = {
            let mut standing = own.standing();
            if reload == Reload::Always {
                standing.staged = None;
            }
            Arc::clone(&standing.spec)
        };
        let work = move || {
            let outcome = open(&shared, &own, &spec, number, from, seen, &purpose);
            let yard = shared.yard.clone();
            drop(shared);
            let _ = yard.send(Message::Loaded(Box::new(Loaded { post: own, number, purpose, outcome })));
        };
        let spawned = std::thread::Builder::new().name("pitstop-plugin".to_owned()).spawn(work);
        if let Err(error) = spawned {
            self.alive -= 1;
            self.expected.clear();
            post.standing().loading = Loading::Idle;
            log::error!("pitstop: cannot start a thread for a plugin: {error}");
        }
    }

    fn loaded(&mut self, loaded: Loaded) {
        let Loaded { post, number, purpose, outcome } = loaded;
        self.expected.remove(&post.name);
        let is_here = self.is_here(&post);
        if matches!(purpose, Purpose::Live) {
            self.next_order(&post);
        }
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
        // What this wakes finds the version at its next safe point.
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
        if !post.has_version() {
            let event = became_live(&version, timing);
            make_live(&post, version);
            // Before `open` returns: who listens from then on hears of what happens from then on.
            return self.shared.tell(&event);
        }
        let subject = post.pending("live");
        pending::offer(&subject, move || {
            // Held until the event is on its way: the end of the old version is told after it.
            let before = post.newest();
            if let Some(before) = &before {
                before.hands_over_to(&version);
            }
            make_live(&post, Arc::clone(&version));
            version.tell(became_live(&version, timing));
            drop(before);
        });
    }

    fn refuse(&self, post: &Post, generation: Generation, reasons: Vec<Reason>) {
        self.shared.tell(&Event::Rejected { crate_name: plugin_image(&post.name), generation, reasons });
    }

    /// Versions that could not take over go, and who waits for them looks elsewhere.
    fn not_taken(&self, refused: Refused, older: Option<Drained>) {
        let again = older.map(|drained| Arc::new(Version::again(drained, self.shared.yard.clone())));
        for (heir, why) in refused {
            let spec = &heir.spec;
            let reason = Reason::new(
                Rule::State,
                format!("the state of plugin `{}`", spec.name),
                format!("that #{} takes over what the version before it has saved", heir.number),
                why.to_string(),
                "mend `restore` of the new version, or `save` of the old one, which stays live",
            );
            if let Some(post) = self.shared.post(&spec.name) {
                if let Some(again) = &again {
                    post.standing().problem = Some(reason.to_string());
                    post.put_back(&heir, again);
                }
                self.refuse(&post, heir.number, vec![reason]);
            }
            heir.give_way();
        }
    }

    /// Ends a version on a thread of its own: it may take as long as it is given.
    fn drained(&self, drained: Drained) {
        let shared = Arc::clone(&self.shared);
        let work = move || {
            let yard = shared.yard.clone();
            let mut drained = drained;
            let heir = drained.heir.take();
            match hand_over(&*drained.instance, heir) {
                Ended::NotDone(refused) => {
                    let _ = yard.send(Message::NotTaken { refused, older: Some(drained) });
                    return;
                }
                Ended::Done(refused) if refused.is_empty() => {}
                Ended::Done(refused) => drop(yard.send(Message::NotTaken { refused, older: None })),
            }
            let Drained { number, spec, instance, file, counts, .. } = drained;
            instance.retire(spec.limits.drain);
            shared.staging.remove(&file);
            let name = spec.name.clone();
            // Before the yard hears of it, and may end: the folder of copies goes with the last who has it.
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
