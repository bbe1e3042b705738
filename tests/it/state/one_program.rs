//! Program and images are one program: records, types, threads, what a process has one of, pools.

use crate::programs::program;
use pitstop_tests::{Project, Session};

const LOGIC: &str = "logic/src/lib.rs";

fn live(linkage: &str, part: &str, last: u32) -> (Project, Session) {
    let project = program("one-program");
    let session = project.live(&["--linkage", linkage, "--", part, &last.to_string(), linkage]);
    (project, session)
}

/// Makes the next generation live.
fn next(project: &Project, session: &mut Session, generation: u32) {
    let (from, to) = (format!("GENERATION: u32 = {}", generation - 1), format!("GENERATION: u32 = {generation}"));
    session.goes_live_after(|| project.edit(LOGIC, &from, &to), "logic");
}

fn ends(mut session: Session) {
    session.prints("host: the end");
    assert!(session.ends().success());
}

#[test]
fn look() {
    let linkage = std::env::var("LINKAGE").unwrap_or_default();
    let part = std::env::var("PART").unwrap_or_default();
    let last: u32 = std::env::var("LAST").unwrap_or_default().parse().unwrap();
    let (project, mut session) = live(&linkage, &part, last);
    let begun = std::time::Instant::now();
    session.prints("turn 1 done");
    for generation in 2..=last {
        next(&project, &mut session, generation);
        session.prints(&format!("turn {generation} done"));
    }
    session.prints("host: the end");
    eprintln!("took {:?}", begun.elapsed());
    let status = session.ends();
    for line in session.printed() {
        eprintln!("{line}");
    }
    eprintln!("{status}");
}
