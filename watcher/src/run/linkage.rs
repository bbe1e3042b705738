//! How the program and its images come by their dependencies.

use crate::build::{GlobalAllocator, Linkage, choose, share, share_native};
use crate::cargo::{Capture, Workspace};
use crate::cli::LinkageChoice;
use crate::exit_code::Fatal;
use crate::program::Program;
use crate::session::Session;
use crate::unit::Compiler;
use pitstop_contract::descriptor::allocator;
use std::path::PathBuf;

/// How the program and its images come by their dependencies; builds the library that they share.
pub(crate) fn linkage(
    choice: LinkageChoice,
    program: &Program,
    workspace: &Workspace,
    capture: &Capture,
    compiler: &Compiler,
    session: &Session,
) -> Result<Linkage, Fatal> {
    let native = share_native(&program.units[program.host], workspace, capture, compiler, &session.cache);
    let folders = program.units.iter().map(|unit| unit.manifest_directory.join("src"));
    let allocator = GlobalAllocator::find(program, &rust_files(folders.collect()));
    let alone = |reason: &str| Linkage::SelfContained {
        reason: reason.to_owned(),
        native: native.clone(),
        allocator: allocator.as_ref().map_or(allocator::SYSTEM.to_owned(), ToString::to_string),
    };
    if choice == LinkageChoice::SelfContained {
        return Ok(alone("asked for"));
    }
    let obstacle = choose(program, allocator.as_ref());
    match (obstacle, choice) {
        (Some(reason), LinkageChoice::Shared) => {
            Err(Fatal::workspace(format!("dependencies cannot be shared: {reason}")))
        }
        (Some(reason), _) => Ok(alone(&reason)),
        (None, _) => match share(program, workspace, capture, compiler, native.clone(), &session.cache) {
            Err(fatal) if choice != LinkageChoice::Shared => {
                let first = fatal.message.lines().next().unwrap_or("").to_owned();
                Ok(alone(&format!("no library of them could be made: {first}")))
            }
            shared => shared,
        },
    }
}

/// The source files in these folders, before any compiler has named them.
pub(crate) fn rust_files(mut folders: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}
