//! What a person at the terminal is asked after a crash.

use pitstop_tests::{Project, TIMEOUT};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

const LOGIC: &str = "logic/src/lib.rs";

/// A command at a terminal of its own.
struct Terminal {
    child: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    /// What was shown since it was last looked for.
    shown: String,
}

impl Terminal {
    fn start(project: &Project, arguments: &[&str]) -> Self {
        let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&near).and_then(|()| unlockpt(&near)).expect("a terminal");
        let name = ptsname(&near, Vec::new()).expect("its name").into_string().expect("its name");
        let far = File::options().read(true).write(true).open(name).expect("its other end");
        let again = || far.try_clone().expect("another handle");
        let mut command = project.pitstop(arguments);
        command.stdin(again()).stdout(again()).stderr(again()).env("NO_COLOR", "1");
        let child = command.spawn().expect("cargo pitstop starts");
        let keyboard = File::from(near);
        let mut near = keyboard.try_clone().expect("another handle");
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = near.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { child, keyboard, screen, shown: String::new() }
    }

    fn shows(&mut self, text: &str) {
        let deadline = Instant::now() + TIMEOUT;
        while !self.shown.contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            let bytes = self.screen.recv_timeout(left);
            let bytes = bytes.unwrap_or_else(|_| panic!("never showed `{text}`, but:\n{}", self.shown));
            self.shown.push_str(&String::from_utf8_lossy(&bytes));
        }
        let at = self.shown.find(text).map_or(0, |at| at + text.len());
        self.shown.drain(..at);
    }

    fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).expect("a keyboard");
    }

    fn ends(mut self) -> ExitStatus {
        self.child.wait().expect("a status")
    }
}

#[test]
fn a_person_decides_whether_a_program_that_crashed_is_started_again() {
    let project = Project::new("basic");
    let crash = || project.edit(LOGIC, "    world.frames += 1;", "    std::process::abort();");
    let mut terminal = Terminal::start(&project, &["run"]);
    terminal.shows("answer 42");
    project.edit(LOGIC, "ANSWER: u32 = 42", "ANSWER: u32 = 43");
    terminal.shows("answer 43");
    crash();
    terminal.shows("SIGABRT");
    terminal.shows("Restart on #1, without state? An edit does it too [Y/n]");
    terminal.types("\n");
    terminal.shows("answer 43");
    // It is the edit that mends it which starts it the next time.
    project.edit(LOGIC, "ANSWER: u32 = 43", "ANSWER: u32 = 44");
    terminal.shows("Restart on #1");
    project.edit(LOGIC, "    std::process::abort();", "    world.frames += 1;");
    terminal.shows("answer 44");
    crash();
    terminal.shows("Restart on #4");
    terminal.types("n\n");
    assert_eq!(terminal.ends().code(), Some(134));
}
