//! The place of one plugin in a program: what handles call through, and what is known of it.

use super::open::Order;
use super::pin::Pinned;
use super::route::Routing;
use super::spec::Spec;
use super::stage::Contents;
use super::version::Version;
use crate::lock::lock;
use pitstop_contract::Generation;
use pitstop_reloadable::{Metadata, Plugin, PluginError};
use std::sync::{Arc, Mutex, MutexGuard};

/// The place of one plugin.
pub(crate) struct Post {
    pub(crate) name: String,
    live: Pinned<Routing>,
    standing: Mutex<Standing>,
}

/// What is known of a plugin besides.
pub(crate) struct Standing {
    pub(crate) spec: Arc<Spec>,
    /// Loaded, and not live: to be routed to.
    pub(crate) standby: Vec<Arc<Version>>,
    /// What is live once it is enabled again.
    pub(crate) parked: Option<Arc<Routing>>,
    /// Why there is no newer version.
    pub(crate) problem: Option<String>,
    /// What was staged last, accepted or refused.
    pub(crate) staged: Option<Contents>,
    /// The newest that is ready.
    pub(crate) newest: Generation,
    pub(crate) is_enabled: bool,
    pub(crate) loading: Loading,
}

/// Whether a candidate to be live is being loaded. A file may change more often than it can be loaded.
pub(crate) enum Loading {
    Idle,
    Busy,
    /// And this one after it: the newest that was asked for meanwhile.
    Then(Order),
}

impl Standing {
    fn new(spec: Arc<Spec>) -> Self {
        let is_enabled = spec.enabled;
        Self {
            spec,
            standby: Vec::new(),
            parked: None,
            problem: None,
            staged: None,
            newest: Generation::LINKED,
            is_enabled,
            loading: Loading::Idle,
        }
    }
}

impl Post {
    pub(crate) fn new(spec: Arc<Spec>) -> Self {
        let name = spec.name.clone();
        Self { name, live: Pinned::new(Routing::not_yet()), standing: Mutex::new(Standing::new(spec)) }
    }

    /// A plugin that was taken out is there again.
    pub(crate) fn come_back(&self, spec: Arc<Spec>) {
        let mut standing = self.standing();
        // What was begun before comes to its end first.
        let loading = if matches!(standing.loading, Loading::Idle) { Loading::Idle } else { Loading::Busy };
        *standing = Standing { loading, ..Standing::new(spec) };
        drop(standing);
        self.turn(Routing::not_yet());
    }

    pub(crate) fn standing(&self) -> MutexGuard<'_, Standing> {
        lock(&self.standing)
    }

    pub(crate) fn live(&self) -> Arc<Routing> {
        self.live.load()
    }

    /// Sends calls elsewhere from now on; those that have begun end where they are.
    pub(crate) fn turn(&self, routing: Arc<Routing>) {
        self.live.replace(routing);
    }

    /// The newest of the versions that are live, or would be if the plugin were enabled.
    pub(crate) fn newest(&self) -> Option<Arc<Version>> {
        self.standing().parked.clone().unwrap_or_else(|| self.live()).newest()
    }

    /// A version that was to take over could not: the one before it is there again.
    pub(crate) fn put_back(&self, heir: &Arc<Version>, again: &Arc<Version>) {
        let mut standing = self.standing();
        // The same bytes may be good once something else is.
        standing.staged = None;
        let parked = standing.parked.take();
        standing.parked = parked.map(|parked| Arc::new(parked.replaced(heir, Arc::clone(again))));
        drop(standing);
        self.turn(Arc::new(self.live().replaced(heir, Arc::clone(again))));
    }

    /// The plugin goes: no version of it is called from now on.
    pub(crate) fn go(&self, why: &str) {
        let mut standing = self.standing();
        let kept = (standing.parked.take(), std::mem::take(&mut standing.standby));
        standing.is_enabled = false;
        drop(standing);
        // Without the lock: these may be the last of their versions.
        drop(kept);
        self.turn(Arc::new(Routing::Away(why.to_owned())));
    }

    /// Names what waits for a safe point to be done with this plugin.
    pub(crate) fn pending(self: &Arc<Self>, what: &str) -> String {
        format!("{what} of {} at {:p}", self.name, Arc::as_ptr(self))
    }

    /// Whether a version is live, or would be if the plugin were enabled.
    pub(crate) fn has_version(&self) -> bool {
        let standing = self.standing();
        standing.parked.is_some() || !matches!(&*self.live(), Routing::Away(_))
    }

    #[inline]
    fn call(&self, key: Option<&str>, input: &[u8]) -> Result<Vec<u8>, PluginError> {
        loop {
            let result = self.live.with(|routing, lane| {
                let version = match routing.pick(key) {
                    Ok(version) => version,
                    Err(why) => return Some(Err(self.unavailable(why))),
                };
                match version.waits_for() {
                    None => Some(version.call(input, lane)),
                    Some(handover) => handover.wait(version.spec.limits.time).err().map(Err),
                }
            });
            if let Some(result) = result {
                return result;
            }
        }
    }

    #[cold]
    fn unavailable(&self, why: &str) -> PluginError {
        let problem = self.standing().problem.clone();
        let why = problem.map_or_else(|| why.to_owned(), |problem| format!("{why}: {problem}"));
        PluginError::Unavailable { name: self.name.clone(), why }
    }
}

#[cfg(all(unix, feature = "rpc"))]
impl Post {
    /// Begins a call of a service of the program's own, on the version that is live.
    pub(crate) fn typed(&self, key: Option<&str>) -> Result<super::backend::rpc::Route, String> {
        let typed = self.live.with(|routing, lane| {
            let version = match routing.pick(key) {
                Ok(version) => version,
                Err(why) => return Err(self.unavailable(why).to_string()),
            };
            match version.waits_for() {
                None => Ok(version.typed(lane)),
                Some(_) => Ok(Some(super::backend::rpc::Route::Waiting(Arc::clone(version)))),
            }
        })?;
        typed.ok_or_else(|| format!("plugin `{}` is none by `rpc` any more, and has no services", self.name))
    }
}

/// A plugin as a program holds it, from [`Plugins::get`](crate::Plugins::get). A call runs the version that is live when it
/// begins, whatever becomes live meanwhile. Cheap to clone, and good on any thread.
#[derive(Clone)]
pub struct PluginHandle {
    pub(crate) post: Arc<Post>,
}

impl std::fmt::Debug for PluginHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginHandle").field("name", &self.post.name).finish_non_exhaustive()
    }
}

impl PluginHandle {
    /// [`process`](Plugin::process) for somebody: with a [`sticky`](crate::Route::sticky) route the key says which version gets
    /// the call.
    ///
    /// # Errors
    /// As `process`.
    pub fn process_for(&self, key: &str, input: &[u8]) -> Result<Vec<u8>, PluginError> {
        self.post.call(Some(key), input)
    }
}

impl Plugin for PluginHandle {
    fn name(&self) -> &str {
        &self.post.name
    }

    #[inline]
    fn process(&self, input: &[u8]) -> Result<Vec<u8>, PluginError> {
        self.post.call(None, input)
    }

    /// Of the newest version that gets calls; only the mechanism, where none does.
    fn metadata(&self) -> Metadata {
        let newest = self.post.live().versions().into_iter().max_by_key(|version| version.number);
        let mut metadata = Metadata::default();
        if let Some(version) = newest {
            metadata.version.clone_from(&version.description.version);
            metadata.capabilities.clone_from(&version.description.capabilities);
        }
        metadata.mechanism = self.post.standing().spec.mechanism.name().to_owned();
        metadata
    }
}
