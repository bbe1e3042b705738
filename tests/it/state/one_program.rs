//! Program and images are one program: records, types, threads, what a process has one of, pools.

use crate::programs::program;
use pitstop_tests::Session;

const LOGIC: &str = "logic/src/lib.rs";
const LINKAGES: [&str; 2] = ["shared", "self-contained"];

/// Runs a part of the fixture through generations of its logic, which differ in a constant only, until it ends by itself.
fn run(linkage: &str, part: &str, last: u32) -> Session {
    let project = program("one-program");
    let mut session = project.live(&["--linkage", linkage, "--", part, &last.to_string(), linkage]);
    session.prints("host: turn 1 done");
    for generation in 2..=last {
        let (from, to) = (format!("GENERATION: u32 = {}", generation - 1), format!("GENERATION: u32 = {generation}"));
        project.edit(LOGIC, &from, &to);
        // Not its event: the program may end before it has told of its last generation.
        session.prints(&format!("host: turn {generation} done"));
    }
    session.prints("host: the end");
    assert!(session.ends().success());
    session
}

/// What the program printed in each turn, and after the last.
fn turns(session: &Session) -> Vec<Vec<&str>> {
    let starts = ["host: ", "line: ", "logger: ", "scoped: ", "subscriber: ", "a part", "hook of"];
    let lines: Vec<&str> =
        session.printed().filter(|line| starts.iter().any(|start| line.starts_with(start))).collect();
    let is_end = |line: &&str| line.starts_with("host: turn ");
    lines.split(is_end).map(<[&str]>::to_vec).collect()
}

#[test]
fn records_spans_and_events_of_images_arrive_whatever_the_program_changes() {
    for linkage in LINKAGES {
        let session = run(linkage, "records", 4);
        let turns = turns(&session);
        for generation in 1..=4 {
            let mut expected = logged(generation, linkage == "shared");
            match generation {
                1 => expected.extend(traced(generation, false)),
                // Called without a subscriber first, and then with one that was set meanwhile.
                2 => expected.extend([traced(generation, false), traced(generation, true)].concat()),
                _ => expected.extend(traced(generation, true)),
            }
            assert_eq!(turns[generation as usize - 1], expected, "{linkage}, turn {generation}");
        }
    }
}

fn logged(generation: u32, is_shared: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for (level, told, detailed) in [("INFO", true, false), ("DEBUG", true, true), ("WARN", false, false)] {
        lines.push(format!("logger: WARN logic::special of logic::records: warned by {generation}"));
        if told {
            let pairs = format!("number={generation} list=[1, 2]");
            lines.push(format!("logger: INFO logic::records of logic::records: told by {generation} {pairs}"));
        }
        if detailed {
            lines.push(format!("logger: DEBUG logic::records of logic::records: detailed by {generation}"));
        }
        lines.push(format!("host: level {level}, debug {detailed}"));
        for thread in 1..=generation {
            // Nobody calls an earlier image any more, so that its own copy of `log` hears of no more levels.
            let hears = detailed && (is_shared || thread == 1 || thread == generation);
            if hears {
                lines.push(format!("logger: DEBUG logic::records of logic::records: detailed by a thread of {thread}"));
            }
            lines.push(format!("host: thread's debug {hears}"));
        }
    }
    lines
}

fn traced(generation: u32, is_set: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let event = |subscriber: &str, level: &str, spans: &str, detail: &str| {
        let spans = format!("{spans}work number={generation}");
        format!("{subscriber}: {level} logic::records in [{spans}]: message=traced{detail} code={generation}")
    };
    for (level, detailed) in [("info", false), ("debug", is_set)] {
        if is_set {
            lines.push(event("subscriber", "INFO", "frame, ", ""));
        }
        if detailed {
            lines.push(event("subscriber", "DEBUG", "frame, ", " in detail"));
        }
        let around = if is_set { "frame" } else { "none" };
        lines.push(format!("host: {level}, around {around}, debug {detailed}"));
        if is_set {
            let spans = format!("frame, handed number={generation}");
            lines.push(format!("subscriber: INFO game::records in [{spans}]: message=in the host"));
        }
        let tellers = (1..=generation).filter(|_| detailed);
        lines.extend(
            tellers
                .map(|teller| format!("subscriber: DEBUG logic::records in [frame]: message=told late code={teller}")),
        );
    }
    lines.push(event("scoped", "INFO", "", ""));
    lines.push(event("scoped", "DEBUG", "", " in detail"));
    lines.extend(["host: scoped, around none, debug true".to_owned(), "host: traced".to_owned()]);
    lines
}

#[test]
fn types_threads_settings_and_lines_are_those_of_one_process() {
    const PART: &str = "a part of the logic's, ";
    for linkage in LINKAGES {
        let is_shared = linkage == "shared";
        let session = run(linkage, "process", 4);
        let turns = turns(&session);
        for generation in 1..=4 {
            // In the first the logic is part of the program, whatever the linkage.
            let is_one = is_shared || generation == 1;
            let opened: Vec<u32> = (1..=generation).flat_map(|number| [number, 0]).collect();
            let workers: Vec<u32> = (generation.saturating_sub(2).max(1)..=generation).collect();
            let names: Vec<String> = workers.iter().map(|number| format!("worker-{number}")).collect();
            let mut expected = vec![
                format!("host: types true, opened Some({opened:?}) here and Some({opened:?}) there"),
                format!("host: workers {workers:?} named {names:?}"),
            ];
            if generation > 2 {
                expected.push(format!("host: joined Some({}) by the logic", generation - 2));
            }
            expected.push(match is_one {
                true => "host: thread main here, main there, same true".to_owned(),
                false => "host: thread main here, unnamed there, same false".to_owned(),
            });
            expected.push("host: arguments true, id true".to_owned());
            expected.push(format!("host: logic saw set for {generation} in src, left {generation} in logic"));
            expected.extend(["line: of the host", "line: of the logic"].repeat(3).into_iter().map(str::to_owned));
            expected.push("line: a part of the host's, a flushed part of the logic's, the end".to_owned());
            let part = if is_one { PART } else { "" };
            expected.push(format!("line: a part of the host's, {part}the end"));
            assert_eq!(turns[generation as usize - 1], expected, "{linkage}, turn {generation}");
        }
        let mut expected = vec!["host: joined Ok(3) at the end".to_owned(), "host: joined Ok(4) at the end".to_owned()];
        if is_shared {
            expected.push(format!("{PART}host: the end"));
        } else {
            // What images kept in buffers of their own comes late, and does come.
            expected.extend(["host: the end".to_owned(), PART.repeat(4).trim_end().to_owned()]);
        }
        assert_eq!(turns[4], expected, "{linkage}");
    }
}

#[test]
fn the_programs_panic_hook_hears_of_a_panic_in_an_image() {
    for linkage in LINKAGES {
        let session = run(linkage, "panics", 3);
        let lines: Vec<&str> = turns(&session).concat();
        let mut expected = vec![
            "hook of the host: thrown by 2 in process.rs on main",
            "host: caught thrown by 2",
            "hook of logic 3: thrown by 3",
        ];
        // A hook that an image sets is that of its own `std`.
        expected.extend((linkage == "shared").then_some("hook of logic 3: thrown by the host"));
        expected.push("host: the end");
        assert_eq!(lines, expected, "{linkage}");
    }
}

/// The fixture itself checks results, and that each generation's thread-local is dropped when its thread ends.
fn reload_with_pools(linkage: &str, reloads: u32, threads_kept: u32) {
    let session = run(linkage, "pools", reloads + 1);
    let turns = turns(&session);
    for reload in 1..=reloads {
        let threads = threads_kept * (reload - 1);
        let expected = format!("host: {threads} threads more, 0 files more");
        assert_eq!(turns[reload as usize], [expected], "{linkage}, reload {reload}");
    }
    let all = reloads + 1;
    let dropped = format!("host: {all} thread-locals dropped, Some(1) to Some({all})");
    assert_eq!(turns[all as usize], [&*dropped, "host: the end"], "{linkage}");
}

#[test]
fn fifty_reloads_keep_no_thread_but_that_of_each_generations_own_runtime() {
    reload_with_pools("shared", 50, 1);
}

#[test]
fn self_contained_reloads_keep_a_pool_of_rayons_for_each_generation_too() {
    let reloads = std::env::var("PITSTOP_RELOADS").map_or(10, |number| number.parse().expect("a number of reloads"));
    let pool = std::thread::available_parallelism().map_or(1, usize::from);
    reload_with_pools("self-contained", reloads, 1 + u32::try_from(pool).expect("a small number"));
}
