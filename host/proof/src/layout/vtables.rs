//! The methods of traits behind `dyn`, in the order of their tables.
//!
//! Debug info tells how long such a table is. Which method is at which place is read off the tables themselves: each
//! entry is a pointer that the loader will put in, to a function whose symbol says its name.

use super::model::{Layouts, Vtable};
use object::{Object, ObjectSymbol, RelocationTarget, SymbolKind};
use pitstop_contract::{Reason, Rule};
use std::collections::HashMap;

/// Drop glue, size and alignment come before the methods.
const BEFORE: u64 = 3;
/// How many methods of one trait are read.
const METHODS: u64 = 4096;

/// Where a table lies.
pub(super) struct Place {
    /// `<logic::Ball as logic::Draw>::{vtable}`.
    pub(super) name: String,
    pub(super) address: u64,
    /// In bytes.
    pub(super) size: u64,
}

/// A method in one type's table.
pub(super) struct Method {
    /// `dyn logic::Draw`.
    pub(super) of: String,
    pub(super) name: String,
    /// Of its code.
    pub(super) address: u64,
}

/// Reads the tables of those traits whose trait objects cross the border: `dyn` types, by name.
pub(super) fn read(names: &Names, places: &[Place], crossing: &[String]) -> (Vec<Vtable>, Vec<Method>) {
    let wanted: Vec<(&str, &Place)> = places
        .iter()
        .filter_map(|place| {
            let of = trait_of(&place.name)?;
            crossing.iter().find(|name| principal(name) == Some(of)).map(|name| (name.as_str(), place))
        })
        .collect();
    let width = names.width;
    let mut code = Vec::new();
    let mut found: Vec<Vtable> = Vec::new();
    for (of, place) in wanted {
        let count = (place.size / width).saturating_sub(BEFORE).min(METHODS);
        let pointers = (BEFORE..BEFORE + count).map(|at| place.address.checked_add(at * width));
        let mut methods = Vec::new();
        for pointer in pointers {
            let name = pointer.and_then(|pointer| names.method(pointer));
            let address = pointer.and_then(|pointer| names.code(pointer));
            if let (Some(name), Some(address)) = (&name, address) {
                code.push(Method { of: of.to_owned(), name: name.clone(), address });
            }
            methods.push(name);
        }
        // One type's table may name what another's does not.
        match found.iter_mut().find(|known| known.name == of) {
            Some(known) => {
                for (known, method) in known.methods.iter_mut().zip(methods) {
                    if known.is_none() {
                        *known = method;
                    }
                }
            }
            None => found.push(Vtable { name: of.to_owned(), methods }),
        }
    }
    (found, code)
}

/// Compares the order of methods: one that is at another place than before would be called for another.
#[must_use]
pub fn moved_methods(expected: &Layouts, found: &Layouts) -> Vec<Reason> {
    let pairs = expected.vtables.iter().filter_map(|before| {
        let after = found.vtables.iter().find(|after| after.name == before.name)?;
        let moved = before.methods.iter().flatten().any(|method| {
            let place = |table: &Vtable| table.methods.iter().position(|other| other.as_ref() == Some(method));
            place(after).is_some_and(|at| Some(at) != place(before))
        });
        moved.then(|| {
            let advice = "undo the change, or restart the program: calls through `dyn` go by a method's place";
            Reason::new(Rule::Layout, &before.name, shown(before), shown(after), advice)
        })
    });
    pairs.collect()
}

fn shown(table: &Vtable) -> String {
    let names: Vec<&str> = table.methods.iter().map(|method| method.as_deref().unwrap_or("?")).collect();
    format!("methods {}", names.join(", "))
}

/// `logic::Draw` of `<logic::Ball as logic::Draw>::{vtable}`.
fn trait_of(name: &str) -> Option<&str> {
    let inside = name.strip_prefix('<')?.strip_suffix(">::{vtable}")?;
    let mut open = 0_usize;
    for (at, letter) in inside.char_indices() {
        match letter {
            '<' | '(' | '[' | '{' => open += 1,
            '>' if inside[..at].ends_with('-') => {}
            '>' | ')' | ']' | '}' => open = open.saturating_sub(1),
            ' ' if open == 0 => {
                if let Some(of) = inside[at..].strip_prefix(" as ") {
                    return Some(of);
                }
            }
            _ => {}
        }
    }
    None
}

/// `logic::Draw` of `dyn logic::Draw + Send`.
fn principal(name: &str) -> Option<&str> {
    let bounds = name.strip_prefix("dyn ")?;
    Some(bounds.find(" + ").map_or(bounds, |end| &bounds[..end]))
}

/// What the file's pointers will lead to, by name.
pub(super) struct Names {
    /// Of a pointer, in bytes.
    width: u64,
    pointers: HashMap<u64, Pointed>,
    /// By address. Of two functions that the linker made one, neither's name is told.
    functions: HashMap<u64, Option<String>>,
}

enum Pointed {
    At(u64),
    Named(String),
}

impl Names {
    pub(super) fn of(file: &object::File<'_>) -> Self {
        let mut functions: HashMap<u64, Option<String>> = HashMap::new();
        for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text) {
            let name = symbol.name().ok().and_then(method);
            functions
                .entry(symbol.address())
                .and_modify(|known| {
                    if *known != name {
                        *known = None;
                    }
                })
                .or_insert(name);
        }
        let mut pointers = HashMap::new();
        for (at, relocation) in file.dynamic_relocations().into_iter().flatten() {
            let pointed = match relocation.target() {
                RelocationTarget::Absolute => u64::try_from(relocation.addend()).ok().map(Pointed::At),
                RelocationTarget::Symbol(index) => {
                    let table = file.dynamic_symbol_table();
                    let symbol = table.and_then(|table| object::ObjectSymbolTable::symbol_by_index(&table, index).ok());
                    symbol.and_then(|symbol| symbol.name().ok().and_then(method)).map(Pointed::Named)
                }
                _ => None,
            };
            pointers.extend(pointed.map(|pointed| (at, pointed)));
        }
        Self { width: if file.is_64() { 8 } else { 4 }, pointers, functions }
    }

    /// Where the code is, if it is in the file.
    fn code(&self, at: u64) -> Option<u64> {
        match self.pointers.get(&at)? {
            Pointed::At(address) => Some(*address),
            Pointed::Named(_) => None,
        }
    }

    fn method(&self, at: u64) -> Option<String> {
        match self.pointers.get(&at)? {
            Pointed::At(address) => self.functions.get(address)?.clone(),
            Pointed::Named(name) => Some(name.clone()),
        }
    }
}

/// The last part of a function's path.
fn method(symbol: &str) -> Option<String> {
    let path = format!("{:#}", rustc_demangle::try_demangle(symbol).ok()?);
    let path = path.rsplit("::").next()?;
    Some(path.split('<').next().unwrap_or(path).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traits_are_told_from_types() {
        assert_eq!(trait_of("<logic::Ball as logic::Draw>::{vtable}"), Some("logic::Draw"));
        assert_eq!(trait_of("<a::F<fn(u8) -> u8> as b::Tr<c::D>>::{vtable}"), Some("b::Tr<c::D>"));
        assert_eq!(trait_of("<{closure_env#0} as _>"), None);
        assert_eq!(principal("dyn logic::Draw + core::marker::Send"), Some("logic::Draw"));
    }

    #[test]
    fn a_method_at_another_place_is_a_difference_and_a_new_name_is_not() {
        let table = |names: &[&str]| Layouts {
            vtables: vec![Vtable {
                name: "dyn logic::Draw".to_owned(),
                methods: names.iter().map(|name| (*name != "?").then(|| (*name).to_owned())).collect(),
            }],
            ..Layouts::default()
        };
        let before = table(&["draw", "hide", "?"]);
        assert!(moved_methods(&before, &before).is_empty());
        assert!(moved_methods(&before, &table(&["paint", "hide", "?"])).is_empty());
        assert!(moved_methods(&before, &table(&["?", "?", "?"])).is_empty());
        assert!(moved_methods(&before, &Layouts::default()).is_empty());
        let [reason] = &moved_methods(&before, &table(&["hide", "draw", "?"]))[..] else { panic!("one reason") };
        assert_eq!(
            (reason.expected.as_str(), reason.found.as_str()),
            ("methods draw, hide, ?", "methods hide, draw, ?")
        );
    }
}
