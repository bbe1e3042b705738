//! The types of a file that carries no descriptor: those of its exported functions, or those that its crates define.

use super::{Border, Records};
use crate::debug_info::data::Data;
use crate::debug_info::units::{Place, Reader, Sections, TypeOf, Unit, flag};
use crate::layout::canonical::canonical;
use crate::layout::{FORMAT, Kind, Layouts, Root, RootKind, Type};
use crate::signature::{Language, exported_functions};
use gimli::constants as dw;
use std::collections::{BTreeMap, BTreeSet};
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
    let records = Records { address: 0, slots: BTreeMap::new(), sources: BTreeMap::new() };
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

    /// The crates that were built where they are developed, by the units that hold them; all but the standard library's
    /// if there are none.
    fn crates(&mut self) -> BTreeMap<usize, String> {
        let mut fetched = BTreeMap::new();
        let mut local = BTreeMap::new();
        for index in 0..self.reader.headers.len() {
            let Ok(Some(unit)) = self.reader.unit(index) else { continue };
            let Some((name, folder)) = self.crate_of(&unit) else { continue };
            if folder.contains("/registry/src/") || folder.contains("/git/checkouts/") {
                fetched.insert(index, name);
            } else if !folder.contains("/rustc/") {
                local.insert(index, name);
            }
        }
        if local.is_empty() { fetched } else { local }
    }

    /// Name and place of a unit's crate: `game` and all before the mark, of `src/main.rs/@/game.1a2b-cgu.0`.
    fn crate_of(&self, unit: &Unit<'a>) -> Option<(String, String)> {
        if unit.language != Language::Rust {
            return None;
        }
        let name = String::from_utf8_lossy(self.reader.unit_name(unit)?.slice()).into_owned();
        let folder = unit.root.attr_value(dw::DW_AT_comp_dir).and_then(|folder| self.reader.string(unit, folder));
        let folder = String::from_utf8_lossy(folder.unwrap_or_default().slice()).into_owned();
        let (source, part) = name.split_once("/@/")?;
        let place = format!("{folder}/{source}").replace('\\', "/");
        Some((part.split('.').next()?.to_owned(), place))
    }

    /// Looks through the units of these crates.
    fn scan_own(&mut self, crates: &BTreeMap<usize, String>) -> gimli::Result<()> {
        let names: BTreeSet<&str> = crates.values().map(String::as_str).collect();
        let names: Vec<&str> = names.into_iter().collect();
        for index in crates.keys() {
            if let Some(unit) = self.reader.unit(*index)? {
                self.scan_unit(&names, unit)?;
            }
        }
        Ok(())
    }

    /// The types that these crates define, as far as their units use them.
    fn defined(&mut self, crates: &BTreeMap<usize, String>) -> Vec<Root> {
        let names: BTreeSet<&str> = crates.values().map(String::as_str).collect();
        let mut roots = Vec::new();
        for index in crates.keys() {
            let Some(scanned) = self.scanned.get(index).map(Rc::clone) else { continue };
            for (offset, path) in scanned.defined() {
                let place = Place { unit: Rc::clone(&scanned.unit), offset };
                let Some(entry) = place.entry().filter(|entry| !flag(entry, dw::DW_AT_declaration)) else { continue };
                let is_ours = path.split("::").next().is_some_and(|first| names.contains(first));
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
