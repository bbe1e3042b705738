//! What carried state costs: to touch it, to migrate it, and in the loop from the edit to the new code.
//!
//! `cargo bench -p pitstop-tests --bench state`, or one of its parts: `... -- plain`, `live`, `edits`.

use object::{Object, ObjectSection, ObjectSymbol};
use pitstop_contract::event::{Event, MigratedState};
use pitstop_tests::{Project, Session};
use std::process::Command;
use std::time::Instant;

/// Migrations, and edits of each side of the loop.
const ROUNDS: u64 = 11;
const LOGIC: &str = "logic/src/lib.rs";

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let parts: [(&str, fn()); 3] = [("plain", plain), ("live", live), ("edits", edits)];
    for (name, part) in parts {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            part();
        }
    }
}

/// Without Pitstop: cargo's own release build.
fn plain() {
    let project = Project::new("bench-state");
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release"]).current_dir(project.directory()).env_remove("CARGO_TARGET_DIR");
    assert!(cargo.status().is_ok_and(|status| status.success()), "the fixture does not build");
    let program = project.path("target/release/game");
    let output = Command::new(&program).output().expect("the program");
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        println!("{}", line.replace("\"program\"", "\"plain release build\""));
    }
    let bytes = std::fs::read(&program).expect("the program");
    let code = |name: &str| machine_code(&bytes, name);
    for what in ["read", "write"] {
        let (state, boxed) = (code(&format!("{what}_by_state")), code(&format!("{what}_by_box")));
        println!("{{\"plain_build\":\"{what}\",\"bytes\":{},\"same_code_as_box\":{}}}", state.len(), state == boxed);
        assert_eq!(state, boxed, "a State is a box there");
    }
}

fn machine_code(program: &[u8], name: &str) -> Vec<u8> {
    let file = object::File::parse(program).expect("a program");
    let symbol = file.symbol_by_name(name).unwrap_or_else(|| panic!("no {name}"));
    let section = symbol.section_index().and_then(|index| file.section_by_index(index).ok()).expect("a section");
    let code = section.data_range(symbol.address(), symbol.size()).expect("a section's bytes");
    code.expect("machine code").to_vec()
}

/// In a live release build: touching, from both sides, and migrating.
fn live() {
    // A field of each entity comes and goes.
    const EDITS: [[&str; 2]; 2] = [
        ["    pub parent", "    #[serde(default)]\n    pub mood: u8,\n    pub parent"],
        ["            parent:", "            mood: 0,\n            parent:"],
    ];
    let project = Project::new("bench-state");
    let mut session = project.run(&["--release"]);
    session.prints("ready");
    let (mut ratios, mut migrations, mut bares, mut frames, mut tooks) = Default::default();
    let mut length = 0;
    for round in 1..=ROUNDS {
        let mut text =
            project.replaced(LOGIC, &format!("let round = {};", round - 1), &format!("let round = {round};"));
        for [short, long] in EDITS {
            text = if round % 2 == 1 { text.replace(short, long) } else { text.replace(long, short) };
        }
        project.write(LOGIC, &text);
        let (state, took) = migrated(&mut session);
        let line = session.prints(&format!("round {round} "));
        let numbers: Vec<f64> = line.split(' ').skip(2).map(|word| word.parse().expect("a number")).collect();
        let (migration, bare) = (state.save_ms + state.restore_ms, numbers[1] + numbers[2]);
        length = state.bytes;
        for (list, value) in [
            (&mut ratios, migration / bare),
            (&mut migrations, migration),
            (&mut bares, bare),
            (&mut frames, numbers[0]),
            (&mut tooks, took),
        ] {
            let list: &mut Vec<f64> = list;
            list.push(value);
        }
    }
    for line in session.printed().filter(|line| line.starts_with('{')) {
        println!("{line}");
    }
    let longest = frames.iter().copied().fold(0.0, f64::max);
    println!(
        "{{\"migration\":\"100,000 entities\",\"saved_kb\":{},\"save_and_restore_ms\":{:.0},\"bare_serde_ms\":{:.0},\
         \"ratio\":{:.2},\"bound\":1.5,\"swap_ms\":{:.0},\"frame_ms\":{:.0},\"longest_frame_ms\":{longest:.0},\"rounds\":{ROUNDS}}}",
        length >> 10,
        median(&migrations),
        median(&bares),
        median(&ratios),
        median(&tooks),
        median(&frames),
    );
}

fn migrated(session: &mut Session) -> (MigratedState, f64) {
    session.event("migrated", |event| match event {
        Event::Migrated { states, took_ms, .. } => states.first().cloned().map(|state| (state, *took_ms)),
        Event::Rejected { reasons, .. } => panic!("refused: {reasons:#?}"),
        Event::BuildFailed { rendered, .. } => panic!("{rendered}"),
        _ => None,
    })
}

/// The same edit of a body, where the function takes a `State` and where it takes a plain reference, in turn.
fn edits() {
    let (carried, plain) = (Project::new("long"), Project::new("long"));
    // Another crate, with a compiler's cache of its own.
    plain.edit("logic/Cargo.toml", "version = \"0.1.0\"", "version = \"0.1.1\"");
    plain.edit(LOGIC, "&mut State<World>", "&mut World");
    plain.edit(LOGIC, "&mut **world", "&mut *world");
    plain.edit("game/src/main.rs", "State<logic::World> = pit.state()", "logic::World = Default::default()");
    let mut sessions = [carried, plain].map(|project| {
        let mut session = project.live(&[]);
        session.prints("round 0 ");
        (project, session, Vec::new(), Vec::new())
    });
    for round in 1..=ROUNDS {
        for (project, session, times, builds) in &mut sessions {
            let (from, to) = (format!("ROUND: u64 = {};", round - 1), format!("ROUND: u64 = {round};"));
            let text = project.replaced(LOGIC, &from, &to);
            let begun = Instant::now();
            project.write(LOGIC, &text);
            session.prints(&format!("round {round} "));
            times.push(begun.elapsed().as_secs_f64() * 1e3);
            builds.push(session.event("live", |event| match event {
                Event::Live { stages, .. } => Some(stages.build),
                _ => None,
            }));
        }
    }
    // The first edit of each finds caches cold.
    let [carried, plain] = sessions.map(|(_, _, times, builds)| (median(&times[1..]), median(&builds[1..])));
    println!(
        "{{\"edit_to_live\":\"of a body\",\"state_ms\":{:.0},\"reference_ms\":{:.0},\"ratio\":{:.3},\"state_rustc_ms\":{:.0},\
         \"reference_rustc_ms\":{:.0},\"rounds\":{}}}",
        carried.0,
        plain.0,
        carried.0 / plain.0,
        carried.1,
        plain.1,
        ROUNDS - 1
    );
}

fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
