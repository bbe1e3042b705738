//! Compares the signature asked for with the one found.

use super::parse::{Signature, Tree, shown_signature};
use super::{Found, Language, Shape, Ty};
use std::fmt;

/// Compares with a function pointer type as [`std::any::type_name`] prints it, for example `fn(&mut logic::World, f32)`
/// or `unsafe extern "C" fn(*const u8, usize) -> i32`. When they differ: both as signatures to show, the wanted first.
///
/// Types of Rust must be the same by name, but for the modules they are in, as far as names can be compared. For other
/// languages `extern "C"` must be asked for; scalars and pointers must be of one kind, aggregates named alike.
pub fn compare(wanted: &str, found: &Found) -> Result<(), (String, String)> {
    let Some(Tree::Function(signature)) = Tree::parse(wanted) else {
        return Err((wanted.to_owned(), shown(found, &Signature::default())));
    };
    if signature.agrees(found) { Ok(()) } else { Err((signature.to_string(), shown(found, &signature))) }
}

impl Signature {
    fn agrees(&self, found: &Found) -> bool {
        // Debug info does not tell the ABI of a Rust function.
        let callable = found.source_language == Language::Rust || self.is_c();
        let result = match (&self.result, &found.result) {
            (None, None) => true,
            (Some(wanted), Some(found_result)) => agree(wanted, found_result, found.source_language),
            (Some(_), None) => false,
            (None, Some(result)) => result.shape == Shape::Never && found.source_language != Language::Rust,
        };
        let pairs = self.parameters.iter().zip(&found.parameters);
        let parameters = pairs.into_iter().all(|(wanted, ty)| agree(wanted, ty, found.source_language));
        let arity = self.parameters.len() == found.parameters.len() && self.variadic == found.variadic;
        callable && arity && parameters && result
    }

    fn is_c(&self) -> bool {
        self.abi.as_deref().is_some_and(|abi| matches!(plain_abi(abi), "C" | "cdecl"))
    }
}

/// The ABI's name without what makes no difference to a call. `system` differs from `C` only in 32-bit Windows.
fn plain_abi(abi: &str) -> &str {
    match abi.trim_end_matches("-unwind") {
        "system" if !cfg!(all(windows, target_arch = "x86")) => "C",
        abi => abi,
    }
}

fn agree(wanted: &Tree, found: &Ty, language: Language) -> bool {
    if language != Language::Rust {
        return fits(wanted, found);
    }
    // Of results that never come, debug info does not tell the type.
    if found.shape == Shape::Never {
        return matches!(wanted, Tree::Never) || is_infallible(wanted);
    }
    match (Tree::parse(&found.name), layout(wanted), &found.shape) {
        (Some(tree), _, _) => same(wanted, &tree),
        // Without a name that can be compared, it must at least be passed in the same way.
        (None, Layout::Fat | Layout::Named(_) | Layout::Unknown, Shape::Aggregate { .. }) => true,
        (None, _, _) => fits(wanted, found),
    }
}

fn is_infallible(tree: &Tree) -> bool {
    matches!(tree, Tree::Named { name, standard: true, .. } if name == "Infallible")
}

/// Whether two types of Rust have the same name.
pub(super) fn same(wanted: &Tree, found: &Tree) -> bool {
    let all = |wanted: &[Tree], found: &[Tree]| wanted.iter().zip(found).all(|(wanted, found)| same(wanted, found));
    match (wanted, found) {
        (Tree::Undecided, other) | (other, Tree::Undecided) => {
            matches!(layout(other), Layout::Named(_) | Layout::Unknown)
        }
        (Tree::Never, Tree::Never) => true,
        (Tree::Named { name, arguments, .. }, Tree::Named { name: other, arguments: others, .. }) => {
            // Arguments that are the default are left out on the wanted side.
            canonical(name) == canonical(other) && arguments.len() <= others.len() && all(arguments, others)
        }
        (Tree::Binding(name, ty), Tree::Binding(other, found)) => name == other && same(ty, found),
        (Tree::Pointer(kind, to), Tree::Pointer(other, found)) => kind == other && same(to, found),
        (Tree::Slice(wanted), Tree::Slice(found)) => same(wanted, found),
        (Tree::Array(wanted, length), Tree::Array(found, other)) => length == other && same(wanted, found),
        (Tree::Tuple(wanted), Tree::Tuple(found)) => wanted.len() == found.len() && all(wanted, found),
        (Tree::Dyn(wanted), Tree::Dyn(found)) => {
            let has = |bound| found.iter().any(|other| same(bound, other));
            wanted.len() == found.len() && wanted.iter().all(has)
        }
        (Tree::Function(wanted), Tree::Function(found)) => same_signature(wanted, found),
        _ => false,
    }
}

fn same_signature(wanted: &Signature, found: &Signature) -> bool {
    let result = match (&wanted.result, &found.result) {
        (None, None) => true,
        (Some(wanted), Some(found)) => same(wanted, found),
        _ => false,
    };
    let pairs = wanted.parameters.iter().zip(&found.parameters);
    wanted.abi.as_deref().map(plain_abi) == found.abi.as_deref().map(plain_abi)
        && wanted.variadic == found.variadic
        && wanted.parameters.len() == found.parameters.len()
        && pairs.into_iter().all(|(wanted, found)| same(wanted, found))
        && result
}

/// `usize` is the integer of its width.
fn canonical(name: &str) -> &str {
    match (name, size_of::<usize>()) {
        ("usize", 8) => "u64",
        ("isize", 8) => "i64",
        ("usize", 4) => "u32",
        ("isize", 4) => "i32",
        _ => name,
    }
}

/// How a type of Rust is passed, as far as its name tells.
enum Layout<'t> {
    Scalar(Shape),
    Thin,
    Fat,
    /// A struct, union or enum; perhaps one that is passed as its only field.
    Named(&'t str),
    Unknown,
}

fn layout(tree: &Tree) -> Layout<'_> {
    /// These are passed as what they hold.
    const TRANSPARENT: [&str; 8] =
        ["Cell", "ManuallyDrop", "MaybeUninit", "NonZero", "Pin", "Saturating", "UnsafeCell", "Wrapping"];
    match tree {
        Tree::Never => Layout::Scalar(Shape::Never),
        Tree::Tuple(items) if items.is_empty() => Layout::Scalar(Shape::Unit),
        Tree::Pointer(_, to) => pointer(to),
        Tree::Function(_) => Layout::Thin,
        Tree::Named { name, standard: true, arguments } => match (name.as_str(), arguments.as_slice()) {
            ("Box" | "NonNull", [to, ..]) => pointer(to),
            ("Option", [some]) if is_never_null(some) => layout(some),
            (name, [inner]) if TRANSPARENT.contains(&name) => layout(inner),
            (name, _) => Layout::Named(name),
        },
        Tree::Named { name, arguments, .. } if arguments.is_empty() => {
            scalar(name).map_or(Layout::Named(name), Layout::Scalar)
        }
        Tree::Named { name, .. } => Layout::Named(name),
        _ => Layout::Unknown,
    }
}

fn pointer(to: &Tree) -> Layout<'_> {
    match to {
        Tree::Slice(_) | Tree::Dyn(_) => Layout::Fat,
        Tree::Named { name, standard: false, arguments } if name == "str" && arguments.is_empty() => Layout::Fat,
        Tree::Named { name, standard: true, .. } if matches!(name.as_str(), "CStr" | "OsStr" | "Path") => Layout::Fat,
        _ => Layout::Thin,
    }
}

/// Whether `Option` of it takes no more room than itself.
fn is_never_null(tree: &Tree) -> bool {
    match tree {
        Tree::Function(_) => true,
        Tree::Pointer(kind, _) => kind.starts_with('&'),
        Tree::Named { name, standard, .. } => *standard && matches!(name.as_str(), "Box" | "NonNull" | "NonZero"),
        _ => false,
    }
}

fn scalar(name: &str) -> Option<Shape> {
    let int = |signed, bytes| Shape::Int { signed: Some(signed), bytes };
    Some(match canonical(name) {
        "bool" => Shape::Bool,
        "char" => Shape::Char,
        "i8" => int(true, 1),
        "i16" => int(true, 2),
        "i32" => int(true, 4),
        "i64" => int(true, 8),
        "i128" => int(true, 16),
        "u8" => int(false, 1),
        "u16" => int(false, 2),
        "u32" => int(false, 4),
        "u64" => int(false, 8),
        "u128" => int(false, 16),
        "f16" => Shape::Float { bytes: 2 },
        "f32" => Shape::Float { bytes: 4 },
        "f64" => Shape::Float { bytes: 8 },
        "f128" => Shape::Float { bytes: 16 },
        _ => return None,
    })
}

/// Whether a type of Rust is passed as the type of another language is.
fn fits(wanted: &Tree, found: &Ty) -> bool {
    match (layout(wanted), &found.shape) {
        (_, Shape::Other) => false,
        (Layout::Scalar(wanted), found) => fits_scalar(&wanted, found),
        (Layout::Thin, Shape::Pointer) => true,
        // Its size cannot be told from a name, so that the name must say that the same is meant.
        (Layout::Named(name), _) => found.aliases.iter().any(|alias| squashed(alias) == squashed(name)),
        _ => false,
    }
}

fn fits_scalar(wanted: &Shape, found: &Shape) -> bool {
    match (wanted, found) {
        (Shape::Int { bytes, .. }, Shape::Int { signed: None, bytes: other }) => bytes == other,
        // C++'s `char32_t`.
        (Shape::Int { signed: Some(false), bytes: 4 }, Shape::Char) => true,
        (wanted, found) => wanted == found,
    }
}

/// A name without what differs between C's manner and Rust's: `vec2_t` and `Vec2`.
fn squashed(name: &str) -> String {
    let name = name.strip_suffix("_t").unwrap_or(name);
    name.chars().filter(|letter| *letter != '_').flat_map(char::to_lowercase).collect()
}

impl fmt::Display for Found {
    /// As a function pointer type. Debug info does not tell the ABI of a Rust function.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(self, &Signature::default()))
    }
}

/// What was found as a signature to show. What debug info does not tell is as it was asked for.
fn shown(found: &Found, wanted: &Signature) -> String {
    let abi = match found.source_language {
        Language::Rust => wanted.abi.as_deref(),
        Language::C | Language::Other if wanted.is_c() => wanted.abi.as_deref(),
        Language::C | Language::Other => Some("C"),
    };
    let parameters = found.parameters.iter().map(|ty| shown_type(ty, found.source_language)).collect();
    let result = found.result.as_ref().map(|ty| shown_type(ty, found.source_language));
    shown_signature(wanted.is_unsafe, abi, parameters, found.variadic, result)
}

/// In Rust's words where there is one for it.
fn shown_type(ty: &Ty, language: Language) -> String {
    match &ty.shape {
        _ if language == Language::Rust => Tree::parse(&ty.name).map_or(ty.name.clone(), |tree| tree.to_string()),
        Shape::Never => "!".to_owned(),
        Shape::Bool => "bool".to_owned(),
        Shape::Int { signed: Some(true), bytes } => format!("i{}", bytes.saturating_mul(8)),
        Shape::Int { signed: Some(false), bytes } => format!("u{}", bytes.saturating_mul(8)),
        Shape::Float { bytes } => format!("f{}", bytes.saturating_mul(8)),
        _ => ty.name.clone(),
    }
}
