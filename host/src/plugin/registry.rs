//! All plugins of a program, as `pitstop.toml` and the drop-in directories say: opened, listed, switched, routed.

use super::config;
use super::error::PluginsError;
use super::info::{PluginInfo, VersionInfo, faulty, info, loaded};
use super::post::{PluginHandle, Post};
use super::route::{Route, Routing, Split, VersionRef};
use super::shared::{Shared, take_part};
use super::stage::Staging;
use super::version::Version;
use super::yard::{Message, Yard};
use crate::events::Events;
use crate::pending;
use crossbeam_channel::{Receiver, bounded, unbounded};
use pitstop_contract::Generation;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long [`Plugins::open`] waits for the first versions, and the end of a program for the last ones.
const FIRST_VERSIONS: Duration = Duration::from_secs(60);
const LAST_VERSIONS: Duration = Duration::from_secs(3);

/// The plugins of a program. Cheap to clone, and good on any thread. When the last clone is dropped, all plugins end.
///
/// What changes which code is called, a newer version, a route, a switch, takes effect at the program's next
/// [`safe_point`](crate::Pitstop::safe_point), in a program without a session too.
#[derive(Clone)]
pub struct Plugins {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    /// Ends with the registry's thread.
    ended: Receiver<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let _ = self.shared.yard.send(Message::End);
        // Processes are to end, and files to go, before the program does.
        let _ = self.ended.recv_timeout(LAST_VERSIONS);
    }
}

impl std::fmt::Debug for Plugins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugins").field("file", &self.inner.shared.file).finish_non_exhaustive()
    }
}

impl Plugins {
    /// Opens the plugins that a file, `pitstop.toml`, and the drop-in directories which it names configure. Returns once each of
    /// them has its first version, or none to be had: see [`list`](Self::list).
    ///
    /// Their files and the directories are followed from then on: a plugin whose file changes is proven and loaded anew, one
    /// that is added to a directory appears, one that is removed goes.
    ///
    /// # Errors
    /// A fault in the file itself, with its line. Those of drop-in files are events, and in [`list`](Self::list): the other
    /// plugins are not to suffer from them.
    pub fn open(file: impl AsRef<Path>) -> Result<Self, PluginsError> {
        let file = std::path::absolute(file.as_ref()).unwrap_or_else(|_| file.as_ref().to_owned());
        let config = config::read(&file).map_err(PluginsError::Config)?;
        let staging = Staging::new(config.staging.as_deref(), config.policy).map_err(PluginsError::Staging)?;
        let (yard, messages) = unbounded();
        let shared = Arc::new(Shared::new(file, config.policy, config.directories, staging, yard));
        pending::begin();
        take_part(&shared);
        let (settled, first) = bounded::<()>(0);
        let _ = shared.yard.send(Message::Settled(settled));
        let ended = start(Arc::clone(&shared), messages).map_err(PluginsError::Thread)?;
        // Ends when the sender is dropped.
        let _ = first.recv_timeout(FIRST_VERSIONS);
        Ok(Self { inner: Arc::new(Inner { shared, ended }) })
    }

    /// A plugin by its name.
    ///
    /// # Errors
    /// [`PluginsError::Unknown`]. One that is known but has no version yet is there, and its calls are errors.
    pub fn get(&self, name: &str) -> Result<PluginHandle, PluginsError> {
        Ok(PluginHandle { post: self.known(name)? })
    }

    /// A plugin by `rpc` for clients of the program's own services: what `tonic` generates from a `.proto` calls through it.
    ///
    /// # Errors
    /// [`PluginsError::Unknown`], and [`PluginsError::NoServices`] for a plugin by another mechanism. One that has no version yet
    /// is there, and its calls are errors.
    #[cfg(all(unix, feature = "rpc"))]
    pub fn channel(&self, name: &str) -> Result<super::backend::rpc::Channel, PluginsError> {
        let post = self.known(name)?;
        let mechanism = post.standing().spec.mechanism;
        if mechanism != super::spec::Mechanism::Rpc {
            return Err(PluginsError::NoServices { name: name.to_owned(), mechanism: mechanism.name() });
        }
        Ok(super::backend::rpc::Channel::new(post))
    }

    /// All plugins, by name. A drop-in with a fault is there too, under the name of its folder where it has no plugin yet.
    #[must_use]
    pub fn list(&self) -> Vec<PluginInfo> {
        let shared = &self.inner.shared;
        let mut list: Vec<PluginInfo> = shared.posts().iter().map(|post| info(post)).collect();
        for (file, problem) in shared.problems() {
            let mut is_known = file == shared.file;
            for plugin in list.iter_mut().filter(|plugin| plugin.file == file) {
                plugin.problem.get_or_insert_with(|| problem.clone());
                is_known = true;
            }
            if !is_known {
                list.push(faulty(file, problem));
            }
        }
        list.sort_by(|one, other| one.name.cmp(&other.name));
        list
    }

    /// The versions of a plugin that are loaded, the oldest first: with what was counted of each.
    ///
    /// # Errors
    /// [`PluginsError::Unknown`].
    pub fn versions(&self, name: &str) -> Result<Vec<VersionInfo>, PluginsError> {
        Ok(info(&*self.known(name)?).versions)
    }

    /// Loads one more plugin, from a `plugin.toml`; returns once it has its first version, or none to be had.
    ///
    /// # Errors
    /// A fault in the file, or a name that is there already.
    pub fn load(&self, file: impl AsRef<Path>) -> Result<PluginHandle, PluginsError> {
        let file = std::path::absolute(file.as_ref()).unwrap_or_else(|_| file.as_ref().to_owned());
        let shared = &self.inner.shared;
        let spec = config::read_drop_in(&file, &shared.policy).map_err(PluginsError::Config)?;
        let post = shared.add_by_hand(spec)?;
        let _ = shared.yard.send(Message::Adopt(Arc::clone(&post)));
        let (settled, first) = bounded::<()>(0);
        let _ = shared.yard.send(Message::Settled(settled));
        let _ = first.recv_timeout(FIRST_VERSIONS);
        Ok(PluginHandle { post })
    }

    /// Takes a plugin out, at the next safe point: calls that have begun end as they would, and then it goes. One that is
    /// configured comes back when its configuration changes.
    ///
    /// # Errors
    /// [`PluginsError::Unknown`].
    pub fn unload(&self, name: &str) -> Result<(), PluginsError> {
        self.inner.shared.unload(&self.known(name)?);
        Ok(())
    }

    /// Switches a plugin off, at the next safe point: calls are errors, and it stays loaded.
    ///
    /// # Errors
    /// [`PluginsError::Unknown`].
    pub fn disable(&self, name: &str) -> Result<(), PluginsError> {
        self.inner.shared.disable(&self.known(name)?);
        Ok(())
    }

    /// Switches a plugin on again, at the next safe point.
    ///
    /// # Errors
    /// [`PluginsError::Unknown`].
    pub fn enable(&self, name: &str) -> Result<(), PluginsError> {
        self.inner.shared.enable(&self.known(name)?);
        Ok(())
    }

    /// Loads another version of a plugin from a file, beside the live one, and returns its number once it is ready. It gets no
    /// calls before a [`route`](Self::route) sends it some.
    ///
    /// # Errors
    /// [`PluginsError::Refused`] where it cannot be used.
    pub fn load_version(&self, name: &str, file: impl AsRef<Path>) -> Result<Generation, PluginsError> {
        let post = self.known(name)?;
        let file = std::path::absolute(file.as_ref()).unwrap_or_else(|_| file.as_ref().to_owned());
        let (reply, loaded) = bounded(1);
        let _ = self.inner.shared.yard.send(Message::Standby { post, file, reply });
        let refused = |reasons| PluginsError::Refused { name: name.to_owned(), reasons };
        loaded.recv().unwrap_or_else(|_| Err(Vec::new())).map_err(refused)
    }

    /// Sends a plugin's calls to these versions from the next safe point on. A version that is loaded later takes the place of
    /// the newest of them. Versions that get no calls any more go once those that have begun are over.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), pitstop_host::PluginsError> {
    /// # let plugins = pitstop_host::Plugins::open("pitstop.toml")?;
    /// let old = plugins.versions("greeter")?[0].number;
    /// let new = plugins.load_version("greeter", "plugins/greeter-2/greeter.sh")?;
    /// plugins.route("greeter", pitstop_host::split(90, old, 10, new).sticky())?;
    /// // and if it is no good:
    /// plugins.route("greeter", pitstop_host::Route::only(old))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A version that is not loaded, or no weight at all.
    pub fn route(&self, name: &str, route: Route) -> Result<(), PluginsError> {
        let post = self.known(name)?;
        if route.legs.iter().all(|(weight, _)| *weight == 0) {
            return Err(PluginsError::NoWeight { name: name.to_owned() });
        }
        let loaded = loaded(&post);
        let mut legs = Vec::new();
        for (weight, wanted) in &route.legs {
            let is_it = |version: &&Arc<Version>| match wanted {
                VersionRef::Number(number) => version.number == *number,
                VersionRef::Said(said) => version.description.version == *said,
            };
            let Some(version) = loaded.iter().rev().find(is_it) else {
                let loaded = loaded.iter().map(|version| version.number).collect();
                return Err(PluginsError::NoVersion { name: name.to_owned(), version: wanted.clone(), loaded });
            };
            legs.push((*weight, Arc::clone(version)));
        }
        let routing = match legs.as_slice() {
            [(_, version)] => Routing::One(Arc::clone(version)),
            _ => Routing::Split(Split::new(legs, route.keyed)),
        };
        let turn = Arc::clone(&post);
        pending::offer(&post.pending("route"), move || {
            let routing = Arc::new(routing);
            let mut standing = turn.standing();
            let routed = routing.versions();
            standing.standby.retain(|version| !routed.iter().any(|routed| Arc::ptr_eq(routed, version)));
            if standing.is_enabled {
                drop(standing);
                turn.turn(routing);
            } else {
                standing.parked = Some(routing);
            }
        });
        Ok(())
    }

    /// What happens with the plugins from now on, with a session and without.
    #[must_use]
    pub fn events(&self) -> Events {
        self.inner.shared.listeners.subscribe()
    }

    fn known(&self, name: &str) -> Result<Arc<Post>, PluginsError> {
        let shared = &self.inner.shared;
        shared.post(name).ok_or_else(|| {
            let known = shared.posts().iter().map(|post| post.name.clone()).collect();
            PluginsError::Unknown { name: name.to_owned(), known }
        })
    }
}

fn start(shared: Arc<Shared>, messages: Receiver<Message>) -> std::io::Result<Receiver<()>> {
    let (ends, ended) = bounded::<()>(0);
    let thread = std::thread::Builder::new().name("pitstop-plugins".to_owned());
    thread.spawn(move || {
        // The folder of copies goes with it, and then the sender.
        let _ends = ends;
        Yard::new(shared).run(&messages);
    })?;
    Ok(ended)
}
