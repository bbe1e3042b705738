//! What a call of a plugin costs, of each mechanism, beside the same work by hand, in one process of a release build.
//!
//! `cargo bench -p pitstop-tests --bench plugins`

use pitstop_tests::{Project, repository};
use std::process::Command;

fn main() {
    let project = Project::new("bench-plugins");
    // The example's own greeters.
    for (from, to) in [("c/greeter.c", "greeter.c"), ("rust/src/lib.rs", "greeter/src/lib.rs")] {
        let source = repository().join("examples/greeter/plugins").join(from);
        project.write(to, &std::fs::read_to_string(source).expect("a greeter"));
    }
    let header = repository().join("host/c/include");
    run(
        Command::new("cc").args(["-O2", "-shared", "-fPIC", "-I"]).arg(header).args([
            "-o",
            "libgreeter-c.so",
            "greeter.c",
        ]),
        &project,
    );
    let cargo = ["build", "--release", "--target-dir", "target"];
    run(Command::new("cargo").args(cargo).env_remove("CARGO_TARGET_DIR"), &project);
    std::fs::copy(project.path("target/release/libgreeter.so"), project.path("libgreeter.so")).expect("the plugin");
    run(&mut Command::new("target/release/game"), &project);
}

fn run(command: &mut Command, project: &Project) {
    let status = command.current_dir(project.directory()).status();
    assert!(status.is_ok_and(|status| status.success()), "{command:?}");
}
