//! How long the proof of an image takes, stage by stage: the host does this on a thread of its own, after each edit.
//!
//! `cargo bench -p pitstop-tests --bench verify`
//!
//! The image is that of a crate of 2,000 lines, made by the command from a real edit, and compared with the program that
//! runs.

mod large;

use large::large;
use object::{Object, ObjectSection};
use pitstop_proof::{Built, Image, complete, descriptor, layout, prove};
use pitstop_tests::Project;
use std::path::{Path, PathBuf};
use std::time::Instant;

const ROUNDS: usize = 20;
/// What it may take altogether, in milliseconds.
const BOUND: f64 = 20.0;
const STAGES: [&str; 6] = ["file", "checksum", "complete", "descriptor", "types", "compare"];

/// All hundred types cross with it.
const STATE: &str = "\n#[pitstop_reloadable::reloadable]\npub fn all(state: &mut State) -> f32 { state.sum() }\n";

fn main() {
    for linkage in ["shared", "self-contained"] {
        measure(linkage);
    }
}

fn measure(linkage: &str) {
    let project = Project::new("bench-ours");
    let source = project.read("logic/src/lib.rs");
    project.write("logic/src/lib.rs", &[&source, &large(), STATE, &state()].concat());
    let mut session = project.live(&["--linkage", linkage]);
    session.prints("answer 100.");
    project.edit("logic/src/lib.rs", "    100\n", "    101\n");
    session.goes_live("logic");
    session.prints("answer 101.");
    let folder = std::fs::canonicalize(project.path("target/pitstop")).expect("the sessions");
    let folder = folder.join(std::fs::read_to_string(folder.join("current")).expect("a session").trim());
    let program = std::fs::read(folder.join("bin/game")).expect("the program");
    let mut built = Built::default();
    built.add(descriptor(Path::new("game"), &program).unwrap_or_else(|_| from_section(&program)));
    let expected = layout::read(&program, &["logic"]);
    let path = newest(&folder.join("images"));
    let (mut times, mut facts) = (Vec::new(), String::new());
    for _ in 0..ROUNDS {
        let (stages, found) = round(&path, &built, &expected);
        times.push(stages);
        facts = found;
    }
    let middle = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let stages: Vec<String> = STAGES
        .iter()
        .enumerate()
        .map(|(at, name)| format!("\"{name}_ms\":{:.2}", middle(times.iter().map(|stages| stages[at]).collect())))
        .collect();
    let total = middle(times.iter().map(|stages| stages.iter().sum()).collect());
    println!(
        "{{\"linkage\":\"{linkage}\",\"total_ms\":{total:.2},\"bound_ms\":{BOUND},{},{facts},\"rounds\":{ROUNDS}}}",
        stages.join(",")
    );
}

/// The time of each stage in milliseconds, and what was read.
fn round(path: &Path, built: &Built, expected: &layout::Layouts) -> ([f64; 6], String) {
    let mut stages = [0.0; 6];
    let mut begun = Instant::now();
    let mut at = 0;
    let mut lap = || {
        stages[at] = begun.elapsed().as_secs_f64() * 1e3;
        at += 1;
        begun = Instant::now();
    };
    let bytes = std::fs::read(path).expect("an image");
    lap();
    std::hint::black_box(crc32fast::hash(&bytes));
    lap();
    complete(path, &bytes).expect("a complete image");
    lap();
    let descriptor = descriptor(path, &bytes).expect("a descriptor");
    lap();
    let layouts = layout::read(&bytes, &["logic"]);
    lap();
    let image = Image { descriptor, layouts };
    let proof = prove("logic", &bytes, &image, built, expected).expect("an image that matches");
    lap();
    assert_eq!(proof.gaps, [""; 0], "all types are proven");
    let info = object::File::parse(bytes.as_slice()).expect("an image");
    let info = info.section_by_name(".debug_info").map_or(0, |section| section.size());
    let facts = format!(
        "\"file_kb\":{},\"debug_info_kb\":{},\"types\":{},\"pairs\":{}",
        bytes.len() >> 10,
        info >> 10,
        image.layouts.types.len(),
        proof.compared
    );
    (stages, facts)
}

/// The program's, which exports no entry.
fn from_section(program: &[u8]) -> pitstop_contract::descriptor::Descriptor {
    let file = object::File::parse(program).expect("a program");
    let section = file.section_by_name(pitstop_contract::descriptor::SECTION_ELF).expect("a descriptor");
    pitstop_contract::descriptor::Descriptor::parse(section.data().expect("its bytes")).expect("a descriptor")
}

fn newest(images: &Path) -> PathBuf {
    let files = std::fs::read_dir(images).expect("images").flatten().map(|entry| entry.path());
    // Beside each lies what the command has read of it.
    let files = files.filter(|path| path.extension().is_some_and(|kind| kind == std::env::consts::DLL_EXTENSION));
    files.max_by_key(|path| path.metadata().and_then(|found| found.modified()).ok()).expect("an image")
}

/// A state that holds all hundred types.
fn state() -> String {
    let fields: String = (0..100).map(|n| format!("    pub kinds{n}: Vec<Kind{n}>,\n")).collect();
    let sums: Vec<String> = (0..100).map(|n| format!("total{n}(&self.kinds{n})")).collect();
    format!(
        "\npub struct State {{\n{fields}}}\n\nimpl State {{\n    fn sum(&self) -> f32 {{\n        {}\n    }}\n}}\n",
        sums.join("\n            + ")
    )
}
