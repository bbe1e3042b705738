//! Builds the example's program once, and its plugin in every variant, as `cargo pitstop run` builds programs and images.

use super::cases::{Case, Compiler as Wish, Edit};
use super::damage::{damage, renamed_compiler};
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
    images: u32,
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
        compiled(&base, &jobs, Generation::LINKED, &base.linkage, &place)?;
        // From now on cargo has nothing to tell.
        selection.build_flags.push("--quiet".to_owned());
        let (program, _) = place.output(&base.program.units[base.program.host], Form::Host);
        Ok(Self { session, example, workspace, selection, wanted, base, program, images: 0 })
    }

    /// Builds a case's variant of the plugin.
    pub(super) fn build(&mut self, case: &Case) -> Result<Published, Fatal> {
        let _restored = Edited::make(&self.example, case.edits)?;
        let asks_cargo = case.edits.iter().any(|edit| edit.file.ends_with("Cargo.toml"));
        let mut doctored = false;
        let fresh = match case.compiler {
            Wish::Same if asks_cargo => Some(self.ask_cargo(&self.selection)?),
            Wish::Same => None,
            Wish::Other => {
                let nightly = nightly().filter(|nightly| nightly.version != self.base.compiler.version);
                let build = nightly.map(|nightly| {
                    let rustc = Some(nightly.path);
                    self.ask_cargo(&Selection { rustc, ..self.selection.clone() })
                });
                doctored = build.is_none();
                build.transpose()?
            }
        };
        let used = fresh.as_ref().unwrap_or(&self.base);
        let mut program = used.program.copy();
        for option in case.options {
            let option = Argument { flag: "-C".to_owned(), value: Some((*option).to_owned()) };
            program.units.iter_mut().for_each(|unit| unit.arguments.push(option.clone()));
        }
        let alone = Linkage::SelfContained {
            reason: "asked for".to_owned(),
            native: None,
            allocator: allocator::SYSTEM.to_owned(),
        };
        let linkage = if case.is_static { &alone } else { &used.linkage };
        let place = place(&self.session, case.name)?;
        let plugin = program.images();
        let linked = plugin.iter().flat_map(|job| program.closure(job.unit).into_iter().filter(|id| *id != job.unit));
        let mut jobs: Vec<Job> = linked.map(|unit| Job { unit, form: Form::Linked }).collect();
        jobs.extend(plugin);
        self.images += 1;
        let build = Build { program, compiler: used.compiler.clone(), linkage: linkage.clone() };
        let path = compiled(&build, &jobs, Generation(self.images), &build.linkage, &place)?;
        let path = path.ok_or_else(|| Fatal::workspace(format!("{}: no image was built", case.name)))?;
        let cannot = |error: std::io::Error| Fatal::session(format!("{}: {error}", path.display()));
        let mut bytes = std::fs::read(&path).map_err(cannot)?;
        if doctored {
            bytes = renamed_compiler(bytes, &self.base.compiler);
            std::fs::write(&path, &bytes).map_err(cannot)?;
        }
        let bytes = match case.damage {
            Some(kind) => damage(kind, &path, bytes, &self.base.compiler).map_err(cannot)?,
            None => bytes,
        };
        let instead = doctored.then_some("no nightly: doctored");
        Ok(Published { bytes: bytes.len() as u64, crc32: crc32fast::hash(&bytes), path, instead })
    }

    fn ask_cargo(&self, selection: &Selection) -> Result<Build, Fatal> {
        let mut build = Build::new(&self.workspace, selection, &self.wanted, &self.session)?;
        // Cargo gives the crates other names for it, within; the watcher does not, and so these are not what is shown.
        build.program.take_identities(&self.base.program);
        Ok(build)
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
}

/// Compiles, and returns the image where there is one among the jobs.
fn compiled(
    build: &Build,
    jobs: &[Job],
    generation: Generation,
    linkage: &Linkage,
    place: &Place,
) -> Result<Option<PathBuf>, Fatal> {
    let Build { program, compiler, .. } = build;
    let report = compile(program, jobs, generation, compiler, linkage, place, &Cancel::default());
    match report.outcome {
        Outcome::Built => Ok(report.artifacts.into_iter().next().map(|artifact| artifact.path)),
        Outcome::Failed { crate_name, rendered, .. } => {
            Err(Fatal::workspace(format!("`{crate_name}` of the example does not build:\n{}", rendered.trim_end())))
        }
        Outcome::Cancelled => Err(Fatal::workspace("the build was stopped")),
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
