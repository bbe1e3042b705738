//! Programs of the shape that users have: an engine, a server, native code.

use pitstop_contract::Rule;
use pitstop_contract::event::Event;
use pitstop_tests::{Project, Session};
use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

const LOGIC: &str = "logic/src/lib.rs";

/// A copy of a program whose dependencies are compiled: on a fresh machine that takes longer than a session may take to
/// begin.
pub(crate) fn program(fixture: &'static str) -> Project {
    static BUILT: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    let project = Project::new(fixture);
    // A build directory of its own: no other test's session waits for this to let go of cargo's lock.
    let build = project.directory().with_file_name("programs").join(fixture).display().to_string();
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if built.insert(fixture) {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet"]).current_dir(project.directory()).env("CARGO_BUILD_BUILD_DIR", &build);
        for name in ["CARGO_TARGET_DIR", "CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "RUSTC_WRAPPER", "RUSTFLAGS"] {
            cargo.env_remove(name);
        }
        assert!(cargo.status().is_ok_and(|status| status.success()), "{fixture} does not build");
    }
    project.with_env("CARGO_BUILD_BUILD_DIR", &build)
}

/// Panics of reloaded code: function and message.
fn panicked(session: &mut Session) -> (String, String) {
    session.event("panicked", |event| match event {
        Event::Panicked { function, message, .. } => Some((function.clone(), message.clone())),
        _ => None,
    })
}

#[test]
fn bevy_systems_are_replaced_between_updates_and_the_world_is_kept() {
    let project = program("bevy");
    let mut session = project.live(&["--linkage", "shared"]);
    session.prints("1000 bodies walking, 2000 steps, 1000 were there from the start");
    // The resource and the parallel iteration are read anew, the commands say so.
    let text = project.replaced(LOGIC, "speed.0;", "speed.0 * 5;");
    project.write(LOGIC, &text.replace("\"walking\"", "\"running\""));
    session.goes_live("logic");
    session.prints("1000 bodies running, 10000 steps, 1000 were there from the start");
    // Of a component that the app was not built with.
    project.edit(
        LOGIC,
        "    commands.insert_resource(Mover(\"running\".to_owned()));",
        "    #[derive(Component)]\n    struct Flag(String);\n    commands.spawn((Position::default(), Flag(\"raised\".to_owned())));\n    \
         commands.queue(|world: &mut World| {\n        \
         let mut flags = world.query::<(Entity, &Flag)>();\n        \
         let raised: Vec<Entity> = flags.iter(world).filter(|(_, flag)| flag.0 == \"raised\").map(|(flag, _)| flag).collect();\n        \
         raised.iter().for_each(|&flag| drop(world.despawn(flag)));\n        \
         world.insert_resource(Mover(format!(\"under {} flag\", raised.len())));\n    });",
    );
    session.goes_live("logic");
    session.prints("1000 bodies under 1 flag, 10000 steps, 1000 were there from the start");
    // A component that no signature names: the world keeps its values by their type.
    let text = project
        .replaced(LOGIC, "    value: u32,", "    value: f32,")
        .replace("Mark { value: 1 }", "Mark { value: 1.0 }");
    project.write(LOGIC, &text.replace("mark.value)", "mark.value as u32)"));
    let reasons = session.rejected();
    assert_eq!((reasons[0].rule, reasons[0].subject.as_str()), (Rule::Layout, "Mark.value"), "{reasons:?}");
}

#[test]
fn a_self_contained_bevy_image_works_but_for_the_task_pool_which_it_has_another_copy_of() {
    let project = program("bevy");
    let mut session = project.live(&["--linkage", "self-contained"]);
    session.prints("1000 bodies walking, 2000 steps, 1000 were there from the start");
    let text = project.replaced(LOGIC, "speed.0;", "speed.0 * 5;").replace("\"walking\"", "\"running\"");
    project.write(LOGIC, &text.replace("par_iter_mut()", "iter_mut()"));
    session.goes_live("logic");
    session.prints("1000 bodies running, 10000 steps, 1000 were there from the start");
    // The app's plugin filled the pool of the program's own copy of bevy_tasks: nobody does that for the image's.
    project.edit(LOGIC, "iter_mut()", "par_iter_mut()");
    let (function, message) = panicked(&mut session);
    assert_eq!(function, "logic::advance");
    assert!(message.contains("ComputeTaskPool has not been initialized"), "{message}");
}

#[test]
fn async_code_log_records_and_rayon_are_the_programs_own() {
    let project = program("async");
    let mut session = project.live(&["--linkage", "shared"]);
    session.prints("host: settled");
    let mut old = "first".to_owned();
    for round in 1..=5 {
        let code = format!("number {round}");
        let text = project.replaced(LOGIC, &format!("CODE: &str = \"{old}\""), &format!("CODE: &str = \"{code}\""));
        let factor = format!("number * {}", round + 1);
        project.write(LOGIC, &text.replace(&factor, &format!("number * {}", round + 2)));
        session.goes_live("logic");
        session.prints(&format!("logger: logged by {code} code"));
        session.prints(&format!("subscriber: message=traced code={code:?}"));
        session.prints(&format!("host: total {} by {code} code", 49_995_000 * (round + 2)));
        session.prints(&format!("host: waited and began in {old} code, ended in {old} code"));
        session.prints(&format!("host: passed and began in {code} code, ended in {code} code"));
        session.prints(&format!("host: started a task of {code} code"));
        session.prints("host: settled");
        old = code;
    }
}

#[test]
fn self_contained_images_log_to_the_program_but_know_nothing_of_its_runtime_and_subscriber() {
    let project = program("async");
    let mut session = project.live(&["--linkage", "self-contained"]);
    session.prints("host: settled");
    let text = project.replaced(LOGIC, "CODE: &str = \"first\"", "CODE: &str = \"second\"");
    project.write(LOGIC, &text.replace("number * 2", "number * 3"));
    session.goes_live("logic");
    session.prints("logger: logged by second code");
    // Its own copy of tracing has no subscriber, and so it falls back on the logger.
    session.prints("logger: traced code=\"second\"");
    session.prints("host: total 149985000 by second code");
    session.prints("host: waited and began in first code, ended in first code");
    session.prints("host: passed and began in second code, ended in second code");
    // The runtime that a thread is in is a thread-local, of which its own copy of tokio has another.
    let (function, message) = panicked(&mut session);
    assert_eq!(function, "logic::nested");
    assert!(message.contains("there is no reactor running"), "{message}");
    session.prints("host: started failed: task");
    session.prints("host: settled");
    // A runtime that is handed over is the program's.
    for round in 3..=6 {
        let text =
            project.read(LOGIC).replace("let _ = handle;\n    let task = tokio::spawn(", "let task = handle.spawn(");
        let text = text.replace("        tokio::time::sleep(Duration::from_millis(1)).await;\n", "");
        project.write(LOGIC, &text.replace(&format!("number * {round}"), &format!("number * {}", round + 1)));
        session.goes_live("logic");
        session.prints(&format!("host: total {} by second code", 49_995_000 * (round + 1)));
        session.prints("host: started a task of second code");
        session.prints("host: settled");
    }
}

#[test]
fn native_code_that_dependencies_bundle_works_on_what_the_host_owns() {
    for linkage in ["shared", "self-contained"] {
        let project = program("native");
        let mut session = project.live(&["--linkage", linkage]);
        session.prints("packed true, smaller true, digest c51185ae, query Ok(7)");
        // Every image has zstd and ring of its own: their symbols are hidden, and they keep nothing between calls.
        project.edit(LOGIC, "packed {whole}", "squeezed {whole}");
        session.goes_live("logic");
        session.prints("squeezed true, smaller true, digest c51185ae, query Ok(7)");
        project.edit(LOGIC, "[..4]", "[..2]");
        session.goes_live("logic");
        session.prints("squeezed true, smaller true, digest c511, query Ok(7)");
        // SQLite is one for all: in a copy that nobody initialised there are no functions, no allocator, no randomness.
        project.edit(LOGIC, "sum(amount)", "sum(amount * length(hex(randomblob(1000))))");
        session.goes_live("logic");
        session.prints("squeezed true, smaller true, digest c511, query Ok(14000)");
    }
}
