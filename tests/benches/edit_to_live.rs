//! From the edit to the new code, beside hot-lib-reloader as its README says to run it, on the same edits in turn.
//!
//! `cargo install cargo-watch && cargo bench -p pitstop-tests --bench edit_to_live`
//!
//! Both are timed from outside: from just before the file is written until the program has printed the new value.

mod large;

use large::large;
use pitstop_contract::event::{Event, Stages};
use pitstop_tests::{Project, Session};
use std::process::Command;
use std::time::{Duration, Instant};

const ROUNDS: u64 = 11;
/// Between edits: cargo-watch passes over an edit that comes while its command is still ending.
const PAUSE: Duration = Duration::from_millis(1500);

fn main() {
    for (name, source) in [("tiny", String::new()), ("2,000 lines, 100 serde derives", large())] {
        compare(name, &source);
    }
}

fn compare(name: &str, source: &str) {
    let (ours, peer) = (Project::new("bench-ours"), Project::new("bench-peer"));
    for project in [&ours, &peer] {
        project.write("logic/src/lib.rs", &(project.read("logic/src/lib.rs") + source));
    }
    let mut ours_runs = ours.live(&[]);
    ours_runs.prints("answer 100.");
    let (_watch, mut peer_runs) = start_peer(&peer);
    peer_runs.prints("answer 100.");
    let (mut our_times, mut peer_times, mut builds, mut added) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        our_times.push(timed(&ours, &mut ours_runs, round));
        peer_times.push(timed(&peer, &mut peer_runs, round));
        let stages = ours_runs.event("live", |event| match event {
            Event::Live { stages, .. } => Some(*stages),
            _ => None,
        });
        builds.push(stages.build);
        added.push(besides_the_compiler(&stages));
    }
    // The first edit of each finds caches cold.
    let [ours, peer, build, added] = [our_times, peer_times, builds, added].map(|times| median(&times[1..]));
    println!(
        "{{\"crate\":\"{name}\",\"pitstop_ms\":{ours:.0},\"hot_lib_reloader_ms\":{peer:.0},\"ratio\":{:.3},\
         \"rustc_ms\":{build:.0},\"added_ms\":{added:.1},\"rounds\":{}}}",
        ours / peer,
        ROUNDS - 1
    );
}

fn besides_the_compiler(stages: &Stages) -> f64 {
    stages.detect + stages.stage + stages.verify + stages.load + stages.swap
}

/// `cargo watch -w logic -x "build -p logic"`, and `cargo run` in another terminal. Nothing is ignored, since the copies lie in a
/// folder that git ignores.
fn start_peer(project: &Project) -> (Session, Session) {
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new("cargo");
        command.args(arguments).current_dir(project.directory()).env_remove("CARGO_TARGET_DIR");
        command
    };
    assert!(cargo(&["build"]).status().is_ok_and(|status| status.success()), "the peer does not build");
    let watch = Session::start(cargo(&["watch", "--ignore-nothing", "-w", "logic", "-x", "build -p logic"]));
    (watch, Session::start(cargo(&["run"])))
}

#[expect(clippy::disallowed_methods, reason = "edits are spaced as a person would, nothing is awaited")]
fn timed(project: &Project, session: &mut Session, round: u64) -> f64 {
    std::thread::sleep(PAUSE);
    let text =
        project.replaced("logic/src/lib.rs", &format!("    {}\n", 100 + round), &format!("    {}\n", 101 + round));
    let begun = Instant::now();
    project.write("logic/src/lib.rs", &text);
    session.prints(&format!("answer {}.", 101 + round));
    begun.elapsed().as_secs_f64() * 1e3
}

fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
