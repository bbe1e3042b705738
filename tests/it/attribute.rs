//! `#[reloadable]`: every shape it takes, and that a plain build has no trace of it.

use object::{Object, ObjectSection, ObjectSymbol};
use pitstop_tests::Project;
use std::process::Command;

const OLD: &str = "Ok(\"old x true\") | default | old tool 4 | old consumed | 3 | long | 3 | h | old view of hello | old 3 | \
                   4142 | 5 | 7 | 15 | old 42 0 | Some(2) | 1 | old 6 | old logic::deep::deeper";
const NEW: &str = "Ok(\"new x true\") | default | new tool 4 | new consumed | 103 | s | 77 | he | new view of hello | new 3 | \
                   | 6 | 9 | 18 | new 42 0 | Some(9) | 51 | new 6 | new logic::deep::deeper";

#[test]
fn every_shape_is_replaced_and_futures_end_with_the_code_they_began_with() {
    for linkage in ["shared", "self-contained"] {
        let project = Project::new("shapes");
        let mut session = project.live(&["--linkage", linkage]);
        session.prints(OLD);
        project.edit("logic/src/lib.rs", "MARK: &str = \"old\"", "MARK: &str = \"new\"");
        session.goes_live("logic");
        session.prints(&NEW.replace("new 3 | | 6", "new 3 |  | 6"));
        session.prints("begun old 2 and old 4");
    }
}

#[test]
fn a_plain_build_compiles_every_shape_without_a_warning_and_without_a_trace() {
    let project = Project::new("shapes");
    let output = Command::new("cargo")
        .args(["build", "--release"])
        .current_dir(project.directory())
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .expect("cargo");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !words.contains("warning"), "{words}");
    // The reloadable crate's own object code: no record, no table entry, no trampoline, no symbol of Pitstop's.
    let deps = project.path("target/release/deps");
    let files = std::fs::read_dir(deps).expect("deps").flatten().map(|entry| entry.path());
    let rlib = files
        .into_iter()
        .find(|path| path.to_string_lossy().contains("/liblogic-") && path.extension().is_some_and(|e| e == "rlib"));
    let bytes = std::fs::read(rlib.expect("the library")).expect("the library");
    let mut objects = 0;
    for (name, data) in archive(&bytes) {
        if !name.ends_with(".o") {
            continue;
        }
        objects += 1;
        let file = object::File::parse(&*data).expect("an object file");
        for symbol in file.symbols() {
            let symbol = symbol.name().unwrap_or("");
            assert!(!symbol.to_lowercase().contains("pitstop"), "{name} has {symbol}");
        }
        for section in file.sections() {
            let section = section.name().unwrap_or("");
            assert!(!section.contains("pitstop") && !section.contains("linkme"), "{name} has {section}");
        }
    }
    assert!(objects > 0, "the archive was not read");
    let program = std::fs::read(project.path("target/release/game")).expect("the program");
    let file = object::File::parse(&*program).expect("an ELF file");
    assert!(file.section_by_name(".pitstop").is_none(), "a plain program has no descriptor");
    let linked = file.section_by_name("linkme_ENTRIES").map_or(0, |section| section.size());
    assert_eq!(linked, 0, "a plain program's table is empty");
}

/// The members of a Unix archive: name and bytes.
fn archive(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut members = Vec::new();
    let mut names = Vec::new();
    let mut at = 8;
    while at + 60 <= bytes.len() {
        let header = &bytes[at..at + 60];
        let text = |from: usize, to: usize| String::from_utf8_lossy(&header[from..to]).trim().to_owned();
        let size: usize = text(48, 58).parse().expect("a size");
        let data = bytes[at + 60..at + 60 + size].to_vec();
        let name = text(0, 16);
        if name == "//" {
            names = data;
        } else {
            let long = name.strip_prefix('/').and_then(|offset| offset.parse::<usize>().ok());
            let name = long.map_or(name.clone(), |offset| {
                let rest = &names[offset..];
                let end = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
                String::from_utf8_lossy(&rest[..end]).trim_end_matches('/').to_owned()
            });
            members.push((name.trim_end_matches('/').to_owned(), data));
        }
        at += 60 + size + size % 2;
    }
    members
}
