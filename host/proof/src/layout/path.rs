//! How a part of a type is reached, for people: `World.balls[].radius`.

use super::name::{is_slice_pointer, is_standard, short};
use super::{Kind, Type};
use std::fmt;

/// Longer ways are cut in the middle.
const SHOWN: usize = 24;

/// One step from a type to a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// A pointer, or something else that only wraps: not worth a word.
    Through,
    /// The type that a way begins at.
    Start(&'a str),
    Field(&'a str),
    VariantField(&'a str, &'a str),
    Variant(&'a str),
    Element,
    Keys,
    Some,
    Generic(&'a str),
    Argument(usize),
    Result,
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Through => Ok(()),
            Self::Start(name) => f.write_str(name),
            Self::Field(name) | Self::Variant(name) => write!(f, ".{name}"),
            Self::VariantField(variant, name) => write!(f, ".{variant}.{name}"),
            Self::Element => f.write_str("[]"),
            Self::Keys => f.write_str(".keys()"),
            Self::Some => f.write_str("?"),
            Self::Generic(name) => write!(f, "<{name}>"),
            Self::Argument(index) => write!(f, "(argument {index})"),
            Self::Result => f.write_str("(result)"),
        }
    }
}

impl<'a> Step<'a> {
    /// To one of a type's fields.
    pub(super) fn field(holder: &'a Type, name: &'a str) -> Self {
        match name {
            "data_ptr" if is_slice_pointer(&holder.name) => Self::Element,
            "data_ptr" | "length" | "pointer" | "vtable" if super::name::pointer(&holder.name).is_some() => {
                Self::Through
            }
            _ => Self::Field(name),
        }
    }

    /// To one of a type's arguments.
    pub(super) fn generic(holder: &'a Type, index: usize, name: &'a str) -> Self {
        if !is_standard(&holder.name) {
            return Self::Generic(name);
        }
        match (short(&holder.name), index) {
            ("Vec" | "VecDeque" | "LinkedList" | "BinaryHeap" | "HashSet" | "BTreeSet" | "IndexSet", 0) => {
                Self::Element
            }
            ("HashMap" | "BTreeMap" | "IndexMap", 0) => Self::Keys,
            ("HashMap" | "BTreeMap" | "IndexMap", 1) => Self::Element,
            ("Option", 0) => Self::Some,
            ("Result", 0) => Self::Variant("Ok"),
            ("Result", 1) => Self::Variant("Err"),
            (wrapper, 0) if is_wrapper(wrapper) => Self::Through,
            _ => Self::Generic(name),
        }
    }
}

fn is_wrapper(short: &str) -> bool {
    const WRAPPERS: [&str; 26] = [
        "Box",
        "Rc",
        "Arc",
        "Weak",
        "Cell",
        "RefCell",
        "Ref",
        "RefMut",
        "UnsafeCell",
        "SyncUnsafeCell",
        "Mutex",
        "RwLock",
        "OnceCell",
        "OnceLock",
        "LazyCell",
        "LazyLock",
        "Pin",
        "ManuallyDrop",
        "MaybeUninit",
        "NonNull",
        "NonZero",
        "Wrapping",
        "Cow",
        "PhantomData",
        "Unique",
        "Atomic",
    ];
    WRAPPERS.contains(&short) || short.starts_with("Atomic")
}

/// A way from a root, by its last step; `None`: nothing to speak of yet.
pub(super) type Way = Option<usize>;

/// All ways, each a step further than another.
#[derive(Default)]
pub(super) struct Paths<'a> {
    steps: Vec<Reached<'a>>,
}

struct Reached<'a> {
    from: Way,
    step: Step<'a>,
    length: usize,
    /// Where the part of the way ends that is shown in any case.
    head: usize,
}

impl<'a> Paths<'a> {
    /// One step on from `holder`, which a way that has no name yet begins at.
    pub(super) fn on(&mut self, way: Way, holder: &'a Type, step: Step<'a>) -> Way {
        let way = match step {
            Step::Through => return way,
            Step::Element if way.is_none() && !is_named(holder) => return None,
            _ if way.is_none() && is_named(holder) => self.push(None, Step::Start(short(&holder.name))),
            _ => way,
        };
        self.push(way, step)
    }

    fn push(&mut self, from: Way, step: Step<'a>) -> Way {
        let at = self.steps.len();
        let before = from.and_then(|from| self.steps.get(from));
        let length = before.map_or(1, |before| before.length + 1);
        let head = before.filter(|_| length > SHOWN / 2).map_or(at, |before| before.head);
        self.steps.push(Reached { from, step, length, head });
        Some(at)
    }

    /// The way to `ty`, as text; what it is called if it has no name yet.
    pub(super) fn show(&self, way: Way, ty: &'a Type) -> String {
        match way {
            None if is_named(ty) => short(&ty.name).to_owned(),
            way => self.text(way),
        }
    }

    /// The way as text.
    pub(super) fn text(&self, way: Way) -> String {
        let Some(reached) = way.and_then(|at| self.steps.get(at)) else { return String::new() };
        let text = if reached.length <= SHOWN {
            self.last(way, SHOWN)
        } else {
            format!("{}.…{}", self.last(Some(reached.head), SHOWN), self.last(way, SHOWN / 2))
        };
        text.trim_start_matches('.').to_owned()
    }

    fn last(&self, way: Way, count: usize) -> String {
        let before = |reached: &&Reached<'a>| reached.from.and_then(|at| self.steps.get(at));
        let steps = std::iter::successors(way.and_then(|at| self.steps.get(at)), before).take(count);
        let steps: Vec<String> = steps.map(|reached| reached.step.to_string()).collect();
        steps.into_iter().rev().collect()
    }
}

/// Whether it has a name that a person gave it.
fn is_named(ty: &Type) -> bool {
    let named = matches!(ty.kind, Kind::Struct { .. } | Kind::Union { .. } | Kind::Enum { .. } | Kind::Names { .. });
    named && !ty.name.starts_with(['(', '[', '&', '*']) && super::name::pointer(&ty.name).is_none()
}
