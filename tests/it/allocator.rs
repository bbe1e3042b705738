//! One allocator for program and images: memory that crosses is never freed by another one.

use object::{Object, ObjectSymbol};
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
    let images = images.map(|image| std::fs::read(image.path()).expect("an image"));
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
