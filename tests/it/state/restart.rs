//! A program that is started anew: asked for, by itself, after a crash.

use pitstop_contract::Rule;
use pitstop_contract::event::Event;
use pitstop_tests::{Project, Session, TIMEOUT};
use std::process::Output;
use std::time::Instant;

const LOGIC: &str = "logic/src/lib.rs";
const MAIN: &str = "game/src/main.rs";

fn offered(session: &mut Session) -> Vec<String> {
    session.event("restart-offered", |event| match event {
        Event::RestartOffered { reasons } => Some(reasons.clone()),
        _ => None,
    })
}

/// Waits for a restart, and returns why it was done.
fn restarted(session: &mut Session) -> String {
    session.event("restarted", |event| match event {
        Event::Restarted { why, .. } => Some(why.clone()),
        Event::BuildFailed { rendered, .. } => panic!("the build failed: {rendered}"),
        _ => None,
    })
}

fn restarted_with_state(session: &mut Session) -> String {
    session.event("restarted", |event| match event {
        Event::Restarted { why, with_state, .. } => {
            assert!(with_state, "without its state: {why}");
            Some(why.clone())
        }
        _ => None,
    })
}

fn ask(project: &Project, command: &str) -> Output {
    project.pitstop(&[command]).output().expect("an end")
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn an_edit_of_the_program_is_offered_taken_back_when_undone_and_done_when_asked_for() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    let first = session.host();
    project.edit(MAIN, "host: {now}", "new: {now}");
    assert_eq!(session.rejected()[0].rule, Rule::HostCode);
    assert_eq!(offered(&mut session), ["game/src/main.rs is linked into the program"]);
    project.edit(MAIN, "new: {now}", "host: {now}");
    assert_eq!(offered(&mut session), Vec::<String>::new(), "what runs is what the source says");
    project.edit(MAIN, "host: {now}", "new: {now}");
    assert_eq!(offered(&mut session).len(), 1);
    project.edit(LOGIC, "ANSWER: u32 = 42", "ANSWER: u32 = 43");
    assert_eq!(session.goes_live("logic"), 1);
    session.prints("host: answer 43");

    let asked = ask(&project, "restart");
    assert!(asked.status.success(), "{}", words(&asked));
    assert!(words(&asked).contains("Asked"), "{}", words(&asked));
    assert!(restarted(&mut session).contains("game/src/main.rs"));
    let second = session.attached();
    assert_ne!(first, second);
    session.prints("new: answer 43");
    project.edit(LOGIC, "ANSWER: u32 = 43", "ANSWER: u32 = 44");
    assert_eq!(session.goes_live("logic"), 2, "numbers go on, and the first image is older than the program");
    session.prints("new: answer 44");
    assert_eq!(session.count(|event| matches!(event, Event::Live { .. })), 2);

    // What was asked for and does not compile is done once it does.
    project.edit(MAIN, "new: {now}", "newer: {now");
    assert!(ask(&project, "restart").status.success());
    session.build_failed();
    project.edit(MAIN, "newer: {now", "newer: {now}");
    restarted(&mut session);
    session.prints("newer: answer 44");
    session.interrupt();
    assert_eq!(session.ends().code(), Some(130));
}

#[test]
fn a_program_is_built_and_started_anew_by_itself_where_that_is_wanted() {
    let project = Project::new("basic");
    let mut session = project.live(&["--restart", "auto"]);
    project.edit(MAIN, "host: {now}", "new: {now");
    assert!(session.build_failed().contains("game/src/main.rs"));
    // The old program goes on, and its images are as new as ever.
    project.edit(LOGIC, "ANSWER: u32 = 42", "ANSWER: u32 = 43");
    session.goes_live("logic");
    session.prints("host: answer 43");
    session.build_failed();
    project.edit(MAIN, "new: {now", "new: {now}");
    restarted(&mut session);
    session.prints("new: answer 43");

    // What no image can bring into the running program is part of the next one.
    let text = project.replaced(LOGIC, "extra(number: u32) -> u32", "extra(number: u64) -> u64");
    project.write(LOGIC, &text.replace("ANSWER: u32 = 43", "ANSWER: u32 = 44"));
    assert_eq!(session.rejected()[0].rule, Rule::Signature);
    let why = restarted(&mut session);
    assert!(why.contains("logic::extra (signature)"), "{why}");
    session.prints("new: answer 44");

    // So is another command for the program.
    project.edit("game/Cargo.toml", "version = \"0.1.0\"", "version = \"0.2.0\"");
    assert_eq!(restarted(&mut session), "`game` is built otherwise now");
    session.prints("new: answer 44");
    assert_eq!(session.count(|event| matches!(event, Event::RestartOffered { .. })), 0);
}

#[test]
fn a_program_without_safe_points_is_ended_and_edits_meanwhile_are_the_next_ones() {
    let project = Project::new("basic");
    let text = project.read(MAIN);
    project.edit(MAIN, "pit.safe_point();", "let _ = &pit;");
    let mut session = project.run(&["--restart", "auto"]);
    let directory = session.event("session", |event| match event {
        Event::Session { directory, .. } => Some(std::path::PathBuf::from(directory)),
        _ => None,
    });
    session.attached();
    project.write(MAIN, &text);
    session.event("build-started", |event| matches!(event, Event::BuildStarted { .. }).then_some(()));
    // It is built with this too.
    project.edit(LOGIC, "ANSWER: u32 = 42", "ANSWER: u32 = 43");
    // The program is asked for its state, and does not answer.
    let deadline = Instant::now() + TIMEOUT;
    while !std::fs::read_to_string(directory.join("requests.jsonl")).is_ok_and(|asked| asked.contains("save")) {
        assert!(Instant::now() < deadline, "the program was not asked");
        std::thread::yield_now();
    }
    project.edit(LOGIC, "ANSWER: u32 = 43", "ANSWER: u32 = 44");
    session.event("notice", |event| match event {
        Event::Notice { message } => message.contains("does it call `safe_point()`?").then_some(()),
        _ => None,
    });
    session.event("restarted", |event| match event {
        Event::Restarted { with_state, .. } => (!with_state).then_some(()),
        _ => None,
    });
    session.prints("answer 43");
    session.goes_live("logic");
    session.prints("answer 44");
}

#[test]
fn another_version_of_a_dependency_is_in_the_next_program_and_in_its_images() {
    let project = Project::new("basic");
    let manifest = project.read("logic/Cargo.toml");
    project.write("logic/Cargo.toml", &format!("{manifest}fastrand = \"=2.0.0\"\n"));
    project.edit(LOGIC, "world.score = score();", "world.score = fastrand::Rng::with_seed(7).u32(3..4);");
    let mut session = project.live(&[]);
    session.prints("score 3");
    project.edit("logic/Cargo.toml", "=2.0.0", "=2.0.1");
    assert_eq!(session.rejected()[0].rule, Rule::Dependencies);
    let reasons = offered(&mut session);
    assert!(reasons[0].starts_with("dependency `fastrand` of `logic` is 2.0.1"), "{reasons:?}");
    project.edit("logic/Cargo.toml", "=2.0.1", "=2.0.0");
    assert_eq!(offered(&mut session), Vec::<String>::new());
    project.edit("logic/Cargo.toml", "=2.0.0", "=2.0.1");
    assert_eq!(offered(&mut session).len(), 1);
    assert!(ask(&project, "restart").status.success());
    restarted(&mut session);
    session.prints("score 3");
    project.edit(LOGIC, "u32(3..4)", "u32(4..5)");
    session.goes_live("logic");
    session.prints("score 4");
}

#[test]
fn libraries_are_there_again_in_the_next_program() {
    let project = Project::new("classic");
    let mut session = project.live(&["--restart", "auto", "--", "logic", "tick"]);
    session.prints("host: tick 21");
    project.edit(LOGIC, "FACTOR: u64 = 1", "FACTOR: u64 = 2");
    session.prints("host: tick 41");
    project.edit(MAIN, "host: {now}", "new: {now}");
    restarted(&mut session);
    session.prints("new: tick 41");
    project.edit(LOGIC, "FACTOR: u64 = 2", "FACTOR: u64 = 3");
    session.prints("new: tick 61");
}

#[test]
fn nothing_is_offered_where_that_is_not_wanted() {
    let project = Project::new("basic");
    let mut session = project.live(&["--restart", "never"]);
    project.edit(MAIN, "host: {now}", "new: {now}");
    let reasons = session.rejected();
    assert_eq!(reasons[0].advice, "end the program and run it again to see the edit");
    project.edit(LOGIC, "    world.frames += 1;", "    std::process::abort();");
    assert_eq!(session.ends().code(), Some(134));
    assert!(session.has_seen(r#""event":"crashed","signal":6,"name":"SIGABRT""#));
    assert_eq!(session.count(|event| matches!(event, Event::RestartOffered { .. } | Event::Restarted { .. })), 0);
}

#[test]
fn after_a_crash_the_program_runs_the_last_good_generation() {
    let project = Project::new("basic");
    let mut session = project.live(&["--restart", "auto"]);
    project.edit(LOGIC, "ANSWER: u32 = 42", "ANSWER: u32 = 43");
    assert_eq!(session.goes_live("logic"), 1);
    session.prints("answer 43");
    let text = project.replaced(LOGIC, "    world.frames += 1;", "    std::process::abort();");
    project.write(LOGIC, &text.replace("ANSWER: u32 = 43", "ANSWER: u32 = 44"));
    session.event("crashed", |event| match event {
        Event::Crashed { name, .. } => (name == "SIGABRT").then_some(()),
        _ => None,
    });
    assert_eq!(restarted(&mut session), "it crashed (SIGABRT)");
    assert_eq!(session.goes_live("logic"), 1);
    session.prints("answer 43");
    project.edit(LOGIC, "std::process::abort();", "world.frames += 1;");
    assert_eq!(session.goes_live("logic"), 3);
    session.prints("answer 44");
}

#[test]
fn a_program_that_goes_on_crashing_is_not_started_for_ever() {
    let project = Project::new("basic");
    let mut session = project.live(&["--restart", "auto"]);
    project.edit(MAIN, "    let mut last", "    std::process::abort();\n    let mut last");
    assert_eq!(session.ends().code(), Some(134));
    assert_eq!(session.count(|event| matches!(event, Event::Crashed { .. })), 2);
    assert!(session.has_seen("is not started once more"));
}

#[test]
fn carried_values_go_on_in_the_next_program_whatever_the_last_one_ended_by() {
    let project = Project::new("carried");
    project.edit(
        MAIN,
        "\"undo\" => pit.undo(),",
        "\"undo\" => pit.undo(),\n                \"restart\" => pit.restart(),",
    );
    let mut session = project.live(&["--restart", "auto"]);
    session.prints("host: main: 3 balls of 10.5, 3");
    // What no program begins with.
    project.edit(LOGIC, "2 + more", "5 + more");
    session.prints("host: main: 6 balls of 37.5, 3");
    project.edit(LOGIC, "5 + more", "2 + more");
    session.goes_live("logic");
    project.edit(MAIN, "host: {now}", "new: {now}");
    assert_eq!(restarted_with_state(&mut session), "game/src/main.rs is linked into the program");
    session.event("restored", |event| match event {
        Event::Restored { states, lost } => (states == &["logic::World"] && lost.is_empty()).then_some(()),
        _ => None,
    });
    session.prints("new: main: 6 balls of 37.5, 3");

    // A value that cannot be saved is lost, and the others are not.
    project.edit(LOGIC, "    pub frames: u64,", "    pub frames: u64,\n    pub more: u64,");
    let reasons = session.rejected();
    assert_eq!((reasons[0].rule, reasons[0].subject.as_str()), (Rule::State, "logic::Counter"));
    let why = restarted_with_state(&mut session);
    assert!(why.contains("logic::Counter (state)"), "{why}");
    session.prints("new: main: 6 balls of 37.5, 3");

    // A crash has whatever was saved last.
    project.edit(LOGIC, "    counter.frames += 1;", "    std::process::abort();");
    assert_eq!(restarted_with_state(&mut session), "it crashed (SIGABRT)");
    session.prints("new: main: 6 balls of 37.5, 3");

    // And the program may ask itself.
    project.edit(LOGIC, "    std::process::abort();", "    counter.frames += 1;");
    project.edit(LOGIC, "let wish = \"\";", "let wish = \"restart\";");
    assert_eq!(restarted_with_state(&mut session), "the program asks for it");
    session.prints("new: main: 6 balls of 37.5, 3");
}
