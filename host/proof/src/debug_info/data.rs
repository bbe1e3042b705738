//! The sections of a file that hold debug info, decompressed where need be.

use super::units::Bytes;
use gimli::{EndianSlice, RunTimeEndian, SectionId};
use object::{CompressionFormat, Object, ObjectSection};
use std::borrow::Cow;
use std::ops::Range;

/// What DWARF is spread over, as far as it is read here.
const READ: [SectionId; 8] = [
    SectionId::DebugInfo,
    SectionId::DebugAbbrev,
    SectionId::DebugStr,
    SectionId::DebugLineStr,
    SectionId::DebugStrOffsets,
    SectionId::DebugAddr,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
];

/// How many bytes one section may decompress to.
const LARGEST: u64 = 4 << 30;

/// The sections' bytes.
pub(crate) struct Data<'f> {
    sections: Vec<(SectionId, Cow<'f, [u8]>)>,
    endian: RunTimeEndian,
}

impl<'f> Data<'f> {
    pub(crate) fn of(file: &object::File<'f>) -> Result<Self, String> {
        Self::named(file, |id| id.name())
    }

    fn named(file: &object::File<'f>, name: fn(SectionId) -> &'static str) -> Result<Self, String> {
        let endian = if file.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big };
        let mut sections = Vec::new();
        for id in READ {
            if let Some(section) = file.section_by_name(name(id)) {
                sections.push((id, bytes(&section, name(id))?));
            }
        }
        Ok(Self { sections, endian })
    }

    /// Of a file that holds units of another.
    pub(crate) fn split(file: &object::File<'f>) -> Result<Self, String> {
        Self::named(file, |id| id.dwo_name().unwrap_or("none"))
    }

    /// One unit of a package: of some sections, only a part is its own.
    pub(crate) fn unit(&self, parts: &[(SectionId, Range<usize>)]) -> Option<Data<'_>> {
        let mut sections = Vec::new();
        for (id, bytes) in &self.sections {
            let bytes = match parts.iter().find(|(part, _)| part == id) {
                Some((_, range)) => bytes.get(range.clone())?,
                None => bytes,
            };
            sections.push((*id, Cow::Borrowed(bytes)));
        }
        Some(Data { sections, endian: self.endian })
    }

    pub(crate) fn endian(&self) -> RunTimeEndian {
        self.endian
    }

    pub(crate) fn section(&self, id: SectionId) -> Bytes<'_> {
        let found = self.sections.iter().find(|(found, _)| *found == id);
        EndianSlice::new(found.map_or(&[], |(_, bytes)| bytes), self.endian)
    }
}

/// A section's bytes, decompressed where need be; none where there is no such section.
///
/// # Errors
/// When they cannot be decompressed, or claim to be more than can be.
pub fn section<'f>(file: &object::File<'f>, name: &str) -> Result<Cow<'f, [u8]>, String> {
    file.section_by_name(name).map_or(Ok(Cow::Borrowed(&[])), |section| bytes(&section, name))
}

fn bytes<'f>(section: &object::Section<'f, '_>, name: &str) -> Result<Cow<'f, [u8]>, String> {
    let damaged = |error: object::Error| format!("section {name} cannot be read: {error}");
    let compressed = section.compressed_data().map_err(damaged)?;
    if compressed.format == CompressionFormat::None {
        return Ok(Cow::Borrowed(compressed.data));
    }
    if !cfg!(feature = "compression") {
        return Err(format!("section {name} is compressed, which this build of Pitstop does not read"));
    }
    // A few bytes may claim to be many; none of the formats packs a thousand of debug info into one.
    let most = LARGEST.min((compressed.data.len() as u64).saturating_mul(1024));
    if compressed.uncompressed_size > most {
        return Err(format!("section {name} claims to decompress to {} bytes", compressed.uncompressed_size));
    }
    compressed.decompress().map_err(damaged)
}
