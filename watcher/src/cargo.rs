//! Calls cargo: what the workspace is, and the exact rustc commands of the program that is wanted.

use crate::exit_code::Fatal;
use crate::process::own_group;
use crate::session::Session;
use crate::unit::{Captured, Compiler, Unit};
use crate::wrapper::{ENV_CAPTURE, Settings};
use cargo_metadata::{Message, Metadata, MetadataCommand, Package, PackageId, TargetKind};
use pitstop_contract::dependency::{Dependencies, Dependency};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the user asked for, in cargo's own words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// A package, example or binary, whichever has this name.
    pub(crate) name: Option<String>,
    pub(crate) package: Option<String>,
    pub(crate) bin: Option<String>,
    pub(crate) example: Option<String>,
    pub(crate) manifest_path: Option<PathBuf>,
    pub(crate) target_dir: Option<PathBuf>,
    /// Passed on as they are: `--release`, `--features x`, ...
    pub(crate) build_flags: Vec<String>,
    /// Those of them that `cargo metadata` knows too.
    pub(crate) metadata_flags: Vec<String>,
    /// The compiler, where it is not to be cargo's choice.
    pub(crate) rustc: Option<PathBuf>,
}

/// The program that is run.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) package: String,
    pub(crate) manifest_directory: PathBuf,
    /// `--bin game` or `--example demo`.
    pub(crate) flags: [String; 2],
}

/// What cargo knows of the workspace.
pub(crate) struct Workspace {
    pub(crate) metadata: Metadata,
    pub(crate) target_directory: PathBuf,
    /// Where intermediate files go: the target directory, unless cargo is told otherwise.
    pub(crate) build_directory: PathBuf,
}

/// What one run of cargo found out.
#[derive(Default)]
pub(crate) struct Capture {
    pub(crate) units: Vec<Unit>,
    /// Packages that bundle native code, and their static libraries, each as `static=name`.
    pub(crate) native: BTreeMap<PackageId, Vec<String>>,
    /// The dynamic libraries that packages name.
    pub(crate) native_dynamic: BTreeSet<String>,
    /// Folders of native libraries.
    pub(crate) native_paths: Vec<String>,
    /// The libraries of each package outside of the captured ones, by file.
    pub(crate) libraries: HashMap<PathBuf, PackageId>,
    /// The crates of each package as they were built, more than one where build scripts or macros use it too.
    pub(crate) crates: HashMap<PackageId, Vec<(String, Dependency)>>,
    /// Dynamic libraries for which cargo did not call the compiler, by package and crate.
    fresh: Vec<(PackageId, String)>,
}

pub(crate) fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// Where the workspace builds that the command is called in, if it is called in one.
pub(crate) fn target_directory() -> Option<PathBuf> {
    let metadata = MetadataCommand::new().cargo_path(cargo()).no_deps().exec().ok()?;
    Some(metadata.target_directory.into_std_path_buf())
}

/// Reads the workspace.
pub(crate) fn workspace(selection: &Selection) -> Result<Workspace, Fatal> {
    let mut command = MetadataCommand::new();
    command.cargo_path(cargo());
    if let Some(path) = &selection.manifest_path {
        command.manifest_path(path);
    }
    if let Some(target) = &selection.target_dir {
        let target = std::path::absolute(target).unwrap_or_else(|_| target.clone());
        command.env("CARGO_TARGET_DIR", target);
    }
    command.other_options(selection.metadata_flags.clone());
    let metadata = command.exec().map_err(|error| match error {
        cargo_metadata::Error::CargoMetadata { stderr } => Fatal::workspace(stderr.trim_end().to_owned()),
        other => Fatal::workspace(format!("cannot read the workspace: {other}")),
    })?;
    let target_directory = metadata.target_directory.clone().into_std_path_buf();
    let build_directory = metadata.build_directory.clone().map_or_else(|| target_directory.clone(), Into::into);
    Ok(Workspace { metadata, target_directory, build_directory })
}

impl Workspace {
    pub(crate) fn root(&self) -> &Path {
        self.metadata.workspace_root.as_std_path()
    }

    pub(crate) fn members(&self) -> Vec<&Package> {
        self.metadata.workspace_packages()
    }

    /// A member whose library crate has this name.
    pub(crate) fn library(&self, crate_name: &str) -> Option<&Package> {
        self.members().into_iter().find(|package| {
            package.targets.iter().any(|target| {
                target.name.replace('-', "_") == crate_name
                    && target
                        .kind
                        .iter()
                        .any(|kind| matches!(kind, TargetKind::CDyLib | TargetKind::DyLib | TargetKind::Lib))
            })
        })
    }

    /// The crates that use `#[reloadable]`: those that depend on `pitstop-reloadable`.
    pub(crate) fn uses_attribute(&self, manifest_directory: &Path) -> bool {
        let package = self.members().into_iter().find(|package| directory_of(package) == manifest_directory);
        package.is_some_and(|package| !is_ours(package) && may_be_marked(package))
    }

    /// The program that the selection means.
    pub(crate) fn program(&self, selection: &Selection) -> Result<Wanted, Fatal> {
        let programs = self.programs(selection);
        match programs.len() {
            1 => Ok(programs[0].clone()),
            0 => Err(Fatal::workspace(format!(
                "no program {}in the workspace; there are: {}",
                selection.describe(),
                list(&self.programs(&Selection::default()))
            ))),
            _ => Err(Fatal::workspace(format!(
                "several programs; name one, with `cargo pitstop run NAME` or `-p`, `--bin`, `--example`: {}",
                list(&programs)
            ))),
        }
    }

    fn programs(&self, selection: &Selection) -> Vec<Wanted> {
        let everywhere = selection.name.is_some()
            || selection.package.is_some()
            || selection.bin.is_some()
            || selection.example.is_some();
        let here = std::env::current_dir().unwrap_or_default();
        let members = self.members();
        let current = members
            .iter()
            .find(|package| here.starts_with(directory_of(package)) && directory_of(package) != self.root());
        let mut found = Vec::new();
        for package in &members {
            if selection.package.as_deref().is_some_and(|name| name != package.name.as_str()) {
                continue;
            }
            if !everywhere && current.is_some_and(|current| current.id != package.id) {
                continue;
            }
            let bins: Vec<_> = package.targets.iter().filter(|target| target.is_bin()).collect();
            let by_package = selection.name.as_deref() == Some(package.name.as_str());
            for target in &package.targets {
                let is_default = package.default_run.as_deref().is_none_or(|default| default == target.name);
                let named = selection.name.as_deref() == Some(target.name.as_str());
                let kind = if target.is_bin() {
                    "--bin"
                } else if target.is_example() {
                    "--example"
                } else {
                    continue;
                };
                let wanted = match (&selection.bin, &selection.example, &selection.name) {
                    (Some(bin), _, _) => target.is_bin() && *bin == target.name,
                    (_, Some(example), _) => target.is_example() && *example == target.name,
                    (_, _, Some(_)) => named || by_package && target.is_bin() && (is_default || bins.len() == 1),
                    _ => target.is_bin() && is_default,
                };
                if wanted {
                    found.push(Wanted {
                        package: package.name.to_string(),
                        manifest_directory: directory_of(package).to_owned(),
                        flags: [kind.to_owned(), target.name.clone()],
                    });
                }
            }
        }
        found
    }

    /// Members that must be compiled by cargo itself: build scripts, procedural macros or other people's crates use them.
    pub(crate) fn real(&self) -> BTreeSet<PathBuf> {
        let Some(resolve) = &self.metadata.resolve else { return BTreeSet::new() };
        let members: BTreeSet<&PackageId> = self.metadata.workspace_members.iter().collect();
        let nodes: HashMap<&PackageId, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
        let is_macro = |id: &PackageId| self.metadata[id].targets.iter().any(cargo_metadata::Target::is_proc_macro);
        let mut queue: Vec<&PackageId> = Vec::new();
        for node in &resolve.nodes {
            for dependency in &node.deps {
                let for_build =
                    dependency.dep_kinds.iter().any(|kind| kind.kind == cargo_metadata::DependencyKind::Build);
                if for_build || is_macro(&node.id) || !members.contains(&node.id) {
                    queue.push(&dependency.pkg);
                }
            }
        }
        let mut real = BTreeSet::new();
        while let Some(id) = queue.pop() {
            if real.insert(id)
                && let Some(node) = nodes.get(id)
            {
                let used = node.deps.iter().filter(|dependency| {
                    dependency.dep_kinds.iter().any(|kind| kind.kind == cargo_metadata::DependencyKind::Normal)
                });
                queue.extend(used.map(|dependency| &dependency.pkg));
            }
        }
        let real = real.into_iter().filter(|id| members.contains(id));
        real.map(|id| directory_of(&self.metadata[id]).to_owned()).collect()
    }

    /// Packages that depend on any of these, directly or not, and these.
    pub(crate) fn with_dependents(&self, mut packages: BTreeSet<PackageId>) -> BTreeSet<PackageId> {
        let Some(resolve) = &self.metadata.resolve else { return packages };
        loop {
            let before = packages.len();
            for node in &resolve.nodes {
                if node.dependencies.iter().any(|dependency| packages.contains(dependency)) {
                    packages.insert(node.id.clone());
                }
            }
            if packages.len() == before {
                return packages;
            }
        }
    }

    /// The crates that cargo itself compiles and that are linked into a member, directly or not, as cargo built them.
    pub(crate) fn dependencies(&self, manifest_directory: &Path, capture: &Capture) -> Dependencies {
        let mut found = Dependencies::new();
        let Some(resolve) = &self.metadata.resolve else { return found };
        let nodes: HashMap<&PackageId, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
        let own = self.members().into_iter().find(|package| directory_of(package) == manifest_directory);
        let mut queue: Vec<&PackageId> = own.map(|package| &package.id).into_iter().collect();
        let mut seen = BTreeSet::new();
        let real = self.real();
        while let Some(id) = queue.pop() {
            let Some(node) = nodes.get(id).filter(|_| seen.insert(id)) else { continue };
            let package = &self.metadata[id];
            let is_ours = self.metadata.workspace_members.contains(id) && !real.contains(directory_of(package));
            if !is_ours {
                // A package that was not built is for another platform.
                for (name, dependency) in capture.crates.get(id).into_iter().flatten() {
                    let dependency = Dependency { version: package.version.to_string(), ..dependency.clone() };
                    found.entry(name.clone()).or_default().insert(dependency);
                }
            }
            // A procedural macro runs in the compiler, and so does all that it depends on.
            if package.targets.iter().any(cargo_metadata::Target::is_proc_macro) {
                continue;
            }
            let used = node.deps.iter().filter(|dependency| {
                dependency.dep_kinds.iter().any(|kind| kind.kind == cargo_metadata::DependencyKind::Normal)
            });
            queue.extend(used.map(|dependency| &dependency.pkg));
        }
        found
    }

    /// Runs cargo for a program, or for the library of a package, and collects the commands.
    ///
    /// `show` gets what cargo says to a person.
    pub(crate) fn capture(
        &self,
        selection: &Selection,
        package: &str,
        flags: &[String],
        session: &Session,
    ) -> Result<Capture, Fatal> {
        let folder = session.capture();
        let outer = outer_wrapper(self.root());
        let this = std::env::current_exe().map_err(|error| Fatal::workspace(error.to_string()))?;
        let settings = Settings { environment: environment(), outer: outer.clone(), real: self.real() };
        settings.write(&folder).map_err(|error| Fatal::session(format!("{}: {error}", folder.display())))?;
        let mut command = Command::new(cargo());
        command.arg("build").args(["-p", package]).args(flags).args(&selection.build_flags);
        // A `State` checks who touches it in a live build only, see `CHECKED` in `reloadable/src/state/mod.rs`.
        let checked = format!("profile.{}.package.pitstop-reloadable.debug-assertions=true", selection.profile());
        command.arg("--config").arg(checked);
        if let Some(path) = &selection.manifest_path {
            command.arg("--manifest-path").arg(path);
        }
        if let Some(rustc) = &selection.rustc {
            command.env("RUSTC", rustc);
        }
        command.arg("--message-format=json-render-diagnostics");
        // Dependencies are cargo's own, where it always has them; the empty stand-ins must not take the place of programs.
        command.env("CARGO_BUILD_BUILD_DIR", &self.build_directory);
        command.env("CARGO_TARGET_DIR", session.root.join("cargo"));
        command.env("RUSTC_WORKSPACE_WRAPPER", &this);
        if outer.is_some() {
            command.env("RUSTC_WRAPPER", &this);
        }
        command.env(ENV_CAPTURE, &folder);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        own_group(&mut command);
        let mut child = command.spawn().map_err(|error| Fatal::workspace(format!("cannot start cargo: {error}")))?;
        let mut capture = Capture::default();
        if let Some(stdout) = child.stdout.take() {
            for message in Message::parse_stream(BufReader::new(stdout)).flatten() {
                capture.note(message);
            }
        }
        let status = child.wait().map_err(|error| Fatal::workspace(error.to_string()))?;
        if !status.success() {
            return Err(Fatal::workspace("cargo could not build the dependencies; its messages are above"));
        }
        capture.read_units(&folder)?;
        if self.forget_built(&capture) {
            return self.capture(selection, package, flags, session);
        }
        Ok(capture)
    }

    /// Dynamic libraries have one name with or without the wrapper, so that cargo takes one that `cargo build` made for
    /// ours, and does not call the compiler. Without the file it does; whether there was any such.
    fn forget_built(&self, capture: &Capture) -> bool {
        let Some(folder) = capture.units.iter().find_map(Unit::out_directory) else { return false };
        let real = self.real();
        let members = capture.fresh.iter().filter_map(|(id, crate_name)| {
            let package = self.members().into_iter().find(|package| package.id == *id)?;
            (!real.contains(directory_of(package))).then_some(crate_name)
        });
        let file = |name: &String| format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
        members.filter(|name| std::fs::remove_file(folder.join(file(name))).is_ok()).count() > 0
    }
}

impl Capture {
    fn note(&mut self, message: Message) {
        match message {
            Message::BuildScriptExecuted(script) => {
                for library in script.linked_libs.iter().map(|library| library.as_str()) {
                    let (kind, name) = library.split_once('=').unwrap_or(("dylib", library));
                    if kind.starts_with("static") {
                        self.native.entry(script.package_id.clone()).or_default().push(library.to_owned());
                    } else if kind.starts_with("dylib") {
                        self.native_dynamic.insert(name.to_owned());
                    }
                }
                self.native_paths.extend(script.linked_paths.iter().map(ToString::to_string));
            }
            Message::CompilerArtifact(artifact) => {
                let kinds = &artifact.target.kind;
                if artifact.fresh && kinds.iter().any(|kind| matches!(kind, TargetKind::CDyLib | TargetKind::DyLib)) {
                    self.fresh.push((artifact.package_id.clone(), artifact.target.name.replace('-', "_")));
                }
                if artifact.target.is_lib() || artifact.target.is_rlib() || artifact.target.is_dylib() {
                    let stems = artifact.filenames.iter().filter_map(|file| file.file_stem()?.rsplit_once('-'));
                    let dependency = Dependency {
                        // Known to the workspace, which fills it in.
                        version: String::new(),
                        identity: stems.map(|(_, hash)| hash.to_owned()).next().unwrap_or_default(),
                        features: artifact.features.iter().cloned().collect(),
                    };
                    let name = artifact.target.name.replace('-', "_");
                    self.crates.entry(artifact.package_id.clone()).or_default().push((name, dependency));
                }
                for file in artifact.filenames {
                    self.libraries.insert(file.into_std_path_buf(), artifact.package_id.clone());
                }
            }
            _ => {}
        }
    }

    fn read_units(&mut self, folder: &Path) -> Result<(), Fatal> {
        let cannot = |error: std::io::Error| Fatal::session(format!("{}: {error}", folder.display()));
        for entry in std::fs::read_dir(folder).map_err(cannot)? {
            let path = entry.map_err(cannot)?.path();
            let text = std::fs::read(&path).map_err(cannot)?;
            if let Ok(captured) = serde_json::from_slice::<Captured>(&text) {
                self.units.extend(Unit::new(captured));
                let _ = std::fs::remove_file(path);
            }
        }
        self.units.sort_by_key(Unit::stem);
        Ok(())
    }
}

impl Selection {
    /// The target triple, where one was asked for.
    pub(crate) fn target(&self) -> Option<&str> {
        self.build_flag("--target")
    }

    /// The name of the profile.
    pub(crate) fn profile(&self) -> &str {
        let is_release = self.build_flags.iter().any(|flag| flag == "--release");
        self.build_flag("--profile").unwrap_or(if is_release { "release" } else { "dev" })
    }

    fn build_flag(&self, flag: &str) -> Option<&str> {
        self.build_flags.windows(2).find(|pair| pair[0] == flag).map(|pair| pair[1].as_str())
    }

    fn describe(&self) -> String {
        let name = self.name.as_ref().or(self.bin.as_ref()).or(self.example.as_ref()).or(self.package.as_ref());
        name.map_or_else(String::new, |name| format!("`{name}` "))
    }
}

fn list(programs: &[Wanted]) -> String {
    let mut names: Vec<String> = programs.iter().map(|program| program.flags[1].clone()).collect();
    names.sort();
    names.dedup();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Whether a package is Pitstop's own, and so never a reloadable crate.
pub(crate) fn is_ours(package: &Package) -> bool {
    ["pitstop-host", "pitstop-reloadable", "pitstop-tests"].contains(&package.name.as_str())
}

/// Whether the crate itself, and not only its tests, depends on `pitstop-reloadable`.
pub(crate) fn may_be_marked(package: &Package) -> bool {
    package.dependencies.iter().any(|dependency| {
        dependency.name == "pitstop-reloadable" && dependency.kind == cargo_metadata::DependencyKind::Normal
    })
}

pub(crate) fn directory_of(package: &Package) -> &Path {
    package.manifest_path.parent().map_or(Path::new(""), |path| path.as_std_path())
}

fn environment() -> BTreeMap<String, String> {
    let pairs = std::env::vars_os();
    pairs.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect()
}

/// The user's `RUSTC_WRAPPER`, from the environment or from a configuration file.
fn outer_wrapper(root: &Path) -> Option<String> {
    build_setting(root, &["RUSTC_WRAPPER", "CARGO_BUILD_RUSTC_WRAPPER"], "rustc-wrapper")
}

/// A setting of cargo's `[build]`, from the environment or from the configuration files that hold for a folder.
pub(crate) fn build_setting(folder: &Path, variables: &[&str], key: &str) -> Option<String> {
    for name in variables {
        if let Ok(value) = std::env::var(name) {
            return (!value.is_empty()).then_some(value);
        }
    }
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let homes = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let folders = folder.ancestors().map(|folder| folder.join(".cargo")).chain(homes);
    folders.flat_map(|folder| [folder.join("config.toml"), folder.join("config")]).find_map(|file| {
        let table: toml::Table = std::fs::read_to_string(file).ok()?.parse().ok()?;
        let value = table.get("build")?.get(key)?;
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (!value.is_empty()).then_some(value)
    })
}

/// Builds an empty program in a folder, with the compiler, the flags, the linker and the target that programs get here.
/// Returns the program's file, or what the compiler said.
pub(crate) fn empty_program(selection: &Selection, folder: &Path) -> Result<PathBuf, String> {
    let manifest = folder.join("Cargo.toml");
    let source = folder.join("src/main.rs");
    let written = std::fs::create_dir_all(folder.join("src"))
        .and_then(|()| std::fs::write(&manifest, "[package]\nname = \"empty\"\nedition = \"2021\"\n[workspace]\n"))
        .and_then(|()| std::fs::write(&source, "fn main() {}\n"));
    written.map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut command = Command::new(cargo());
    command.args(["build", "--quiet", "--message-format=json-render-diagnostics", "--manifest-path"]).arg(&manifest);
    command.args(selection.target().into_iter().flat_map(|target| ["--target", target]));
    command.env("CARGO_TARGET_DIR", folder.join("target")).env("CARGO_BUILD_BUILD_DIR", folder.join("target"));
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("cannot start cargo: {error}"))?;
    let built = Message::parse_stream(&*output.stdout).flatten().find_map(|message| match message {
        Message::CompilerArtifact(artifact) => artifact.executable,
        _ => None,
    });
    built.map(Into::into).ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Asks a compiler who it is.
pub(crate) fn compiler(rustc: &Path, directory: &Path, target: Option<&str>) -> Result<Compiler, Fatal> {
    let ask = |arguments: &[&str]| -> Result<String, Fatal> {
        let output = Command::new(rustc).args(arguments).current_dir(directory).output();
        let output = output.map_err(|error| Fatal::workspace(format!("cannot start {}: {error}", rustc.display())))?;
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Fatal::workspace(format!("{}: {}", rustc.display(), message.trim_end())));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    };
    let about = ask(&["-vV"])?;
    let line = |start: &str| about.lines().find_map(|line| line.strip_prefix(start)).unwrap_or_default().to_owned();
    let mut print = vec!["--print", "sysroot", "--print", "target-libdir"];
    if let Some(target) = target {
        print.extend(["--target", target]);
    }
    let printed = ask(&print)?;
    let mut printed = printed.lines();
    let sysroot = PathBuf::from(printed.next().unwrap_or_default());
    let libraries = PathBuf::from(printed.next().unwrap_or_default());
    let itself = sysroot.join("bin").join(format!("rustc{}", std::env::consts::EXE_SUFFIX));
    let is_proxy = std::fs::canonicalize(rustc).is_ok_and(|path| path.file_stem().is_some_and(|name| name == "rustup"));
    let by_name = rustc.components().count() == 1;
    Ok(Compiler {
        path: if (is_proxy || by_name) && itself.is_file() { itself } else { rustc.to_owned() },
        version: line("rustc "),
        commit: line("commit-hash: "),
        host: line("host: "),
        libraries,
    })
}
