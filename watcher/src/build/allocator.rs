//! The program's `#[global_allocator]`: whether it has one, and whether it would get into images too.

use super::arguments::{Linkage, Place};
use crate::program::{Form, Id, Program};
use object::read::ReadCache;
use object::read::archive::ArchiveFile;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

/// The program's `#[global_allocator]`, as far as it is known before anything of the program's own is compiled.
pub(crate) struct GlobalAllocator {
    /// The file of the program, or the crate of somebody else's, that has it.
    pub(crate) place: String,
    /// The type of the `static`, where a source file of the program names it.
    type_name: String,
}

impl GlobalAllocator {
    /// The first one in these files, or in a library that the program's own crates name. In a file one that a `cfg`
    /// leaves out is found too: no compiler has run yet.
    pub(crate) fn find(program: &Program, files: &[PathBuf]) -> Option<Self> {
        let written = files.iter().find_map(|file| {
            let type_name = type_name(&std::fs::read_to_string(file).ok()?)?;
            Some(Self { place: file.display().to_string(), type_name })
        });
        let brought = || {
            let jobs = program.everything();
            let mut libraries = jobs.iter().flat_map(|job| others(program, job.unit));
            let (name, _) = libraries.find(|(_, library)| sets_allocator(library))?;
            Some(Self { place: format!("`{name}`"), type_name: String::new() })
        };
        written.or_else(brought)
    }
}

impl fmt::Display for GlobalAllocator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.type_name.is_empty() { "that" } else { &self.type_name };
        write!(f, "{name} of {}", self.place)
    }
}

/// Other people's libraries that a unit names.
fn others(program: &Program, id: Id) -> impl Iterator<Item = (String, PathBuf)> + '_ {
    let externs = program.units[id].externs.iter();
    let others = externs.filter(|found| program.by_stem(found.stem()).is_none() && !found.is_proc_macro());
    others.map(|found| (found.name.clone(), found.rlib()))
}

fn type_name(text: &str) -> Option<String> {
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    // An attribute, and not a text that speaks of one.
    let first = lines.find(|line| line.trim_start().starts_with("#[") && line.contains("global_allocator"))?;
    let rest = std::iter::once(first).chain(lines).collect::<Vec<_>>().join(" ");
    let item = rest.split_once("static ").and_then(|(_, item)| item.split_once('='));
    let typed = item.and_then(|(declared, _)| declared.split_once(':'));
    Some(typed.map(|(_, name)| name.trim().to_owned()).unwrap_or_default())
}

/// Why images cannot allocate with the program's allocator: a crate that is linked into them brings one of its own, and
/// two do not go into one image. Asked once the program is compiled, since only then it is known what `cfg`s leave of it.
pub(crate) fn in_images(program: &Program, linkage: &Linkage, place: &Place) -> Option<String> {
    let Linkage::SelfContained { .. } = linkage else { return None };
    program.reloadable.iter().find_map(|&image| {
        let mut libraries = program.closure(image).into_iter().flat_map(|id| {
            let unit = &program.units[id];
            others(program, id).chain([(unit.crate_name.clone(), place.output(unit, Form::Linked).0)])
        });
        let (name, _) = libraries.find(|(_, library)| sets_allocator(library))?;
        let image = &program.units[image].crate_name;
        let how = if name == *image { "is reloadable" } else { "is linked into images too" };
        let into = if name == *image { String::new() } else { format!(" of `{image}`") };
        Some(format!(
            "`{name}` has the `#[global_allocator]`, and {how}: every image{into} would bring an allocator of its own, and \
             free with it what the program allocated; move the `#[global_allocator]` into the program's own crate, `{}`, \
             whose allocator all images use",
            program.units[program.host].crate_name
        ))
    })
}

/// Whether a library defines the functions that `#[global_allocator]` expands to. Reads no more of it than the list of
/// its symbols.
fn sets_allocator(library: &Path) -> bool {
    let defines = || -> object::Result<bool> {
        let Ok(file) = File::open(library) else { return Ok(false) };
        let cache = ReadCache::new(file);
        let Some(symbols) = ArchiveFile::parse(&cache)?.symbols()? else { return Ok(false) };
        for symbol in symbols {
            if symbol?.name().ends_with(b"12___rust_alloc") {
                return Ok(true);
            }
        }
        Ok(false)
    };
    defines().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_global_allocator_is_named_by_its_type() {
        let found = |text| type_name(text);
        let plain = "use x;\n#[global_allocator]\nstatic GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;\n";
        assert_eq!(found(plain).as_deref(), Some("mimalloc::MiMalloc"));
        let on_a_condition =
            "#[cfg_attr(feature = \"fast\", global_allocator)]\npub static A: Counted<System> = Counted(System);";
        assert_eq!(found(on_a_condition).as_deref(), Some("Counted<System>"));
        assert_eq!(found("let words = \"a #[global_allocator] of its own\";"), None);
        assert_eq!(found("// #[global_allocator]\nstatic A: System = System;"), None);
        assert_eq!(found("#[global_allocator]\n").as_deref(), Some(""));
    }
}
