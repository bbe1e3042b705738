//! Pairs of types: what differs in the two themselves, and which pairs they lead to.

use super::compare::{Extent, Resized};
use super::name::{constants, family, is_standard, normalised, pointer, shown};
use super::path::Step;
use super::{Field, Kind, Layouts, Type, TypeId, Variant};
use crate::order::sort;
use std::collections::HashMap;

/// All pairs that the roots lead to.
pub(super) struct Pairs<'a> {
    expected: &'a Layouts,
    found: &'a Layouts,
    pairs: Vec<(TypeId, TypeId)>,
    numbers: HashMap<(TypeId, TypeId), usize>,
    nodes: Vec<Node<'a>>,
    /// The types of both by name, once they are asked for.
    names: Option<(Names<'a>, Names<'a>)>,
}

/// `None`: more than one type has the name.
type Names<'a> = HashMap<&'a str, Option<TypeId>>;

/// What one pair is like.
#[derive(Default)]
pub(super) struct Node<'a> {
    /// The two are different things altogether.
    pub(super) replaced: bool,
    /// Two types of different names: they match if all else does.
    pub(super) renamed: bool,
    pub(super) resized: Option<Resized>,
    pub(super) locals: Vec<Local<'a>>,
    pub(super) edges: Vec<Edge<'a>>,
    /// What differs and changes no byte.
    pub(super) notes: Vec<(Step<'a>, String)>,
    /// Variants, and what they are now called.
    pub(super) renames: Vec<(Step<'a>, &'a str)>,
    pub(super) unproven: Option<String>,
}

impl Node<'_> {
    /// Whether the two differ in themselves, whatever they lead to.
    pub(super) fn differs(&self) -> bool {
        self.replaced || self.resized.is_some() || !self.locals.is_empty()
    }
}

/// A difference in the two types themselves.
pub(super) struct Local<'a> {
    pub(super) weight: Weight,
    pub(super) step: Step<'a>,
    pub(super) expected: String,
    pub(super) found: String,
}

/// What explains a difference, so that it need not be told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// Nothing.
    Primary,
    /// The place of a field: that another was added, removed, or takes other room.
    Place,
    /// What stands for a variant: that another was added or removed, or any change in what it is kept in.
    Tag,
}

/// From a pair to one that it leads to.
pub(super) struct Edge<'a> {
    pub(super) to: usize,
    pub(super) step: Step<'a>,
    /// A type's argument.
    pub(super) generic: bool,
    /// The bytes are part of the holder's.
    pub(super) by_value: bool,
    pub(super) offsets: Option<(u64, u64)>,
    /// The field's other name.
    pub(super) renamed: Option<&'a str>,
}

impl<'a> Pairs<'a> {
    pub(super) fn new(expected: &'a Layouts, found: &'a Layouts) -> Self {
        Self { expected, found, pairs: Vec::new(), numbers: HashMap::new(), nodes: Vec::new(), names: None }
    }

    /// The number of a pair.
    pub(super) fn add(&mut self, expected: TypeId, found: TypeId) -> usize {
        let next = self.pairs.len();
        let number = *self.numbers.entry((expected, found)).or_insert(next);
        if number == next {
            self.pairs.push((expected, found));
        }
        number
    }

    /// Adds all pairs that those added lead to; `false` if there are more than `most` ways between them.
    pub(super) fn follow(&mut self, most: usize) -> bool {
        let mut ways = 0;
        while let Some((expected, found)) = self.pairs.get(self.nodes.len()).copied() {
            let node = if ways < most { self.examine(expected, found) } else { Node::default() };
            ways += node.edges.len();
            self.nodes.push(node);
        }
        ways < most
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn node(&self, at: usize) -> &Node<'a> {
        &self.nodes[at]
    }

    pub(super) fn types(&self, at: usize) -> Option<(&'a Type, &'a Type)> {
        let (expected, found) = *self.pairs.get(at)?;
        Some((self.expected.get(expected)?, self.found.get(found)?))
    }

    /// For each pair, whether something differs in it or in one that it leads to.
    pub(super) fn mismatched(&self) -> Vec<bool> {
        let mut holders = vec![Vec::new(); self.nodes.len()];
        for (at, node) in self.nodes.iter().enumerate() {
            node.edges.iter().for_each(|edge| holders[edge.to].push(at));
        }
        let mut mismatched: Vec<bool> = self.nodes.iter().map(Node::differs).collect();
        let mut open: Vec<usize> = (0..self.nodes.len()).filter(|at| mismatched[*at]).collect();
        while let Some(at) = open.pop() {
            for holder in &holders[at] {
                if !std::mem::replace(&mut mismatched[*holder], true) {
                    open.push(*holder);
                }
            }
        }
        mismatched
    }

    fn examine(&mut self, expected: TypeId, found: TypeId) -> Node<'a> {
        let (Some(expected), Some(found)) = (self.expected.get(expected), self.found.get(found)) else {
            return Node { unproven: Some("its type is missing".to_owned()), ..Node::default() };
        };
        let mut node = Node::default();
        let is_opaque = |ty: &Type| matches!(ty.kind, Kind::Opaque);
        if is_opaque(expected) || is_opaque(found) {
            let both = is_opaque(expected) && is_opaque(found);
            match (element(&expected.name), element(&found.name)) {
                (Some(of), Some(other)) if both && !(of == other && is_primitive(of)) => {
                    self.slices(&mut node, expected, of, other);
                }
                _ => opaque(&mut node, expected, found, both),
            }
            return node;
        }
        if expected.name != found.name {
            node.renamed = match relation(expected, found) {
                Relation::Same => false,
                Relation::Renamed => true,
                Relation::Other => return replaced(),
            };
        }
        if expected.generics.len() != found.generics.len() {
            return replaced();
        }
        measure(&mut node, expected, found);
        for (index, (generic, other)) in expected.generics.iter().zip(&found.generics).enumerate() {
            let to = self.add(generic.ty, other.ty);
            let step = Step::generic(expected, index, &generic.name);
            node.edges.push(Edge { to, step, generic: true, by_value: false, offsets: None, renamed: None });
        }
        match (&expected.kind, &found.kind) {
            // Of these, there is nothing inside that could have changed.
            (Kind::Scalar, Kind::Scalar) if node.resized.is_none() => {}
            (Kind::Pointer { to }, Kind::Pointer { to: other }) => {
                let to = self.add(*to, *other);
                node.edges.push(Edge::through(to, Step::Through));
            }
            (Kind::Array { of, count }, Kind::Array { of: other, count: length }) if count == length => {
                let to = self.add(*of, *other);
                node.edges.push(Edge { by_value: true, ..Edge::through(to, Step::Element) });
            }
            (Kind::Function { parameters, result }, Kind::Function { parameters: others, result: other_result })
                if parameters.len() == others.len() =>
            {
                for (index, (parameter, other)) in parameters.iter().zip(others).enumerate() {
                    let to = self.add(*parameter, *other);
                    node.edges.push(Edge::through(to, Step::Argument(index)));
                }
                match (self.result(self.expected, *result), self.result(self.found, *other_result)) {
                    (None, None) => {}
                    (Some(result), Some(other)) => {
                        let to = self.add(result, other);
                        node.edges.push(Edge::through(to, Step::Result));
                    }
                    _ => return replaced(),
                }
            }
            (Kind::Struct { fields }, Kind::Struct { fields: others })
            | (Kind::Union { fields }, Kind::Union { fields: others }) => {
                let step = |name| Step::field(expected, name);
                self.fields(&mut node, fields, others, &step);
            }
            _ => match (Choice::of(expected), Choice::of(found)) {
                (Some(choice), Some(other)) => self.choice(&mut node, &choice, &other),
                _ => return replaced(),
            },
        }
        node
    }

    /// What is in a slice of unknown length, as in `Rc<[T]>`: it must be described somewhere else.
    fn slices(&mut self, node: &mut Node<'a>, expected: &'a Type, of: &'a str, other: &'a str) {
        let (expected_names, found_names) = (self.expected, self.found);
        let names = self.names.get_or_insert_with(|| (by_name(expected_names), by_name(found_names)));
        match (names.0.get(of).copied().flatten(), names.1.get(other).copied().flatten()) {
            (Some(of), Some(other)) => {
                let to = self.add(of, other);
                node.edges.push(Edge::through(to, Step::Element));
            }
            _ => node.unproven = Some(format!("nothing is known of {}", expected.name)),
        }
    }

    /// `()` is no result.
    fn result(&self, layouts: &Layouts, result: Option<TypeId>) -> Option<TypeId> {
        result.filter(|id| layouts.get(*id).is_none_or(|ty| ty.name != "()" || !matches!(ty.kind, Kind::Scalar)))
    }

    /// Fields by name; what is left over by place.
    fn fields(
        &mut self,
        node: &mut Node<'a>,
        expected: &'a [Field],
        found: &'a [Field],
        step: &dyn Fn(&'a str) -> Step<'a>,
    ) {
        let (mut both, mut only_expected, mut only_found) =
            matched(expected, found, |field| (&field.name, field.offset));
        // A tuple's fields are counted, so that one without bytes can take the name of one that has some.
        both.retain(|(field, other)| {
            let alike = self.is_weightless(self.expected, field) == self.is_weightless(self.found, other);
            if !alike {
                only_expected.push(*field);
                only_found.push(*other);
            }
            alike
        });
        for (field, other) in both {
            let offsets = Some((field.offset, other.offset));
            let to = self.add(field.ty, other.ty);
            let step = step(&field.name);
            let weightless = self.is_weightless(self.expected, field) && self.is_weightless(self.found, other);
            if field.offset != other.offset && !weightless {
                let (expected, found) = (self.text(self.expected, field), self.text(self.found, other));
                node.locals.push(Local { weight: Weight::Place, step, expected, found });
            }
            node.edges.push(Edge { to, step, generic: false, by_value: true, offsets, renamed: None });
        }
        let mut added: Vec<Option<&Field>> = only_found.into_iter().map(Some).collect();
        let mut lost = Vec::new();
        for field in only_expected {
            // A union has many fields at one place: the one of the same type, if there is one.
            let is_at = |other: &Option<&Field>| other.is_some_and(|other| self.may_be_renamed(field, other));
            let name = self.name(self.expected, field);
            let same = |other: &Option<&Field>| other.is_some_and(|other| self.name(self.found, other) == name);
            let place = added.iter().position(|other| is_at(other) && same(other));
            match place.or_else(|| added.iter().position(is_at)).and_then(|at| added[at].take()) {
                Some(other) => {
                    let to = self.add(field.ty, other.ty);
                    let offsets = Some((field.offset, other.offset));
                    let renamed = Some(other.name.as_str());
                    let step = step(&field.name);
                    node.edges.push(Edge { to, step, generic: false, by_value: true, offsets, renamed });
                }
                None => lost.push(field),
            }
        }
        const NONE: &str = "no such field";
        for field in lost {
            let (step, text) = (step(&field.name), self.text(self.expected, field));
            if self.is_weightless(self.expected, field) {
                node.notes.push((step, "is gone; it had no bytes".to_owned()));
            } else {
                node.locals.push(Local { weight: Weight::Primary, step, expected: text, found: NONE.to_owned() });
            }
        }
        for field in added.into_iter().flatten() {
            let (step, text) = (step(&field.name), self.text(self.found, field));
            if self.is_weightless(self.found, field) {
                node.notes.push((step, "is new; it has no bytes".to_owned()));
            } else {
                node.locals.push(Local { weight: Weight::Primary, step, expected: NONE.to_owned(), found: text });
            }
        }
    }

    fn may_be_renamed(&self, field: &Field, other: &Field) -> bool {
        let weightless = self.is_weightless(self.expected, field) || self.is_weightless(self.found, other);
        field.offset == other.offset && !weightless
    }

    /// Whether a field has no bytes and moves no other.
    fn is_weightless(&self, layouts: &Layouts, field: &Field) -> bool {
        layouts.get(field.ty).is_some_and(|ty| ty.size == Some(0) && matches!(ty.align, None | Some(1)))
    }

    fn name(&self, layouts: &'a Layouts, field: &Field) -> &'a str {
        layouts.get(field.ty).map_or("?", |ty| &ty.name)
    }

    fn text(&self, layouts: &'a Layouts, field: &Field) -> String {
        format!("{} at {}", shown(self.name(layouts, field)), field.offset)
    }

    fn choice(&mut self, node: &mut Node<'a>, expected: &Choice<'a>, found: &Choice<'a>) {
        if let (Some((_, tag)), Some((_, other))) = (expected.tag, found.tag)
            && (self.expected.get(tag).is_none() || self.found.get(other).is_none())
        {
            node.unproven = Some("the type of its tag is missing".to_owned());
        }
        let (tag, other) = (self.tag(self.expected, expected.tag), self.tag(self.found, found.tag));
        if tag != other {
            node.locals.push(Local { weight: Weight::Tag, step: Step::Through, expected: tag, found: other });
        }
        let (both, lost, added) = matched(expected.variants, found.variants, |variant| (&variant.name, 0));
        for (variant, other) in both {
            if variant.value != other.value {
                let (expected, found) = (stands_for(variant), stands_for(other));
                let step = Step::Variant(&variant.name);
                node.locals.push(Local { weight: Weight::Tag, step, expected, found });
            }
            self.variant(node, variant, other);
        }
        let mut added: Vec<Option<&Variant>> = added.into_iter().map(Some).collect();
        const NONE: &str = "no such variant";
        for variant in lost {
            let step = Step::Variant(&variant.name);
            let unique = expected.is_unique(variant) && found.is_unique(variant);
            let at = added.iter().position(|other| other.is_some_and(|other| unique && is_alike(variant, other)));
            match at.and_then(|at| added[at].take()) {
                Some(other) => {
                    node.renames.push((step, &other.name));
                    self.variant(node, variant, other);
                }
                None => {
                    let (expected, found) = (stands_for(variant), NONE.to_owned());
                    node.locals.push(Local { weight: Weight::Primary, step, expected, found });
                }
            }
        }
        for variant in added.into_iter().flatten() {
            let (expected, found) = (NONE.to_owned(), stands_for(variant));
            node.locals.push(Local { weight: Weight::Primary, step: Step::Variant(&variant.name), expected, found });
        }
    }

    fn variant(&mut self, node: &mut Node<'a>, variant: &'a Variant, other: &'a Variant) {
        let step = |name| Step::VariantField(&variant.name, name);
        self.fields(node, &variant.fields, &other.fields, &step);
    }

    fn tag(&self, layouts: &Layouts, tag: Option<(u64, TypeId)>) -> String {
        let Some((offset, ty)) = tag else { return "no tag".to_owned() };
        let ty = layouts.get(ty);
        let name = ty.map_or("?", |ty| &ty.name);
        let bytes = ty.and_then(|ty| ty.size).map_or(String::new(), |size| format!(" of {size} bytes"));
        format!("tag {}{bytes} at {offset}", normalised(name))
    }
}

impl<'a> Edge<'a> {
    fn through(to: usize, step: Step<'a>) -> Self {
        Self { to, step, generic: false, by_value: false, offsets: None, renamed: None }
    }
}

/// Any enum, with fields or without.
struct Choice<'a> {
    tag: Option<(u64, TypeId)>,
    variants: &'a [Variant],
}

impl<'a> Choice<'a> {
    fn of(ty: &'a Type) -> Option<Self> {
        match &ty.kind {
            Kind::Enum { tag, variants } => Some(Self { tag: tag.as_ref().map(|tag| (tag.offset, tag.ty)), variants }),
            Kind::Names { repr, variants } => Some(Self { tag: Some((0, *repr)), variants }),
            _ => None,
        }
    }

    fn is_unique(&self, variant: &Variant) -> bool {
        self.variants.iter().filter(|other| other.value == variant.value).count() == 1
    }
}

fn replaced<'a>() -> Node<'a> {
    Node { replaced: true, ..Node::default() }
}

fn by_name(layouts: &Layouts) -> Names<'_> {
    let mut names = HashMap::new();
    for (id, ty) in (0_u32..).map(TypeId).zip(&layouts.types) {
        names.entry(ty.name.as_str()).and_modify(|id| *id = None).or_insert(Some(id));
    }
    names
}

/// `T` of `[T]`.
fn element(name: &str) -> Option<&str> {
    name.strip_prefix('[')?.strip_suffix(']')
}

/// Whether a name says all of a type.
fn is_primitive(name: &str) -> bool {
    const NUMBERS: [&str; 14] =
        ["u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize", "f32", "f64"];
    NUMBERS.contains(&name) || matches!(name, "bool" | "char" | "()")
}

fn opaque(node: &mut Node<'_>, expected: &Type, found: &Type, both: bool) {
    let name = normalised(&expected.name);
    // Of these there is nothing to know: what lies behind is reached by the code that made it.
    let by_design = name == "str" || name.starts_with("dyn ") || name.starts_with('[');
    if name != normalised(&found.name) {
        node.replaced = true;
    } else if !both || !by_design {
        node.unproven = Some(format!("nothing is known of {}", expected.name));
    }
}

enum Relation {
    /// One type, perhaps changed inside.
    Same,
    /// Two types that may be one under two names.
    Renamed,
    Other,
}

/// How two types of different names relate.
fn relation(expected: &Type, found: &Type) -> Relation {
    if matches!(expected.kind, Kind::Scalar) {
        let same = normalised(&expected.name) == normalised(&found.name);
        return if same { Relation::Same } else { Relation::Other };
    }
    let ordinary = |ty: &Type| pointer(&ty.name).is_none();
    if ordinary(expected) && ordinary(found) && constants(&expected.name) != constants(&found.name) {
        return Relation::Other;
    }
    if family(expected) == family(found) {
        return Relation::Same;
    }
    let given = |ty: &Type| {
        let aggregate = matches!(ty.kind, Kind::Struct { .. } | Kind::Union { .. }) || Choice::of(ty).is_some();
        aggregate && ordinary(ty) && !ty.name.starts_with(['(', '[']) && !is_standard(&ty.name)
    };
    // The standard library's names mean something: `Saturating<u32>` is not `Wrapping<u32>`.
    if given(expected) && given(found) { Relation::Renamed } else { Relation::Other }
}

fn measure(node: &mut Node<'_>, expected: &Type, found: &Type) {
    if matches!(expected.kind, Kind::Function { .. }) {
        return;
    }
    let (Some(before), Some(after)) = (expected.size, found.size) else {
        node.unproven = Some(format!("the size of {} is not known", expected.name));
        return;
    };
    let aligned = match (expected.align, found.align) {
        (Some(before), Some(after)) => before == after,
        (None, None) => true,
        _ => {
            node.unproven = Some(format!("the alignment of {} is not known", expected.name));
            true
        }
    };
    if before != after || !aligned {
        let expected = Extent { size: before, align: expected.align };
        node.resized = Some(Resized { expected, found: Extent { size: after, align: found.align } });
    }
}

/// Pairs by name, then those that only the one has, then those that only the other has; each in its order of places.
type Matched<'a, T> = (Vec<(&'a T, &'a T)>, Vec<&'a T>, Vec<&'a T>);

/// The name need not be unique: the variables of a future's state may share one.
fn matched<'a, T>(expected: &'a [T], found: &'a [T], key: impl Fn(&'a T) -> (&'a String, u64)) -> Matched<'a, T> {
    let mut others: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut order: Vec<usize> = (0..found.len()).collect();
    sort(&mut order, &|one, other| key(&found[*one]).1.cmp(&key(&found[*other]).1));
    order.into_iter().rev().for_each(|at| others.entry(key(&found[at]).0).or_default().push(at));
    let mut sorted: Vec<&T> = expected.iter().collect();
    sort(&mut sorted, &|one, other| key(one).1.cmp(&key(other).1));
    let (mut both, mut lost) = (Vec::new(), Vec::new());
    let mut taken = vec![false; found.len()];
    for item in sorted {
        match others.get_mut(key(item).0.as_str()).and_then(Vec::pop) {
            Some(at) => {
                taken[at] = true;
                both.push((item, &found[at]));
            }
            None => lost.push(item),
        }
    }
    let added = found.iter().zip(taken).filter(|(_, taken)| !taken).map(|(item, _)| item).collect();
    (both, lost, added)
}

/// Whether two variants have fields at the same places, so that one may be the other under another name.
fn is_alike(variant: &Variant, other: &Variant) -> bool {
    let places = |variant: &Variant| {
        let mut places: Vec<u64> = variant.fields.iter().map(|field| field.offset).collect();
        sort(&mut places, &u64::cmp);
        places
    };
    variant.value == other.value && places(variant) == places(other)
}

fn stands_for(variant: &Variant) -> String {
    variant.value.map_or("the variant of all other values".to_owned(), |value| format!("variant {value}"))
}

/// Two types in words, so that they can be told apart.
pub(super) fn texts(expected: &Type, found: &Type) -> (String, String) {
    let plain = (shown(&expected.name), shown(&found.name));
    if plain.0 != plain.1 {
        return plain;
    }
    if expected.name != found.name {
        return (expected.name.clone(), found.name.clone());
    }
    (described(expected), described(found))
}

fn described(ty: &Type) -> String {
    let kind = match &ty.kind {
        Kind::Scalar => "scalar".to_owned(),
        Kind::Struct { .. } => "struct".to_owned(),
        Kind::Union { .. } => "union".to_owned(),
        Kind::Enum { .. } | Kind::Names { .. } => "enum".to_owned(),
        Kind::Pointer { .. } => "thin pointer".to_owned(),
        Kind::Array { count, .. } => format!("array of {count}"),
        Kind::Function { parameters, .. } => format!("function of {} parameters", parameters.len()),
        Kind::Opaque => "unknown".to_owned(),
    };
    let arguments = match ty.generics.len() {
        0 => String::new(),
        count => format!(" of {count} arguments"),
    };
    let size = ty.size.map_or(String::new(), |size| format!(", {size} bytes"));
    format!("{} ({kind}{arguments}{size})", shown(&ty.name))
}
