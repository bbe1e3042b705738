//! One dynamic library of all dependencies, that host and images link: quick to link, and one copy of every static.

use super::allocator::GlobalAllocator;
use super::arguments::{Linkage, Native, Shared, run_path};
use crate::cargo::{Capture, Workspace};
use crate::exit_code::Fatal;
use crate::program::Program;
use crate::unit::{Compiler, Unit};
use cargo_metadata::PackageId;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Why a program's dependencies cannot be shared; `None` when they can.
pub(crate) fn choose(program: &Program, allocator: Option<&GlobalAllocator>) -> Option<String> {
    let host = &program.units[program.host];
    if host.codegen("panic").as_deref() == Some("abort") {
        return Some("panic = \"abort\": the dynamic std unwinds".to_owned());
    }
    if host.codegen("lto").is_some_and(|lto| lto != "off") {
        return Some("lto is on: it does not go with dynamic libraries".to_owned());
    }
    let target = host.target().unwrap_or("");
    let features = host.codegen("target-feature").unwrap_or_default();
    if target.contains("musl") || features.contains("+crt-static") {
        return Some("the target links statically only".to_owned());
    }
    allocator.map(|found| format!("{} sets a global allocator", found.place))
}

/// Builds the shared library, or finds the one that an earlier session built.
pub(crate) fn share(
    program: &Program,
    workspace: &Workspace,
    capture: &Capture,
    compiler: &Compiler,
    native: Option<Native>,
    cache: &Path,
) -> Result<Linkage, Fatal> {
    let own = own_copies(workspace, capture, native.as_ref());
    let rlibs = dependencies(program, capture, &own);
    if rlibs.is_empty() {
        return Ok(Linkage::Shared { library: None, native });
    }
    let crate_name = format!("pitstop_deps_{:08x}", key(&rlibs, compiler));
    let folder = cache.join(&crate_name);
    let file = format!("{}{crate_name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let library = Shared { path: folder.join(file), crate_name };
    if !library.path.is_file() {
        build(&library, &rlibs, &program.units[program.host], compiler, capture, native.as_ref())?;
    }
    Ok(Linkage::Shared { library: Some(library), native })
}

/// Packages that go into each image anew: those with bundled native code, which a Rust dynamic library does not
/// export, unless it is shared, those of Pitstop, whose statics tell images apart, and whatever depends on either.
fn own_copies(workspace: &Workspace, capture: &Capture, native: Option<&Native>) -> BTreeSet<String> {
    let is_shared = |package: &&PackageId| native.is_some_and(|native| native.packages.contains(*package));
    let mut packages: BTreeSet<PackageId> =
        capture.native.keys().filter(|package| !is_shared(package)).cloned().collect();
    let ours = workspace.metadata.packages.iter().filter(|package| package.name.starts_with("pitstop-"));
    packages.extend(ours.map(|package| package.id.clone()));
    workspace.with_dependents(packages).into_iter().map(|id| id.repr).collect()
}

/// The libraries that the workspace's crates name, one path each.
fn dependencies(program: &Program, capture: &Capture, own: &BTreeSet<String>) -> BTreeSet<PathBuf> {
    let mut rlibs = BTreeMap::new();
    for job in program.everything() {
        for found in &program.units[job.unit].externs {
            if program.by_stem(found.stem()).is_some() || found.is_proc_macro() {
                continue;
            }
            let rlib = found.rlib();
            let package = capture.libraries.get(&rlib).or_else(|| capture.libraries.get(&found.path));
            // A library that cargo did not tell of is left to each image.
            let Some(package) = package else { continue };
            rlibs.insert(rlib, own.contains(&package.repr));
        }
    }
    rlibs.into_iter().filter(|(_, own)| !own).map(|(path, _)| path).collect()
}

/// A number that changes with the compiler and with any of the files.
pub(super) fn key(files: &BTreeSet<PathBuf>, compiler: &Compiler) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(compiler.version.as_bytes());
    for path in files {
        hasher.update(path.as_os_str().as_encoded_bytes());
        if let Ok(metadata) = std::fs::metadata(path) {
            hasher.update(&metadata.len().to_le_bytes());
            let modified = metadata.modified().ok();
            let since = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok()).unwrap_or_default();
            hasher.update(&since.as_nanos().to_le_bytes());
        }
    }
    hasher.finalize()
}

fn build(
    library: &Shared,
    rlibs: &BTreeSet<PathBuf>,
    host: &Unit,
    compiler: &Compiler,
    capture: &Capture,
    native: Option<&Native>,
) -> Result<(), Fatal> {
    let crate_name = &library.crate_name;
    let folder = library.path.parent().unwrap_or(Path::new("."));
    let cannot = |what: &Path, error: std::io::Error| Fatal::session(format!("{}: {error}", what.display()));
    // In a folder of its own, moved into place when it is whole: two sessions may be at it.
    let fresh = folder.with_extension(std::process::id().to_string());
    std::fs::create_dir_all(&fresh).map_err(|error| cannot(&fresh, error))?;
    let source = fresh.join("lib.rs");
    let names: String = (0..rlibs.len()).map(|index| format!("extern crate d{index} as _;\n")).collect();
    std::fs::write(&source, names).map_err(|error| cannot(&source, error))?;
    let mut command = Command::new(&compiler.path);
    command.arg(&source).args(["--crate-name", crate_name.as_str(), "--crate-type", "dylib", "--edition", "2021"]);
    command.args(["-C", "prefer-dynamic", "-C", &format!("metadata={crate_name}")]);
    command.arg("--out-dir").arg(&fresh);
    for (index, path) in rlibs.iter().enumerate() {
        command.arg("--extern").arg(format!("d{index}={}", path.display()));
    }
    let folders: BTreeSet<&Path> = rlibs.iter().filter_map(|path| path.parent()).collect();
    for folder in folders {
        command.arg("-L").arg(format!("dependency={}", folder.display()));
    }
    for path in &capture.native_paths {
        command.arg("-L").arg(path);
    }
    if let Some(target) = host.target() {
        command.args(["--target", target]);
    }
    for argument in host.arguments.iter().filter(|argument| argument.flag == "-C") {
        let value = argument.value.as_deref().unwrap_or("");
        let option = value.split('=').next().unwrap_or("");
        if ["linker", "link-arg", "link-args", "target-cpu", "target-feature", "link-self-contained"].contains(&option)
        {
            command.args(["-C", value]);
        }
    }
    if let Some(native) = native {
        native.link(&mut command);
    }
    run_path(&mut command, &compiler.libraries);
    command.current_dir(&host.captured.directory).env_remove("RUSTC_WRAPPER");
    let output = command.output().map_err(|error| cannot(&compiler.path, error))?;
    if !install(&fresh, folder, output.status.success()) {
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Fatal::workspace(message));
    }
    Ok(())
}

/// Moves a folder into place, or removes it when what was to be in it was not `made`; returns that.
pub(super) fn install(fresh: &Path, folder: &Path, made: bool) -> bool {
    // When the renaming fails another session was quicker: its library is as good.
    if !made || std::fs::rename(fresh, folder).is_err() {
        let _ = std::fs::remove_dir_all(fresh);
    }
    made
}
