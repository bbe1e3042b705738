//! A file, or the comparison of two, as a person reads it.

use super::file::{Inspected, Kind};
use super::page::Page;
use super::verdict::Verdict;
use super::{Shown, name};
use pitstop_contract::Reason;
use pitstop_contract::descriptor::{Descriptor, Facts, SlotFact, fact};
use pitstop_proof::layout::{self, Field, Layouts, RootKind, Type, TypeId, Variant, is_standard};
use std::collections::BTreeMap;

/// How many types are shown unless all are asked for.
const TYPES: usize = 60;
/// How many parts of one type are shown unless all are asked for.
const PARTS: usize = 60;
/// How many functions, variables and reasons are shown.
const LINES: usize = 200;

/// One file.
pub(super) fn image(image: &Inspected, shown: &Shown) -> String {
    let mut page = Page::default();
    page.heading(&format!("{}: {}", name(&image.image), image.kind.text()));
    about(&mut page, image);
    if let Some(descriptor) = &image.descriptor {
        page.heading("crates");
        descriptor.crates.iter().for_each(|facts| facts_of(&mut page, facts, shown));
        slots(&mut page, descriptor);
    } else {
        functions(&mut page, &image.functions);
    }
    types(&mut page, image, shown);
    statics(&mut page, image);
    gaps(&mut page, image);
    page.finish()
}

fn about(page: &mut Page, image: &Inspected) {
    let Inspected { format, architecture, bits, bytes, compilers, .. } = image;
    page.line(1, &format!("{format} for {architecture}, {bits}-bit; {bytes} bytes"));
    if let Some(found) = &image.incomplete {
        page.line(1, &format!("not complete: {found}; build it again"));
    }
    if compilers.is_empty() {
        page.line(1, "nothing says that rustc built it");
    }
    for compiler in compilers {
        page.line(1, &format!("rustc {compiler}"));
    }
    match (&image.descriptor, &image.malformed) {
        (_, Some(found)) => page.line(1, &format!("a descriptor that cannot be read: {found}")),
        (Some(_), None) if !matches!(image.kind, Kind::Image | Kind::Host) => {
            page.line(1, "a descriptor of Pitstop's, but no entry: it cannot be loaded");
        }
        (Some(_), None) => {}
        (None, None) => page.line(1, "no descriptor: it was not built by `cargo pitstop`"),
    }
}

fn facts_of(page: &mut Page, facts: &Facts, shown: &Shown) {
    let get = |key: &str| match facts.get(key) {
        "" => "none".to_owned(),
        value => value.to_owned(),
    };
    page.line(1, &format!("{} {}", facts.crate_name, get(fact::VERSION)));
    if shown.facts {
        facts.values.iter().for_each(|(key, value)| page.line(2, &format!("{key} = {value}")));
        return;
    }
    page.line(2, &format!("rustc {}, {}", get(fact::RUSTC), get(fact::TARGET)));
    page.line(
        2,
        &format!(
            "opt-level {}, debug assertions {}, overflow checks {}, panic {}",
            get(fact::OPT_LEVEL),
            get(fact::DEBUG_ASSERTIONS),
            get(fact::OVERFLOW_CHECKS),
            get(fact::PANIC)
        ),
    );
    let linkage = [fact::LINKAGE, fact::STD, fact::ALLOCATOR].map(get);
    page.line(2, &format!("linkage {}, std {}, allocator {}", linkage[0], linkage[1], linkage[2]));
    let dependencies = facts.dependencies();
    page.line(2, &format!("features {}; {}", get(fact::FEATURES), counted(dependencies.len(), "dependency")));
}

fn slots(page: &mut Page, descriptor: &Descriptor) {
    page.heading("reloadable functions");
    let mut slots: Vec<&SlotFact> = descriptor.slots.iter().collect();
    slots.sort_by(|one, other| one.name.cmp(&other.name));
    if slots.is_empty() {
        page.line(1, "none");
    }
    for slot in slots.iter().take(LINES) {
        let visible = if slot.public { "pub " } else { "" };
        page.line(1, &format!("{visible}{}", declaration(slot)));
    }
    left_out(page, slots.len(), LINES, "function", "`--json` has all");
}

/// `fn logic::update(world: &mut World, dt: f32) -> bool`, of the pointer's type and what else is known.
pub(super) fn declaration(slot: &SlotFact) -> String {
    let plain = || format!("{}: {}", slot.name, slot.signature);
    let Some((before, rest)) = slot.signature.split_once("fn(") else { return plain() };
    let Some((parameters, after)) = arguments(rest) else { return plain() };
    if parameters.len() != slot.parameters.len() {
        return plain();
    }
    let named: Vec<String> = slot.parameters.iter().zip(parameters).map(|(name, ty)| format!("{name}: {ty}")).collect();
    format!("{before}fn {}({}){after}", slot.name, named.join(", "))
}

/// The arguments up to the parenthesis that closes them, and what follows it.
fn arguments(text: &str) -> Option<(Vec<&str>, &str)> {
    let (mut found, mut open, mut start, mut previous) = (Vec::new(), 0_usize, 0, ' ');
    for (at, letter) in text.char_indices() {
        let ends = match letter {
            ',' => open == 0,
            ')' => open == 0,
            _ => false,
        };
        if ends {
            let argument = text.get(start..at)?.trim();
            found.extend((!argument.is_empty()).then_some(argument));
            start = at + 1;
            if letter == ')' {
                return Some((found, text.get(start..)?));
            }
        }
        match letter {
            '(' | '[' | '<' => open += 1,
            '>' if previous == '-' => {}
            ')' | ']' | '>' => open = open.checked_sub(1)?,
            _ => {}
        }
        previous = letter;
    }
    None
}

fn functions(page: &mut Page, functions: &BTreeMap<String, Option<String>>) {
    page.heading("exported functions");
    if functions.is_empty() {
        page.line(1, "none with a name of its own");
    }
    for (symbol, signature) in functions.iter().take(LINES) {
        match signature {
            Some(signature) => page.line(1, &format!("{symbol}: {signature}")),
            None => page.line(1, &format!("{symbol}: its signature is not known")),
        }
    }
    left_out(page, functions.len(), LINES, "function", "`--json` has all");
}

fn types(page: &mut Page, image: &Inspected, shown: &Shown) {
    let layouts = &image.layouts;
    let owns = layouts.roots.iter().any(|root| root.kind == RootKind::Own);
    let heading = match image.descriptor {
        Some(_) => "types that cross the border",
        None if owns => "types of its own crates",
        None => "types of the exported functions",
    };
    let is_asked_for = |ty: &&Type| match &shown.types {
        Some(part) => has_parts(ty) && ty.name.contains(part.as_str()),
        None => has_parts(ty) && (shown.all_types || is_of_interest(ty)),
    };
    let all: Vec<&Type> = if owns && !shown.all_types && shown.types.is_none() {
        layouts.roots.iter().filter_map(|root| layouts.get(root.ty)).filter(is_asked_for).collect()
    } else {
        layouts.types.iter().filter(is_asked_for).collect()
    };
    if layouts.roots.is_empty() {
        sizes(page, image);
        return;
    }
    page.heading(heading);
    let most = if shown.all_types { usize::MAX } else { TYPES };
    all.iter().take(most).for_each(|ty| one_type(page, layouts, ty, shown));
    match &shown.types {
        Some(part) if all.is_empty() => {
            page.line(1, &format!("none of {} has `{part}` in its name", counted(layouts.types.len(), "type")));
        }
        None if all.is_empty() => page.line(1, "none but those of the language and its standard library"),
        _ => left_out(page, all.len(), most, "type", "`--all-types` shows all, `--type NAME` some"),
    }
}

/// What the descriptor knows of types by itself.
fn sizes(page: &mut Page, image: &Inspected) {
    let slots = image.descriptor.iter().flat_map(|descriptor| &descriptor.slots);
    let known: BTreeMap<&str, (u64, u64)> =
        slots.flat_map(|slot| &slot.types).map(|ty| (ty.name.as_str(), (ty.size, ty.align))).collect();
    if known.is_empty() {
        return;
    }
    page.heading("types in signatures, of which no more is known than this");
    for (name, (size, align)) in known.iter().take(LINES) {
        page.line(1, &format!("{name}: size {size}, alignment {align}"));
    }
    left_out(page, known.len(), LINES, "type", "`--json` has all");
}

/// Whether there is something to show of it but a name.
fn has_parts(ty: &Type) -> bool {
    use layout::Kind::{Enum, Names, Struct, Union};
    matches!(ty.kind, Struct { .. } | Union { .. } | Enum { .. } | Names { .. })
}

/// Whether it is a type that somebody named, outside of the standard library.
fn is_of_interest(ty: &Type) -> bool {
    let name = ty.name.as_str();
    !is_standard(name) && !name.contains('{') && !name.starts_with(['(', '[', '&', '*', '<', '?'])
}

fn one_type(page: &mut Page, layouts: &Layouts, ty: &Type, shown: &Shown) {
    let word = match ty.kind {
        layout::Kind::Union { .. } => "union",
        layout::Kind::Enum { .. } | layout::Kind::Names { .. } => "enum",
        _ => "struct",
    };
    let number = |number: Option<u64>| number.map_or("unknown".to_owned(), |number| number.to_string());
    let mut head = format!("{word} {}: size {}", layout::shown(&ty.name), number(ty.size));
    // Of enums without fields it is that of their integer.
    if ty.align.is_some() {
        head.push_str(&format!(", alignment {}", number(ty.align)));
    }
    let place = |field: &Field| format!("{} at {}", name_of(layouts, field.ty), field.offset);
    let mut parts = Vec::new();
    let mut fields = |depth, fields: &[Field]| {
        fields.iter().for_each(|field| parts.push((depth, format!("{}: {}", field.name, place(field)))));
    };
    match &ty.kind {
        layout::Kind::Struct { fields: all } | layout::Kind::Union { fields: all } => fields(2, all),
        layout::Kind::Enum { tag, variants } => {
            if let Some(tag) = tag {
                head.push_str(&format!(", tag {}", place(tag)));
            }
            for variant in variants {
                parts.push((2, variant_of(variant)));
                parts.extend(variant.fields.iter().map(|field| (3, format!("{}: {}", field.name, place(field)))));
            }
        }
        layout::Kind::Names { repr, variants } => {
            head.push_str(&format!(", held in {}", name_of(layouts, *repr)));
            parts.extend(variants.iter().map(|variant| (2, variant_of(variant))));
        }
        _ => {}
    }
    page.line(1, &head);
    let most = if shown.all_types || shown.types.is_some() { usize::MAX } else { PARTS };
    parts.iter().take(most).for_each(|(depth, text)| page.line(*depth, text));
    if parts.len() > most {
        page.line(2, &format!("{} more; `--type {}` shows all", parts.len() - most, ty.name));
    }
}

fn variant_of(variant: &Variant) -> String {
    match variant.value {
        Some(value) => format!("{} = {value}", variant.name),
        None => format!("{}, for any other tag", variant.name),
    }
}

fn name_of(layouts: &Layouts, id: TypeId) -> String {
    layouts.get(id).map_or("?".to_owned(), |ty| layout::shown(&ty.name))
}

fn statics(page: &mut Page, image: &Inspected) {
    let statics = &image.layouts.statics;
    if statics.is_empty() {
        return;
    }
    page.heading(match image.kind {
        Kind::Image => "variables that begin anew with this image",
        _ => "variables of its own crates",
    });
    for found in statics.iter().take(LINES) {
        let kind = if found.thread_local { "thread-local" } else { "static" };
        page.line(1, &format!("{kind} {}", found.name));
    }
    left_out(page, statics.len(), LINES, "variable", "`--json` has all");
}

fn gaps(page: &mut Page, image: &Inspected) {
    let gaps = &image.layouts.gaps;
    if !gaps.is_empty() {
        page.heading("not shown");
        gaps.iter().for_each(|gap| page.line(1, &format!("types: {gap}")));
    }
}

/// The comparison of two files.
pub(super) fn verdict(expected: &Inspected, found: &Inspected, verdict: &Verdict) -> String {
    let mut page = Page::default();
    page.heading(&format!("expected {}: {}", name(&expected.image), expected.kind.text()));
    page.line(0, &format!("found    {}: {}", name(&found.image), found.kind.text()));
    if !verdict.tree.is_empty() {
        page.heading("differences in types");
        let lines = verdict.tree.lines().count();
        verdict.tree.lines().take(LINES).for_each(|line| page.line(1, line));
        left_out(&mut page, lines, LINES, "line", "`--json` has all");
    }
    for (heading, list) in [("notes", &verdict.notes), ("not compared", &verdict.gaps)] {
        if !list.is_empty() {
            page.heading(heading);
            list.iter().take(LINES).for_each(|line| page.line(1, line));
            left_out(&mut page, list.len(), LINES, "line", "`--json` has all");
        }
    }
    let compared = counted(verdict.compared, "type");
    if verdict.reasons.is_empty() {
        page.heading(&if verdict.is_proof {
            format!("would be loaded: {compared} compared")
        } else {
            format!("matches, as far as can be told: {compared} compared")
        });
        return page.finish();
    }
    let so = if verdict.is_proof { "would be refused" } else { "does not match" };
    page.heading(&format!("{so}: {}", counted(verdict.reasons.len(), "reason")));
    verdict.reasons.iter().take(LINES).for_each(|it| reason(&mut page, it));
    left_out(&mut page, verdict.reasons.len(), LINES, "reason", "`--json` has all");
    page.finish()
}

fn reason(page: &mut Page, reason: &Reason) {
    let Reason { rule, subject, expected, found, notes, advice } = reason;
    page.line(1, &format!("{subject} ({rule})"));
    page.line(2, &format!("expected {expected}"));
    page.line(2, &format!("found    {found}"));
    notes.iter().for_each(|note| page.line(2, note));
    page.line(2, advice);
}

fn left_out(page: &mut Page, all: usize, most: usize, what: &str, how: &str) {
    if all > most {
        page.line(1, &format!("{} more; {how}", counted(all - most, what)));
    }
}

fn counted(number: usize, what: &str) -> String {
    match (number, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {what}s"),
    }
}
