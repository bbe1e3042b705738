//! What an image takes of memory.
//!
//! The measure is what comes with every further generation and cannot be shared: address space, and pages of the image's
//! own. These are the ones that were written to since it was mapped, by relocation and by its code: `Anonymous` of
//! `smaps`. Pages that are still those of the file (most code) are the system's to drop, and count for nothing.

use super::maps::Mapping;
use super::place::Place;

/// What an image takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    /// Address space, in bytes.
    pub(super) mapped: u64,
    /// Pages of its own, in bytes; `None` where the system does not tell.
    pub(super) resident: Option<u64>,
}

/// What an image takes, by the mappings of the process.
pub(super) fn memory(place: &Place, mappings: &[Mapping]) -> Memory {
    let own = of(place, mappings);
    if own.is_empty() {
        return Memory { mapped: place.length, resident: None };
    }
    // The last one may go on with what is somebody else's.
    let end = place.span().map_or(0, |span| span.end);
    let length = |mapping: &&Mapping| mapping.range.end.min(end) - mapping.range.start;
    // As resident as they were, for those that are swapped out now.
    let pages = |mapping: &&Mapping| Some(mapping.anonymous?.saturating_add(mapping.swapped));
    Memory {
        mapped: own.iter().map(length).fold(0, u64::saturating_add),
        resident: own.iter().map(pages).try_fold(0, |sum: u64, pages| Some(sum.saturating_add(pages?))),
    }
}

/// The mappings of an image, with the one behind its file that holds the end of its variables.
fn of<'m>(place: &Place, mappings: &'m [Mapping]) -> Vec<&'m Mapping> {
    let Some(span) = place.span() else { return Vec::new() };
    mappings.iter().filter(|mapping| mapping.range.start >= span.start && mapping.range.start < span.end).collect()
}

#[cfg(test)]
mod tests {
    use super::super::maps::parse;
    use super::*;

    #[test]
    fn an_image_takes_its_mappings_and_the_pages_that_were_written_to() {
        let smaps = "\
1000-2000 rw-p 00000000 00:00 0
Anonymous:             4 kB
2000-6000 r--p 00000000 fe:00 1   /images/logic-1.so
Anonymous:             0 kB
6000-7000 r-xp 00004000 fe:00 1   /images/logic-1.so
Anonymous:             0 kB
7000-9000 r--p 00005000 fe:00 1   /images/logic-1.so
Anonymous:             8 kB
Swap:                  4 kB
9000-a000 rw-p 00000000 00:00 0
Anonymous:             4 kB
a000-b000 rw-p 00000000 00:00 0
Anonymous:             4 kB
";
        let place = Place { start: Some(0x2000), length: 0x7f00, ..Place::default() };
        let found = memory(&place, &parse(smaps.as_bytes()));
        assert_eq!(found, Memory { mapped: 0x8000, resident: Some(16 * 1024) });
    }

    #[test]
    fn where_nothing_is_told_the_file_says_how_much_is_mapped() {
        let nowhere = Place { length: 5, ..Place::default() };
        assert_eq!(memory(&nowhere, &[]), Memory { mapped: 5, resident: None });
        let maps = parse(b"2000-6000 r--p 00000000 fe:00 1   /images/logic-1.so\n");
        let place = Place { start: Some(0x2000), length: 0x4000, ..Place::default() };
        assert_eq!(memory(&place, &maps), Memory { mapped: 0x4000, resident: None });
    }
}
