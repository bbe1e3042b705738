//! Libraries without the attribute: crates and C, their functions asked for by name.

use pitstop_contract::Rule;
use pitstop_contract::event::Event;
use pitstop_tests::{Project, Session, signal};
use std::process::Command;

const LOGIC: &str = "logic/src/lib.rs";
const PHYS: &str = "native/libphys.so";

/// A session of the fixture's program, which asks for a library and functions of it.
fn game(project: &Project, words: &[&str]) -> Session {
    project.live(&[&["--"], words].concat())
}

/// Compiles `native/phys.c`.
fn cc(project: &Project, output: &str, arguments: &[&str]) {
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "native/phys.c", "-o", output]).args(arguments).current_dir(project.directory());
    succeeds(&mut cc);
}

/// `cargo build`, where the sessions have it too: dependencies are compiled once for all copies.
fn cargo_build(project: &Project, arguments: &[&str]) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet"]).args(arguments).current_dir(project.directory()).env_remove("CARGO_TARGET_DIR");
    cargo.envs(project.pitstop(&[]).get_envs().filter_map(|(name, value)| Some((name, value?))));
    cargo
}

fn succeeds(command: &mut Command) {
    assert!(command.status().is_ok_and(|status| status.success()), "{command:?}");
}

/// How events name a library that was asked for by path.
fn named(project: &Project, path: &str) -> String {
    project.path(path).display().to_string()
}

#[test]
fn an_edited_cdylib_is_live() {
    let project = Project::new("classic");
    let mut session = game(&project, &["logic", "tick", "tock:rust"]);
    session.prints("tick 21, tock 21");
    assert_eq!(session.goes_live("logic"), 1);
    project.edit(LOGIC, "FACTOR: u64 = 1", "FACTOR: u64 = 2");
    assert_eq!(session.goes_live("logic"), 2);
    session.prints("tick 41, tock 41");
}

#[test]
fn an_edited_dylib_is_live_in_either_linkage() {
    for linkage in ["shared", "self-contained"] {
        let project = Project::new("classic");
        let mut session = project.live(&["--linkage", linkage, "--", "plugin", "tick", "tock:rust"]);
        session.prints("tick 21, tock 21");
        session.goes_live("plugin");
        project.edit("plugin/src/lib.rs", "STEP: u64 = 1", "STEP: u64 = 2");
        session.goes_live("plugin");
        session.prints("tick 22, tock 22");
    }
}

#[test]
fn an_edited_dependency_of_a_library_is_live() {
    let project = Project::new("classic");
    let mut session = game(&project, &["logic", "tick"]);
    session.goes_live("logic");
    project.edit("steps/src/lib.rs", "    1\n", "    5\n");
    session.goes_live("logic");
    session.prints("tick 25");
}

#[test]
fn a_c_library_that_is_built_again_is_live() {
    let project = Project::new("classic");
    // A SONAME is what most build systems give it; the loader must not take the new image for the old one.
    let arguments = ["-g", "-Wl,-soname,libphys.so"];
    cc(&project, PHYS, &arguments);
    let mut session = game(&project, &[PHYS, "tick"]);
    session.prints("tick 21");
    session.goes_live(&named(&project, PHYS));
    for step in 2..5 {
        project.edit("native/phys.c", &format!("STEP {}", step - 1), &format!("STEP {step}"));
        cc(&project, PHYS, &arguments);
        session.goes_live(&named(&project, PHYS));
        session.prints(&format!("tick {}", 20 + step));
    }
}

#[test]
fn all_functions_of_a_library_are_swapped_together() {
    let project = Project::new("classic");
    let mut session = game(&project, &["logic", "tick", "tock:rust"]);
    session.goes_live("logic");
    for factor in 2..8 {
        project.edit(LOGIC, &format!("FACTOR: u64 = {}", factor - 1), &format!("FACTOR: u64 = {factor}"));
        session.goes_live("logic");
        session.prints(&format!("tick {0}, tock {0}", 20 * factor + 1));
    }
    for line in session.printed().filter(|line| line.contains("tock")) {
        let answers: Vec<&str> = line.split(' ').map(|word| word.trim_end_matches(',')).collect();
        assert_eq!(answers[2], answers[4], "{line}");
    }
}

#[test]
fn a_changed_signature_is_refused_with_both_and_the_next_good_save_heals() {
    let project = Project::new("classic");
    let mut session = game(&project, &["logic", "tick", "tock:rust"]);
    session.goes_live("logic");
    project.edit(LOGIC, "fn tick(n: u64) -> u64 {\n    n *", "fn tick(n: u32) -> u64 {\n    u64::from(n) *");
    let reasons = session.rejected();
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    assert_eq!((reasons[0].rule, reasons[0].subject.as_str()), (Rule::Signature, "tick"));
    assert_eq!(reasons[0].expected, "extern \"C\" fn(u64) -> u64");
    assert_eq!(reasons[0].found, "extern \"C\" fn(u32) -> u64");
    project.edit(LOGIC, "pub fn tock(n: u64)", "pub fn tock(n: &u64)");
    let reasons = session.rejected();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert_eq!((reasons[1].subject.as_str(), reasons[1].found.as_str()), ("tock", "fn(&u64) -> u64"));
    project.edit(LOGIC, "fn tick(n: u32) -> u64 {\n    u64::from(n) *", "fn tick(n: u64) -> u64 {\n    3 * n *");
    session.rejected();
    project.edit(LOGIC, "pub fn tock(n: &u64)", "pub fn tock(n: u64)");
    session.goes_live("logic");
    session.prints("tick 61, tock 21");
}

#[test]
fn a_changed_signature_in_c_is_refused_with_both_and_the_next_good_build_heals() {
    let project = Project::new("classic");
    cc(&project, PHYS, &["-g"]);
    let mut session = game(&project, &[PHYS, "tick"]);
    session.goes_live(&named(&project, PHYS));
    project.edit("native/phys.c", "tick(uint64_t n)", "tick(float n)");
    cc(&project, PHYS, &["-g"]);
    let reasons = session.rejected();
    assert_eq!((reasons[0].rule, reasons[0].subject.as_str()), (Rule::Signature, "tick"));
    assert_eq!(reasons[0].expected, "extern \"C\" fn(u64) -> u64");
    assert_eq!(reasons[0].found, "extern \"C\" fn(f32) -> u64");
    project.edit("native/phys.c", "tick(float n)", "tick(uint64_t n)");
    project.edit("native/phys.c", "STEP 1", "STEP 9");
    cc(&project, PHYS, &["-g"]);
    session.goes_live(&named(&project, PHYS));
    session.prints("tick 29");
}

#[test]
fn a_removed_symbol_is_refused_by_name() {
    let project = Project::new("classic");
    let mut session = game(&project, &["logic", "tick", "tock:rust"]);
    session.goes_live("logic");
    project.edit(LOGIC, "fn tock(", "fn tuck(");
    let reasons = session.rejected();
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    assert_eq!((reasons[0].rule, reasons[0].subject.as_str()), (Rule::Missing, "tock"));
    project.edit(LOGIC, "fn tuck(", "fn tock(");
    project.edit("steps/src/lib.rs", "    1\n", "    5\n");
    session.goes_live("logic");
    session.prints("tick 25, tock 25");
}

#[test]
fn a_function_that_is_asked_for_as_another_type_is_refused_with_both() {
    let project = Project::new("classic");
    let mut session = game(&project, &["logic", "tick:narrow"]);
    session.prints(
        "`tick` has another signature: expected extern \"C\" fn(u32) -> u64, found extern \"C\" fn(u64) -> u64",
    );
    session.goes_live("logic");
    // No handle was given out, so that the library may become what the program asks for.
    project.edit(LOGIC, "fn tick(n: u64) -> u64 {\n    n *", "fn tick(n: u32) -> u64 {\n    2 * u64::from(n) *");
    session.goes_live("logic");
    session.prints("tick 41");
}

#[test]
fn a_function_that_is_not_there_yet_comes_with_an_edit() {
    let project = Project::new("classic");
    let mut session = game(&project, &["logic", "tack"]);
    session.prints("exports no `tack`");
    session.goes_live("logic");
    project.edit(LOGIC, "fn tick(", "fn tack(");
    session.goes_live("logic");
    session.prints("tack 21");
}

#[test]
fn a_library_that_does_not_build_at_first_comes_with_the_fix() {
    let project = Project::new("classic");
    project.edit(LOGIC, "n * FACTOR", "n * FACTORY");
    let mut session = game(&project, &["logic", "tick"]);
    let words = session.build_failed();
    assert!(words.contains("FACTORY") && words.contains("logic/src/lib.rs"), "{words}");
    session.prints("no library `logic`: the watcher published none within 100ms");
    project.edit(LOGIC, "n * FACTORY", "n * FACTORIAL");
    let words = session.build_failed();
    assert!(words.contains("FACTORIAL"), "{words}");
    project.edit(LOGIC, "n * FACTORIAL", "n * FACTOR");
    session.goes_live("logic");
    session.prints("tick 21");
    project.edit(LOGIC, "FACTOR: u64 = 1", "FACTOR: u64 = 2");
    session.goes_live("logic");
    session.prints("tick 41");
}

#[test]
fn a_library_whose_dependency_does_not_build_at_first_comes_with_the_fix() {
    let project = Project::new("classic");
    project.edit("steps/src/lib.rs", "    1\n", "    1.0\n");
    let mut session = game(&project, &["logic", "tick"]);
    let words = session.build_failed();
    assert!(words.contains("E0308") && words.contains("steps/src/lib.rs"), "{words}");
    project.edit("steps/src/lib.rs", "    1.0\n", "    5\n");
    session.goes_live("logic");
    session.prints("tick 25");
}

#[test]
fn a_crate_that_is_no_dynamic_library_is_named_and_comes_with_its_manifest() {
    let project = Project::new("classic");
    project.edit("logic/Cargo.toml", "crate-type = [\"cdylib\"]", "crate-type = [\"lib\"]");
    let mut session = game(&project, &["logic", "tick"]);
    notice(&mut session, "`logic`, which is neither a `cdylib` nor a `dylib`");
    project.edit("logic/Cargo.toml", "crate-type = [\"lib\"]", "crate-type = [\"cdylib\"]");
    session.goes_live("logic");
    session.prints("tick 21");
    project.edit(LOGIC, "FACTOR: u64 = 1", "FACTOR: u64 = 2");
    session.goes_live("logic");
    session.prints("tick 41");
}

#[test]
fn a_crate_that_is_not_there_is_named_and_comes_with_the_workspace() {
    let project = Project::new("classic");
    project.edit("Cargo.toml", "\"logic\", ", "");
    let mut session = game(&project, &["logic", "tick"]);
    notice(&mut session, "`logic`, but no crate of the workspace has this name");
    project.edit("Cargo.toml", "\"plugin\", ", "\"plugin\", \"logic\", ");
    session.goes_live("logic");
    session.prints("tick 21");
}

fn notice(session: &mut Session, text: &str) {
    session.event(text, |event| match event {
        Event::Notice { message } => message.contains(text).then_some(()),
        _ => None,
    });
}

#[test]
fn a_library_that_cargo_has_built_before_is_live() {
    let project = Project::new("classic");
    // Of a name that no other copy has.
    project.edit("plugin/Cargo.toml", "name = \"plugin\"", "name = \"addon\"");
    succeeds(&mut cargo_build(&project, &["-p", "addon"]));
    let mut session = game(&project, &["addon", "tick"]);
    session.goes_live("addon");
    project.edit("plugin/src/lib.rs", "STEP: u64 = 1", "STEP: u64 = 2");
    session.goes_live("addon");
    session.prints("tick 22");
}

#[test]
fn features_of_the_program_do_not_keep_a_library_from_being_built() {
    let project = Project::new("classic");
    let manifest = project.read("game/Cargo.toml");
    project.write("game/Cargo.toml", &format!("{manifest}\n[features]\nloud = []\n"));
    let mut session = project.live(&["--features", "game/loud", "--", "logic", "tick"]);
    session.goes_live("logic");
    session.prints("tick 21");
}

#[test]
fn a_new_dependency_of_a_library_goes_through_cargo() {
    let project = Project::new("classic");
    project.edit("logic/Cargo.toml", "steps = { path = \"../steps\" }\n", "");
    let text = project.read(LOGIC);
    project.write(LOGIC, &text.replace("steps::step()", "1"));
    let mut session = game(&project, &["logic", "tick", "tock:rust"]);
    session.goes_live("logic");
    let manifest = project.read("logic/Cargo.toml");
    project.write("logic/Cargo.toml", &format!("{manifest}steps = {{ path = \"../steps\" }}\n"));
    session.goes_live("logic");
    project.edit("steps/src/lib.rs", "    1\n", "    5\n");
    project.write(LOGIC, &text);
    session.prints("tick 25, tock 25");
    project.edit("steps/src/lib.rs", "    5\n", "    6\n");
    session.prints("tick 26, tock 26");
}

#[test]
fn a_c_library_that_is_built_later_comes_then_even_into_a_folder_that_was_not_there() {
    let project = Project::new("classic");
    let path = "build/out/libphys.so";
    let mut session = game(&project, &[path, "tick"]);
    session.prints("the watcher published none within 100ms");
    std::fs::create_dir_all(project.path("build/out")).expect("a folder");
    cc(&project, path, &["-g"]);
    // Its first half may be seen when the folder is found, and is refused then.
    session.prints("tick 21");
    project.edit("native/phys.c", "STEP 1", "STEP 2");
    cc(&project, path, &["-g"]);
    session.prints("tick 22");
}

#[test]
fn a_c_library_whose_folder_is_made_anew_is_live() {
    let project = Project::new("classic");
    let path = "build/out/libphys.so";
    let build = |step: &str| {
        std::fs::create_dir_all(project.path("build/out")).expect("a folder");
        cc(&project, path, &["-g", step]);
    };
    project.edit("native/phys.c", "#define STEP 1\n", "");
    build("-DSTEP=1");
    let mut session = game(&project, &[path, "tick"]);
    session.prints("tick 21");
    for step in 2..5 {
        std::fs::remove_dir_all(project.path("build")).expect("a removal");
        build(&format!("-DSTEP={step}"));
        session.prints(&format!("tick {}", 20 + step));
    }
}

#[test]
fn a_c_library_without_debug_info_must_be_vouched_for() {
    let project = Project::new("classic");
    cc(&project, PHYS, &["-g0"]);
    let mut session = game(&project, &[PHYS, "tick"]);
    let words = session.prints("the signature of `tick` cannot be proven");
    assert!(words.contains("no debug info") && words.contains("`function_unchecked`"), "{words}");
    // Built with it, the very same call works.
    cc(&project, PHYS, &["-g"]);
    session.prints("tick 21");
    session.goes_live(&named(&project, PHYS));
    session.goes_live(&named(&project, PHYS));
    cc(&project, PHYS, &["-g0"]);
    let reasons = session.rejected();
    assert_eq!(reasons[0].rule, Rule::Signature, "{reasons:?}");
    assert!(reasons[0].found.contains("cannot be proven"), "{reasons:?}");
}

#[test]
fn a_function_that_is_vouched_for_is_swapped_without_debug_info() {
    let project = Project::new("classic");
    cc(&project, PHYS, &["-g0"]);
    let mut session = game(&project, &[PHYS, "tick:unchecked"]);
    session.prints("tick 21");
    session.goes_live(&named(&project, PHYS));
    project.edit("native/phys.c", "STEP 1", "STEP 2");
    cc(&project, PHYS, &["-g0"]);
    session.goes_live(&named(&project, PHYS));
    session.prints("tick 22");
    project.edit("native/phys.c", "uint64_t tick(", "uint64_t tack(");
    cc(&project, PHYS, &["-g0"]);
    let reasons = session.rejected();
    assert_eq!((reasons[0].rule, reasons[0].subject.as_str()), (Rule::Missing, "tick"));
}

#[test]
fn a_c_library_that_is_written_in_parts_never_harms_the_program() {
    let project = Project::new("classic");
    cc(&project, PHYS, &["-g"]);
    let mut session = game(&project, &[PHYS, "tick"]);
    session.goes_live(&named(&project, PHYS));
    project.edit("native/phys.c", "STEP 1", "STEP 2");
    cc(&project, "native/whole.so", &["-g"]);
    let whole = std::fs::read(project.path("native/whole.so")).expect("a library");
    // In place: the file that the program's image was copied from, under the same inode.
    for part in [0, 1, 4, 60, 200, 1000, 4096, 8200, whole.len() / 2, whole.len() - 1] {
        std::fs::write(project.path(PHYS), &whole[..part]).expect("a part");
        let reasons = session.rejected();
        assert_eq!(reasons[0].rule, Rule::Complete, "{part}: {reasons:?}");
    }
    std::fs::write(project.path(PHYS), &whole).expect("the whole");
    session.goes_live(&named(&project, PHYS));
    session.prints("tick 22");
}

#[test]
fn a_library_follows_the_program_into_the_next_session() {
    let project = Project::new("classic");
    let mut session = game(&project, &["logic", "tick"]);
    session.goes_live("logic");
    session.prints("tick 21");
    let host = session.host();
    session.kill_command();
    let mut watcher = Session::start(project.pitstop(&["watch", "--json"]));
    assert_eq!(watcher.attached(), host);
    watcher.goes_live("logic");
    project.edit(LOGIC, "FACTOR: u64 = 1", "FACTOR: u64 = 2");
    watcher.goes_live("logic");
    session.prints("tick 41");
    signal(host, "KILL");
}

#[test]
fn without_a_session_a_library_is_found_beside_the_executable_or_by_path() {
    let project = Project::new("classic");
    cc(&project, PHYS, &["-g"]);
    // Libraries in a folder of their own: all copies' are of one name.
    succeeds(cargo_build(&project, &["-p", "logic", "-p", "plugin"]).env_remove("CARGO_BUILD_BUILD_DIR"));
    succeeds(&mut cargo_build(&project, &["-p", "game"]));
    let run = |words: &[&str]| {
        let mut game = Command::new(project.path("target/debug/game"));
        game.args(words).current_dir(project.directory()).env_remove("PITSTOP_SESSION");
        Session::start(game)
    };
    run(&["logic", "tick", "tock:rust"]).prints("tick 21, tock 21");
    run(&["plugin", "tick", "tock:rust"]).prints("tick 21, tock 21");
    run(&[PHYS, "tick"]).prints("tick 21");
    run(&["nothing", "tick"]).prints("no library `nothing`: no libnothing.so in or near");
    run(&["logic", "tick:narrow"]).prints("expected extern \"C\" fn(u32) -> u64, found extern \"C\" fn(u64) -> u64");
    assert!(!project.path("target/pitstop").exists());
}
