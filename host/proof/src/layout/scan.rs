//! One pass over a crate's units: where types cross, which scope each type is in, and the crate's own variables.

use crate::debug_info::units::{Bytes, Place, Reader, Unit, skip};
use gimli::constants as dw;
use gimli::{AttributeValue, EntriesRaw, Operation, UnitOffset};
use std::rc::Rc;

/// How deep entries may nest.
const DEPTH: isize = 512;

/// A variable's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Location {
    /// Its address in the file.
    At(u64),
    /// One per thread.
    ThreadLocal,
}

/// A variable that is no function's own.
pub(super) struct Variable<'a> {
    pub(super) place: Place<'a>,
    pub(super) location: Location,
    /// Its path with its name.
    pub(super) path: String,
}

/// What one unit holds.
pub(super) struct Scanned<'a> {
    pub(super) unit: Rc<Unit<'a>>,
    scopes: Vec<Scope<'a>>,
    /// The scope of each type, by where the type begins; in order.
    types: Vec<(UnitOffset, u32)>,
    pub(super) variables: Vec<Variable<'a>>,
    /// Functions of `core::any` for one type, such as `TypeId::of` and `downcast_ref`, by their entries, whose argument is
    /// the type; and vtables of `Any`, by their types.
    pub(super) keyed: Vec<UnitOffset>,
    /// All functions.
    pub(super) functions: Vec<UnitOffset>,
}

struct Scope<'a> {
    parent: Option<u32>,
    tag: dw::DwTag,
    name: Bytes<'a>,
}

impl<'a> Scanned<'a> {
    pub(super) fn unit(reader: &Reader<'a>, unit: Unit<'a>) -> gimli::Result<Self> {
        let unit = Rc::new(unit);
        let mut scanned = Self {
            unit: Rc::clone(&unit),
            scopes: Vec::new(),
            types: Vec::new(),
            variables: Vec::new(),
            keyed: Vec::new(),
            functions: Vec::new(),
        };
        // The scopes around the entry, each with its depth.
        let mut around: Vec<(isize, u32)> = Vec::new();
        let mut entries = unit.entries(None)?;
        while !entries.is_empty() {
            let (offset, depth) = (entries.next_offset(), entries.next_depth());
            let Some(abbreviation) = entries.read_abbreviation()? else { continue };
            while around.last().is_some_and(|(above, _)| *above >= depth) {
                around.pop();
            }
            let parent = around.last().map(|(_, scope)| *scope);
            let tag = abbreviation.tag();
            match tag {
                dw::DW_TAG_namespace
                | dw::DW_TAG_structure_type
                | dw::DW_TAG_union_type
                | dw::DW_TAG_enumeration_type
                | dw::DW_TAG_subprogram => {
                    let name = scanned.name(reader, &mut entries, abbreviation.attributes())?;
                    if is_type(tag)
                        && let Some(parent) = parent
                    {
                        scanned.types.push((offset, parent));
                    }
                    let is_keyed = match tag {
                        // Where `TypeId::of` is part of others, these are what is left of it.
                        dw::DW_TAG_subprogram => asks_for_type(&name) && scanned.is_in_core_any(parent),
                        // A value was made a `dyn Any`, whatever the optimiser left of the code that did.
                        dw::DW_TAG_structure_type => name.slice().ends_with(b" as core::any::Any>::{vtable_type}"),
                        _ => false,
                    };
                    if tag == dw::DW_TAG_subprogram {
                        scanned.functions.push(offset);
                    }
                    if is_keyed {
                        scanned.keyed.push(offset);
                    }
                    if depth < DEPTH {
                        around.push((depth, u32::try_from(scanned.scopes.len()).unwrap_or(u32::MAX)));
                        scanned.scopes.push(Scope { parent, tag, name });
                    }
                }
                dw::DW_TAG_variable => {
                    skip(&mut entries, abbreviation.attributes())?;
                    if !scanned.is_in_function(parent) {
                        scanned.variable(reader, offset, parent);
                    }
                }
                _ => skip(&mut entries, abbreviation.attributes())?,
            }
        }
        Ok(scanned)
    }

    fn name(
        &self,
        reader: &Reader<'a>,
        entries: &mut EntriesRaw<'_, Bytes<'a>>,
        attributes: &[gimli::AttributeSpecification],
    ) -> gimli::Result<Bytes<'a>> {
        let mut name = Bytes::default();
        let at = attributes.iter().position(|attribute| attribute.name() == dw::DW_AT_name);
        let Some(at) = at else {
            skip(entries, attributes)?;
            return Ok(name);
        };
        let (before, rest) = attributes.split_at(at);
        skip(entries, before)?;
        if let Some((first, after)) = rest.split_first() {
            let value = entries.read_attribute(*first)?.value();
            name = reader.string(&self.unit, value).unwrap_or_default();
            skip(entries, after)?;
        }
        Ok(name)
    }

    /// Notes a variable that lies at a fixed place. Those of functions have no such place.
    fn variable(&mut self, reader: &Reader<'a>, offset: UnitOffset, parent: Option<u32>) {
        let place = Place { unit: Rc::clone(&self.unit), offset };
        let Some(entry) = place.entry() else { return };
        let Some(AttributeValue::Exprloc(expression)) = entry.attr_value(dw::DW_AT_location) else { return };
        let mut operations = expression.operations(self.unit.encoding());
        let mut location = None;
        // The longest of interest is an offset and the request for a thread's variable.
        for _ in 0..2 {
            match operations.next() {
                Ok(Some(Operation::Address { address })) => location = Some(Location::At(address)),
                Ok(Some(Operation::AddressIndex { index })) => {
                    location =
                        reader.address(&self.unit, AttributeValue::DebugAddrIndex(index)).map(Location::At).or(location)
                }
                Ok(Some(Operation::TLS)) => location = Some(Location::ThreadLocal),
                Ok(Some(Operation::UnsignedConstant { .. } | Operation::ConstantIndex { .. })) => {}
                _ => break,
            }
        }
        let Some(location) = location else { return };
        let Some(name) = reader.name(&self.unit, &entry) else { return };
        let scope = self.path(parent);
        let path = if scope.is_empty() { name } else { format!("{scope}::{name}") };
        self.variables.push(Variable { place, location, path });
    }

    /// The path that a type's name begins with: `logic::rules`.
    pub(super) fn scope_of(&self, ty: UnitOffset) -> String {
        let found = self.types.binary_search_by_key(&ty, |(offset, _)| *offset);
        found.ok().and_then(|at| self.types.get(at)).map_or_else(String::new, |(_, scope)| self.path(Some(*scope)))
    }

    /// The types of this unit with the path that each is in, without those that are parts of others: an enum's variants.
    pub(super) fn defined(&self) -> impl Iterator<Item = (UnitOffset, String)> {
        let whole =
            self.types.iter().filter(|(_, parent)| self.scope(Some(*parent)).is_some_and(|scope| !is_type(scope.tag)));
        whole.map(|(offset, parent)| (*offset, self.path(Some(*parent))))
    }

    fn scope(&self, scope: Option<u32>) -> Option<&Scope<'a>> {
        self.scopes.get(usize::try_from(scope?).ok()?)
    }

    /// Variables that are a function's own are no statics: those have a namespace of the function's name.
    fn is_in_function(&self, scope: Option<u32>) -> bool {
        self.scope(scope).is_some_and(|scope| scope.tag == dw::DW_TAG_subprogram)
    }

    fn is_in_core_any(&self, scope: Option<u32>) -> bool {
        let mut inner: &[u8] = b"";
        let mut next = self.scope(scope);
        while let Some(scope) = next {
            if scope.parent.is_none() {
                return scope.name.slice() == b"core" && inner == b"any";
            }
            inner = scope.name.slice();
            next = self.scope(scope.parent);
        }
        false
    }

    fn path(&self, scope: Option<u32>) -> String {
        let mut names = Vec::new();
        let mut next = scope;
        while let Some(scope) = self.scope(next) {
            names.push(String::from_utf8_lossy(scope.name.slice()));
            next = scope.parent;
        }
        names.reverse();
        names.join("::")
    }
}

fn is_type(tag: dw::DwTag) -> bool {
    matches!(tag, dw::DW_TAG_structure_type | dw::DW_TAG_union_type | dw::DW_TAG_enumeration_type)
}

/// Of `core::any`, what has a type as its argument deals in `TypeId`s, but for what gives names.
fn asks_for_type(name: &Bytes<'_>) -> bool {
    let name = name.slice();
    name.contains(&b'<') && !name.starts_with(b"type_name")
}
