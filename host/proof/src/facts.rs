//! The build's facts: compiler, target, profile, linkage.

use crate::Built;
use object::{Object, ObjectSection};
use pitstop_contract::descriptor::{Descriptor, Facts, fact};
use pitstop_contract::{Reason, Rule};

/// Facts that must be equal, the rule that each belongs to, and what to do about a difference.
const EQUAL: [(&str, Rule, &str); 13] = [
    (fact::RUSTC, Rule::Compiler, "restart, so that one compiler builds both"),
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
    (fact::DEPENDENCIES, Rule::Linkage, "the shared dependencies changed; restart"),
];

/// Compares the image's crates with the program's.
pub fn compare(crate_name: &str, descriptor: &Descriptor, bytes: &[u8], built: &Built) -> Result<(), Vec<Reason>> {
    let Some(own) = descriptor.facts_of(crate_name) else {
        let found = descriptor.crates.iter().map(|facts| facts.crate_name.as_str()).collect::<Vec<_>>().join(", ");
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

fn differences(image: &Facts, host: &Facts, reasons: &mut Vec<Reason>) {
    for (key, rule, advice) in EQUAL {
        let (expected, found) = (host.get(key), image.get(key));
        if expected != found {
            let subject = format!("{} of `{}`", key, image.crate_name);
            reasons.push(Reason::new(rule, subject, shown(expected), shown(found), advice));
        }
    }
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
