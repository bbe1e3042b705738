//! Reads from a library's debug info which signature an exported function has, and compares it with the one asked for.
//!
//! The file is read and never loaded. Its bytes are not trusted: every walk through them is bounded, and what cannot be
//! read is reported or counts as another type.

use gimli::constants as dw;
use gimli::{
    Abbreviations, AttributeSpecification, AttributeValue, DebugAbbrev, DebugAddr, DebugAddrBase, DebugInfo,
    DebugLineStr, DebugRanges, DebugRngLists, DebugRngListsBase, DebugStr, DebugStrOffsets, DebugStrOffsetsBase,
    EndianSlice, EntriesRaw, RangeLists, RangeListsOffset, Reader as _, RunTimeEndian, SectionId, UnitHeader,
    UnitOffset, UnitType,
};
use object::{Architecture, BinaryFormat, CompressionFormat, ExportTarget, NameOrOrdinal, Object, ObjectSection};
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

type Bytes<'a> = EndianSlice<'a, RunTimeEndian>;
type Header<'a> = UnitHeader<Bytes<'a>>;
type Entry<'a> = gimli::DebuggingInformationEntry<Bytes<'a>>;
type Value<'a> = AttributeValue<Bytes<'a>>;

/// How many entries a definition may be spread over: out-of-line copy, definition, declaration.
const CHAIN: usize = 4;
/// How deep a type may nest. Deeper ones count as unreadable.
const DEPTH: usize = 48;
/// How many parameters are read. No function pointer type that can be asked for comes near.
const PARAMETERS: usize = 128;
/// How long a type's name may be, in bytes.
const NAME: usize = 16 * 1024;

/// What debug info says of an exported function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) parameters: Vec<Ty>,
    /// Whether more arguments may follow, as in C's `printf`.
    pub(crate) variadic: bool,
    /// `None`: it returns nothing.
    pub(crate) result: Option<Ty>,
    pub(crate) source_language: Language,
}

/// The language that a function is written in, as far as signatures depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Rust,
    C,
    Other,
}

/// A type, as far as calls need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ty {
    /// As the debug info writes it, for example `u64`, `&mut logic::World`, `unsigned long`, `struct Foo *`.
    pub(crate) name: String,
    /// What else the type itself is called: C's tags and the names of its typedefs.
    pub(crate) aliases: Vec<String>,
    pub(crate) shape: Shape,
}

/// How a type is passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Unit,
    Never,
    Bool,
    /// 32 bits of Unicode.
    Char,
    /// `signed: None` is C's `char` or an enum, which stand for either.
    Int {
        signed: Option<bool>,
        bytes: u64,
    },
    Float {
        bytes: u64,
    },
    /// A thin one.
    Pointer,
    /// Struct, union, tuple, array, fat pointer, or an enum of Rust.
    Aggregate {
        bytes: Option<u64>,
    },
    /// Nothing that a Rust signature can name, or that the file says enough of.
    Other,
}

/// Looks an exported function up by its symbol. `None`: the file has no debug info that tells its signature.
pub(crate) fn find(file: &[u8], symbol: &str) -> Result<Option<Found>, String> {
    let file = object::File::parse(file).map_err(|error| format!("the file is no readable library: {error}"))?;
    let Some(address) = exported(&file, symbol)? else { return Ok(None) };
    let Some(sections) = Sections::of(&file)? else { return Ok(None) };
    let damaged = |error: gimli::Error| format!("the library's debug info cannot be read: {error}");
    Reader::of(sections).map_err(damaged)?.search(symbol, address).map_err(damaged)
}

/// Where an exported function begins. With it, units that hold other code need not be searched.
fn exported(file: &object::File<'_>, symbol: &str) -> Result<Option<u64>, String> {
    let damaged = |error: object::Error| format!("the library's exports cannot be read: {error}");
    let name = if file.format() == BinaryFormat::MachO { format!("_{symbol}") } else { symbol.to_owned() };
    for export in file.exports().map_err(damaged)? {
        let export = export.map_err(damaged)?;
        if export.name() != NameOrOrdinal::Name(name.as_bytes()) {
            continue;
        }
        // The lowest bit of an Arm function's address says which instruction set it is in.
        let mask = if file.architecture() == Architecture::Arm { !1 } else { !0 };
        return Ok(match export.target() {
            ExportTarget::Address { address } => Some(address & mask),
            _ => None,
        });
    }
    Ok(None)
}

/// The parts of the file that hold debug info. Absent ones are empty.
struct Sections<'a> {
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
    /// `None`: there is no debug info, or a compressed one.
    fn of(file: &object::File<'a>) -> Result<Option<Self>, String> {
        let mut compressed = false;
        let mut load = |id: SectionId| {
            let bytes = section(file, id)?;
            compressed |= bytes.is_none();
            Ok::<_, String>(bytes.unwrap_or_else(|| Bytes::new(&[], RunTimeEndian::Little)))
        };
        let info = load(SectionId::DebugInfo)?;
        let range_list_bytes = load(SectionId::DebugRngLists)?;
        let sections = Self {
            info: info.into(),
            abbreviations: load(SectionId::DebugAbbrev)?.into(),
            strings: load(SectionId::DebugStr)?.into(),
            line_strings: load(SectionId::DebugLineStr)?.into(),
            string_offsets: load(SectionId::DebugStrOffsets)?.into(),
            addresses: load(SectionId::DebugAddr)?.into(),
            range_lists: RangeLists::new(
                DebugRanges::from(load(SectionId::DebugRanges)?),
                DebugRngLists::from(range_list_bytes),
            ),
            range_list_bytes,
        };
        Ok((!compressed && !info.is_empty()).then_some(sections))
    }
}

/// A section's bytes: empty when there is none, `None` when they are compressed.
fn section<'a>(file: &object::File<'a>, id: SectionId) -> Result<Option<Bytes<'a>>, String> {
    let endian = if file.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big };
    let Some(section) = file.section_by_name(id.name()) else { return Ok(Some(Bytes::new(&[], endian))) };
    let damaged = |error: object::Error| format!("the library's section {} cannot be read: {error}", id.name());
    if section.compressed_file_range().map_err(damaged)?.format != CompressionFormat::None {
        return Ok(None);
    }
    Ok(Some(Bytes::new(section.data().map_err(damaged)?, endian)))
}

/// One compilation unit. `gimli::Unit` would read its table of lines as well, which takes longer than all the rest.
struct Unit<'a> {
    header: Header<'a>,
    abbreviations: Rc<Abbreviations>,
    root: Entry<'a>,
    language: Language,
    strings: DebugStrOffsetsBase<usize>,
    addresses: DebugAddrBase<usize>,
    range_lists: DebugRngListsBase<usize>,
}

impl<'a> Unit<'a> {
    fn new(header: Header<'a>, abbreviations: Rc<Abbreviations>) -> gimli::Result<Self> {
        let root = header.entry(&abbreviations, header.root_offset())?;
        let mut unit = Self {
            language: language(&root),
            strings: DebugStrOffsetsBase(0),
            addresses: DebugAddrBase(0),
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
    fn holds_code(&self) -> bool {
        matches!(self.header.type_(), UnitType::Compilation) && self.root.tag() == dw::DW_TAG_compile_unit
    }

    fn entry(&self, offset: UnitOffset) -> Option<Entry<'a>> {
        self.header.entry(&self.abbreviations, offset).ok()
    }

    /// All entries from the given one on, or from the root.
    fn entries(&self, from: Option<UnitOffset>) -> gimli::Result<EntriesRaw<'_, Bytes<'a>>> {
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
struct Place<'a> {
    unit: Rc<Unit<'a>>,
    offset: UnitOffset,
}

impl<'a> Place<'a> {
    fn entry(&self) -> Option<Entry<'a>> {
        self.unit.entry(self.offset)
    }
}

/// What an entry says of its type.
#[derive(Clone)]
enum TypeOf<'a> {
    /// C's `void`, and Rust's `()` as a result.
    Nothing,
    At(Place<'a>),
    /// It is in another file, or nowhere.
    Lost,
}

/// A function, put together from the entries that describe it.
struct Definition<'a> {
    name: Option<Bytes<'a>>,
    linkage_name: Option<Bytes<'a>>,
    external: bool,
    prototyped: bool,
    no_return: bool,
    result: TypeOf<'a>,
    /// From the one found to the one it refers to last.
    places: Vec<Place<'a>>,
}

struct Reader<'a> {
    sections: Sections<'a>,
    headers: Vec<Header<'a>>,
    /// Units that other units refer to, by their index.
    referred: HashMap<usize, Rc<Unit<'a>>>,
    /// The abbreviations read last, and where they are. Units that were linked as one share theirs.
    abbreviations: Option<(usize, Rc<Abbreviations>)>,
}

impl<'a> Reader<'a> {
    fn of(sections: Sections<'a>) -> gimli::Result<Self> {
        let mut headers = Vec::new();
        let mut units = sections.info.units();
        while let Some(header) = units.next()? {
            headers.push(header);
        }
        Ok(Self { sections, headers, referred: HashMap::new(), abbreviations: None })
    }

    /// Looks through the units that may hold the function. One that cannot be read matters only if no other has it.
    fn search(&mut self, symbol: &str, address: u64) -> gimli::Result<Option<Found>> {
        let mut damage = None;
        for index in 0..self.headers.len() {
            match self.search_unit(index, symbol, address) {
                Ok(None) => {}
                Ok(Some(definition)) => return Ok(self.signature(&definition)),
                Err(error) => damage = Some(error),
            }
        }
        damage.map_or(Ok(None), Err)
    }

    fn search_unit(&mut self, index: usize, symbol: &str, address: u64) -> gimli::Result<Option<Definition<'a>>> {
        let Some(unit) = self.unit(index)? else { return Ok(None) };
        if !unit.holds_code() || !self.may_hold(&unit, address) {
            return Ok(None);
        }
        let unit = Rc::new(unit);
        let mut entries = unit.entries(None)?;
        // Functions are children of the root and of namespaces; what is deeper than that is skipped unread.
        let mut reach = 1;
        while !entries.is_empty() {
            let (offset, depth) = (entries.next_offset(), entries.next_depth());
            let Some(abbreviation) = entries.read_abbreviation()? else { continue };
            skip(&mut entries, abbreviation.attributes())?;
            if depth > reach {
                continue;
            }
            reach = match abbreviation.tag() {
                dw::DW_TAG_compile_unit | dw::DW_TAG_namespace | dw::DW_TAG_module => depth.saturating_add(1),
                _ => depth,
            };
            if abbreviation.tag() == dw::DW_TAG_subprogram {
                let definition = self.definition(Place { unit: Rc::clone(&unit), offset }, symbol);
                if definition.is_some() {
                    return Ok(definition);
                }
            }
        }
        Ok(None)
    }

    fn unit(&mut self, index: usize) -> gimli::Result<Option<Unit<'a>>> {
        let Some(&header) = self.headers.get(index) else { return Ok(None) };
        let offset = header.debug_abbrev_offset().0;
        let abbreviations = match &self.abbreviations {
            Some((read, abbreviations)) if *read == offset => Rc::clone(abbreviations),
            _ => Rc::new(header.abbreviations(&self.sections.abbreviations)?),
        };
        self.abbreviations = Some((offset, Rc::clone(&abbreviations)));
        Unit::new(header, abbreviations).map(Some)
    }

    /// Whether the unit's code may include the address. A unit that does not say where its code is may.
    fn may_hold(&self, unit: &Unit<'a>, address: u64) -> bool {
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
        let lists = &self.sections.range_lists;
        let encoding = unit.header.encoding();
        let addresses = &self.sections.addresses;
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
        let mut bytes = self.sections.range_list_bytes;
        bytes.skip(unit.range_lists.0).ok()?;
        bytes.skip(index.checked_mul(usize::from(format.word_size()))?).ok()?;
        unit.range_lists.0.checked_add(bytes.read_offset(format).ok()?)
    }

    fn address(&self, unit: &Unit<'a>, value: Value<'a>) -> Option<u64> {
        match value {
            AttributeValue::Addr(address) => Some(address),
            AttributeValue::DebugAddrIndex(index) => {
                self.sections.addresses.get_address(unit.header.address_size(), unit.addresses, index).ok()
            }
            _ => None,
        }
    }

    fn string(&self, unit: &Unit<'a>, value: Value<'a>) -> Option<Bytes<'a>> {
        match value {
            AttributeValue::String(string) => Some(string),
            AttributeValue::DebugStrRef(offset) => self.sections.strings.get_str(offset).ok(),
            AttributeValue::DebugLineStrRef(offset) => self.sections.line_strings.get_str(offset).ok(),
            AttributeValue::DebugStrOffsetsIndex(index) => {
                let offsets = &self.sections.string_offsets;
                let offset = offsets.get_str_offset(unit.header.format(), unit.strings, index).ok()?;
                self.sections.strings.get_str(offset).ok()
            }
            _ => None,
        }
    }

    fn name(&self, unit: &Unit<'a>, entry: &Entry<'a>) -> Option<String> {
        let name = self.string(unit, entry.attr_value(dw::DW_AT_name)?)?;
        (name.len() <= NAME).then(|| String::from_utf8_lossy(name.slice()).into_owned())
    }

    /// The entry that an attribute refers to, in its own unit or in another.
    fn follow(&mut self, unit: &Rc<Unit<'a>>, value: Value<'a>) -> Option<Place<'a>> {
        match value {
            AttributeValue::UnitRef(offset) => Some(Place { unit: Rc::clone(unit), offset }),
            AttributeValue::DebugInfoRef(offset) => {
                let after = self.headers.partition_point(|header| header.offset().0 <= offset.0);
                let index = after.checked_sub(1)?;
                let offset = offset.to_unit_offset(self.headers.get(index)?)?;
                Some(Place { unit: self.referred(index)?, offset })
            }
            _ => None,
        }
    }

    fn referred(&mut self, index: usize) -> Option<Rc<Unit<'a>>> {
        if let Some(unit) = self.referred.get(&index) {
            return Some(Rc::clone(unit));
        }
        let unit = Rc::new(self.unit(index).ok()??);
        self.referred.insert(index, Rc::clone(&unit));
        Some(unit)
    }

    fn type_of(&mut self, unit: &Rc<Unit<'a>>, entry: &Entry<'a>) -> TypeOf<'a> {
        match entry.attr_value(dw::DW_AT_type) {
            None => TypeOf::Nothing,
            Some(value) => self.follow(unit, value).map_or(TypeOf::Lost, TypeOf::At),
        }
    }

    /// The function described at a place, if it is the one sought and that place is no mere declaration.
    fn definition(&mut self, place: Place<'a>, symbol: &str) -> Option<Definition<'a>> {
        let mut definition = Definition {
            name: None,
            linkage_name: None,
            external: false,
            prototyped: false,
            no_return: false,
            result: TypeOf::Nothing,
            places: Vec::new(),
        };
        let mut next = Some(place);
        while let Some(place) = next.take_if(|_| definition.places.len() < CHAIN) {
            let entry = place.entry()?;
            if definition.places.is_empty() && flag(&entry, dw::DW_AT_declaration) {
                return None;
            }
            self.add(&mut definition, &place, &entry);
            let origin = entry.attr_value(dw::DW_AT_abstract_origin);
            let origin = origin.or_else(|| entry.attr_value(dw::DW_AT_specification));
            next = origin.and_then(|value| self.follow(&place.unit, value));
            definition.places.push(place);
        }
        let name = definition.linkage_name.or(definition.name)?;
        // A function that others cannot link to may bear the same name, but is not the exported one.
        (definition.external && name.slice() == symbol.as_bytes()).then_some(definition)
    }

    /// Adds what one entry says, where those before it are silent.
    fn add(&mut self, definition: &mut Definition<'a>, place: &Place<'a>, entry: &Entry<'a>) {
        let string = |name| entry.attr_value(name).and_then(|value| self.string(&place.unit, value));
        definition.name = definition.name.or_else(|| string(dw::DW_AT_name));
        definition.linkage_name = definition.linkage_name.or_else(|| string(dw::DW_AT_linkage_name));
        definition.linkage_name = definition.linkage_name.or_else(|| string(dw::DW_AT_MIPS_linkage_name));
        definition.external |= flag(entry, dw::DW_AT_external);
        definition.prototyped |= flag(entry, dw::DW_AT_prototyped);
        definition.no_return |= flag(entry, dw::DW_AT_noreturn);
        if matches!(definition.result, TypeOf::Nothing) {
            definition.result = self.type_of(&place.unit, entry);
        }
    }

    /// `None`: the debug info lists the function, but is of the kind that leaves types out.
    fn signature(&mut self, definition: &Definition<'a>) -> Option<Found> {
        let language = definition.places.last()?.unit.language;
        let (parameters, open) = self.parameters(definition);
        let untyped = parameters.is_empty() && matches!(definition.result, TypeOf::Nothing) && !definition.prototyped;
        if untyped && !self.has_types(definition) {
            return None;
        }
        let result = match &definition.result {
            TypeOf::Nothing if definition.no_return => Some(Ty::new("!", Shape::Never)),
            TypeOf::Nothing => None,
            result => Some(self.ty(result, language, DEPTH)),
        };
        Some(Found {
            // C's `void f()` takes no arguments either, once it is defined so.
            variadic: open && !parameters.is_empty(),
            parameters: parameters.iter().map(|parameter| self.ty(parameter, language, DEPTH)).collect(),
            result: result.filter(|result| result.shape != Shape::Unit),
            source_language: language,
        })
    }

    /// The parameters, from whichever entry of the definition lists the most of them: an optimised copy may lack some.
    /// And whether more may follow.
    fn parameters(&mut self, definition: &Definition<'a>) -> (Vec<TypeOf<'a>>, bool) {
        let mut best = (Vec::new(), false);
        for place in &definition.places {
            let listed = self.parameters_at(place);
            if listed.0.len() > best.0.len() {
                best = listed;
            }
        }
        best
    }

    fn parameters_at(&mut self, place: &Place<'a>) -> (Vec<TypeOf<'a>>, bool) {
        let (mut parameters, mut open) = (Vec::new(), false);
        let children = children(place, |tag| match tag {
            dw::DW_TAG_formal_parameter => true,
            dw::DW_TAG_unspecified_parameters => {
                open = true;
                false
            }
            _ => false,
        });
        for offset in children.into_iter().take(PARAMETERS) {
            parameters.push(self.parameter(Place { unit: Rc::clone(&place.unit), offset }));
        }
        (parameters, open)
    }

    fn parameter(&mut self, mut place: Place<'a>) -> TypeOf<'a> {
        for _ in 0..CHAIN {
            let Some(entry) = place.entry() else { break };
            if entry.has_attr(dw::DW_AT_type) {
                return self.type_of(&place.unit, &entry);
            }
            let origin = entry.attr_value(dw::DW_AT_abstract_origin);
            let Some(origin) = origin.and_then(|value| self.follow(&place.unit, value)) else { break };
            place = origin;
        }
        TypeOf::Lost
    }

    /// Whether the crate that defines the function has debug info with types at all. Reduced debug info, such as
    /// `debug = 1` gives, lists every function as if it had no parameters.
    fn has_types(&mut self, definition: &Definition<'a>) -> bool {
        let units: Vec<_> = definition.places.iter().map(|place| Rc::clone(&place.unit)).collect();
        let Some(home) = units.last() else { return false };
        if units.iter().any(|unit| names_types(unit)) {
            return true;
        }
        let Some(source) = self.crate_source(home) else { return false };
        (0..self.headers.len()).any(|index| {
            let Ok(Some(unit)) = self.unit(index) else { return false };
            self.crate_source(&unit).is_some_and(|other| other == source) && names_types(&unit)
        })
    }

    /// What all units of one Rust crate have in common: `src/lib.rs` of `src/lib.rs/@/lib.1a2b-cgu.0`, and the folder.
    fn crate_source(&self, unit: &Unit<'a>) -> Option<(&'a [u8], &'a [u8])> {
        let name = self.string(unit, unit.root.attr_value(dw::DW_AT_name)?)?.slice();
        let folder = self.string(unit, unit.root.attr_value(dw::DW_AT_comp_dir)?)?.slice();
        let end = name.windows(3).position(|part| part == b"/@/")?;
        Some((name.get(..end)?, folder))
    }

    fn ty(&mut self, ty: &TypeOf<'a>, language: Language, depth: usize) -> Ty {
        let place = match ty {
            TypeOf::Nothing if language == Language::Rust => return Ty::new("()", Shape::Unit),
            TypeOf::Nothing => return Ty::new("void", Shape::Unit),
            TypeOf::Lost => return Ty::unreadable(),
            TypeOf::At(place) => place,
        };
        let (Some(depth), Some(entry)) = (depth.checked_sub(1), place.entry()) else { return Ty::unreadable() };
        let name = self.name(&place.unit, &entry);
        let target = |reader: &mut Self| {
            let target = reader.type_of(&place.unit, &entry);
            reader.ty(&target, language, depth)
        };
        match entry.tag() {
            dw::DW_TAG_base_type => base(name.unwrap_or_default(), &entry, language),
            dw::DW_TAG_pointer_type | dw::DW_TAG_reference_type | dw::DW_TAG_rvalue_reference_type => {
                Ty::new(name.unwrap_or_else(|| pointer_to(&target(self).name)), Shape::Pointer)
            }
            dw::DW_TAG_structure_type => tagged("struct ", name, aggregate(&entry), language),
            dw::DW_TAG_class_type => tagged("class ", name, aggregate(&entry), language),
            dw::DW_TAG_union_type => tagged("union ", name, aggregate(&entry), language),
            dw::DW_TAG_enumeration_type => tagged("enum ", name, enumeration(&entry, language), language),
            dw::DW_TAG_typedef => target(self).also_called(name),
            dw::DW_TAG_const_type => target(self).qualified("const"),
            dw::DW_TAG_volatile_type => target(self).qualified("volatile"),
            dw::DW_TAG_restrict_type => target(self).qualified("restrict"),
            dw::DW_TAG_atomic_type => target(self).qualified("_Atomic"),
            dw::DW_TAG_subroutine_type => Ty::new(format!("{} ()(...)", target(self).name), Shape::Other),
            dw::DW_TAG_array_type => {
                let (element, count) = (target(self).name, count(place));
                let count = count.map(|count| count.to_string()).unwrap_or_default();
                Ty::new(format!("[{element}; {count}]"), aggregate(&entry))
            }
            _ => Ty::new(name.unwrap_or_else(|| "?".to_owned()), Shape::Other),
        }
    }
}

/// Passes over an entry's attributes. gimli adds up lengths that it reads without a look at the sum, so that no read
/// length may have another after it.
fn skip(entries: &mut EntriesRaw<'_, Bytes<'_>>, attributes: &[AttributeSpecification]) -> gimli::Result<()> {
    let of_read_length = |attribute: &AttributeSpecification| {
        matches!(attribute.form(), dw::DW_FORM_block | dw::DW_FORM_block4 | dw::DW_FORM_exprloc | dw::DW_FORM_indirect)
    };
    attributes.split_inclusive(of_read_length).try_for_each(|attributes| entries.skip_attributes(attributes))
}

/// The children of an entry that are asked for, as far as they can be read.
fn children(place: &Place<'_>, mut wanted: impl FnMut(dw::DwTag) -> bool) -> Vec<UnitOffset> {
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

/// How many elements an array has, if it is of one dimension.
fn count(place: &Place<'_>) -> Option<u64> {
    let dimensions = children(place, |tag| tag == dw::DW_TAG_subrange_type);
    let [dimension] = dimensions.as_slice() else { return None };
    let entry = place.unit.entry(*dimension)?;
    if let Some(count) = entry.attr_value(dw::DW_AT_count) {
        return count.udata_value();
    }
    entry.attr_value(dw::DW_AT_upper_bound)?.udata_value()?.checked_add(1)
}

/// Whether a unit describes any type. In one that does, this is seen after a few entries.
fn names_types(unit: &Unit<'_>) -> bool {
    let Ok(mut entries) = unit.entries(None) else { return false };
    while !entries.is_empty() {
        let Ok(abbreviation) = entries.read_abbreviation() else { return false };
        let Some(abbreviation) = abbreviation else { continue };
        match abbreviation.tag() {
            dw::DW_TAG_base_type | dw::DW_TAG_pointer_type | dw::DW_TAG_structure_type => return true,
            _ => {}
        }
        if skip(&mut entries, abbreviation.attributes()).is_err() {
            return false;
        }
    }
    false
}

fn flag(entry: &Entry<'_>, name: dw::DwAt) -> bool {
    entry.attr_value(name) == Some(AttributeValue::Flag(true))
}

fn size(entry: &Entry<'_>) -> Option<u64> {
    entry.attr_value(dw::DW_AT_byte_size)?.udata_value()
}

fn aggregate(entry: &Entry<'_>) -> Shape {
    Shape::Aggregate { bytes: size(entry) }
}

fn enumeration(entry: &Entry<'_>, language: Language) -> Shape {
    match size(entry) {
        Some(bytes) if language != Language::Rust => Shape::Int { signed: None, bytes },
        bytes => Shape::Aggregate { bytes },
    }
}

fn base(name: String, entry: &Entry<'_>, language: Language) -> Ty {
    let Some(AttributeValue::Encoding(encoding)) = entry.attr_value(dw::DW_AT_encoding) else {
        return Ty::new(name, Shape::Other);
    };
    let shape = match name.as_str() {
        "()" if language == Language::Rust => Shape::Unit,
        "!" if language == Language::Rust => Shape::Never,
        "char" if language != Language::Rust => Shape::Int { signed: None, bytes: size(entry).unwrap_or(1) },
        _ => number(encoding, size(entry).unwrap_or(0), language),
    };
    Ty::new(name, shape)
}

fn number(encoding: dw::DwAte, bytes: u64, language: Language) -> Shape {
    match (encoding, bytes) {
        (dw::DW_ATE_boolean, 1) => Shape::Bool,
        (dw::DW_ATE_UTF, 4) => Shape::Char,
        (dw::DW_ATE_signed | dw::DW_ATE_signed_char, _) => Shape::Int { signed: Some(true), bytes },
        (dw::DW_ATE_unsigned | dw::DW_ATE_unsigned_char | dw::DW_ATE_UTF, _) => {
            Shape::Int { signed: Some(false), bytes }
        }
        (dw::DW_ATE_float, 2 | 4 | 8) => Shape::Float { bytes },
        // C's `long double` has 16 bytes as well, but fills only ten of them.
        (dw::DW_ATE_float, _) if language == Language::Rust => Shape::Float { bytes },
        _ => Shape::Other,
    }
}

fn pointer_to(target: &str) -> String {
    // Function types are named with the place for the star.
    if target.contains("()(") {
        return target.replacen("()(", "(*)(", 1);
    }
    let space = if target.ends_with('*') { "" } else { " " };
    format!("{target}{space}*")
}

fn tagged(tag: &str, name: Option<String>, shape: Shape, language: Language) -> Ty {
    let written = name.as_deref().unwrap_or_default();
    if language == Language::Rust {
        return Ty::new(written, shape);
    }
    let shown = format!("{tag}{written}");
    Ty { aliases: name.into_iter().collect(), ..Ty::new(shown.trim_end(), shape) }
}

impl Ty {
    fn new(name: impl Into<String>, shape: Shape) -> Self {
        Self { name: name.into(), aliases: Vec::new(), shape }
    }

    fn unreadable() -> Self {
        Self::new("?", Shape::Other)
    }

    fn also_called(mut self, name: Option<String>) -> Self {
        if let Some(name) = name {
            self.aliases.push(name.clone());
            self.name = name;
        }
        self
    }

    fn qualified(mut self, qualifier: &str) -> Self {
        self.name = match self.shape {
            // To the right of a star, it is the pointer that is qualified; a typedef of one has no star.
            Shape::Pointer if self.name.ends_with('*') => format!("{}{qualifier}", self.name),
            Shape::Pointer if self.name.contains('*') => format!("{} {qualifier}", self.name),
            _ => format!("{qualifier} {}", self.name),
        };
        self
    }
}

/// Compares with a function pointer type as [`std::any::type_name`] prints it, for example `fn(&mut logic::World, f32)`
/// or `unsafe extern "C" fn(*const u8, usize) -> i32`. When they differ: both as signatures to show, the wanted first.
///
/// Types of Rust must be the same by name, but for the modules they are in, as far as names can be compared. For other
/// languages `extern "C"` must be asked for; scalars and pointers must be of one kind, aggregates named alike.
pub(crate) fn compare(wanted: &str, found: &Found) -> Result<(), (String, String)> {
    let Some(Tree::Function(signature)) = Tree::parse(wanted) else {
        return Err((wanted.to_owned(), shown(found, &Signature::default())));
    };
    if signature.agrees(found) { Ok(()) } else { Err((signature.to_string(), shown(found, &signature))) }
}

/// A Rust type, taken apart. Paths are cut to their last segment, and lifetimes left out.
#[derive(Clone, Debug)]
enum Tree {
    Never,
    /// Something that has no name to compare, such as a closure.
    Undecided,
    Named {
        name: String,
        /// Whether its path begins in the standard library.
        standard: bool,
        arguments: Vec<Tree>,
    },
    /// `Item = u8`.
    Binding(String, Box<Tree>),
    /// With what is before the target: `&`, `&mut `, `*const ` or `*mut `.
    Pointer(&'static str, Box<Tree>),
    Slice(Box<Tree>),
    /// With the length as it is written.
    Array(Box<Tree>, String),
    Tuple(Vec<Tree>),
    Function(Box<Signature>),
    /// With its bounds.
    Dyn(Vec<Tree>),
}

/// A function pointer type, taken apart.
#[derive(Clone, Debug, Default)]
struct Signature {
    is_unsafe: bool,
    /// `None` for Rust's own.
    abi: Option<String>,
    parameters: Vec<Tree>,
    variadic: bool,
    /// `None` for `()`.
    result: Option<Tree>,
}

impl Signature {
    fn agrees(&self, found: &Found) -> bool {
        // Debug info does not tell the ABI of a Rust function.
        let callable = found.source_language == Language::Rust || self.is_c();
        let result = match (&self.result, &found.result) {
            (None, None) => true,
            (Some(wanted), Some(found_result)) => agree(wanted, found_result, found.source_language),
            (Some(_), None) => false,
            (None, Some(result)) => result.shape == Shape::Never && found.source_language != Language::Rust,
        };
        let pairs = self.parameters.iter().zip(&found.parameters);
        let parameters = pairs.into_iter().all(|(wanted, ty)| agree(wanted, ty, found.source_language));
        let arity = self.parameters.len() == found.parameters.len() && self.variadic == found.variadic;
        callable && arity && parameters && result
    }

    fn is_c(&self) -> bool {
        self.abi.as_deref().is_some_and(|abi| matches!(plain_abi(abi), "C" | "cdecl"))
    }
}

/// The ABI's name without what makes no difference to a call. `system` differs from `C` only in 32-bit Windows.
fn plain_abi(abi: &str) -> &str {
    match abi.trim_end_matches("-unwind") {
        "system" if !cfg!(all(windows, target_arch = "x86")) => "C",
        abi => abi,
    }
}

fn agree(wanted: &Tree, found: &Ty, language: Language) -> bool {
    if language != Language::Rust {
        return fits(wanted, found);
    }
    // Of results that never come, debug info does not tell the type.
    if found.shape == Shape::Never {
        return matches!(wanted, Tree::Never) || is_infallible(wanted);
    }
    match (Tree::parse(&found.name), layout(wanted), &found.shape) {
        (Some(tree), _, _) => same(wanted, &tree),
        // Without a name that can be compared, it must at least be passed in the same way.
        (None, Layout::Fat | Layout::Named(_) | Layout::Unknown, Shape::Aggregate { .. }) => true,
        (None, _, _) => fits(wanted, found),
    }
}

fn is_infallible(tree: &Tree) -> bool {
    matches!(tree, Tree::Named { name, standard: true, .. } if name == "Infallible")
}

/// Whether two types of Rust have the same name.
fn same(wanted: &Tree, found: &Tree) -> bool {
    let all = |wanted: &[Tree], found: &[Tree]| wanted.iter().zip(found).all(|(wanted, found)| same(wanted, found));
    match (wanted, found) {
        (Tree::Undecided, other) | (other, Tree::Undecided) => {
            matches!(layout(other), Layout::Named(_) | Layout::Unknown)
        }
        (Tree::Never, Tree::Never) => true,
        (Tree::Named { name, arguments, .. }, Tree::Named { name: other, arguments: others, .. }) => {
            // Arguments that are the default are left out on the wanted side.
            canonical(name) == canonical(other) && arguments.len() <= others.len() && all(arguments, others)
        }
        (Tree::Binding(name, ty), Tree::Binding(other, found)) => name == other && same(ty, found),
        (Tree::Pointer(kind, to), Tree::Pointer(other, found)) => kind == other && same(to, found),
        (Tree::Slice(wanted), Tree::Slice(found)) => same(wanted, found),
        (Tree::Array(wanted, length), Tree::Array(found, other)) => length == other && same(wanted, found),
        (Tree::Tuple(wanted), Tree::Tuple(found)) => wanted.len() == found.len() && all(wanted, found),
        (Tree::Dyn(wanted), Tree::Dyn(found)) => {
            let has = |bound| found.iter().any(|other| same(bound, other));
            wanted.len() == found.len() && wanted.iter().all(has)
        }
        (Tree::Function(wanted), Tree::Function(found)) => same_signature(wanted, found),
        _ => false,
    }
}

fn same_signature(wanted: &Signature, found: &Signature) -> bool {
    let result = match (&wanted.result, &found.result) {
        (None, None) => true,
        (Some(wanted), Some(found)) => same(wanted, found),
        _ => false,
    };
    let pairs = wanted.parameters.iter().zip(&found.parameters);
    wanted.abi.as_deref().map(plain_abi) == found.abi.as_deref().map(plain_abi)
        && wanted.variadic == found.variadic
        && wanted.parameters.len() == found.parameters.len()
        && pairs.into_iter().all(|(wanted, found)| same(wanted, found))
        && result
}

/// `usize` is the integer of its width.
fn canonical(name: &str) -> &str {
    match (name, size_of::<usize>()) {
        ("usize", 8) => "u64",
        ("isize", 8) => "i64",
        ("usize", 4) => "u32",
        ("isize", 4) => "i32",
        _ => name,
    }
}

/// How a type of Rust is passed, as far as its name tells.
enum Layout<'t> {
    Scalar(Shape),
    Thin,
    Fat,
    /// A struct, union or enum; perhaps one that is passed as its only field.
    Named(&'t str),
    Unknown,
}

fn layout(tree: &Tree) -> Layout<'_> {
    /// These are passed as what they hold.
    const TRANSPARENT: [&str; 8] =
        ["Cell", "ManuallyDrop", "MaybeUninit", "NonZero", "Pin", "Saturating", "UnsafeCell", "Wrapping"];
    match tree {
        Tree::Never => Layout::Scalar(Shape::Never),
        Tree::Tuple(items) if items.is_empty() => Layout::Scalar(Shape::Unit),
        Tree::Pointer(_, to) => pointer(to),
        Tree::Function(_) => Layout::Thin,
        Tree::Named { name, standard: true, arguments } => match (name.as_str(), arguments.as_slice()) {
            ("Box" | "NonNull", [to, ..]) => pointer(to),
            ("Option", [some]) if is_never_null(some) => layout(some),
            (name, [inner]) if TRANSPARENT.contains(&name) => layout(inner),
            (name, _) => Layout::Named(name),
        },
        Tree::Named { name, arguments, .. } if arguments.is_empty() => {
            scalar(name).map_or(Layout::Named(name), Layout::Scalar)
        }
        Tree::Named { name, .. } => Layout::Named(name),
        _ => Layout::Unknown,
    }
}

fn pointer(to: &Tree) -> Layout<'_> {
    match to {
        Tree::Slice(_) | Tree::Dyn(_) => Layout::Fat,
        Tree::Named { name, standard: false, arguments } if name == "str" && arguments.is_empty() => Layout::Fat,
        Tree::Named { name, standard: true, .. } if matches!(name.as_str(), "CStr" | "OsStr" | "Path") => Layout::Fat,
        _ => Layout::Thin,
    }
}

/// Whether `Option` of it takes no more room than itself.
fn is_never_null(tree: &Tree) -> bool {
    match tree {
        Tree::Function(_) => true,
        Tree::Pointer(kind, _) => kind.starts_with('&'),
        Tree::Named { name, standard, .. } => *standard && matches!(name.as_str(), "Box" | "NonNull" | "NonZero"),
        _ => false,
    }
}

fn scalar(name: &str) -> Option<Shape> {
    let int = |signed, bytes| Shape::Int { signed: Some(signed), bytes };
    Some(match canonical(name) {
        "bool" => Shape::Bool,
        "char" => Shape::Char,
        "i8" => int(true, 1),
        "i16" => int(true, 2),
        "i32" => int(true, 4),
        "i64" => int(true, 8),
        "i128" => int(true, 16),
        "u8" => int(false, 1),
        "u16" => int(false, 2),
        "u32" => int(false, 4),
        "u64" => int(false, 8),
        "u128" => int(false, 16),
        "f16" => Shape::Float { bytes: 2 },
        "f32" => Shape::Float { bytes: 4 },
        "f64" => Shape::Float { bytes: 8 },
        "f128" => Shape::Float { bytes: 16 },
        _ => return None,
    })
}

/// Whether a type of Rust is passed as the type of another language is.
fn fits(wanted: &Tree, found: &Ty) -> bool {
    match (layout(wanted), &found.shape) {
        (_, Shape::Other) => false,
        (Layout::Scalar(wanted), found) => fits_scalar(&wanted, found),
        (Layout::Thin, Shape::Pointer) => true,
        // Its size cannot be told from a name, so that the name must say that the same is meant.
        (Layout::Named(name), _) => found.aliases.iter().any(|alias| squashed(alias) == squashed(name)),
        _ => false,
    }
}

fn fits_scalar(wanted: &Shape, found: &Shape) -> bool {
    match (wanted, found) {
        (Shape::Int { bytes, .. }, Shape::Int { signed: None, bytes: other }) => bytes == other,
        // C++'s `char32_t`.
        (Shape::Int { signed: Some(false), bytes: 4 }, Shape::Char) => true,
        (wanted, found) => wanted == found,
    }
}

/// A name without what differs between C's manner and Rust's: `vec2_t` and `Vec2`.
fn squashed(name: &str) -> String {
    let name = name.strip_suffix("_t").unwrap_or(name);
    name.chars().filter(|letter| *letter != '_').flat_map(char::to_lowercase).collect()
}

/// What was found as a signature to show. What debug info does not tell is as it was asked for.
fn shown(found: &Found, wanted: &Signature) -> String {
    let abi = match found.source_language {
        Language::Rust => wanted.abi.as_deref(),
        Language::C | Language::Other if wanted.is_c() => wanted.abi.as_deref(),
        Language::C | Language::Other => Some("C"),
    };
    let parameters = found.parameters.iter().map(|ty| shown_type(ty, found.source_language)).collect();
    let result = found.result.as_ref().map(|ty| shown_type(ty, found.source_language));
    shown_signature(wanted.is_unsafe, abi, parameters, found.variadic, result)
}

/// In Rust's words where there is one for it.
fn shown_type(ty: &Ty, language: Language) -> String {
    match &ty.shape {
        _ if language == Language::Rust => Tree::parse(&ty.name).map_or(ty.name.clone(), |tree| tree.to_string()),
        Shape::Never => "!".to_owned(),
        Shape::Bool => "bool".to_owned(),
        Shape::Int { signed: Some(true), bytes } => format!("i{}", bytes.saturating_mul(8)),
        Shape::Int { signed: Some(false), bytes } => format!("u{}", bytes.saturating_mul(8)),
        Shape::Float { bytes } => format!("f{}", bytes.saturating_mul(8)),
        _ => ty.name.clone(),
    }
}

fn shown_signature(
    is_unsafe: bool,
    abi: Option<&str>,
    mut parameters: Vec<String>,
    variadic: bool,
    result: Option<String>,
) -> String {
    let is_unsafe = if is_unsafe { "unsafe " } else { "" };
    let abi = abi.map(|abi| format!("extern \"{abi}\" ")).unwrap_or_default();
    if variadic {
        parameters.push("...".to_owned());
    }
    let result = result.map(|result| format!(" -> {result}")).unwrap_or_default();
    format!("{is_unsafe}{abi}fn({}){result}", parameters.join(", "))
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters = self.parameters.iter().map(ToString::to_string).collect();
        let result = self.result.as_ref().map(ToString::to_string);
        f.write_str(&shown_signature(self.is_unsafe, self.abi.as_deref(), parameters, self.variadic, result))
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |items: &[Self], by: &str| items.iter().map(ToString::to_string).collect::<Vec<_>>().join(by);
        match self {
            Self::Never => f.write_str("!"),
            Self::Undecided => f.write_str("_"),
            Self::Named { name, arguments, .. } if arguments.is_empty() => f.write_str(name),
            Self::Named { name, arguments, .. } => match arguments.as_slice() {
                [Self::Tuple(given), Self::Binding(_, output)] => match &**output {
                    Self::Tuple(items) if items.is_empty() => write!(f, "{name}({})", joined(given, ", ")),
                    output => write!(f, "{name}({}) -> {output}", joined(given, ", ")),
                },
                arguments => write!(f, "{name}<{}>", joined(arguments, ", ")),
            },
            Self::Binding(name, ty) => write!(f, "{name} = {ty}"),
            Self::Pointer(kind, to) if matches!(&**to, Self::Dyn(bounds) if bounds.len() > 1) => {
                write!(f, "{kind}({to})")
            }
            Self::Pointer(kind, to) => write!(f, "{kind}{to}"),
            Self::Slice(item) => write!(f, "[{item}]"),
            Self::Array(item, length) => write!(f, "[{item}; {length}]"),
            Self::Tuple(items) if items.len() == 1 => write!(f, "({},)", joined(items, "")),
            Self::Tuple(items) => write!(f, "({})", joined(items, ", ")),
            Self::Function(signature) => write!(f, "{signature}"),
            Self::Dyn(bounds) => write!(f, "dyn {}", joined(bounds, " + ")),
        }
    }
}

impl Tree {
    /// Reads a type's name as `type_name` prints it, or as rustc writes it into debug info.
    fn parse(name: &str) -> Option<Self> {
        let mut parser = Parser { rest: name, depth: DEPTH };
        let tree = parser.ty()?;
        parser.rest.trim().is_empty().then_some(tree)
    }
}

/// Reads a type's name from its start. Every part that is read is cut off.
struct Parser<'t> {
    rest: &'t str,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Takes a word, if it is not merely the beginning of another.
    fn take_word(&mut self, word: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(word);
        let Some(rest) = rest.filter(|rest| !rest.starts_with(is_in_word)) else { return false };
        self.rest = rest;
        true
    }

    fn begins_with(&self, token: &str) -> bool {
        self.rest.trim_start().starts_with(token)
    }

    fn word(&mut self) -> Option<&'t str> {
        let rest = self.rest.trim_start();
        let end = rest.find(|letter| !is_in_word(letter)).unwrap_or(rest.len());
        let (word, rest) = rest.split_at_checked(end)?;
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn ty(&mut self) -> Option<Tree> {
        self.depth = self.depth.checked_sub(1)?;
        let tree = self.ty_at_depth();
        self.depth = self.depth.saturating_add(1);
        tree
    }

    fn ty_at_depth(&mut self) -> Option<Tree> {
        if self.take("&") {
            self.take_lifetime();
            let kind = if self.take_word("mut") { "&mut " } else { "&" };
            return Some(Tree::Pointer(kind, Box::new(self.ty()?)));
        }
        if self.take("*") {
            let kind = match (self.take_word("mut"), self.take_word("const")) {
                (true, _) => "*mut ",
                (false, true) => "*const ",
                (false, false) => return None,
            };
            return Some(Tree::Pointer(kind, Box::new(self.ty()?)));
        }
        if self.take("!") {
            return Some(Tree::Never);
        }
        if self.take("(") {
            return self.tuple();
        }
        if self.take("[") {
            return self.slice();
        }
        self.binder();
        if self.take_word("dyn") {
            return self.bounds();
        }
        if ["fn(", "unsafe ", "extern "].iter().any(|start| self.begins_with(start)) {
            return self.function();
        }
        self.path()
    }

    /// `'a`, but no `'a'`, which is a constant.
    fn take_lifetime(&mut self) -> bool {
        let before = self.rest;
        if self.take("'") && self.word().is_some() && !self.rest.starts_with('\'') {
            return true;
        }
        self.rest = before;
        false
    }

    /// `for<'a>`.
    fn binder(&mut self) {
        if self.take("for<") {
            self.rest = self.rest.split_once('>').map_or("", |(_, rest)| rest);
        }
    }

    fn tuple(&mut self) -> Option<Tree> {
        let mut items = Vec::new();
        let mut comma = false;
        while !self.take(")") {
            items.push(self.ty()?);
            comma = self.take(",");
            if !comma && !self.begins_with(")") {
                return None;
            }
        }
        // Parentheses are put around bounds; around any other type they make a tuple, in debug info without the comma.
        match items.pop() {
            Some(only @ Tree::Dyn(_)) if items.is_empty() && !comma => return Some(only),
            last => items.extend(last),
        }
        Some(Tree::Tuple(items))
    }

    fn slice(&mut self) -> Option<Tree> {
        let item = Box::new(self.ty()?);
        if self.take("]") {
            return Some(Tree::Slice(item));
        }
        if !self.take(";") {
            return None;
        }
        let (length, rest) = self.rest.split_once(']')?;
        self.rest = rest;
        Some(Tree::Array(item, length.trim().to_owned()))
    }

    fn bounds(&mut self) -> Option<Tree> {
        let mut bounds = Vec::new();
        loop {
            if !self.take_lifetime() {
                self.binder();
                bounds.push(self.path()?);
            }
            if !self.take("+") {
                return Some(Tree::Dyn(bounds));
            }
        }
    }

    fn function(&mut self) -> Option<Tree> {
        let is_unsafe = self.take_word("unsafe");
        let mut abi = None;
        if self.take_word("extern") {
            let (name, rest) = self.rest.trim_start().strip_prefix('"')?.split_once('"')?;
            self.rest = rest;
            abi = Some(name.to_owned()).filter(|name| name != "Rust");
        }
        if !self.take("fn(") {
            return None;
        }
        let (parameters, variadic) = self.parameters()?;
        let result = if self.take("->") { Some(self.ty()?) } else { None };
        let result = result.filter(|result| !matches!(result, Tree::Tuple(items) if items.is_empty()));
        Some(Tree::Function(Box::new(Signature { is_unsafe, abi, parameters, variadic, result })))
    }

    fn parameters(&mut self) -> Option<(Vec<Tree>, bool)> {
        let (mut parameters, mut variadic) = (Vec::new(), false);
        while !self.take(")") {
            if self.take("...") {
                variadic = true;
            } else {
                parameters.push(self.ty()?);
            }
            if !self.take(",") && !self.begins_with(")") {
                return None;
            }
        }
        Some((parameters, variadic))
    }

    fn path(&mut self) -> Option<Tree> {
        let mut standard = None;
        loop {
            let name = self.segment()?;
            let arguments = self.arguments()?;
            let root = matches!(name, Some("core" | "alloc" | "std"));
            if self.take("::") {
                standard = standard.or(Some(root));
                continue;
            }
            let standard = standard.unwrap_or(false);
            return Some(match name {
                Some(name) => Tree::Named { name: name.to_owned(), standard, arguments },
                None => Tree::Undecided,
            });
        }
    }

    /// One name of a path; the inner `None` for what has none, such as `{closure#0}`, `{{closure}}`, `<Foo as Bar>`.
    fn segment(&mut self) -> Option<Option<&'t str>> {
        if self.begins_with("{") {
            return self.skip_between('{', '}').map(|()| None);
        }
        if self.begins_with("<") {
            return self.skip_between('<', '>').map(|()| None);
        }
        if self.begins_with("'") {
            // The constant of type `char` among the arguments.
            let (_, rest) = self.rest.trim_start().strip_prefix('\'')?.split_once('\'')?;
            self.rest = rest;
            return Some(None);
        }
        let rest = self.rest.trim_start();
        // The sign of a constant belongs to it.
        let sign = usize::from(self.take("-"));
        let length = self.word()?.len().checked_add(sign)?;
        rest.get(..length).map(Some)
    }

    /// Skips what is in brackets, with all brackets of that kind within.
    fn skip_between(&mut self, open: char, close: char) -> Option<()> {
        let (mut level, mut before) = (0_usize, ' ');
        for (at, letter) in self.rest.char_indices() {
            if letter == open {
                level = level.checked_add(1)?;
            } else if letter == close && before != '-' {
                level = level.checked_sub(1)?;
                if level == 0 {
                    self.rest = self.rest.get(at..)?.strip_prefix(close)?;
                    return Some(());
                }
            }
            before = letter;
        }
        None
    }

    /// What a name is given in `<…>`, or as `Fn` is given it: `(u8) -> u8`, which is `<(u8,), Output = u8>`.
    fn arguments(&mut self) -> Option<Vec<Tree>> {
        if self.rest.starts_with('(') {
            let (parameters, _) = self.take("(").then(|| self.parameters())??;
            let result = if self.take("->") { self.ty()? } else { Tree::Tuple(Vec::new()) };
            return Some(vec![Tree::Tuple(parameters), Tree::Binding("Output".to_owned(), Box::new(result))]);
        }
        let mut arguments = Vec::new();
        if !self.take("<") {
            return Some(arguments);
        }
        while !self.take(">") {
            if !self.take_lifetime() {
                arguments.push(self.argument()?);
            }
            if !self.take(",") && !self.begins_with(">") {
                return None;
            }
        }
        arguments.pop_if(|last| is_default(last));
        Some(arguments)
    }

    fn argument(&mut self) -> Option<Tree> {
        let before = self.rest;
        if let Some(name) = self.word()
            && self.take("=")
        {
            return Some(Tree::Binding(name.to_owned(), Box::new(self.ty()?)));
        }
        self.rest = before;
        self.ty()
    }
}

/// The argument that only debug info writes out: the allocator, or the hasher.
fn is_default(argument: &Tree) -> bool {
    matches!(argument, Tree::Named { name, arguments, .. }
        if arguments.is_empty() && matches!(name.as_str(), "Global" | "RandomState"))
}

fn is_in_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '#'
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use std::process::Command;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const C: &str = r#"
        #include <stddef.h>
        #include <stdint.h>
        struct Foo { int a; double b; };
        typedef struct { float x, y; } vec2_t;
        typedef struct Foo Bar;
        enum Mode { A, B };
        enum Negative { N = -1 };
        typedef enum Mode Choice;
        typedef int (*callback)(void *, int);
        typedef unsigned long counter;
        typedef counter counter_of_counters;
        struct World;
        unsigned long grow(unsigned long a) { return a + 1; }
        int sum(const int *values, size_t count) { return values ? (int)count : 0; }
        _Bool is_even(int a) { return a % 2 == 0; }
        double half(double a) { return a / 2; }
        float halff(float a) { return a / 2; }
        void nothing(void) {}
        void unprototyped() {}
        enum Mode mode(enum Negative n) { return n < 0 ? A : B; }
        Choice choice(Choice c) { return c; }
        counter_of_counters count(const volatile counter_of_counters c) { return c; }
        char letter(char c) { return c; }
        signed char signed_letter(signed char c) { return c; }
        uint8_t byte(uint8_t b) { return b; }
        struct Foo foo(struct Foo f) { return f; }
        Bar bar(Bar b) { return b; }
        vec2_t vec(vec2_t v) { return v; }
        int call(callback c, void (*other)(int), void *data) { other(1); return c(data, 1); }
        struct World *step(struct World *w, const struct World *restrict const before) { return before ? w : 0; }
        long double precise(long double a) { return a; }
        int print(const char *format, ...) { return format != 0; }
        short narrow(short a, unsigned short b) { return a + b; }
        long long wide(long long a, __int128 b) { return a + b; }
        __attribute__((noreturn)) void stop(int code) { for (;;) { code++; } }
        static int hidden(int a) { return a; }
        int caller(int a) { return hidden(a); }
        int datum = 1;
    "#;

    const RUST: &str = r#"
        use std::collections::HashMap;
        pub mod logic {
            pub struct World { pub tick: u64 }
            #[derive(Clone, Copy)] #[repr(C)] pub struct Point { pub x: f32, pub y: f32 }
            pub struct Grid<T, const N: usize>(pub [T; N]);
            pub enum Choice { A(u32), B(String) }
            pub trait Tr { fn a(&self); }
            #[unsafe(no_mangle)] pub fn deep(world: &mut World, by: u64) { world.tick += by; }
        }
        use logic::*;
        impl World { #[unsafe(no_mangle)] pub fn method(&mut self, _: u32) -> u64 { self.tick } }
        #[unsafe(no_mangle)] pub fn tick(a: u64) -> u64 { a + 1 }
        #[unsafe(no_mangle)] pub extern "C" fn raw(a: *const u8, b: usize) -> i32 { a as usize as i32 + b as i32 }
        #[unsafe(no_mangle)] pub fn nothing() {}
        #[unsafe(no_mangle)] pub fn unit(_: (), a: u8) -> () { std::hint::black_box(a); }
        #[unsafe(no_mangle)] pub fn shared(a: &World) -> &u64 { &a.tick }
        #[unsafe(no_mangle)] pub fn exclusive(a: &mut World, b: f32) { a.tick += b as u64; }
        #[unsafe(no_mangle)] pub fn text(a: &str, b: &[u8], c: &mut [World]) -> usize { a.len() + b.len() + c.len() }
        #[unsafe(no_mangle)] pub fn point(a: Point) -> Point { a }
        #[unsafe(no_mangle)] pub fn owned(a: Vec<u8>, b: String, c: HashMap<String, u32>, d: Box<World>) -> Option<u32> {
            (a.len() + b.len() + c.len() + d.tick as usize).try_into().ok()
        }
        #[unsafe(no_mangle)] pub fn objects(a: &dyn Tr, b: Box<dyn Fn(u32) -> u64 + Send>, c: &mut dyn Iterator<Item = u8>) {
            a.a(); b(1); c.next();
        }
        #[unsafe(no_mangle)] pub fn pointers(
            a: fn(u32) -> u64, b: Option<unsafe extern "C" fn(*const u8)>, c: Option<&World>, d: std::ptr::NonNull<World>,
            e: for<'a> fn(&'a u8) -> &'a u8,
        ) {
            a(1); std::hint::black_box((b, c.is_some(), d, e));
        }
        #[unsafe(no_mangle)] pub fn compound(
            a: (u8, u16), b: [u8; 4], c: Grid<u8, 7>, d: Choice, e: (u64,), f: char, g: bool, h: i128, i: &[u8; 4],
        ) {
            std::hint::black_box((a, b, c.0, e, f, g, h, i));
            if let Choice::A(d) = d { std::hint::black_box(d); }
        }
        #[unsafe(no_mangle)] pub fn never(a: u64) -> ! { std::process::exit(a as i32) }
        #[unsafe(no_mangle)] pub fn patterns(_: u64, (a, b): (u8, u16), &c: &u32) -> u64 { a as u64 + b as u64 + c as u64 }
        #[unsafe(export_name = "renamed")] pub fn original(a: u16) -> u16 { a }
        #[unsafe(no_mangle)] pub fn words(a: usize, b: isize) -> isize { a as isize + b }
        #[unsafe(no_mangle)] pub static STATIC: u64 = 1;
    "#;

    /// Small, so that damage hits what is read.
    const SMALL_RUST: &str = r#"
        #![no_std]
        #[panic_handler] fn panic(_: &core::panic::PanicInfo<'_>) -> ! { loop {} }
        pub mod logic { pub struct World { pub tick: u64, pub names: [Option<&'static str>; 3] } }
        #[unsafe(no_mangle)] pub fn tick(a: &mut logic::World, b: &[u8], c: fn(u8) -> (u8, u16), d: [u32; 2]) -> u64 {
            a.tick = a.tick.wrapping_add(b.len() as u64 + c(1).0 as u64 + d[0] as u64);
            a.tick
        }
    "#;

    /// Builds a library and gives its bytes.
    fn built(extension: &str, source: &str, compiler: &str, arguments: &[&str]) -> Vec<u8> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("pitstop-signature-{}-{count}", std::process::id());
        let folder: PathBuf = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("sample.{extension}")), source).unwrap();
        let mut command = Command::new(compiler);
        command.current_dir(&folder).args(arguments).arg(format!("sample.{extension}")).args(["-o", "sample.so"]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let bytes = std::fs::read(folder.join("sample.so")).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        bytes
    }

    fn c_with(arguments: &[&str]) -> Vec<u8> {
        built("c", C, "cc", &[&["-shared", "-fPIC", "-std=gnu11"], arguments].concat())
    }

    fn rust_with(arguments: &[&str]) -> Vec<u8> {
        built("rs", RUST, "rustc", &[&["--edition=2024", "--crate-type=cdylib", "-Awarnings"], arguments].concat())
    }

    fn c() -> &'static [u8] {
        static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
        BYTES.get_or_init(|| c_with(&["-g"]))
    }

    fn rust() -> &'static [u8] {
        static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
        BYTES.get_or_init(|| rust_with(&["-g"]))
    }

    #[track_caller]
    fn accepts(library: &[u8], symbol: &str, wanted: &str) {
        let found = find(library, symbol).unwrap().expect("no debug info");
        assert_eq!(compare(wanted, &found), Ok(()), "{symbol}: {found:?}");
    }

    /// Gives what is found instead.
    #[track_caller]
    fn refuses(library: &[u8], symbol: &str, wanted: &str) -> String {
        let found = find(library, symbol).unwrap().expect("no debug info");
        let (expected, shown) = compare(wanted, &found).expect_err("accepted");
        assert_ne!(expected, shown, "the message tells no difference");
        shown
    }

    fn world() -> &'static str {
        "fn(&mut logic::World, f32)"
    }

    #[test]
    fn the_very_signature_is_accepted() {
        accepts(rust(), "tick", "fn(u64) -> u64");
        accepts(rust(), "raw", "unsafe extern \"C\" fn(*const u8, usize) -> i32");
        accepts(rust(), "exclusive", world());
        accepts(rust(), "deep", "fn(&'_ mut game::logic::World, u64)");
    }

    #[test]
    fn what_the_compiler_prints_of_a_type_is_understood() {
        mod logic {
            pub(super) struct World;
            pub(super) struct Point;
        }
        use std::any::type_name;
        accepts(rust(), "exclusive", type_name::<fn(&mut logic::World, f32)>());
        accepts(rust(), "text", type_name::<fn(&'static str, &[u8], &mut [logic::World]) -> usize>());
        accepts(rust(), "point", type_name::<unsafe fn(logic::Point) -> logic::Point>());
        accepts(rust(), "raw", type_name::<unsafe extern "C" fn(*const u8, usize) -> i32>());
        accepts(rust(), "unit", type_name::<fn((), u8)>());
        type Map = std::collections::HashMap<String, u32>;
        accepts(rust(), "owned", type_name::<fn(Vec<u8>, String, Map, Box<logic::World>) -> Option<u32>>());
        type Callback = unsafe extern "C" fn(*mut std::ffi::c_void, i32) -> i32;
        accepts(c(), "call", type_name::<extern "C" fn(Option<Callback>, extern "C" fn(i32), &mut u8) -> i32>());
    }

    #[test]
    fn another_width_is_refused_with_both_signatures() {
        let found = find(rust(), "tick").unwrap().unwrap();
        let signatures = ("fn(u32) -> u64".to_owned(), "fn(u64) -> u64".to_owned());
        assert_eq!(compare("fn(u32) -> u64", &found), Err(signatures));
    }

    #[test]
    fn another_arity_is_refused() {
        assert_eq!(refuses(rust(), "tick", "fn() -> u64"), "fn(u64) -> u64");
        assert_eq!(refuses(rust(), "tick", "fn(u64, u64) -> u64"), "fn(u64) -> u64");
        assert_eq!(refuses(c(), "nothing", "extern \"C\" fn(u32)"), "extern \"C\" fn()");
    }

    #[test]
    fn another_result_is_refused() {
        assert_eq!(refuses(rust(), "tick", "fn(u64)"), "fn(u64) -> u64");
        assert_eq!(refuses(rust(), "tick", "fn(u64) -> i64"), "fn(u64) -> u64");
        assert_eq!(refuses(rust(), "exclusive", "fn(&mut logic::World, f32) -> bool"), "fn(&mut World, f32)");
    }

    #[test]
    fn another_signedness_or_kind_is_refused() {
        refuses(rust(), "tick", "fn(f64) -> u64");
        refuses(rust(), "tick", "fn(*const u8) -> u64");
        refuses(rust(), "words", "fn(isize, isize) -> isize");
        refuses(c(), "narrow", "extern \"C\" fn(u16, u16) -> i16");
        refuses(c(), "half", "extern \"C\" fn(u64) -> f64");
    }

    #[test]
    fn word_sized_integers_are_the_integers_of_their_width() {
        accepts(rust(), "words", "fn(usize, isize) -> isize");
        #[cfg(target_pointer_width = "64")]
        accepts(rust(), "words", "fn(u64, i64) -> i64");
    }

    #[test]
    fn a_shared_reference_is_no_exclusive_one() {
        accepts(rust(), "shared", "fn(&logic::World) -> &u64");
        assert_eq!(refuses(rust(), "exclusive", "fn(&logic::World, f32)"), "fn(&mut World, f32)");
        refuses(rust(), "shared", "fn(&mut logic::World) -> &u64");
        refuses(rust(), "raw", "extern \"C\" fn(*mut u8, usize) -> i32");
    }

    #[test]
    fn a_reference_to_another_type_is_refused() {
        assert_eq!(refuses(rust(), "shared", "fn(&logic::Planet) -> &u64"), "fn(&World) -> &u64");
    }

    #[test]
    fn fat_pointers_are_compared_by_name() {
        accepts(rust(), "text", "fn(&'_ str, &'_ [u8], &'_ mut [game::logic::World]) -> usize");
        refuses(rust(), "text", "fn(&str, &[u16], &mut [logic::World]) -> usize");
        refuses(rust(), "text", "fn(&u8, &[u8], &mut [logic::World]) -> usize");
        refuses(rust(), "text", "fn(&alloc::string::String, &[u8], &mut [logic::World]) -> usize");
    }

    #[test]
    fn a_struct_by_value_of_another_name_is_refused() {
        accepts(rust(), "point", "fn(host::Point) -> host::Point");
        assert_eq!(refuses(rust(), "point", "fn(host::Position) -> host::Point"), "fn(Point) -> Point");
    }

    #[test]
    fn default_type_arguments_make_no_difference() {
        accepts(
            rust(),
            "owned",
            "fn(alloc::vec::Vec<u8>, alloc::string::String, std::collections::hash::map::HashMap<alloc::string::String, \
             u32>, alloc::boxed::Box<game::logic::World>) -> core::option::Option<u32>",
        );
        refuses(
            rust(),
            "owned",
            "fn(alloc::vec::Vec<u16>, alloc::string::String, std::collections::hash::map::HashMap<alloc::string::String, \
             u32>, alloc::boxed::Box<game::logic::World>) -> core::option::Option<u32>",
        );
    }

    #[test]
    fn trait_objects_are_compared_by_their_bounds() {
        let wanted = |send: &str, item: &str| {
            format!(
                "fn(&'_ (dyn game::logic::Tr + '_), alloc::boxed::Box<dyn core::ops::function::Fn(u32) -> u64{send}>, \
                 &'_ mut (dyn core::iter::traits::iterator::Iterator<Item = {item}> + '_))"
            )
        };
        accepts(rust(), "objects", &wanted(" + core::marker::Send", "u8"));
        refuses(rust(), "objects", &wanted(" + core::marker::Send", "u16"));
        assert_eq!(
            refuses(rust(), "objects", &wanted("", "u8")),
            "fn(&dyn Tr, Box<dyn Fn(u32) -> u64 + Send>, &mut dyn Iterator<Item = u8>)"
        );
    }

    #[test]
    fn function_pointers_and_optional_pointers_are_compared() {
        let wanted = |first: &str, third: &str| {
            format!(
                "fn({first}, core::option::Option<unsafe extern \"C\" fn(*const u8)>, {third}, \
                 core::ptr::non_null::NonNull<game::logic::World>, fn(&'_ u8) -> &'_ u8)"
            )
        };
        let option = "core::option::Option<&'_ game::logic::World>";
        accepts(rust(), "pointers", &wanted("fn(u32) -> u64", option));
        refuses(rust(), "pointers", &wanted("fn(u64) -> u64", option));
        refuses(rust(), "pointers", &wanted("extern \"C\" fn(u32) -> u64", option));
        refuses(rust(), "pointers", &wanted("fn(u32) -> u64", "&'_ game::logic::World"));
    }

    #[test]
    fn compound_types_are_compared() {
        let wanted = |array: &str, grid: &str, one: &str| {
            format!("fn((u8, u16), {array}, logic::Grid<{grid}>, logic::Choice, {one}, char, bool, i128, &[u8; 4])")
        };
        accepts(rust(), "compound", &wanted("[u8; 4]", "u8, 7", "(u64,)"));
        refuses(rust(), "compound", &wanted("[u8; 5]", "u8, 7", "(u64,)"));
        refuses(rust(), "compound", &wanted("[u8; 4]", "u8, 8", "(u64,)"));
        refuses(rust(), "compound", &wanted("[u8; 4]", "u8, 7", "u64"));
    }

    #[test]
    fn unit_and_never_are_told_apart() {
        accepts(rust(), "nothing", "fn()");
        accepts(rust(), "unit", "fn((), u8)");
        refuses(rust(), "unit", "fn(u8)");
        accepts(rust(), "never", "fn(u64) -> !");
        assert_eq!(refuses(rust(), "never", "fn(u64)"), "fn(u64) -> !");
        refuses(rust(), "tick", "fn(u64) -> !");
        accepts(c(), "stop", "extern \"C\" fn(i32) -> !");
        accepts(c(), "stop", "extern \"C\" fn(i32)");
    }

    #[test]
    fn patterns_methods_and_renamed_functions_are_found() {
        accepts(rust(), "patterns", "fn(u64, (u8, u16), &u32) -> u64");
        accepts(rust(), "method", "fn(&mut logic::World, u32) -> u64");
        accepts(rust(), "renamed", "fn(u16) -> u16");
        assert_eq!(find(rust(), "original"), Ok(None));
    }

    #[test]
    fn scalars_of_c_are_those_of_rust() {
        accepts(c(), "grow", "extern \"C\" fn(usize) -> usize");
        accepts(c(), "sum", "unsafe extern \"C\" fn(*const i32, usize) -> i32");
        accepts(c(), "is_even", "extern \"C\" fn(i32) -> bool");
        refuses(c(), "is_even", "extern \"C\" fn(i32) -> u8");
        accepts(c(), "half", "extern \"C\" fn(f64) -> f64");
        accepts(c(), "halff", "extern \"C\" fn(f32) -> f32");
        refuses(c(), "half", "extern \"C\" fn(f32) -> f64");
        accepts(c(), "narrow", "extern \"C\" fn(i16, u16) -> i16");
        accepts(c(), "wide", "extern \"C\" fn(i64, i128) -> i64");
        refuses(c(), "precise", "extern \"C\" fn(f128) -> f128");
        assert_eq!(refuses(c(), "grow", "extern \"C\" fn(u32) -> u64"), "extern \"C\" fn(u64) -> u64");
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn an_unsigned_long_of_c_has_64_bits() {
        accepts(c(), "grow", "extern \"C\" fn(u64) -> u64");
    }

    #[test]
    fn a_char_of_c_has_either_sign_but_its_named_kinds_have_theirs() {
        accepts(c(), "letter", "extern \"C\" fn(i8) -> u8");
        refuses(c(), "letter", "extern \"C\" fn(char) -> u8");
        accepts(c(), "signed_letter", "extern \"C\" fn(i8) -> i8");
        refuses(c(), "signed_letter", "extern \"C\" fn(u8) -> i8");
        accepts(c(), "byte", "extern \"C\" fn(u8) -> u8");
        refuses(c(), "byte", "extern \"C\" fn(i8) -> u8");
    }

    #[test]
    fn typedefs_and_qualifiers_of_c_are_looked_through() {
        accepts(c(), "count", "extern \"C\" fn(usize) -> usize");
        accepts(c(), "step", "extern \"C\" fn(*mut game::World, &game::World) -> *mut game::World");
        let found = find(c(), "step").unwrap().unwrap();
        let names: Vec<_> = found.parameters.iter().map(|ty| ty.name.as_str()).collect();
        assert_eq!(names, ["struct World *", "const struct World *const restrict"]);
    }

    #[test]
    fn an_enum_of_c_is_an_integer_or_an_enum_of_its_name() {
        accepts(c(), "mode", "extern \"C\" fn(i32) -> u32");
        accepts(c(), "mode", "extern \"C\" fn(game::Negative) -> game::Mode");
        accepts(c(), "choice", "extern \"C\" fn(game::Choice) -> game::Mode");
        refuses(c(), "mode", "extern \"C\" fn(i32) -> u8");
        refuses(c(), "mode", "extern \"C\" fn(i32) -> game::Other");
    }

    #[test]
    fn a_struct_of_c_is_one_of_its_name() {
        accepts(c(), "foo", "extern \"C\" fn(game::Foo) -> game::Foo");
        accepts(c(), "bar", "extern \"C\" fn(game::Foo) -> game::Bar");
        accepts(c(), "vec", "extern \"C\" fn(game::Vec2) -> game::Vec2");
        assert_eq!(
            refuses(c(), "foo", "extern \"C\" fn(game::Baz) -> game::Foo"),
            "extern \"C\" fn(struct Foo) -> struct Foo"
        );
        refuses(c(), "foo", "extern \"C\" fn(u64) -> game::Foo");
        refuses(c(), "foo", "extern \"C\" fn(&game::Foo) -> game::Foo");
    }

    #[test]
    fn a_pointer_of_c_is_any_thin_pointer() {
        let call = |first: &str, third: &str| format!("extern \"C\" fn({first}, extern \"C\" fn(i32), {third}) -> i32");
        let callback = "extern \"C\" fn(*mut core::ffi::c_void, i32) -> i32";
        let optional = format!("core::option::Option<{callback}>");
        accepts(c(), "call", &call(callback, "*mut core::ffi::c_void"));
        accepts(c(), "call", &call(&optional, "core::option::Option<alloc::boxed::Box<game::World>>"));
        accepts(c(), "call", &call(&optional, "core::option::Option<core::ptr::non_null::NonNull<u8>>"));
        accepts(c(), "call", &call(&optional, "core::pin::Pin<&'_ mut u8>"));
        refuses(c(), "call", &call(callback, "&str"));
        refuses(c(), "call", &call(callback, "&dyn game::Tr"));
        refuses(c(), "call", &call(callback, "core::option::Option<*const u8>"));
        assert_eq!(
            refuses(c(), "call", &call(callback, "usize")),
            "extern \"C\" fn(callback, void (*)(...), void *) -> i32"
        );
    }

    #[test]
    fn a_function_of_c_must_be_asked_for_as_such() {
        assert_eq!(refuses(c(), "grow", "fn(usize) -> usize"), "extern \"C\" fn(u64) -> u64");
        accepts(c(), "grow", "unsafe extern \"C-unwind\" fn(usize) -> usize");
    }

    #[test]
    fn a_function_of_c_without_parameters_or_result_is_found() {
        accepts(c(), "nothing", "extern \"C\" fn()");
        accepts(c(), "unprototyped", "extern \"C\" fn()");
        refuses(c(), "nothing", "extern \"C\" fn() -> i32");
    }

    #[test]
    fn a_variadic_function_must_be_asked_for_as_such() {
        accepts(c(), "print", "unsafe extern \"C\" fn(*const i8, ...) -> i32");
        refuses(c(), "print", "unsafe extern \"C\" fn(*const i8) -> i32");
    }

    #[test]
    fn what_is_no_exported_function_is_not_found() {
        for symbol in ["absent", "", "hidden", "datum", "printf"] {
            assert_eq!(find(c(), symbol), Ok(None), "{symbol}");
        }
        assert_eq!(find(rust(), "STATIC"), Ok(None));
        assert_eq!(find(rust(), "malloc"), Ok(None));
    }

    #[test]
    fn a_library_without_debug_info_tells_nothing() {
        assert_eq!(find(&c_with(&[]), "grow"), Ok(None));
        // The standard library's own debug info is still in this one.
        assert_eq!(find(&rust_with(&["-Cdebuginfo=0"]), "tick"), Ok(None));
    }

    #[test]
    fn debug_info_without_types_or_compressed_tells_nothing() {
        for arguments in ["-g1", "-gz=zlib"] {
            assert_eq!(find(&c_with(&["-g", arguments]), "grow"), Ok(None), "{arguments}");
            assert_eq!(find(&c_with(&["-g", arguments]), "nothing"), Ok(None), "{arguments}");
        }
        for arguments in ["-Cdebuginfo=1", "-Cdebuginfo=line-tables-only"] {
            let library = rust_with(&[arguments]);
            for symbol in ["tick", "nothing", "never"] {
                assert_eq!(find(&library, symbol), Ok(None), "{arguments} {symbol}");
            }
        }
    }

    #[test]
    fn a_function_alone_in_its_unit_is_known_by_its_crate() {
        let source = r#"
            mod one { #[unsafe(no_mangle)] pub fn alone() {} }
            mod two { #[unsafe(no_mangle)] pub fn other(a: u64) -> u64 { a } }
        "#;
        let split = ["--edition=2024", "--crate-type=cdylib", "-g", "-Ccodegen-units=16", "-Cincremental=incremental"];
        let library = built("rs", source, "rustc", &split);
        accepts(&library, "alone", "fn()");
        refuses(&library, "alone", "fn(u64)");
    }

    #[test]
    fn every_way_to_write_debug_info_is_read() {
        for arguments in [&["-gdwarf-4"][..], &["-gdwarf-5"], &["-gdwarf-5", "-O2"], &["-gdwarf-4", "-O2", "-flto"]] {
            let library = c_with(arguments);
            accepts(&library, "sum", "extern \"C\" fn(*const i32, usize) -> i32");
            accepts(&library, "call", "extern \"C\" fn(fn(), fn(), *mut u8) -> i32");
            refuses(&library, "sum", "extern \"C\" fn(*const i32, u32) -> i32");
        }
        let optimised = ["-g", "-Copt-level=3", "-Clto=fat", "-Ccodegen-units=1"];
        for arguments in [&["-g", "-Cdwarf-version=4"][..], &["-g", "-Cdwarf-version=5"], &optimised] {
            let library = rust_with(arguments);
            accepts(&library, "exclusive", world());
            accepts(&library, "patterns", "fn(u64, (u8, u16), &u32) -> u64");
            accepts(&library, "method", "fn(&mut logic::World, u32) -> u64");
            refuses(&library, "tick", "fn(u64, u64) -> u64");
        }
    }

    #[test]
    fn what_is_no_function_pointer_type_is_refused() {
        for wanted in ["u64", "", "fn(u64", "fn(u64) -> u64 and more", "for<", "extern \"C", "fn(", "[u8;", "&&&&"] {
            refuses(rust(), "tick", wanted);
        }
    }

    #[test]
    fn deep_and_odd_names_are_read_without_harm() {
        let nested = format!("fn({}u8{})", "&".repeat(10_000), ">".repeat(10_000));
        refuses(rust(), "tick", &nested);
        for name in
            ["a::{{closure}}", "<a::B<u8> as c::D>::E", "a<'_, 'b', -3>::c::<impl d for e>::F<true>", "dyn A + '_"]
        {
            assert!(Tree::parse(name).is_some(), "{name}");
        }
        let same_names = |one: &str, other: &str| same(&Tree::parse(one).unwrap(), &Tree::parse(other).unwrap());
        assert!(same_names("a::Foo<-3>", "Foo<-3>"));
        assert!(!same_names("a::Foo<-3>", "Foo<3>"));
        assert!(same_names("a::Foo<a::f::{{closure}}>", "Foo<a::f::{closure_env#0}>"));
        assert!(!same_names("a::Foo<a::f::{{closure}}>", "Foo<u8>"));
    }

    #[test]
    fn no_file_is_no_library() {
        assert!(find(b"", "tick").is_err());
        assert!(find(b"no library at all", "tick").is_err());
    }

    /// Reads everything that there is to read, whatever it gives.
    fn read(library: &[u8]) {
        for symbol in ["tick", "call", "foo", "nothing"] {
            if let Ok(Some(found)) = find(library, symbol) {
                let _ = compare("extern \"C\" fn(u8, &[u8]) -> u64", &found);
            }
        }
    }

    fn small() -> [Vec<u8>; 3] {
        let rust =
            ["--edition=2024", "--crate-type=cdylib", "-g", "-Cpanic=abort", "-Copt-level=1", "-Cdwarf-version=5"];
        [c_with(&["-g"]), c_with(&["-gdwarf-4", "-O2"]), built("rs", SMALL_RUST, "rustc", &rust)]
    }

    #[test]
    fn a_truncated_library_does_no_harm() {
        for library in small() {
            for point in 0..200 {
                read(library.get(..library.len() * point / 200).unwrap());
            }
        }
    }

    #[test]
    fn a_damaged_library_does_no_harm() {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for library in small() {
            for _ in 0..2000 {
                let mut damaged = library.clone();
                for _ in 0..=random(16) {
                    let at = random(damaged.len());
                    damaged[at] = random(256) as u8;
                }
                read(&damaged);
            }
        }
    }
}
