//! Reads types from debug info.

use super::{Language, Shape, Ty};
use crate::debug_info::units::{Entry, Place, Reader, TypeOf, children};
use gimli::AttributeValue;
use gimli::constants as dw;

impl<'a> Reader<'a> {
    pub(super) fn ty(&mut self, ty: &TypeOf<'a>, language: Language, depth: usize) -> Ty {
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
    pub(super) fn new(name: impl Into<String>, shape: Shape) -> Self {
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
