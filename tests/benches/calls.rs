//! What a call, an idle safe point and a swap cost, beside hot-lib-reloader, in one process of a release build.
//!
//! `cargo bench -p pitstop-tests --bench calls`

use pitstop_tests::Project;
use std::process::Command;

fn main() {
    let project = Project::new("bench-calls");
    let thousand: String = (0..1000)
        .map(|n| format!("\n#[reloadable]\npub fn f{n}(x: u64) -> u64 {{\n    x.wrapping_add({n})\n}}\n"))
        .collect();
    project.write("logic/src/lib.rs", &(project.read("logic/src/lib.rs") + &thousand));
    let hot = project.path("hot-target/release");
    let main = project.read("game/src/main.rs").replace("{hot_lib_dir}", &hot.display().to_string());
    project.write("game/src/main.rs", &main);
    let built = Command::new("cargo")
        .args(["build", "--release", "-p", "hot", "--target-dir", "hot-target"])
        .current_dir(project.directory())
        .env_remove("CARGO_TARGET_DIR")
        .status();
    assert!(built.is_ok_and(|status| status.success()), "the peer's library does not build");
    let mut session = project.run(&["--release"]);
    session.prints("ready");
    for round in 1..=10 {
        let from = format!("pub fn round() -> u32 {{\n    {}\n", round - 1);
        project.edit("logic/src/lib.rs", &from, &format!("pub fn round() -> u32 {{\n    {round}\n"));
        session.prints(&format!("reload {round}"));
    }
    session.ends();
    for line in session.printed().filter(|line| line.starts_with('{')) {
        println!("{line}");
    }
}
