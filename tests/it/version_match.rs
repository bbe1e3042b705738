//! The demo that shows a plugin in all mismatching ways.

use pitstop_tests::{Project, repository};
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;

/// In the repository, with the dependencies that all tests share.
fn demo(project: &Project, arguments: &[&str]) -> Command {
    let mut demo = project.pitstop(&["demo"]);
    demo.args(arguments).current_dir(repository());
    demo
}

#[test]
fn every_mismatch_is_refused_by_its_rule_and_no_harmless_edit_is() {
    let project = Project::new("basic");
    let output = demo(&project, &["version-match", "--json"]).output().expect("an end");
    let printed = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{printed}\n{said}");
    let lines = printed.lines().map(|line| serde_json::from_str::<Value>(line).expect("a JSON object"));
    let cases: BTreeMap<String, Value> =
        lines.map(|line| (line["case"].as_str().expect("a name").to_owned(), line)).collect();
    assert!(cases.len() >= 25, "{printed}");
    for (name, case) in &cases {
        assert_eq!(case["as_expected"], true, "{name}: {case}");
        assert_eq!(case["rule"], case["expected_rule"], "{name}: {case}");
        assert_ne!(case["without"]["outcome"], Value::Null, "{name}: {case}");
        let is_accepted = case["rule"] == "accepted";
        assert_eq!(case["reasons"].as_array().is_some_and(Vec::is_empty), is_accepted, "{name}: {case}");
    }
    for (name, rule) in [
        ("other-compiler", "compiler"),
        ("other-profile", "profile"),
        ("other-panic", "profile"),
        ("target-features", "profile"),
        ("dependency-version", "dependencies"),
        ("dependency-features", "dependencies"),
        ("field-added", "layout"),
        ("field-removed", "layout"),
        ("field-reordered", "layout"),
        ("field-retyped", "layout"),
        ("variant-added", "layout"),
        ("nested-type", "layout"),
        ("generic-argument", "layout"),
        ("signature", "signature"),
        ("function-removed", "missing"),
        ("static-std", "linkage"),
        ("other-allocator", "allocator"),
        ("truncated", "complete"),
        ("bit-flipped", "checksum"),
        ("empty", "complete"),
        ("other-architecture", "target"),
        ("script", "complete"),
        ("32-bit", "target"),
        ("symlink-loop", "file"),
        ("fifo", "file"),
        ("field-renamed", "accepted"),
        ("body", "accepted"),
    ] {
        assert_eq!(cases[name]["rule"], rule, "{}", cases[name]);
    }
}

#[test]
fn a_demo_or_a_case_that_is_not_there_is_named_with_what_there_is() {
    let project = Project::new("basic");
    for (arguments, known) in
        [(&["version-macth"][..], "version-match"), (&["version-match", "--case", "field"], "--list")]
    {
        let output = demo(&project, arguments).output().expect("an end");
        assert_eq!(output.status.code(), Some(2));
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(words.contains(known), "{words}");
    }
    let listed = demo(&project, &["version-match", "--list"]).output().expect("an end");
    assert!(String::from_utf8_lossy(&listed.stdout).contains("field-retyped"));
}

#[test]
fn outside_of_the_repository_the_demo_says_where_it_is() {
    let project = Project::new("basic");
    let output = project.pitstop(&["demo", "version-match"]).output().expect("an end");
    assert_eq!(output.status.code(), Some(3));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("part of Pitstop's repository"), "{words}");
}
