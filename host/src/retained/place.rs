//! Where an image lies in memory, and which parts of it a program can point to; from its file and the system's loader.

use super::peek::PAGE;
use crate::load::Loaded;
use object::elf;
use object::read::elf::{Dyn, ElfFile64, ProgramHeader, SectionHeader};
use object::{Endianness, Object, ObjectSection, ObjectSegment, ObjectSymbol, ReadCache, ReadRef};
use std::fs::File;
use std::io::BufReader;
use std::ops::Range;
use std::path::Path;

/// An image's place. All but the start is relative to it, for a word of this very record must not look like a pointer into
/// the image. The start itself is the file's header, which is nothing that a program points to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Where it begins; `None` where the system does not tell.
    pub(super) start: Option<u64>,
    /// Address space from its first to its last byte.
    pub(super) length: u64,
    /// Code.
    pub(super) code: Vec<Range<u64>>,
    /// Code and data. The rest is the loader's: headers, symbols, relocations, and what thread-locals begin with, of
    /// which each thread has a copy.
    pub(super) contents: Vec<Range<u64>>,
    /// Segments that hold what the file holds, whoever ran what.
    pub(super) unwritten: Vec<Range<u64>>,
}

impl Place {
    /// Reads the headers of an image's file.
    pub(super) fn of(image: &Loaded) -> Self {
        let read = File::open(&image.path).ok().and_then(|file| {
            let cache = ReadCache::new(BufReader::new(file));
            Self::read(&cache, image.bias.map(|bias| bias as u64))
        });
        // A file that is gone: what is known is its length.
        read.unwrap_or_else(|| Self { length: image.image.bytes, ..Self::default() })
    }

    fn read<'data>(data: impl ReadRef<'data>, bias: Option<u64>) -> Option<Self> {
        let file = object::File::parse(data).ok()?;
        let spans =
            || file.segments().map(|segment| segment.address()..segment.address().saturating_add(segment.size()));
        let first = spans().map(|span| span.start).min()?;
        let length = spans().map(|span| span.end).max()?.checked_sub(first)?;
        let start = bias.and_then(|bias| bias.checked_add(first));
        let (mut code, mut contents, mut unwritten) = (Vec::new(), Vec::new(), Vec::new());
        if let Ok(file) = ElfFile64::<Endianness, _>::parse(data) {
            if !code_is_written(&file, data) {
                let segments = file.elf_program_headers().iter().filter(|segment| {
                    segment.p_type(file.endian()) == elf::PT_LOAD && !segment.p_flags(file.endian()).contains(elf::PF_W)
                });
                unwritten.extend(segments.filter_map(|segment| {
                    let from = segment.p_vaddr(file.endian()).checked_sub(first)?;
                    Some(from..from.saturating_add(segment.p_memsz(file.endian())).min(length))
                }));
            }
            for section in file.sections() {
                let header = section.elf_section_header();
                let flags = header.sh_flags(file.endian());
                let kind = header.sh_type(file.endian());
                if !flags.contains(elf::SHF_ALLOC) || is_the_loaders(kind, flags, section.name().unwrap_or_default()) {
                    continue;
                }
                let Some(from) = section.address().checked_sub(first) else { continue };
                let range = from..from.saturating_add(section.size()).min(length);
                if flags.contains(elf::SHF_EXECINSTR) {
                    code.push(range.clone());
                }
                contents.push(range);
            }
        }
        if contents.is_empty() {
            // Without sections anything may be anything.
            contents.push(0..length);
            code.push(0..length);
        }
        Some(Self { start, length, code, contents, unwritten })
    }

    /// The address space it takes, in whole pages.
    pub(super) fn span(&self) -> Option<Range<u64>> {
        let start = self.start?;
        Some(start..start.checked_add(self.length)?.checked_next_multiple_of(PAGE)?)
    }

    /// The pages, whole ones, that hold what the file holds. Those at either end of a segment may be shared with another.
    pub(super) fn unwritten_pages(&self) -> impl Iterator<Item = Range<u64>> {
        let pages = self.unwritten.iter().filter_map(|part| {
            let (from, to) = (self.start?.checked_add(part.start)?, self.start?.checked_add(part.end)?);
            Some(from.checked_next_multiple_of(PAGE)?..to / PAGE * PAGE)
        });
        pages.filter(|pages| !pages.is_empty())
    }

    /// How far into the image a word points, if it points to something in it.
    pub(super) fn points_into(&self, word: u64) -> Option<u64> {
        let offset = word.checked_sub(self.start?)?;
        self.contents.iter().any(|part| part.contains(&offset)).then_some(offset)
    }

    /// The same for its code alone.
    pub(super) fn runs_in(&self, word: u64) -> bool {
        let offset = self.start.and_then(|start| word.checked_sub(start));
        offset.is_some_and(|offset| self.code.iter().any(|part| part.contains(&offset)))
    }
}

/// Whether the loader has put addresses into code, as compilers of today do not ask it to.
fn code_is_written<'data, R: ReadRef<'data>>(file: &ElfFile64<'data, Endianness, R>, data: R) -> bool {
    let endian = file.endian();
    match file.elf_section_table().dynamic(endian, data) {
        Ok(Some((entries, _))) => entries.iter().any(|entry| {
            let (tag, value) = (entry.d_tag(endian), entry.d_val(endian));
            tag == elf::DT_TEXTREL || tag == elf::DT_FLAGS && value & elf::DF_TEXTREL.0 != 0
        }),
        _ => true,
    }
}

/// Whether a section is of use to the loader, to unwinders and to debuggers only.
fn is_the_loaders(kind: elf::SectionType, flags: elf::SectionFlags, name: &str) -> bool {
    let of_that_kind = matches!(
        kind,
        elf::SHT_DYNAMIC
            | elf::SHT_DYNSYM
            | elf::SHT_STRTAB
            | elf::SHT_REL
            | elf::SHT_RELA
            | elf::SHT_RELR
            | elf::SHT_HASH
            | elf::SHT_GNU_HASH
            | elf::SHT_GNU_VERSYM
            | elf::SHT_GNU_VERNEED
            | elf::SHT_GNU_VERDEF
            | elf::SHT_NOTE
    );
    of_that_kind || flags.contains(elf::SHF_TLS) || name == ".eh_frame_hdr"
}

/// The name of what lies at a place of an image, counted from its start: `logic::Ball::area`.
pub(super) fn symbol(path: &Path, offset: u64) -> Option<String> {
    let cache = ReadCache::new(BufReader::new(File::open(path).ok()?));
    let file = object::File::parse(&cache).ok()?;
    let first = file.segments().map(|segment| segment.address()).min()?;
    let address = first.checked_add(offset)?;
    let covers = |start: u64, size: u64| start <= address && address - start < size;
    let found = file.symbols().find(|symbol| symbol.is_definition() && covers(symbol.address(), symbol.size()))?;
    Some(format!("{:#}", rustc_demangle::demangle(found.name().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn code_and_data_of_a_file_are_its_contents_and_the_loaders_part_is_not() {
        let bytes = std::fs::read("/proc/self/exe").expect("this very test");
        let place = Place::read(&*bytes, Some(0x1000_0000)).expect("a place");
        let file = object::File::parse(&*bytes).expect("an executable");
        let at = |name: &str| file.section_by_name(name).expect("a section").address() + 0x1000_0000;
        for (name, is_content) in [
            (".text", true),
            (".data.rel.ro", true),
            (".rodata", true),
            (".bss", true),
            (".dynsym", false),
            (".dynamic", false),
        ] {
            assert_eq!(place.points_into(at(name)).is_some(), is_content, "{name}");
        }
        assert!(place.runs_in(at(".text")) && !place.runs_in(at(".rodata")));
        let span = place.span().expect("a span");
        assert_eq!(place.points_into(span.start), None, "the file's header");
        assert_eq!(place.points_into(span.end), None);
        assert_eq!(place.points_into(span.start - 1), None);
    }

    #[test]
    fn hostile_bytes_are_no_place() {
        assert_eq!(Place::read(&b""[..], Some(0)), None);
        assert_eq!(Place::read(&b"\x7fELF\x02\x01\x01 and then something else"[..], Some(0)), None);
        assert_eq!(Place { start: Some(u64::MAX), length: 2, ..Place::default() }.span(), None);
        assert_eq!(symbol(Path::new("/no/such/file"), 0), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_place_of_a_file_has_a_name() {
        let path = Path::new("/proc/self/exe");
        let bytes = std::fs::read(path).expect("this very test");
        let file = object::File::parse(&*bytes).expect("an executable");
        let first = file.segments().map(|segment| segment.address()).min().expect("a segment");
        let mut symbols = file.symbols();
        let own = symbols.find(|symbol| symbol.name().is_ok_and(|name| name.contains("a_place_of_a_file_has_a_name")));
        let name = symbol(path, own.expect("this function").address() - first).expect("a name");
        assert!(name.contains("retained::place::tests::a_place_of_a_file_has_a_name"), "{name}");
    }
}
