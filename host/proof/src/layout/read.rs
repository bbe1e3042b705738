//! Reads the types that cross the border from a file's debug info.

mod own;

use super::canonical::canonical;
use super::model::{FORMAT, Field, Generic, Kind, Layouts, Root, RootKind, Static, Type, TypeId, Variant, Vtable};
use super::name::{is_carried, normalised};
use super::scan::{Location, Scanned, Variable};
use super::vtables;
use crate::debug_info::data::Data;
use crate::debug_info::split::{self, Beside, Companions};
use crate::debug_info::units::{Entry, Place, Reader, Sections, TypeOf, Unit, children, flag};
use crate::order::{set, sort};
use crate::sparse::Sparse;
use gimli::constants as dw;
use gimli::{AttributeValue, UnitOffset};
use object::{Object, ObjectSection, SectionFlags, SectionKind};
use pitstop_contract::descriptor::{Descriptor, SECTION_ELF, crate_of, fact};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;

pub use own::own;

/// How many types are read. The largest real programs have some ten thousand at their border.
const TYPES: usize = 500_000;
/// How deep a name is put together from those of other types, as an array's is.
const NAME_DEPTH: usize = 32;

/// Reads the layouts of all types that the reloadable functions of `crates` name, whatever they reach.
///
/// What cannot be read is in [`Layouts::gaps`]. Any bytes whatsoever may be given.
#[must_use]
pub fn read(file: &[u8], crates: &[&str]) -> Layouts {
    read_with(file, crates, &|_| None)
}

/// As [`read()`], also from debug info that lies beside the file, which `companions` gives.
#[must_use]
pub fn read_with(file: &[u8], crates: &[&str], companions: &Companions<'_>) -> Layouts {
    read_file(file, crates, companions).map_or_else(Layouts::unread, canonical)
}

fn read_file(bytes: &[u8], crates: &[&str], companions: &Companions<'_>) -> Result<Layouts, String> {
    let file = object::File::parse(bytes).map_err(|error| format!("the file cannot be read: {error}"))?;
    let records = Records::of(&file, crates)?;
    let data = Data::of(&file)?;
    let sections = Sections::of(&data).ok_or("the file has no debug info")?;
    let damaged = |error: gimli::Error| format!("the debug info cannot be read: {error}");
    let mut reader = Reader::of(sections).map_err(damaged)?;
    let skeletons = reader.skeletons().map_err(damaged)?;
    let beside = Beside::find(&skeletons, companions);
    let opened = beside.open()?;
    let units = opened.units(&skeletons)?;
    split::add(&mut reader, &skeletons, &units).map_err(damaged)?;
    let mut border = Border::new(reader, &file, records);
    border.scan(crates).map_err(damaged)?;
    Ok(border.read())
}

/// The descriptor's section, whose records debug info points to.
#[derive(Default)]
struct Records {
    address: u64,
    /// In the order of their offsets: the slot's name.
    slots: Vec<(u64, String)>,
    /// The same: the name of a carried type's record.
    carried: Vec<(u64, String)>,
    /// By crate: the file that rustc was given, with which its units' names begin.
    sources: BTreeMap<String, String>,
}

impl Records {
    fn of(file: &object::File<'_>, crates: &[&str]) -> Result<Self, String> {
        let section = file.section_by_name(SECTION_ELF).or_else(|| file.section_by_name("__pitstop"));
        let section = section.ok_or("the file has no descriptor")?;
        let data = section.data().map_err(|error| format!("the descriptor cannot be read: {error}"))?;
        let placed = Descriptor::placed(data).map_err(|error| format!("the descriptor cannot be read: {error}"))?;
        let mut records = Self { address: section.address(), ..Self::default() };
        for (at, descriptor) in placed {
            let slots = descriptor.slots.into_iter().filter(|slot| crates.contains(&crate_of(&slot.name)));
            records.slots.extend(slots.map(|slot| (at as u64, slot.name)));
            let carried = descriptor.carried.into_iter().filter(|carried| crates.contains(&crate_of(&carried.name)));
            records.carried.extend(carried.map(|carried| (at as u64, carried.name)));
            for facts in descriptor.crates {
                let source = facts.get(fact::SOURCE).to_owned();
                records.sources.insert(facts.crate_name, source);
            }
        }
        Ok(records)
    }

    /// The slot or the carried type whose record lies there.
    fn at(&self, address: u64) -> Option<(RootKind, &str)> {
        let offset = address.checked_sub(self.address)?;
        let find = |records: &'_ [(u64, String)]| records.binary_search_by(|(at, _)| at.cmp(&offset)).ok();
        let slot = find(&self.slots).map(|at| (RootKind::Slot, self.slots[at].1.as_str()));
        slot.or_else(|| find(&self.carried).map(|at| (RootKind::Carried, self.carried[at].1.as_str())))
    }

    /// How many different ones there are.
    fn count(&self) -> usize {
        self.slots.len() + set(self.carried.iter().map(|(_, name)| name.clone())).len()
    }

    /// What the names of a crate's units begin with; `None` where a crate's facts do not tell.
    fn unit_names(&self, crates: &[&str]) -> Option<Vec<Vec<u8>>> {
        let source = |name: &&str| self.sources.get(*name).filter(|source| !source.is_empty());
        crates.iter().map(|name| Some(format!("{}/@/", source(name)?).into_bytes())).collect()
    }
}

/// Where types cross, in order, each with its place in a list.
type Anchors = BTreeMap<(RootKind, String), usize>;

struct Border<'a, 'f> {
    reader: Reader<'a>,
    file: &'f object::File<'a>,
    records: Records,
    scanned: Sparse<Rc<Scanned<'a>>>,
    /// Slot or carried type, as found.
    anchors: Anchors,
    /// Where the anchors are.
    places: Vec<Place<'a>>,
    keyed: Vec<Place<'a>>,
    vtables: Vec<vtables::Place>,
    statics: Vec<Static>,
    types: Vec<Type>,
    known: HashMap<(usize, UnitOffset), TypeId>,
    /// Types that have a number but were not read yet.
    waiting: VecDeque<(TypeId, Place<'a>)>,
    gaps: Vec<String>,
}

impl<'a, 'f> Border<'a, 'f> {
    fn new(reader: Reader<'a>, file: &'f object::File<'a>, records: Records) -> Self {
        Self {
            reader,
            file,
            records,
            scanned: Sparse::default(),
            anchors: Anchors::new(),
            places: Vec::new(),
            keyed: Vec::new(),
            vtables: Vec::new(),
            statics: Vec::new(),
            types: Vec::new(),
            known: HashMap::new(),
            waiting: VecDeque::new(),
            gaps: Vec::new(),
        }
    }

    /// Looks through the crates' own units, or through all when these cannot be told from others.
    fn scan(&mut self, crates: &[&str]) -> gimli::Result<()> {
        let names = self.records.unit_names(crates);
        if let Some(names) = names {
            self.scan_units(crates, |name| names.iter().any(|wanted| name.starts_with(wanted)))?;
        }
        // The compiler may have been told to write other paths than it was given.
        if self.anchors.len() < self.records.count() {
            self.scan_units(crates, |_| true)?;
        }
        Ok(())
    }

    fn scan_units(&mut self, crates: &[&str], wanted: impl Fn(&[u8]) -> bool) -> gimli::Result<()> {
        for index in 0..self.reader.units() {
            if self.scanned.get(index).is_some() {
                continue;
            }
            let Some(unit) = self.reader.unit(index)? else { continue };
            if self.reader.unit_name(&unit).is_some_and(|name| wanted(name.slice())) {
                self.scan_unit(crates, unit)?;
            }
        }
        Ok(())
    }

    fn scan_unit(&mut self, crates: &[&str], unit: Unit<'a>) -> gimli::Result<Rc<Scanned<'a>>> {
        let index = unit.index;
        let mut scanned = Scanned::unit(&self.reader, unit)?;
        for variable in std::mem::take(&mut scanned.variables) {
            self.variable(variable, crates);
        }
        let unit = &scanned.unit;
        self.keyed.extend(scanned.keyed.iter().map(|&offset| Place { unit: Rc::clone(unit), offset }));
        let scanned = Rc::new(scanned);
        self.scanned.insert(index, Rc::clone(&scanned));
        Ok(scanned)
    }

    fn variable(&mut self, variable: Variable<'a>, crates: &[&str]) {
        if let Location::At(address) = variable.location
            && let Some((kind, name)) = self.records.at(address)
        {
            self.anchors.insert((kind, name.to_owned()), self.places.len());
            self.places.push(variable.place);
            return;
        }
        if let Location::At(address) = variable.location
            && variable.path.ends_with("::{vtable}")
        {
            self.vtable(&variable, address);
            return;
        }
        let thread_local = match variable.location {
            Location::At(address) if self.is_written(address) => false,
            Location::At(_) => return,
            Location::ThreadLocal => true,
        };
        let is_ours = crates.contains(&crate_of(&variable.path));
        let Some(name) = named_by_the_user(&variable.path).filter(|_| is_ours) else { return };
        self.statics.push(Static { name, thread_local });
    }

    fn vtable(&mut self, variable: &Variable<'a>, address: u64) {
        let Some(entry) = variable.place.entry() else { return };
        let TypeOf::At(ty) = self.reader.type_of(&variable.place.unit, &entry) else { return };
        let size = ty.entry().and_then(|entry| entry.attr_value(dw::DW_AT_byte_size)?.udata_value());
        self.vtables.extend(size.map(|size| vtables::Place { name: variable.path.clone(), address, size }));
    }

    /// Whether what lies there may change while the program runs.
    fn is_written(&self, address: u64) -> bool {
        let within = |section: &object::Section<'_, '_>| {
            section.address().checked_add(section.size()).is_some_and(|end| (section.address()..end).contains(&address))
        };
        self.file.sections().filter(within).any(|section| match section.flags() {
            SectionFlags::Elf { sh_flags, .. } => {
                sh_flags.contains(object::elf::SHF_WRITE)
                    && !section.name().is_ok_and(|name| name.starts_with("linkme_") || name.contains(".rel.ro"))
            }
            _ => matches!(section.kind(), SectionKind::Data | SectionKind::UninitializedData),
        })
    }

    fn read(mut self) -> Layouts {
        let mut roots = Vec::new();
        for ((kind, name), at) in std::mem::take(&mut self.anchors) {
            let place = self.places[at].clone();
            let Some(function) = self.function_of(&place) else { continue };
            self.read_waiting();
            let ty = match kind {
                RootKind::Carried => self.first_parameter(function),
                _ => Some(function),
            };
            roots.extend(ty.map(|ty| Root { name, kind, ty }));
        }
        let wanted = self.records.slots.iter().chain(&self.records.carried).map(|(_, name)| name);
        let lost = set(wanted.filter(|wanted| !roots.iter().any(|root| root.name == **wanted)).cloned());
        let lost: Vec<&str> = lost.iter().map(String::as_str).collect();
        match lost.as_slice() {
            [] => {}
            lost if roots.is_empty() => {
                self.gaps.push(format!("the debug info leaves types out ({} functions without)", lost.len()));
            }
            lost => self.gaps.push(format!("the debug info does not tell the types of {}", lost.join(", "))),
        }
        if self.types.iter().any(|ty| matches!(ty.name.as_str(), "core::any::TypeId" | "dyn core::any::Any")) {
            for place in std::mem::take(&mut self.keyed) {
                if let Some(ty) = self.argument_of(&place) {
                    roots.push(Root { name: String::new(), kind: RootKind::Keyed, ty });
                }
            }
            self.read_waiting();
        }
        let vtables = self.read_methods(&mut roots);
        self.measure_arrays();
        sort(&mut self.statics, &Static::cmp);
        self.statics.dedup();
        Layouts { format: FORMAT, gaps: self.gaps, roots, types: self.types, vtables, statics: self.statics }
    }

    /// What methods behind `dyn` take and give crosses too: one of an old image's may be called with new values.
    fn read_methods(&mut self, roots: &mut Vec<Root>) -> Vec<Vtable> {
        let mut vtables: Vec<Vtable> = Vec::new();
        let (mut names, mut functions) = (None, HashMap::new());
        let (mut methods, mut best) = (Anchors::new(), Vec::<(usize, TypeId)>::new());
        // What they take may lead to other traits.
        for _ in 0..NAME_DEPTH {
            let is_new = |name: &str| name.starts_with("dyn ") && !vtables.iter().any(|known| known.name == *name);
            let crossing = set(self.types.iter().map(|ty| &ty.name).filter(|name| is_new(name)).cloned());
            let crossing: Vec<String> = crossing.into_iter().collect();
            if crossing.is_empty() || self.vtables.is_empty() {
                break;
            }
            let names = names.get_or_insert_with(|| vtables::Names::of(self.file));
            let (read, found) = vtables::read(names, &self.vtables, &crossing);
            if read.is_empty() {
                break;
            }
            vtables.extend(read);
            if functions.is_empty() {
                functions = self.functions();
            }
            for method in found {
                let Some(place) = functions.get(&method.address).cloned() else { continue };
                let Some((parameters, ty)) = self.method(&place) else { continue };
                // One type's method may be described with less than another's.
                let name = (RootKind::Method, format!("{}::{}", method.of, method.name));
                match methods.get(&name) {
                    Some(&at) if best[at].0 >= parameters => {}
                    Some(&at) => best[at] = (parameters, ty),
                    None => {
                        methods.insert(name, best.len());
                        best.push((parameters, ty));
                    }
                }
            }
            self.read_waiting();
        }
        roots.extend(methods.into_iter().map(|((kind, name), at)| Root { name, kind, ty: best[at].1 }));
        sort(&mut vtables, &|one, other| one.name.cmp(&other.name));
        vtables
    }

    /// All functions of the scanned units, by where their code begins.
    fn functions(&self) -> HashMap<u64, Place<'a>> {
        let mut found = HashMap::new();
        for scanned in self.scanned.values() {
            for &offset in &scanned.functions {
                let place = Place { unit: Rc::clone(&scanned.unit), offset };
                let low = place.entry().and_then(|entry| entry.attr_value(dw::DW_AT_low_pc));
                if let Some(address) = low.and_then(|low| self.reader.address(&scanned.unit, low)) {
                    found.insert(address, place);
                }
            }
        }
        found
    }

    /// A method's type without its receiver, and how many parameters it has.
    fn method(&mut self, place: &Place<'a>) -> Option<(usize, TypeId)> {
        let entry = place.entry()?;
        // Where it was also inlined, its description is elsewhere.
        let origin = entry.attr_value(dw::DW_AT_abstract_origin).or(entry.attr_value(dw::DW_AT_specification));
        if let Some(origin) = origin.and_then(|origin| self.reader.follow(&place.unit, origin))
            && origin.entry().is_some_and(|origin| !origin.has_attr(dw::DW_AT_abstract_origin))
        {
            let described = self.method_at(&origin);
            if described.is_some() {
                return described;
            }
        }
        self.method_at(place)
    }

    fn method_at(&mut self, place: &Place<'a>) -> Option<(usize, TypeId)> {
        let entry = place.entry()?;
        let parameters: Option<Vec<TypeId>> = self
            .each(place, dw::DW_TAG_formal_parameter, |border, place, entry| {
                entry.has_attr(dw::DW_AT_type).then(|| border.type_at(&place.unit, entry))
            })
            .into_iter()
            .collect();
        let parameters = parameters.filter(|parameters| !parameters.is_empty())?;
        let result = entry.has_attr(dw::DW_AT_type).then(|| self.type_at(&place.unit, &entry));
        let count = parameters.len();
        let kind = Kind::Function { parameters: parameters.into_iter().skip(1).collect(), result };
        let ty = Type { name: "fn".to_owned(), size: None, align: None, generics: Vec::new(), kind };
        Some((count, self.add(ty)))
    }

    /// Debug info leaves the size of an array to its reader.
    fn measure_arrays(&mut self) {
        // An array may be one of arrays that come later.
        for _ in 0..NAME_DEPTH {
            let mut more = false;
            for index in 0..self.types.len() {
                let Some(Type { size: None, kind: Kind::Array { of, count }, .. }) = self.types.get(index) else {
                    continue;
                };
                let element = usize::try_from(of.0).ok().and_then(|of| self.types.get(of)).and_then(|ty| ty.size);
                let size = element.and_then(|size| size.checked_mul(*count));
                if let Some(ty) = self.types.get_mut(index) {
                    ty.size = size;
                }
                more |= size.is_some();
            }
            if !more {
                break;
            }
        }
    }

    /// The function type `F` of a record's type `Record<F, N>`.
    fn function_of(&mut self, place: &Place<'a>) -> Option<TypeId> {
        let entry = place.entry()?;
        let TypeOf::At(record) = self.reader.type_of(&place.unit, &entry) else { return None };
        let pointer = self.argument_of(&record)?;
        self.read_waiting();
        match self.types.get(usize::try_from(pointer.0).ok()?)?.kind {
            Kind::Pointer { to } => Some(to),
            _ => None,
        }
    }

    fn first_parameter(&self, function: TypeId) -> Option<TypeId> {
        match &self.types.get(usize::try_from(function.0).ok()?)?.kind {
            Kind::Function { parameters, .. } => parameters.first().copied(),
            _ => None,
        }
    }

    /// The first type argument of an entry, or the type that a vtable is of.
    fn argument_of(&mut self, place: &Place<'a>) -> Option<TypeId> {
        if let Some(of) = place.entry()?.attr_value(dw::DW_AT_containing_type) {
            let of = self.reader.follow(&place.unit, of)?;
            return Some(self.number(TypeOf::At(of)));
        }
        let parameter = *children(place, |tag| tag == dw::DW_TAG_template_type_parameter).first()?;
        let parameter = Place { unit: Rc::clone(&place.unit), offset: parameter };
        let entry = parameter.entry()?;
        Some(self.type_at(&parameter.unit, &entry))
    }

    fn read_waiting(&mut self) {
        while let Some((id, place)) = self.waiting.pop_front() {
            let ty = self.type_from(&place);
            if let Some(free) = usize::try_from(id.0).ok().and_then(|index| self.types.get_mut(index)) {
                *free = ty;
            }
        }
    }

    /// The number of the type that an entry names.
    fn type_at(&mut self, unit: &Rc<Unit<'a>>, entry: &Entry<'a>) -> TypeId {
        let ty = self.reader.type_of(unit, entry);
        self.number(ty)
    }

    fn number(&mut self, ty: TypeOf<'a>) -> TypeId {
        let place = match ty {
            TypeOf::At(place) => place,
            TypeOf::Nothing => return self.add(Type::unit()),
            TypeOf::Lost => return self.add(Type::lost()),
        };
        let key = (place.unit.index, place.offset);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let full = self.types.len() >= TYPES;
        let id = self.add(Type::lost());
        if full {
            self.gaps.push(format!("only the first {TYPES} types were read"));
            self.gaps.dedup();
        } else {
            self.known.insert(key, id);
            self.waiting.push_back((id, place));
        }
        id
    }

    fn add(&mut self, ty: Type) -> TypeId {
        let id = TypeId(u32::try_from(self.types.len()).unwrap_or(u32::MAX));
        self.types.push(ty);
        id
    }

    fn type_from(&mut self, place: &Place<'a>) -> Type {
        let Some(entry) = place.entry() else { return Type::lost() };
        let number = |name| entry.attr_value(name).and_then(|value| value.udata_value());
        // That of a thin pointer goes without saying.
        let pointer = (entry.tag() == dw::DW_TAG_pointer_type).then(|| u64::from(place.unit.encoding().address_size));
        let name = self.name_of(place, &entry, NAME_DEPTH);
        if is_carried(&name) {
            // Its value is migrated where its type changes, and is compared by itself.
            let (size, align) = (number(dw::DW_AT_byte_size), number(dw::DW_AT_alignment));
            return Type { name, size, align, generics: Vec::new(), kind: Kind::Scalar };
        }
        Type {
            name,
            size: number(dw::DW_AT_byte_size).or(pointer),
            align: number(dw::DW_AT_alignment),
            generics: self.generics(place),
            kind: self.kind(place, &entry),
        }
    }

    fn kind(&mut self, place: &Place<'a>, entry: &Entry<'a>) -> Kind {
        if flag(entry, dw::DW_AT_declaration) {
            return Kind::Opaque;
        }
        match entry.tag() {
            dw::DW_TAG_base_type => Kind::Scalar,
            dw::DW_TAG_pointer_type | dw::DW_TAG_reference_type => {
                Kind::Pointer { to: self.type_at(&place.unit, entry) }
            }
            dw::DW_TAG_structure_type | dw::DW_TAG_class_type => self.aggregate(place, entry),
            dw::DW_TAG_union_type => Kind::Union { fields: self.fields(place, 0) },
            dw::DW_TAG_enumeration_type => self.names(place, entry),
            dw::DW_TAG_array_type => match count(place) {
                Some(count) => Kind::Array { of: self.type_at(&place.unit, entry), count },
                None => Kind::Opaque,
            },
            dw::DW_TAG_subroutine_type => Kind::Function {
                parameters: self.each(place, dw::DW_TAG_formal_parameter, |border, place, entry| {
                    border.type_at(&place.unit, entry)
                }),
                result: entry.has_attr(dw::DW_AT_type).then(|| self.type_at(&place.unit, entry)),
            },
            // Another name, or a qualifier of C's.
            dw::DW_TAG_typedef | dw::DW_TAG_const_type | dw::DW_TAG_volatile_type | dw::DW_TAG_restrict_type => {
                let of = self.type_at(&place.unit, entry);
                Kind::Struct { fields: vec![Field { name: "0".to_owned(), offset: 0, ty: of }] }
            }
            _ => Kind::Opaque,
        }
    }

    /// Struct or enum: an enum with fields is a struct with a part that varies.
    fn aggregate(&mut self, place: &Place<'a>, entry: &Entry<'a>) -> Kind {
        let is_unsized = self.reader.name(&place.unit, entry).is_none_or(|name| name.starts_with("dyn "));
        let Some(&part) = children(place, |tag| tag == dw::DW_TAG_variant_part).first() else {
            let mut fields = self.fields(place, 0);
            sort(&mut fields, &|one, other| one.offset.cmp(&other.offset));
            return if is_unsized { Kind::Opaque } else { Kind::Struct { fields } };
        };
        let part = Place { unit: Rc::clone(&place.unit), offset: part };
        let discriminant = part.entry().and_then(|entry| entry.attr_value(dw::DW_AT_discr));
        let tag = discriminant.and_then(|value| self.reader.follow(&part.unit, value));
        let tag = tag.and_then(|place| self.field(&place, 0));
        let variants = self.each(&part, dw::DW_TAG_variant, |border, place, entry| border.variant(place, entry));
        Kind::Enum { tag, variants: variants.into_iter().flatten().collect() }
    }

    fn variant(&mut self, place: &Place<'a>, entry: &Entry<'a>) -> Option<Variant> {
        let member = *children(place, |tag| tag == dw::DW_TAG_member).first()?;
        let member = Place { unit: Rc::clone(&place.unit), offset: member };
        let member_entry = member.entry()?;
        let base = offset_of(&member_entry);
        let name = self.reader.name(&member.unit, &member_entry)?;
        let TypeOf::At(body) = self.reader.type_of(&member.unit, &member_entry) else { return None };
        let mut fields = self.fields(&body, base);
        sort(&mut fields, &|one, other| one.offset.cmp(&other.offset));
        Some(Variant { name, value: entry.attr_value(dw::DW_AT_discr_value).and_then(integer), fields })
    }

    fn names(&mut self, place: &Place<'a>, entry: &Entry<'a>) -> Kind {
        let repr = self.type_at(&place.unit, entry);
        let variants = self.each(place, dw::DW_TAG_enumerator, |border, place, entry| {
            let name = border.reader.name(&place.unit, entry)?;
            let value = entry.attr_value(dw::DW_AT_const_value).and_then(integer);
            Some(Variant { name, value, fields: Vec::new() })
        });
        Kind::Names { repr, variants: variants.into_iter().flatten().collect() }
    }

    fn fields(&mut self, place: &Place<'a>, base: u64) -> Vec<Field> {
        let fields = self.each(place, dw::DW_TAG_member, |border, place, _| border.field(place, base));
        fields.into_iter().flatten().collect()
    }

    fn field(&mut self, place: &Place<'a>, base: u64) -> Option<Field> {
        let entry = place.entry()?;
        let name = self.reader.name(&place.unit, &entry).unwrap_or_default();
        let name = name.strip_prefix("__").filter(|rest| rest.parse::<u32>().is_ok()).unwrap_or(&name).to_owned();
        let offset = base.saturating_add(offset_of(&entry));
        Some(Field { name, offset, ty: self.type_at(&place.unit, &entry) })
    }

    /// The arguments of a type. Those of an enum are said with its variants.
    fn generics(&mut self, place: &Place<'a>) -> Vec<Generic> {
        let mut found = self.own_generics(place);
        if !found.is_empty() {
            return found;
        }
        let bodies = children(place, |tag| tag == dw::DW_TAG_structure_type);
        for offset in bodies {
            let body = Place { unit: Rc::clone(&place.unit), offset };
            for generic in self.own_generics(&body) {
                if !found.contains(&generic) {
                    found.push(generic);
                }
            }
        }
        found
    }

    fn own_generics(&mut self, place: &Place<'a>) -> Vec<Generic> {
        self.each(place, dw::DW_TAG_template_type_parameter, |border, place, entry| Generic {
            name: border.reader.name(&place.unit, entry).unwrap_or_default(),
            ty: border.type_at(&place.unit, entry),
        })
    }

    fn each<T>(
        &mut self,
        place: &Place<'a>,
        tag: dw::DwTag,
        mut take: impl FnMut(&mut Self, &Place<'a>, &Entry<'a>) -> T,
    ) -> Vec<T> {
        let mut found = Vec::new();
        for offset in children(place, |found| found == tag) {
            let child = Place { unit: Rc::clone(&place.unit), offset };
            if let Some(entry) = child.entry() {
                found.push(take(self, &child, &entry));
            }
        }
        found
    }

    fn name_of(&mut self, place: &Place<'a>, entry: &Entry<'a>, depth: usize) -> String {
        let name = self.reader.name(&place.unit, entry);
        let Some(depth) = depth.checked_sub(1) else { return "?".to_owned() };
        match entry.tag() {
            dw::DW_TAG_structure_type | dw::DW_TAG_union_type | dw::DW_TAG_enumeration_type => {
                let name = name.unwrap_or_else(|| "?".to_owned());
                let scope = self.scope_of(place);
                normalised(&if scope.is_empty() { name } else { format!("{scope}::{name}") }).into_owned()
            }
            dw::DW_TAG_array_type => {
                let element = match self.reader.type_of(&place.unit, entry) {
                    TypeOf::At(element) => match element.entry() {
                        Some(entry) => self.name_of(&element, &entry, depth),
                        None => "?".to_owned(),
                    },
                    _ => "?".to_owned(),
                };
                format!("[{element}; {}]", count(place).map_or("?".to_owned(), |count| count.to_string()))
            }
            dw::DW_TAG_subroutine_type => "fn".to_owned(),
            dw::DW_TAG_pointer_type if name.is_none() => "*".to_owned(),
            _ => normalised(&name.unwrap_or_else(|| "?".to_owned())).into_owned(),
        }
    }

    /// The scope that a type is in. Units of other crates are looked through when a type leads there.
    fn scope_of(&mut self, place: &Place<'a>) -> String {
        let index = place.unit.index;
        if let Some(scanned) = self.scanned.get(index) {
            return scanned.scope_of(place.offset);
        }
        let Ok(Some(unit)) = self.reader.unit(index) else { return String::new() };
        let Ok(scanned) = Scanned::unit(&self.reader, unit) else { return String::new() };
        let scope = scanned.scope_of(place.offset);
        self.scanned.insert(index, Rc::new(scanned));
        scope
    }
}

impl Type {
    /// One of which nothing could be read.
    fn lost() -> Self {
        Self { name: "?".to_owned(), size: None, align: None, generics: Vec::new(), kind: Kind::Opaque }
    }

    fn unit() -> Self {
        Self { name: "()".to_owned(), size: Some(0), align: None, generics: Vec::new(), kind: Kind::Scalar }
    }
}

fn offset_of(member: &Entry<'_>) -> u64 {
    member.attr_value(dw::DW_AT_data_member_location).and_then(|value| value.udata_value()).unwrap_or(0)
}

/// How many elements an array has.
fn count(place: &Place<'_>) -> Option<u64> {
    let dimensions = children(place, |tag| tag == dw::DW_TAG_subrange_type);
    let [dimension] = dimensions.as_slice() else { return None };
    place.unit.entry(*dimension)?.attr_value(dw::DW_AT_count)?.udata_value()
}

/// A tag's value; those wider than 64 bits are written as blocks.
fn integer(value: AttributeValue<crate::debug_info::units::Bytes<'_>>) -> Option<i128> {
    if let AttributeValue::Block(bytes) = value {
        let mut wide = [0; 16];
        wide.get_mut(..bytes.len())?.copy_from_slice(bytes.slice());
        return Some(i128::from_le_bytes(wide));
    }
    value.udata_value().map(i128::from).or_else(|| value.sdata_value().map(i128::from))
}

/// A variable's path as its author would write it; `None` for those that macros make.
fn named_by_the_user(path: &str) -> Option<String> {
    // `thread_local!` hides the variable behind closures of the name that the user gave.
    let mut parts = Vec::new();
    for part in path.split("::") {
        if part.starts_with('{') {
            break;
        }
        if part.starts_with("__") || part == "_" {
            return None;
        }
        parts.push(part);
    }
    (parts.len() > 1).then(|| parts.join("::"))
}
