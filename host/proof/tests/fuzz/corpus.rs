//! What is damaged: real images, as small as they can be, so that damage hits what is read.

use object::{Object, ObjectSection};
use pitstop_contract::descriptor::{Descriptor, Facts, SECTION_ELF, SlotFact, TypeFact};
use pitstop_proof::layout::{Layouts, read};
use std::ops::Range;
use std::process::Command;

pub(crate) struct Corpus {
    pub(crate) files: Vec<File>,
    pub(crate) graphs: Vec<Graph>,
    /// A descriptor's section.
    pub(crate) descriptor: Vec<u8>,
}

pub(crate) struct File {
    pub(crate) bytes: Vec<u8>,
    /// Headers, debug info and descriptor.
    pub(crate) targets: Vec<Range<usize>>,
}

pub(crate) struct Graph {
    pub(crate) layouts: Layouts,
    pub(crate) json: Vec<u8>,
}

/// Types of all kinds, and nothing else.
const TYPES: &str = r#"
    #![no_std]
    #[panic_handler] fn panic(_: &core::panic::PanicInfo<'_>) -> ! { loop {} }
    use core::marker::PhantomData;
    #[repr(transparent)] pub struct Record<F, const N: usize> { bytes: [u8; N], function: PhantomData<F> }
    pub trait Hook { fn call(&self); }
    #[derive(Clone, Copy)] pub enum Mood { Calm = -3, Cross = 200 }
    pub enum Shape { Point, Disc { radius: f32 }, Path(u8, [u16; 3]) }
    pub union Bits { pub whole: u64, pub parts: [u8; 8] }
    pub struct Grid<T, const N: usize> { pub cells: [T; N], pub last: Option<T> }
    pub struct Link { pub next: Option<&'static Link>, pub wide: i128 }
    pub struct World {
        pub tick: u64, pub mood: Mood, pub shape: Shape, pub bits: Bits, pub grid: Grid<(u8, char), 3>,
        pub link: Link, pub name: &'static str, pub hook: Option<&'static dyn Hook>, pub call: fn(&Shape) -> bool,
        pub unit: (), pub any: Option<core::any::TypeId>, pub result: Result<u32, Mood>,
    }
    pub static mut COUNT: u64 = 1;
    #[unsafe(no_mangle)] pub fn update(world: &mut World, bytes: &[u8]) -> u64 {
        unsafe { COUNT += world.tick };
        world.any = Some(core::any::TypeId::of::<Mood>());
        world.tick = bytes.len() as u64;
        world.tick
    }
    #[unsafe(no_mangle)] pub fn paint(shape: Shape, _: *const Grid<u8, 2>) -> Option<f32> {
        if let Shape::Disc { radius } = shape { Some(radius) } else { None }
    }
    #[unsafe(no_mangle)] pub extern "C" fn __pitstop_entry() {}
"#;

impl Corpus {
    pub(crate) fn new() -> Self {
        let ways: [&[&str]; 5] = [
            &["-Copt-level=0"],
            &["-Copt-level=1", "-Cdwarf-version=5"],
            &["-Copt-level=2", "-Ccodegen-units=1"],
            &["-Copt-level=0", "-Clink-arg=-Wl,--compress-debug-sections=zlib"],
            &["-Copt-level=1", "-Cstrip=debuginfo"],
        ];
        let files: Vec<File> = ways.iter().map(|arguments| File::new(image(arguments))).collect();
        let layouts: Vec<Layouts> = files.iter().map(|file| read(&file.bytes, &["logic"])).collect();
        let full = layouts.iter().filter(|layouts| layouts.roots.len() >= 2 && layouts.gaps.is_empty()).count();
        assert!(full >= 3, "the corpus is read: {:?}", layouts.iter().map(|layouts| &layouts.gaps).collect::<Vec<_>>());
        let graph = |layouts: Layouts| Graph { json: serde_json::to_vec(&layouts).expect("JSON"), layouts };
        let graphs = layouts.into_iter().filter(|layouts| !layouts.roots.is_empty()).map(graph).collect();
        Self { files, graphs, descriptor: records().concat() }
    }
}

impl File {
    fn new(bytes: Vec<u8>) -> Self {
        let mut targets = Vec::new();
        let file = object::File::parse(bytes.as_slice()).expect("an image");
        for section in file.sections() {
            let name = section.name().expect("a name");
            if (name.starts_with(".debug_") || name == SECTION_ELF || name.starts_with(".dyn"))
                && let Some((start, size)) = section.file_range()
            {
                let range = usize::try_from(start).expect("an offset")..usize::try_from(start + size).expect("an end");
                // Whatever says how all else is to be read.
                let weight = if matches!(name, ".debug_info" | ".debug_abbrev") { 4 } else { 1 };
                targets.extend(std::iter::repeat_n(range, weight));
            }
        }
        // ELF's own header with those of the segments, and those of the sections, which are at the end.
        targets.push(0..1024.min(bytes.len()));
        targets.push(bytes.len().saturating_sub(64 * 32)..bytes.len());
        Self { bytes, targets }
    }
}

fn records() -> [Vec<u8>; 3] {
    let slot = |name: &str, signature: &str, parameters: &[&str], ty: &str| SlotFact {
        name: format!("logic::{name}"),
        signature: signature.to_owned(),
        public: true,
        parameters: parameters.iter().map(|name| (*name).to_owned()).collect(),
        types: vec![TypeFact { name: ty.to_owned(), size: 8, align: 8 }],
    };
    [
        Facts::from_lines("logic", "source=logic.rs\nallocator=host\ndependency.glam=0.29.1 aa std\n").encode(),
        slot("update", "fn(&mut World, &[u8]) -> u64", &["world", "bytes"], "u64").encode(),
        slot("paint", "fn(Shape, *const Grid<u8, 2>) -> Option<f32>", &["shape", "_"], "Shape").encode(),
    ]
}

/// Compiles the types to an image.
fn image(arguments: &[&str]) -> Vec<u8> {
    let [facts, update, paint] = records();
    Descriptor::parse(&[&*facts, &update, &paint].concat()).expect("a descriptor");
    let record = |name: &str, function: &str, bytes: &[u8]| {
        format!(
            "#[used] #[unsafe(link_section = \"{SECTION_ELF}\")] pub static {name}: Record<{function}, {}> = \
             Record {{ bytes: {bytes:?}, function: PhantomData }};\n",
            bytes.len()
        )
    };
    let source = [
        TYPES,
        &record("FACTS", "()", &facts),
        &record("UPDATE", "fn(&mut World, &[u8]) -> u64", &update),
        &record("PAINT", "fn(Shape, *const Grid<u8, 2>) -> Option<f32>", &paint),
    ]
    .concat();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("logic.rs"), source).expect("a source");
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.current_dir(folder.path()).args(["logic.rs", "--crate-type=cdylib", "--edition=2024", "-Awarnings"]);
    rustc.args(["-Cdebuginfo=2", "-Cpanic=abort", "-Clink-arg=-nostdlib", "-olib.so"]).args(arguments);
    let output = rustc.output().expect("a compiler");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(folder.path().join("lib.so")).expect("an image")
}
