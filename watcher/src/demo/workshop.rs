//! Builds the example's program once, and its plugin in every variant, as `cargo pitstop run` builds programs and images.

use super::cases::{Case, Compiler as Wish, Damage, Edit};
use super::damage::damage;
use crate::build::{Cancel, Linkage, Outcome, Place, UNNAMED, compile};
use crate::cargo::{self, Selection, Wanted, Workspace, directory_of};
use crate::cli::LinkageChoice;
use crate::exit_code::Fatal;
use crate::program::{Form, Job, Program};
use crate::run::linkage;
use crate::session::Session;
use crate::unit::{Argument, Compiler};
use pitstop_contract::Generation;
use pitstop_contract::descriptor::allocator;
use pitstop_contract::session::IMAGES;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The example's package, and its program.
const EXAMPLE: &str = "version-match";
/// The crate of which variants are built.
pub(super) const PLUGIN: &str = "plugin";

/// A copy of the example in a workspace of its own, whose files may be edited.
pub(super) struct Workshop {
    pub(super) session: Session,
    /// The copy of the example's folder.
    example: PathBuf,
    workspace: Workspace,
    selection: Selection,
    wanted: Wanted,
    base: Build,
    /// The program, as it was built at first.
    pub(super) program: PathBuf,
}

/// What one run of cargo leads to.
struct Build {
    program: Program,
    compiler: Compiler,
    linkage: Linkage,
}

/// A variant as the watcher would publish it.
pub(super) struct Published {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) crc32: u32,
    /// What was changed, where it is not what the case says.
    pub(super) instead: Option<&'static str>,
}

impl Workshop {
    /// Copies the example and builds its program.
    pub(super) fn open() -> Result<Self, Fatal> {
        let repository = cargo::workspace(&Selection::default())?;
        let Some(package) = repository.members().into_iter().find(|package| package.name.as_str() == EXAMPLE) else {
            return Err(Fatal::workspace(format!(
                "no example `{EXAMPLE}` in this workspace: the demo is part of Pitstop's repository; clone that, and run it \
                 there: {}",
                env!("CARGO_PKG_REPOSITORY")
            )));
        };
        let session = Session::begin(&repository.target_directory, &repository.build_directory)?;
        let root = session.directory.join("workspace");
        let example = root.join(EXAMPLE);
        copy(directory_of(package), &example)
            .and_then(|()| write_root(repository.root(), &root))
            .map_err(|error| Fatal::session(format!("cannot copy the example to {}: {error}", root.display())))?;
        let mut selection = Selection {
            bin: Some(EXAMPLE.to_owned()),
            manifest_path: Some(root.join("Cargo.toml")),
            ..Selection::default()
        };
        let mut workspace = cargo::workspace(&selection)?;
        // What others wrote is compiled once for the repository and the copy.
        workspace.build_directory.clone_from(&repository.build_directory);
        let wanted = workspace.program(&selection)?;
        let base = Build::new(&workspace, &selection, &wanted, &session)?;
        let place = place(&session, "program")?;
        let jobs = base.program.everything();
        base.compile(&jobs, &place)?;
        // From now on cargo has nothing to tell.
        selection.build_flags.push("--quiet".to_owned());
        let (program, _) = place.output(&base.program.units[base.program.host], Form::Host);
        Ok(Self { session, example, workspace, selection, wanted, base, program })
    }

    /// Builds a case's variant of the plugin.
    pub(super) fn build(&self, case: &Case) -> Result<Published, Fatal> {
        let _restored = Edited::make(&self.example, case.edits)?;
        let asked = match case.compiler {
            Wish::Other => self.ask_nightly()?,
            Wish::Same if case.edits.iter().any(|edit| edit.file.ends_with("Cargo.toml")) => {
                Some(self.ask_cargo(&self.selection)?)
            }
            Wish::Same => None,
        };
        let is_doctored = case.compiler == Wish::Other && asked.is_none();
        let build = asked.as_ref().unwrap_or(&self.base).with(case);
        let plugin = build.program.images();
        let linked = plugin.iter().flat_map(|job| build.program.closure(job.unit)).collect::<BTreeSet<_>>();
        let linked = linked.into_iter().filter(|id| plugin.iter().all(|job| job.unit != *id));
        let mut jobs: Vec<Job> = linked.map(|unit| Job { unit, form: Form::Linked }).collect();
        jobs.extend(plugin);
        let image = build.compile(&jobs, &place(&self.session, case.name)?)?;
        let path = image.ok_or_else(|| Fatal::workspace(format!("{}: no image was built", case.name)))?;
        let kind = if is_doctored { Some(Damage::OtherCompiler) } else { case.damage };
        let published = damage(kind, &path, &self.base.compiler);
        let published = published.map_err(|error| Fatal::session(format!("{}: {error}", path.display())))?;
        Ok(Published {
            bytes: published.len() as u64,
            crc32: crc32fast::hash(&published),
            path,
            instead: is_doctored.then_some("no nightly: doctored"),
        })
    }

    /// Asks cargo for the commands anew: a manifest was edited, or the compiler is another.
    fn ask_cargo(&self, selection: &Selection) -> Result<Build, Fatal> {
        let mut build = Build::new(&self.workspace, selection, &self.wanted, &self.session)?;
        // The identities of crates stay as they are, as they do in a session: there is another difference to be found.
        build.program.take_identities(&self.base.program);
        Ok(build)
    }

    /// `None` without a nightly that is not the program's own compiler.
    fn ask_nightly(&self) -> Result<Option<Build>, Fatal> {
        let nightly = nightly().filter(|nightly| nightly.version != self.base.compiler.version);
        let selection = nightly.map(|nightly| Selection { rustc: Some(nightly.path), ..self.selection.clone() });
        selection.map(|selection| self.ask_cargo(&selection)).transpose()
    }
}

impl Build {
    fn new(workspace: &Workspace, selection: &Selection, wanted: &Wanted, session: &Session) -> Result<Self, Fatal> {
        let mut capture = workspace.capture(selection, &wanted.package, &wanted.flags, session)?;
        let program = Program::new(&mut capture, workspace, wanted)?;
        let host = &program.units[program.host];
        let compiler = cargo::compiler(&host.captured.rustc, &host.captured.directory, host.target())?;
        let linkage = linkage(LinkageChoice::Shared, &program, workspace, &capture, &compiler, session)?;
        Ok(Self { program, compiler, linkage })
    }

    /// With the settings of a case.
    fn with(&self, case: &Case) -> Self {
        let mut program = self.program.copy();
        for option in case.options {
            let option = Argument { flag: "-C".to_owned(), value: Some((*option).to_owned()) };
            program.units.iter_mut().for_each(|unit| unit.arguments.push(option.clone()));
        }
        let linkage = if case.is_static {
            let (reason, allocator) = ("asked for".to_owned(), allocator::SYSTEM.to_owned());
            Linkage::SelfContained { reason, native: None, allocator }
        } else {
            self.linkage.clone()
        };
        Self { program, compiler: self.compiler.clone(), linkage }
    }

    /// Returns the image where there is one among the jobs.
    fn compile(&self, jobs: &[Job], place: &Place) -> Result<Option<PathBuf>, Fatal> {
        let Self { program, compiler, linkage } = self;
        // A place has one image at most.
        let report = compile(program, jobs, Generation(1), compiler, linkage, place, &Cancel::default());
        match report.outcome {
            Outcome::Built => Ok(report.artifacts.into_iter().next().map(|artifact| artifact.path)),
            Outcome::Failed { crate_name, rendered, .. } => {
                Err(Fatal::workspace(format!("`{crate_name}` of the example does not build:\n{}", rendered.trim_end())))
            }
            Outcome::Cancelled => Err(Fatal::workspace("the build was stopped")),
        }
    }
}

/// Where one variant is built, apart from all others.
fn place(session: &Session, name: &str) -> Result<Place, Fatal> {
    let directory = session.directory.join(name);
    for folder in [IMAGES, UNNAMED, "lib", "bin"] {
        let folder = directory.join(folder);
        std::fs::create_dir_all(&folder).map_err(|error| Fatal::session(format!("{}: {error}", folder.display())))?;
    }
    Ok(Place {
        session: session.name.clone(),
        directory,
        root: session.root.clone(),
        cache: session.cache.clone(),
        colour: false,
    })
}

/// Edits of the copy, which are undone on drop.
struct Edited(Vec<(PathBuf, String)>);

impl Edited {
    fn make(example: &Path, edits: &[Edit]) -> Result<Self, Fatal> {
        let mut edited = Self(Vec::new());
        for edit in edits {
            let path = example.join(edit.file);
            let cannot = |error: std::io::Error| Fatal::session(format!("{}: {error}", path.display()));
            let text = std::fs::read_to_string(&path).map_err(cannot)?;
            if !text.contains(edit.from) {
                return Err(Fatal::workspace(format!("{} of the example has no `{}`", edit.file, edit.from.trim())));
            }
            std::fs::write(&path, text.replace(edit.from, edit.to)).map_err(cannot)?;
            edited.0.push((path, text));
        }
        Ok(edited)
    }
}

impl Drop for Edited {
    fn drop(&mut self) {
        // The last one first: a file may have been edited more than once.
        for (path, text) in self.0.drain(..).rev() {
            let _ = std::fs::write(path, text);
        }
    }
}

/// The nightly compiler, where rustup has one.
fn nightly() -> Option<Compiler> {
    let mut command = Command::new("rustc");
    command.args(["+nightly", "--print", "sysroot"]).env("RUSTUP_AUTO_INSTALL", "0");
    let output = command.output().ok().filter(|output| output.status.success())?;
    let sysroot = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim_end());
    let rustc = sysroot.join("bin").join(format!("rustc{}", std::env::consts::EXE_SUFFIX));
    cargo::compiler(&rustc, &sysroot, None).ok()
}

/// The copy's own workspace: the repository's settings, with the example as its members.
fn write_root(repository: &Path, root: &Path) -> std::io::Result<()> {
    let text = std::fs::read_to_string(repository.join("Cargo.toml"))?;
    let mut manifest: toml::Table = text.parse().map_err(std::io::Error::other)?;
    let members = ["", "/plugin", "/geometry"].map(|folder| format!("{EXAMPLE}{folder}").into());
    if let Some(workspace) = manifest.get_mut("workspace").and_then(toml::Value::as_table_mut) {
        workspace.insert("members".to_owned(), toml::Value::Array(members.into()));
        workspace.remove("exclude");
        let dependencies = workspace.get_mut("dependencies").and_then(toml::Value::as_table_mut);
        for (_, dependency) in dependencies.into_iter().flatten() {
            if let Some(toml::Value::String(path)) = dependency.get_mut("path") {
                *path = repository.join(&*path).display().to_string();
            }
        }
    }
    // Settings of packages that are not in the copy.
    manifest.remove("profile");
    std::fs::write(root.join("Cargo.toml"), manifest.to_string())?;
    std::fs::copy(repository.join("Cargo.lock"), root.join("Cargo.lock")).map(|_| ())
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
