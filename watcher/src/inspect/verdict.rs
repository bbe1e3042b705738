//! Two files compared: whether the second could be loaded where the first is what the program was built with.

use super::file::{Inspected, Kind};
use pitstop_contract::descriptor::{Descriptor, crate_of};
use pitstop_contract::{Reason, Rule};
use pitstop_proof::layout::{self, Comparison, Difference, Layouts, compare, tree};
use pitstop_proof::{Built, Image, complete, crosses, described, descriptor, prove};
use serde::Serialize;
use std::collections::HashSet;
use std::path::Path;

const REBUILD: &str = "build both from the same state with the same compiler";

/// What came of it; with `--json` one object.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Verdict {
    pub(super) verdict: Word,
    /// The path of the first.
    pub(super) expected: String,
    /// The path of the second.
    pub(super) found: String,
    /// How many pairs of types were compared.
    pub(super) compared: usize,
    /// Why not.
    pub(super) reasons: Vec<Reason>,
    /// What a person should know of the second.
    pub(super) notes: Vec<String>,
    /// What could not be compared.
    pub(super) gaps: Vec<String>,
    /// In the types.
    pub(super) differences: Vec<Difference>,
    /// The same for the terminal.
    #[serde(skip)]
    pub(super) tree: String,
    /// Whether it is the one that the host would come to.
    #[serde(skip)]
    pub(super) is_proof: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Word {
    #[default]
    Matches,
    Refused,
}

/// Compares two files, each with its bytes.
pub(super) fn judge(expected: (&Inspected, &[u8]), found: (&Inspected, &[u8])) -> Verdict {
    let mut verdict = Verdict {
        expected: expected.0.image.clone(),
        found: found.0.image.clone(),
        is_proof: expected.0.descriptor.is_some(),
        ..Verdict::default()
    };
    match (&expected.0.descriptor, &found.0.descriptor) {
        (Some(before), Some(after)) => verdict.prove((expected.0, before), (found.0, after), found.1),
        _ => verdict.compare(expected, found),
    }
    for list in [&mut verdict.notes, &mut verdict.gaps] {
        list.sort();
        list.dedup();
    }
    if !verdict.reasons.is_empty() {
        verdict.verdict = Word::Refused;
    }
    verdict
}

impl Verdict {
    /// As the host does it.
    fn prove(&mut self, expected: (&Inspected, &Descriptor), found: (&Inspected, &Descriptor), bytes: &[u8]) {
        let path = Path::new(&found.0.image);
        self.reasons.extend(complete(path, bytes).err());
        self.reasons.extend(descriptor(path, bytes).err());
        let mut built = Built::default();
        built.add(expected.1.clone());
        let image = Image { descriptor: found.1.clone(), layouts: found.0.layouts.clone() };
        let (before, after) = (&expected.0.layouts, &image.layouts);
        for crate_name in own_crates(found.1) {
            let comparison = compare(before, after, |root| crosses(crate_name, root, &built, after));
            let parameter = |slot: &str, index: usize| built.slots.get(slot)?.parameters.get(index).cloned();
            match prove(crate_name, bytes, &image, &built, before) {
                Ok(proof) => {
                    self.compared += proof.compared;
                    self.gaps.extend(proof.gaps);
                    self.notes.extend(proof.notes);
                    self.notes.extend(proof.kept.iter().map(|name| {
                        format!(
                            "{name}: the types of this private function changed; older code keeps calling the old one"
                        )
                    }));
                }
                Err(reasons) => {
                    self.reasons.extend(reasons);
                    self.compared += comparison.compared;
                    self.take_words(&comparison, before, after);
                }
            }
            self.take_differences(comparison, &parameter);
        }
    }

    /// What can be told of files of which one was not built by Pitstop.
    fn compare(&mut self, (expected, before): (&Inspected, &[u8]), (found, after): (&Inspected, &[u8])) {
        if expected.descriptor.is_some() {
            self.reasons.extend(described(Path::new(&found.image), after).err());
        }
        let target = |image: &Inspected| format!("{} for {}, {}-bit", image.format, image.architecture, image.bits);
        if target(expected) != target(found) {
            let advice = "build both for one target";
            self.reasons.push(Reason::new(Rule::Target, &found.image, target(expected), target(found), advice));
        }
        self.compilers(expected, found);
        self.functions(expected, found);
        let plain = |image: &Inspected, bytes: &[u8]| match image.descriptor {
            Some(_) => layout::own(bytes),
            None => image.layouts.clone(),
        };
        let (before, after) = (plain(expected, before), plain(found, after));
        // What was refused by its signature need not be refused again.
        let refused: HashSet<&str> = self.reasons.iter().map(|reason| reason.subject.as_str()).collect();
        let mut both: HashSet<&str> = after.roots.iter().map(|root| root.name.as_str()).collect();
        both.retain(|name| !refused.contains(name));
        let comparison = compare(&before, &after, |root| both.contains(root.name.as_str()));
        let unnamed = |_: &str, _: usize| None;
        self.reasons.extend(comparison.differences.iter().map(|difference| difference.reason(&unnamed)));
        self.compared = comparison.compared;
        self.take_words(&comparison, &before, &after);
        self.take_differences(comparison, &unnamed);
        if self.compared == 0 && self.gaps.is_empty() {
            self.gaps.push("types: no function and no type of the same name is in both".to_owned());
        }
    }

    fn compilers(&mut self, expected: &Inspected, found: &Inspected) {
        if expected.compilers.is_empty() || found.compilers.is_empty() {
            self.gaps.push("compiler: not both files say which one built them".to_owned());
        } else if expected.compilers != found.compilers {
            let shown = |image: &Inspected| {
                let all: Vec<&str> = image.compilers.iter().map(String::as_str).collect();
                format!("rustc {}", all.join(" and "))
            };
            let reason = Reason::new(Rule::Compiler, &found.image, shown(expected), shown(found), REBUILD);
            self.reasons.push(reason);
        }
    }

    fn functions(&mut self, expected: &Inspected, found: &Inspected) {
        for (name, before) in &expected.functions {
            let text = |signature: &Option<String>| format!("`{}`", signature.as_deref().unwrap_or(name));
            match (before, found.functions.get(name)) {
                (_, None) => self.reasons.push(Reason::new(
                    Rule::Missing,
                    name,
                    text(before),
                    "no such function",
                    "bring it back, or restart the program without its calls",
                )),
                (Some(one), Some(Some(other))) if one != other => self.reasons.push(Reason::new(
                    Rule::Signature,
                    name,
                    format!("`{one}`"),
                    format!("`{other}`"),
                    "undo the change, or build the callers anew and restart",
                )),
                _ => {}
            }
        }
    }

    /// Notes and gaps where the proof did not get so far as to say them.
    fn take_words(&mut self, comparison: &Comparison, before: &Layouts, after: &Layouts) {
        self.notes.extend(comparison.notes.iter().map(|note| format!("{} {}", note.path, note.text)));
        self.gaps.extend(before.gaps.iter().map(|gap| format!("in the first, {gap}")));
        self.gaps.extend(after.gaps.iter().map(|gap| format!("in the second, {gap}")));
        if self.gaps.is_empty() {
            self.gaps.extend(comparison.unproven.iter().cloned());
        }
    }

    fn take_differences(&mut self, comparison: Comparison, parameter: &layout::ParameterName<'_>) {
        let only = Comparison { differences: comparison.differences, ..Comparison::default() };
        self.tree.push_str(&tree(&only, parameter));
        self.differences.extend(only.differences);
    }
}

/// The crates that a file is there for: no other of its crates depends on them.
fn own_crates(descriptor: &Descriptor) -> Vec<&str> {
    let is_used = |name: &str| {
        let mut others = descriptor.crates.iter().filter(|facts| facts.crate_name != name);
        others.any(|facts| facts.dependencies().contains_key(name))
    };
    let names = descriptor.crates.iter().map(|facts| facts.crate_name.as_str());
    let own: Vec<&str> = names.filter(|name| !is_used(name)).collect();
    // Functions of a crate whose facts are missing: the proof says so.
    if own.is_empty() { descriptor.slots.first().map(|slot| crate_of(&slot.name)).into_iter().collect() } else { own }
}

impl Kind {
    /// For a person, with its article.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Image => "an image of Pitstop's",
            Self::Host => "a program that Pitstop built live",
            Self::SharedLibrary => "a shared library",
            Self::Executable => "an executable",
            Self::ObjectFile => "an object file that was not linked",
            Self::Other => "a file of another kind",
        }
    }
}
