//! What an image says of itself: its exported symbols, and the descriptor in its section.

use object::{NameOrOrdinal, Object, ObjectSection};
use pitstop_contract::descriptor::{Descriptor, ENTRY_SYMBOL, SECTION_ELF};
use pitstop_contract::{Reason, Rule};
use std::path::Path;

/// The names of all symbols that a library exports.
pub fn exports(path: &Path, bytes: &[u8]) -> Result<Vec<String>, Reason> {
    let refuse = |error: object::Error| {
        let advice = "the file is not what the linker writes; build it again";
        Reason::new(Rule::Complete, path.display().to_string(), "a readable symbol table", error.to_string(), advice)
    };
    let file = object::File::parse(bytes).map_err(refuse)?;
    let mut names = Vec::new();
    for export in file.exports().map_err(refuse)? {
        if let NameOrOrdinal::Name(name) = export.map_err(refuse)?.name() {
            names.push(String::from_utf8_lossy(name).into_owned());
        }
    }
    Ok(names)
}

/// Reads the descriptor of an image: one that could be loaded, since it exports its entry.
pub fn descriptor(path: &Path, bytes: &[u8]) -> Result<Descriptor, Reason> {
    let descriptor = described(path, bytes)?;
    if exports(path, bytes)?.iter().any(|name| name == ENTRY_SYMBOL) {
        Ok(descriptor)
    } else {
        Err(no_descriptor(path, format!("one, but no exported `{ENTRY_SYMBOL}`")))
    }
}

/// Reads the descriptor out of its section, in an image or in a program.
pub fn described(path: &Path, bytes: &[u8]) -> Result<Descriptor, Reason> {
    let refuse = |found: String| no_descriptor(path, found);
    let file = object::File::parse(bytes).map_err(|error| refuse(error.to_string()))?;
    let Some(section) = file.section_by_name(SECTION_ELF).or_else(|| file.section_by_name("__pitstop")) else {
        return Err(refuse("none".to_owned()));
    };
    let data = section.data().map_err(|error| refuse(error.to_string()))?;
    Descriptor::parse(data).map_err(|error| refuse(error.to_string()))
}

fn no_descriptor(path: &Path, found: String) -> Reason {
    let advice = "build it with this version of `cargo pitstop`";
    let expected = format!("a descriptor in section `{SECTION_ELF}`");
    Reason::new(Rule::Descriptor, path.display().to_string(), expected, found, advice)
}
