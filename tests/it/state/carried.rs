//! Values that outlive the code that works on them.

use pitstop_contract::event::{Event, MigratedState};
use pitstop_contract::{Reason, Rule};
use pitstop_tests::{Project, Session};

const LOGIC: &str = "logic/src/lib.rs";

fn migrated(session: &mut Session) -> Vec<MigratedState> {
    session.event("migrated", |event| match event {
        Event::Migrated { states, .. } => Some(states.clone()),
        Event::Rejected { reasons, .. } => panic!("refused: {reasons:#?}"),
        Event::BuildFailed { rendered, .. } => panic!("{rendered}"),
        _ => None,
    })
}

fn refused(session: &mut Session) -> Reason {
    let mut reasons = session.rejected();
    assert_eq!(reasons.len(), 1, "{reasons:#?}");
    let reason = reasons.remove(0);
    assert_eq!(reason.rule, Rule::State, "{reason}");
    reason
}

#[test]
fn a_changed_type_is_migrated_field_by_field_and_state_of_the_same_type_by_key() {
    let project = Project::new("carried");
    let mut session = project.live(&[]);
    session.prints("main: 3 balls of 10.5, 3 | left: 2 balls of 1.5, 3 | counts true");
    // A field is added, with a default, and one is renamed, with an alias; another changes its type.
    let edit = |from: &str, to: &str| project.replaced(LOGIC, from, to);
    project.write(
        LOGIC,
        &edit(
            "    pub radius: f32,",
            "    #[serde(alias = \"radius\")]\n    pub size: f64,\n    #[serde(default)]\n    pub mass: u8,",
        ),
    );
    project.write(LOGIC, &edit("Ball { radius, name:", "Ball { size: f64::from(radius), mass: 1, name:"));
    project.write(LOGIC, &edit("Ball { radius: 9.0,", "Ball { size: 9.0, mass: 1,"));
    project.write(LOGIC, &edit("f64::from(ball.radius)", "100.0 + ball.size"));
    let states = migrated(&mut session);
    let names: Vec<_> = states.iter().map(|state| (state.type_name.as_str(), state.key.as_str())).collect();
    assert_eq!(names, [("logic::World", ""), ("logic::World", "left")]);
    assert!(states.iter().all(|state| state.bytes > 0 && state.from.0 == 0), "{states:?}");
    session.prints("main: 3 balls of 210.5, 3 | left: 2 balls of 101.5, 3 | counts true");
    // And on, from a value that the first image made.
    project.write(
        LOGIC,
        &edit(
            "    pub prices: BTreeMap<u32, f64>,",
            "    pub prices: BTreeMap<u32, f64>,\n    #[serde(default)]\n    pub level: u8,",
        ),
    );
    project.write(
        LOGIC,
        &edit("BTreeMap::from([(7, 0.5), (9, 2.5)]),", "BTreeMap::from([(7, 0.5), (9, 2.5)]), level: 4,"),
    );
    let states = migrated(&mut session);
    assert!(states.iter().all(|state| state.from.0 >= 1), "{states:?}");
    // An edit of a body alone migrates nothing.
    let before = session.count(|event| matches!(event, Event::Migrated { .. }));
    project.edit(LOGIC, "{}: {} balls of", "{}! {} balls of");
    session.prints("main! 3 balls of 210.5, 3 | left! 2 balls of 101.5, 3 | counts true");
    assert_eq!(session.count(|event| matches!(event, Event::Migrated { .. })), before);
}

#[test]
fn what_cannot_be_migrated_leaves_everything_as_it_is_and_says_the_field() {
    let project = Project::new("carried");
    let mut session = project.live(&[]);
    session.prints("main: 3 balls of 10.5, 3");
    // No default for a new field.
    project.edit(
        LOGIC,
        "    pub prices: BTreeMap<u32, f64>,",
        "    pub prices: BTreeMap<u32, f64>,\n    pub level: u8,",
    );
    project.edit(LOGIC, "(9, 2.5)]),", "(9, 2.5)]), level: 4,");
    let reason = refused(&mut session);
    assert!(reason.found.contains("missing field `level`"), "{reason}");
    assert!(reason.notes.join("").contains("World.level"), "{reason}");
    // A field deep inside of another type.
    project.edit(LOGIC, "    pub level: u8,", "");
    project.edit(LOGIC, "(9, 2.5)]), level: 4,", "(9, 2.5)]),");
    project.edit(
        LOGIC,
        "    pub name: String,\n}\n\n#[derive(Debug, Serialize",
        "    pub name: u64,\n}\n\n#[derive(Debug, Serialize",
    );
    project.edit(LOGIC, "name: format!(\"ball {radius}\")", "name: 1");
    project.edit(LOGIC, "name: \"pushed\".to_owned()", "name: 2");
    let reason = refused(&mut session);
    assert!(reason.subject.contains("logic::World") && reason.subject.contains("balls[0].name"), "{reason}");
    assert!(reason.found.contains("a string was saved"), "{reason}");
    // Without serde.
    project.edit(LOGIC, "    pub name: u64,", "    pub name: String,");
    project.edit(LOGIC, "name: 1", "name: String::new()");
    project.edit(LOGIC, "name: 2", "name: \"pushed\".to_owned()");
    project.edit(LOGIC, "    pub frames: u64,", "    pub frames: u64,\n    pub more: u64,");
    let reason = refused(&mut session);
    assert_eq!(reason.subject, "logic::Counter");
    assert!(reason.expected.contains("Serialize"), "{reason}");
    assert!(reason.notes.join("").contains("more"), "{reason}");
    assert!(reason.advice.contains("restart"), "{reason}");
    // The old code has gone on all the time, with its values.
    project.edit(LOGIC, "    pub frames: u64,\n    pub more: u64,", "    pub frames: u64,");
    project.edit(LOGIC, "{}: {} balls of", "{}! {} balls of");
    session.prints("main! 3 balls of 10.5, 3 | left! 2 balls of 1.5, 3 | counts true");
    assert_eq!(session.count(|event| matches!(event, Event::Migrated { .. })), 0);
}
