//! Real images, built in every way that debug info can be written.

use crate::layout::{Kind, Layouts, RootKind, read, read_with};
use crate::{Companion, Companions};
use pitstop_contract::descriptor::{Facts, SlotFact, fact};
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = r#"
    #![allow(dead_code)]
    use std::collections::{BTreeMap, HashMap};
    pub mod rules {
        pub struct Ball { pub x: f32, pub next: Option<Box<Ball>>, pub kind: Kind }
        #[derive(Clone, Copy)] #[repr(i8)] pub enum Kind { Small = -2, Large = 7 }
    }
    pub enum Shape { Dot, Line { from: u8, to: u64 }, Text(String) }
    pub struct World { pub balls: Vec<rules::Ball>, pub shapes: HashMap<u32, Shape>, pub kinds: BTreeMap<u8, [rules::Kind; 3]>,
        pub draw: Box<dyn Fn(u32) -> u32>, pub wide: Wide, pub any: Option<Box<dyn std::any::Any>>, pub signs: Vec<Box<dyn Draw>> }
    #[repr(u128)] pub enum Wide { A(u8) = 1, B = u128::MAX - 1 }
    struct Hidden { value: u64 }
    pub struct Record<F, const N: usize> { bytes: [u8; N], function: std::marker::PhantomData<F> }
    pub trait Draw { fn draw(&self, canvas: &mut Canvas) -> u8; fn hide(&self) {} }
    pub struct Canvas { pub lines: Vec<Line> }
    pub struct Line { pub from: u32, pub to: u32, pub over: Option<Box<dyn Over>> }
    pub trait Over { fn over(&self, ink: Ink) -> bool; }
    #[derive(Clone, Copy)] pub struct Ink(pub u16);
    struct Dot; struct Dash(u8);
    impl Draw for Dot { fn draw(&self, canvas: &mut Canvas) -> u8 { canvas.lines.clear(); 1 } }
    impl Draw for Dash { fn draw(&self, canvas: &mut Canvas) -> u8 { canvas.lines.push(Line { from: 0, to: 1, over: Some(Box::new(Dot)) }); self.0 } }
    impl Over for Dot { fn over(&self, ink: Ink) -> bool { ink.0 > 3 } }
    const _: () = {
        #[used]
        #[unsafe(link_section = ".pitstop")]
        static RECORD: Record<fn(&mut World, f32) -> Option<Shape>, {LENGTH}> =
            Record { bytes: *b"{RECORD}", function: std::marker::PhantomData };
    };
    #[unsafe(no_mangle)]
    pub fn update(world: &mut World, by: f32) -> Option<Shape> {
        COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if LAST.replace(by) > by { return None; }
        world.balls.iter_mut().for_each(|ball| ball.x += by);
        world.signs.push(Box::new(Dot));
        world.signs.push(Box::new(Dash(by as u8)));
        let any = world.any.as_ref()?;
        any.downcast_ref::<Hidden>().map(|hidden| Shape::Line { from: 1, to: hidden.value })
    }
    pub static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    static NAMES: [&str; 2] = ["a", "b"];
    thread_local! { static LAST: std::cell::Cell<f32> = const { std::cell::Cell::new(0.0) }; }
"#;

/// A built image and the folder that it is in.
struct Built {
    _folder: tempfile::TempDir,
    path: PathBuf,
    bytes: Vec<u8>,
}

fn build(arguments: &[&str]) -> Built {
    let slot = SlotFact {
        name: "logic::update".to_owned(),
        signature: "fn(&mut World, f32) -> Option<Shape>".to_owned(),
        public: true,
        ..SlotFact::default()
    };
    let mut record = slot.encode();
    record.extend(Facts::from_lines("logic", &format!("{}=logic.rs\n", fact::SOURCE)).encode());
    let escaped: String = record.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    let source = SOURCE.replace("{LENGTH}", &record.len().to_string()).replace("{RECORD}", &escaped);
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("logic.rs"), source).expect("a source");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let built = Command::new(rustc)
        .args(["--edition=2024", "--crate-type=cdylib", "--crate-name=logic", "-Cdebuginfo=2"])
        .args(arguments)
        .args(["-o", "logic.so", "logic.rs"])
        .current_dir(folder.path())
        .output()
        .expect("rustc");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let path = folder.path().join("logic.so");
    let bytes = std::fs::read(&path).expect("an image");
    Built { _folder: folder, path, bytes }
}

fn beside(image: &Path) -> impl Fn(&Companion) -> Option<Vec<u8>> + '_ {
    |companion| match companion {
        Companion::Package => {
            let mut name = image.as_os_str().to_owned();
            name.push(".dwp");
            std::fs::read(name).ok()
        }
        Companion::Object { directory, name } => std::fs::read(Path::new(directory).join(name)).ok(),
    }
}

fn names(layouts: &Layouts) -> Vec<&str> {
    layouts.types.iter().map(|ty| ty.name.as_str()).collect()
}

#[test]
fn every_way_to_write_debug_info_gives_the_same_types() {
    let plain = build(&[]);
    let expected = read(&plain.bytes, &["logic"]);
    assert_eq!(expected.gaps, [""; 0]);
    let ways: [&[&str]; 7] = [
        &["-Csplit-debuginfo=packed"],
        &["-Csplit-debuginfo=unpacked"],
        &["-Csplit-debuginfo=packed", "-Copt-level=3"],
        &["-Copt-level=3"],
        &["-Copt-level=2", "-Clto=fat", "-Ccodegen-units=1"],
        &["-Ccodegen-units=16", "-Cincremental=incremental"],
        &["--remap-path-prefix=logic.rs=elsewhere/lib.rs"],
    ];
    for way in ways {
        let built = build(way);
        let found = read_with(&built.bytes, &["logic"], &beside(&built.path));
        assert_eq!(found.gaps, expected.gaps, "{way:?}");
        assert_eq!(found.roots, expected.roots, "{way:?}");
        assert_eq!(found.statics, expected.statics, "{way:?}");
        for (one, other) in found.types.iter().zip(&expected.types) {
            assert_eq!(one, other, "{way:?}");
        }
        assert_eq!(found.types.len(), expected.types.len(), "{way:?}");
    }
}

#[test]
fn compressed_debug_info_is_read_where_that_is_built_in() {
    let built = build(&["-Clink-arg=-Wl,--compress-debug-sections=zlib"]);
    let found = read(&built.bytes, &["logic"]);
    if cfg!(feature = "compression") {
        assert_eq!(found, read(&build(&[]).bytes, &["logic"]));
    } else {
        assert!(found.roots.is_empty());
        assert!(found.gaps[0].contains("is compressed"), "{:?}", found.gaps);
    }
}

#[test]
fn what_is_missing_is_said() {
    let none: &Companions<'_> = &|_| None;
    for (arguments, gap) in [
        (&["-Csplit-debuginfo=packed"][..], "the debug info leaves types out"),
        (&["-Cdebuginfo=1"], "the debug info leaves types out"),
        (&["-Cstrip=symbols"], "the file has no debug info"),
    ] {
        let found = read_with(&build(arguments).bytes, &["logic"], none);
        assert!(found.roots.is_empty(), "{arguments:?}");
        assert!(found.gaps[0].starts_with(gap), "{arguments:?}: {:?}", found.gaps);
    }
    assert!(read(b"\x7fELF", &["logic"]).gaps[0].starts_with("the file cannot be read"));
}

#[test]
fn types_are_read_in_full() {
    let layouts = read(&build(&[]).bytes, &["logic"]);
    let find = |name: &str| {
        let ty = layouts.types.iter().find(|ty| ty.name == name);
        ty.unwrap_or_else(|| panic!("no {name} among {:#?}", names(&layouts)))
    };
    let name = |id| layouts.get(id).expect("a type").name.as_str();
    let world = find("logic::World");
    let Kind::Struct { fields } = &world.kind else { panic!("{world:?}") };
    assert_eq!(fields.len(), 7);
    assert!(fields.is_sorted_by_key(|field| field.offset));
    let ball = find("logic::rules::Ball");
    assert_eq!((ball.size, ball.align), (Some(16), Some(8)));
    let Kind::Names { repr, variants } = &find("logic::rules::Kind").kind else { panic!("an enum of names") };
    assert_eq!(name(*repr), "i8");
    let values: Vec<(&str, Option<i128>)> = variants.iter().map(|found| (found.name.as_str(), found.value)).collect();
    assert_eq!(values.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["Small", "Large"]);
    assert!(values[0].1.is_some() && values[0].1 != values[1].1, "{values:?}");
    let Kind::Enum { tag, variants } = &find("logic::Shape").kind else { panic!("an enum") };
    assert!(tag.is_some());
    let line = variants.iter().find(|variant| variant.name == "Line").expect("a variant");
    let mut fields: Vec<(&str, &str)> = line.fields.iter().map(|field| (field.name.as_str(), name(field.ty))).collect();
    fields.sort_unstable();
    assert_eq!(fields, [("from", "u8"), ("to", "u64")]);
    let Kind::Enum { variants, .. } = &find("logic::Wide").kind else { panic!("an enum") };
    assert!(variants.iter().all(|variant| variant.value.is_some()), "{variants:?}");
    assert_ne!(variants[0].value, variants[1].value);
    find("[logic::rules::Kind; 3]");
    find("dyn core::any::Any");

    let roots: Vec<(RootKind, &str)> = layouts.roots.iter().map(|root| (root.kind, root.name.as_str())).collect();
    assert_eq!(roots[0], (RootKind::Slot, "logic::update"));
    assert!(roots.contains(&(RootKind::Keyed, "logic::Hidden")), "{roots:?}");
    // What only methods behind `dyn` lead to, and what that leads to.
    for method in ["dyn logic::Draw::draw", "dyn logic::Draw::hide", "dyn logic::Over::over"] {
        assert!(roots.contains(&(RootKind::Method, method)), "{method}: {roots:?}");
    }
    find("logic::Canvas");
    find("logic::Ink");
    let over = layouts.roots.iter().find(|root| root.name == "dyn logic::Over::over").expect("a root");
    let Some(Kind::Function { parameters, result }) = layouts.get(over.ty).map(|ty| &ty.kind) else {
        panic!("{over:?}")
    };
    assert_eq!(parameters.iter().map(|id| name(*id)).collect::<Vec<_>>(), ["logic::Ink"]);
    assert_eq!(result.map(name), Some("bool"));
    let draw = layouts.vtables.iter().find(|table| table.name == "dyn logic::Draw").expect("a table");
    assert_eq!(draw.methods, [Some("draw".to_owned()), Some("hide".to_owned())]);
    let statics: Vec<(&str, bool)> =
        layouts.statics.iter().map(|found| (found.name.as_str(), found.thread_local)).collect();
    assert_eq!(statics, [("logic::COUNT", false), ("logic::LAST", true)]);

    let text = serde_json::to_vec(&layouts).expect("JSON");
    assert_eq!(serde_json::from_slice::<Layouts>(&text).expect("the same"), layouts);
}

#[test]
fn cut_and_damaged_files_are_read_without_a_panic() {
    let built = build(&["-Copt-level=1", "-Clink-arg=-Wl,--gc-sections"]);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = built.bytes.clone();
    let mut next = move |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below as u64).unwrap_or(0)
    };
    for _ in 0..40 {
        let _ = read(&built.bytes[..next(built.bytes.len())], &["logic"]);
    }
    for _ in 0..300 {
        let at = next(bytes.len());
        let before = std::mem::replace(&mut bytes[at], u8::try_from(next(256)).unwrap_or(0));
        let _ = read(&bytes, &["logic"]);
        bytes[at] = before;
    }
}
