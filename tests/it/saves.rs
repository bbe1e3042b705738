//! The ways in which editors and tools save files.

use pitstop_contract::event::Event;
use pitstop_tests::{Project, Session};

const LOGIC: &str = "logic/src/lib.rs";

fn with_answer(project: &Project, answer: u32) -> String {
    project.replaced(LOGIC, "ANSWER: u32 = 42", &format!("ANSWER: u32 = {answer}"))
}

/// The last of several saves is what runs in the end, whatever became of those before it.
fn ends_up_with(session: &mut Session, text: &str) {
    session.prints(text);
}

#[test]
fn write_then_rename() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    let text = with_answer(&project, 43);
    project.write("logic/src/.lib.rs.tmp", &text);
    std::fs::rename(project.path("logic/src/.lib.rs.tmp"), project.path(LOGIC)).expect("a rename");
    session.goes_live("logic");
    session.prints("answer 43");
}

#[test]
fn write_elsewhere_then_rename_into_the_folder() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    let text = with_answer(&project, 43);
    project.write("elsewhere.rs", &text);
    std::fs::rename(project.path("elsewhere.rs"), project.path(LOGIC)).expect("a rename");
    session.goes_live("logic");
    session.prints("answer 43");
}

#[test]
fn backup_by_rename_then_write() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    for answer in [43, 44] {
        let text = project.read(LOGIC);
        let from = text.find("ANSWER: u32 = ").expect("the constant") + "ANSWER: u32 = ".len();
        let text = format!("{}{answer}{}", &text[..from], &text[from + 2..]);
        std::fs::rename(project.path(LOGIC), project.path("logic/src/lib.rs~")).expect("a backup");
        project.write(LOGIC, &text);
        ends_up_with(&mut session, &format!("answer {answer}"));
    }
}

#[test]
fn the_same_content_twice_is_one_reload() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    let text = with_answer(&project, 43);
    project.write(LOGIC, &text);
    project.write(LOGIC, &text);
    session.prints("answer 43");
    project.edit(LOGIC, "ANSWER: u32 = 43", "ANSWER: u32 = 44");
    session.prints("answer 44");
    let lives = session.count(|event| matches!(event, Event::Live { .. }));
    assert!(lives <= 2, "{lives} reloads for two contents");
}

#[test]
fn a_touch_without_a_change_builds_nothing() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    let text = project.read(LOGIC);
    project.write(LOGIC, &text);
    std::fs::File::open(project.path("util/src/lib.rs"))
        .and_then(|file| file.set_modified(std::time::SystemTime::now()))
        .expect("a touch");
    // Whatever the touch set off would come before what this sets off.
    project.edit("game/src/main.rs", "host: over after", "host: ended after");
    session.rejected();
    let builds = session.count(|event| matches!(event, Event::BuildStarted { .. }));
    assert_eq!(builds, 0);
    project.edit(LOGIC, "ANSWER: u32 = 42", "ANSWER: u32 = 43");
    assert_eq!(session.goes_live("logic"), 1);
}

#[test]
fn five_saves_in_a_moment_end_up_with_the_last() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    for answer in 43..48 {
        let text = project.read(LOGIC);
        let from = text.find("ANSWER: u32 = ").expect("the constant") + "ANSWER: u32 = ".len();
        project.write(LOGIC, &format!("{}{answer}{}", &text[..from], &text[from + 2..]));
    }
    ends_up_with(&mut session, "answer 47");
}

#[test]
fn a_save_during_a_build_cancels_it() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    project.edit(LOGIC, "ANSWER: u32 = 42", "ANSWER: u32 = 43");
    session.event("build-started", |event| matches!(event, Event::BuildStarted { .. }).then_some(()));
    project.edit(LOGIC, "ANSWER: u32 = 43", "ANSWER: u32 = 44");
    session.prints("answer 44");
    assert!(!session.has_seen("host: answer 43"), "the first save's image was never live");
    assert!(session.count(|event| matches!(event, Event::BuildCancelled { .. })) >= 1);
}

#[test]
fn a_checkout_of_many_files_is_one_reload_of_the_last_state() {
    let project = Project::new("basic");
    for number in 0..40 {
        project.write(&format!("logic/src/many/m{number}.rs"), &format!("pub const N: u32 = {number};\n"));
    }
    let modules: String = (0..40).map(|number| format!("pub mod m{number};\n")).collect();
    project.write("logic/src/many/mod.rs", &format!("{modules}pub const SUM: u32 = 0"));
    let sum: String = (0..40).map(|number| format!(" + m{number}::N")).collect();
    project.write("logic/src/many/mod.rs", &format!("{modules}pub const SUM: u32 = 0{sum};\n"));
    let text = project.replaced(LOGIC, "mod rules;", "mod many;\nmod rules;");
    project.write(LOGIC, &text.replace("    1\n", "    many::SUM\n"));
    let mut session = project.live(&[]);
    session.prints("score 780");
    for number in 0..40 {
        project.write(&format!("logic/src/many/m{number}.rs"), &format!("pub const N: u32 = {};\n", number + 1));
    }
    session.prints("score 820");
}

#[test]
fn a_file_deleted_and_restored_is_live_again() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    let text = project.read("logic/src/rules.rs");
    std::fs::remove_file(project.path("logic/src/rules.rs")).expect("a removal");
    session.build_failed();
    project.write("logic/src/rules.rs", &text.replace("* 2", "* 3"));
    session.goes_live("logic");
    session.prints("rule 6");
}

#[test]
fn an_edit_before_the_program_runs_is_in_it() {
    let project = Project::new("basic");
    project.edit(LOGIC, "ANSWER: u32 = 42", "ANSWER: u32 = = 42");
    let mut session = project.run(&[]);
    session.build_failed();
    project.edit(LOGIC, "= = 42", "= 42");
    session.attached();
    session.prints("answer 42");
    project.edit(LOGIC, "ANSWER: u32 = 42", "ANSWER: u32 = 43");
    session.goes_live("logic");
    session.prints("answer 43");
}
