//! What a guest has to export.

use super::{Border, Export};
use crate::plugin::backend::wasm::kind::Kind;
use pitstop_contract::{Reason, Rule};
use wasmparser::ExternalKind;
use wasmparser::types::Types;

/// What a component exports; the last number of the version may be another.
const GUEST: &str = "pitstop:plugin/guest@0.1.";

/// What a core module has to export, and of which type.
const NEEDED: &[(&str, &str)] =
    &[("memory", "memory"), ("pitstop_alloc", "(i32) -> i32"), ("pitstop_process", "(i32, i32) -> i64")];

/// What it may export besides, which is called where it is there.
const OPTIONAL: &[(&str, &str)] =
    &[("pitstop_free", "(i32, i32)"), ("pitstop_describe", "() -> i64"), ("_initialize", "()")];

/// A core module's export, with its type.
pub(super) fn core(types: &Types, export: &wasmparser::Export<'_>) -> Export {
    let what = match export.kind {
        ExternalKind::Func | ExternalKind::FuncExact => {
            let id = types.as_ref().core_function_at(export.index);
            let ty = types[id].unwrap_func();
            let list =
                |types: &[wasmparser::ValType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            match list(ty.results()) {
                results if results.is_empty() => format!("({})", list(ty.params())),
                results => format!("({}) -> {results}", list(ty.params())),
            }
        }
        ExternalKind::Memory => "memory".to_owned(),
        ExternalKind::Table => "table".to_owned(),
        ExternalKind::Global => "global".to_owned(),
        ExternalKind::Tag => "tag".to_owned(),
    };
    Export { name: export.name.to_owned(), what }
}

/// A reason for each that is missing, or of another type.
pub(super) fn missing(file: &str, kind: Kind, border: &Border) -> Vec<Reason> {
    if kind == Kind::Component {
        return missing_of_component(file, border).into_iter().collect();
    }
    let what = |name: &str| border.exports.iter().find(|export| export.name == name).map(|export| export.what.as_str());
    if what("_start").is_some() && what("pitstop_process").is_none() {
        let found = "a program that runs once from its `_start`";
        let advice =
            "build a reactor: `clang -mexec-model=reactor`, or a `cdylib` of Rust's; it exports `pitstop_process`";
        return vec![Reason::new(Rule::Missing, file, "a module whose functions can be called", found, advice)];
    }
    let is_other = |(name, ty): &(&str, &str), needed: bool| match what(name) {
        Some(found) if found == *ty => None,
        None if !needed => None,
        found => Some(Reason::new(
            if found.is_some() { Rule::Signature } else { Rule::Missing },
            format!("`{name}` of {file}"),
            format!("an export `{name}`: {ty}"),
            found.map_or_else(|| told(border), |found| format!("`{name}`: {found}")),
            "export it as host/wit/README.md has it, or build a component to wit/pitstop.wit",
        )),
    };
    let needed = NEEDED.iter().filter_map(|export| is_other(export, true));
    needed.chain(OPTIONAL.iter().filter_map(|export| is_other(export, false))).collect()
}

fn missing_of_component(file: &str, border: &Border) -> Option<Reason> {
    if border.exports.iter().any(|export| export.name.starts_with(GUEST)) {
        return None;
    }
    let other = border.exports.iter().find(|export| export.name.starts_with("pitstop:plugin/"));
    let (found, advice) = match other {
        Some(other) => (
            format!("an export `{}`", other.name),
            "build it against the wit/pitstop.wit of this version of pitstop-host",
        ),
        None if border.exports.iter().any(|export| export.name.starts_with("wasi:cli/run")) => (
            "a program that runs once, from `wasi:cli/run`".to_owned(),
            "build a library, which has no `main`: a `cdylib` of Rust's that exports the world `plugin` of wit/pitstop.wit",
        ),
        None => (told(border), "export the world `plugin` of wit/pitstop.wit, e.g. by `wit_bindgen::generate!`"),
    };
    let expected = "a component that exports `pitstop:plugin/guest@0.1.0`";
    Some(Reason::new(Rule::Missing, file, expected, found, advice))
}

/// What there is instead.
fn told(border: &Border) -> String {
    const MOST: usize = 8;
    let names: Vec<String> =
        border.exports.iter().take(MOST).map(|export| format!("`{}`", export.name.escape_debug())).collect();
    let more = border.exports.len().saturating_sub(MOST);
    match (names.is_empty(), more) {
        (true, _) => "no exports".to_owned(),
        (false, 0) => format!("the exports {}", names.join(", ")),
        (false, more) => format!("the exports {} and {more} more", names.join(", ")),
    }
}
