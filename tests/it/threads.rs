//! Worker threads, several reloadable crates, and the swap between them.

use pitstop_contract::event::Event;
use pitstop_tests::Project;

fn mark(project: &Project, number: u32) {
    project.edit("base/src/lib.rs", &format!("MARK: u32 = {}", number - 1), &format!("MARK: u32 = {number}"));
}

#[test]
fn threads_that_are_never_idle_do_not_starve_the_swap_and_never_see_two_generations() {
    let project = Project::new("threads");
    let mut session = project.live(&["--", "5"]);
    for number in 2..8 {
        mark(&project, number);
        // Both crates are of one generation, and one calls the other.
        session.prints(&format!("mark {number}, {number} of right, {number} through right"));
    }
    assert!(!session.has_seen("mixed"), "a unit of work saw two generations");
}

#[test]
fn crates_that_are_built_together_go_live_together_or_not_at_all() {
    let project = Project::new("threads");
    let mut session = project.live(&["--", "5"]);
    project.edit("left/src/lib.rs", "pub fn again() -> u32", "pub fn again() -> u64");
    project.edit("left/src/lib.rs", "again() -> u64 {\n    base::MARK", "again() -> u64 {\n    base::MARK as u64");
    mark(&project, 2);
    session.rejected();
    project.edit("left/src/lib.rs", "again() -> u64 {\n    base::MARK as u64", "again() -> u32 {\n    base::MARK");
    session.prints("mark 2, 2 of right, 2 through right");
    assert!(!session.has_seen("mixed"));
}

#[test]
fn a_long_unit_is_named_and_the_swap_happens_after_it() {
    let project = Project::new("threads");
    let mut session = project.live(&["--", "5", "6000"]);
    session.prints("long unit begins");
    mark(&project, 2);
    let (thread, place, gave_up) = session.event("waiting", |event| match event {
        Event::Waiting { threads, gave_up, .. } => threads
            .iter()
            .find(|waited| waited.thread == "worker-0")
            .map(|waited| (waited.thread.clone(), waited.place.clone(), *gave_up)),
        _ => None,
    });
    assert!(place.contains("game/src/main.rs:"), "{thread} at {place}");
    assert!(!gave_up, "the first report comes before patience ends");
    session.event("gave up for now", |event| match event {
        Event::Waiting { gave_up: true, .. } => Some(()),
        _ => None,
    });
    session.prints("mark 2, 2 of right, 2 through right");
    assert!(!session.has_seen("mixed"));
}

#[test]
fn several_generations_between_two_safe_points_end_up_with_the_latest() {
    let project = Project::new("threads");
    let mut session = project.live(&["--", "5", "3000"]);
    session.prints("long unit begins");
    for number in 2..5 {
        mark(&project, number);
        session.event("built", |event| matches!(event, Event::Built { .. }).then_some(()));
    }
    session.prints("mark 4, 4 of right, 4 through right");
    assert!(!session.has_seen("mark 2,") && !session.has_seen("mark 3,"), "the earlier ones were passed over");
    assert!(!session.has_seen("mixed"));
}
