//! Which compiler a file says that it was built by.

use crate::debug_info::data::Data;
use crate::debug_info::units::{Reader, Sections};
use crate::order::set;
use gimli::constants as dw;
use object::{Object, ObjectSection};
use std::collections::BTreeSet;

/// What rustc writes before its version.
const SIGNED: &str = "rustc version ";

/// The versions of rustc that signed a file, as `rustc --version` writes them after the name: the standard library's is
/// among them. Empty: none that is known of.
///
/// Any bytes whatsoever may be given.
#[must_use]
pub fn compilers(bytes: &[u8]) -> BTreeSet<String> {
    let Ok(file) = object::File::parse(bytes) else { return BTreeSet::new() };
    let comment = file.section_by_name(".comment").and_then(|section| section.uncompressed_data().ok());
    let notes = comment.unwrap_or_default();
    let notes = notes.split(|&byte| byte == 0).filter_map(|note| std::str::from_utf8(note).ok());
    let signed = set(notes.filter_map(|note| note.strip_prefix(SIGNED)).map(str::to_owned));
    if signed.is_empty() { producers(&file).unwrap_or_default() } else { signed }
}

/// The same from debug info, which calls itself `clang LLVM (rustc version 1.95.0 (59807616e 2026-04-14))`.
fn producers(file: &object::File<'_>) -> Option<BTreeSet<String>> {
    let data = Data::of(file).ok()?;
    let mut reader = Reader::of(Sections::of(&data)?).ok()?;
    let mut found = BTreeSet::new();
    for index in 0..reader.units() {
        let Ok(Some(unit)) = reader.unit(index) else { continue };
        let producer = unit.root.attr_value(dw::DW_AT_producer).and_then(|value| reader.string(&unit, value));
        let producer = producer.map(|producer| String::from_utf8_lossy(producer.slice()).into_owned());
        let version = producer.as_deref().and_then(|producer| producer.split_once(SIGNED));
        found.extend(version.map(|(_, version)| version.strip_suffix(')').unwrap_or(version).to_owned()));
    }
    Some(found)
}
