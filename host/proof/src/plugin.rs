//! A library that is a plugin written in Rust: what it and the program know of their interface is the same.

use crate::layout::{Layouts, read};
use crate::prove::layouts;
use crate::{Built, Image, Proof, compilers, described, facts, slots};
use pitstop_contract::descriptor::{Descriptor, fact};
use pitstop_contract::{Reason, Rule};
use std::collections::BTreeSet;
use std::path::Path;

/// The crate whose types plugins and programs share; both link it.
pub(crate) const INTERFACE: &str = "pitstop_reloadable";

/// What the program knows of the interface.
#[derive(Debug)]
pub struct Interface {
    built: Built,
    compilers: BTreeSet<String>,
    layouts: Layouts,
}

impl Interface {
    /// Of a program: the records that are linked into it, and its executable.
    #[must_use]
    pub fn of_program(records: &[&[u8]], executable: &[u8]) -> Self {
        let mut built = Built::default();
        for record in records.iter().filter_map(|record| Descriptor::parse(record).ok()) {
            built.add(record);
        }
        Self { built, compilers: compilers(executable), layouts: read(executable, &[INTERFACE]) }
    }
}

/// The types that a plugin's library and a program hand each other, from its debug info. None where it is no plugin in Rust.
#[must_use]
pub fn plugin_layouts(path: &Path, bytes: &[u8]) -> Option<Layouts> {
    described(path, bytes).ok()?.facts_of(INTERFACE)?;
    Some(read(bytes, &[INTERFACE]))
}

/// Compares a plugin's library with the program that is to load it: compiler, version of the interface, panic strategy, and
/// the types that the two hand each other. `layouts_read`: these types, if they were read before.
///
/// # Errors
/// All reasons against it that the first failing stage found.
pub fn prove_plugin(
    path: &Path,
    bytes: &[u8],
    layouts_read: Option<&Layouts>,
    program: &Interface,
) -> Result<Proof, Vec<Reason>> {
    let descriptor = described(path, bytes).map_err(|reason| vec![reason])?;
    let Some(own) = descriptor.facts_of(INTERFACE) else {
        let advice = "put `#[pitstop_reloadable::plugin]` on its `impl Plugin`; other libraries have mechanism `c`";
        let (expected, found) = ("the interface of a plugin in Rust", "a descriptor without it");
        return Err(vec![Reason::new(Rule::Descriptor, path.display().to_string(), expected, found, advice)]);
    };
    let mut reasons: Vec<Reason> = other_compiler(path, bytes, program).into_iter().collect();
    if let Some(host) = program.built.crates.get(INTERFACE) {
        facts::differences(own, host, &mut reasons);
    }
    if own.get(fact::PANIC) != "unwind" {
        let advice = "build the plugin without `panic = \"abort\"`, so that its panics stay in it";
        let (expected, found) = ("panics that unwind", "panics that abort the program");
        reasons.push(Reason::new(Rule::Profile, path.display().to_string(), expected, found, advice));
    }
    if !reasons.is_empty() {
        return Err(reasons);
    }
    slots::signatures(INTERFACE, &descriptor, &program.built)?;
    let types = layouts_read.cloned().unwrap_or_else(|| read(bytes, &[INTERFACE]));
    let image = Image { layouts: types, descriptor };
    let proof = layouts(INTERFACE, &image, &program.built, &program.layouts)?;
    slots::sizes(INTERFACE, &image.descriptor, &program.built)?;
    Ok(proof)
}

/// The compilers that signed the two files: evidence that does not go through a record of ours.
fn other_compiler(path: &Path, bytes: &[u8], program: &Interface) -> Option<Reason> {
    let found = compilers(bytes);
    if !found.is_empty() && found == program.compilers {
        return None;
    }
    let shown = |compilers: &BTreeSet<String>| match compilers.len() {
        0 => "no compiler's note".to_owned(),
        _ => compilers.iter().map(|version| format!("rustc {version}")).collect::<Vec<_>>().join(" and "),
    };
    let advice = "build both with one compiler; or load the plugin with mechanism `c`, whose table hangs on none";
    Some(Reason::new(
        Rule::Compiler,
        format!("the compiler's own note in {}", path.display()),
        shown(&program.compilers),
        shown(&found),
        advice,
    ))
}
