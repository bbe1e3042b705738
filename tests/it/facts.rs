//! What the descriptor of an image says of its build.

use object::{Object, ObjectSection};
use pitstop_contract::descriptor::{Descriptor, Facts};
use pitstop_contract::event::Event;
use pitstop_tests::Project;
use std::path::PathBuf;

const LOGIC: &str = "logic/src/lib.rs";

/// The facts of `logic` in the first image of a session.
fn facts(project: &Project, arguments: &[&str]) -> Facts {
    let mut session = project.run(arguments);
    let directory = session.event("session", |event| match event {
        Event::Session { directory, .. } => Some(PathBuf::from(directory)),
        _ => None,
    });
    session.attached();
    session.goes_live_after(|| project.edit(LOGIC, "ANSWER: u32 = 42", "ANSWER: u32 = 43"), "logic");
    let files = std::fs::read_dir(directory.join("images")).expect("images").flatten().map(|file| file.path());
    let images = files.filter(|file| file.extension().is_some_and(|end| end == "so"));
    let bytes = std::fs::read(images.last().expect("an image")).expect("an image");
    let file = object::File::parse(&*bytes).expect("an image");
    let section = file.section_by_name(".pitstop").expect("a descriptor");
    let descriptor = Descriptor::parse(section.data().expect("its bytes")).expect("records");
    descriptor.facts_of("logic").expect("the crate's facts").clone()
}

#[test]
fn an_image_says_how_it_was_built_and_of_what() {
    let project = Project::new("basic");
    let manifest = project.read("logic/Cargo.toml");
    project.write(
        "logic/Cargo.toml",
        &format!(
            "{manifest}fastrand = \"=2.0.1\"\nolder = {{ package = \"fastrand\", version = \"=1.9.0\" }}\n\n\
             [build-dependencies]\nautocfg = \"1\"\n\n[features]\nloud = []\ndefault = [\"loud\"]\n"
        ),
    );
    project.write("logic/build.rs", "fn main() {\n    autocfg::rerun_path(\"build.rs\");\n}\n");
    let found = facts(&project, &["--linkage", "shared"]);
    let rustc = std::process::Command::new("rustc").arg("-vV").current_dir(project.directory()).output();
    let rustc = String::from_utf8(rustc.expect("rustc").stdout).expect("text");
    let said = |start: &str| rustc.lines().find_map(|line| line.strip_prefix(start)).expect("said").to_owned();
    for (fact, expected) in [
        ("rustc", said("rustc ")),
        ("rustc-commit", said("commit-hash: ")),
        ("target", said("host: ")),
        ("version", "0.1.0".to_owned()),
        ("panic", "unwind".to_owned()),
        ("opt-level", "0".to_owned()),
        ("debug-assertions", "on".to_owned()),
        ("overflow-checks", "on".to_owned()),
        ("features", "default,loud".to_owned()),
        ("linkage", "shared".to_owned()),
        ("std", "shared".to_owned()),
        ("allocator", "shared".to_owned()),
    ] {
        assert_eq!(found.get(fact), expected, "{fact}");
    }
    assert!(!found.get("metadata").is_empty());
    let dependencies = found.dependencies();
    let versions: Vec<String> = dependencies["fastrand"].iter().map(|found| found.version.clone()).collect();
    assert_eq!(versions, ["1.9.0", "2.0.1"]);
    for version in &dependencies["fastrand"] {
        assert_eq!(version.identity.len(), 16, "{version:?}");
        assert!(version.version == "1.9.0" || version.features.contains("std"), "{version:?}");
    }
    assert_eq!(dependencies["util"].first().map(|util| util.version.as_str()), Some("0.1.0"));
    assert!(dependencies.contains_key("pitstop_reloadable") && dependencies.contains_key("linkme"));
    for tool in ["autocfg", "syn", "pitstop_macros", "linkme_impl", "logic"] {
        assert!(!dependencies.contains_key(tool), "{tool} is not linked into the image");
    }
}

#[test]
fn settings_are_recorded_as_they_hold_and_not_only_as_they_are_written() {
    let flags = "-Ctarget-feature=+sse3 -C target-feature=+ssse3 -Ctarget-cpu=x86-64-v2";
    let project = Project::new("basic").with_env("RUSTFLAGS", flags);
    // Of the program's own crates alone: the others need not be compiled with it.
    let manifest = project.read("Cargo.toml");
    let own = "opt-level = 1\ndebug-assertions = false\noverflow-checks = true\n";
    project.write("Cargo.toml", &format!("{manifest}\n[profile.dev.package.logic]\n{own}"));
    let found = facts(&project, &["--linkage", "self-contained"]);
    for (fact, expected) in [
        ("opt-level", "1"),
        ("debug-assertions", "off"),
        ("overflow-checks", "on"),
        ("target-cpu", "x86-64-v2"),
        ("target-feature", "+sse3,+ssse3"),
        ("linkage", "self-contained"),
        ("std", "static"),
        ("allocator", "host"),
    ] {
        assert_eq!(found.get(fact), expected, "{fact}");
    }
}
