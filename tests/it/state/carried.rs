//! Values that outlive the code that works on them.

use pitstop_contract::event::{Event, MigratedState, Why};
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

/// Several edits of the logic as one save.
fn save(project: &Project, edits: &[(&str, &str)]) {
    let mut text = project.read(LOGIC);
    for (from, to) in edits {
        assert!(text.contains(from), "no `{from}` in\n{text}");
        text = text.replace(from, to);
    }
    project.write(LOGIC, &text);
}

fn rolled_back(session: &mut Session) -> (u32, u32, Why) {
    session.event("rolled-back", |event| match event {
        Event::RolledBack { from, generation, why, .. } => Some((from.0, generation.0, *why)),
        Event::Rejected { reasons, .. } => panic!("refused: {reasons:#?}"),
        _ => None,
    })
}

/// Puts a field into `World`, with a default.
const LEVEL: (&str, &str) = (
    "    pub balls: Vec<Ball>,\n    pub prices",
    "    pub balls: Vec<Ball>,\n    #[serde(default)]\n    pub level: u16,\n    pub prices",
);
const NO_LEVEL: (&str, &str) = (LEVEL.1, LEVEL.0);
const LEVEL_MADE: (&str, &str) = ("Ok(Self { name, balls, prices })", "Ok(Self { name, balls, level: 1, prices })");
const LEVEL_NAMED: (&str, &str) =
    ("            name: name.to_owned(),\n", "            name: name.to_owned(),\n            level: 1,\n");

fn all_refused(session: &mut Session) -> Vec<Reason> {
    session.event("rejected", |event| match event {
        Event::Rejected { reasons, .. } => Some(reasons.clone()),
        Event::BuildFailed { rendered, .. } => panic!("{rendered}"),
        _ => None,
    })
}

fn refused(session: &mut Session) -> Reason {
    let mut reasons = all_refused(session);
    assert_eq!(reasons.len(), 1, "{reasons:#?}");
    let reason = reasons.remove(0);
    assert_eq!(reason.rule, Rule::State, "{reason}");
    reason
}

#[test]
fn a_changed_type_is_migrated_field_by_field_and_values_of_one_type_by_key() {
    let project = Project::new("carried");
    let mut session = project.live(&[]);
    session.prints("main: 3 balls of 10.5, 3 | left: 2 balls of 1.5, 3 | counts true");
    // A field is added, with a default, one is renamed, with an alias, and another changes its type.
    let sizes = [
        (
            "    pub radius: f32,",
            "    #[serde(alias = \"radius\")]\n    pub size: f64,\n    #[serde(default)]\n    pub mass: u8,",
        ),
        ("Ball { radius, name:", "Ball { size: f64::from(radius), mass: 1, name:"),
        ("Ball { radius: 9.0,", "Ball { size: 9.0, mass: 1,"),
        ("f64::from(ball.radius)", "100.0 + ball.size"),
    ];
    save(&project, &sizes);
    let states = migrated(&mut session);
    let names: Vec<_> = states.iter().map(|state| (state.type_name.as_str(), state.key.as_str())).collect();
    assert_eq!(names, [("logic::World", ""), ("logic::World", "left")]);
    assert!(states.iter().all(|state| state.bytes > 0 && state.from.0 == 0), "{states:?}");
    session.prints("main: 3 balls of 210.5, 3 | left: 2 balls of 101.5, 3 | counts true");
    // And on, from a value that the first image made.
    save(&project, &[LEVEL, LEVEL_MADE, LEVEL_NAMED]);
    let states = migrated(&mut session);
    assert!(states.iter().all(|state| state.from.0 >= 1), "{states:?}");
    // An edit of a body alone migrates nothing.
    let before = session.count(|event| matches!(event, Event::Migrated { .. }));
    save(&project, &[("{}: {} balls of", "{}! {} balls of")]);
    session.prints("main! 3 balls of 210.5, 3 | left! 2 balls of 101.5, 3 | counts true");
    assert_eq!(session.count(|event| matches!(event, Event::Migrated { .. })), before);
}

#[test]
fn what_cannot_be_migrated_leaves_everything_as_it_is_and_says_the_field() {
    let project = Project::new("carried");
    let mut session = project.live(&[]);
    session.prints("main: 3 balls of 10.5, 3");
    // No default for a new field.
    let level = (LEVEL.0, "    pub balls: Vec<Ball>,\n    pub level: u8,\n    pub prices");
    save(&project, &[level, LEVEL_MADE, LEVEL_NAMED]);
    let reason = refused(&mut session);
    assert!(reason.found.contains("missing field `level`"), "{reason}");
    assert!(reason.notes.join("").contains("World.level"), "{reason}");
    // A field deep inside of another type.
    let back = [(level.1, level.0), (LEVEL_MADE.1, LEVEL_MADE.0), (LEVEL_NAMED.1, LEVEL_NAMED.0)];
    let numbers = [
        ("    pub radius: f32,\n    pub name: String,", "    pub radius: f32,\n    pub name: u64,"),
        ("name: format!(\"ball {radius}\")", "name: 1"),
        ("name: \"pushed\".to_owned()", "name: 2"),
    ];
    save(&project, &[back, numbers].concat());
    let reason = refused(&mut session);
    assert!(reason.subject.contains("logic::World") && reason.subject.contains("balls[0].name"), "{reason}");
    assert!(reason.found.contains("a string was saved"), "{reason}");
    // Without serde.
    let frames = ("    pub frames: u64,", "    pub frames: u64,\n    pub more: u64,");
    let text = numbers.map(|(from, to)| (to, from));
    save(&project, &[text.as_slice(), &[frames]].concat());
    let reason = refused(&mut session);
    assert_eq!(reason.subject, "logic::Counter");
    assert!(reason.expected.contains("Serialize"), "{reason}");
    assert!(reason.notes.join("").contains("more"), "{reason}");
    assert!(reason.advice.contains("restart"), "{reason}");
    // The old code has gone on all the time, with its values.
    save(&project, &[(frames.1, frames.0), ("{}: {} balls of", "{}! {} balls of")]);
    session.prints("main! 3 balls of 10.5, 3 | left! 2 balls of 1.5, 3 | counts true");
    assert_eq!(session.count(|event| matches!(event, Event::Migrated { .. })), 0);
}

#[test]
fn host_code_with_the_old_layout_never_reads_wrong_bytes() {
    let project = Project::new("carried");
    let mut session = project.live(&[]);
    session.prints("main: 3 balls");
    // As long as the layout is the same it may look.
    save(&project, &[("let wish = \"\";", "let wish = \"look\";")]);
    session.prints("host: looks at 3 balls");
    // Nothing tells beforehand that it will look again.
    save(&project, &[LEVEL, LEVEL_MADE, LEVEL_NAMED, ("let wish = \"look\";", "let wish = \"\";")]);
    migrated(&mut session);
    save(&project, &[("let wish = \"\";", "let wish = \"look\";")]);
    let reason = refused(&mut session);
    assert_eq!(reason.subject, "logic::World");
    let line =
        project.read("game/src/main.rs").lines().position(|line| line.contains("\"look\"")).expect("it looks") + 1;
    assert!(reason.found.contains(&format!("the program at game/src/main.rs:{line}:")), "{reason}");
    assert!(reason.found.contains("World.level"), "{reason}");
    assert!(reason.advice.contains("restart"), "{reason}");
    assert_eq!(session.ends().code(), Some(101), "the program panicked");
}

#[test]
fn a_host_that_looks_in_each_frame_is_not_migrated_away_from() {
    let project = Project::new("carried");
    project.edit(
        "game/src/main.rs",
        "        if now != last {",
        "        assert!(world.balls.len() > 1);\n        if now != last {",
    );
    let mut session = project.live(&[]);
    session.prints("main: 3 balls");
    save(&project, &[LEVEL, LEVEL_MADE, LEVEL_NAMED]);
    let reason = refused(&mut session);
    assert!(reason.found.contains("the program's own code at game/src/main.rs:"), "{reason}");
    assert!(reason.advice.contains("restart"), "{reason}");
    // And the program goes on.
    save(
        &project,
        &[NO_LEVEL, (LEVEL_MADE.1, LEVEL_MADE.0), (LEVEL_NAMED.1, LEVEL_NAMED.0), ("{}: {} balls", "{}! {} balls")],
    );
    session.prints("main! 3 balls of 10.5, 3 | left! 2 balls of 1.5, 3");
}

#[test]
fn versions_migrate_up_with_an_edit_and_down_with_an_undo_and_up_again() {
    let project = Project::new("carried");
    let mut session = project.live(&[]);
    session.prints("main: 3 balls of 10.5, 3 ");
    let cents = [
        ("MARK: u32 = 0", "MARK: u32 = 1"),
        ("    pub prices: BTreeMap<u32, f64>,", "    pub cents: BTreeMap<u32, u64>,"),
        ("const VERSION: u32 = 1;", "const VERSION: u32 = 2;"),
        ("cents: BTreeMap<u32, u64>,\n        }", "prices: BTreeMap<u32, f64>,\n        }"),
        ("from != 2", "from != 1"),
        ("World2 { name, balls, cents }", "World2 { name, balls, prices }"),
        (
            "let prices = cents.into_iter().map(|(key, cents)| (key, cents as f64 / 100.0)).collect();",
            "let cents = prices.into_iter().map(|(key, price)| (key, (price * 100.0) as u64)).collect();",
        ),
        ("Ok(Self { name, balls, prices })", "Ok(Self { name, balls, cents })"),
        ("prices: BTreeMap::from([(7, 0.5), (9, 2.5)])", "cents: BTreeMap::from([(7, 50), (9, 250)])"),
        ("let prices: f64 = world.prices.values().sum();", "let prices: u64 = world.cents.values().sum();"),
    ];
    save(&project, &cents);
    migrated(&mut session);
    // The values that were before are dropped by the code that made them.
    session.prints("logic: 0 drops main");
    session.prints("logic: 0 drops left");
    session.prints("main: 3 balls of 10.5, 300 | left: 2 balls of 1.5, 300");
    session.asks("{\"request\":\"undo\"}");
    assert_eq!(rolled_back(&mut session), (1, 0, Why::Undo));
    session.prints("logic: 1 drops main");
    session.prints("main: 3 balls of 10.5, 3 | left: 2 balls of 1.5, 3");
    session.asks("{\"request\":\"redo\"}");
    assert_eq!(rolled_back(&mut session), (0, 1, Why::Redo));
    session.prints("main: 3 balls of 10.5, 300");
    // There is nothing further on, and the program says so.
    session.asks("{\"request\":\"redo\"}");
    session.event("notice", |event| match event {
        Event::Notice { message } => message.contains("no later generation").then_some(()),
        _ => None,
    });
    // An edit goes on from what is live, and the program asks to go back itself.
    save(&project, &[("{}: {} balls", "{}! {} balls"), ("let wish = \"\";", "let wish = \"undo\";")]);
    session.prints("main! 3 balls of 10.5, 300");
    assert_eq!(rolled_back(&mut session), (2, 1, Why::Undo));
    session.prints("main: 3 balls of 10.5, 300");
}

#[test]
fn a_reference_across_a_safe_point_leads_to_what_the_value_was() {
    let project = Project::new("carried");
    let mut session = project.live(&[]);
    session.prints("main: 3 balls");
    save(&project, &[("let wish = \"\";", "let wish = \"hold\";")]);
    session.goes_live("logic");
    save(
        &project,
        &[
            LEVEL,
            LEVEL_MADE,
            LEVEL_NAMED,
            ("let wish = \"hold\";", "let wish = \"end\";"),
            ("== 0).then", "<= 1).then"),
        ],
    );
    migrated(&mut session);
    session.prints("host: held 3 balls of main");
    assert!(session.ends().success());
    let drops = |session: &Session| session.printed().filter(|line| line.contains("drops")).count();
    // Of each of two values, what it was and what it is: nothing is dropped twice, and nothing is forgotten.
    assert_eq!(drops(&session), 4, "{:?}", session.printed().collect::<Vec<_>>());
}

#[test]
fn a_value_lives_as_long_as_its_handle_and_has_one() {
    let project = Project::new("carried");
    let mut session = project.live(&["--linkage", "self-contained"]);
    session.prints("main: 3 balls");
    save(&project, &[("let wish = \"\";", "let wish = \"drop\";"), LEVEL, LEVEL_MADE, LEVEL_NAMED]);
    migrated(&mut session);
    // Dropped by the code that made it, and made anew by the program in the form of the live code.
    session.prints("new left: 2 balls of 1.5, 3");
    save(&project, &[("let wish = \"drop\";", "let wish = \"twice\";")]);
    session.prints("logic::World is held already, by the State that was made at game/src/main.rs:8");
    assert_eq!(session.ends().code(), Some(101));
}

#[test]
fn values_are_migrated_on_the_thread_of_their_handle_alone() {
    let project = Project::new("carried");
    project.edit("game/src/main.rs", "pit.safe_point();\n        let now", "std::thread::scope(|threads| threads.spawn(|| pit.safe_point()).join()).expect(\"a safe point\");\n        let now");
    let mut session = project.live(&[]);
    session.prints("main: 3 balls");
    save(&project, &[("{}: {} balls", "{}! {} balls")]);
    session.prints("main! 3 balls");
    save(&project, &[LEVEL, LEVEL_MADE, LEVEL_NAMED]);
    let reasons = all_refused(&mut session);
    let reason = reasons.first().expect("a reason");
    assert!(reason.expected.contains("a safe point on the thread `main`"), "{reason}");
    assert!(reason.expected.contains("game/src/main.rs:8"), "{reason}");
}
