//! `cargo pitstop undo`, `redo` and `restart`: what is asked of a session from elsewhere.

use pitstop_contract::event::{Event, Why};
use pitstop_tests::{Project, Session};

const LOGIC: &str = "logic/src/lib.rs";

/// Runs a command to its end. Returns its code, and what it said.
fn ask(project: &Project, command: &str) -> (Option<i32>, String) {
    let output = project.pitstop(&[command]).output().expect("an end");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn an_undo_is_asked_for_from_another_terminal_and_so_is_its_redo() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    project.edit(LOGIC, "ANSWER: u32 = 42", "ANSWER: u32 = 43");
    session.goes_live("logic");
    session.prints("answer 43");
    let (code, words) = ask(&project, "undo");
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("logic from #1 to what it was built with"), "{words}");
    session.prints("answer 42");
    let output = project.pitstop(&["redo", "--json"]).output().expect("an end");
    let line = String::from_utf8_lossy(&output.stdout).into_owned();
    match serde_json::from_str::<Event>(&line).expect("an event") {
        Event::RolledBack { generation, why, .. } => assert_eq!((generation.0, why), (1, Why::Redo)),
        other => panic!("{other:?}"),
    }
    session.prints("answer 43");
    let (code, words) = ask(&project, "redo");
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("no later generation"), "{words}");
}

#[test]
fn a_restart_is_of_the_sessions_own_program_alone() {
    let project = Project::new("basic");
    let mut session = project.run(&[]);
    let (directory, host) = session.event("session", |event| match event {
        Event::Session { directory, host: Some(host), .. } => Some((directory.clone(), host.clone())),
        _ => None,
    });
    session.attached();
    let mut by_hand = std::process::Command::new(host);
    by_hand.env("PITSTOP_SESSION", directory);
    let mut by_hand = Session::start(by_hand);
    let other = by_hand.pid();
    session
        .event("the other attached", |event| matches!(event, Event::Attached { pid } if *pid == other).then_some(()));
    assert_eq!(ask(&project, "restart").0, Some(0));
    session.event("restarted", |event| matches!(event, Event::Restarted { .. }).then_some(()));
    project.edit(LOGIC, "ANSWER: u32 = 42", "ANSWER: u32 = 43");
    by_hand.prints("answer 43");
    session.prints("answer 43");
}

#[test]
fn a_request_without_anybody_to_answer_it_fails_and_says_so() {
    let project = Project::new("basic");
    for command in ["undo", "redo", "restart"] {
        let (code, words) = ask(&project, command);
        assert_eq!(code, Some(4), "{command}");
        assert!(words.contains("begin one with `cargo pitstop run`"), "{words}");
    }
    let mut session = Session::start(project.pitstop(&["watch", "--json"]));
    session.event("built", |event| matches!(event, Event::Built { .. }).then_some(()));
    let (code, words) = ask(&project, "undo");
    assert_eq!(code, Some(1));
    assert!(words.contains("does it call `safe_point()`?"), "{words}");
    assert_eq!(ask(&project, "restart").0, Some(0));
    session.event("notice", |event| match event {
        Event::Notice { message } => message.contains("not started by this command").then_some(()),
        _ => None,
    });
}
