//! What rustc itself says of two crates: whether all that crosses has the same layout.
//!
//! The model knows which types cross and what they are made of; the compiler tells the layout of each
//! (`#[rustc_layout(debug)]`): size, alignment, offsets, tag, niche. Nothing of this comes from debug info.

use crate::build::Compiler;
use crate::model::{Body, Crate, Fields, Head, Ty, Variant};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;

/// A crate and the layouts of all types that it reaches.
pub(crate) struct Truth {
    made: Crate,
    layouts: HashMap<Ty, Layout>,
}

/// What an edit means.
pub(crate) enum Change {
    /// All that crosses has the same layout.
    None,
    /// This has another.
    Layout(String),
    /// What crosses has the same layout, but this has not, which the methods of a trait object take.
    Behind,
}

/// What the compiler says of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Layout {
    size: u64,
    align: u64,
    /// Per variant, in the order of declaration; a struct has one.
    offsets: Vec<Vec<u64>>,
    /// Offset, type, and the value of each variant; `None` for the one that a niche leaves the rest to.
    tag: Option<(u64, String, Niche)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Niche {
    Direct,
    At { untagged: usize, first: usize, last: usize, start: i128 },
}

impl Truth {
    /// `None`: the compiler refuses the crate.
    pub(crate) fn of(made: &Crate, compiler: &Compiler) -> Option<Self> {
        let mut reached = Vec::new();
        let mut seen = HashSet::new();
        let mut open: Vec<Ty> = made.functions.iter().filter(|function| function.public).flat_map(signature).collect();
        open.extend(made.keyed.map(|id| Ty::new(Head::Def(id, None), vec![])));
        while let Some(ty) = open.pop() {
            if !seen.insert(ty.clone()) {
                continue;
            }
            open.extend(ty.args.iter().cloned());
            match ty.head {
                Head::Def(id, length) => {
                    let mut def = made.defs[id].clone();
                    for fields in def.all_fields() {
                        open.extend(fields.list.iter().map(|field| field.ty.concrete(&ty.args, length)));
                    }
                }
                Head::Object(id) => open.extend(made.traits[id].methods.iter().map(|(_, ty)| ty.clone())),
                _ => {}
            }
            if ty.is_sized() {
                reached.push(ty);
            }
        }
        let mut probes = String::new();
        for (index, ty) in reached.iter().enumerate() {
            let text = made.text(ty).replace("&mut ", "&'static mut ");
            let text = if ty.head == Head::Pointer("&") { text.replacen('&', "&'static ", 1) } else { text };
            let _ = writeln!(probes, "#[rustc_layout(debug)] pub type Probe{index} = {text};");
        }
        let told = compiler.layouts(&made.source(&probes), reached.len())?;
        let layouts = reached.into_iter().zip(told).map(|(ty, text)| (ty, layout(&tree(&text)))).collect();
        Some(Self { made: made.clone(), layouts })
    }

    /// How the two differ.
    pub(crate) fn change(&self, after: &Self) -> Change {
        if let Some(what) = self.changed(after, false) {
            return Change::Layout(what);
        }
        if self.changed(after, true).is_some() { Change::Behind } else { Change::None }
    }

    fn changed(&self, after: &Self, objects: bool) -> Option<String> {
        let mut walk = Walk { before: self, after, objects, seen: HashSet::new() };
        for function in self.made.functions.iter().filter(|function| function.public) {
            let name = &function.name;
            let other = after.made.functions.iter().find(|other| other.public && other.name == *name);
            let Some(other) = other else { return Some(format!("{name} is gone")) };
            if function.parameters.len() != other.parameters.len() || function.is_async != other.is_async {
                return Some(format!("{name} has other parameters"));
            }
            let (types, others) = (signature(function), signature(other));
            if types.len() != others.len() {
                return Some(format!("{name} has another result"));
            }
            for (ty, other) in types.iter().zip(&others) {
                if let Some(change) = walk.pair(ty, other) {
                    return Some(format!("{name}: {change}"));
                }
            }
        }
        if let (Some(id), Some(other)) = (self.made.keyed, after.made.keyed)
            && id == other
            && self.made.defs[id].name == after.made.defs[id].name
            && self.made.defs[id].inner == after.made.defs[id].inner
            && self.keeps_by_type()
        {
            let ty = Ty::new(Head::Def(id, None), vec![]);
            return walk.pair(&ty, &ty).map(|change| format!("kept by type: {change}"));
        }
        None
    }

    /// Whether what crosses may hold a value of any type.
    fn keeps_by_type(&self) -> bool {
        self.layouts.keys().any(|ty| ty.args.iter().any(|arg| *arg == Ty::plain("dyn std::any::Any")))
    }
}

fn signature(function: &crate::model::Function) -> Vec<Ty> {
    function.parameters.iter().map(|(_, ty)| ty.clone()).chain(function.result.clone()).collect()
}

struct Walk<'t> {
    /// Whether to look at what is reached by calling a trait object's methods only.
    objects: bool,
    before: &'t Truth,
    after: &'t Truth,
    seen: HashSet<(Ty, Ty)>,
}

impl Walk<'_> {
    fn pair(&mut self, before: &Ty, after: &Ty) -> Option<String> {
        if !self.seen.insert((before.clone(), after.clone())) {
            return None;
        }
        let texts = (self.before.made.text(before), self.after.made.text(after));
        let differ = |what: &str| Some(format!("{} and {}: {what}", texts.0, texts.1));
        if before.head != after.head || before.args.len() != after.args.len() {
            return differ("another type");
        }
        if before.head == Head::Closure && !self.objects {
            return if before.args == after.args { None } else { differ("another type") };
        }
        for (arg, other) in before.args.iter().zip(&after.args) {
            if let Some(change) = self.pair(arg, other) {
                return Some(change);
            }
        }
        let (layout, other) = (self.before.layouts.get(before), self.after.layouts.get(after));
        if let (Some(layout), Some(other)) = (layout, other) {
            if (layout.size, layout.align) != (other.size, other.align) {
                return differ("another size or alignment");
            }
            if !matches!(before.head, Head::Def(..)) && layout != other {
                return differ("another layout");
            }
        }
        match before.head {
            Head::Def(id, _) => {
                let (layout, other) = (layout?.clone(), other?.clone());
                self.definitions(id, (before, &layout), (after, &other))
            }
            Head::Object(id) => {
                let (methods, others) = (&self.before.made.traits[id].methods, &self.after.made.traits[id].methods);
                let names = |methods: &[(String, Ty)]| methods.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
                if methods.len() != others.len() {
                    return differ("another number of methods");
                }
                if !self.objects {
                    return None;
                }
                if names(methods) != names(others) {
                    return differ("other methods");
                }
                methods.clone().iter().zip(others.clone().iter()).find_map(|((_, ty), (_, other))| self.pair(ty, other))
            }
            _ => None,
        }
    }

    fn definitions(&mut self, id: usize, before: (&Ty, &Layout), after: (&Ty, &Layout)) -> Option<String> {
        let (def, found) = (self.before.made.defs[id].clone(), self.after.made.defs[id].clone());
        let name = &def.name;
        match (&def.body, &found.body) {
            (Body::Struct(fields), Body::Struct(others)) | (Body::Union(fields), Body::Union(others)) => {
                self.fields(name, Part::new(before, fields, 0), Part::new(after, others, 0))
            }
            (Body::Enum(variants), Body::Enum(others)) => self.variants(name, (before, variants), (after, others)),
            _ => Some(format!("{name}: another kind of type")),
        }
    }

    fn variants(
        &mut self,
        name: &str,
        (before, variants): ((&Ty, &Layout), &[Variant]),
        (after, others): ((&Ty, &Layout), &[Variant]),
    ) -> Option<String> {
        let tag = |layout: &Layout| layout.tag.as_ref().map(|(offset, ty, _)| (*offset, ty.clone()));
        if tag(before.1) != tag(after.1) {
            return Some(format!("{name}: another tag"));
        }
        if variants.len() != others.len() {
            return Some(format!("{name}: another number of variants"));
        }
        let (mine, theirs) = (values(variants, before.1), values(others, after.1));
        let mut left: Vec<usize> = (0..others.len()).collect();
        for (index, variant) in variants.iter().enumerate() {
            let named = left.iter().position(|at| others[*at].name == variant.name);
            // In its place, under a name that no variant had.
            let placed = || {
                let is_new = |at: &usize| !variants.iter().any(|known| known.name == others[*at].name);
                left.iter().position(|at| theirs[*at] == mine[index] && is_new(at))
            };
            let Some(at) = named.or_else(placed) else { return Some(format!("{name}: {} is gone", variant.name)) };
            let at = left.remove(at);
            if mine[index] != theirs[at] {
                return Some(format!("{name}: {} has another value", variant.name));
            }
            let (part, other) = (Part::new(before, &variant.fields, index), Part::new(after, &others[at].fields, at));
            let change = self.fields(&format!("{name}::{}", variant.name), part, other);
            if change.is_some() {
                return change;
            }
        }
        None
    }

    fn fields(&mut self, within: &str, before: Part<'_>, after: Part<'_>) -> Option<String> {
        // What has no bytes and aligns nothing is nowhere, and may come and go. But what it names is kept somewhere else.
        let (marks, others) = (before.places(self.before, true), after.places(self.after, true));
        for (name, (_, of)) in &marks {
            if let Some(change) = others.get(name).and_then(|(_, found)| self.pair(of, found)) {
                return Some(format!("{within}.{name}: {change}"));
            }
        }
        let mine = before.places(self.before, false);
        let mut theirs = after.places(self.after, false);
        let mut lost = Vec::new();
        for (name, (at, of)) in &mine {
            match theirs.remove(name) {
                Some((place, _)) if place != *at => return Some(format!("{within}.{name} moved from {at} to {place}")),
                Some((_, found)) => {
                    if let Some(change) = self.pair(of, &found) {
                        return Some(format!("{within}.{name}: {change}"));
                    }
                }
                None => lost.push((name, *at, of)),
            }
        }
        if lost.len() != theirs.len() {
            return Some(format!("{within} has other fields"));
        }
        for (name, at, of) in lost {
            // A union has many at one place.
            let found = theirs.iter().filter(|(_, (place, _))| *place == at).max_by_key(|(_, (_, found))| found == of);
            let Some((other, found)) = found.map(|(name, (_, found))| (name.clone(), found.clone())) else {
                return Some(format!("{within}.{name} is gone"));
            };
            theirs.remove(&other);
            if let Some(change) = self.pair(of, &found) {
                return Some(format!("{within}.{name}, now {other}: {change}"));
            }
        }
        None
    }
}

/// What the tag holds for each variant.
fn values(variants: &[Variant], layout: &Layout) -> Vec<Option<i128>> {
    let mut next = 0;
    let value = |(index, variant): (usize, &Variant)| {
        let declared = variant.value.map_or(next, i128::from);
        next = declared + 1;
        match &layout.tag {
            Some((_, _, Niche::At { untagged, first, last, start })) => {
                let is_niche = index != *untagged && (*first..=*last).contains(&index);
                is_niche.then(|| start.wrapping_add((index - first) as i128))
            }
            _ => Some(declared),
        }
    };
    variants.iter().enumerate().map(value).collect()
}

/// The fields of a type, or of one of its variants.
struct Part<'a> {
    ty: &'a Ty,
    fields: &'a Fields,
    places: &'a [u64],
}

impl<'a> Part<'a> {
    fn new((ty, layout): (&'a Ty, &'a Layout), fields: &'a Fields, variant: usize) -> Self {
        Self { ty, fields, places: layout.offsets.get(variant).map_or(&[], Vec::as_slice) }
    }

    /// Offset and type by name, of those that have no bytes and align nothing, or of the others.
    fn places(&self, truth: &Truth, nowhere: bool) -> BTreeMap<String, (u64, Ty)> {
        let length = match self.ty.head {
            Head::Def(_, length) => length,
            _ => None,
        };
        let all = self.fields.list.iter().zip(self.places);
        let all = all.map(|(field, at)| (field.name.clone(), (*at, field.ty.concrete(&self.ty.args, length))));
        let is_nowhere = |of: &Ty| truth.layouts.get(of).is_some_and(|found| (found.size, found.align) == (0, 1));
        all.filter(|(_, (_, of))| is_nowhere(of) == nowhere).collect()
    }
}

/// One line of the compiler's text, and the lines that are indented below it.
struct Node {
    label: String,
    below: Vec<Node>,
}

impl Node {
    fn get(&self, key: &str) -> &Node {
        let found = self.below.iter().find(|node| node.label.starts_with(key));
        found.unwrap_or_else(|| panic!("no {key} in {}", self.label))
    }

    /// The first number after a mark.
    fn number<T: std::str::FromStr>(&self, mark: &str) -> T {
        let (_, rest) = self.label.split_once(mark).unwrap_or_else(|| panic!("no {mark} in {}", self.label));
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '-').unwrap_or(rest.len());
        rest[..end].parse().unwrap_or_else(|_| panic!("no number in {}", self.label))
    }

    fn words(&self) -> String {
        let below: String = self.below.iter().map(Node::words).collect();
        format!("{}{below}", self.label)
    }
}

fn tree(text: &str) -> Node {
    let mut open = vec![Node { label: String::new(), below: Vec::new() }];
    for line in text.lines().map(str::trim) {
        if line.ends_with(['{', '[', '(']) {
            open.push(Node { label: line.to_owned(), below: Vec::new() });
        } else if line.starts_with(['}', ']', ')']) {
            let closed = open.pop().expect("an opened one");
            open.last_mut().expect("an outer one").below.push(closed);
        } else {
            open.last_mut().expect("an outer one").below.push(Node { label: line.to_owned(), below: Vec::new() });
        }
    }
    let mut root = open.pop().expect("a root");
    root.below.pop().expect("a layout")
}

fn layout(node: &Node) -> Layout {
    let variants = node.get("variants: ");
    let (offsets, tag) = if variants.label.starts_with("variants: Multiple") {
        let encoding = variants.get("tag_encoding: ");
        let niche = if encoding.below.is_empty() {
            Niche::Direct
        } else {
            let range = encoding.get("niche_variants: ");
            let (_, last) = range.label.split_once("..=").expect("a range");
            Niche::At {
                untagged: encoding.get("untagged_variant: ").number(": "),
                first: range.number(": "),
                last: last.trim_end_matches(',').parse().expect("a number"),
                start: encoding.get("niche_start: ").number(": "),
            }
        };
        let at = offsets(node)[variants.get("tag_field: ").number::<usize>(": ")];
        let ty = variants.get("tag: ").get("value: ").words();
        (variants.get("variants: [").below.iter().map(offsets).collect(), Some((at, ty, niche)))
    } else {
        (vec![offsets(node)], None)
    };
    let align = node.get("align: ").get("abi: ").number("Align(");
    Layout { size: node.get("size: ").number("Size("), align, offsets, tag }
}

fn offsets(node: &Node) -> Vec<u64> {
    let fields = node.get("fields: ");
    if fields.label.starts_with("fields: Arbitrary") {
        return fields.get("offsets: ").below.iter().map(|offset| offset.number("Size(")).collect();
    }
    if fields.label.starts_with("fields: Union") {
        let count = fields.below.first().and_then(|count| count.label.trim_end_matches(',').parse().ok());
        return vec![0; count.unwrap_or(0)];
    }
    Vec::new()
}
