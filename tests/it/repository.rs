//! What a machine can check of the repository itself.

use cargo_metadata::MetadataCommand;
use pitstop_tests::repository;
use std::collections::BTreeMap;

#[test]
fn crates_depend_on_each_other_in_the_stated_directions_only() {
    let metadata = MetadataCommand::new().current_dir(repository()).no_deps().exec().expect("cargo metadata");
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in metadata.workspace_packages() {
        let ours =
            package.dependencies.iter().filter(|dependency| dependency.kind == cargo_metadata::DependencyKind::Normal);
        let ours = ours.map(|dependency| dependency.name.to_string()).filter(|name| name.starts_with("pitstop-"));
        found.insert(package.name.to_string(), ours.collect());
    }
    let allowed = [
        ("pitstop-contract", vec![]),
        ("pitstop-macros", vec!["pitstop-contract"]),
        ("pitstop-rpc", vec![]),
        ("pitstop-reloadable", vec!["pitstop-contract", "pitstop-macros", "pitstop-rpc"]),
        ("pitstop-proof", vec!["pitstop-contract"]),
        ("pitstop-host", vec!["pitstop-contract", "pitstop-proof", "pitstop-reloadable", "pitstop-rpc"]),
        ("pitstop-host-c", vec!["pitstop-host"]),
        ("pitstop-watcher", vec!["pitstop-contract", "pitstop-proof"]),
    ];
    for (name, allowed) in allowed {
        for dependency in &found[name] {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn every_source_file_opens_with_what_it_is_for() {
    for folder in ["reloadable", "host", "watcher", "tests/it", "examples"] {
        for file in rust_files(&repository().join(folder)) {
            let text = std::fs::read_to_string(&file).expect("a source file");
            assert!(text.starts_with("//!"), "{} does not open with `//!`", file.display());
        }
    }
}

#[test]
fn files_that_the_architecture_names_exist() {
    let text = std::fs::read_to_string(repository().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let mut count = 0;
    for name in text.split('`').skip(1).step_by(2) {
        let is_path = name.contains('/') && !name.contains(['<', ' ', '*', '$']) && !name.starts_with("target/");
        let is_path = is_path && (name.ends_with(".rs") || name.ends_with(".md") || name.ends_with('/'));
        if is_path {
            count += 1;
            assert!(repository().join(name).exists(), "ARCHITECTURE.md names {name}, which is not there");
        }
    }
    assert!(count > 20, "only {count} paths found: is the format another?");
}

#[test]
fn the_readme_names_commands_that_exist() {
    let text = std::fs::read_to_string(repository().join("README.md")).expect("README.md");
    assert!(text.contains("cargo pitstop run arena"));
    assert!(text.contains("tests/run"));
    for line in text.lines().map(str::trim).filter(|line| line.starts_with("cargo pitstop ")) {
        let verb = line.split_whitespace().nth(2).unwrap_or_default();
        assert!(
            ["run", "watch", "undo", "redo", "restart", "doctor", "inspect", "demo", "compare"].contains(&verb),
            "README.md says `{line}`"
        );
    }
    for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        if !link.contains("://") && !link.starts_with('#') {
            assert!(repository().join(link.split('#').next().unwrap_or(link)).exists(), "README.md links to {link}");
        }
    }
}

#[test]
fn the_examples_end_by_themselves() {
    for (example, live, last) in [
        ("arena", "arena_rules", "frame 59"),
        ("swarm", "flock", "frame 59"),
        ("greeter", "plugin:rust", "from the shell"),
        ("kv", "plugin:rust", "adds"),
    ] {
        let mut command = std::process::Command::new(pitstop_tests::command());
        command.args(["pitstop", "run", example, "--json"]).current_dir(repository());
        if example == "greeter" {
            // The crates behind two mechanisms take minutes; those plugins are refused then, and the others go on.
            command.arg("--no-default-features");
        }
        command.args(["--", "--frames", "60"]);
        let mut session = pitstop_tests::Session::start(command);
        session.attached();
        session.prints(last);
        assert!(session.ends().success(), "{example}");
        assert!(session.has_seen(live));
    }
}

fn rust_files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
