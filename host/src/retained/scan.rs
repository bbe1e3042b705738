//! Looks for words that point into images: in all memory of the process that is its own, in registers, and in what the
//! kernel calls for signals.
//!
//! Any word that could be such a pointer counts as one, whatever it is. What is not found: pointers that are not kept as
//! such (with a tag in their upper bits, encrypted, relative to something, at an address that is not a multiple of
//! eight), and those outside the process (in shared memory, files, pipes, a device). The encryption of the system's own
//! library is known here: it hides destructors of thread-locals and functions for the program's end.

use super::maps::Mapping;
use super::peek::Scratch;
use super::place::Place;
use super::snapshot::Snapshot;
use std::ops::Range;

/// Where a word was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// In a mapping, by its index.
    Memory(usize),
    /// In the memory of one of the images.
    Image(usize),
    /// In a register of a thread, by its index.
    Register(usize),
    /// What is called for a signal.
    Signal(u32),
    /// In memory, hidden by the system's library.
    Hidden,
}

/// Words of one source that point into one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) source: Source,
    /// The image, by its index.
    pub(super) target: usize,
    /// How many.
    pub(super) words: u64,
    /// Where the first one is; 0 for a register.
    pub(super) address: u64,
    /// What it points to, counted from the image's start: never the pointer itself, which the next look would find.
    pub(super) offset: u64,
}

/// Everything that points into one of the images, but for what an image has of itself.
pub(super) fn scan(snapshot: &Snapshot, places: &[&Place]) -> std::io::Result<Vec<Found>> {
    let mut search = Search { places, reach: reach(places), guard: snapshot.guard, found: Vec::new() };
    for thread in 0..snapshot.threads.len() {
        snapshot.registers(thread).for_each(|word| search.word(Source::Register(thread), 0, word));
    }
    snapshot.handlers().for_each(|(signal, function)| search.word(Source::Signal(signal), 0, function));
    let mut scratch = Scratch::new(256 << 10);
    for (index, mapping) in snapshot.mappings.iter().enumerate().filter(|(_, mapping)| may_hold_pointers(mapping)) {
        let mut runs = Vec::new();
        let mut add = |run| by_owner(run, places, |owner, part| runs.push((owner, part)));
        snapshot.peek.written(&mapping.range, |run| without(run, &snapshot.unused, &mut add))?;
        for (owner, run) in runs {
            let source = owner.map_or(Source::Memory(index), Source::Image);
            let mut at = run.start.next_multiple_of(8);
            while at < run.end {
                let wanted = usize::try_from(run.end - at).unwrap_or(usize::MAX).min(scratch.len());
                let read = snapshot.peek.read(at, &mut scratch[..wanted])?;
                if read < 8 {
                    break;
                }
                search.words(source, at, &scratch[..read]);
                at += read as u64 / 8 * 8;
            }
        }
    }
    Ok(search.found)
}

/// Whether it is memory of the program's own, of which the kernel does not know the contents beforehand.
fn may_hold_pointers(mapping: &Mapping) -> bool {
    mapping.private && !mapping.name.starts_with("[v")
}

fn overlap(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}

/// The parts of a range outside of all others, which are in their order.
fn without(range: Range<u64>, others: &[Range<u64>], mut each: impl FnMut(Range<u64>)) {
    let mut start = range.start;
    for other in others.iter().filter(|other| overlap(other, &range)) {
        if start < other.start {
            each(start..other.start);
        }
        start = start.max(other.end);
    }
    if start < range.end {
        each(start..range.end);
    }
}

/// Cuts a range into parts of one image each, and those that are of none. The kernel may have made one mapping of an image's
/// last page and what comes after it.
fn by_owner(range: Range<u64>, places: &[&Place], mut each: impl FnMut(Option<usize>, Range<u64>)) {
    let mut start = range.start;
    while start < range.end {
        let spans = || places.iter().enumerate().filter_map(|(index, place)| Some((index, place.span()?)));
        let owner = spans().find(|(_, span)| span.contains(&start));
        let end = match &owner {
            Some((_, span)) => span.end,
            None => spans().map(|(_, span)| span.start).filter(|from| *from > start).min().unwrap_or(range.end),
        };
        each(owner.map(|(index, _)| index), start..end.min(range.end));
        start = end;
    }
}

/// From the first byte of all images to the last one: what a quick look goes by.
fn reach(places: &[&Place]) -> Range<u64> {
    let spans = || places.iter().filter_map(|place| place.span());
    let start = spans().map(|span| span.start).min().unwrap_or(0);
    start..spans().map(|span| span.end).max().unwrap_or(start)
}

struct Search<'a> {
    places: &'a [&'a Place],
    reach: Range<u64>,
    guard: Option<u64>,
    found: Vec<Found>,
}

impl Search<'_> {
    fn words(&mut self, source: Source, start: u64, bytes: &[u8]) {
        // In the plainest way, for this loop is most of the work and the program may be built without optimisation.
        let (from, end, words) = (self.reach.start, self.reach.end, bytes.as_chunks::<8>().0);
        let guard = self.guard.unwrap_or(0);
        let mut index = 0;
        while index < words.len() {
            let word = u64::from_ne_bytes(words[index]);
            // As it was before glibc on x86-64 has hidden it (`PTR_MANGLE`).
            let shown = word.rotate_right(17) ^ guard;
            if word >= from && word < end {
                self.word(source, start + index as u64 * 8, word);
            }
            if shown >= from && shown < end && self.guard.is_some() {
                self.word(Source::Hidden, start + index as u64 * 8, shown);
            }
            index += 1;
        }
    }

    fn word(&mut self, source: Source, address: u64, word: u64) {
        for (target, place) in self.places.iter().enumerate() {
            let Some(offset) = place.points_into(word) else { continue };
            if source == Source::Image(target) {
                return;
            }
            match self.found.iter_mut().find(|found| (found.source, found.target) == (source, target)) {
                Some(found) => found.words += 1,
                None => self.found.push(Found { source, target, words: 1, address, offset }),
            }
            return;
        }
    }
}

/// The images that something leads to, directly or through other images that something leads to.
pub(super) fn held(found: &[Found], images: usize) -> Vec<bool> {
    let mut held = vec![false; images];
    loop {
        let leads = |found: &&Found| match found.source {
            Source::Image(image) => held.get(image).copied().unwrap_or(true),
            _ => true,
        };
        let next = found.iter().filter(leads).find(|found| held.get(found.target) == Some(&false));
        match next.map(|found| found.target) {
            Some(target) => held[target] = true,
            None => return held,
        }
    }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "a place with one part")]
mod tests {
    use super::*;

    fn place(start: u64) -> Place {
        Place {
            start: Some(start),
            length: 0x1000,
            code: vec![0x10..0x20],
            contents: vec![0x10..0x80],
            ..Place::default()
        }
    }

    #[test]
    fn words_into_contents_are_found_wherever_they_point_to() {
        let (one, other) = (place(0x1000), place(0x3000));
        let places = [&one, &other];
        let guard = 0x1234_5678_9abc_def0;
        let mut search = Search { places: &places, reach: reach(&places), guard: Some(guard), found: Vec::new() };
        assert_eq!(search.reach, 0x1000..0x4000);
        let words = [
            0_u64,
            0x1000,
            0x1010,
            0x2000,
            0x307f,
            0x3080,
            0x1013,
            u64::MAX,
            0x1010 << 16,
            (0x1012 ^ guard).rotate_left(17),
        ];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        search.words(Source::Memory(7), 0x500, &bytes);
        search.words(Source::Image(0), 0x500, &bytes);
        let found = |source, target, words, address, offset| Found { source, target, words, address, offset };
        let expected = [
            found(Source::Memory(7), 0, 2, 0x510, 0x10),
            found(Source::Memory(7), 1, 1, 0x520, 0x7f),
            found(Source::Hidden, 0, 2, 0x548, 0x12),
            found(Source::Image(0), 1, 1, 0x520, 0x7f),
        ];
        assert_eq!(search.found, expected);
    }

    #[test]
    fn images_that_lead_to_each_other_only_are_free_together() {
        let found = |source, target| Found { source, target, words: 1, address: 0, offset: 0 };
        let circle = [found(Source::Image(0), 1), found(Source::Image(1), 0)];
        assert_eq!(held(&circle, 3), [false; 3]);
        let chain = [found(Source::Image(0), 1), found(Source::Image(1), 2), found(Source::Register(0), 0)];
        assert_eq!(held(&chain, 4), [true, true, true, false]);
        assert_eq!(held(&[found(Source::Signal(2), 9)], 1), [false], "out of range");
    }

    #[test]
    fn memory_beside_an_image_is_not_the_images() {
        let places = [place(0x1000), place(0x3000)];
        let mut parts = Vec::new();
        by_owner(0xf00..0x5000, &[&places[0], &places[1]], |owner, part| parts.push((owner, part)));
        let expected = [
            (None, 0xf00..0x1000),
            (Some(0), 0x1000..0x2000),
            (None, 0x2000..0x3000),
            (Some(1), 0x3000..0x4000),
            (None, 0x4000..0x5000),
        ];
        assert_eq!(parts, expected);
    }

    #[test]
    fn parts_that_nobody_reads_are_left_out() {
        let parts = |others: &[Range<u64>]| {
            let mut parts = Vec::new();
            without(10..20, others, |part| parts.push(part));
            parts
        };
        assert_eq!(parts(&[]), [10..20]);
        assert_eq!(parts(&[0..5, 12..14, 14..15, 18..30, 40..50]), [10..12, 15..18]);
        assert_eq!(parts(&[0..100]), []);
        assert_eq!(parts(&[5..12, 11..19]), [19..20]);
    }
}
