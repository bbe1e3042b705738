//! The linker: whether programs can be linked here at all, and by which linker, as the linked file says.

use super::finding::Finding;
use crate::cargo::{self, Selection};
use object::{BinaryFormat, Object, ObjectSection};
use std::path::Path;

/// Links an empty program in `folder`.
pub(super) fn look(selection: &Selection, folder: &Path) -> Result<Vec<Finding>, Finding> {
    let program = cargo::empty_program(selection, folder).map_err(|message| refused(selection, &message))?;
    let bytes = std::fs::read(&program).unwrap_or_default();
    Ok(vec![match named(&bytes) {
        Some(name) => Finding::ok("linker", "linker", name),
        None => Finding::warning(
            "linker-slow",
            "linker",
            "GNU ld, which takes longer than others, at every edit",
            "let rustc use its own linker: remove `-fuse-ld` and `lld` from rustflags; or install mold and set `-C link-arg=-fuse-ld=mold`",
        ),
    }])
}

/// What linked a file. Only GNU ld leaves no word in an ELF file.
fn named(bytes: &[u8]) -> Option<String> {
    let unknown = || Some("the system's".to_owned());
    let Ok(file) = object::File::parse(bytes) else { return unknown() };
    if file.format() != BinaryFormat::Elf {
        return unknown();
    }
    if file.section_by_name(".note.gnu.gold-version").is_some() {
        return Some("GNU gold".to_owned());
    }
    let comments = file.section_by_name(".comment").and_then(|section| section.data().ok()).unwrap_or_default();
    comments.split(|&byte| byte == 0).find_map(|comment| {
        let comment = std::str::from_utf8(comment).ok()?;
        let name = comment.strip_prefix("Linker: ").or_else(|| comment.starts_with("mold ").then_some(comment))?;
        Some(name.split(" (").next().unwrap_or(name).to_owned())
    })
}

/// Why there is no program.
fn refused(selection: &Selection, message: &str) -> Finding {
    let line = |part: &str| message.lines().map(str::trim).find(|line| line.contains(part));
    let plain = |line: &str| line.trim_start_matches("= note: ").trim_start_matches("error: ").to_owned();
    if let Some(line) = line("linker `").filter(|line| line.ends_with("not found")) {
        let remedy =
            "install it, for `cc` with `sudo apt install gcc` or the like; or name another in .cargo/config.toml";
        return Finding::error("linker-missing", "linker", plain(line), remedy);
    }
    if message.contains("can't find crate for `std`") || message.contains("can't find crate for `core`") {
        let target = selection.target().unwrap_or("the target that is configured");
        let found = "the standard library for it is not installed";
        return Finding::error("target-missing", target, found, format!("rustup target add {target}"));
    }
    // The linker's own words, before those of whoever called it.
    let told = ["cannot find", ": error: ", "error"].iter().find_map(|words| line(words)).unwrap_or("no message");
    let remedy = "install what the message names, or mend the linker and rustflags settings in .cargo/config.toml";
    Finding::error("cannot-link", "linker", plain(told), remedy)
}
