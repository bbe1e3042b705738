//! Small libraries, built by rustc and looked at.

use super::file::{Inspected, Kind};
use super::verdict::{Verdict, Word, judge};
use super::{Shown, text};
use pitstop_contract::Rule;
use pitstop_contract::descriptor::{Facts, SlotFact, TypeFact, fact};
use std::path::Path;
use std::process::Command;

const TYPES: &str = r#"
    #![no_std]
    #[panic_handler] fn panic(_: &core::panic::PanicInfo<'_>) -> ! { loop {} }
    #[repr(C)] pub struct Ball { pub id: u32, pub radius: f32 }
    pub enum Shape { Point, Circle(f32), Box { w: u64, h: u64 } }
    #[repr(u8)] pub enum Mode { Off = 1, On = 7 }
    #[repr(C)] pub union Bits { int: u32, float: f32 }
    #[repr(C)] pub struct World { pub balls: &'static [Ball], pub shape: Shape, pub mode: Mode, pub bits: Bits, pub next: Option<&'static Ball> }
    pub static COUNT: core::sync::atomic::AtomicU32 = core::sync::atomic::AtomicU32::new(0);
    #[unsafe(no_mangle)] pub fn touch(count: u32) -> u32 { COUNT.fetch_add(count, core::sync::atomic::Ordering::Relaxed) }
"#;

/// As `#[reloadable]` writes records, so that debug info tells of their types.
const RECORD: &str = r#"
    #[repr(transparent)]
    pub struct Record<F, const N: usize> { bytes: [u8; N], function: core::marker::PhantomData<F> }
    #[unsafe(no_mangle)] pub extern "C" fn __pitstop_entry() {}
"#;

/// Compiles a source and gives the file's bytes.
fn built(source: &str, arguments: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("logic.rs"), source).expect("a source");
    let mut rustc = Command::new("rustc");
    rustc.current_dir(&folder).args(["--edition=2024", "-Awarnings", "-o", "logic.so", "logic.rs"]).args(arguments);
    let output = rustc.output().expect("rustc");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(folder.path().join("logic.so")).expect("a file")
}

const LIBRARY: [&str; 3] = ["--crate-type=cdylib", "-Cpanic=abort", "-g"];

/// An image with one function over `World`, from changed types.
fn image(from: &str, to: &str, arguments: &[&str]) -> Vec<u8> {
    assert!(TYPES.contains(from), "{from}");
    let lines = "source=logic.rs\nversion=0.1.0\nrustc=1.95.0 (sample)\ntarget=x86_64-unknown-linux-gnu\npanic=abort\n\
                 allocator=shared\ndependency.glam=0.29.1 aa std\n";
    let mut facts = Facts::from_lines("logic", lines);
    // The compiler's own note must agree.
    let version = Command::new("rustc").arg("--version").output().expect("rustc").stdout;
    let version = String::from_utf8(version).expect("text").trim().replacen("rustc ", "", 1);
    facts.values.insert(fact::RUSTC.to_owned(), version);
    let slot = |name: &str, signature: &str, public| {
        let slot = SlotFact {
            name: name.to_owned(),
            signature: signature.to_owned(),
            public,
            parameters: vec!["world".to_owned(), "dt".to_owned()],
            types: vec![TypeFact { name: "f32".to_owned(), size: 4, align: 4 }],
        };
        slot.encode()
    };
    let records = [
        ("()", facts.encode()),
        ("fn(&mut World, f32) -> Option<bool>", slot("logic::update", "fn(&mut World, f32) -> Option<bool>", true)),
        ("fn(&World, f32)", slot("logic::draw", "fn(&World, f32)", false)),
    ];
    let records = records.iter().enumerate().map(|(index, (ty, bytes))| {
        format!(
            "#[used] #[unsafe(link_section = \".pitstop\")] static __RECORD_{index}: Record<{ty}, {}> = \
             Record {{ bytes: {bytes:?}, function: core::marker::PhantomData }};\n",
            bytes.len()
        )
    });
    let source = format!("{}{RECORD}{}", TYPES.replacen(from, to, 1), records.collect::<String>());
    built(&source, &[&LIBRARY, arguments].concat())
}

fn same() -> Vec<u8> {
    image("pub radius: f32", "pub radius: f32", &[])
}

fn inspected(name: &str, bytes: &[u8]) -> Inspected {
    Inspected::of(Path::new(name), bytes).unwrap_or_else(|found| panic!("{name}: {found}"))
}

fn judged(expected: &[u8], found: &[u8]) -> (Verdict, String) {
    let (before, after) = (inspected("before.so", expected), inspected("after.so", found));
    let verdict = judge((&before, expected), (&after, found));
    let words = normal(&text::verdict(&before, &after, &verdict));
    (verdict, words)
}

/// What a person reads, without what changes from compiler to compiler.
fn normal(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let start = line.len() - line.trim_start().len();
        match (line.ends_with(" bytes"), line.trim_start().strip_prefix("rustc ")) {
            (true, _) => format!("{}ELF for [machine]; [size] bytes", &line[..start]),
            (false, Some(rest)) => {
                let target = rest.split_once(", ").map(|(_, target)| format!(", {target}")).unwrap_or_default();
                format!("{}rustc [version]{target}", &line[..start])
            }
            (false, None) => line.to_owned(),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn an_image_is_shown_with_its_facts_functions_and_types() {
    let bytes = same();
    let image = inspected("target/liblogic-1.so", &bytes);
    assert_eq!(image.kind, Kind::Image);
    insta::assert_snapshot!(normal(&text::image(&image, &Shown::default())), @r#"
    liblogic-1.so: an image of Pitstop's
        ELF for [machine]; [size] bytes
        rustc [version]

    crates
        logic 0.1.0
            rustc [version], x86_64-unknown-linux-gnu
            opt-level none, debug assertions none, overflow checks none, panic abort
            linkage none, std none, allocator shared
            features none; 1 dependency

    reloadable functions
        fn logic::draw(world: &World, dt: f32)
        pub fn logic::update(world: &mut World, dt: f32) -> Option<bool>

    types that cross the border
        struct logic::World: size 56, alignment 8
            balls: &[logic::Ball] at 0
            shape: logic::Shape at 16
            mode: logic::Mode at 40
            bits: logic::Bits at 44
            next: Option<&logic::Ball> at 48
        enum logic::Shape: size 24, alignment 8, tag u32 at 0
            Point = 0
            Circle = 1
                0: f32 at 4
            Box = 2
                w: u64 at 8
                h: u64 at 16
        enum logic::Mode: size 1, alignment 1, held in u8
            Off = 1
            On = 7
        union logic::Bits: size 4, alignment 4
            int: u32 at 0
            float: f32 at 0
        struct logic::Ball: size 8, alignment 4
            id: u32 at 0
            radius: f32 at 4

    variables that begin anew with this image
        static logic::COUNT
    "#);
    let some = Shown { types: Some("Ball".to_owned()), ..Shown::default() };
    let words = text::image(&image, &some);
    assert!(words.contains("struct logic::Ball: size 8") && !words.contains("struct logic::World"), "{words}");
    let none = Shown { types: Some("Nothing".to_owned()), ..Shown::default() };
    assert!(text::image(&image, &none).contains("has `Nothing` in its name"));
    let all = Shown { all_types: true, facts: true, ..Shown::default() };
    let words = text::image(&image, &all);
    assert!(words.contains("Option<&logic::Ball>: size 8"), "{words}");
    assert!(words.contains("dependency.glam = 0.29.1 aa std"), "{words}");
}

#[test]
fn a_changed_type_is_shown_as_a_tree_and_refused_with_what_to_do() {
    let (verdict, words) = judged(&same(), &image("pub radius: f32", "pub radius: f64", &[]));
    assert_eq!(verdict.verdict, Word::Refused);
    assert!(verdict.reasons.iter().all(|reason| reason.rule == Rule::Layout && !reason.advice.is_empty()));
    let paths: Vec<&str> = verdict.differences.iter().map(|difference| difference.path.as_str()).collect();
    assert_eq!(paths, ["World.balls[].radius"]);
    insta::assert_snapshot!(words, @r#"
    expected before.so: an image of Pitstop's
    found    after.so: an image of Pitstop's

    differences in types
        logic::Ball, reached from logic::update(world) as World.balls[]
            radius: f32 at 4 → f64 at 8
            size 8 → 16, alignment 4 → 8

    would be refused: 1 reason
        World.balls[].radius (layout)
            expected f32 at 4
            found    f64 at 8
            size 8 → 16, alignment 4 → 8
            reached from logic::update(world)
            undo the change, or restart the program, so that its code and its values are made anew
    "#);
    let json = serde_json::to_value(&verdict).expect("JSON");
    assert_eq!(json["verdict"], "refused");
    assert_eq!(json["reasons"][0]["subject"], "World.balls[].radius");
    assert_eq!(json["differences"][0]["within"], "World.balls[]");
}

#[test]
fn an_image_that_matches_would_be_loaded() {
    let (verdict, words) = judged(&same(), &same());
    assert_eq!((verdict.verdict, verdict.reasons.len()), (Word::Matches, 0), "{words}");
    assert!(verdict.compared > 5 && words.contains("\nwould be loaded: "), "{words}");
    let starts = "static logic::COUNT starts afresh";
    assert!(verdict.notes.iter().any(|note| note.starts_with(starts)), "{:?}", verdict.notes);
}

#[test]
fn without_debug_info_the_gap_is_stated_and_sizes_are_what_is_known() {
    let bytes = image("pub radius: f32", "pub radius: f32", &["-Cdebuginfo=0", "-Cstrip=debuginfo"]);
    let words = text::image(&inspected("logic.so", &bytes), &Shown::default());
    assert!(words.contains("not shown\n    types: the file has no debug info"), "{words}");
    assert!(words.contains("f32: size 4, alignment 4"), "{words}");
    let (verdict, words) = judged(&same(), &bytes);
    assert_eq!(verdict.verdict, Word::Matches, "{words}");
    assert!(verdict.gaps.iter().any(|gap| gap.contains("the file has no debug info")), "{words}");
}

#[test]
fn an_image_without_an_entry_would_not_be_loaded() {
    let bytes = same();
    let mut closed = bytes.clone();
    let name = b"__pitstop_entry\0";
    let places: Vec<usize> = (0..bytes.len() - name.len()).filter(|&at| bytes[at..].starts_with(name)).collect();
    assert!(!places.is_empty());
    places.iter().for_each(|&at| closed[at] = b'x');
    let (verdict, words) = judged(&bytes, &closed);
    assert_eq!(verdict.reasons.iter().map(|reason| reason.rule).collect::<Vec<_>>(), [Rule::Descriptor], "{words}");
    assert!(text::image(&inspected("logic.so", &closed), &Shown::default()).contains("no entry: it cannot be loaded"));
}

/// A library that Pitstop knows nothing of.
fn plain(from: &str, to: &str) -> Vec<u8> {
    let functions = r#"
        #[unsafe(no_mangle)] pub fn update(world: &mut World, by: f32) -> bool { world.balls[0].radius > by }
        #[unsafe(no_mangle)] pub extern "C" fn tick(n: u64) -> u64 { n + 1 }
    "#;
    let source = format!("{TYPES}{functions}");
    assert!(source.contains(from), "{from}");
    built(&source.replacen(from, to, 1), &LIBRARY)
}

#[test]
fn a_library_that_pitstop_did_not_build_is_shown_as_far_as_its_debug_info_goes() {
    let bytes = plain("n + 1", "n + 2");
    let found = inspected("libplain.so", &bytes);
    assert_eq!(found.kind, Kind::SharedLibrary);
    insta::assert_snapshot!(normal(&text::image(&found, &Shown::default())), @r#"
    libplain.so: a shared library
        ELF for [machine]; [size] bytes
        rustc [version]
        no descriptor: it was not built by `cargo pitstop`

    exported functions
        tick: fn(u64) -> u64
        touch: fn(u32) -> u32
        update: fn(&mut World, f32) -> bool

    types of the exported functions
        struct logic::World: size 56, alignment 8
            balls: &[logic::Ball] at 0
            shape: logic::Shape at 16
            mode: logic::Mode at 40
            bits: logic::Bits at 44
            next: Option<&logic::Ball> at 48
        enum logic::Shape: size 24, alignment 8, tag u32 at 0
            Point = 0
            Circle = 1
                0: f32 at 4
            Box = 2
                w: u64 at 8
                h: u64 at 16
        enum logic::Mode: size 1, alignment 1, held in u8
            Off = 1
            On = 7
        union logic::Bits: size 4, alignment 4
            int: u32 at 0
            float: f32 at 0
        struct logic::Ball: size 8, alignment 4
            id: u32 at 0
            radius: f32 at 4

    variables of its own crates
        static logic::COUNT
    "#);
}

#[test]
fn libraries_that_pitstop_did_not_build_are_compared_too() {
    let before = plain("n + 1", "n + 2");
    let (verdict, words) = judged(&before, &plain("n + 1", "n + 3"));
    assert_eq!(verdict.verdict, Word::Matches, "{words}");
    assert!(verdict.compared > 5 && words.contains("matches, as far as can be told"), "{words}");
    for (from, to, rule, subject) in [
        ("tick(n: u64)", "tock(n: u64)", Rule::Missing, "tick"),
        ("tick(n: u64) -> u64 { n + 1", "tick(n: u32) -> u64 { n as u64", Rule::Signature, "tick"),
        ("pub id: u32", "pub id: i32", Rule::Layout, "World.balls[].id"),
    ] {
        let (verdict, words) = judged(&before, &plain(from, to));
        let reasons: Vec<_> = verdict.reasons.iter().map(|reason| (reason.rule, reason.subject.as_str())).collect();
        assert_eq!(reasons, [(rule, subject)], "{words}");
        assert!(words.contains("does not match: 1 reason"), "{words}");
    }
    // Of one that was built by Pitstop, against one that was not, the want of a descriptor is the first reason.
    let (verdict, words) = judged(&same(), &before);
    assert_eq!(verdict.reasons[0].rule, Rule::Descriptor, "{words}");
}

#[test]
fn the_types_of_any_executable_are_those_of_its_own_crate() {
    let source = "struct Own { id: u32 }\n#[inline(never)] fn show(own: &Own) { println!(\"{}\", own.id); }\n\
                  fn main() { show(&Own { id: std::env::args().count() as u32 }); }\n";
    let bytes = built(source, &["-g"]);
    let found = inspected("tool", &bytes);
    assert_eq!((found.kind, found.compilers.len()), (Kind::Executable, 1));
    let words = text::image(&found, &Shown::default());
    let (_, types) = words.split_once("types of its own crates\n").expect("types");
    assert_eq!(types, "    struct logic::Own: size 4, alignment 4\n        id: u32 at 0");
}

#[test]
fn what_is_no_library_is_said_in_words() {
    for (bytes, said) in [
        (&b""[..], "an empty file"),
        (b"#!/bin/sh\n", "a script"),
        (b"!<arch>\n", "a static library"),
        (b"plain text", "a file that begins with 70 6c 61 69"),
        (b"\x7fELF\x02\x01\x01", "cut short or damaged"),
    ] {
        let found = Inspected::of(Path::new("file"), bytes).expect_err("no library");
        assert!(found.starts_with(said), "{found}");
    }
}

#[test]
fn parameters_are_named_where_the_pointer_type_tells_their_types() {
    let show = |signature: &str, parameters: &[&str]| {
        let parameters = parameters.iter().map(|&name| name.to_owned()).collect();
        let (name, signature) = ("logic::f".to_owned(), signature.to_owned());
        text::declaration(&SlotFact { name, signature, parameters, ..SlotFact::default() })
    };
    assert_eq!(show("fn()", &[]), "fn logic::f()");
    assert_eq!(
        show("unsafe extern \"C\" fn(*const u8, [u8; 4]) -> u8", &["at", "by"]),
        "unsafe extern \"C\" fn logic::f(at: *const u8, by: [u8; 4]) -> u8"
    );
    assert_eq!(
        show("fn(fn(u8, u8) -> u8, HashMap<K, V>, (u8, u8)) -> Option<u8>", &["f", "map", "_"]),
        "fn logic::f(f: fn(u8, u8) -> u8, map: HashMap<K, V>, _: (u8, u8)) -> Option<u8>"
    );
    for odd in ["fn(u8, u8", "fn(u8) -> u8", "u8", "fn(>>)"] {
        assert_eq!(show(odd, &["a", "b"]), format!("logic::f: {odd}"));
    }
}

#[test]
fn names_in_a_file_cannot_write_to_the_terminal() {
    let mut image = inspected("logic.so", &same());
    image.layouts.types.iter_mut().for_each(|ty| ty.name.push_str("\x1b[2J\n"));
    image.image.push('\u{7}');
    let words = text::image(&image, &Shown { all_types: true, ..Shown::default() });
    assert!(words.contains("\\u{1b}[2J\\n") && !words.contains(['\x1b', '\u{7}']), "{words}");
}

/// All that is done with one file, and with two.
fn look(original: &Inspected, bytes: &[u8], damaged: &[u8]) {
    let Ok(found) = Inspected::of(Path::new("damaged"), damaged) else { return };
    let verdict = judge((original, bytes), (&found, damaged));
    let words = text::image(&found, &Shown { all_types: true, facts: true, ..Shown::default() });
    let words = words + &text::verdict(original, &found, &verdict);
    assert!(!words.contains('\x1b'));
    assert!(serde_json::to_string(&(&found, &verdict)).is_ok());
}

#[test]
fn cut_and_damaged_files_do_no_harm() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or(0) % below
    };
    for bytes in [same(), plain("n + 1", "n + 2")] {
        let original = inspected("original", &bytes);
        for point in 0..200 {
            look(&original, &bytes, &bytes[..bytes.len() * point / 200]);
        }
        let mut damaged = bytes.clone();
        for _ in 0..2000 {
            let places: Vec<usize> = (0..=random(4)).map(|_| random(bytes.len())).collect();
            places.iter().for_each(|&at| damaged[at] ^= 1 << random(8));
            look(&original, &bytes, &damaged);
            places.iter().for_each(|&at| damaged[at] = bytes[at]);
        }
    }
}
