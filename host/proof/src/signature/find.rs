//! Finds an exported function in a library's debug info, and puts its signature together.

use super::{DEPTH, Found, Shape, Ty};
use crate::debug_info::data::Data;
use crate::debug_info::units::{Bytes, Entry, Place, Reader, Sections, TypeOf, Unit, children, flag, skip};
use crate::order::{set, sort};
use gimli::constants as dw;
use object::{Architecture, BinaryFormat, ExportTarget, NameOrOrdinal, Object, ObjectSymbol, SymbolKind};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// How many entries a definition may be spread over: out-of-line copy, definition, declaration.
const CHAIN: usize = 4;
/// How many parameters are read. No function pointer type that can be asked for comes near.
const PARAMETERS: usize = 128;

/// Looks an exported function up by its symbol. `None`: the file has no debug info that tells its signature.
pub fn find(file: &[u8], symbol: &str) -> Result<Option<Found>, String> {
    let file = object::File::parse(file).map_err(|error| format!("the file is no readable library: {error}"))?;
    let Some(address) = exported(&file, symbol)? else { return Ok(None) };
    let data = Data::of(&file)?;
    let Some(sections) = Sections::of(&data) else { return Ok(None) };
    let damaged = |error: gimli::Error| format!("the library's debug info cannot be read: {error}");
    Reader::of(sections).map_err(damaged)?.search(symbol, address).map_err(damaged)
}

/// All functions that a file exports by a name of their own, each with its signature as far as debug info tells it.
/// Mangled names are left out, since they change from build to build.
pub fn all(file: &[u8]) -> Result<BTreeMap<String, Option<Found>>, String> {
    let file = object::File::parse(file).map_err(|error| format!("the file is no readable library: {error}"))?;
    let symbols = exported_functions(&file)?;
    let mut all = BTreeMap::new();
    for symbol in &symbols {
        all.insert(symbol.clone(), None);
    }
    let data = Data::of(&file)?;
    let Some(sections) = Sections::of(&data) else { return Ok(all) };
    let Ok(mut reader) = Reader::of(sections) else { return Ok(all) };
    for (symbol, definition) in reader.definitions(&symbols).0 {
        all.insert(symbol, reader.signature(&definition));
    }
    Ok(all)
}

/// The names of all functions that a file exports, without mangled ones.
pub(crate) fn exported_functions(file: &object::File<'_>) -> Result<BTreeSet<String>, String> {
    let mut names = if file.format() == BinaryFormat::Elf {
        let symbols = file.dynamic_symbols().filter(|symbol| symbol.kind() == SymbolKind::Text);
        let symbols = symbols.filter(|symbol| symbol.is_definition() && symbol.is_global());
        set(symbols.filter_map(|symbol| symbol.name().ok().map(str::to_owned)))
    } else {
        let exports = file.exports().map_err(|error| format!("the file's exports cannot be read: {error}"))?;
        let prefix = if file.format() == BinaryFormat::MachO { "_" } else { "" };
        let name = |name: &[u8]| Some(std::str::from_utf8(name).ok()?.strip_prefix(prefix)?.to_owned());
        let names = exports.filter_map(Result::ok).filter_map(|export| match export.name() {
            NameOrOrdinal::Name(text) => name(text),
            NameOrOrdinal::Ordinal(_) => None,
        });
        set(names)
    };
    names.retain(|name| !name.starts_with("_ZN") && !name.starts_with("_R"));
    Ok(names)
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

/// A function, put together from the entries that describe it.
pub(crate) struct Definition<'a> {
    name: Option<Bytes<'a>>,
    linkage_name: Option<Bytes<'a>>,
    external: bool,
    prototyped: bool,
    no_return: bool,
    pub(crate) result: TypeOf<'a>,
    /// From the one found to the one it refers to last.
    places: Vec<Place<'a>>,
}

impl<'a> Definition<'a> {
    fn symbol(&self) -> Option<Bytes<'a>> {
        self.linkage_name.or(self.name)
    }
}

impl<'a> Reader<'a> {
    /// Looks through the units that may hold the function. One that cannot be read matters only if no other has it.
    fn search(&mut self, symbol: &str, address: u64) -> gimli::Result<Option<Found>> {
        let mut damage = None;
        for index in 0..self.units() {
            match self.search_unit(index, symbol, address) {
                Ok(None) => {}
                Ok(Some(definition)) => return Ok(self.signature(&definition)),
                Err(error) => damage = Some(error),
            }
        }
        damage.map_or(Ok(None), Err)
    }

    /// All functions of these names, in one pass, and what could not be read.
    pub(crate) fn definitions(
        &mut self,
        symbols: &BTreeSet<String>,
    ) -> (Vec<(String, Definition<'a>)>, Option<gimli::Error>) {
        let (mut known, mut found) = (BTreeSet::new(), Vec::new());
        let mut damage = None;
        for index in 0..self.units() {
            let searched = self.each_function(index, None, &mut |reader, place| {
                let definition = reader.definition(place)?;
                let symbol = std::str::from_utf8(definition.symbol()?.slice()).ok()?;
                if symbols.contains(symbol) && known.insert(symbol.to_owned()) {
                    found.push((symbol.to_owned(), definition));
                }
                // On to the next, unless all are there.
                (found.len() == symbols.len()).then_some(())
            });
            match searched {
                Ok(None) => {}
                Ok(Some(())) => break,
                Err(error) => damage = Some(error),
            }
        }
        sort(&mut found, &|one, other| one.0.cmp(&other.0));
        (found, damage)
    }

    fn search_unit(&mut self, index: usize, symbol: &str, address: u64) -> gimli::Result<Option<Definition<'a>>> {
        let mut found = None;
        self.each_function(index, Some(address), &mut |reader, place| {
            let definition = reader.definition(place)?;
            let is_sought = definition.symbol().is_some_and(|name| name.slice() == symbol.as_bytes());
            is_sought.then(|| found = Some(definition))
        })?;
        Ok(found)
    }

    /// Shows `take` the functions of a unit that may hold the address, until it has what it wants.
    fn each_function(
        &mut self,
        index: usize,
        address: Option<u64>,
        take: &mut dyn FnMut(&mut Self, Place<'a>) -> Option<()>,
    ) -> gimli::Result<Option<()>> {
        let Some(unit) = self.unit(index)? else { return Ok(None) };
        if !unit.holds_code() || address.is_some_and(|address| !self.may_hold(&unit, address)) {
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
                let taken = take(self, Place { unit: Rc::clone(&unit), offset });
                if taken.is_some() {
                    return Ok(taken);
                }
            }
        }
        Ok(None)
    }

    /// The function described at a place, if others can link to it and that place is no mere declaration.
    fn definition(&mut self, place: Place<'a>) -> Option<Definition<'a>> {
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
        // A function that others cannot link to may bear the same name, but is not the exported one.
        definition.external.then_some(definition)
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
        let (parameters, open) = self.parameters(definition)?;
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
    /// And whether more may follow. `None` as for [`Reader::signature`].
    pub(crate) fn parameters(&mut self, definition: &Definition<'a>) -> Option<(Vec<TypeOf<'a>>, bool)> {
        let mut best = (Vec::new(), false);
        for place in &definition.places {
            let listed = self.parameters_at(place);
            if listed.0.len() > best.0.len() {
                best = listed;
            }
        }
        let untyped = best.0.is_empty() && matches!(definition.result, TypeOf::Nothing) && !definition.prototyped;
        (!untyped || self.has_types(definition)).then_some(best)
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
        (0..self.units()).any(|index| {
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
