//! The program as a graph of the workspace's own crates, and what is to be compiled after an edit.

use crate::cargo::{Capture, Wanted, Workspace};
use crate::exit_code::Fatal;
use crate::unit::{Extern, Unit};
use pitstop_contract::dependency::{self, Dependencies};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Names a unit within a program.
pub(crate) type Id = usize;

/// The program: its own crates and how they depend on each other.
pub(crate) struct Program {
    pub(crate) units: Vec<Unit>,
    /// The executable; a watched library has none.
    pub(crate) host: Id,
    pub(crate) reloadable: BTreeSet<Id>,
    /// Libraries that the host asked for by name.
    pub(crate) libraries: BTreeSet<Id>,
    by_stem: BTreeMap<String, Id>,
}

/// The form in which a crate is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    /// To be linked into others.
    Linked,
    /// The executable.
    Host,
    /// A reloadable image.
    Image,
    /// A library that the host loads by name.
    Library,
}

/// One call of rustc.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Job {
    pub(crate) unit: Id,
    pub(crate) form: Form,
}

/// A dependency that cargo now builds otherwise than for the running program.
pub(crate) struct Moved {
    pub(crate) name: String,
    /// The crate of the workspace that it is linked into.
    pub(crate) user: String,
    pub(crate) before: String,
    pub(crate) after: String,
}

impl Moved {
    /// The crate that moved: a library which a unit names was built anew, maybe for one that it depends on itself.
    fn below(rebuilt: &Extern, before: &Unit, after: &Unit) -> Self {
        let user = before.crate_name.clone();
        let moved = dependency::moved(&before.dependencies, &after.dependencies).into_iter().next();
        match moved {
            Some(name) => {
                let (old, new) = (&before.dependencies[&name], &after.dependencies[&name]);
                Self { before: dependency::shown(old, new), after: dependency::shown(new, old), name, user }
            }
            None => {
                let name = rebuilt.name.clone();
                Self { name, user, before: rebuilt.stem().to_owned(), after: "another build".to_owned() }
            }
        }
    }
}

impl Program {
    pub(crate) fn new(capture: &mut Capture, workspace: &Workspace, wanted: &Wanted) -> Result<Self, Fatal> {
        let mut units = std::mem::take(&mut capture.units);
        for unit in &mut units {
            unit.dependencies = workspace.dependencies(&unit.manifest_directory, capture);
        }
        let crate_name = wanted.flags[1].replace('-', "_");
        let host = units.iter().position(|unit| {
            unit.is_program() && unit.crate_name == crate_name && unit.manifest_directory == wanted.manifest_directory
        });
        let Some(host) = host else {
            return Err(Fatal::workspace(format!(
                "cargo did not call the compiler for `{}`; is it built by a wrapper of its own?",
                wanted.flags[1]
            )));
        };
        let mut program =
            Self { units, host, reloadable: BTreeSet::new(), libraries: BTreeSet::new(), by_stem: BTreeMap::new() };
        program.index();
        let linked = program.linked_into_host();
        let marked = linked.iter().filter(|&&id| workspace.uses_attribute(&program.units[id].manifest_directory));
        program.reloadable = marked.copied().filter(|&id| id != host).collect();
        Ok(program)
    }

    fn index(&mut self) {
        let stems = self.units.iter().enumerate().filter(|(_, unit)| !unit.is_program());
        self.by_stem = stems.map(|(id, unit)| (unit.stem(), id)).collect();
    }

    /// The same program, to be added to.
    pub(crate) fn copy(&self) -> Self {
        Self {
            units: self.units.clone(),
            host: self.host,
            reloadable: self.reloadable.clone(),
            libraries: self.libraries.clone(),
            by_stem: self.by_stem.clone(),
        }
    }

    /// Keeps each crate's identity as it is in the running program: types stay the same types only under the same
    /// `-C metadata`, and cargo chooses another one when a dependency is added.
    ///
    /// Returns the dependency that is not the one which the running program is linked with.
    pub(crate) fn take_identities(&mut self, running: &Self) -> Option<Moved> {
        for unit in &mut self.units {
            if let Some(known) = running.find(unit) {
                unit.set_metadata(&known.metadata);
            }
        }
        let rebuilt = |unit: &Unit| {
            let known = running.find(unit)?;
            let new: BTreeSet<&Path> = unit.externs.iter().map(|found| found.path.as_path()).collect();
            let old = known.externs.iter().filter(|found| running.by_stem(found.stem()).is_none());
            let rebuilt = old.filter(|found| !found.is_proc_macro()).find(|found| {
                !new.contains(found.path.as_path()) && unit.externs.iter().any(|other| other.name == found.name)
            });
            Some(Moved::below(rebuilt?, known, unit))
        };
        self.units.iter().find_map(rebuilt)
    }

    /// Puts each crate where it is in the running program, so that an [`Id`] from before still means it. What the program
    /// no longer has keeps its place, for nobody.
    pub(crate) fn take_places(&mut self, running: &Self) {
        let mut units = running.units.clone();
        let mut free: BTreeSet<Id> = (0..units.len()).collect();
        let mut places = Vec::new();
        for unit in std::mem::take(&mut self.units) {
            let place = free.iter().copied().find(|&id| units[id].is_same_crate(&unit));
            match place {
                Some(place) => units[place] = unit,
                None => units.push(unit),
            }
            places.push(place.unwrap_or(units.len() - 1));
            if let Some(place) = place {
                free.remove(&place);
            }
        }
        self.units = units;
        self.host = places[self.host];
        self.reloadable = self.reloadable.iter().map(|&id| places[id]).collect();
        self.libraries = self.libraries.iter().map(|&id| places[id]).collect();
        self.index();
    }

    fn find(&self, like: &Unit) -> Option<&Unit> {
        self.units.iter().find(|unit| unit.is_same_crate(like))
    }

    /// The crates whose command is another than in `before`, or that read something which cargo has built anew.
    pub(crate) fn changed_since(&self, before: &Self) -> BTreeSet<Id> {
        let changed = self.units.iter().enumerate().filter(|(id, unit)| {
            *id != self.host && before.find(unit).is_none_or(|known| !unit.is_same_command(known))
        });
        changed.map(|(id, _)| id).collect()
    }

    /// The program's own crates whose command is another than for the running program, and that no image replaces.
    pub(crate) fn outdated(&self, running: &Self) -> Vec<String> {
        let linked: BTreeSet<Id> = self.linked_into_host();
        let own = self.host_code(&linked);
        let changed = own.filter(|unit| running.find(unit).is_none_or(|known| !unit.is_same_program(known)));
        changed.map(|unit| unit.crate_name.clone()).collect()
    }

    /// Adds a library that the host asked for, with the crates it depends on.
    pub(crate) fn add_library(&mut self, capture: &mut Capture, crate_name: &str) -> Option<Id> {
        for unit in std::mem::take(&mut capture.units) {
            if !self.by_stem.contains_key(&unit.stem()) {
                self.units.push(unit);
            }
        }
        self.index();
        let id = self.units.iter().position(|unit| {
            unit.crate_name == crate_name && unit.crate_types.iter().any(|kind| kind == "cdylib" || kind == "dylib")
        })?;
        self.libraries.insert(id);
        Some(id)
    }

    /// Nobody asks for a library any more.
    pub(crate) fn forget_library(&mut self, crate_name: &str) {
        let units = &self.units;
        self.libraries.retain(|&id| units[id].crate_name != crate_name);
    }

    /// The workspace's crates that a unit names.
    pub(crate) fn dependencies(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        self.units[id].externs.iter().filter_map(|found| self.by_stem.get(found.stem()).copied())
    }

    /// All crates that are linked into a unit, for its facts.
    pub(crate) fn all_dependencies(&self, id: Id) -> Dependencies {
        let mut all = self.units[id].dependencies.clone();
        for other in self.closure(id).into_iter().filter(|other| *other != id).map(|other| &self.units[other]) {
            all.entry(other.crate_name.clone()).or_default().insert(other.as_dependency());
        }
        all
    }

    pub(crate) fn by_stem(&self, stem: &str) -> Option<Id> {
        self.by_stem.get(stem).copied()
    }

    /// A unit and all that it depends on.
    pub(crate) fn closure(&self, id: Id) -> BTreeSet<Id> {
        let mut found = BTreeSet::new();
        let mut queue = vec![id];
        while let Some(id) = queue.pop() {
            if found.insert(id) {
                queue.extend(self.dependencies(id));
            }
        }
        found
    }

    fn linked_into_host(&self) -> BTreeSet<Id> {
        self.closure(self.host)
    }

    /// Everything, for the start: each crate once, and the executable.
    pub(crate) fn everything(&self) -> Vec<Job> {
        let form = |id| if id == self.host { Form::Host } else { Form::Linked };
        self.linked_into_host().into_iter().map(|unit| Job { unit, form: form(unit) }).collect()
    }

    /// An image of each reloadable crate.
    pub(crate) fn images(&self) -> Vec<Job> {
        self.reloadable.iter().map(|&unit| Job { unit, form: Form::Image }).collect()
    }

    /// What a library needs besides what is compiled already.
    pub(crate) fn library_jobs(&self, library: Id) -> Vec<Job> {
        let linked = self.linked_into_host();
        let missing = self.closure(library).into_iter().filter(|id| *id != library && !linked.contains(id));
        let mut jobs: Vec<Job> = missing.map(|unit| Job { unit, form: Form::Linked }).collect();
        jobs.push(Job { unit: library, form: Form::Library });
        jobs
    }

    /// What is to be compiled when these crates' sources changed. Empty when nothing that can be reloaded is reached.
    pub(crate) fn jobs_for(&self, dirty: &BTreeSet<Id>) -> Vec<Job> {
        let mut affected = dirty.clone();
        loop {
            let before = affected.len();
            for id in 0..self.units.len() {
                if self.dependencies(id).any(|dependency| affected.contains(&dependency)) {
                    affected.insert(id);
                }
            }
            if affected.len() == before {
                break;
            }
        }
        let mut jobs = BTreeSet::new();
        for (set, form) in [(&self.reloadable, Form::Image), (&self.libraries, Form::Library)] {
            for &unit in set.intersection(&affected) {
                jobs.insert(Job { unit, form });
                // What lies between a changed crate and the image is linked into the image.
                let between = self.closure(unit).into_iter().filter(|id| *id != unit && affected.contains(id));
                jobs.extend(between.map(|unit| Job { unit, form: Form::Linked }));
            }
        }
        jobs.into_iter().collect()
    }

    /// The crates of which the program has a part that an edit of `dirty` reaches but no image replaces.
    pub(crate) fn host_code<'a>(&'a self, dirty: &'a BTreeSet<Id>) -> impl Iterator<Item = &'a Unit> + 'a {
        let linked = self.linked_into_host();
        let is_stuck = move |id: &Id| linked.contains(id) && self.jobs_for(&BTreeSet::from([*id])).is_empty();
        dirty.iter().copied().filter(is_stuck).map(|id| &self.units[id])
    }

    /// Changed crates that reach an image, and that the program's own code uses too: there they stay as they were.
    pub(crate) fn copies_in_host(&self, dirty: &BTreeSet<Id>) -> Vec<(String, String)> {
        let linked = self.linked_into_host();
        let plain = |id: &Id| linked.contains(id) && !self.reloadable.contains(id);
        let users: Vec<Id> = linked.iter().copied().filter(|id| plain(id)).collect();
        let copied = dirty.iter().filter(|id| plain(id) && !self.jobs_for(&BTreeSet::from([**id])).is_empty());
        let copied = copied.filter(|id| users.iter().any(|&user| self.dependencies(user).any(|found| found == **id)));
        copied
            .map(|&id| {
                let name = self.units[id].crate_name.clone();
                let notice = format!(
                    "`{name}` is linked into the program as well: what the program itself calls of it stays as it was until a \
                     restart"
                );
                (name, notice)
            })
            .collect()
    }

    /// Whether a path is a workspace crate's folder or inside of it, the innermost one.
    pub(crate) fn owner(&self, path: &Path) -> Option<&Path> {
        let folders = self.units.iter().map(|unit| unit.manifest_directory.as_path());
        folders.filter(|folder| path.starts_with(folder)).max_by_key(|folder| folder.components().count())
    }
}
