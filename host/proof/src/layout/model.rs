//! The types that cross the border of an image or of a program, as a graph.

use serde::{Deserialize, Serialize};

/// The version of the graph's form as JSON. A reader passes over any other.
pub const FORMAT: u32 = 1;

/// All that is known of the types which cross the border of one image or program.
///
/// Types are numbered in the order in which a walk from the roots first meets them, and roots and statics are sorted by
/// name, so that two equal borders give two equal values, and equal JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layouts {
    /// [`FORMAT`].
    pub format: u32,
    /// What could not be read, and why, in sentences for a person: `the file has no debug info`. Empty: everything.
    pub gaps: Vec<String>,
    /// Where types cross. A slot without debug info has no root.
    pub roots: Vec<Root>,
    /// All types that the roots reach.
    pub types: Vec<Type>,
    /// The tables of the traits behind `dyn`, as far as the file tells their methods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vtables: Vec<Vtable>,
    /// Variables of the crate itself that every image has a copy of.
    pub statics: Vec<Static>,
}

/// The methods of a trait, in the order in which calls find them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vtable {
    /// The type: `dyn logic::Draw`.
    pub name: String,
    /// By place; `None` where no one name is known.
    pub methods: Vec<Option<String>>,
}

/// A type by its place in [`Layouts::types`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TypeId(pub u32);

/// Where types cross the border.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// The slot's name, as in the descriptor: `logic::update`; the symbol of a [`RootKind::Export`]; the type's name for a
    /// [`RootKind::Keyed`] and a [`RootKind::Own`].
    pub name: String,
    /// In which way.
    pub kind: RootKind,
    /// A [`Kind::Function`] for a function, and the type itself otherwise.
    pub ty: TypeId,
}

/// How a type crosses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RootKind {
    /// By the signature of a reloadable function.
    Slot,
    /// As what a method behind `dyn` takes and gives, its receiver aside. The name is `dyn logic::Draw::draw`.
    Method,
    /// The crate takes the type's `TypeId`, and a reachable type keeps values by `TypeId` (`dyn Any`, a type map, Bevy's
    /// components): a value of it may lie there.
    Keyed,
    /// As the value of a `pitstop_reloadable::State`, which is migrated where its layout changes. A function that takes the
    /// type; the name is that of its record, `logic::State<World>`.
    Carried,
    /// By the signature of an exported function, in a file that Pitstop did not build.
    Export,
    /// A type that the file's own crate defines, where it exports no function.
    Own,
}

/// A type's layout.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Type {
    /// Its full name with all arguments, without what changes from build to build: `alloc::vec::Vec<logic::Ball,
    /// alloc::alloc::Global>`, `&mut logic::World`, `[f32; 3]`, `(u8, u16)`.
    pub name: String,
    /// In bytes; `None` where debug info does not say.
    pub size: Option<u64>,
    /// In bytes; `None` where debug info does not say.
    pub align: Option<u64>,
    /// The type's arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub generics: Vec<Generic>,
    /// What it consists of.
    pub kind: Kind,
}

/// A type's argument: `T` of `Vec<T>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Generic {
    /// The parameter's name.
    pub name: String,
    /// What stands for it.
    pub ty: TypeId,
}

/// What a type consists of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// `f32`, `bool`, `char`, `()`: the name says all.
    Scalar,
    /// Struct, tuple, closure, or fat pointer (fields `data_ptr` and `length`, or `pointer` and `vtable`), in the order
    /// of their offsets.
    Struct {
        /// Its fields.
        fields: Vec<Field>,
    },
    /// All fields at once.
    Union {
        /// Its fields.
        fields: Vec<Field>,
    },
    /// An enum of which some variants have fields, `Option` among them.
    Enum {
        /// Where the discriminant is, or the niche that stands for it; `None` for an enum of one variant.
        tag: Option<Field>,
        /// In the order of their declaration.
        variants: Vec<Variant>,
    },
    /// An enum of names only.
    Names {
        /// The integer that holds it.
        repr: TypeId,
        /// In the order of their declaration; each with its [`Variant::value`] and without fields.
        variants: Vec<Variant>,
    },
    /// A thin pointer of any kind: reference, raw, or `Box`; the name tells which.
    Pointer {
        /// What is there.
        to: TypeId,
    },
    /// `[T; N]`.
    Array {
        /// `T`.
        of: TypeId,
        /// `N`.
        count: u64,
    },
    /// What a function pointer points to.
    Function {
        /// In order.
        parameters: Vec<TypeId>,
        /// `None` for `()`.
        result: Option<TypeId>,
    },
    /// Nothing is said of it but its name: `dyn Trait`, `str`, or a type that debug info leaves out.
    Opaque,
}

/// A part at a fixed place.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Field {
    /// Its name; `0`, `1` and so on in tuples.
    pub name: String,
    /// In bytes from the beginning of the type.
    pub offset: u64,
    /// Its type.
    pub ty: TypeId,
}

/// One alternative of an enum.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Variant {
    /// Its name.
    pub name: String,
    /// What the tag holds for it; `None` for the variant that a niche leaves to all other values.
    pub value: Option<i128>,
    /// Its fields, at offsets from the beginning of the enum.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
}

/// A variable that every image has a copy of, so that it starts afresh with each generation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Static {
    /// Its path: `logic::COUNT`.
    pub name: String,
    /// One per thread, or one for all.
    pub thread_local: bool,
}

impl Layouts {
    /// Those of a file of which nothing could be read, and why.
    #[must_use]
    pub fn unread(why: String) -> Self {
        Self { format: FORMAT, gaps: vec![why], ..Self::default() }
    }

    /// A type by its number.
    #[must_use]
    pub fn get(&self, id: TypeId) -> Option<&Type> {
        self.types.get(usize::try_from(id.0).ok()?)
    }

    /// The root of a slot.
    #[must_use]
    pub fn slot(&self, name: &str) -> Option<&Root> {
        self.root(RootKind::Slot, name)
    }

    /// A root by its kind and name.
    #[must_use]
    pub fn root(&self, kind: RootKind, name: &str) -> Option<&Root> {
        self.roots.iter().find(|root| root.kind == kind && root.name == name)
    }
}
