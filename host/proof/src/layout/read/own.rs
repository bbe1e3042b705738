//! The types of a file that carries no descriptor: those of its exported functions, or those that its crates define.

use super::{Border, Records};
use crate::debug_info::data::Data;
use crate::debug_info::units::{Place, Reader, Sections, TypeOf, Unit, children, flag};
use crate::layout::canonical::canonical;
use crate::layout::{FORMAT, Kind, Layouts, Root, RootKind, Type};
use crate::order::set;
use crate::signature::{Language, exported_functions};
use gimli::constants as dw;
use std::collections::BTreeSet;
use std::rc::Rc;

/// How many types that a file's crates define are roots.
const ROOTS: usize = 10_000;

/// Reads the layouts of the types that the exported functions of any file name, whatever they reach; in a file that
/// exports none, of all types that its own crates define.
///
/// Functions with mangled names are passed over, since their symbols change from build to build. What cannot be read is
/// in [`Layouts::gaps`]. Any bytes whatsoever may be given.
#[must_use]
pub fn own(file: &[u8]) -> Layouts {
    let layouts = read_file(file).unwrap_or_else(|gap| Layouts { gaps: vec![gap], ..Layouts::default() });
    let mut layouts = canonical(Layouts { format: FORMAT, ..layouts });
    if layouts.roots.len() > ROOTS {
        layouts.gaps.push(format!("only the first {ROOTS} of {} types were read", layouts.roots.len()));
        layouts.roots.truncate(ROOTS);
        layouts = canonical(layouts);
    }
    layouts
}

fn read_file(bytes: &[u8]) -> Result<Layouts, String> {
    let file = object::File::parse(bytes).map_err(|error| format!("the file cannot be read: {error}"))?;
    let symbols = exported_functions(&file)?;
    let data = Data::of(&file)?;
    let sections = Sections::of(&data).ok_or("the file has no debug info")?;
    let damaged = |error: gimli::Error| format!("the debug info cannot be read: {error}");
    let reader = Reader::of(sections).map_err(damaged)?;
    let records = Records::default();
    let mut border = Border::new(reader, &file, records);
    let mut roots = border.exports(&symbols);
    let crates = border.crates();
    border.scan_own(&crates).map_err(damaged)?;
    if roots.is_empty() {
        roots = border.defined(&crates);
    }
    if roots.is_empty() {
        border.gaps.push("the debug info tells no types of the file's own crates".to_owned());
    }
    Ok(Layouts { roots, ..border.read() })
}

/// A file's own crates.
#[derive(Default)]
struct Own {
    units: Vec<usize>,
    names: BTreeSet<String>,
}

impl<'a> Border<'a, '_> {
    fn exports(&mut self, symbols: &BTreeSet<String>) -> Vec<Root> {
        let (definitions, damage) = self.reader.definitions(symbols);
        self.gaps.extend(damage.map(|error| format!("some of the debug info cannot be read: {error}")));
        let mut roots = Vec::new();
        for (symbol, definition) in definitions {
            let Some((parameters, _)) = self.reader.parameters(&definition) else { continue };
            let parameters = parameters.into_iter().map(|parameter| self.number(parameter)).collect();
            let result = match &definition.result {
                TypeOf::Nothing => None,
                result => Some(self.number(result.clone())),
            };
            let kind = Kind::Function { parameters, result };
            let ty = self.add(Type { name: "fn".to_owned(), kind, ..Type::lost() });
            roots.push(Root { name: symbol, kind: RootKind::Export, ty });
        }
        let has = |symbol: &&String| !roots.iter().any(|root| root.name == **symbol);
        let lost: Vec<&str> = symbols.iter().filter(has).map(String::as_str).collect();
        if !lost.is_empty() {
            self.gaps.push(format!("the debug info does not tell the types of {}", lost.join(", ")));
        }
        self.read_waiting();
        roots
    }

    /// The units of the crates that were built where they are developed, and these crates' names; those of all but the
    /// standard library if there are none.
    fn crates(&mut self) -> Own {
        let (mut local, mut fetched) = (Own::default(), Own::default());
        let mut others = set(["core", "alloc", "std"].into_iter().map(str::to_owned));
        let mut namespaces = BTreeSet::new();
        for index in 0..self.reader.units() {
            let Ok(Some(unit)) = self.reader.unit(index) else { continue };
            let Some((name, place)) = self.crate_of(&unit) else { continue };
            if place.contains("/rustc/") || place.contains("/rust/deps/") {
                others.extend(name);
            } else if place.contains("/registry/src/") || place.contains("/git/checkouts/") {
                fetched.units.push(index);
                fetched.names.extend(name);
            } else {
                local.units.push(index);
                namespaces.extend(self.namespaces(unit));
            }
        }
        if local.units.is_empty() {
            return fetched;
        }
        // What code of others is used in a unit is in namespaces of theirs.
        namespaces.retain(|name| !others.contains(name) && !fetched.names.contains(name));
        local.names = namespaces;
        local
    }

    /// The crates that a unit describes something of.
    fn namespaces(&self, unit: Unit<'a>) -> Vec<String> {
        let root = Place { offset: unit.root.offset(), unit: Rc::new(unit) };
        let offsets = children(&root, |tag| tag == dw::DW_TAG_namespace);
        let names = offsets.into_iter().filter_map(|offset| {
            let entry = root.unit.entry(offset)?;
            self.reader.name(&root.unit, &entry)
        });
        names.collect()
    }

    /// A unit's crate, where it was not built piece by piece, and the place of its source: `game` and the path before the
    /// mark, of `src/main.rs/@/game.1a2b-cgu.0`.
    fn crate_of(&self, unit: &Unit<'a>) -> Option<(Option<String>, String)> {
        if unit.language != Language::Rust {
            return None;
        }
        let name = String::from_utf8_lossy(self.reader.unit_name(unit)?.slice()).into_owned();
        let folder = unit.root.attr_value(dw::DW_AT_comp_dir).and_then(|folder| self.reader.string(unit, folder));
        let folder = String::from_utf8_lossy(folder.unwrap_or_default().slice()).into_owned();
        let (source, part) = name.split_once("/@/")?;
        let place = format!("{folder}/{source}").replace('\\', "/");
        Some((part.split_once('.').map(|(name, _)| name.to_owned()), place))
    }

    /// Looks through the units of these crates.
    fn scan_own(&mut self, crates: &Own) -> gimli::Result<()> {
        let names: Vec<&str> = crates.names.iter().map(String::as_str).collect();
        for index in &crates.units {
            if let Some(unit) = self.reader.unit(*index)? {
                self.scan_unit(&names, unit)?;
            }
        }
        Ok(())
    }

    /// The types that these crates define, as far as their units use them.
    fn defined(&mut self, crates: &Own) -> Vec<Root> {
        let mut roots = Vec::new();
        for index in &crates.units {
            let Some(scanned) = self.scanned.get(*index).map(Rc::clone) else { continue };
            for (offset, path) in scanned.defined() {
                let place = Place { unit: Rc::clone(&scanned.unit), offset };
                let Some(entry) = place.entry().filter(|entry| !flag(entry, dw::DW_AT_declaration)) else { continue };
                let is_ours = path.split("::").next().is_some_and(|first| crates.names.contains(first));
                // Closures and tables of methods are no types that anybody named.
                let is_named = self.reader.name(&place.unit, &entry).is_some_and(|name| !name.contains('{'));
                if is_ours && is_named && !path.contains('{') {
                    let ty = self.number(TypeOf::At(place));
                    roots.push(Root { name: String::new(), kind: RootKind::Own, ty });
                }
            }
        }
        self.read_waiting();
        roots
    }
}
