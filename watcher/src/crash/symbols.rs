//! Functions and places in the source, for places in a file's code: from its debug info, or else its tables of symbols.

use super::record::printable;
use addr2line::Context;
use addr2line::gimli::{DwarfSections, EndianSlice, RunTimeEndian, SectionId};
use object::{Object, ObjectSegment, ObjectSymbol, SymbolKind};
use std::borrow::Cow;
use std::path::Path;

/// How large a file may be, in bytes: it is read as a whole.
const LARGEST: u64 = 4 << 30;
/// How many functions may have been inlined into each other.
const DEEPEST: usize = 64;

type Bytes<'f> = EndianSlice<'f, RunTimeEndian>;

/// A function that was running.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Call {
    /// Its path: `logic::World::update`.
    pub(super) function: Option<String>,
    pub(super) place: Option<Place>,
}

/// A place in the source.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) file: String,
    /// The same relative to the folder in which the code was compiled, if it is below that: generic code of other crates is not.
    pub(super) local: Option<String>,
    pub(super) line: Option<u32>,
}

/// The functions at each of these offsets of a file, innermost first: several where some were inlined.
pub(super) fn calls(path: &Path, offsets: &[u64]) -> Vec<Vec<Call>> {
    let found = read(path).and_then(|bytes| {
        let file = object::File::parse(bytes.as_slice()).ok()?;
        Some(in_file(&file, offsets))
    });
    found.unwrap_or_else(|| vec![Vec::new(); offsets.len()])
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let metadata = std::fs::metadata(path).ok()?;
    let is_readable = metadata.is_file() && metadata.len() <= LARGEST;
    is_readable.then(|| std::fs::read(path).ok())?
}

fn in_file(file: &object::File<'_>, offsets: &[u64]) -> Vec<Vec<Call>> {
    let endian = if file.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big };
    let load = |id: SectionId| pitstop_proof::section(file, id.name());
    let sections: Option<DwarfSections<Cow<'_, [u8]>>> = DwarfSections::load(load).ok();
    let context = sections.as_ref().and_then(|sections| {
        let dwarf = sections.borrow(|bytes| EndianSlice::new(bytes, endian));
        Context::from_dwarf(dwarf).ok()
    });
    let calls = offsets.iter().map(|&offset| {
        let Some(address) = address_of(file, offset) else { return Vec::new() };
        let found = context.as_ref().map(|context| from_debug_info(context, address)).unwrap_or_default();
        if found.iter().any(|call| call.function.is_some()) { found } else { from_symbols(file, address) }
    });
    calls.collect()
}

/// The address that a place in the file is meant for.
fn address_of(file: &object::File<'_>, offset: u64) -> Option<u64> {
    file.segments().find_map(|segment| {
        let (start, size) = segment.file_range();
        let within = offset.checked_sub(start).filter(|within| *within < size)?;
        segment.address().checked_add(within)
    })
}

fn from_debug_info(context: &Context<Bytes<'_>>, address: u64) -> Vec<Call> {
    // What is in files beside this one is not read.
    let unit = context.find_dwarf_and_unit(address).skip_all_loads();
    let text = |bytes: Option<Bytes<'_>>| bytes.map(|bytes| bytes.to_string_lossy().into_owned());
    let folder = unit.as_ref().and_then(|unit| text(unit.comp_dir));
    let Ok(mut frames) = context.find_frames(address).skip_all_loads() else { return Vec::new() };
    let mut calls = Vec::new();
    while let Ok(Some(frame)) = frames.next()
        && calls.len() < DEEPEST
    {
        let function = frame.function.and_then(|function| Some(demangled(&function.raw_name().ok()?)));
        let place = frame.location.and_then(|location| {
            let file = location.file?;
            let local = folder.as_deref().and_then(|folder| Path::new(file).strip_prefix(folder).ok());
            let local = local.map(|path| printable(&path.to_string_lossy()));
            Some(Place { file: printable(file), local, line: location.line })
        });
        calls.push(Call { function, place });
    }
    calls
}

fn from_symbols(file: &object::File<'_>, address: u64) -> Vec<Call> {
    let mut symbols = file.symbols().chain(file.dynamic_symbols());
    let found = symbols.find(|symbol| {
        let within = address.checked_sub(symbol.address());
        symbol.kind() == SymbolKind::Text && within.is_some_and(|within| within < symbol.size())
    });
    let name = found.and_then(|symbol| Some(demangled(symbol.name().ok()?)));
    name.map(|name| Call { function: Some(name), ..Call::default() }).into_iter().collect()
}

/// A symbol as source would write it, without the hash.
fn demangled(symbol: &str) -> String {
    match rustc_demangle::try_demangle(symbol) {
        Ok(name) => printable(&format!("{name:#}")),
        Err(_) => printable(symbol),
    }
}
