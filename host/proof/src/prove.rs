//! The whole comparison of an image with what it is to replace: build, functions, types.

use crate::layout::{Borrowed, Comparison, Layouts, Root, RootKind, borrowed, compare, compare_roots, moved_methods};
use crate::{Built, facts, slots};
use pitstop_contract::Reason;
use pitstop_contract::descriptor::{Descriptor, crate_of};
use std::collections::BTreeSet;

/// What was read from an image's file.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// Its descriptor.
    pub descriptor: Descriptor,
    /// The types of its functions.
    pub layouts: Layouts,
}

/// What has been shown, and what comes with the new code all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// How many pairs of types were compared.
    pub compared: usize,
    /// What could not be compared by layout, each a sentence. There, only the signatures and the sizes and alignments of
    /// the types in them were.
    pub gaps: Vec<String>,
    /// What a person should know of the new code.
    pub notes: Vec<String>,
    /// Functions that only their own crate calls, and whose types have changed: what called them stays with the old ones.
    pub kept: BTreeSet<String>,
}

/// Compares the image of a crate with the program that is to load it, or with an earlier image.
///
/// `bytes` are the image's file, and `image` is what was read from it; `built` and `expected` are what the program was
/// built with.
///
/// # Errors
/// All reasons against it that the first failing stage found: build, functions, types.
pub fn prove(
    crate_name: &str,
    bytes: &[u8],
    image: &Image,
    built: &Built,
    expected: &Layouts,
) -> Result<Proof, Vec<Reason>> {
    facts::compare(crate_name, &image.descriptor, bytes, built)?;
    slots::signatures(crate_name, &image.descriptor, built)?;
    let mut proof = layouts(crate_name, image, built, expected)?;
    // Types that debug info tells of have been compared already, and better.
    slots::sizes(crate_name, &image.descriptor, built)?;
    proof.notes.extend(fresh(&image.layouts));
    proof.notes.extend(pointing(crate_name, &image.layouts));
    Ok(proof)
}

/// Compares types that values are kept by with those of an earlier image: values that its code made may still be there.
///
/// # Errors
/// A reason for each difference.
pub fn prove_kept_by_type(earlier: &Layouts, image: &Layouts) -> Result<(), Vec<Reason>> {
    let differences = compare(earlier, image, |root| root.kind == RootKind::Keyed).differences;
    if differences.is_empty() {
        return Ok(());
    }
    Err(differences.iter().map(|difference| difference.reason(&|_, _| None)).collect())
}

/// Whether two images mean the same by the types of a function that one of them calls and the other has.
#[must_use]
pub fn agree_on(slot: &str, caller: &Layouts, callee: &Layouts) -> bool {
    let is_it = |root: &Root| root.kind == RootKind::Slot && root.name == slot;
    compare(caller, callee, is_it).differences.is_empty()
}

/// Compares a type of carried values as the code that made a value and other code know it; each is given with the name of
/// the type's record. `Err` where one of them does not tell.
///
/// # Errors
/// Why this cannot be told.
pub fn carried(maker: (&Layouts, &str), other: (&Layouts, &str)) -> Result<Comparison, String> {
    let root = |(layouts, name): (&'_ Layouts, &str)| layouts.root(RootKind::Carried, name).cloned();
    let lost = |(layouts, name): (&Layouts, &str)| match layouts.gaps.as_slice() {
        [] => format!("{name}: no debug info"),
        gaps => format!("{name}: {}", gaps.join(", ")),
    };
    let expected = root(maker).ok_or_else(|| lost(maker))?;
    let found = root(other).ok_or_else(|| lost(other))?;
    let comparison = compare_roots((maker.0, &expected), (other.0, &found));
    match comparison.unproven.as_slice() {
        [] => Ok(comparison),
        unproven => Err(unproven.join(", ")),
    }
}

pub(crate) fn layouts(
    crate_name: &str,
    image: &Image,
    built: &Built,
    expected: &Layouts,
) -> Result<Proof, Vec<Reason>> {
    let found = &image.layouts;
    let is_public = |name: &str| built.slots.get(name).is_some_and(|slot| slot.public);
    let comparison = compare(expected, found, |root| crosses(crate_name, root, built, found));
    let parameter = |slot: &str, index: usize| built.slots.get(slot)?.parameters.get(index).cloned();
    let mut reasons: Vec<Reason> =
        comparison.differences.iter().map(|difference| difference.reason(&parameter)).collect();
    reasons.extend(moved_methods(expected, found));
    if !reasons.is_empty() {
        return Err(reasons);
    }
    if let (Some(own), Some(host)) = (image.descriptor.facts_of(crate_name), built.crates.get(crate_name)) {
        let (before, after) = (crates_of(expected), crates_of(found));
        let reasons = facts::dependencies(own, host, &|name| before.contains(name) || after.contains(name));
        if !reasons.is_empty() {
            return Err(reasons);
        }
    }
    let mut gaps: Vec<String> = expected.gaps.iter().map(|gap| format!("in the program, {gap}")).collect();
    gaps.extend(found.gaps.iter().map(|gap| format!("in the image, {gap}")));
    // What is missing for want of debug info was said above.
    if gaps.is_empty() {
        gaps.extend(comparison.unproven);
    }
    let is_private = |root: &Root| {
        root.kind == RootKind::Slot
            && crate_of(&root.name) == crate_name
            && !is_public(&root.name)
            && found.slot(&root.name).is_some()
    };
    let mut kept = BTreeSet::new();
    // One by one only if there is something to find.
    if !compare(expected, found, is_private).differences.is_empty() {
        let private = expected.roots.iter().filter(|root| is_private(root));
        let changed = private.filter(|root| !agree_on(&root.name, expected, found));
        kept.extend(changed.map(|root| root.name.clone()));
    }
    Ok(Proof {
        compared: comparison.compared,
        gaps,
        notes: comparison.notes.iter().map(|note| format!("{} {}", note.path, note.text)).collect(),
        kept,
    })
}

/// Whether the program and the image of a crate hand each other values by this root of the program's.
#[must_use]
pub fn crosses(crate_name: &str, root: &Root, built: &Built, found: &Layouts) -> bool {
    let is_public = built.slots.get(&root.name).is_some_and(|slot| slot.public);
    match root.kind {
        RootKind::Keyed | RootKind::Method => true,
        // Of other crates that are linked into the image, it need not know every function.
        RootKind::Slot => is_public && (crate_of(&root.name) == crate_name || found.slot(&root.name).is_some()),
        // These are migrated where they differ.
        RootKind::Carried | RootKind::Export | RootKind::Own => false,
    }
}

/// The crates that these types are from: what their paths begin with.
fn crates_of(layouts: &Layouts) -> BTreeSet<String> {
    let mut crates = BTreeSet::new();
    for name in layouts.types.iter().map(|ty| ty.name.as_str()) {
        let mut rest = name;
        while let Some(end) = rest.find("::") {
            let (before, after) = rest.split_at(end);
            let start = before
                .rfind(|letter: char| !letter.is_alphanumeric() && letter != '_')
                .map_or(0, |at| at + before[at..].chars().next().map_or(0, char::len_utf8));
            if !crates.contains(&before[start..]) {
                crates.insert(before[start..].to_owned());
            }
            // The rest of the path is in that crate.
            let path = after.find(|letter: char| !letter.is_alphanumeric() && !matches!(letter, '_' | ':'));
            rest = path.map_or("", |at| &after[at..]);
        }
    }
    crates
}

/// Variables of the crate that begin anew with the image.
fn fresh(image: &Layouts) -> impl Iterator<Item = String> {
    image.statics.iter().map(|found| {
        let kind = if found.thread_local { "thread-local" } else { "static" };
        format!("{kind} {} starts afresh: each generation has its own", found.name)
    })
}

/// Values in what the program keeps that may point into an image: the new one, or an old one.
fn pointing(crate_name: &str, image: &Layouts) -> Vec<String> {
    let own =
        |root: &Root| matches!(root.kind, RootKind::Slot | RootKind::Carried) && crate_of(&root.name) == crate_name;
    let Borrowed { values, more } = borrowed(image, own);
    let say = |(path, what)| format!("{path} ({what}) may point into the generation that made it, which stays mapped");
    let mut notes: Vec<String> = values.into_iter().map(say).collect();
    if more > 0 {
        notes.push(format!("{more} more values may point into the generations that made them"));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::crates_of;
    use crate::layout::{Kind, Layouts, Type};

    #[test]
    fn crates_are_what_paths_begin_with() {
        let names =
            ["&mut logic::World", "alloc::vec::Vec<glam::Vec3, alloc::alloc::Global>", "f32", "dyn a_b::T + Send"];
        let ty = |name: &str| Type {
            name: name.to_owned(),
            size: None,
            align: None,
            generics: Vec::new(),
            kind: Kind::Opaque,
        };
        let layouts = Layouts { types: names.iter().map(|name| ty(name)).collect(), ..Layouts::default() };
        assert_eq!(crates_of(&layouts).into_iter().collect::<Vec<_>>(), ["a_b", "alloc", "glam", "logic"]);
    }
}
