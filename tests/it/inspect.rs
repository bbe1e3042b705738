//! `cargo pitstop inspect`: real images and programs, and files that are neither.

use pitstop_contract::event::Event;
use pitstop_tests::{Project, command};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs the command; an end is awaited for a generous time, since a FIFO could block it for ever.
fn inspect(arguments: &[&str]) -> Output {
    let mut inspect = Command::new("timeout");
    inspect.arg("60").arg(command()).args(["pitstop", "inspect"]).args(arguments);
    inspect.output().expect("an end")
}

/// With `--json`: the code, and all objects.
fn objects(arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
    let output = inspect(&[&["--json"], arguments].concat());
    let lines = String::from_utf8(output.stdout).expect("UTF-8");
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    (output.status.code(), lines.lines().map(parse).collect())
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_program_and_its_images_are_shown_and_compared() {
    let project = Project::new("basic");
    let mut session = pitstop_tests::Session::start(project.pitstop(&["watch", "--json"]));
    let (directory, host) = session.event("session", |event| match event {
        Event::Session { directory, host: Some(host), .. } => Some((PathBuf::from(directory), host.clone())),
        _ => None,
    });
    let mut built = |wanted: u32| {
        session.event("built", |event| match event {
            Event::Built { generation, .. } => (generation.0 == wanted).then_some(()),
            Event::BuildFailed { rendered, .. } => panic!("{rendered}"),
            _ => None,
        });
        let images = std::fs::read_dir(directory.join("images")).expect("images").flatten().map(|image| image.path());
        let is_wanted = |image: &PathBuf| image.display().to_string().ends_with(&format!("-{wanted}.so"));
        images
            .map(|image| image.display().to_string())
            .find(|image| is_wanted(&PathBuf::from(image)))
            .expect("an image")
    };
    let first = built(1);

    let (code, found) = objects(&[&first]);
    assert_eq!((code, found.len()), (Some(0), 1));
    assert_eq!((&found[0]["kind"], &found[0]["image"]), (&"image".into(), &first.clone().into()));
    assert_eq!(found[0]["descriptor"]["crates"][0]["crate"], "logic");
    let slots = found[0]["descriptor"]["slots"].as_array().expect("slots");
    assert!(slots.iter().any(|slot| slot["name"] == "logic::report" && slot["parameters"][0] == "world"), "{slots:?}");
    let types = found[0]["layouts"]["types"].as_array().expect("types");
    let world = types.iter().find(|ty| ty["name"] == "logic::World").expect("World");
    let fields = world["kind"]["struct"]["fields"].as_array().expect("fields");
    assert_eq!((world["size"].as_u64(), fields.len()), (Some(16), 2));

    let output = inspect(&[&host]);
    assert_eq!(output.status.code(), Some(0));
    let words = text(&output);
    for line in [
        "game: a program that Pitstop built live",
        "    pub fn logic::report(world: &mut World) -> String",
        "    fn logic::World::helper(self: &World) -> u64",
        "    struct logic::World: size 16, alignment 8",
        "        score: u32 at 8",
    ] {
        assert!(words.lines().any(|found| found == line), "no `{line}` in\n{words}");
    }

    let output = inspect(&[&host, &first]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("\nwould be loaded: "), "{}", text(&output));

    let logic = project.replaced("logic/src/lib.rs", "pub score: u32", "pub score: u64");
    project.write("logic/src/lib.rs", &logic.replace("= score();", "= u64::from(score());"));
    let second = built(2);
    let (code, found) = objects(&[&host, &second]);
    assert_eq!((code, found.len()), (Some(1), 3));
    assert_eq!(found[2]["verdict"], "refused");
    let reasons = found[2]["reasons"].as_array().expect("reasons");
    let reason = reasons.iter().find(|reason| reason["subject"] == "World.score").expect("a reason");
    assert_eq!((&reason["expected"], &reason["found"]), (&"u32 at 8".into(), &"u64 at 8".into()));
    assert!(reasons.iter().all(|reason| !reason["advice"].as_str().unwrap_or_default().is_empty()), "{reasons:?}");
    let words = text(&inspect(&[&host, &second]));
    assert!(words.contains("score: u32 at 8 → u64 at 8") && words.contains("\nwould be refused: "), "{words}");
}

/// Writes a file as soon as anything of it runs: an image by its constructor, a program too.
const EAGER: &str = r#"
    extern "C" fn run() {
        let marker = env!("MARKER");
        let _ = std::fs::write(marker, "ran");
    }
    #[used] #[unsafe(link_section = ".init_array")] static RUN: extern "C" fn() = run;
    #[unsafe(no_mangle)] pub extern "C" fn tick(n: u64) -> u64 { n }
    fn main() {}
"#;

fn rustc(folder: &Path, output: &str, arguments: &[&str]) -> String {
    std::fs::write(folder.join("eager.rs"), EAGER).expect("a source");
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition=2024", "-Awarnings", "-g", "eager.rs", "-o", output]).args(arguments);
    let status = rustc.current_dir(folder).env("MARKER", folder.join("marker")).status();
    assert!(status.is_ok_and(|status| status.success()));
    folder.join(output).display().to_string()
}

#[test]
fn nothing_of_a_file_ever_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let marker = folder.path().join("marker");
    let program = rustc(folder.path(), "eager", &[]);
    let library = rustc(folder.path(), "libeager.so", &["--crate-type=cdylib"]);
    assert!(Command::new(&program).status().is_ok_and(|status| status.success()));
    assert!(marker.exists(), "the constructor does write when it runs");
    std::fs::remove_file(&marker).expect("removed");

    let words = text(&inspect(&[&library]));
    assert!(words.contains("tick: fn(u64) -> u64"), "{words}");
    assert_eq!(inspect(&[&program]).status.code(), Some(0));
    assert_eq!(inspect(&[&library, &program]).status.code(), Some(1));
    let script = folder.path().join("script");
    std::fs::write(&script, format!("#!/bin/sh\necho ran > {}\n", marker.display())).expect("a script");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, executable).expect("executable");
    let output = inspect(&[&script.display().to_string()]);
    assert_eq!(output.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&output.stderr).contains("script is a script;"), "{output:?}");
    assert!(!marker.exists(), "something ran");
}

#[test]
fn what_cannot_be_read_is_an_error_and_never_blocks() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let made = Command::new("mkfifo").arg(path("fifo")).status();
    assert!(made.is_ok_and(|status| status.success()));
    std::os::unix::fs::symlink(path("loop"), path("loop")).expect("a link");
    std::fs::write(path("empty"), "").expect("a file");
    for (name, said) in [
        ("fifo", "is no plain file"),
        ("", "is a folder"),
        ("loop", "is not readable"),
        ("missing", "is not readable: No such file"),
        ("empty", "is an empty file"),
    ] {
        for arguments in [vec![path(name)], vec![command().display().to_string(), path(name)]] {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let output = inspect(&arguments);
            let error = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(5), "{name}: {error}");
            assert!(error.contains(said) && error.contains("name a library or an executable"), "{name}: {error}");
        }
    }
    assert_eq!(inspect(&[]).status.code(), Some(2));
    assert_eq!(inspect(&["a", "b", "c"]).status.code(), Some(2));
}

#[test]
fn the_types_of_any_rust_program_can_be_looked_at() {
    let output = inspect(&[&command().display().to_string(), "--type", "descriptor::SlotFact"]);
    assert_eq!(output.status.code(), Some(0));
    let words = text(&output);
    assert!(words.contains("struct pitstop_contract::descriptor::SlotFact: size "), "{words}");
    assert!(words.contains("no descriptor: it was not built by `cargo pitstop`"), "{words}");
}
