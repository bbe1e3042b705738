//! Takes the names of types apart.

use super::{Kind, Type};
use std::borrow::Cow;

/// A name without the numbers and hashes that change from build to build: `{closure#1}` is `{closure}`.
///
/// Those of constants (`{CONST#8a3f}`) stay: they stand for a value.
#[must_use]
pub fn normalised(name: &str) -> Cow<'_, str> {
    if !name.contains(['{']) && !name.contains("::h") {
        return Cow::Borrowed(name);
    }
    let mut result = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(start) = rest.find(['{', ':']) {
        let (before, tail) = rest.split_at(start);
        result.push_str(before);
        rest = if let Some((word, after)) = numbered(tail) {
            result.push_str(word);
            result.push('}');
            after
        } else if let Some(after) = hashed(tail) {
            after
        } else {
            // Both are one byte long.
            let (mark, after) = tail.split_at(1);
            result.push_str(mark);
            after
        };
    }
    result.push_str(rest);
    Cow::Owned(result)
}

/// `{closure` and what follows, of `{closure#1}...`.
fn numbered(text: &str) -> Option<(&str, &str)> {
    let (inner, after) = text.strip_prefix('{')?.split_once('}')?;
    let (word, number) = inner.split_once('#')?;
    let plain = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte == b':');
    let counted = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (plain && counted).then(|| (&text[..=word.len()], after))
}

/// What follows `::h0123456789abcdef`.
fn hashed(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("::h")?;
    let (hash, after) = (rest.get(..16)?, &rest[16..]);
    let ends = !after.starts_with(|letter: char| letter.is_alphanumeric() || letter == '_');
    (ends && hash.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(after)
}

/// The last part of a type's path, without arguments: `Grid` of `logic::Grid<f32>`.
pub(super) fn short(name: &str) -> &str {
    let path = match name.find('<') {
        Some(start) if start > 0 => &name[..start],
        _ => name,
    };
    path.rsplit("::").next().unwrap_or(path)
}

/// Whether it is a type of the standard library, or of the collections that are built like its own: what it holds is
/// told by its arguments, not by its insides.
#[must_use]
pub fn is_standard(name: &str) -> bool {
    matches!(name.split("::").next(), Some("core" | "alloc" | "std" | "hashbrown" | "indexmap")) && name.contains("::")
}

/// Whether it is the handle of a carried value.
pub(super) fn is_carried(name: &str) -> bool {
    name.starts_with("pitstop_reloadable::state::") && name.contains("::State<")
}

/// A type's name for a person: without the paths of the standard library and the arguments that are its defaults.
#[must_use]
pub fn shown(name: &str) -> String {
    let mut result = String::with_capacity(name.len());
    let mut rest = name;
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !is_of_path(letter)).unwrap_or(rest.len());
        let (path, tail) = rest.split_at(end);
        result.push_str(if is_standard(path) { short(path) } else { path });
        let mut letters = tail.chars();
        result.extend(letters.next());
        rest = letters.as_str();
    }
    for default in [", Global", ", RandomState", ", DefaultHashBuilder"] {
        result = result.replace(&format!("{default}>"), ">");
    }
    result
}

fn is_of_path(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == ':'
}

/// How a name begins if it is one of a pointer, and the rest: `&mut ` and `logic::World`; `unsafe fn(` and so on.
pub(super) fn pointer(name: &str) -> Option<(&str, &str)> {
    let references = ["&mut ", "&", "*const ", "*mut "];
    if let Some(prefix) = references.iter().find(|prefix| name.starts_with(**prefix)) {
        return Some(name.split_at(prefix.len()));
    }
    if is_function(name) {
        return name.find("fn(").map(|start| name.split_at(start + "fn(".len()));
    }
    let boxed = "alloc::boxed::Box<";
    name.starts_with(boxed).then(|| name.split_at(boxed.len()))
}

/// Whether it is the name of a function pointer.
pub(super) fn is_function(name: &str) -> bool {
    ["fn(", "unsafe fn(", "extern ", "unsafe extern ", "for<"].iter().any(|start| name.starts_with(start))
        && name.contains("fn(")
}

/// Whether a pointer of such a name points to many: `&[T]`, `Box<[T]>`; an array's name is not one.
pub(super) fn is_slice_pointer(name: &str) -> bool {
    pointer(name).is_some_and(|(_, to)| to.starts_with('['))
}

/// What two types must have in common to be one type whose insides may have changed.
pub(super) fn family(ty: &Type) -> Cow<'_, str> {
    let name = ty.name.as_str();
    if let Some((prefix, to)) = pointer(name) {
        let fat = matches!(&ty.kind, Kind::Struct { .. });
        return match &ty.kind {
            Kind::Struct { fields } if fields.iter().any(|field| field.name == "vtable") => normalised(name),
            _ if fat && to.starts_with('[') => Cow::Owned(format!("{prefix}[")),
            _ if fat => normalised(name),
            _ => Cow::Borrowed(prefix),
        };
    }
    match name.chars().next() {
        Some(mark @ ('(' | '[')) => Cow::Owned(mark.to_string()),
        _ => Cow::Owned(path(&normalised(name))),
    }
}

/// Without all arguments: `logic::update::{closure_env}` of `logic::update<u8>::{closure_env}<u16>`.
fn path(name: &str) -> String {
    let mut result = String::with_capacity(name.len());
    let mut depth = 0_usize;
    let mut previous = ' ';
    for letter in name.chars() {
        match letter {
            '<' => depth += 1,
            '>' if previous != '-' => depth = depth.saturating_sub(1),
            _ if depth == 0 => result.push(letter),
            _ => {}
        }
        previous = letter;
    }
    result
}

/// The arguments of a type that are values: `3` of `Fixed<f32, 3>`. Two types that differ in these are two types.
pub(super) fn constants(name: &str) -> Vec<&str> {
    let mut result = Vec::new();
    let mut open = 0_usize;
    let mut start = 0;
    let mut previous = ' ';
    for (at, letter) in name.char_indices() {
        let ends = match letter {
            '<' | '(' | '[' => {
                open += 1;
                open == 1
            }
            '>' if previous == '-' => false,
            '>' | ')' | ']' => {
                open = open.saturating_sub(1);
                open == 0
            }
            ',' => open == 1,
            _ => false,
        };
        if ends {
            let argument = name[start..at].trim();
            if is_constant(argument) {
                result.push(argument);
            }
            start = at + letter.len_utf8();
        }
        previous = letter;
    }
    result
}

fn is_constant(argument: &str) -> bool {
    let value = argument.starts_with(|letter: char| letter.is_ascii_digit() || matches!(letter, '-' | '\''));
    value || argument.starts_with("{CONST") || matches!(argument, "true" | "false")
}

#[cfg(test)]
mod tests {
    use super::{constants, is_standard, normalised, path, shown};

    #[test]
    fn numbers_and_hashes_do_not_count() {
        assert_eq!(normalised("logic::f::{closure_env#3}<u8>"), "logic::f::{closure_env}<u8>");
        assert_eq!(normalised("logic::{impl#2}::T"), "logic::{impl}::T");
        assert_eq!(normalised("logic::f::h0123456789abcdef"), "logic::f");
        assert_eq!(normalised("logic::height::Höhe{"), "logic::height::Höhe{");
        assert_eq!(normalised("Fixed<{CONST#12}>"), "Fixed<{CONST#12}>");
    }

    #[test]
    fn values_among_arguments_are_told_from_types() {
        assert_eq!(constants("logic::Fixed<f32, 3, true, -1, [u8; 4]>"), ["3", "true", "-1"]);
        assert_eq!(constants("alloc::vec::Vec<logic::Fixed<3>>"), [""; 0]);
    }

    #[test]
    fn names_are_shortened_for_people() {
        assert_eq!(shown("alloc::vec::Vec<logic::Ball, alloc::alloc::Global>"), "Vec<logic::Ball>");
        assert_eq!(shown("&mut [logic::Ball]"), "&mut [logic::Ball]");
        assert_eq!(path("logic::f<fn(u8) -> u8>::{closure}<u16>"), "logic::f::{closure}");
        assert!(is_standard("core::cell::Cell<u8>") && !is_standard("coreless::A"));
    }
}
