//! Compiles the generated crate over the very libraries that this test was built with, and runs it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

const RUNNER: &str = include_str!("runner.rs");
const DICE: &str = include_str!("../../../host/proof/tests/dice/mod.rs");
/// What the runner uses.
const LIBRARIES: [&str; 4] = ["pitstop_reloadable", "serde", "rmp_serde", "serde_json"];

/// The lines that the program prints.
pub(crate) fn run(evolutions: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [("main.rs", RUNNER), ("dice.rs", DICE), ("evolutions.rs", evolutions)] {
        std::fs::write(folder.path().join(name), text).expect("a source");
    }
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.current_dir(folder.path()).args(["main.rs", "--edition=2024", "--crate-name=evolutions", "-orunner"]);
    rustc.args(["-Copt-level=0", "-Cdebuginfo=0", "-Awarnings"]);
    // As in a live build, where the attribute registers the types of carried values.
    rustc.env("PITSTOP_LIVE", "host").env("CARGO_CRATE_NAME", "evolutions");
    for (name, path) in libraries() {
        let mut library = OsString::from(format!("{name}="));
        library.push(&path);
        rustc.arg("--extern").arg(library);
        rustc.arg("-L").arg(format!("dependency={}", path.parent().expect("a folder").join("deps").display()));
        rustc.arg("-L").arg(format!("dependency={}", path.parent().expect("a folder").display()));
    }
    let output = rustc.output().expect("a compiler");
    if !output.status.success() {
        let kept = folder.keep();
        panic!("{}\nsee {}", String::from_utf8_lossy(&output.stderr), kept.display());
    }
    let output = Command::new(folder.path().join("runner")).output().expect("a program");
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        let kept = folder.keep();
        panic!("{:?}\n{said}\n{errors}\nsee {}", output.status, kept.display());
    }
    said.lines().map(str::to_owned).collect()
}

/// By name, as cargo has built them.
fn libraries() -> Vec<(&'static str, PathBuf)> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["test", "--quiet", "--no-run", "--package=pitstop-reloadable", "--test=evolutions"]);
    let output = cargo.arg("--message-format=json").current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8_lossy(&output.stdout);
    let messages: Vec<serde_json::Value> =
        messages.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let find = |name| {
        let is_it = |message: &&serde_json::Value| message["target"]["name"] == name;
        let files = messages.iter().filter(is_it).filter_map(|message| message["filenames"].as_array()).flatten();
        let mut paths = files.filter_map(|file| file.as_str()).map(PathBuf::from);
        let path = paths.find(|path| path.extension().is_some_and(|extension| extension == "rlib"));
        (name, path.unwrap_or_else(|| panic!("no {name} among what cargo built")))
    };
    LIBRARIES.map(find).to_vec()
}
