//! Lets go of generations that are proven free, and says what holds the others.
//!
//! An image is free when no word of the process could be a pointer into it, at one moment: in no memory, no register, no
//! signal's handler. From then on none can come to be, since pointers are made by the image's own code, which nobody can
//! call, by the loader, whom only Pitstop asks about this image, and from other pointers, of which there are none. Pitstop's
//! own were wiped before. See `scan.rs` for what does not count as a pointer.
#![expect(unsafe_code, reason = "unmaps an image")]

use super::keeper::Known;
use super::maps::{self, Mapping};
use super::place::{Place, symbol};
use super::scan::{Found, Source, held, scan};
use super::snapshot::Snapshot;
use super::sweep::sweep;
use super::threads::{list, runs, sentence};
use crate::load::Loaded;
use std::path::Path;

/// How many holders of one image are told of.
const TOLD: usize = 4;

/// What came of one look at images that are candidates for it.
pub(super) struct Look {
    /// For each image, in order, what holds it; nothing for one that is free.
    pub(super) holders: Vec<Vec<String>>,
    /// How long the program's threads were stopped.
    pub(super) paused_ms: f64,
}

/// Shows which of the images are free.
pub(super) fn look(images: &[(&Known, &Loaded)], mappings: &[Mapping], own_stack: u64) -> Result<Look, String> {
    if mappings.iter().any(|mapping| mapping.kept_from_children && mapping.private && mapping.anonymous > Some(0)) {
        return Err("a part of the program's memory is kept out of any copy (`MADV_DONTFORK`)".to_owned());
    }
    let places: Vec<&Place> = images.iter().map(|(known, _)| &known.place).collect();
    if places.iter().any(|place| place.start.is_none()) {
        return Err("the loader does not say where it is".to_owned());
    }
    // This one and the first one have stacks of other kinds.
    sweep(mappings, list().len());
    let snapshot = Snapshot::take(own_stack)?;
    let found = scan(&snapshot, &places).map_err(|error| format!("the copy of the memory cannot be read: {error}"))?;
    let held = held(&found, places.len());
    let runners: Vec<_> = (0..snapshot.threads.len())
        .map(|thread| runs(snapshot.at(thread), &snapshot.peek, &snapshot.mappings, &places).unwrap_or_default())
        .collect();
    let holders = (0..places.len()).map(|image| {
        let running = snapshot.threads.iter().zip(&runners).filter(|(_, runs)| runs.contains(&image));
        let mut holders: Vec<String> = running.map(|(thread, _)| sentence(thread)).collect();
        let words = found.iter().filter(|found| found.target == image && held[image]);
        holders.extend(words.map(|found| words_sentence(found, &snapshot, images)));
        let more = holders.len().saturating_sub(TOLD);
        if more > 0 {
            holders.truncate(TOLD);
            holders.push(format!("{more} more"));
        }
        holders
    });
    Ok(Look { holders: holders.collect(), paused_ms: snapshot.paused().as_secs_f64() * 1e3 })
}

/// Unmaps an image that [`look`] has found free, which must not be used after that; false where the loader keeps it.
pub(super) fn unmap(image: &mut Loaded) -> bool {
    // SAFETY: nothing leads into the image, see above, and the caller drops it when it is gone.
    unsafe { image.unload() }
}

fn words_sentence(found: &Found, snapshot: &Snapshot, images: &[(&Known, &Loaded)]) -> String {
    let (known, loaded) = images[found.target];
    let what = what(found.offset, &known.place, &loaded.path, snapshot);
    let (s, point) = if found.words == 1 { ("", "points") } else { ("s", "point") };
    let many = found.words;
    match found.source {
        Source::Signal(signal) => format!("{what} is called for signal {signal}"),
        Source::Register(thread) => {
            format!("a register of thread `{}` points to {what}", snapshot.threads[thread].name)
        }
        Source::Hidden => {
            format!("{what} is to be called at the end of a thread or of the program: a destructor of a thread-local")
        }
        Source::Image(image) => {
            let facts = &images[image].0;
            format!(
                "{many} word{s} in {} #{}, which is held itself, {point} to {what}",
                facts.crate_name, facts.generation
            )
        }
        Source::Memory(mapping) => {
            let place = whereabouts(&snapshot.mappings, mapping, found.address, snapshot);
            let first = if many == 1 {
                format!(" at {:#x}", found.address)
            } else {
                format!(", the first at {:#x},", found.address)
            };
            format!("{many} word{s} in {place}{first} {point} to {what}")
        }
    }
}

/// In words, whose memory an address is.
fn whereabouts(mappings: &[Mapping], index: usize, address: u64, snapshot: &Snapshot) -> String {
    let name = &mappings[index].name;
    if let Some(thread) = snapshot.stack_of(address) {
        return format!("the stack of thread `{}`", thread.name);
    }
    let file = |name: &str| Path::new(name).file_name().map(|file| file.to_string_lossy().into_owned());
    if name.starts_with('/') {
        return format!("the variables of `{}`", file(name).unwrap_or_default());
    }
    // Variables that begin as zeros lie behind those of the file.
    let start = mappings[index].range.start;
    let before = start.checked_sub(1).and_then(|address| maps::at(mappings, address)).map(|index| &mappings[index]);
    match before {
        _ if name == "[heap]" => "the heap".to_owned(),
        Some(before) if name.is_empty() && before.writable && before.name.starts_with('/') => {
            format!("the variables of `{}`", file(&before.name).unwrap_or_default())
        }
        _ if name.is_empty() => "allocated memory".to_owned(),
        _ => format!("`{name}`"),
    }
}

/// In words, what lies at a place of an image.
fn what(offset: u64, place: &Place, path: &Path, snapshot: &Snapshot) -> String {
    if let Some(name) = symbol(path, offset) {
        return format!("`{name}`");
    }
    // A vtable has no name, but its functions have: to drop the value, and from the fourth word on its methods.
    let start = place.start.unwrap_or(0);
    let function = |word: u64| {
        let address = snapshot.peek.word(start + offset + word * 8)?;
        place.runs_in(address).then(|| symbol(path, address - start))?
    };
    match function(3).or_else(|| function(0)) {
        Some(function) => format!("the vtable with `{function}`"),
        None if place.code.iter().any(|code| code.contains(&offset)) => "its code".to_owned(),
        None => "its data, such as a text".to_owned(),
    }
}
