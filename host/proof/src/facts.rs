//! The build's facts: compiler, target, profile, linkage.

use crate::Built;
use object::{Object, ObjectSection, ObjectSymbol};
use pitstop_contract::dependency::{self, Dependencies};
use pitstop_contract::descriptor::{Descriptor, Facts, allocator, fact};
use pitstop_contract::{Reason, Rule};

/// Facts that must be equal, the rule that each belongs to, and what to do about a difference.
const EQUAL: [(&str, Rule, &str); 14] = [
    (fact::RUSTC, Rule::Compiler, "restart, so that one compiler builds both"),
    (fact::RUSTC_COMMIT, Rule::Compiler, "restart, so that one compiler builds both"),
    (fact::TARGET, Rule::Target, "build both for one target"),
    (fact::METADATA, Rule::Dependencies, "the crate's identity changed with its manifest; restart"),
    (fact::VERSION, Rule::Dependencies, "the crate's version changed; restart"),
    (fact::FEATURES, Rule::Dependencies, "the crate's features changed; restart"),
    (fact::PANIC, Rule::Profile, "build both with one panic strategy; restart"),
    (fact::OPT_LEVEL, Rule::Profile, "build both with one profile; restart"),
    (fact::DEBUG_ASSERTIONS, Rule::Profile, "build both with one profile; restart"),
    (fact::OVERFLOW_CHECKS, Rule::Profile, "build both with one profile; restart"),
    (fact::TARGET_CPU, Rule::Profile, "build both with the same RUSTFLAGS; restart"),
    (fact::TARGET_FEATURE, Rule::Profile, "build both with the same RUSTFLAGS; restart"),
    (fact::LINKAGE, Rule::Linkage, "restart, so that host and image are linked alike"),
    (fact::STD, Rule::Linkage, "restart, so that host and image are linked alike"),
];

/// Compares the image's crates with the program's.
pub fn compare(crate_name: &str, descriptor: &Descriptor, bytes: &[u8], built: &Built) -> Result<(), Vec<Reason>> {
    let Some(own) = descriptor.facts_of(crate_name) else {
        let found = descriptor.crate_names().join(", ");
        return Err(vec![Reason::new(
            Rule::Descriptor,
            crate_name,
            format!("the facts of crate `{crate_name}`"),
            if found.is_empty() { "none".to_owned() } else { format!("those of {found}") },
            "build it with this version of `cargo pitstop`",
        )]);
    };
    let mut reasons = Vec::new();
    let Some(host) = built.crates.get(crate_name) else {
        return Err(vec![Reason::new(
            Rule::Dependencies,
            crate_name,
            "a crate that is linked into the program",
            "one that is not",
            "restart, so that the program knows the new crate",
        )]);
    };
    differences(own, host, &mut reasons);
    reasons.extend(other_allocator(own, host));
    reasons.extend(brought_allocator(own, bytes));
    for linked in &descriptor.crates {
        if linked.crate_name != crate_name
            && let Some(host) = built.crates.get(&linked.crate_name)
        {
            differences(linked, host, &mut reasons);
        }
    }
    if let Some(reason) = compiler_note(bytes, host) {
        reasons.push(reason);
    }
    if reasons.is_empty() { Ok(()) } else { Err(reasons) }
}

/// The facts that differ though they must not.
pub(crate) fn differences(image: &Facts, host: &Facts, reasons: &mut Vec<Reason>) {
    for (key, rule, advice) in EQUAL {
        let (expected, found) = (host.get(key), image.get(key));
        if expected != found {
            let subject = format!("{} of `{}`", key, image.crate_name);
            reasons.push(Reason::new(rule, subject, shown(expected), shown(found), advice));
        }
    }
    reasons.extend(other_library(image, host));
}

/// The one dynamic library of all dependencies, and which of them make it another one.
fn other_library(image: &Facts, host: &Facts) -> Option<Reason> {
    let (expected, found) = (host.get(fact::DEPENDENCIES), image.get(fact::DEPENDENCIES));
    if expected == found {
        return None;
    }
    let (before, after) = (host.dependencies(), image.dependencies());
    let side = |library: &str, own: &Dependencies, other: &Dependencies| {
        let moved = dependency::moved(&before, &after).into_iter();
        let moved =
            moved.filter_map(|name| Some(format!("{name} {}", dependency::shown(own.get(&name)?, other.get(&name)?))));
        let single =
            own.keys().filter(|name| !other.contains_key(*name)).map(|name| format!("{name}, which only this has"));
        let named = moved.chain(single).take(4).collect::<Vec<_>>().join("; ");
        if named.is_empty() { shown(library) } else { format!("{} with {named}", shown(library)) }
    };
    let subject = format!("the shared dependencies of `{}`", image.crate_name);
    let (expected, found) = (side(expected, &before, &after), side(found, &after, &before));
    Some(Reason::new(Rule::Linkage, subject, expected, found, "undo the change, or restart"))
}

/// Whether the image would allocate with something else than the program that loads it.
fn other_allocator(image: &Facts, host: &Facts) -> Option<Reason> {
    let used = host.get(fact::ALLOCATOR);
    let (expected, meaning) = match used {
        allocator::SHARED => (allocator::SHARED, "that of the `std` which all share".to_owned()),
        _ => (allocator::HOST, format!("the program's, {}", shown(used))),
    };
    let found = image.get(fact::ALLOCATOR);
    (found != expected).then(|| {
        Reason::new(
            Rule::Allocator,
            format!("{} of `{}`", fact::ALLOCATOR, image.crate_name),
            format!("`{expected}`: {meaning}"),
            shown(found),
            "what one allocates the other would free; build the image with this version of `cargo pitstop`",
        )
    })
}

/// Whether an image that is to share its allocator brings one along: the functions that `#[global_allocator]` expands to
/// are evidence that does not go through our own record. The attribute cannot know of them.
fn brought_allocator(image: &Facts, bytes: &[u8]) -> Option<Reason> {
    if image.get(fact::ALLOCATOR) != allocator::SHARED {
        return None;
    }
    let file = object::File::parse(bytes).ok()?;
    let is_brought = file.symbols().any(|symbol| {
        symbol.is_definition() && symbol.name_bytes().is_ok_and(|name| name.ends_with(b"12___rust_alloc"))
    });
    is_brought.then(|| {
        Reason::new(
            Rule::Allocator,
            format!("{} of `{}`", fact::ALLOCATOR, image.crate_name),
            format!("`{}`: that of the `std` which all share", allocator::SHARED),
            "a `#[global_allocator]` of its own",
            "what one allocates the other would free; take it out, or move it into the program's own crate and restart",
        )
    })
}

/// Compares the dependencies whose types are in reach of what crosses between program and image: `occurs` says which
/// crates these are. The others may differ, since each side has its own.
#[must_use]
pub fn dependencies(image: &Facts, host: &Facts, occurs: &dyn Fn(&str) -> bool) -> Vec<Reason> {
    let (before, after) = (host.dependencies(), image.dependencies());
    let known = before.iter().filter(|(name, _)| occurs(name));
    let differing = known.filter_map(|(name, expected)| {
        // None at all is fine: no type of it can reach the image's code.
        let found = after.get(name).filter(|found| *found != expected)?;
        Some(Reason::new(
            Rule::Dependencies,
            format!("dependency `{name}` of `{}`", image.crate_name),
            dependency::shown(expected, found),
            dependency::shown(found, expected),
            "its types are in values that the program keeps; undo the change, or restart",
        ))
    });
    differing.collect()
}

fn shown(value: &str) -> String {
    if value.is_empty() { "none".to_owned() } else { format!("`{value}`") }
}

/// rustc signs its output in `.comment`: evidence that does not go through our own record.
fn compiler_note(bytes: &[u8], host: &Facts) -> Option<Reason> {
    let file = object::File::parse(bytes).ok()?;
    let data = file.section_by_name(".comment")?.uncompressed_data().ok()?;
    let expected = host.get(fact::RUSTC);
    let mut notes = data.split(|&byte| byte == 0).filter_map(|note| std::str::from_utf8(note).ok());
    let found = notes.find_map(|note| {
        let version = note.strip_prefix("rustc version ")?;
        (version != expected).then(|| version.to_owned())
    })?;
    Some(Reason::new(
        Rule::Compiler,
        "the compiler's own note in `.comment`",
        shown(expected),
        shown(&found),
        "restart, so that one compiler builds both",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(lines: &str) -> Facts {
        Facts::from_lines("logic", lines)
    }

    fn text(reason: &Reason) -> String {
        format!("{}: expected {}, found {}", reason.subject, reason.expected, reason.found)
    }

    #[test]
    fn a_dependency_whose_types_cross_must_be_the_same_and_others_may_differ() {
        let host = facts("dependency.glam=0.29.1 aa std\ndependency.log=0.4.0 bb \n");
        let image = facts("dependency.glam=0.30.0 cc std\ndependency.log=0.4.1 dd \ndependency.rand=0.9.0 ee \n");
        let reasons = dependencies(&image, &host, &|name| name == "glam" || name == "rand");
        let words: Vec<String> = reasons.iter().map(text).collect();
        assert_eq!(
            words,
            ["dependency `glam` of `logic`: expected 0.29.1 (features std), found 0.30.0 (features std)"]
        );
        assert_eq!(reasons[0].rule, Rule::Dependencies);
        assert!(dependencies(&image, &host, &|_| false).is_empty());
        assert!(dependencies(&host, &host, &|_| true).is_empty());
    }

    #[test]
    fn features_identity_and_a_second_version_count() {
        let host = facts("dependency.glam=0.29.1 aa std\n");
        for (lines, found) in [
            ("dependency.glam=0.29.1 aa serde,std\n", "0.29.1 (features serde, std)"),
            ("dependency.glam=0.29.1 bb std\n", "0.29.1 (features std), build bb"),
            ("dependency.glam=0.29.1 aa std; 0.30.0 cc \n", "0.29.1 (features std) and 0.30.0 (no features)"),
        ] {
            let reasons = dependencies(&facts(lines), &host, &|_| true);
            assert_eq!(reasons.len(), 1, "{lines}");
            assert_eq!(reasons[0].found, found);
        }
    }

    #[test]
    fn another_shared_library_is_refused_by_the_name_of_what_moved() {
        let host = facts("dependencies=deps_1\ndependency.glam=0.29.1 aa \ndependency.physics=1.0.0 bb \n");
        let image = facts("dependencies=deps_2\ndependency.glam=0.29.2 cc \ndependency.physics=1.0.0 dd \n");
        let reason = other_library(&image, &host).expect("a refusal");
        assert_eq!(
            text(&reason),
            "the shared dependencies of `logic`: expected `deps_1` with glam 0.29.1 (no features), \
             found `deps_2` with glam 0.29.2 (no features)"
        );
        assert!(other_library(&host, &host).is_none());
    }

    #[test]
    fn an_image_that_would_allocate_for_itself_is_refused() {
        let system = "allocator=system\n";
        let own = "allocator=mimalloc::MiMalloc of game/src/main.rs\n";
        for (host, image, fine) in [
            (system, "allocator=host\n", true),
            (own, "allocator=host\n", true),
            ("allocator=shared\n", "allocator=shared\n", true),
            // An earlier image in the place of the program.
            ("allocator=host\n", "allocator=host\n", true),
            (own, "allocator=system\n", false),
            (own, own, false),
            (own, "allocator=shared\n", false),
            ("allocator=shared\n", "allocator=host\n", false),
            (system, "", false),
        ] {
            let reason = other_allocator(&facts(image), &facts(host));
            assert_eq!(reason.is_none(), fine, "{host}{image}: {reason:?}");
            assert!(reason.is_none_or(|reason| reason.rule == Rule::Allocator));
        }
    }
}
