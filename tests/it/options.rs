//! The command's options, and the user's own settings.

use pitstop_contract::event::Event;
use pitstop_tests::Project;
use std::os::unix::fs::PermissionsExt;

const LOGIC: &str = "logic/src/lib.rs";

fn edit_is_live(project: &Project, session: &mut pitstop_tests::Session) {
    project.edit(LOGIC, "ANSWER: u32 = 42", "ANSWER: u32 = 43");
    session.goes_live("logic");
    session.prints("answer 43");
}

#[test]
fn the_release_profile() {
    let project = Project::new("basic");
    let mut session = project.live(&["--release"]);
    edit_is_live(&project, &mut session);
}

#[test]
fn a_profile_with_panic_abort_and_lto_is_self_contained_and_says_why() {
    let project = Project::new("basic");
    let manifest = project.read("Cargo.toml");
    project.write(
        "Cargo.toml",
        &format!("{manifest}\n[profile.tiny]\ninherits = \"release\"\npanic = \"abort\"\nlto = \"thin\"\n"),
    );
    let mut session = project.run(&["--profile", "tiny"]);
    let (linkage, reason) = session.event("session", |event| match event {
        Event::Session { linkage, linkage_reason, .. } => Some((linkage.clone(), linkage_reason.clone())),
        _ => None,
    });
    assert_eq!(linkage, "self-contained");
    assert!(reason.contains("panic") || reason == "asked for", "{reason}");
    session.attached();
    edit_is_live(&project, &mut session);
}

#[test]
fn self_contained_images() {
    let project = Project::new("basic");
    let mut session = project.live(&["--linkage", "self-contained"]);
    edit_is_live(&project, &mut session);
}

#[test]
fn a_manifest_path_from_elsewhere_and_a_target_directory() {
    let project = Project::new("basic");
    let manifest = project.path("game/Cargo.toml").display().to_string();
    let target = project.path("other target").display().to_string();
    let mut command = project.pitstop(&["run", "--json", "--manifest-path", &manifest, "--target-dir", &target]);
    command.current_dir("/");
    let mut session = pitstop_tests::Session::start(command);
    session.attached();
    edit_is_live(&project, &mut session);
    assert!(project.path("other target/pitstop").is_dir());
    assert!(!project.path("target").exists());
}

#[test]
fn examples_binaries_and_features_as_cargo_has_them() {
    let project = Project::new("basic");
    let main = project.read("game/src/main.rs");
    project.write("game/examples/demo.rs", &main.replace("host: {now}", "demo: {now}"));
    project.write("game/src/bin/second.rs", &main.replace("host: {now}", "second: {now}"));
    let manifest = project.read("logic/Cargo.toml");
    project.write("logic/Cargo.toml", &format!("{manifest}\n[features]\nloud = []\n"));
    let manifest = project.read("game/Cargo.toml");
    project.write("game/Cargo.toml", &format!("{manifest}\n[features]\nloud = [\"logic/loud\"]\n"));
    project.edit(LOGIC, "    1\n", "    if cfg!(feature = \"loud\") { 100 } else { 1 }\n");

    let output = project.pitstop(&["run"]).output().expect("an end");
    assert_eq!(output.status.code(), Some(3));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("several programs") && words.contains("second"), "{words}");

    let mut session = project.live(&["--bin", "second", "--features", "game/loud"]);
    session.prints("second: answer 42, util plain, asset apple, rule 4, score 100");
    drop(session);
    let mut session = project.live(&["--example", "demo"]);
    session.prints("demo: answer 42");
    session.goes_live_after(|| project.edit(LOGIC, "ANSWER: u32 = 42", "ANSWER: u32 = 43"), "logic");
    session.prints("demo: answer 43");
    drop(session);
    let mut session = project.live(&["demo"]);
    session.prints("demo: answer 43");
}

#[test]
fn a_program_that_is_not_there_is_named_with_those_that_are() {
    let project = Project::new("basic");
    let output = project.pitstop(&["run", "gmae"]).output().expect("an end");
    assert_eq!(output.status.code(), Some(3));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("`gmae`") && words.contains("game"), "{words}");
}

#[test]
fn nonsense_arguments_exit_with_2() {
    let project = Project::new("basic");
    let output = project.pitstop(&["run", "--nonsense"]).output().expect("an end");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn the_users_wrapper_is_called_for_dependencies_and_macros() {
    let project = Project::new("basic");
    let log = project.path("wrapper.log");
    let wrapper = project.path("wrapper.sh");
    std::fs::write(&wrapper, format!("#!/bin/sh\necho \"$@\" >> '{}'\nexec \"$@\"\n", log.display()))
        .expect("a script");
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).expect("executable");
    let build = project.path("build").display().to_string();
    let project =
        project.with_env("RUSTC_WRAPPER", &wrapper.display().to_string()).with_env("CARGO_BUILD_BUILD_DIR", &build);
    let mut session = project.live(&[]);
    let calls = std::fs::read_to_string(&log).expect("the wrapper's log");
    assert!(calls.contains("--crate-name pitstop_host"), "{calls}");
    assert!(calls.contains("--crate-name pitstop_macros"), "{calls}");
    edit_is_live(&project, &mut session);
}

#[test]
fn rustflags_reach_the_image() {
    let project = Project::new("basic").with_env("RUSTFLAGS", "--cfg loud --check-cfg cfg(loud)");
    project.edit(LOGIC, "    1\n", "    if cfg!(loud) { 100 } else { 1 }\n");
    let mut session = project.live(&[]);
    session.prints("score 100");
    project.edit(LOGIC, "ANSWER: u32 = 42", "ANSWER: u32 = 43");
    session.goes_live("logic");
    session.prints("answer 43, util plain, asset apple, rule 4, score 100");
}

#[test]
fn a_build_script_and_its_output_reach_the_image_and_its_change_goes_through_cargo() {
    let project = Project::new("basic");
    project.write(
        "logic/build.rs",
        "fn main() {\n    let out = std::env::var(\"OUT_DIR\").unwrap();\n    \
         std::fs::write(format!(\"{out}/made.rs\"), \"const MADE: u32 = 5;\").unwrap();\n    \
         println!(\"cargo:rustc-env=GREETING=hello there\");\n    println!(\"cargo:rerun-if-changed=build.rs\");\n}\n",
    );
    project.edit(LOGIC, "    1\n", "    MADE\n");
    project.edit(LOGIC, "mod rules;", "include!(concat!(env!(\"OUT_DIR\"), \"/made.rs\"));\n\nmod rules;");
    project.edit(LOGIC, "\"score {}\"", "\"{} score {}\", env!(\"GREETING\")");
    let mut session = project.live(&[]);
    session.prints("hello there score 5");
    project.edit(LOGIC, "ANSWER: u32 = 42", "ANSWER: u32 = 43");
    session.goes_live("logic");
    session.prints("answer 43, util plain, asset apple, rule 4, hello there score 5");
    project.edit("logic/build.rs", "hello there", "good day");
    session.goes_live("logic");
    session.prints("good day score 5");
}

#[test]
fn a_reloadable_crate_that_is_a_dynamic_library_too_and_was_built_by_cargo_before() {
    let project = Project::new("basic");
    // A name that no other copy has: dynamic libraries of all copies share one folder.
    project.edit("logic/Cargo.toml", "name = \"logic\"\n", "name = \"logik\"\n");
    project.edit(
        "logic/Cargo.toml",
        "util = { path = \"../util\" }\n",
        "\n[lib]\ncrate-type = [\"rlib\", \"cdylib\"]\n",
    );
    project.edit("game/Cargo.toml", "logic = { ", "logic = { package = \"logik\", ");
    project.edit(LOGIC, "util::label()", "\"none\"");
    let mut cargo = std::process::Command::new("cargo");
    cargo.args(["build", "--quiet"]).current_dir(project.directory()).env_remove("CARGO_TARGET_DIR");
    cargo.envs(project.pitstop(&[]).get_envs().filter_map(|(name, value)| Some((name, value?))));
    assert!(cargo.status().is_ok_and(|status| status.success()), "cargo build");
    let mut session = project.live(&[]);
    session.prints("answer 42");
    project.edit(LOGIC, "ANSWER: u32 = 42", "ANSWER: u32 = 43");
    session.goes_live("logik");
    session.prints("answer 43");
}
