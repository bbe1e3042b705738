//! The rustc command of a unit in one of its forms.

use crate::process::own_group;
use crate::program::{Form, Id, Program};
use crate::unit::{Compiler, Unit};
use cargo_metadata::PackageId;
use pitstop_contract::Generation;
use pitstop_contract::descriptor::{allocator, fact, linkage, std_linkage};
use pitstop_contract::manifest::plugin_image;
use pitstop_contract::session::{ENV_FACTS, ENV_LIVE, IMAGES, LIVE_HOST, LIVE_IMAGE};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How images and host come by their dependencies.
#[derive(Clone, Debug)]
pub(crate) enum Linkage {
    /// From one dynamic library that both link, and a dynamic `std`.
    Shared {
        /// `None` without dependencies to share.
        library: Option<Shared>,
        native: Option<Native>,
    },
    /// Each from its own copy.
    SelfContained {
        /// Why sharing cannot be.
        reason: String,
        native: Option<Native>,
        /// The program's, as its source names it.
        allocator: String,
    },
}

/// The dynamic library of all dependencies.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) crate_name: String,
    pub(crate) path: PathBuf,
}

/// The dynamic library of native code that dependencies bundle.
#[derive(Clone, Debug)]
pub(crate) struct Native {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    /// The packages whose native code is in it.
    pub(crate) packages: BTreeSet<PackageId>,
}

impl Native {
    /// Before all that bundles the same code: the linker takes the first that defines a symbol.
    pub(crate) fn link(&self, command: &mut Command) {
        command.arg("-L").arg(format!("native={}", self.folder.display()));
        command.args(["-l", &format!("dylib={}", self.name)]);
        run_path(command, &self.folder);
    }
}

impl Linkage {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Shared { .. } => linkage::SHARED,
            Self::SelfContained { .. } => linkage::SELF_CONTAINED,
        }
    }

    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Shared { .. } => "",
            Self::SelfContained { reason, .. } => reason,
        }
    }

    /// The program's own `#[global_allocator]`, which nothing but images with the attribute uses too.
    pub(crate) fn own_allocator(&self) -> Option<&str> {
        match self {
            Self::SelfContained { allocator, .. } if allocator != allocator::SYSTEM => Some(allocator),
            _ => None,
        }
    }

    /// What goes into the descriptor.
    fn facts(&self) -> impl Iterator<Item = (String, String)> {
        let (std, allocator) = match self {
            Self::Shared { .. } => (std_linkage::SHARED, allocator::SHARED),
            Self::SelfContained { allocator, .. } => (std_linkage::STATIC, allocator.as_str()),
        };
        let dependencies = self.library().map_or("", |shared| shared.crate_name.as_str());
        let facts = [
            (fact::LINKAGE, self.name()),
            (fact::STD, std),
            (fact::ALLOCATOR, allocator),
            (fact::DEPENDENCIES, dependencies),
        ];
        facts.map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter()
    }

    fn library(&self) -> Option<&Shared> {
        match self {
            Self::Shared { library, .. } => library.as_ref(),
            Self::SelfContained { .. } => None,
        }
    }

    fn native(&self) -> Option<&Native> {
        match self {
            Self::Shared { native, .. } | Self::SelfContained { native, .. } => native.as_ref(),
        }
    }
}

/// The folder of a session in which images are built, before they have their names.
pub(crate) const UNNAMED: &str = "unnamed";

/// The folder of a session in which crates are that are linked.
const LIBRARIES: &str = "lib";
/// The folder of a session that plugins' commands write to.
const MADE: &str = "made";
/// The folder of a session in which the program is.
const PROGRAM: &str = "bin";

/// Where everything of a session lies.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) session: String,
    pub(crate) directory: PathBuf,
    pub(crate) root: PathBuf,
    pub(crate) cache: PathBuf,
    /// Whether rustc should colour its diagnostics.
    pub(crate) colour: bool,
}

impl Place {
    fn libraries(&self) -> PathBuf {
        self.directory.join(LIBRARIES)
    }

    /// Where the compiler writes a form of a unit, and the dep-info beside it.
    pub(crate) fn output(&self, unit: &Unit, form: Form) -> (PathBuf, PathBuf) {
        let (folder, suffix) = self.names(unit, form);
        let stem = format!("{}{suffix}", unit.crate_name);
        let file = match form {
            Form::Linked => format!("lib{stem}.rlib"),
            Form::Host => format!("{stem}{}", std::env::consts::EXE_SUFFIX),
            Form::Image | Form::Library => {
                format!("{}{stem}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
            }
        };
        let dep_info = folder.join(format!("{stem}.d"));
        (folder.join(file), dep_info)
    }

    /// The same names for all generations: rustc's incremental state is of no use to another folder or file name, since
    /// the debug info of all that it compiled depends on them.
    fn names(&self, unit: &Unit, form: Form) -> (PathBuf, String) {
        match form {
            Form::Linked => (self.libraries(), unit.suffix.clone()),
            Form::Host => (self.directory.join(PROGRAM), String::new()),
            Form::Image => (self.directory.join(UNNAMED), format!("{}-image", unit.suffix)),
            Form::Library => (self.directory.join(UNNAMED), format!("{}-library", unit.suffix)),
        }
    }

    /// A program's own path, for what the compiler wrote to `built`. The file's name stays what it is: programs may look at
    /// it.
    pub(crate) fn executable(&self, built: &Path, build: u64) -> PathBuf {
        self.directory.join(PROGRAM).join(build.to_string()).join(built.file_name().unwrap_or_default())
    }

    /// A versioned name for what is mapped: no path, and so no inode, SONAME or debugger's file, is ever used twice.
    /// What the compiler wrote is moved there, and so the next image is another file.
    pub(crate) fn image(&self, crate_name: &str, generation: Generation) -> PathBuf {
        self.directory.join(IMAGES).join(format!(
            "{}{crate_name}-{}-{generation}{}",
            std::env::consts::DLL_PREFIX,
            self.session,
            std::env::consts::DLL_SUFFIX
        ))
    }

    /// The same for a copy of a library that something else builds: a name that no crate's image has.
    pub(crate) fn copy(&self, library: &Path, generation: Generation) -> PathBuf {
        let stem = library.file_stem().unwrap_or_default().display();
        self.directory.join(IMAGES).join(self.copy_name(&stem.to_string(), FILE, library, generation))
    }

    /// The same for a plugin.
    pub(crate) fn plugin(&self, name: &str, file: &Path, generation: Generation) -> PathBuf {
        let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        // As much as goes into a file's name.
        let name = name.chars().take(100).map(|character| if is_plain(character) { character } else { '_' });
        self.directory.join(IMAGES).join(self.copy_name(&name.collect::<String>(), PLUGIN, file, generation))
    }

    fn copy_name(&self, name: &str, mark: &str, file: &Path, generation: Generation) -> String {
        let extension = file.extension().map(|extension| format!(".{}", extension.display())).unwrap_or_default();
        format!("{name}-{}{mark}-{generation}{extension}", self.session)
    }

    /// The folder that a plugin's command writes to in a build of its own.
    pub(crate) fn made(&self, build: u64) -> PathBuf {
        self.directory.join(MADE).join(build.to_string())
    }
}

/// What the name of a library's copy has before its generation.
const FILE: &str = "-file";
/// And that of a plugin's.
const PLUGIN: &str = "-plugin";

/// The crate and the generation that [`Place::image`] has put into a file's name; of a [`Place::copy`] the name of the library,
/// and of a [`Place::plugin`] that of its image.
pub(crate) fn image_of(file: &str, session: &str) -> Option<(String, Generation)> {
    let (name, rest) = file.rsplit_once(&format!("-{session}"))?;
    let (name, rest) = if let Some(rest) = rest.strip_prefix(FILE) {
        (name.to_owned(), rest)
    } else if let Some(rest) = rest.strip_prefix(PLUGIN) {
        (plugin_image(name), rest)
    } else {
        (name.strip_prefix(std::env::consts::DLL_PREFIX)?.to_owned(), rest)
    };
    let number = rest.strip_prefix('-')?.split('.').next()?;
    Some((name, Generation(number.parse().ok()?)))
}

/// The program's crate, if a file is the program as a session has built it.
pub(crate) fn program_in(session: &Path, file: &Path) -> Option<String> {
    // The folder may be known by another path, through a link.
    let mut folders = file.parent()?.components().rev().map(|folder| folder.as_os_str());
    let mut above = folders.by_ref().skip_while(|folder| *folder != PROGRAM).skip(1);
    let is_program = above.next().is_some_and(|folder| Some(folder) == session.file_name());
    let name = file.file_name().filter(|_| is_program)?.to_string_lossy();
    Some(name.strip_suffix(std::env::consts::EXE_SUFFIX).unwrap_or(&name).to_owned())
}

/// The crates that a session has compiled to be linked, by the names of their files.
pub(crate) fn linked_crates(session: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(session.join(LIBRARIES)).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    // No crate's name has a hyphen: what follows one tells crates of one name apart.
    let crates = names.filter_map(|name| {
        let stem = name.strip_prefix("lib")?.strip_suffix(".rlib")?;
        Some(stem.split('-').next().unwrap_or(stem).to_owned())
    });
    crates.collect()
}

/// The command that compiles a unit.
pub(crate) fn command(
    program: &Program,
    id: Id,
    form: Form,
    generation: Generation,
    compiler: &Compiler,
    linkage: &Linkage,
    place: &Place,
) -> Command {
    let unit = &program.units[id];
    let (folder, suffix) = place.names(unit, form);
    let mut command = Command::new(&compiler.path);
    command.current_dir(&unit.captured.directory);
    for argument in kept(unit, form) {
        if !argument.flag.is_empty() {
            command.arg(&argument.flag);
        }
        command.args(&argument.value);
    }
    match form {
        Form::Linked => command.args(["--crate-type", "lib"]),
        Form::Host => command.args(["--crate-type", "bin"]),
        Form::Image => command.args(["--crate-type", "cdylib"]),
        Form::Library => command.args(["--crate-type", library_type(unit)]),
    };
    command.arg("--out-dir").arg(&folder);
    command.arg("-C").arg(format!("extra-filename={suffix}"));
    // Both beside each other: a path in here would be taken apart at its commas.
    command.arg("--emit=dep-info,link");
    command.arg("--error-format=json");
    command.arg(if place.colour { "--json=diagnostic-rendered-ansi" } else { "--json=artifacts" });
    if unit.codegen("debuginfo").is_none_or(|level| level == "0" || level == "none") {
        // The proof reads types from debug info.
        command.args(["-C", "debuginfo=2"]);
    }
    if unit.codegen("incremental").is_some() {
        let form = if form == Form::Image { "image" } else { "linked" };
        let folder = format!("{}-{}-{form}-{}", unit.crate_name, unit.metadata, linkage.name());
        let incremental = place.cache.join("incremental").join(folder);
        command.arg("-C").arg(format!("incremental={}", incremental.display()));
    }
    dependencies(&mut command, program, id, place);
    link(&mut command, form, compiler, linkage);
    if form == Form::Library {
        name_in_file(&mut command, &place.image(&unit.crate_name, generation));
    }
    environment(&mut command, program, id, form, compiler, linkage, place);
    own_group(&mut command);
    command
}

fn library_type(unit: &Unit) -> &'static str {
    if unit.crate_types.iter().any(|kind| kind == "cdylib") { "cdylib" } else { "dylib" }
}

/// The arguments that stay as cargo gave them.
fn kept(unit: &Unit, form: Form) -> impl Iterator<Item = &crate::unit::Argument> {
    const OURS: [&str; 8] =
        ["--crate-type", "--out-dir", "--emit", "--error-format", "--json", "--extern", "-o", "--diagnostic-width"];
    // Debug info belongs into the image: the proof reads it there.
    const OURS_OF_CODEGEN: [&str; 5] = ["incremental", "extra-filename", "strip", "prefer-dynamic", "split-debuginfo"];
    // A library may be compiled as more than one kind at once, some of which know no LTO.
    let linked_later = form == Form::Linked;
    unit.arguments.iter().filter(move |argument| {
        if OURS.contains(&argument.flag.as_str()) {
            return false;
        }
        let value = argument.value.as_deref().unwrap_or("");
        let option = value.split('=').next().unwrap_or("").replace('_', "-");
        let no_debug_info = option == "debuginfo" && (value.ends_with("=0") || value.ends_with("=none"));
        let is_lto = option == "lto" && linked_later;
        !(argument.flag == "-C" && (OURS_OF_CODEGEN.contains(&option.as_str()) || no_debug_info || is_lto))
    })
}

/// The workspace's own crates as this session compiled them, all others as cargo did.
fn dependencies(command: &mut Command, program: &Program, id: Id, place: &Place) {
    // First, so that of the files that may hold a crate ours is looked at before cargo's empty stand-in.
    let mut search = std::ffi::OsString::from("dependency=");
    search.push(place.libraries());
    command.arg("-L").arg(search);
    for found in &program.units[id].externs {
        let path = match program.by_stem(found.stem()) {
            Some(id) => place.output(&program.units[id], Form::Linked).0,
            None => found.rlib(),
        };
        let mut value = std::ffi::OsString::from(format!("{}=", found.name));
        value.push(path);
        command.arg("--extern").arg(value);
    }
}

fn link(command: &mut Command, form: Form, compiler: &Compiler, linkage: &Linkage) {
    if form != Form::Linked
        && let Some(native) = linkage.native()
    {
        native.link(command);
    }
    let Linkage::Shared { .. } = linkage else {
        define_all(command, form);
        return;
    };
    command.args(["-C", "prefer-dynamic"]);
    if let Some(shared) = linkage.library() {
        let folder = shared.path.parent().unwrap_or(Path::new("."));
        command.arg("-L").arg(format!("dependency={}", folder.display()));
        command.arg("--extern").arg(format!("{}={}", shared.crate_name, shared.path.display()));
        run_path(command, folder);
    }
    run_path(command, &compiler.libraries);
    define_all(command, form);
}

/// What an image lacks shows when it is linked, not when it is loaded.
fn define_all(command: &mut Command, form: Form) {
    if form == Form::Image && cfg!(target_os = "linux") {
        command.args(["-C", "link-arg=-Wl,-z,defs"]);
    }
}

/// Names the library within itself as its file will be named; a `dylib` would get the name under which it is built.
fn name_in_file(command: &mut Command, path: &Path) {
    let name = path.file_name().unwrap_or_default().display();
    if cfg!(target_os = "linux") {
        command.arg("-C").arg(format!("link-arg=-Wl,-soname,{name}"));
    } else if cfg!(target_os = "macos") {
        command.arg("-C").arg(format!("link-arg=-Wl,-install_name,{name}"));
    }
}

/// Where the loader finds the shared libraries, whoever starts the program.
pub(crate) fn run_path(command: &mut Command, folder: &Path) {
    if cfg!(unix) {
        // Not `-Wl,-rpath,FOLDER`, which is taken apart at the folder's own commas.
        for word in ["-Xlinker", "-rpath", "-Xlinker", &folder.display().to_string()] {
            command.arg("-C").arg(format!("link-arg={word}"));
        }
    }
}

fn environment(
    command: &mut Command,
    program: &Program,
    id: Id,
    form: Form,
    compiler: &Compiler,
    linkage: &Linkage,
    place: &Place,
) {
    let unit = &program.units[id];
    command.envs(&unit.captured.environment);
    // rustc calls no wrapper, and neither must anything that it starts.
    for name in ["RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CARGO_MAKEFLAGS", "MAKEFLAGS"] {
        command.env_remove(name);
    }
    if program.reloadable.contains(&id) && matches!(form, Form::Linked | Form::Image) {
        let mut facts = unit.facts(compiler);
        facts.values.extend(linkage.facts());
        facts.values.insert(fact::SESSIONS.to_owned(), place.root.display().to_string());
        facts.add_dependencies(&program.all_dependencies(id), |text| crc32fast::hash(text.as_bytes()));
        command.env(ENV_LIVE, if form == Form::Image { LIVE_IMAGE } else { LIVE_HOST });
        command.env(ENV_FACTS, facts.to_lines());
    } else {
        command.env_remove(ENV_LIVE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_what_was_put_into_it() {
        let session = "6611-22";
        let file = |name: &str| format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
        let named = |name: &str| image_of(name, session).map(|(name, generation)| (name, generation.0));
        assert_eq!(named(&file("logic-6611-22-7")), Some(("logic".to_owned(), 7)));
        assert_eq!(named("libphys-x-6611-22-file-3.so"), Some(("libphys-x".to_owned(), 3)));
        assert_eq!(named("greeter-6611-22-plugin-4.sh"), Some(("plugin:greeter".to_owned(), 4)));
        assert_eq!(named("greeter-6611-22-plugin-4"), Some(("plugin:greeter".to_owned(), 4)));
        // A library of the user's own may be called anything.
        assert_eq!(named("a-6611-22-1-6611-22-file-3.so.2"), Some(("a-6611-22-1".to_owned(), 3)));
        for other in [file("logic-6611-23-7"), file("logic-6611-22-x"), file("logic-6611-227-1"), file("logic-6611-22")]
        {
            assert_eq!(named(&other), None, "{other}");
        }
    }

    #[test]
    fn the_program_is_known_by_its_folder() {
        let session = Path::new("/shop/target/pitstop/6611-22");
        let crate_of = |file: &str| program_in(session, Path::new(file));
        assert_eq!(crate_of("/shop/target/pitstop/6611-22/bin/game"), Some("game".to_owned()));
        assert_eq!(crate_of("/mnt/target/pitstop/6611-22/bin/3/game"), Some("game".to_owned()));
        assert_eq!(crate_of("/usr/bin/game"), None);
        assert_eq!(crate_of("/shop/target/pitstop/6611-22/lib/game"), None);
        assert_eq!(crate_of("game"), None);
    }
}
