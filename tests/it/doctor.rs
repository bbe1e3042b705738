//! `cargo pitstop doctor`: each finding, provoked in a workspace, and a clean one.

use pitstop_tests::{Project, repository};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const TRIPLE_CONFIG: &str = "[target.'cfg(unix)']\n";

/// What one run said.
struct Report {
    code: Option<i32>,
    findings: Vec<Value>,
    summary: Value,
    stderr: String,
}

impl Report {
    fn of(mut command: Command) -> Self {
        let output = command.output().expect("an end");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let lines = String::from_utf8(output.stdout).expect("UTF-8");
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let mut findings: Vec<Value> = lines.lines().map(parse).collect();
        let summary = findings.pop().unwrap_or_else(|| panic!("no line at all: {stderr}"))["summary"].clone();
        assert!(summary.is_object(), "the last line is the summary: {lines}");
        let count = |severity: &str| findings.iter().filter(|finding| finding["severity"] == severity).count() as u64;
        for (number, severity) in [("errors", "error"), ("warnings", "warning"), ("notes", "note"), ("ok", "ok")] {
            assert_eq!(summary[number].as_u64(), Some(count(severity)), "{number} in {lines}");
        }
        for finding in &findings {
            let remedy = finding["remedy"].as_str().unwrap_or_default();
            assert_eq!(remedy.is_empty(), finding["severity"] == "ok", "{finding}");
            assert!(!remedy.contains('\n') && !finding["found"].as_str().expect("text").contains('\n'), "{finding}");
        }
        let code = output.status.code();
        assert_eq!(code, Some(i32::from(count("error") > 0)), "{lines}{stderr}");
        Self { code, findings, summary, stderr }
    }

    /// The finding of this kind, with its severity, and words that are to be in it.
    fn says(&self, severity: &str, finding: &str, words: &[&str]) {
        let found = self.findings.iter().find(|found| found["finding"] == finding);
        let found = found.unwrap_or_else(|| panic!("no {finding} in {:#?}\n{}", self.findings, self.stderr));
        assert_eq!(found["severity"], severity, "{found}");
        for word in words {
            assert!(found.to_string().contains(&word.replace('"', "\\\"")), "no `{word}` in {found}");
        }
    }
}

fn doctor(project: &Project, arguments: &[&str]) -> Report {
    let mut all = vec!["doctor", "--json"];
    all.extend(arguments);
    Report::of(project.pitstop(&all))
}

fn append(project: &Project, file: &str, text: &str) {
    project.write(file, &format!("{}\n{text}", project.read(file)));
}

/// The compiler itself, whatever stands before it.
fn rustc() -> PathBuf {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().expect("rustc");
    Path::new(String::from_utf8_lossy(&output.stdout).trim()).join("bin/rustc")
}

#[test]
fn a_good_workspace_has_no_findings_and_all_that_was_looked_at_is_listed() {
    let project = Project::new("basic");
    let report = doctor(&project, &[]);
    for looked in ["toolchain", "workspace", "watch", "program", "linker", "profile", "debug-info", "speed", "linkage"]
    {
        report.says("ok", looked, &[]);
    }
    assert_eq!(report.summary["ok"].as_u64(), Some(report.findings.len() as u64), "{:#?}", report.findings);
    report.says("ok", "program", &["game", "reloads logic"]);
    report.says("ok", "linkage", &["shared"]);

    let output = project.pitstop(&["doctor"]).output().expect("an end");
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8_lossy(&output.stdout);
    let line = |start: &str| text.lines().any(|line| line.starts_with(start));
    assert!(line("ok       toolchain            rustc: 1."), "{text}");
    assert!(line("ok       program              program game: reloads logic"), "{text}");
    assert!(line("nothing to mend: 0 errors, 0 warnings, 0 notes"), "{text}");
    let sessions = std::fs::read_dir(project.path("target/pitstop")).expect("a folder");
    assert!(sessions.flatten().all(|entry| entry.file_name() == "cargo"), "no session is left behind");
}

#[test]
fn a_compiler_that_does_not_run_or_is_too_old() {
    let project = Project::new("basic").with_env("RUSTC", "no-such-compiler");
    doctor(&project, &[]).says("error", "toolchain-missing", &["no-such-compiler", "rustup"]);

    let project = Project::new("basic");
    let old = project.path("old-rustc");
    let script = "#!/bin/sh\ncase \"$1\" in -vV) echo 'rustc 1.80.0 (051478957 2024-07-21)'; echo 'host: x' ;; *) echo /; esac\n";
    std::fs::write(&old, script).expect("a script");
    std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o755)).expect("executable");
    let project = project.with_env("RUSTC", &old.display().to_string());
    let report = doctor(&project, &[]);
    report.says("error", "toolchain-old", &["1.80.0", "1.95", "rustup update"]);
    assert_eq!(report.code, Some(1));
}

#[test]
fn a_toolchain_file_that_is_not_heeded() {
    let project = Project::new("basic").with_env("RUSTC", &rustc().display().to_string());
    project.write("rust-toolchain.toml", "[toolchain]\nchannel = \"1.96.0\"\n");
    // Cargo itself may be rustup's stand-in, which does heed the file.
    let mut command = project.pitstop(&["doctor", "--json", "--profile", "no-such-profile"]);
    command.env("CARGO", rustc().with_file_name("cargo"));
    Report::of(command).says("warning", "toolchain-ignored", &["asks for 1.96.0", "unset"]);
}

#[test]
fn no_workspace_no_program_and_a_target_directory_that_cannot_be() {
    let project = Project::new("basic");
    let mut command = project.pitstop(&["doctor", "--json"]);
    command.current_dir("/");
    Report::of(command).says("error", "no-workspace", &["Cargo.toml", "--manifest-path"]);
    doctor(&project, &["gmae"]).says("error", "no-program", &["`gmae`", "game"]);
    let project = Project::new("basic");
    project.write("target", "a file");
    doctor(&project, &[]).says("error", "session-directory", &["target", "--target-dir"]);
}

#[test]
fn a_linker_that_is_not_there() {
    let project = Project::new("basic");
    project.write(".cargo/config.toml", &format!("{TRIPLE_CONFIG}linker = \"no-such-linker\"\n"));
    doctor(&project, &[]).says("error", "linker-missing", &["no-such-linker", "apt install gcc"]);

    let project = Project::new("basic").with_env("RUSTC", &rustc().display().to_string());
    let empty = project.path("empty");
    std::fs::create_dir_all(&empty).expect("a folder");
    let mut command = project.pitstop(&["doctor", "--json"]);
    command.env("CARGO", rustc().with_file_name("cargo")).env("PATH", empty);
    Report::of(command).says("error", "linker-missing", &["`cc`"]);
}

#[test]
fn a_linker_that_fails_and_a_target_without_a_standard_library() {
    let project = Project::new("basic");
    project.write(".cargo/config.toml", &format!("{TRIPLE_CONFIG}rustflags = [\"-Clink-arg=/no/such/object.o\"]\n"));
    doctor(&project, &[]).says("error", "cannot-link", &["no/such/object.o", "rustflags"]);

    let project = Project::new("basic");
    let target = "loongarch64-unknown-linux-gnu";
    doctor(&project, &["--target", target]).says("error", "target-missing", &["rustup target add loongarch64"]);
}

#[test]
fn rustflags_that_slow_down_and_strip_are_named_as_the_place_to_mend() {
    let flags = "-C link-arg=-fuse-ld=bfd -C link-arg=-Wl,--strip-debug -C opt-level=1";
    let project = Project::new("basic").with_env("RUSTFLAGS", flags);
    let report = doctor(&project, &[]);
    report.says("warning", "linker-slow", &["GNU ld", "-fuse-ld"]);
    report.says("warning", "stripped", &["crate logic", "rustflags"]);
    report.says("warning", "optimised", &["opt-level = 1", "remove `-C opt-level` from RUSTFLAGS"]);
    assert_eq!(report.summary["errors"], 0);
}

#[test]
fn dependencies_that_cargo_cannot_build() {
    let project = Project::new("basic");
    let report = doctor(&project, &["--profile", "no-such-profile"]);
    report.says("error", "dependencies-unbuilt", &["above"]);
    assert!(report.stderr.contains("no-such-profile"), "{}", report.stderr);
}

#[test]
fn settings_of_a_crate_that_slow_down_or_leave_types_unproven() {
    let project = Project::new("basic");
    append(
        &project,
        "Cargo.toml",
        "[profile.dev.package.logic]\ndebug = 1\nopt-level = 2\ncodegen-units = 1\nincremental = false\n",
    );
    let report = doctor(&project, &[]);
    for (finding, setting) in [
        ("debug-info-limited", "debug = 2"),
        ("optimised", "opt-level = 0"),
        ("one-codegen-unit", "codegen-units = 256"),
        ("not-incremental", "incremental = true"),
    ] {
        report.says("warning", finding, &["crate logic", &format!("[profile.dev.package.logic] {setting}")]);
    }
    // The remedies, all of them at once.
    let manifest = project.read("Cargo.toml");
    let (workspace, _) = manifest.split_once("[profile.").expect("the profile");
    let settings = "debug = 2\nopt-level = 0\ncodegen-units = 256\nincremental = true\n";
    project.write("Cargo.toml", &format!("{workspace}[profile.dev.package.logic]\n{settings}"));
    let report = doctor(&project, &[]);
    assert_eq!(report.summary["warnings"], 0, "{:#?}", report.findings);
}

#[test]
fn a_profile_without_debug_info_gets_it_in_live_builds() {
    let project = Project::new("basic");
    append(&project, "Cargo.toml", "[profile.dev.package.logic]\ndebug = 0\n");
    doctor(&project, &[]).says("ok", "debug-info", &["live builds add it"]);
}

#[test]
fn environment_variables_that_override_the_profile() {
    let project = Project::new("basic").with_env("CARGO_INCREMENTAL", "0");
    doctor(&project, &[]).says("warning", "not-incremental", &["unset CARGO_INCREMENTAL"]);
    let project = Project::new("basic");
    project.write(".cargo/config.toml", "[build]\nincremental = false\n");
    doctor(&project, &[]).says("warning", "not-incremental", &[".cargo/config.toml"]);
}

#[test]
fn a_release_profile_is_slow_and_one_with_lto_and_abort_is_self_contained() {
    let project = Project::new("basic");
    let tiny = "[profile.tiny]\ninherits = \"release\"\npanic = \"abort\"\nlto = \"thin\"\n";
    append(&project, "Cargo.toml", tiny);
    let report = doctor(&project, &["--profile", "tiny"]);
    report.says("warning", "lto", &["thin", "[profile.tiny] lto = \"off\""]);
    report.says("warning", "panic-abort", &["ends the program", "[profile.tiny] panic = \"unwind\""]);
    report.says("warning", "optimised", &["[profile.tiny.package.logic] opt-level = 0"]);
    report.says("note", "self-contained", &["panic = \"abort\""]);
    // Set by a variable, no line in a manifest helps.
    let project = project.with_env("CARGO_PROFILE_TINY_LTO", "thin");
    doctor(&project, &["--profile", "tiny"]).says("warning", "lto", &["unset CARGO_PROFILE_TINY_LTO"]);
}

#[test]
fn an_allocator_makes_images_self_contained_and_sharing_refused() {
    let project = Project::new("basic");
    append(
        &project,
        "game/src/main.rs",
        "#[global_allocator]\nstatic ALLOCATOR: std::alloc::System = std::alloc::System;\n",
    );
    let report = doctor(&project, &[]);
    report.says("note", "self-contained", &["main.rs sets a global allocator", "Shared or self-contained"]);
    assert_eq!(report.summary["warnings"], 0);
    let report = doctor(&project, &["--linkage", "self-contained"]);
    report.says("ok", "linkage", &["as asked for"]);
    let report = doctor(&project, &["--linkage", "shared"]);
    report.says("error", "linkage-refused", &["global allocator", "--linkage"]);
}

#[test]
fn a_program_that_takes_nothing_in_and_a_workspace_without_anything_to_reload() {
    let project = Project::new("basic");
    project.edit("game/Cargo.toml", "logic = { path = \"../logic\" }\n", "");
    let report = doctor(&project, &[]);
    report.says("error", "nothing-reloadable", &["does not depend on logic", "cargo add logic -p game"]);
    let host = format!("pitstop-host = {{ path = \"{}/host\" }}\n", repository().display());
    project.edit("game/Cargo.toml", &host, "");
    let reloadable = format!("pitstop-reloadable = {{ path = \"{}/reloadable\" }}\n", repository().display());
    project.edit("logic/Cargo.toml", &reloadable, "");
    let report = doctor(&project, &[]);
    report.says("error", "no-host", &["program game", "cargo add pitstop-host -p game"]);
    report.says("error", "nothing-reloadable", &["cargo add pitstop-reloadable"]);
}

#[test]
fn libraries_by_name_are_something_to_reload_and_need_debug_info() {
    let project = Project::new("classic");
    let report = doctor(&project, &[]);
    report.says("ok", "program", &["can ask for logic, plugin by name"]);
    report.says("ok", "debug-info", &["crate logic", "full"]);
    assert_eq!(report.summary["warnings"], 0, "{:#?}", report.findings);
    append(&project, "Cargo.toml", "[profile.dev.package.logic]\ndebug = \"line-tables-only\"\n");
    let report = doctor(&project, &[]);
    report.says("warning", "debug-info-limited", &["line-tables-only", "[profile.dev.package.logic] debug = 2"]);
}

#[test]
fn a_crate_that_cargo_must_compile_itself_is_not_reloaded() {
    let project = Project::new("basic");
    append(&project, "game/Cargo.toml", "[build-dependencies]\nlogic = { path = \"../logic\" }\n");
    project.write("game/build.rs", "fn main() {}\n");
    let report = doctor(&project, &["--profile", "no-such-profile"]);
    report.says("warning", "built-by-cargo", &["crate logic", "build script"]);
    report.says("error", "nothing-reloadable", &[]);
}

#[test]
fn the_attribute_under_another_name() {
    let project = Project::new("basic");
    project.edit("logic/Cargo.toml", "pitstop-reloadable = {", "live = { package = \"pitstop-reloadable\",");
    doctor(&project, &[]).says("error", "renamed", &["crate logic", "`live`"]);
}

#[test]
fn a_reloadable_crate_outside_of_the_workspace() {
    let project = Project::new("basic");
    project.edit(
        "Cargo.toml",
        "members = [\"game\", \"logic\", \"util\"]",
        "members = [\"game\"]\nexclude = [\"logic\", \"util\"]",
    );
    let report = doctor(&project, &["--profile", "no-such-profile"]);
    report.says("warning", "outside-workspace", &["crate logic", "/logic to `members`"]);
}

#[test]
fn two_copies_and_another_version_of_the_crates() {
    let project = Project::new("basic");
    let manifest = "[package]\nname = \"pitstop-reloadable\"\nversion = \"0.0.1\"\nedition = \"2021\"\n";
    project.write("other/Cargo.toml", manifest);
    project.write("other/src/lib.rs", "");
    append(&project, "Cargo.toml", "exclude = [\"other\"]\n");
    project.edit("logic/Cargo.toml", &format!("{}/reloadable", repository().display()), "../other");
    let report = doctor(&project, &["--profile", "no-such-profile"]);
    report.says("error", "two-copies", &["pitstop-reloadable", "0.0.1, 0.1.0", "cargo tree -i"]);
    report.says("warning", "other-version", &["is 0.0.1, but the command is 0.1.0"]);
}

#[test]
fn a_crate_of_very_many_lines() {
    let project = Project::new("basic");
    project.write("logic/src/many.rs", &"pub fn one() {}\n".repeat(20_001));
    doctor(&project, &[]).says("warning", "large-crate", &["crate logic", "lines", "move"]);
}

#[test]
fn a_system_that_allows_no_more_watches() {
    let project = Project::new("basic");
    let mut command = Command::new("unshare");
    // Limits of a name space of its own; as root, as `tests/run` has.
    let script = "echo 0 > /proc/sys/user/max_inotify_instances && exec \"$@\"";
    command.args(["--user", "--map-root-user", "sh", "-c", script, "sh"]).arg(pitstop_tests::command());
    let pitstop = project.pitstop(&["doctor", "--json"]);
    command.args(pitstop.get_args()).current_dir(project.directory());
    for (name, value) in pitstop.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Report::of(command).says("error", "watch-limit", &["sudo sysctl fs.inotify.max_user_watches"]);
}

#[test]
fn watches_of_other_programs_are_counted() {
    let running = Project::new("basic");
    let _session = running.live(&[]);
    let report = doctor(&Project::new("classic"), &["--profile", "no-such-profile"]);
    let watch = report.findings.iter().find(|finding| finding["finding"] == "watch").expect("a line");
    let found = watch["found"].as_str().expect("text");
    let number = found.rsplit(' ').next().and_then(|number| number.parse::<u64>().ok());
    assert!(number >= Some(4), "a session watches the root and three crates at least: {found}");
}

/// The source says which findings there are; here, or in a unit test, each is provoked.
#[test]
fn each_finding_has_a_test() {
    let here = include_str!("doctor.rs");
    let mut count = 0;
    for entry in std::fs::read_dir(repository().join("watcher/src/doctor")).expect("a folder").flatten() {
        let text = std::fs::read_to_string(entry.path()).expect("a source file");
        let (code, tests) = text.split_once("#[cfg(test)]").unwrap_or((&text, ""));
        for call in ["Finding::note(", "Finding::warning(", "Finding::error(", "slow("] {
            for after in code.split(call).skip(1) {
                let Some(name) = after.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next()) else {
                    continue;
                };
                count += 1;
                let quoted = format!("\"{name}\"");
                assert!(here.contains(&quoted) || tests.contains(&quoted), "no test provokes {name}");
            }
        }
    }
    assert!(count > 25, "only {count} findings found: is the code another?");
}
