//! The units of debug info and their entries: where they are, and what their attributes refer to.

use super::data::Data;
use crate::signature::Language;
use crate::sparse::Sparse;
use gimli::constants as dw;
use gimli::{
    Abbreviations, AttributeSpecification, AttributeValue, DebugAbbrev, DebugAddr, DebugAddrBase, DebugInfo,
    DebugLineStr, DebugRanges, DebugRngLists, DebugRngListsBase, DebugStr, DebugStrOffsets, DebugStrOffsetsBase,
    DwarfFileType, EndianSlice, EntriesRaw, RangeLists, RangeListsOffset, Reader as _, RunTimeEndian, SectionId,
    UnitHeader, UnitOffset, UnitType,
};
use std::rc::Rc;

pub(crate) type Bytes<'a> = EndianSlice<'a, RunTimeEndian>;
type Header<'a> = UnitHeader<Bytes<'a>>;
pub(crate) type Entry<'a> = gimli::DebuggingInformationEntry<Bytes<'a>>;
type Value<'a> = AttributeValue<Bytes<'a>>;

/// How long a type's name may be, in bytes.
const NAME: usize = 16 * 1024;

/// The parts of the file that hold debug info. Absent ones are empty.
pub(crate) struct Sections<'a> {
    info: DebugInfo<Bytes<'a>>,
    abbreviations: DebugAbbrev<Bytes<'a>>,
    strings: DebugStr<Bytes<'a>>,
    line_strings: DebugLineStr<Bytes<'a>>,
    string_offsets: DebugStrOffsets<Bytes<'a>>,
    addresses: DebugAddr<Bytes<'a>>,
    range_lists: RangeLists<Bytes<'a>>,
    /// The newer of the two range lists, as it is.
    range_list_bytes: Bytes<'a>,
}

impl<'a> Sections<'a> {
    /// `None`: there is no debug info.
    pub(crate) fn of(data: &'a Data<'_>) -> Option<Self> {
        let load = |id: SectionId| data.section(id);
        let info = load(SectionId::DebugInfo);
        let range_list_bytes = load(SectionId::DebugRngLists);
        let sections = Self {
            info: info.into(),
            abbreviations: load(SectionId::DebugAbbrev).into(),
            strings: load(SectionId::DebugStr).into(),
            line_strings: load(SectionId::DebugLineStr).into(),
            string_offsets: load(SectionId::DebugStrOffsets).into(),
            addresses: load(SectionId::DebugAddr).into(),
            range_lists: RangeLists::new(
                DebugRanges::from(load(SectionId::DebugRanges)),
                DebugRngLists::from(range_list_bytes),
            ),
            range_list_bytes,
        };
        (!info.is_empty()).then_some(sections)
    }
}

/// One compilation unit. `gimli::Unit` would read its table of lines as well, which takes longer than all the rest.
pub(crate) struct Unit<'a> {
    /// Which of all units it is.
    pub(crate) index: usize,
    /// Which of the reader's parts it is in.
    part: usize,
    header: Header<'a>,
    abbreviations: Rc<Abbreviations>,
    pub(crate) root: Entry<'a>,
    pub(crate) language: Language,
    strings: DebugStrOffsetsBase<usize>,
    addresses: DebugAddrBase<usize>,
    range_lists: DebugRngListsBase<usize>,
}

impl<'a> Unit<'a> {
    fn new(
        index: usize,
        part: usize,
        header: Header<'a>,
        abbreviations: Rc<Abbreviations>,
        skeleton: Option<DebugAddrBase<usize>>,
    ) -> gimli::Result<Self> {
        let root = header.entry(&abbreviations, header.root_offset())?;
        let kind = if skeleton.is_some() { DwarfFileType::Dwo } else { DwarfFileType::Main };
        let mut unit = Self {
            index,
            part,
            language: language(&root),
            strings: DebugStrOffsetsBase::default_for_encoding_and_file(header.encoding(), kind),
            addresses: skeleton.unwrap_or(DebugAddrBase(0)),
            range_lists: DebugRngListsBase(0),
            header,
            abbreviations,
            root,
        };
        for attribute in unit.root.attrs() {
            match attribute.value() {
                AttributeValue::DebugStrOffsetsBase(base) => unit.strings = base,
                AttributeValue::DebugAddrBase(base) => unit.addresses = base,
                AttributeValue::DebugRngListsBase(base) => unit.range_lists = base,
                _ => {}
            }
        }
        Ok(unit)
    }

    /// Whether functions are defined in it, rather than types for others.
    pub(crate) fn holds_code(&self) -> bool {
        matches!(self.header.type_(), UnitType::Compilation) && self.root.tag() == dw::DW_TAG_compile_unit
    }

    pub(crate) fn entry(&self, offset: UnitOffset) -> Option<Entry<'a>> {
        self.header.entry(&self.abbreviations, offset).ok()
    }

    /// How its numbers are written.
    pub(crate) fn encoding(&self) -> gimli::Encoding {
        self.header.encoding()
    }

    /// All entries from the given one on, or from the root.
    pub(crate) fn entries(&self, from: Option<UnitOffset>) -> gimli::Result<EntriesRaw<'_, Bytes<'a>>> {
        self.header.entries_raw(&self.abbreviations, from)
    }
}

fn language(root: &Entry<'_>) -> Language {
    /// Not yet among gimli's.
    const C23: dw::DwLang = dw::DwLang(0x3e);
    /// Before Rust had a number of its own.
    const OLD_RUST: dw::DwLang = dw::DwLang(0x9000);
    match root.attr_value(dw::DW_AT_language) {
        Some(AttributeValue::Language(dw::DW_LANG_Rust | OLD_RUST)) => Language::Rust,
        Some(AttributeValue::Language(
            dw::DW_LANG_C | dw::DW_LANG_C89 | dw::DW_LANG_C99 | dw::DW_LANG_C11 | dw::DW_LANG_C17 | C23,
        )) => Language::C,
        _ => Language::Other,
    }
}

/// An entry, by its place.
#[derive(Clone)]
pub(crate) struct Place<'a> {
    pub(crate) unit: Rc<Unit<'a>>,
    pub(crate) offset: UnitOffset,
}

impl<'a> Place<'a> {
    pub(crate) fn entry(&self) -> Option<Entry<'a>> {
        self.unit.entry(self.offset)
    }
}

/// What an entry says of its type.
#[derive(Clone)]
pub(crate) enum TypeOf<'a> {
    /// C's `void`, and Rust's `()` as a result.
    Nothing,
    At(Place<'a>),
    /// It is in another file, or nowhere.
    Lost,
}

/// A file's sections, or those of a unit that lies in a file of its own.
struct Part<'a> {
    sections: Sections<'a>,
    /// The number of its first unit.
    first: usize,
    /// For a unit in a file of its own: where its addresses begin in the main file.
    skeleton: Option<DebugAddrBase<usize>>,
}

/// What the main file says of a unit that lies in a file of its own.
pub(crate) struct Skeleton {
    /// That file.
    pub(crate) name: String,
    /// The folder that the file's name is relative to.
    pub(crate) directory: String,
    /// The unit's number in a package of such units.
    pub(crate) id: u64,
    addresses: DebugAddrBase<usize>,
}

pub(crate) struct Reader<'a> {
    /// The main file comes first.
    parts: Vec<Part<'a>>,
    /// Of all units, each with the part that it is in.
    headers: Vec<(usize, Header<'a>)>,
    /// Units that other units refer to, by their index.
    referred: Sparse<Rc<Unit<'a>>>,
    /// The abbreviations read last, and where they are. Units that were linked as one share theirs.
    abbreviations: Option<((usize, usize), Rc<Abbreviations>)>,
}

impl<'a> Reader<'a> {
    pub(crate) fn of(sections: Sections<'a>) -> gimli::Result<Self> {
        let mut reader =
            Self { parts: Vec::new(), headers: Vec::new(), referred: Sparse::default(), abbreviations: None };
        reader.add_part(sections, None)?;
        Ok(reader)
    }

    /// Adds the units that a skeleton stands for.
    pub(crate) fn add_beside(&mut self, sections: Sections<'a>, skeleton: &Skeleton) -> gimli::Result<()> {
        self.add_part(sections, Some(skeleton.addresses))
    }

    fn add_part(&mut self, sections: Sections<'a>, skeleton: Option<DebugAddrBase<usize>>) -> gimli::Result<()> {
        let first = self.headers.len();
        let mut units = sections.info.units();
        while let Some(header) = units.next()? {
            self.headers.push((self.parts.len(), header));
        }
        self.parts.push(Part { sections, first, skeleton });
        Ok(())
    }

    /// How many units there are.
    pub(crate) fn units(&self) -> usize {
        self.headers.len()
    }

    pub(crate) fn unit(&mut self, index: usize) -> gimli::Result<Option<Unit<'a>>> {
        let Some(&(number, header)) = self.headers.get(index) else { return Ok(None) };
        let Some(part) = self.parts.get(number) else { return Ok(None) };
        let place = (number, header.debug_abbrev_offset().0);
        let abbreviations = match &self.abbreviations {
            Some((read, abbreviations)) if *read == place => Rc::clone(abbreviations),
            _ => Rc::new(header.abbreviations(&part.sections.abbreviations)?),
        };
        let unit = Unit::new(index, number, header, Rc::clone(&abbreviations), part.skeleton);
        self.abbreviations = Some((place, abbreviations));
        unit.map(Some)
    }

    /// The units that lie in files of their own.
    pub(crate) fn skeletons(&mut self) -> gimli::Result<Vec<Skeleton>> {
        let mut found = Vec::new();
        for index in 0..self.headers.len() {
            let Some(unit) = self.unit(index)? else { continue };
            let text = |names: &[dw::DwAt]| {
                let value = names.iter().find_map(|name| unit.root.attr_value(*name))?;
                Some(String::from_utf8_lossy(self.string(&unit, value)?.slice()).into_owned())
            };
            let Some(name) = text(&[dw::DW_AT_dwo_name, dw::DW_AT_GNU_dwo_name]) else { continue };
            let id = match (unit.header.type_(), unit.root.attr_value(dw::DW_AT_GNU_dwo_id)) {
                (UnitType::Skeleton(id), _) => id.0,
                (_, Some(AttributeValue::DwoId(id))) => id.0,
                _ => continue,
            };
            let directory = text(&[dw::DW_AT_comp_dir]).unwrap_or_default();
            found.push(Skeleton { name, directory, id, addresses: unit.addresses });
        }
        Ok(found)
    }

    /// The sections that a unit is in.
    fn sections(&self, unit: &Unit<'a>) -> Option<&Sections<'a>> {
        self.parts.get(unit.part).map(|part| &part.sections)
    }

    /// The main file's, which has the addresses of all.
    fn main(&self) -> Option<&Sections<'a>> {
        self.parts.first().map(|part| &part.sections)
    }

    /// The file that the compiler was given, and for Rust the part of the crate.
    pub(crate) fn unit_name(&self, unit: &Unit<'a>) -> Option<Bytes<'a>> {
        self.string(unit, unit.root.attr_value(dw::DW_AT_name)?)
    }

    /// Whether the unit's code may include the address. A unit that does not say where its code is may.
    pub(crate) fn may_hold(&self, unit: &Unit<'a>, address: u64) -> bool {
        let low = unit.root.attr_value(dw::DW_AT_low_pc).and_then(|value| self.address(unit, value));
        if let Some(ranges) = unit.root.attr_value(dw::DW_AT_ranges) {
            return self.in_ranges(unit, ranges, low.unwrap_or(0), address).unwrap_or(true);
        }
        let end = match unit.root.attr_value(dw::DW_AT_high_pc) {
            Some(AttributeValue::Udata(size)) => low.and_then(|low| low.checked_add(size)),
            Some(value) => self.address(unit, value),
            None => None,
        };
        match (low, end) {
            (Some(low), Some(end)) => (low..end).contains(&address),
            _ => true,
        }
    }

    fn in_ranges(&self, unit: &Unit<'a>, value: Value<'a>, base: u64, address: u64) -> Option<bool> {
        let offset = match value {
            AttributeValue::RangeListsRef(offset) => offset.0,
            AttributeValue::DebugRngListsIndex(index) => self.range_list(unit, index.0)?,
            _ => return None,
        };
        let Sections { range_lists: lists, addresses, .. } = self.main()?;
        let encoding = unit.header.encoding();
        let mut ranges = lists.ranges(RangeListsOffset(offset), encoding, base, addresses, unit.addresses).ok()?;
        while let Some(range) = ranges.next().ok()? {
            if (range.begin..range.end).contains(&address) {
                return Some(true);
            }
        }
        Some(false)
    }

    /// Where the unit's range list of that index is. gimli's own way to tell adds without a look at the sum.
    fn range_list(&self, unit: &Unit<'a>, index: usize) -> Option<usize> {
        let format = unit.header.format();
        let mut bytes = self.main()?.range_list_bytes;
        bytes.skip(unit.range_lists.0).ok()?;
        bytes.skip(index.checked_mul(usize::from(format.word_size()))?).ok()?;
        unit.range_lists.0.checked_add(bytes.read_offset(format).ok()?)
    }

    pub(crate) fn address(&self, unit: &Unit<'a>, value: Value<'a>) -> Option<u64> {
        match value {
            AttributeValue::Addr(address) => Some(address),
            AttributeValue::DebugAddrIndex(index) => {
                self.main()?.addresses.get_address(unit.header.address_size(), unit.addresses, index).ok()
            }
            _ => None,
        }
    }

    pub(crate) fn string(&self, unit: &Unit<'a>, value: Value<'a>) -> Option<Bytes<'a>> {
        let sections = self.sections(unit)?;
        match value {
            AttributeValue::String(string) => Some(string),
            AttributeValue::DebugStrRef(offset) => sections.strings.get_str(offset).ok(),
            AttributeValue::DebugLineStrRef(offset) => sections.line_strings.get_str(offset).ok(),
            AttributeValue::DebugStrOffsetsIndex(index) => {
                let offsets = &sections.string_offsets;
                let offset = offsets.get_str_offset(unit.header.format(), unit.strings, index).ok()?;
                sections.strings.get_str(offset).ok()
            }
            _ => None,
        }
    }

    pub(crate) fn name(&self, unit: &Unit<'a>, entry: &Entry<'a>) -> Option<String> {
        let name = self.string(unit, entry.attr_value(dw::DW_AT_name)?)?;
        (name.len() <= NAME).then(|| String::from_utf8_lossy(name.slice()).into_owned())
    }

    /// The entry that an attribute refers to, in its own unit or in another.
    pub(crate) fn follow(&mut self, unit: &Rc<Unit<'a>>, value: Value<'a>) -> Option<Place<'a>> {
        match value {
            AttributeValue::UnitRef(offset) => Some(Place { unit: Rc::clone(unit), offset }),
            AttributeValue::DebugInfoRef(offset) => {
                let first = self.parts.get(unit.part)?.first;
                let own = self.headers.get(first..)?;
                let after = own.partition_point(|(part, header)| *part == unit.part && header.offset().0 <= offset.0);
                let index = first.checked_add(after)?.checked_sub(1)?;
                let (_, header) = self.headers.get(index).filter(|(part, _)| *part == unit.part)?;
                let offset = offset.to_unit_offset(header)?;
                Some(Place { unit: self.referred(index)?, offset })
            }
            _ => None,
        }
    }

    fn referred(&mut self, index: usize) -> Option<Rc<Unit<'a>>> {
        if let Some(unit) = self.referred.get(index) {
            return Some(Rc::clone(unit));
        }
        let unit = Rc::new(self.unit(index).ok()??);
        self.referred.insert(index, Rc::clone(&unit));
        Some(unit)
    }

    pub(crate) fn type_of(&mut self, unit: &Rc<Unit<'a>>, entry: &Entry<'a>) -> TypeOf<'a> {
        match entry.attr_value(dw::DW_AT_type) {
            None => TypeOf::Nothing,
            Some(value) => self.follow(unit, value).map_or(TypeOf::Lost, TypeOf::At),
        }
    }
}

/// Passes over an entry's attributes. gimli adds up lengths that it reads without a look at the sum, so that no read
/// length may have another after it.
pub(crate) fn skip(
    entries: &mut EntriesRaw<'_, Bytes<'_>>,
    attributes: &[AttributeSpecification],
) -> gimli::Result<()> {
    let of_read_length = |attribute: &AttributeSpecification| {
        matches!(attribute.form(), dw::DW_FORM_block | dw::DW_FORM_block4 | dw::DW_FORM_exprloc | dw::DW_FORM_indirect)
    };
    attributes.split_inclusive(of_read_length).try_for_each(|attributes| entries.skip_attributes(attributes))
}

/// The children of an entry that are asked for, as far as they can be read.
pub(crate) fn children(place: &Place<'_>, mut wanted: impl FnMut(dw::DwTag) -> bool) -> Vec<UnitOffset> {
    let mut found = Vec::new();
    let Ok(mut entries) = place.unit.entries(Some(place.offset)) else { return found };
    let mut first = true;
    while first || entries.next_depth() > 0 {
        let (offset, depth) = (entries.next_offset(), entries.next_depth());
        let Ok(abbreviation) = entries.read_abbreviation() else { break };
        let Some(abbreviation) = abbreviation else { continue };
        if skip(&mut entries, abbreviation.attributes()).is_err() {
            break;
        }
        if !first && depth == 1 && wanted(abbreviation.tag()) {
            found.push(offset);
        }
        first = false;
    }
    found
}

pub(crate) fn flag(entry: &Entry<'_>, name: dw::DwAt) -> bool {
    entry.attr_value(name) == Some(AttributeValue::Flag(true))
}
