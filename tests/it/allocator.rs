//! One allocator for program and images: memory that crosses is never freed by another one.

use object::{Object, ObjectSymbol};
use pitstop_contract::Rule;
use pitstop_contract::event::Event;
use pitstop_tests::{Project, Session};
use std::path::PathBuf;

const LOGIC: &str = "logic/src/lib.rs";
const MAIN: &str = "game/src/main.rs";

/// Replaces the logic again and again, each time with memory that the generations before left behind.
fn reloads(project: &Project, session: &mut Session, counted: &str, reloads: u32) {
    let turn = session.prints("host: turn 1 ");
    assert!(turn.ends_with(counted), "{turn}");
    for next in 2..=reloads + 1 {
        let (from, to) = (format!("GENERATION: u32 = {}", next - 1), format!("GENERATION: u32 = {next}"));
        session.goes_live_after(|| project.edit(LOGIC, &from, &to), "logic");
        let turn = session.prints(&format!("host: turn {next} "));
        assert!(turn.ends_with(counted), "{turn}");
    }
}

fn linkage(session: &mut Session) -> (String, String, PathBuf) {
    session.event("session", |event| match event {
        Event::Session { linkage, linkage_reason, directory, .. } => {
            Some((linkage.clone(), linkage_reason.clone(), PathBuf::from(directory)))
        }
        _ => None,
    })
}

/// Whether the session's images define the allocator's entry, or take it from `std`.
fn define_allocator(directory: &std::path::Path) -> Vec<bool> {
    let images = std::fs::read_dir(directory.join("images")).expect("images").flatten();
    let images = images.map(|image| image.path()).filter(|path| path.extension().is_some_and(|end| end == "so"));
    let images = images.map(|path| std::fs::read(path).expect("an image"));
    let defines = |bytes: Vec<u8>| {
        let file = object::File::parse(&*bytes).expect("an image");
        let mut symbols = file.symbols().chain(file.dynamic_symbols());
        let mut found =
            symbols.by_ref().filter(|symbol| symbol.name().is_ok_and(|name| name.ends_with("12___rust_alloc")));
        found.any(|symbol| symbol.is_definition())
    };
    images.map(defines).collect()
}

#[test]
fn images_allocate_with_the_programs_mimalloc_and_nothing_is_freed_by_another() {
    let project = Project::new("allocator");
    let mut session = project.run(&["--linkage", "auto"]);
    let (linkage, reason, _) = linkage(&mut session);
    assert_eq!(linkage, "self-contained");
    assert!(reason.contains("game/src/main.rs sets a global allocator"), "{reason}");
    reloads(&project, &mut session, "counted", 20);
}

#[test]
fn images_share_the_default_allocator_in_either_linkage() {
    for (asked, define) in [("shared", false), ("self-contained", true)] {
        let project = Project::new("allocator");
        project.edit(MAIN, "#[global_allocator]\n", "");
        let mut session = project.run(&["--linkage", asked]);
        let (linkage, _, directory) = linkage(&mut session);
        assert_eq!(linkage, asked);
        reloads(&project, &mut session, "not counted", 20);
        let images = define_allocator(&directory);
        assert!(!images.is_empty() && images.iter().all(|defines| *defines == define), "{asked}: {images:?}");
    }
}

#[test]
fn a_constructor_may_allocate_for_itself_but_not_hold_what_it_took() {
    let project = Project::new("allocator");
    let mut session = project.live(&["--linkage", "auto"]);
    session.prints("host: turn 1 ");
    let constructor = "\nstatic NAMES: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());\n\n\
                       extern \"C\" fn constructor() {\n    let names = vec![\"early\".to_owned(); 3];\n    \
                       *NAMES.lock().unwrap() = names;\n}\n\n\
                       #[used]\n#[unsafe(link_section = \".init_array\")]\n\
                       static CONSTRUCTOR: extern \"C\" fn() = constructor;\n";
    let plain = project.read(LOGIC);
    project.write(LOGIC, &format!("{plain}{constructor}"));
    let reasons = session.rejected();
    assert_eq!(reasons[0].rule, Rule::Allocator, "{reasons:?}");
    assert!(reasons[0].advice.contains("LazyLock"), "{reasons:?}");
    // What it takes and frees is between it and the system's allocator.
    let freed = format!("{plain}{constructor}").replace("    *NAMES.lock().unwrap() = names;\n", "    drop(names);\n");
    project.write(LOGIC, &freed.replace("GENERATION: u32 = 1", "GENERATION: u32 = 2"));
    session.goes_live("logic");
    session.prints("host: turn 2 ");
}

#[test]
fn an_allocator_that_images_would_bring_along_is_refused_at_the_start() {
    let set = "\n#[global_allocator]\nstatic ALLOCATOR: std::alloc::System = std::alloc::System;\n";
    let refused = |project: &Project| {
        let output = project.pitstop(&["run"]).output().expect("an end");
        assert_eq!(output.status.code(), Some(3));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let project = Project::new("basic");
    let util = project.read("util/src/lib.rs");
    project.write("util/src/lib.rs", &format!("{util}{set}"));
    let words = refused(&project);
    assert!(words.contains("`util` has the `#[global_allocator]`, and is linked into images too"), "{words}");
    assert!(words.contains("move the `#[global_allocator]` into the program's own crate, `game`"), "{words}");
    // A condition that does not hold leaves nothing of it.
    project.write("util/src/lib.rs", &format!("{util}\n#[cfg(any())]{set}"));
    let mut session = project.live(&[]);
    session.goes_live_after(|| project.edit(LOGIC, "ANSWER: u32 = 42", "ANSWER: u32 = 43"), "logic");
    drop(session);
    project.write("util/src/lib.rs", &util);
    project.write(LOGIC, &format!("{}{set}", project.read(LOGIC)));
    let words = refused(&project);
    assert!(words.contains("`logic` has the `#[global_allocator]`, and is reloadable"), "{words}");
}

#[test]
fn an_edit_that_brings_an_allocator_into_an_image_is_refused_where_std_is_shared() {
    let project = Project::new("basic");
    let mut session = project.live(&["--linkage", "shared"]);
    let set = "\n#[global_allocator]\nstatic ALLOCATOR: std::alloc::System = std::alloc::System;\n";
    let plain = project.read(LOGIC);
    project.write(LOGIC, &format!("{plain}{set}"));
    let reasons = session.rejected();
    assert_eq!(reasons[0].rule, Rule::Allocator, "{reasons:?}");
    assert!(reasons[0].advice.contains("program's own crate"), "{reasons:?}");
    project.write(LOGIC, &plain.replace("ANSWER: u32 = 42", "ANSWER: u32 = 43"));
    session.goes_live("logic");
}

#[test]
fn a_library_without_the_attribute_is_said_to_have_another_allocator_than_the_program() {
    let project = Project::new("classic");
    let main = project.read(MAIN);
    let set = "#[global_allocator]\nstatic ALLOCATOR: std::alloc::System = std::alloc::System;\n";
    project.write(MAIN, &format!("{main}\n{set}"));
    let mut session = project.run(&["--linkage", "auto", "--", "logic", "tick"]);
    let message = session.event("a notice", |event| match event {
        Event::Notice { message } if message.contains("allocator") => Some(message.clone()),
        _ => None,
    });
    assert!(message.contains("library `logic`") && message.contains("std::alloc::System of "), "{message}");
    session.prints("host: tick ");
}

#[test]
fn an_allocator_that_somebody_elses_crate_sets_for_the_program_serves_the_images_too() {
    let project = Project::new("allocator");
    let set = |file: &str, from: &str, to: &str| project.edit(file, from, to);
    set("Cargo.toml", "[workspace]\n", "[workspace]\nexclude = [\"others\"]\n");
    let mark =
        "[package]\nname = \"mark\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\nmimalloc = \"0.1\"\n";
    project.write("others/mark/Cargo.toml", mark);
    let main = project.read(MAIN);
    let (head, tail) = main.split_once("fn main() {").expect("a main function");
    let head = head.replace("use logic::{Item, World};\n", "").replace("use std::time::Duration;\n", "");
    let head = head.replace("static TAKEN", "pub static TAKEN");
    project.write("others/mark/src/lib.rs", &head);
    let uses =
        "use logic::{Item, World};\nuse mark::TAKEN;\nuse std::sync::atomic::Ordering;\nuse std::time::Duration;\n";
    project.write(MAIN, &format!("{uses}\nfn main() {{{tail}"));
    set("game/Cargo.toml", "mimalloc = \"0.1\"", "mark = { path = \"../others/mark\" }");
    let mut session = project.run(&["--linkage", "auto"]);
    let (linkage, reason, _) = linkage(&mut session);
    assert_eq!((&*linkage, &*reason), ("self-contained", "`mark` sets a global allocator"));
    reloads(&project, &mut session, "counted", 3);
}
