//! A plugin that frees twice: nothing in the program's own process can be kept from it, and AddressSanitizer names it.

use crate::plugin::garage::Garage;
use pitstop_tests::built;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[test]
fn address_sanitizer_names_a_plugin_that_frees_twice_and_is_silent_about_a_good_one() {
    let Some(sanitizer) = sanitizer() else { return println!("there is no AddressSanitizer here") };
    let good = greeted(&sanitizer, &["-fsanitize=address"]);
    assert!(good.status.success(), "{good:?}");
    assert!(text(&good.stdout).contains("version-0000 pit crew version-0000"), "{good:?}");
    assert_eq!(text(&good.stderr), "");
    let bad = greeted(&sanitizer, &["-fsanitize=address", "-DFREES_TWICE"]);
    assert!(!bad.status.success(), "{bad:?}");
    let report = text(&bad.stderr);
    assert!(report.contains("AddressSanitizer: attempting double-free"), "{report}");
    assert!(report.contains("in release"), "it names the function: {report}");
}

#[test]
fn a_crash_in_the_programs_own_process_is_the_programs() {
    let crash = greeted_with(&["-DCRASH_IN_CREATE"], |_| {});
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&crash.status), Some(6), "{crash:?}");
}

fn greeted(sanitizer: &Path, macros: &[&str]) -> Output {
    greeted_with(macros, |greeter| {
        // The program lets go of nothing when it ends.
        greeter.env("LD_PRELOAD", sanitizer).env("ASAN_OPTIONS", "detect_leaks=0");
    })
}

/// Another program greets with the echo in C, compiled with these.
fn greeted_with(macros: &[&str], prepare: impl Fn(&mut Command)) -> Output {
    let garage = Garage::new();
    garage.cc("echo", macros);
    garage.write("pitstop.toml", "[[plugin]]\nname = \"echo\"\nmechanism = \"c\"\nartifact = \"echo\"\n");
    let mut greeter = Command::new(built("greeter"));
    greeter.args(["--frames", "2", "--plugins"]).arg(garage.path("pitstop.toml"));
    prepare(&mut greeter);
    greeter.output().expect("a program")
}

fn sanitizer() -> Option<PathBuf> {
    let printed = Command::new("cc").arg("-print-file-name=libasan.so").output().ok()?;
    let path = PathBuf::from(text(&printed.stdout).trim());
    path.is_absolute().then_some(path)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
