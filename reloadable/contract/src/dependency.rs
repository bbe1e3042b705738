//! The dependencies of a crate as cargo resolved them for one build, and how two builds differ in them.
//!
//! Each is a fact of its own, `dependency.<crate>`, with all versions of the crate that the build has:
//! `<version> <identity> <features>; ...`. The features are separated by commas.

use crate::descriptor::{Facts, fact};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// How many bytes of facts may travel in one variable of the environment, with room to spare: Linux takes 128 KiB.
const LIMIT: usize = 96 << 10;

/// One version of a dependency.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependency {
    /// `0.29.1`.
    pub version: String,
    /// What tells this build of it from any other: the hash that cargo put into its file's name.
    pub identity: String,
    /// Its enabled features, or a checksum of them where the program has too many dependencies for more.
    pub features: BTreeSet<String>,
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let features = self.features.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let features = if features.is_empty() { "no features".to_owned() } else { format!("features {features}") };
        write!(f, "{} ({features})", self.version)
    }
}

/// All dependencies, by crate.
pub type Dependencies = BTreeMap<String, BTreeSet<Dependency>>;

impl Facts {
    /// Adds a fact for each dependency. When all facts would be too long for the environment, `checksum` takes the
    /// place of the features.
    pub fn add_dependencies(&mut self, dependencies: &Dependencies, checksum: impl Fn(&str) -> u32) {
        let own = self.to_lines().len();
        let whole = lines(dependencies, |features| features);
        let long = own + whole.iter().map(|(key, value)| key.len() + value.len() + 2).sum::<usize>() > LIMIT;
        let short =
            |features: String| if features.is_empty() { features } else { format!("#{:08x}", checksum(&features)) };
        for (key, value) in if long { lines(dependencies, short) } else { whole } {
            self.values.insert(key, value);
        }
    }

    /// The dependencies of the crate.
    #[must_use]
    pub fn dependencies(&self) -> Dependencies {
        let mut dependencies = Dependencies::new();
        for (key, value) in &self.values {
            let Some(name) = key.strip_prefix(fact::DEPENDENCY) else { continue };
            // One by one, here and below: to collect a tree takes a sort of its own for each type, in each build of a program.
            let mut versions = BTreeSet::new();
            for version in value.split("; ") {
                versions.insert(parse(version));
            }
            dependencies.insert(name.to_owned(), versions);
        }
        dependencies
    }
}

fn lines(dependencies: &Dependencies, show: impl Fn(String) -> String) -> Vec<(String, String)> {
    let one = |found: &Dependency| {
        let features = show(found.features.iter().map(String::as_str).collect::<Vec<_>>().join(","));
        format!("{} {} {features}", found.version, found.identity)
    };
    let all = dependencies.iter().map(|(name, versions)| {
        (format!("{}{name}", fact::DEPENDENCY), versions.iter().map(one).collect::<Vec<_>>().join("; "))
    });
    all.collect()
}

fn parse(text: &str) -> Dependency {
    let mut words = text.splitn(3, ' ').map(str::to_owned);
    let mut next = || words.next().unwrap_or_default();
    let (version, identity, features) = (next(), next(), next());
    let mut dependency = Dependency { version, identity, features: BTreeSet::new() };
    for feature in features.split(',').filter(|feature| !feature.is_empty()) {
        dependency.features.insert(feature.to_owned());
    }
    dependency
}

/// The crates that moved from one build to the other: with another version or other features. A crate above one that
/// moved is built anew, and so has another identity. Only where nothing else tells the builds apart are these named.
#[must_use]
pub fn moved(before: &Dependencies, after: &Dependencies) -> BTreeSet<String> {
    let differing = |same: fn(&BTreeSet<Dependency>, &BTreeSet<Dependency>) -> bool| {
        let mut names = BTreeSet::new();
        for (name, before) in before {
            if after.get(name).is_some_and(|after| !same(before, after)) {
                names.insert(name.clone());
            }
        }
        names
    };
    let known = differing(are_alike);
    if known.is_empty() { differing(|before, after| before == after) } else { known }
}

/// Whether versions and features alone are the same.
fn are_alike(one: &BTreeSet<Dependency>, other: &BTreeSet<Dependency>) -> bool {
    let holds = |all: &BTreeSet<Dependency>, one: &Dependency| {
        all.iter().any(|found| found.version == one.version && found.features == one.features)
    };
    one.iter().all(|found| holds(other, found)) && other.iter().all(|found| holds(one, found))
}

/// Versions for a person: with their identities where nothing else tells the two sides apart.
#[must_use]
pub fn shown(versions: &BTreeSet<Dependency>, other: &BTreeSet<Dependency>) -> String {
    let alike = are_alike(versions, other);
    let one = |found: &Dependency| if alike { format!("{found}, build {}", found.identity) } else { found.to_string() };
    versions.iter().map(one).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dependency(version: &str, identity: &str, features: &[&str]) -> Dependency {
        let features = features.iter().map(|&feature| feature.to_owned()).collect();
        Dependency { version: version.to_owned(), identity: identity.to_owned(), features }
    }

    fn build(crates: &[(&str, &[Dependency])]) -> Dependencies {
        crates.iter().map(|(name, all)| ((*name).to_owned(), all.iter().cloned().collect())).collect()
    }

    #[test]
    fn two_versions_of_one_crate_are_both_there() {
        let versions = [dependency("0.29.1", "aa", &["std"]), dependency("0.30.0", "bb", &[])];
        let dependencies = build(&[("glam", &versions), ("log", &[dependency("0.4.0", "cc", &["std", "kv"])])]);
        let mut facts = Facts { crate_name: "logic".to_owned(), ..Facts::default() };
        facts.add_dependencies(&dependencies, |_| 0);
        assert_eq!(facts.get("dependency.glam"), "0.29.1 aa std; 0.30.0 bb ");
        let read = Facts::from_lines("logic", &facts.to_lines());
        assert_eq!(read.dependencies(), dependencies);
        assert_eq!(shown(&dependencies["glam"], &BTreeSet::new()), "0.29.1 (features std) and 0.30.0 (no features)");
    }

    #[test]
    fn the_facts_of_a_graph_of_any_usual_size_fit_into_the_environment() {
        let graph = |crates: usize, features: usize| -> Dependencies {
            let features: Vec<String> =
                (0..features).map(|number| format!("a_feature_of_some_length_{number}")).collect();
            let features: Vec<&str> = features.iter().map(String::as_str).collect();
            let one = |number: usize| {
                let name = format!("a_crate_whose_name_is_long_{number}");
                (name, BTreeSet::from([dependency("0.10.100", "0123456789abcdef", &features)]))
            };
            (0..crates).map(one).collect()
        };
        let facts = |dependencies: &Dependencies| {
            let mut facts = Facts { crate_name: "logic".to_owned(), ..Facts::default() };
            facts.add_dependencies(dependencies, |features| u32::try_from(features.len()).expect("short"));
            facts
        };
        let usual = facts(&graph(400, 4));
        assert!(usual.get("dependency.a_crate_whose_name_is_long_7").ends_with("a_feature_of_some_length_3"));
        assert!(usual.to_lines().len() < LIMIT, "{}", usual.to_lines().len());
        let many = facts(&graph(1000, 100));
        assert!(many.get("dependency.a_crate_whose_name_is_long_7").contains(" #"));
        assert!(many.to_lines().len() < LIMIT, "{}", many.to_lines().len());
        assert_ne!(many, facts(&graph(1000, 99)), "other features are still told");
    }

    #[test]
    fn what_moved_is_named_and_not_what_was_built_anew_above_it() {
        let before = build(&[
            ("glam", &[dependency("0.29.1", "aa", &[])]),
            ("physics", &[dependency("1.0.0", "bb", &[])]),
            ("gone", &[dependency("1.0.0", "cc", &[])]),
        ]);
        let after = build(&[
            ("glam", &[dependency("0.29.2", "dd", &[])]),
            ("physics", &[dependency("1.0.0", "ee", &[])]),
            ("new", &[dependency("1.0.0", "ff", &[])]),
        ]);
        assert_eq!(moved(&before, &after), BTreeSet::from(["glam".to_owned()]));
        let rebuilt = build(&[("glam", &[dependency("0.29.1", "xx", &[])])]);
        assert_eq!(moved(&before, &rebuilt), BTreeSet::from(["glam".to_owned()]));
        assert_eq!(shown(&before["glam"], &rebuilt["glam"]), "0.29.1 (no features), build aa");
        assert!(moved(&before, &before).is_empty());
    }
}
