//! What a registry's thread and its handles share: the plugins, and what the configuration says of them.

use super::config::{self, Policy};
use super::error::PluginsError;
use super::info::folder_name;
use super::post::Post;
use super::route::Routing;
use super::spec::Spec;
use super::stage::Staging;
use super::yard::Message;
use crate::attach::attached;
use crate::events::{LOCAL, Listeners, log_event};
use crate::follow::{Depth, Touch, Touched};
use crate::lock::lock;
use crate::pending;
use crossbeam_channel::Sender;
use pitstop_contract::event::Event;
use pitstop_contract::manifest::{Image, plugin_image, plugin_of};
use pitstop_contract::{Generation, Reason, Rule};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};

/// The registries of this process, which a session's images are handed to.
static YARDS: Mutex<Vec<Sender<Message>>> = Mutex::new(Vec::new());
/// The newest image of each plugin that the session's watcher has published.
static PUBLISHED: Mutex<Option<HashMap<String, (Image, PathBuf)>>> = Mutex::new(None);

/// A registry takes part in what a session publishes.
pub(super) fn take_part(shared: &Shared) {
    lock(&YARDS).push(shared.yard.clone());
}

/// The session's watcher has published a version of a plugin.
pub(crate) fn published(image: &Image, path: &Path) {
    let Some(name) = plugin_of(&image.crate_name) else { return };
    lock(&PUBLISHED).get_or_insert_default().insert(name.to_owned(), (image.clone(), path.to_owned()));
    tell_yards(|| Message::Published { name: name.to_owned(), image: Box::new(image.clone()), path: path.to_owned() });
}

/// A plugin has gone: what was published of it is not what it will be when it comes back.
pub(super) fn forget(name: &str) {
    lock(&PUBLISHED).as_mut().and_then(|published| published.remove(name));
}

/// Another watcher has taken over: it knows nothing of what was asked for, and begins to count anew.
pub(crate) fn ask_again() {
    lock(&PUBLISHED).take();
    tell_yards(|| Message::AskAgain);
}

/// What the session's watcher says.
pub(crate) fn heard(event: &Event) {
    if let Event::BuildFailed { crate_name, rendered, .. } = event
        && let Some(name) = plugin_of(crate_name)
    {
        let why = format!("its build failed: {}", rendered.lines().next_back().unwrap_or_default());
        tell_yards(|| Message::NotBuilt { name: name.to_owned(), why: why.clone() });
    }
}

fn tell_yards(message: impl Fn() -> Message) {
    // Those of registries that have ended are taken out here.
    lock(&YARDS).retain(|yard| yard.send(message()).is_ok());
}

/// What a registry's thread and its handles share.
pub(crate) struct Shared {
    /// `pitstop.toml`.
    pub(super) file: PathBuf,
    pub(super) policy: Policy,
    directories: Mutex<Vec<PathBuf>>,
    posts: Mutex<BTreeMap<String, Arc<Post>>>,
    /// Those that have gone, for as long as handles of them are left: should they come back, these lead to them.
    gone: Mutex<BTreeMap<String, Weak<Post>>>,
    /// Plugins that the program loaded itself.
    by_hand: Mutex<BTreeSet<String>>,
    /// Configuration files with faults, and what was said of each: the place, and what is wrong.
    problems: Mutex<Problems>,
    pub(super) listeners: Listeners,
    pub(crate) yard: Sender<Message>,
    pub(crate) staging: Staging,
}

impl Shared {
    pub(super) fn new(
        file: PathBuf,
        policy: Policy,
        directories: Vec<PathBuf>,
        staging: Staging,
        yard: Sender<Message>,
    ) -> Self {
        Self {
            file,
            policy,
            directories: Mutex::new(directories),
            posts: Mutex::default(),
            gone: Mutex::default(),
            by_hand: Mutex::default(),
            problems: Mutex::default(),
            listeners: Listeners::default(),
            yard,
            staging,
        }
    }

    /// One more plugin, which the configuration does not name.
    pub(super) fn add_by_hand(&self, spec: Spec) -> Result<Arc<Post>, PluginsError> {
        let mut posts = lock(&self.posts);
        if let Some(known) = posts.get(&spec.name) {
            let file = known.standing().spec.origin.file.clone();
            return Err(PluginsError::Known { name: spec.name, file });
        }
        let post = self.place(spec);
        lock(&self.by_hand).insert(post.name.clone());
        posts.insert(post.name.clone(), Arc::clone(&post));
        Ok(post)
    }

    pub(crate) fn post(&self, name: &str) -> Option<Arc<Post>> {
        lock(&self.posts).get(name).cloned()
    }

    pub(crate) fn posts(&self) -> Vec<Arc<Post>> {
        lock(&self.posts).values().cloned().collect()
    }

    /// Whether this very one was there.
    pub(crate) fn remove(&self, post: &Arc<Post>) -> bool {
        let mut posts = lock(&self.posts);
        let is_it = posts.get(&post.name).is_some_and(|known| Arc::ptr_eq(known, post));
        if is_it {
            posts.remove(&post.name);
            lock(&self.by_hand).remove(&post.name);
            lock(&self.gone).insert(post.name.clone(), Arc::downgrade(post));
        }
        is_it
    }

    /// The place of a plugin that is new, or was here before.
    fn place(&self, spec: Spec) -> Arc<Post> {
        match lock(&self.gone).remove(&spec.name).and_then(|gone| gone.upgrade()) {
            Some(post) => {
                post.come_back(Arc::new(spec));
                post
            }
            None => Arc::new(Post::new(Arc::new(spec))),
        }
    }

    /// Tells everybody who listens.
    pub(crate) fn tell(&self, event: &Event) {
        self.listeners.tell(event);
        if let Some(host) = attached() {
            return host.report(event.clone());
        }
        log_event(event);
        LOCAL.tell(event);
    }

    /// A published image of a plugin, for one that is configured after it came.
    pub(crate) fn image(&self, name: &str) -> Option<(Image, PathBuf)> {
        lock(&PUBLISHED).as_ref()?.get(name).cloned()
    }

    /// The folders in which configuration lies.
    pub(crate) fn folders(&self) -> Vec<(PathBuf, Depth)> {
        let mut folders: Vec<(PathBuf, Depth)> =
            lock(&self.directories).iter().map(|folder| (folder.clone(), Depth::Tree)).collect();
        folders.extend(self.file.parent().map(|folder| (folder.to_owned(), Depth::Folder)));
        folders
    }

    /// Whether a change may be one of the configuration, or mends what was wrong with it.
    pub(crate) fn concerns_configuration(&self, touch: &Touch) -> bool {
        let directories = lock(&self.directories);
        let has_problems = !lock(&self.problems).is_empty();
        if touch.what == Touched::Permissions && !has_problems {
            return false;
        }
        touch.paths.iter().any(|path| {
            let in_directories = directories.iter().any(|directory| path.starts_with(directory));
            let is_drop_in = path.file_name().is_some_and(|name| name == config::DROP_IN);
            let is_folder = directories.iter().any(|directory| path == directory || path.parent() == Some(directory));
            *path == self.file || is_folder || (in_directories && (is_drop_in || has_problems))
        })
    }

    /// Reads the configuration; returns the plugins that are new or configured anew, and takes out those that are gone.
    pub(crate) fn scan(&self) -> Vec<Arc<Post>> {
        let mut found = Found::default();
        let mut specs = Vec::new();
        match config::read(&self.file) {
            Ok(config) => {
                (*lock(&self.directories)).clone_from(&config.directories);
                specs.extend(config.plugins);
                for file in config.directories.iter().flat_map(|directory| config::drop_ins(directory)) {
                    match config::read_drop_in(&file, &self.policy) {
                        Ok(spec) => specs.push(spec),
                        Err(error) => drop(found.problems.insert(file, error.told())),
                    }
                }
            }
            Err(error) => {
                // What is there stays as it is.
                found.problems.insert(self.file.clone(), error.told());
                self.tell_problems(&found.problems);
                return Vec::new();
            }
        }
        // A copy of a plugin's folder does not take its place.
        specs.sort_by_key(|spec| !self.is_loaded_from(&spec.name, &spec.origin.file));
        specs.into_iter().for_each(|spec| found.add(spec));
        self.tell_problems(&found.problems);
        for post in self.posts() {
            let file = post.standing().spec.origin.file.clone();
            let stays = found.specs.contains_key(&post.name)
                || found.problems.contains_key(&file)
                || lock(&self.by_hand).contains(&post.name);
            if !stays {
                self.unload(&post);
            }
        }
        found.specs.into_values().filter_map(|spec| self.take_up(spec)).collect()
    }

    fn is_loaded_from(&self, name: &str, file: &Path) -> bool {
        self.post(name).is_some_and(|post| post.standing().spec.origin.file == file)
    }

    /// The plugin of a specification, if it is to be loaded for it.
    fn take_up(&self, spec: Spec) -> Option<Arc<Post>> {
        let mut posts = lock(&self.posts);
        let Some(known) = posts.get(&spec.name) else {
            let post = self.place(spec);
            posts.insert(post.name.clone(), Arc::clone(&post));
            return Some(post);
        };
        let known = Arc::clone(known);
        drop(posts);
        let before = Arc::clone(&known.standing().spec);
        if *before == spec {
            return None;
        }
        let (was_enabled, is_enabled) = (before.enabled, spec.enabled);
        let is_switched_only = Spec { enabled: was_enabled, origin: before.origin.clone(), ..spec.clone() } == *before;
        known.standing().spec = Arc::new(spec);
        match (was_enabled, is_enabled) {
            (true, false) => self.disable(&known),
            (false, true) => self.enable(&known),
            _ => {}
        }
        (!is_switched_only).then_some(known)
    }

    fn tell_problems(&self, problems: &Problems) {
        let before = std::mem::replace(&mut *lock(&self.problems), problems.clone());
        for (file, problem) in problems.iter().filter(|(file, problem)| before.get(*file) != Some(*problem)) {
            let (place, wrong) = problem;
            let advice = "mend the file; what is loaded stays as it is";
            let reason = Reason::new(Rule::Manifest, place, "a configuration that can be used", wrong, advice);
            self.tell(&Event::Rejected {
                crate_name: plugin_image(&folder_name(file)),
                generation: Generation::LINKED,
                reasons: vec![reason],
            });
        }
    }

    /// Configuration files with faults, and what was said of each.
    pub(super) fn problems(&self) -> BTreeMap<PathBuf, String> {
        let problems = lock(&self.problems);
        problems.iter().map(|(file, (place, wrong))| (file.clone(), format!("{place}: {wrong}"))).collect()
    }

    pub(super) fn unload(&self, post: &Arc<Post>) {
        let (gone, yard) = (Arc::clone(post), self.yard.clone());
        pending::offer(&post.pending("switch"), move || {
            gone.go("it was unloaded");
            let _ = yard.send(Message::Gone(gone));
        });
    }

    pub(super) fn disable(&self, post: &Arc<Post>) {
        let post = Arc::clone(post);
        pending::offer(&post.pending("switch"), move || {
            let mut standing = post.standing();
            if std::mem::replace(&mut standing.is_enabled, false) {
                let live = post.live();
                standing.parked = (!matches!(&*live, Routing::Away(_))).then_some(live);
                drop(standing);
                post.turn(Arc::new(Routing::Away("it is disabled".to_owned())));
            }
        });
    }

    pub(super) fn enable(&self, post: &Arc<Post>) {
        let (post, yard) = (Arc::clone(post), self.yard.clone());
        pending::offer(&post.pending("switch"), move || {
            let mut standing = post.standing();
            if !std::mem::replace(&mut standing.is_enabled, true) {
                let parked = standing.parked.take();
                drop(standing);
                let has_version = parked.is_some();
                post.turn(parked.unwrap_or_else(Routing::not_yet));
                if !has_version {
                    let _ = yard.send(Message::Adopt(post));
                }
            }
        });
    }

    /// The program is done: all versions go.
    pub(crate) fn close(&self) {
        for post in self.posts() {
            for what in ["live", "route", "switch"] {
                pending::forget(&post.pending(what));
            }
            post.go("the program has closed its plugins");
        }
        lock(&self.posts).clear();
    }
}

/// By file: the place, and what is wrong.
type Problems = BTreeMap<PathBuf, (String, String)>;

/// What the configuration says.
#[derive(Default)]
struct Found {
    specs: BTreeMap<String, Spec>,
    problems: Problems,
}

impl Found {
    /// Of two plugins of one name the first is taken.
    fn add(&mut self, spec: Spec) {
        match self.specs.get(&spec.name) {
            Some(first) => {
                let problem = config::taken(&spec, first).told();
                self.problems.insert(spec.origin.file, problem);
            }
            None => drop(self.specs.insert(spec.name.clone(), spec)),
        }
    }
}
