//! The program's `#[global_allocator]`: whether it has one, and whether it would get into images too.

use super::arguments::{Linkage, Place};
use crate::program::{Form, Program};
use object::read::ReadCache;
use object::read::archive::ArchiveFile;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

/// A `#[global_allocator]` as the source names it.
pub(crate) struct GlobalAllocator {
    pub(crate) file: PathBuf,
    /// The type of the `static`, empty when a macro writes it.
    pub(crate) type_name: String,
}

impl GlobalAllocator {
    /// The first one in these files. One that a `cfg` leaves out is found too: no compiler has run yet.
    pub(crate) fn find(files: &[PathBuf]) -> Option<Self> {
        files.iter().find_map(|file| {
            let type_name = type_name(&std::fs::read_to_string(file).ok()?)?;
            Some(Self { file: file.clone(), type_name })
        })
    }
}

impl fmt::Display for GlobalAllocator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.type_name.is_empty() { "one" } else { &self.type_name };
        write!(f, "{name} of {}", self.file.display())
    }
}

fn type_name(text: &str) -> Option<String> {
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let first = lines.find(|line| line.contains("global_allocator"))?;
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
            let others = unit.externs.iter().filter(|found| program.by_stem(found.stem()).is_none());
            let others = others.filter(|found| !found.is_proc_macro());
            let others = others.map(|found| (found.name.clone(), found.rlib()));
            others.chain([(unit.crate_name.clone(), place.output(unit, Form::Linked).0)])
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
        assert_eq!(found("// #[global_allocator]\nstatic A: System = System;"), None);
        assert_eq!(found("#[global_allocator]\n").as_deref(), Some(""));
    }
}
