//! The greeter in C, in Rust and in text: each built and reloaded in a session, broken and mended.

use pitstop_contract::event::Event;
use pitstop_tests::{Project, Session, built, repository};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const C: &str = "plugins/c/greeter.c";
const RUST: &str = "plugins/rust/src/lib.rs";
const TEXT: &str = "plugins/text/greeter.wat";
/// The plugins' names, and what they are written in, in the order in which the program greets.
const ALL: [(&str, &str); 3] = [("c", "C"), ("text", "text"), ("wasm", "WebAssembly")];

/// A session, and the program in it, which is built outside of it: so wasmtime is compiled once for all tests.
struct Started {
    project: Project,
    watcher: Session,
    program: Session,
}

impl Started {
    fn new() -> Self {
        let project = Project::new("guests");
        copy(&repository().join("examples/greeter/plugins/wasm"), &project.path("plugins/rust"));
        let interface = repository().join("host/wit").display().to_string();
        project.edit(RUST, "../../../../host/wit", &interface);
        let mut watcher = Session::start(project.pitstop(&["watch", "--json"]));
        let directory = watcher.event("session", |event| match event {
            Event::Session { directory, .. } => Some(PathBuf::from(directory)),
            _ => None,
        });
        let mut command = Command::new(built("greeter"));
        command.arg("--plugins").arg(project.path("pitstop.toml")).env("PITSTOP_SESSION", directory);
        command.env("XDG_CACHE_HOME", project.path("cache"));
        let program = Session::start(command);
        assert_eq!(watcher.attached(), program.pid());
        let mut started = Self { project, watcher, program };
        started.all_live();
        started
    }

    /// Waits until each plugin is live.
    fn all_live(&mut self) {
        let mut waited: BTreeSet<String> = ALL.iter().map(|(name, _)| format!("plugin:{name}")).collect();
        while !waited.is_empty() {
            let name = self.watcher.event("plugins live", |event| match event {
                Event::Live { crate_name, .. } => Some(crate_name.clone()),
                Event::BuildFailed { rendered, .. } => panic!("the build failed: {rendered}"),
                Event::Rejected { reasons, .. } => panic!("refused: {reasons:?}"),
                _ => None,
            });
            waited.remove(&name);
        }
    }

    fn ends(mut self) {
        self.program.kill_command();
        self.watcher.interrupt();
        self.watcher.ends();
    }
}

/// All but what is built there.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder for the copy");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            if entry.file_name() != "target" {
                copy(&source, &target);
            }
        } else {
            std::fs::copy(&source, &target).expect("a copied file");
        }
    }
}

#[test]
fn guests_in_c_in_rust_and_in_text_are_built_and_an_edit_of_each_is_live() {
    let mut started = Started::new();
    for (_, language) in ALL {
        started.program.prints(&format!("Hello, pit crew, from {language}"));
    }
    for ((plugin, language), file) in ALL.into_iter().zip([C, TEXT, RUST]) {
        started.project.edit(file, "Hello", "Howdy");
        started.watcher.goes_live(&format!("plugin:{plugin}"));
        started.program.prints(&format!("Howdy, pit crew, from {language}"));
    }
    let last: Vec<&str> = started.program.printed().filter(|line| line.contains("pit crew")).collect();
    assert!(last[last.len() - ALL.len()..].iter().all(|line| line.contains("Howdy, ")), "{last:?}");
    started.ends();
}

#[test]
fn a_guest_that_does_not_compile_or_does_not_fit_leaves_the_old_version_until_it_is_mended() {
    let mut started = Started::new();
    for (plugin, language, file, good, bad, says) in [
        ("c", "C", C, "return answer(greeting, total);", "return reply(greeting, total);", "reply"),
        ("wasm", "WebAssembly", RUST, "name: \"greeter\"", "title: \"greeter\"", "title"),
        ("text", "text", TEXT, "(call $answer (local", "(call $reply (local", "$reply"),
    ] {
        started.project.edit(file, good, bad);
        let rendered = started.watcher.build_failed();
        assert!(rendered.contains(says), "{plugin}: {rendered}");
        started.project.write(file, &started.project.replaced(file, bad, good).replace("Hello", "Howdy"));
        started.watcher.goes_live(&format!("plugin:{plugin}"));
        started.program.prints(&format!("Howdy, pit crew, from {language}"));
    }
    // It compiles, and is not what the program calls.
    started.project.edit(TEXT, "(export \"pitstop_process\")", "(export \"process\")");
    let reasons = started.watcher.rejected();
    let told = reasons.iter().map(ToString::to_string).collect::<String>();
    assert!(told.contains("pitstop_process"), "{reasons:?}");
    let mended = started.project.replaced(TEXT, "(export \"process\")", "(export \"pitstop_process\")");
    started.project.write(TEXT, &mended.replace("Howdy", "Hello"));
    started.watcher.goes_live("plugin:text");
    started.program.prints("Hello, pit crew, from text");
    started.ends();
}
