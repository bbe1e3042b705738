//! Plugins that hosts ask for: built by their own commands when their sources change, and published under versioned names.

use super::libraries::{Copied, Staged, plain};
use super::{Loop, Message};
use crate::build::{Cancel, Errand, Made, Next, Order, Outputs, Whose, make};
use crate::exit_code::Fatal;
use crate::session::is_host_alive;
use crate::stage::{Artifact, ms, now_us};
use crate::tree::{Changed, Tree};
use crate::watch::Edit;
use pitstop_contract::Generation;
use pitstop_contract::event::{Event, Recipe};
use pitstop_contract::manifest::{Kind, plugin_image};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

/// The plugins that hosts have asked for.
#[derive(Default)]
pub(super) struct Plugins {
    by_name: BTreeMap<String, Plugin>,
    /// How many builds were begun.
    builds: u64,
}

/// What a host asks for.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Asked {
    artifact: Option<PathBuf>,
    crate_name: Option<String>,
    build: Option<Recipe>,
    directory: PathBuf,
}

struct Plugin {
    asked: Asked,
    /// The hosts' processes.
    askers: BTreeSet<u32>,
    /// Where it has a command of its own.
    bench: Option<Bench>,
}

/// The building of a plugin.
struct Bench {
    tree: Tree,
    outputs: Outputs,
    work: Option<Work>,
    has_failed: bool,
    /// The first edit that is not published.
    edit: Option<(u64, Instant)>,
}

/// A build that runs.
struct Work {
    build: u64,
    errand: Errand,
    cancel: Cancel,
    started: Instant,
    started_at: SystemTime,
    /// Stopped for an edit: begins anew once its processes are gone.
    is_stopped: bool,
}

impl Asked {
    pub(super) fn new(
        artifact: Option<String>,
        crate_name: Option<String>,
        build: Option<Recipe>,
        directory: String,
    ) -> Self {
        let artifact = artifact.map(|path| plain(Path::new(&path)));
        // A person may have written the package's name.
        let crate_name = crate_name.map(|name| name.replace('-', "_"));
        Self { artifact, crate_name, build, directory: plain(Path::new(&directory)) }
    }
}

/// However the session ends.
impl Drop for Plugins {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Plugins {
    /// Those that are this crate.
    fn of_crate<'a>(&'a self, crate_name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        let is_it =
            |plugin: &Plugin| plugin.asked.build.is_none() && plugin.asked.crate_name.as_deref() == Some(crate_name);
        self.by_name.iter().filter(move |(_, plugin)| is_it(plugin)).map(|(name, _)| name.as_str())
    }

    /// The crates of the workspace that are plugins.
    pub(super) fn crates(&self) -> BTreeSet<String> {
        let plugins = self.by_name.values().filter(|plugin| plugin.asked.build.is_none());
        plugins.filter_map(|plugin| plugin.asked.crate_name.clone()).collect()
    }

    /// The images that are made of this crate, where it is a plugin.
    pub(super) fn images_of_crate(&self, crate_name: &str) -> Vec<String> {
        self.of_crate(crate_name).map(plugin_image).collect()
    }

    /// Stops all builds.
    pub(super) fn stop(&self) {
        self.by_name
            .values()
            .filter_map(|plugin| plugin.bench.as_ref()?.work.as_ref())
            .for_each(|work| work.cancel.cancel());
    }

    fn bench(&mut self, name: &str) -> Option<&mut Bench> {
        self.by_name.get_mut(name)?.bench.as_mut()
    }
}

impl Loop<'_> {
    pub(super) fn want_plugin(&mut self, pid: u32, name: &str, asked: Asked) {
        if let Some(plugin) = self.plugins.by_name.get_mut(name) {
            plugin.askers.insert(pid);
            if plugin.asked == asked {
                return self.offer_plugin_again(name);
            }
            let others = plugin.askers.iter().filter(|&&other| other != pid);
            if others.clone().any(|&other| is_host_alive(&self.session.directory, other)) {
                self.notice(format!("two programs ask for plugin `{name}`, each for another one: both get the last"));
            }
        }
        let askers = self.drop_plugin(name).map_or_else(BTreeSet::new, |plugin| plugin.askers);
        let bench = asked.build.as_ref().map(|recipe| self.bench_for(recipe, &asked));
        let has_bench = bench.is_some();
        let plugin = Plugin { asked: asked.clone(), askers: [pid].into_iter().chain(askers).collect(), bench };
        self.plugins.by_name.insert(name.to_owned(), plugin);
        let image = plugin_image(name);
        let watched = asked.artifact.clone().filter(|_| !has_bench && asked.crate_name.is_none());
        let copied = self.copies.entry(image.clone()).or_insert_with(|| Copied::new(Kind::Plugin));
        copied.source.clone_from(&watched);
        if has_bench {
            self.watch_sources(name);
            self.plugins.bench(name).into_iter().for_each(|bench| bench.tree.look_at_all());
            self.build_plugin(name, Errand::Edit);
        } else if let Some(crate_name) = &asked.crate_name {
            self.want_plugin_crate(name, crate_name);
        } else if let Some(path) = watched {
            self.watch_file(&path);
            self.stage_file(&image, (now_us(), Instant::now()));
        } else {
            self.plugin_failed(
                name,
                "it names neither an artifact, nor a crate, nor a command that builds it".to_owned(),
            );
        }
    }

    fn bench_for(&self, recipe: &Recipe, asked: &Asked) -> Bench {
        let roots = recipe.watch.iter().map(|path| plain(Path::new(path))).collect();
        let except = [Some(self.session.root.clone()), asked.artifact.clone()].into_iter().flatten().collect();
        let tree = Tree::new(roots, except);
        Bench { tree, outputs: Outputs::default(), work: None, has_failed: false, edit: None }
    }

    fn want_plugin_crate(&mut self, name: &str, crate_name: &str) {
        if let Err(message) = self.want_crate(crate_name) {
            self.plugin_failed(name, message);
        }
    }

    /// A program asks for a plugin that is here already: it has what is published, or else gets the newest once more.
    fn offer_plugin_again(&mut self, name: &str) {
        let image = plugin_image(name);
        let Some(plugin) = self.plugins.by_name.get(name) else { return };
        let is_at_work = plugin.bench.as_ref().is_some_and(|bench| bench.work.is_some());
        let has_failed = plugin.bench.as_ref().is_some_and(|bench| bench.has_failed);
        let has_bench = plugin.bench.is_some();
        let crate_name = plugin.asked.crate_name.clone().filter(|_| !has_bench);
        if self.shop.newest(&image).is_none() {
            match crate_name {
                // The program may be another one now, and the crate a part of what it was built from.
                Some(_) if self.is_being_built(&image) => {}
                Some(crate_name) => self.want_plugin_crate(name, &crate_name),
                None => {
                    self.stage_file(&image, (now_us(), Instant::now()));
                    self.stage_again(&image);
                }
            }
        }
        let is_missing = has_bench && self.shop.newest(&image).is_none();
        if (is_missing || has_failed) && !is_at_work {
            // What it lacked may be there now.
            self.build_plugin(name, Errand::Edit);
        }
    }

    /// A host has unloaded a plugin. Others may still want it.
    pub(super) fn forget_plugin(&mut self, pid: u32, name: &str) {
        let Some(plugin) = self.plugins.by_name.get_mut(name) else { return };
        let directory = &self.session.directory;
        plugin.askers.retain(|&asker| asker != pid && is_host_alive(directory, asker));
        if !plugin.askers.is_empty() {
            return;
        }
        self.drop_plugin(name);
        let image = plugin_image(name);
        self.copies.remove(&image);
        if let Err(error) = self.shop.withdraw(&self.session, &image) {
            self.notice(format!("plugin `{name}` is unloaded, but its image is still published: {error}"));
        }
    }

    /// Neither builds it nor publishes it from now on.
    fn drop_plugin(&mut self, name: &str) -> Option<Plugin> {
        let plugin = self.plugins.by_name.remove(name)?;
        if let Some(work) = plugin.bench.as_ref().and_then(|bench| bench.work.as_ref()) {
            work.cancel.cancel();
            if !work.is_stopped {
                self.tell(&Event::BuildCancelled { generation: self.generation.next() });
            }
        }
        if let Some(crate_name) = plugin.asked.crate_name.as_deref().filter(|_| plugin.bench.is_none())
            && !self.wanted_crates.contains(crate_name)
            && self.plugins.of_crate(crate_name).next().is_none()
        {
            let mut program = self.commands.program.copy();
            program.forget_library(crate_name);
            self.commands.program = program.into();
        }
        Some(plugin)
    }

    /// Watches all folders that a plugin's sources are in, and where those will be that are not there.
    fn watch_sources(&mut self, name: &str) {
        let Some(bench) = self.plugins.bench(name) else { return };
        let roots = bench.tree.roots().to_vec();
        let folders: Vec<PathBuf> = roots.iter().flat_map(|root| bench.tree.folders(root)).collect();
        roots.iter().for_each(|root| self.watch_file(root));
        self.watch_folders(&folders);
    }

    fn watch_folders(&mut self, folders: &[PathBuf]) {
        for folder in folders {
            if let Err(error) = self.watch.anew(folder) {
                return self.notice(format!("cannot watch {}: {error}", folder.display()));
            }
        }
    }

    /// Looks which plugins' sources are among what was touched.
    pub(super) fn plugins_changed(&mut self, settled: &BTreeSet<&Path>, edits: &[Edit]) {
        let Some(first) = edits.iter().min_by_key(|edit| edit.at) else { return };
        let with_bench = self.plugins.by_name.iter().filter(|(_, plugin)| plugin.bench.is_some());
        for name in with_bench.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            let touched: BTreeSet<&Path> = edits.iter().flat_map(|edit| &edit.paths).map(PathBuf::as_path).collect();
            let changed = touched.into_iter().flat_map(|path| self.look_at(&name, path, settled.contains(path)));
            let changed: Vec<Changed> = changed.collect();
            if !changed.is_empty() {
                self.plugin_edited(&name, changed, (first.at_us, first.at));
            }
        }
    }

    /// Reads again what of a plugin's sources is at or below a path; what lies above them may have been made just now.
    fn look_at(&mut self, name: &str, path: &Path, is_settled: bool) -> Vec<Changed> {
        let Some(bench) = self.plugins.bench(name) else { return Vec::new() };
        let mut paths: Vec<PathBuf> =
            bench.tree.roots().iter().filter(|root| root.starts_with(path)).cloned().collect();
        if !paths.is_empty() {
            self.watch_sources(name);
        } else if bench.tree.counts(path) {
            // Emptied by a save in place, whose content is on its way.
            let is_begun = !is_settled && std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() == 0);
            if is_begun {
                return Vec::new();
            }
            let folders = bench.tree.folders(path);
            self.watch_folders(&folders);
            paths.push(path.to_owned());
        }
        let Some(bench) = self.plugins.bench(name) else { return Vec::new() };
        paths.iter().flat_map(|path| bench.tree.look(path)).collect()
    }

    /// Builds a plugin whose sources have changed; a build that runs begins anew, unless it has made the change itself.
    fn plugin_edited(&mut self, name: &str, changed: Vec<Changed>, edit: (u64, Instant)) {
        // Taken out with its folder, which the program is about to notice; it asks anew when that comes back.
        let is_there = self.plugins.by_name.get(name).is_some_and(|plugin| plugin.asked.directory.is_dir());
        let Some(bench) = self.plugins.bench(name).filter(|_| is_there) else { return };
        let Some(work) = &mut bench.work else {
            changed.iter().for_each(|change| bench.outputs.edited(&change.path));
            bench.edit.get_or_insert(edit);
            self.tell_change(name, &changed);
            return self.build_plugin(name, Errand::Edit);
        };
        if work.is_stopped {
            return;
        }
        let by_person = by_person(&mut bench.outputs, &bench.tree, work.errand, changed);
        if !by_person.is_empty() {
            work.is_stopped = true;
            work.cancel.cancel();
            bench.edit.get_or_insert(edit);
            self.tell(&Event::BuildCancelled { generation: self.generation.next() });
            self.tell_change(name, &by_person);
        }
    }

    fn tell_change(&mut self, name: &str, changed: &[Changed]) {
        let files = changed.iter().map(|change| self.shown(&change.path)).collect();
        self.tell(&Event::Change { files, crates: vec![plugin_image(name)] });
    }

    fn build_plugin(&mut self, name: &str, errand: Errand) {
        self.plugins.builds += 1;
        let build = self.plugins.builds;
        let Some(plugin) = self.plugins.by_name.get_mut(name) else { return };
        let (Some(bench), Some(recipe)) = (&mut plugin.bench, &plugin.asked.build) else { return };
        let artifact = plugin.asked.artifact.clone();
        let file_name = artifact.as_deref().and_then(Path::file_name).unwrap_or(name.as_ref()).to_owned();
        let directory = plugin.asked.directory.clone();
        let out = self.place.made(build).join(Path::new(&file_name).file_name().unwrap_or("plugin".as_ref()));
        let order = Order { command: recipe.command.clone(), directory, out, artifact };
        let cancel = Cancel::default();
        let (started, started_at) = (Instant::now(), SystemTime::now());
        bench.work = Some(Work { build, errand, cancel: cancel.clone(), started, started_at, is_stopped: false });
        let (sender, plugin) = (self.sender.clone(), name.to_owned());
        std::thread::spawn(move || {
            let made = make(&order, &cancel);
            let _ = sender.send(Message::PluginMade { plugin, build, made });
        });
        self.tell(&Event::BuildStarted { generation: self.generation.next(), crates: vec![plugin_image(name)] });
    }

    /// A plugin's command has ended.
    pub(super) fn plugin_made(&mut self, name: &str, build: u64, made: Made) -> Result<(), Fatal> {
        let finished = Instant::now();
        let done = self.take_made(name, build, made, finished);
        let _ = std::fs::remove_dir_all(self.place.made(build));
        match done {
            // What the program crashed on may be mended.
            Some(Staged::Published) if self.gone.is_some() && self.building.is_none() => self.start_again(),
            _ => Ok(()),
        }
    }

    fn take_made(&mut self, name: &str, build: u64, made: Made, finished: Instant) -> Option<Staged> {
        // Else it is one for a plugin that was unloaded meanwhile.
        let work = self.plugins.bench(name)?.work.take_if(|work| work.build == build)?;
        if self.is_overtaken(name, &work) {
            self.build_plugin(name, Errand::Edit);
            return None;
        }
        let bench = self.plugins.bench(name)?;
        let next = bench.outputs.ended(work.errand);
        bench.has_failed = matches!(made, Made::Failed(_));
        let edit = bench.edit.take();
        let staged = match made {
            Made::File(path) => Some(self.stage_made(name, &path, edit, &work, finished)),
            Made::Failed(rendered) => {
                self.plugin_failed(name, rendered);
                None
            }
            // At the end of the session.
            Made::Cancelled => return None,
        };
        if next == Next::Again {
            self.build_plugin(name, Errand::Doubt);
        }
        staged
    }

    /// Whether sources were edited while they were built.
    fn is_overtaken(&mut self, name: &str, work: &Work) -> bool {
        let Some(bench) = self.plugins.bench(name) else { return false };
        // Notices of what it has written last may still be on their way.
        let changed = bench.tree.look_since(work.started_at);
        if work.is_stopped {
            return true;
        }
        let by_person = by_person(&mut bench.outputs, &bench.tree, work.errand, changed);
        if by_person.is_empty() {
            return false;
        }
        bench.edit.get_or_insert((now_us(), Instant::now()));
        self.tell(&Event::BuildCancelled { generation: self.generation.next() });
        self.tell_change(name, &by_person);
        true
    }

    fn stage_made(
        &mut self,
        name: &str,
        path: &Path,
        edit: Option<(u64, Instant)>,
        work: &Work,
        finished: Instant,
    ) -> Staged {
        let image = plugin_image(name);
        let times = super::builds::Times { edit, started: work.started, finished };
        let staged = self.stage(&image, path, &times);
        if let (Staged::Same, Some(generation)) = (&staged, self.shop.newest(&image)) {
            let build_ms = ms(finished.saturating_duration_since(work.started));
            self.tell(&Event::Built { generation, crates: vec![image], build_ms, warnings: 0 });
            if work.errand == Errand::Edit {
                self.notice(format!("plugin {name} was built, and is the same as #{generation}"));
            }
        }
        if let Staged::Failed(why) = &staged {
            self.plugin_failed(name, why.clone());
        }
        staged
    }

    fn plugin_failed(&mut self, name: &str, rendered: String) {
        let (generation, crate_name) = (self.generation.next(), plugin_image(name));
        self.tell(&Event::BuildFailed { generation, crate_name, errors: 1, rendered });
    }

    /// Gives the images of crates that are plugins a name of their own for each plugin, and all of them the number that they
    /// are published under: another image may have taken the one that they were built for.
    pub(super) fn named_as_published(&self, built: Vec<Artifact>, generation: Generation) -> Vec<Artifact> {
        let mut published = Vec::new();
        for artifact in built {
            let is_library = artifact.kind == Kind::Library;
            for name in self.plugins.of_crate(&artifact.crate_name).filter(|_| is_library) {
                let path = self.place.plugin(name, &artifact.path, generation);
                let linked = std::fs::hard_link(&artifact.path, &path);
                if linked.or_else(|_| std::fs::copy(&artifact.path, &path).map(drop)).is_ok() {
                    published.push(Artifact { crate_name: plugin_image(name), kind: Kind::Plugin, path });
                }
            }
            let is_wanted = !is_library || self.wanted_crates.contains(&artifact.crate_name);
            if !is_wanted {
                let _ = std::fs::remove_file(&artifact.path);
                continue;
            }
            let path = self.place.image(&artifact.crate_name, generation);
            let moved = path == artifact.path || std::fs::rename(&artifact.path, &path).is_ok();
            published.push(if moved { Artifact { path, ..artifact } } else { artifact });
        }
        published
    }
}

/// Those of the changes during a build that are not the build's own.
fn by_person(outputs: &mut Outputs, tree: &Tree, errand: Errand, changed: Vec<Changed>) -> Vec<Changed> {
    let mut whose = |change: &Changed| outputs.changed(change, errand, || tree.has_kind_of(&change.path));
    changed.into_iter().filter(|change| whose(change) == Whose::Person).collect()
}
