//! What is told of a program that a signal has ended.

use pitstop_contract::event::Event;
use pitstop_tests::{Project, Session};
use std::process::ExitStatus;

const LOGIC: &str = "logic/src/lib.rs";
const MAIN: &str = "game/src/main.rs";

/// Nothing is mapped there. A null pointer would not do: debug assertions find it, and abort.
const BAD_WRITE: &str = "unsafe { std::ptr::without_provenance_mut::<u32>(8).write_volatile(1) };";

struct Crash {
    name: String,
    address: Option<String>,
    thread: String,
    crate_name: String,
    generation: u32,
    function: String,
    backtrace: Vec<String>,
    status: ExitStatus,
}

impl Crash {
    /// Waits for the program's end.
    fn of(session: &mut Session) -> Self {
        let event = session.event("crashed", |event| matches!(event, Event::Crashed { .. }).then(|| event.clone()));
        let Event::Crashed { signal, name, address, thread, crate_name, generation, function, backtrace } = event
        else {
            unreachable!("was looked for");
        };
        let ended = session.event("exited", |event| match event {
            Event::Exited { code, signal } => Some((*code, *signal)),
            _ => None,
        });
        assert_eq!(ended, (None, Some(signal)));
        Self {
            name,
            address,
            thread: thread.expect("a thread"),
            crate_name,
            generation: generation.expect("a generation").0,
            function: function.expect("a function"),
            backtrace,
            status: session.ends(),
        }
    }

    fn whose(&self) -> (&str, &str, u32, &str) {
        (&self.name, &self.crate_name, self.generation, &self.function)
    }
}

/// A frame as the backtrace has it, of the one line of a file that contains `text`.
fn frame(project: &Project, function: &str, file: &str, text: &str) -> String {
    let source = project.read(file);
    let lines: Vec<usize> =
        (1..).zip(source.lines()).filter(|(_, line)| line.contains(text)).map(|(at, _)| at).collect();
    assert_eq!(lines.len(), 1, "{file} has `{text}` at {lines:?}");
    format!("{function} at {file}:{}", lines[0])
}

#[test]
fn a_bad_write_in_new_code_is_told_with_its_generation_and_place() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    project.edit(LOGIC, "ANSWER: u32 = 42", "ANSWER: u32 = 43");
    session.goes_live("logic");
    let describe = "pub fn describe(&self) -> String {\n";
    project.edit(LOGIC, describe, &format!("{describe}        {BAD_WRITE}\n"));
    let crash = Crash::of(&mut session);
    assert_eq!(crash.whose(), ("SIGSEGV", "logic", 2, "logic::World::describe"));
    assert_eq!((crash.address.as_deref(), crash.thread.as_str()), (Some("0x8"), "main"));
    assert_eq!(crash.status.code(), Some(128 + 11));
    let (library, own) = crash.backtrace.split_at(crash.backtrace.len() - 3);
    let expected = [
        frame(&project, "logic::World::describe", LOGIC, BAD_WRITE),
        frame(&project, "logic::report", LOGIC, "world.describe()"),
        frame(&project, "game::main", MAIN, "logic::report"),
    ];
    assert_eq!(own, expected, "neither the border nor the runtime is told of");
    assert!(library.iter().all(|frame| frame.starts_with("core::ptr::")), "{library:?}");
}

#[test]
fn an_abort_is_told_where_the_user_called_for_it() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    project.edit("logic/src/rules.rs", "    number * 2\n", "    std::process::abort()\n");
    let crash = Crash::of(&mut session);
    assert_eq!(crash.whose(), ("SIGABRT", "logic", 1, "logic::rules::double"));
    assert_eq!(crash.status.code(), Some(128 + 6));
    assert_eq!(crash.backtrace[0], "logic::rules::double at logic/src/rules.rs:2");
    assert_eq!(crash.address, None);
}

#[test]
fn a_stack_overflow_is_told_beside_stds_own_message() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    project.edit(
        LOGIC,
        "fn score() -> u32 {\n    1\n}",
        "fn score() -> u32 {\n    std::hint::black_box(score()) + 1\n}",
    );
    let crash = Crash::of(&mut session);
    assert!(session.has_seen("thread 'main'") && session.has_seen("has overflowed its stack"));
    assert_eq!(crash.whose(), ("SIGABRT", "logic", 1, "logic::score"));
    assert_eq!(crash.status.code(), Some(128 + 6));
    let recursion = frame(&project, "logic::score", LOGIC, "black_box");
    assert_eq!(crash.backtrace.len(), 40);
    assert!(crash.backtrace.iter().all(|frame| *frame == recursion), "{:?}", crash.backtrace);
}

#[test]
fn a_crash_of_a_thread_of_an_images_own_is_told() {
    let project = Project::new("basic");
    let mut session = project.live(&["--linkage", "self-contained"]);
    let spawn = format!(
        "fn score() -> u32 {{\n    let worker = std::thread::Builder::new().name(\"worker\".to_owned());\n    \
         let worker = worker.spawn(|| {{\n        {BAD_WRITE}\n        1\n    }});\n    worker.unwrap().join().unwrap()\n}}"
    );
    project.edit(LOGIC, "fn score() -> u32 {\n    1\n}", &spawn);
    let crash = Crash::of(&mut session);
    assert_eq!(crash.whose(), ("SIGSEGV", "logic", 1, "logic::score::{{closure}}"));
    assert_eq!(crash.thread, "worker");
    let last = crash.backtrace.last().expect("frames");
    assert_eq!(*last, frame(&project, "logic::score::{{closure}}", LOGIC, BAD_WRITE));
}

#[test]
fn a_crash_of_the_programs_own_code_is_of_generation_0() {
    let project = Project::new("basic");
    project.edit(
        MAIN,
        "        if logic::is_over",
        "        if world.frames == 3 {\n            fall();\n        }\n        if logic::is_over",
    );
    let text = project.read(MAIN);
    project.write(MAIN, &format!("{text}\nfn fall() {{\n    {BAD_WRITE}\n}}\n"));
    let mut session = project.run(&[]);
    let crash = Crash::of(&mut session);
    assert_eq!(crash.whose(), ("SIGSEGV", "game", 0, "game::fall"));
    let expected = [frame(&project, "game::fall", MAIN, BAD_WRITE), frame(&project, "game::main", MAIN, " fall();")];
    assert!(crash.backtrace.ends_with(&expected), "{:?}", crash.backtrace);
}

#[test]
fn a_program_that_was_killed_has_not_crashed() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    session.kill_host();
    let ended = session.event("exited", |event| match event {
        Event::Crashed { .. } => panic!("{event:?}"),
        Event::Exited { code, signal } => Some((*code, *signal)),
        _ => None,
    });
    assert_eq!(ended, (None, Some(9)));
    assert_eq!(session.ends().code(), Some(128 + 9));
}

#[test]
fn a_crash_in_c_is_told_by_the_librarys_name_and_the_function() {
    let project = Project::new("classic");
    let cc = || {
        let mut cc = std::process::Command::new("cc");
        cc.args(["-g", "-shared", "-fPIC", "native/phys.c", "-o", "native/libphys.so"]);
        assert!(cc.current_dir(project.directory()).status().is_ok_and(|status| status.success()));
    };
    cc();
    let mut session = project.live(&["--", "native/libphys.so", "tick"]);
    session.prints("tick 21");
    project.edit("native/phys.c", "return n + STEP;", "return *(volatile uint64_t *)(n + STEP);");
    cc();
    let crash = Crash::of(&mut session);
    assert_eq!(crash.whose(), ("SIGSEGV", "libphys", 2, "tick"));
    assert_eq!(crash.address.as_deref(), Some("0x15"));
    assert_eq!(crash.backtrace[0], "tick at native/phys.c:6");
    let main = crash.backtrace.last().expect("frames");
    assert!(main.starts_with("game::main at game/src/main.rs:"), "{main}");
}
