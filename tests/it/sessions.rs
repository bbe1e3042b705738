//! Sessions: begun, shared, crashed, ended.

use pitstop_contract::event::Event;
use pitstop_tests::{Project, Session, signal};
use std::path::PathBuf;

const LOGIC: &str = "logic/src/lib.rs";

fn session_directories(project: &Project) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(project.path("target/pitstop")) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path()).filter(|path| path.join("lock").exists()).collect()
}

fn directory(session: &mut Session) -> PathBuf {
    session.event("session", |event| match event {
        Event::Session { directory, .. } => Some(PathBuf::from(directory)),
        _ => None,
    })
}

#[test]
fn two_sessions_of_one_project_run_side_by_side() {
    let project = Project::new("basic");
    let mut first = project.live(&[]);
    let mut second = project.live(&[]);
    assert_eq!(session_directories(&project).len(), 2);
    for answer in [43, 44] {
        project.edit(LOGIC, &format!("ANSWER: u32 = {}", answer - 1), &format!("ANSWER: u32 = {answer}"));
        for session in [&mut first, &mut second] {
            session.goes_live("logic");
            session.prints(&format!("answer {answer}"));
        }
    }
    drop(first);
    project.edit(LOGIC, "ANSWER: u32 = 44", "ANSWER: u32 = 45");
    second.goes_live("logic");
    second.prints("answer 45");
}

#[test]
fn a_killed_program_ends_the_command_and_its_files_are_gone() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    session.kill_host();
    assert_eq!(session.ends().code(), Some(137));
    assert!(session.has_seen(r#""event":"exited","code":null,"signal":9"#));
    assert_eq!(session_directories(&project), Vec::<PathBuf>::new());
}

#[test]
fn the_programs_exit_code_is_the_commands() {
    let project = Project::new("basic");
    project.edit("game/src/main.rs", "            return;", "            std::process::exit(7);");
    let mut session = project.live(&[]);
    project.edit(LOGIC, "    false\n", "    true\n");
    assert_eq!(session.ends().code(), Some(7));
}

#[test]
fn ctrl_c_ends_both_and_cleans_up() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    session.interrupt();
    assert_eq!(session.ends().code(), Some(130));
    assert_eq!(session_directories(&project), Vec::<PathBuf>::new());
}

#[test]
fn a_killed_watcher_leaves_the_program_running_and_a_new_one_takes_over() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    let old = session_directories(&project);
    let host = session.host();
    session.kill_command();
    let mut watcher = Session::start(project.pitstop(&["watch", "--json"]));
    assert_eq!(watcher.attached(), host, "the running program joins the new session");
    assert!(old[0].exists(), "a directory that a program has mapped stays");
    watcher.goes_live("logic");
    project.edit(LOGIC, "ANSWER: u32 = 42", "ANSWER: u32 = 43");
    watcher.goes_live("logic");
    session.prints("answer 43");
    signal(host, "KILL");
}

#[test]
fn what_a_crashed_session_left_is_swept_by_the_next() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    let old = directory_of_only(&project);
    session.kill_command();
    session.kill_host();
    // The lock goes with the process, which the kernel may still be taking apart.
    while std::fs::File::open(old.join(format!("host-{}.lock", session.host())))
        .is_ok_and(|file| file.try_lock().is_err())
    {
        std::thread::yield_now();
    }
    let mut next = project.live(&[]);
    next.prints("answer 42");
    assert!(!old.exists());
}

fn directory_of_only(project: &Project) -> PathBuf {
    let directories = session_directories(project);
    assert_eq!(directories.len(), 1, "{directories:?}");
    directories[0].clone()
}

#[test]
fn a_program_started_by_hand_finds_the_watcher() {
    let project = Project::new("basic");
    let mut watcher = Session::start(project.pitstop(&["watch", "--json"]));
    let host = watcher.event("session", |event| match event {
        Event::Session { host, .. } => host.clone(),
        _ => None,
    });
    let mut program = Session::start(std::process::Command::new(host));
    let pid = program.pid();
    assert_eq!(watcher.attached(), pid);
    project.edit(LOGIC, "ANSWER: u32 = 42", "ANSWER: u32 = 43");
    watcher.goes_live("logic");
    program.prints("answer 43");
    program.kill_command();
}

#[test]
fn a_path_with_spaces_and_other_letters() {
    let project = Project::named("basic", "mit Leerzeichen, größe und ñ");
    let mut session = project.live(&[]);
    project.edit(LOGIC, "ANSWER: u32 = 42", "ANSWER: u32 = 43");
    session.goes_live("logic");
    session.prints("answer 43");
    project.write("logic/src/asset.txt", "Birne\n");
    session.goes_live("logic");
    session.prints("asset Birne");
}

#[test]
fn a_target_directory_that_cannot_be_written_is_refused_with_a_code_and_a_reason() {
    let project = Project::new("basic");
    project.write("occupied", "a file, not a folder");
    let output = project.pitstop(&["run", "--json", "--target-dir", "occupied"]).output().expect("an end");
    assert_eq!(output.status.code(), Some(4));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("occupied") && words.contains("is the target directory writable"), "{words}");
}

#[cfg(target_os = "linux")]
mod mounts {
    use super::*;
    use pitstop_tests::Mount;

    #[test]
    fn a_read_only_target_directory_is_refused_with_a_code_and_a_reason() {
        let project = Project::new("basic");
        let mount = Mount::tmpfs(&project.path("target"), "size=64m,ro");
        let output = project.pitstop(&["run", "--json"]).output().expect("an end");
        assert_eq!(output.status.code(), Some(4));
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(words.contains("Read-only file system"), "{words}");
        drop(mount);
    }

    #[test]
    fn a_full_disk_keeps_the_program_going_and_room_mends_it() {
        let project = Project::new("basic");
        let mount = Mount::tmpfs(&project.path("target"), "size=96m");
        let mut session = project.live(&[]);
        project.edit(LOGIC, "ANSWER: u32 = 42", "ANSWER: u32 = 43");
        session.goes_live("logic");
        session.prints("answer 43");
        mount.fill();
        project.edit(LOGIC, "ANSWER: u32 = 43", "ANSWER: u32 = 44");
        session.event("a report of the full disk", |event| match event {
            Event::BuildFailed { .. } | Event::Notice { .. } => Some(()),
            Event::Live { .. } => panic!("a full disk, and yet live"),
            _ => None,
        });
        mount.make_room();
        project.edit(LOGIC, "ANSWER: u32 = 44", "ANSWER: u32 = 45");
        session.goes_live("logic");
        session.prints("answer 45");
        session.kill_host();
        session.ends();
        drop(mount);
    }
}

#[test]
fn old_images_are_pruned_but_none_that_was_live() {
    let project = Project::new("basic");
    let mut session = project.run(&[]);
    let images = directory(&mut session).join("images");
    session.attached();
    for round in 0..12 {
        project.edit(LOGIC, &format!("ANSWER: u32 = {}", 42 + round), &format!("ANSWER: u32 = {}", 43 + round));
        session.goes_live("logic");
    }
    let files = std::fs::read_dir(images).expect("images").flatten();
    let count = files.filter(|file| file.path().extension().is_some_and(|end| end == "so")).count();
    assert!(count >= 12, "{count} images left of 12 that the program has mapped");
}
