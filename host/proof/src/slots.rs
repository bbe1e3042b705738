//! The functions that the program calls: present, with the same signature, over types of the same size.

use crate::Built;
use pitstop_contract::descriptor::{Descriptor, SlotFact, crate_of};
use pitstop_contract::{Reason, Rule};
use std::collections::HashMap;

/// Compares the image's functions with those that the program has slots for, by name and signature.
///
/// A function that is not `pub` cannot be called from outside of its crate, so it may change or go: see
/// [`replaceable`].
///
/// # Errors
/// A reason for each function that is missing, or has another signature.
pub fn signatures(crate_name: &str, descriptor: &Descriptor, built: &Built) -> Result<(), Vec<Reason>> {
    let mut reasons = Vec::new();
    let mut found = HashMap::new();
    for slot in &descriptor.slots {
        if found.insert(slot.name.as_str(), slot).is_some() {
            reasons.push(Reason::new(
                Rule::Descriptor,
                &slot.name,
                "one reloadable function of this name",
                "two",
                "give one of them another name; functions inside of functions share their module's names",
            ));
        }
    }
    for expected in built.slots.values() {
        if crate_of(&expected.name) != crate_name || !expected.public {
            continue;
        }
        match found.get(expected.name.as_str()) {
            Some(slot) => reasons.extend(other_signature(expected, slot)),
            None => reasons.push(Reason::new(
                Rule::Missing,
                &expected.name,
                format!("`{}`", expected.signature),
                missing(expected, descriptor),
                "bring it back, or restart the program without its calls",
            )),
        }
    }
    if reasons.is_empty() { Ok(()) } else { Err(reasons) }
}

/// Compares the sizes and alignments of the types that signatures name: all that is known without debug info.
///
/// # Errors
/// A reason for each type of another size or alignment.
pub fn sizes(crate_name: &str, descriptor: &Descriptor, built: &Built) -> Result<(), Vec<Reason>> {
    let own = descriptor.slots.iter().filter(|slot| crate_of(&slot.name) == crate_name);
    let pairs = own.filter_map(|slot| Some((built.slots.get(&slot.name).filter(|expected| expected.public)?, slot)));
    let reasons: Vec<Reason> = pairs.flat_map(|(expected, slot)| other_sizes(expected, slot)).collect();
    if reasons.is_empty() { Ok(()) } else { Err(reasons) }
}

/// Whether a slot of this fact may be pointed to that function.
pub fn replaceable(expected: &SlotFact, found: &SlotFact) -> bool {
    other_signature(expected, found).is_none() && other_sizes(expected, found).next().is_none()
}

fn missing(expected: &SlotFact, descriptor: &Descriptor) -> String {
    let same_signature = descriptor.slots.iter().filter(|slot| slot.signature == expected.signature);
    let candidates: Vec<String> = same_signature
        .filter(|slot| crate_of(&slot.name) == crate_of(&expected.name))
        .take(3)
        .map(|slot| format!("`{}`", slot.name))
        .collect();
    if candidates.is_empty() {
        "no such function".to_owned()
    } else {
        format!("no such function; of the same signature are {}", candidates.join(", "))
    }
}

fn other_signature(expected: &SlotFact, found: &SlotFact) -> Option<Reason> {
    (unnamed(&expected.signature) != unnamed(&found.signature)).then(|| {
        Reason::new(
            Rule::Signature,
            &expected.name,
            format!("`{}`", expected.signature),
            format!("`{}`", found.signature),
            "undo the change, or restart so that its callers are built anew",
        )
    })
}

/// A signature without the name of each lifetime that occurs once, in a parameter's reference: it ties nothing to anything,
/// and means the same without.
fn unnamed(signature: &str) -> String {
    let mut result = signature.to_owned();
    // `Self` may have lifetimes that are not written there.
    if signature.contains("Self") {
        return result;
    }
    let is_of_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    for (at, _) in signature.match_indices("&'") {
        let rest = &signature[at + 1..];
        let end = rest[1..].find(|letter| !is_of_name(letter)).map_or(rest.len(), |end| end + 1);
        let name = &rest[..end];
        let uses = signature.match_indices(name).filter(|(at, _)| !signature[at + end..].starts_with(is_of_name));
        let is_parameter = parameters_end(signature).is_some_and(|close| at < close);
        if is_parameter && name != "'static" && uses.count() == 1 {
            result = result.replacen(&format!("&{name} "), "&", 1);
        }
    }
    result
}

/// Where the list of parameters closes.
fn parameters_end(signature: &str) -> Option<usize> {
    let mut open = 0_usize;
    signature.char_indices().find_map(|(at, letter)| {
        match letter {
            '(' => open += 1,
            ')' => open = open.saturating_sub(1),
            _ => return None,
        }
        (open == 0).then_some(at)
    })
}

fn other_sizes<'f>(expected: &'f SlotFact, found: &'f SlotFact) -> impl Iterator<Item = Reason> + 'f {
    let changed = expected.types.iter().zip(&found.types).filter(|(a, b)| a != b);
    changed.map(|(a, b)| {
        Reason::new(
            Rule::Layout,
            format!("`{}` in {}", a.name, expected.name),
            format!("{} bytes, aligned to {}", a.size, a.align),
            format!("{} bytes, aligned to {}", b.size, b.align),
            "values that the program made have the old layout; undo the change, or restart",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::unnamed;

    #[test]
    fn a_lifetime_that_ties_nothing_needs_no_name() {
        for (signature, expected) in [
            ("fn(&'a mut World, &[u8]) -> u64", "fn(&mut World, &[u8]) -> u64"),
            ("fn(&'a World, &'b str)", "fn(&World, &str)"),
            ("fn(fn(&'a u8) -> u8, &'b str) -> u8", "fn(fn(&u8) -> u8, &str) -> u8"),
            ("fn(&'a World) -> &'a str", "fn(&'a World) -> &'a str"),
            ("fn(&'static World)", "fn(&'static World)"),
            ("fn(&'a World, &'ab str)", "fn(&World, &str)"),
            ("fn(&World) -> &'a str", "fn(&World) -> &'a str"),
            ("fn(&'a str) -> Self", "fn(&'a str) -> Self"),
            ("fn(View<'a>)", "fn(View<'a>)"),
            ("fn(&'", "fn(&'"),
        ] {
            assert_eq!(unnamed(signature), expected);
        }
    }
}
