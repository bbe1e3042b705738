//! Plugins in WebAssembly: guests in C, in Rust and in text, reloaded in a session, held to what is granted, and cached.

mod cache;
mod granted;
mod kinds;
mod reload;

use super::garage::Garage;
use pitstop_tests::repository;
use std::path::{Path, PathBuf};
use std::process::Command;

fn fixture(file: &str) -> PathBuf {
    repository().join("tests/fixtures/guests").join(file)
}

/// Compiles a guest in C to a module.
fn clang(source: &Path, module: &Path) {
    let mut clang = Command::new("clang");
    clang.args(["--target=wasm32-wasi", "-mexec-model=reactor", "-std=c11", "-O1", "-Wl,--strip-all", "-o"]);
    clang.arg(module).arg(source);
    assert!(clang.status().is_ok_and(|status| status.success()), "{clang:?}");
}

/// A folder with one plugin, from this guest in C, whose configuration has `more` lines.
fn with_guest(name: &str, more: &str) -> Garage {
    let garage = Garage::new();
    clang(&fixture(&format!("plugins/c/{name}.c")), &garage.path(&format!("{name}.wasm")));
    configure(&garage, name, more);
    garage
}

fn configure(garage: &Garage, name: &str, more: &str) {
    let text = format!("[[plugin]]\nname = \"{name}\"\nmechanism = \"wasm\"\nartifact = \"{name}.wasm\"\n{more}");
    garage.write("pitstop.toml", &text);
}
