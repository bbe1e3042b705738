//! Compares two graphs of types: whether what one side writes means the same to the other.
//!
//! Pairs of types are compared in step, each pair once, and without recursion: `pairs` says what differs in the two
//! themselves and which pairs they lead to. A pair matches if nothing differs in any pair that it leads to.

use super::name::is_standard;
use super::pairs::{Edge, Pairs, Weight, texts};
use super::path::{Paths, Step, Way};
use super::{Kind, Layouts, Root, RootKind};
use serde::{Deserialize, Serialize};

/// More ways between pairs than any two real graphs have: it bounds what a hostile pair of them can cost.
const MOST: usize = 1_000_000;

/// What came of comparing two graphs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// What does not match. Empty, with [`Comparison::unproven`] empty too: all bytes mean the same to both sides.
    pub differences: Vec<Difference>,
    /// What differs and matches all the same: things renamed in place.
    pub notes: Vec<Note>,
    /// What cannot be told, since one side does not say enough: `World.handle: nothing is known of logic::Handle`.
    pub unproven: Vec<String>,
    /// How many pairs of types were compared.
    pub compared: usize,
}

/// One difference in layout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The first root that leads to it: `logic::update`.
    pub root: String,
    /// What kind of root that is.
    pub root_kind: RootKind,
    /// Which parameter leads to it; `None` for the result, and for a type by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter: Option<usize>,
    /// Where: `World.balls[].radius`.
    pub path: String,
    /// The way to the type that holds the changed part: `World.balls[]`. Empty for a parameter or result.
    pub within: String,
    /// That type's full name, as the program has it: `logic::Ball`. The root's for a parameter or result.
    pub ty: String,
    /// What the program has: `f32 at 8`.
    pub expected: String,
    /// What the image has: `f64 at 8`.
    pub found: String,
    /// The size and alignment of [`Difference::ty`] on both sides if they differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resized: Option<Resized>,
}

/// A type's size before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resized {
    /// The program's.
    pub expected: Extent,
    /// The image's.
    pub found: Extent,
}

/// How much room a type takes, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// Its size.
    pub size: u64,
    /// What its address is a multiple of; `None` where debug info does not say.
    pub align: Option<u64>,
}

/// Something that differs and matches all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The first root that leads to it.
    pub root: String,
    /// Where: `World.speed`.
    pub path: String,
    /// What is different, as the rest of a sentence: `is now called velocity: the bytes mean the same`.
    pub text: String,
}

/// Compares the types that the program expects with those of an image, from those of the program's roots that `roots`
/// picks.
///
/// Both graphs may hold anything: what makes no sense counts as unproven or as a difference, and never panics.
#[must_use]
pub fn compare(expected: &Layouts, found: &Layouts, roots: impl Fn(&Root) -> bool) -> Comparison {
    compare_within(expected, found, roots, MOST)
}

/// Compares one root of the program's with one of an image's, whatever their names.
#[must_use]
pub fn compare_roots(expected: (&Layouts, &Root), found: (&Layouts, &Root)) -> Comparison {
    let (root, other) = (expected.1, found.1);
    follow(expected.0, found.0, &[(root, other)], MOST, Comparison::default())
}

pub(super) fn compare_within(
    expected: &Layouts,
    found: &Layouts,
    roots: impl Fn(&Root) -> bool,
    most: usize,
) -> Comparison {
    let mut comparison = Comparison::default();
    let mut starts = Vec::new();
    for root in expected.roots.iter().filter(|root| roots(root)) {
        match counterpart(found, root) {
            Some(other) => starts.push((root, other)),
            None if root.kind == RootKind::Slot => comparison.unproven.push(format!("{}: no debug info", root.name)),
            // The image does not use the type in this way.
            None => {}
        }
    }
    if !found.gaps.is_empty() {
        let lost = found.roots.iter().filter(|root| root.kind == RootKind::Slot && roots(root));
        let lost = lost.filter(|root| counterpart(expected, root).is_none());
        comparison.unproven.extend(lost.map(|root| format!("{}: no debug info in the program", root.name)));
    }
    follow(expected, found, &starts, most, comparison)
}

fn follow<'a>(
    expected: &'a Layouts,
    found: &'a Layouts,
    starts: &[(&'a Root, &'a Root)],
    most: usize,
    mut comparison: Comparison,
) -> Comparison {
    let mut pairs = Pairs::new(expected, found);
    let starts: Vec<(&Root, usize)> =
        starts.iter().map(|(root, other)| (*root, pairs.add(root.ty, other.ty))).collect();
    if !pairs.follow(most) {
        comparison.unproven.push("the types lead to more pairs than can be compared".to_owned());
    }
    let mismatched = pairs.mismatched();
    comparison.compared = pairs.len();
    let visited = vec![false; pairs.len()];
    let mut walk = Walk { pairs: &pairs, mismatched, visited, paths: Paths::default(), comparison };
    for (root, at) in starts {
        walk.root(root, at);
    }
    walk.comparison
}

fn counterpart<'l>(layouts: &'l Layouts, root: &Root) -> Option<&'l Root> {
    layouts.roots.iter().find(|other| other.kind == root.kind && other.name == root.name)
}

/// Says in words what differs, each pair at the first way that leads to it.
struct Walk<'w, 'a> {
    pairs: &'w Pairs<'a>,
    mismatched: Vec<bool>,
    visited: Vec<bool>,
    paths: Paths<'a>,
    comparison: Comparison,
}

/// Where a walk is.
#[derive(Clone, Copy)]
struct Place<'a> {
    root: &'a Root,
    parameter: Option<usize>,
    way: Way,
    at: usize,
}

impl<'a> Walk<'_, 'a> {
    fn root(&mut self, root: &'a Root, at: usize) {
        let place = Place { root, parameter: None, way: None, at };
        let pairs = self.pairs;
        let Some((expected, found)) = pairs.types(at) else {
            self.comparison.unproven.push(format!("{}: its type is missing", root.name));
            return;
        };
        let node = pairs.node(at);
        if self.is_replaced(at) {
            let (wanted, other) = texts(expected, found);
            self.differ(place, root.name.clone(), String::new(), root.name.clone(), (wanted, other), None);
        } else if matches!(expected.kind, Kind::Function { .. }) {
            for edge in &node.edges {
                let parameter = match edge.step {
                    Step::Argument(index) => Some(index),
                    _ => None,
                };
                if self.is_replaced(edge.to)
                    && let Some((expected, found)) = pairs.types(edge.to)
                {
                    let changed = texts(expected, found);
                    let place = Place { parameter, ..place };
                    self.differ(place, edge.step.to_string(), String::new(), root.name.clone(), changed, None);
                } else {
                    self.reach(Place { parameter, at: edge.to, ..place });
                }
            }
            self.unproven(place);
        } else {
            self.reach(place);
        }
        // No inequality goes unreported, even if all that shows it was folded into something else.
        if self.comparison.differences.is_empty() && self.mismatched[at] {
            let (wanted, other) = (expected.name.clone(), format!("{} of another layout", found.name));
            self.differ(place, root.name.clone(), String::new(), root.name.clone(), (wanted, other), None);
        }
    }

    /// Whether the two are different things altogether, rather than one thing that changed inside.
    fn is_replaced(&self, at: usize) -> bool {
        let node = self.pairs.node(at);
        node.replaced || node.renamed && self.mismatched[at]
    }

    fn reach(&mut self, start: Place<'a>) {
        let mut open = vec![start];
        while let Some(place) = open.pop() {
            if !std::mem::replace(&mut self.visited[place.at], true) {
                let before = open.len();
                self.visit(place, &mut open);
                open[before..].reverse();
            }
        }
    }

    fn visit(&mut self, place: Place<'a>, open: &mut Vec<Place<'a>>) {
        self.unproven(place);
        let pairs = self.pairs;
        let node = pairs.node(place.at);
        let Some((expected, found)) = pairs.types(place.at) else { return };
        if node.renamed {
            let text = format!(
                "{} is now called {}: the bytes mean the same, but its TypeId is another: values kept by type (`Any`, \
                 type maps, Bevy's components) are not found under it",
                expected.name, found.name
            );
            self.note(place, self.paths.show(place.way, expected), text);
        }
        for (step, name) in &node.renames {
            let way = self.paths.on(place.way, expected, *step);
            self.renamed(place, way, name, place.at);
        }
        for (step, text) in &node.notes {
            let way = self.paths.on(place.way, expected, *step);
            let path = self.paths.text(way);
            self.note(place, path, text.clone());
        }
        let generics = node.edges.iter().any(|edge| edge.generic && self.mismatched[edge.to]);
        let insides = node.differs() || node.edges.iter().any(|edge| !edge.generic && self.mismatched[edge.to]);
        // What a standard collection holds is told by its arguments; of other types the fields tell it in better words.
        let standard = is_standard(&expected.name);
        let skipped = |edge: &Edge<'_>| generics && (if standard { !edge.generic } else { insides && edge.generic });
        if !(standard && generics) {
            self.locals(place);
        }
        let (first, last): (Vec<_>, Vec<_>) = node.edges.iter().partition(|edge| edge.generic == standard);
        for edge in first.into_iter().chain(last).filter(|edge| !skipped(edge)) {
            let way = self.paths.on(place.way, expected, edge.step);
            if self.is_replaced(edge.to) {
                self.replaced(place, edge, way);
                continue;
            }
            if let Some(name) = edge.renamed {
                self.renamed(place, way, name, edge.to);
            }
            open.push(Place { way, at: edge.to, ..place });
        }
    }

    /// What differs in the two types themselves.
    fn locals(&mut self, place: Place<'a>) {
        let pairs = self.pairs;
        let node = pairs.node(place.at);
        let Some((expected, _)) = pairs.types(place.at).filter(|_| node.differs()) else { return };
        let here = self.paths.show(place.way, expected);
        let changed = |edge: &&Edge<'_>| edge.by_value && self.mismatched[edge.to];
        let primary = node.locals.iter().any(|local| local.weight == Weight::Primary);
        let any = node.edges.iter().any(|edge| changed(&edge));
        let sized = |edge: &Edge<'_>| self.is_replaced(edge.to) || pairs.node(edge.to).resized.is_some();
        let resized = node.edges.iter().filter(changed).any(sized);
        let before = self.comparison.differences.len();
        for local in &node.locals {
            let explained = match local.weight {
                Weight::Primary => false,
                Weight::Place => primary || resized,
                Weight::Tag => primary || any,
            };
            if !explained {
                let way = self.paths.on(place.way, expected, local.step);
                let path = self.paths.show(way, expected);
                let texts = (local.expected.clone(), local.found.clone());
                self.differ(place, path, here.clone(), expected.name.clone(), texts, node.resized);
            }
        }
        let silent = self.comparison.differences.len() == before;
        if let Some(change) = node.resized.filter(|_| silent && !primary && !resized) {
            let texts = (change.expected.to_string(), change.found.to_string());
            self.differ(place, here.clone(), here, expected.name.clone(), texts, None);
        }
    }

    /// A part that is now of another type.
    fn replaced(&mut self, place: Place<'a>, edge: &Edge<'a>, way: Way) {
        let pairs = self.pairs;
        let (Some((holder, _)), Some((expected, found))) = (pairs.types(place.at), pairs.types(edge.to)) else {
            return;
        };
        let (mut wanted, mut other) = texts(expected, found);
        if let Some((before, after)) = edge.offsets {
            wanted.push_str(&format!(" at {before}"));
            other.push_str(&format!(" at {after}"));
        }
        let resized = pairs.node(place.at).resized;
        let here = self.paths.show(place.way, holder);
        let path = match (self.paths.show(way, holder), place.parameter) {
            (path, Some(index)) if path.is_empty() => Step::Argument(index).to_string(),
            (path, None) if path.is_empty() => Step::Result.to_string(),
            (path, _) => path,
        };
        let mut say = |path, texts| self.differ(place, path, here.clone(), holder.name.clone(), texts, resized);
        match edge.renamed {
            None => say(path, (wanted, other)),
            Some(name) => {
                let added = path.rsplit_once('.').map_or(name.to_owned(), |(holder, _)| format!("{holder}.{name}"));
                say(path, (wanted, "no such field".to_owned()));
                say(added, ("no such field".to_owned(), other));
            }
        }
    }

    fn differ(
        &mut self,
        place: Place<'a>,
        path: String,
        within: String,
        ty: String,
        (expected, found): (String, String),
        resized: Option<Resized>,
    ) {
        let Place { root, parameter, .. } = place;
        let (root, root_kind) = (root.name.clone(), root.kind);
        let path = path.trim_start_matches('.').to_owned();
        let difference = Difference { root, root_kind, parameter, path, within, ty, expected, found, resized };
        self.comparison.differences.push(difference);
    }

    /// A part of another name, whose bytes mean the same unless `judge` differs.
    fn renamed(&mut self, place: Place<'a>, way: Way, name: &str, judge: usize) {
        let same = if self.mismatched[judge] {
            ""
        } else {
            ": the bytes mean the same, but its type has another TypeId: values kept by type (`Any`, Bevy components) are \
             not found"
        };
        let path = self.paths.text(way);
        self.note(place, path, format!("is now called {name}{same}"));
    }

    fn note(&mut self, place: Place<'a>, path: String, text: String) {
        self.comparison.notes.push(Note { root: place.root.name.clone(), path, text });
    }

    fn unproven(&mut self, place: Place<'a>) {
        if let Some(text) = &self.pairs.node(place.at).unproven {
            let path = match self.paths.text(place.way) {
                path if path.is_empty() => place.root.name.clone(),
                path => path,
            };
            self.comparison.unproven.push(format!("{path}: {text}"));
        }
    }
}
