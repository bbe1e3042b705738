//! One dynamic library of the native code that dependencies bundle, that host and images link.
//!
//! Linked into each, every image had its own copy of SQLite, and that copy was never initialised: a connection that the
//! host opened found no functions in it, or crashed.

use super::arguments::Native;
use super::shared::{install, key};
use crate::cargo::{Capture, Workspace};
use crate::unit::{Compiler, Unit};
use cargo_metadata::PackageId;
use object::read::archive::ArchiveFile;
use object::{Object, ObjectSymbol, SymbolScope};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the library of native code, or finds the one that an earlier session built. `None` when there is nothing in
/// it, or when it cannot be linked: then each image has its own copy.
pub(crate) fn share_native(
    host: &Unit,
    workspace: &Workspace,
    capture: &Capture,
    compiler: &Compiler,
    cache: &Path,
) -> Option<Native> {
    if !cfg!(target_os = "linux") || host.target().is_some_and(|target| target != compiler.host) {
        return None;
    }
    let members: BTreeSet<&PackageId> = workspace.metadata.workspace_members.iter().collect();
    // A member's own C code is rebuilt and reloaded with its image.
    let bundled = capture.native.iter().filter(|(package, _)| !members.contains(package));
    let exported: BTreeMap<&PackageId, Vec<PathBuf>> =
        bundled.filter_map(|(package, libraries)| Some((package, archives(libraries, capture)?))).collect();
    let files: BTreeSet<PathBuf> = exported.values().flatten().cloned().collect();
    if files.is_empty() {
        return None;
    }
    let name = format!("pitstop_native_{:08x}", key(&files, compiler));
    let folder = cache.join(&name);
    if !folder.is_dir() {
        link(&name, &files, host, capture, cache, &folder)?;
    }
    Some(Native { name, folder, packages: exported.into_keys().cloned().collect() })
}

/// The files of a package's static libraries, where all of them are found and export what they define.
fn archives(libraries: &[String], capture: &Capture) -> Option<Vec<PathBuf>> {
    let folders = capture.native_paths.iter().map(|path| path.split_once('=').map_or(path.as_str(), |(_, path)| path));
    let folders: Vec<&Path> = folders.map(Path::new).collect();
    let find = |library: &String| {
        let (kind, name) = library.split_once('=')?;
        let file = format!("lib{name}.a");
        let mut paths = folders.iter().map(|folder| folder.join(&file));
        // What is linked as a whole is in every image whatever else defines it.
        let path = paths.find(|path| path.is_file()).filter(|_| !kind.contains("+whole-archive"))?;
        is_exported(&path).then_some(path)
    };
    libraries.iter().map(find).collect()
}

/// Whether a dynamic library would export all that an archive defines: much C code is compiled with hidden symbols.
fn is_exported(archive: &Path) -> bool {
    let exported = || -> object::Result<bool> {
        let bytes = std::fs::read(archive).unwrap_or_default();
        for member in ArchiveFile::parse(&*bytes)?.members() {
            let member = member?;
            let file = object::File::parse(member.data(&*bytes)?)?;
            let mut defined = file.symbols().filter(|symbol| symbol.is_global() && symbol.is_definition());
            if defined.any(|symbol| symbol.scope() != SymbolScope::Dynamic) {
                return Ok(false);
            }
        }
        Ok(true)
    };
    exported().unwrap_or(false)
}

fn link(
    name: &str,
    files: &BTreeSet<PathBuf>,
    host: &Unit,
    capture: &Capture,
    cache: &Path,
    folder: &Path,
) -> Option<()> {
    let fresh = cache.join(format!("{name}.{}", std::process::id()));
    std::fs::create_dir_all(&fresh).ok()?;
    let mut command = Command::new(host.codegen("linker").unwrap_or_else(|| "cc".to_owned()));
    let file = format!("lib{name}.so");
    command.arg("-shared").arg("-o").arg(fresh.join(&file)).arg(format!("-Wl,-soname,{file}"));
    // What it lacks shows now, and then each image has its own copy.
    command.args(["-Wl,-z,defs", "-Wl,--whole-archive"]).args(files).arg("-Wl,--no-whole-archive");
    command.arg("-Wl,--as-needed");
    for library in &capture.native_dynamic {
        command.arg(format!("-l{library}"));
    }
    for path in &capture.native_paths {
        if let Some(path) = path.strip_prefix("native=") {
            command.arg("-L").arg(path);
        }
    }
    command.args(["-lpthread", "-ldl", "-lm"]);
    command.current_dir(&host.captured.directory);
    let linked = command.output().is_ok_and(|output| output.status.success());
    install(&fresh, folder, linked).then_some(())
}
