//! Panics of reloadable code: told once, and answered as the function or the host says.

use pitstop_contract::event::{Answer, Event, Why};
use pitstop_contract::session::REQUESTS;
use pitstop_tests::{Project, Session};
use std::io::Write;

const LOGIC: &str = "logic/src/lib.rs";

struct Panicked {
    function: String,
    generation: u32,
    message: String,
    location: String,
    backtrace: Vec<String>,
    count: u64,
    answer: Answer,
}

fn panicked(session: &mut Session) -> Panicked {
    session.event("panicked", |event| match event.clone() {
        Event::Panicked { function, generation, message, location, backtrace, count, answer, .. } => Some(Panicked {
            function,
            generation: generation.0,
            message,
            location: location.unwrap_or_default(),
            backtrace,
            count,
            answer,
        }),
        _ => None,
    })
}

/// From which generation to which.
fn rolled_back(session: &mut Session) -> (u32, u32) {
    session.event("rolled-back", |event| match event {
        Event::RolledBack { from, generation, why: Why::Panic, .. } => Some((from.0, generation.0)),
        _ => None,
    })
}

/// `file:line:` of the first line that has `text`.
fn place(project: &Project, text: &str) -> String {
    let line = project.read(LOGIC).lines().position(|line| line.contains(text)).expect("a line");
    format!("{LOGIC}:{}:", line + 1)
}

fn position(backtrace: &[String], text: &str) -> usize {
    let at = backtrace.iter().position(|frame| frame.starts_with(text));
    at.unwrap_or_else(|| panic!("no {text} in {backtrace:#?}"))
}

#[test]
fn a_generation_that_panics_is_rolled_back_and_the_next_save_is_live() {
    for linkage in ["shared", "self-contained"] {
        let project = Project::new("panics");
        let mut session = project.live(&["--linkage", linkage]);
        session.prints("host: update update 1");

        project.edit(LOGIC, "Some(1);", "None;");
        assert_eq!(session.goes_live("logic"), 1);
        let told = panicked(&mut session);
        assert_eq!((told.function.as_str(), told.generation, told.count), ("logic::update", 1, 1));
        assert_eq!((told.message.as_str(), told.answer), ("no fuel", Answer::Rollback));
        let there = place(&project, "expect(\"no fuel\")");
        assert!(told.location.starts_with(&there), "{} is not {there}", told.location);
        let frames = ["logic::fuel at", "logic::update", "game::main"].map(|name| position(&told.backtrace, name));
        assert!(frames.is_sorted() && frames[0] == 0 && told.backtrace.len() <= 30, "{:#?}", told.backtrace);
        assert_eq!(rolled_back(&mut session), (1, 0));

        project.edit(LOGIC, "None;", "Some(2);");
        assert_eq!(session.goes_live("logic"), 2);
        session.prints("host: update update 2");

        // Not to the generation that panicked, but to the good one; a result falls back.
        project.edit(LOGIC, "\"label 1\".to_owned()", "panic!(\"torn off\")");
        assert_eq!(session.goes_live("logic"), 3);
        let told = panicked(&mut session);
        assert_eq!((told.function.as_str(), told.generation), ("logic::label", 3));
        position(&told.backtrace, "logic::label at");
        session.prints("host: label no label");
        assert_eq!(rolled_back(&mut session), (3, 2));
        session.prints("host: label label 1");

        // What a method says goes before what its block says, and what panics need not be text.
        let text = project.replaced(LOGIC, "panic!(\"torn off\")", "\"label 1\".to_owned()");
        project.write(LOGIC, &text.replace("        6\n", "        std::panic::panic_any(self.frames)\n"));
        assert_eq!(session.goes_live("logic"), 4);
        let told = panicked(&mut session);
        assert_eq!((told.function.as_str(), told.answer), ("logic::World::level", Answer::Rollback));
        session.prints("host: level 99");
        assert_eq!(rolled_back(&mut session), (4, 2));

        // A future's panic goes on, and its code is left all the same.
        let text = project.replaced(LOGIC, "        std::panic::panic_any(self.frames)\n", "        6\n");
        project.write(LOGIC, &text.replace("        7\n", "        panic!(\"too {}\", \"late\")\n"));
        assert_eq!(session.goes_live("logic"), 5);
        session.prints("host: later caught too late");
        assert_eq!(panicked(&mut session).function, "logic::World::later");
        assert_eq!(rolled_back(&mut session), (5, 2));

        // Who wants the panic itself gets it each time, hears of it ever more rarely, and stays where it is.
        let text = project.replaced(LOGIC, "        panic!(\"too {}\", \"late\")\n", "        7\n");
        project.write(LOGIC, &text.replace("    5\n", "    panic!(\"must {}\", \"not\")\n"));
        assert_eq!(session.goes_live("logic"), 6);
        session.prints("host: must caught must not");
        for count in [1, 10, 100] {
            let told = panicked(&mut session);
            assert_eq!((told.function.as_str(), told.generation), ("logic::must", 6));
            assert_eq!((told.answer, told.count), (Answer::Propagate, count));
        }
        let left = session.count(|event| matches!(event, Event::RolledBack { from, .. } if from.0 == 6));
        assert_eq!(left, 0, "{linkage}: `propagate` rolls nothing back");
    }
}

#[test]
fn a_held_call_is_made_again_with_the_code_that_comes() {
    for linkage in ["shared", "self-contained"] {
        let project = Project::new("panics");
        let mut session = project.live(&["--linkage", linkage]);
        session.prints("host: held 11");
        project.edit(LOGIC, "number + 10", "panic!(\"held {number}\")");
        assert_eq!(session.goes_live("logic"), 1);
        let told = panicked(&mut session);
        assert_eq!((told.function.as_str(), told.answer), ("logic::held", Answer::Hold));
        // The thread of the window is in the held call, and draws on.
        session.prints("host: drawn while held");
        project.edit(LOGIC, "panic!(\"held {number}\")", "panic!(\"held {number} again\")");
        assert_eq!(session.goes_live("logic"), 2);
        assert_eq!(panicked(&mut session).message, "held 1 again");
        session.prints("host: drawn while held");
        project.edit(LOGIC, "panic!(\"held {number} again\")", "number + 20");
        assert_eq!(session.goes_live("logic"), 3);
        session.prints("host: held 21");
        let held = |event: &Event| matches!(event, Event::Panicked { count, .. } if *count > 1);
        assert_eq!(session.count(held), 0, "each held call panicked once");

        // Going back is other code too.
        project.edit(LOGIC, "number + 20", "panic!(\"held {number}\")");
        assert_eq!(session.goes_live("logic"), 4);
        panicked(&mut session);
        session.prints("host: drawn while held");
        undo(&project);
        let back = session.event("rolled-back", |event| match event {
            Event::RolledBack { from, generation, why: Why::Undo, .. } => Some((from.0, generation.0)),
            _ => None,
        });
        assert_eq!(back, (4, 3));

        // An argument that was given away cannot be given again.
        let text = project.replaced(LOGIC, "panic!(\"held {number}\")", "number + 20");
        project.write(LOGIC, &text.replace("    list\n", "    panic!(\"dropped {}\", list.len())\n"));
        assert_eq!(session.goes_live("logic"), 5);
        assert_eq!(panicked(&mut session).answer, Answer::Hold);
        session.event("a word on why it is not made again", |event| match event {
            Event::Notice { message } => message.contains("logic::given cannot be made again").then_some(()),
            _ => None,
        });
        session.prints("host: drawn while held");
        project.edit(LOGIC, "    panic!(\"dropped {}\", list.len())\n", "    [list, vec![2]].concat()\n");
        assert_eq!(session.goes_live("logic"), 6);
        session.prints("host: given []");
        session.prints("host: given [1, 2]");

        // The frame waits for a worker: the safe point does not come before that lets go.
        project.edit(LOGIC, "number + 30", "panic!(\"work {number}\")");
        assert_eq!(session.goes_live("logic"), 7);
        assert_eq!(panicked(&mut session).function, "logic::work");
        project.edit(LOGIC, "panic!(\"work {number}\")", "number + 40");
        session.prints("host: work 0");
        assert_eq!(session.goes_live("logic"), 8);
        session.prints("host: work 41");

        // Nobody watches: no other code will come.
        project.edit(LOGIC, "number + 20", "panic!(\"held {number}\")");
        assert_eq!(session.goes_live("logic"), 9);
        panicked(&mut session);
        session.prints("host: drawn while held");
        session.kill_command();
        session.prints("host: held 0");
    }
}

/// Writes what `cargo pitstop undo` writes.
fn undo(project: &Project) {
    let sessions = project.path("target/pitstop");
    let name = std::fs::read_to_string(sessions.join("current")).expect("the newest session");
    let requests = sessions.join(name.trim()).join(REQUESTS);
    let file = std::fs::OpenOptions::new().create(true).append(true).open(requests);
    file.expect("the file of requests").write_all(b"{\"request\":\"undo\"}\n").expect("a request");
}

#[test]
fn the_programs_own_code_is_answered_for_too_and_hooks_of_the_program_hear_of_it_once() {
    let project = Project::new("panics");
    project.edit(LOGIC, "Some(1);", "None;");
    let mut session = project.live(&["--", "hook"]);
    session.prints("host: label label 1");
    // The program has set a hook that knows of no other, so that only what was said is known at first.
    let told = panicked(&mut session);
    assert_eq!((told.message.as_str(), told.location.as_str()), ("no fuel", ""));
    for count in [1, 10, 100] {
        let told = panicked(&mut session);
        assert_eq!((told.function.as_str(), told.generation, told.count), ("logic::update", 0, count));
        assert!(told.location.starts_with(&place(&project, "expect(\"no fuel\")")), "{}", told.location);
    }
    let heard = session.printed().filter(|line| line.contains("hook heard no fuel")).count();
    assert_eq!(heard, 2, "its hook goes on working, and hears of a repeated panic no more");
    project.edit(LOGIC, "None;", "Some(3);");
    assert_eq!(session.goes_live("logic"), 1);
    session.prints("host: update update 3");
    // The only good generation is the live one: going back from the next is going back to it.
    project.edit(LOGIC, "Some(3);", "None;");
    assert_eq!(session.goes_live("logic"), 2);
    assert_eq!(rolled_back(&mut session), (2, 1));
    drop(session);

    // What the host says holds for functions that say nothing themselves.
    let text = project.replaced(LOGIC, "        6\n", "        panic!(\"no level\")\n");
    project.write(LOGIC, &text);
    let mut session = project.live(&["--", "propagate"]);
    session.prints("host: update caught no fuel");
    session.prints("host: level 99");
}
