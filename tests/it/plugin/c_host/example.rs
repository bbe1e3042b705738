//! The example: built by its own Makefile, played, and edited while it runs.

use super::compile::{ends_well, target};
use pitstop_tests::{Project, Session, repository};
use std::path::PathBuf;
use std::process::Command;

/// A copy of the example whose libraries and program are built; Pitstop and the rules are built where all tests have them.
struct Example {
    project: Project,
}

impl Example {
    fn new() -> Self {
        let example = Self { project: Project::new("c-host") };
        let folder = repository().join("examples/c-host");
        for file in ["Makefile", "game.c", "physics.c", "physics.h"] {
            let text = std::fs::read_to_string(folder.join(file)).expect("a file of the example");
            example.project.write(file, &text);
        }
        let rules = std::fs::read_to_string(folder.join("rules/src/lib.rs")).expect("the rules");
        example.project.write("rules.rs", &rules);
        example.build_rules();
        example.make();
        example
    }

    /// The rules of this copy: cargo builds those of the repository, which no test edits.
    fn build_rules(&self) {
        let mut rustc = Command::new("rustc");
        rustc.args(["--edition=2024", "--crate-type=cdylib", "-g", "-o", "draft.so", "rules.rs"]);
        ends_well(rustc.current_dir(self.project.directory()));
        std::fs::rename(self.project.path("draft.so"), self.rules()).expect("a library");
    }

    fn rules(&self) -> PathBuf {
        self.project.path("librules.so")
    }

    fn make(&self) {
        let mut make = Command::new("make");
        make.arg(format!("REPOSITORY={}", repository().display())).current_dir(self.project.directory());
        // cargo finds the workspace from the folder it runs in.
        make.arg(format!("CARGO=cd {} && cargo", repository().display())).env("CARGO_TARGET_DIR", target());
        make.arg(format!("RULES={}", self.rules().display())).env_remove("MAKEFLAGS");
        ends_well(&mut make);
    }
}

#[test]
fn the_example_plays_by_itself_without_a_session() {
    let example = Example::new();
    let printed = ends_well(Command::new(example.project.path("build/game")).args(["--frames", "12"]));
    assert_eq!(printed.lines().count(), 12, "{printed}");
    assert!(printed.contains("frame   11  score    10"), "{printed}");
}

#[test]
fn edits_of_the_examples_c_and_rust_are_live_once_built_and_the_ball_goes_on() {
    let example = Example::new();
    let mut game = Command::new(example.project.path("build/game"));
    game.env_remove("PITSTOP_SESSION");
    let mut session = Session::start(game);
    session.prints("score    10");
    example.project.edit("physics.c", "'o'", "'@'");
    example.make();
    let line = session.prints("@");
    let frame: u32 = line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a frame's number");
    assert!(line.starts_with("frame") && frame > 9, "{line}");
    example.project.edit("rules.rs", "bounces * 10", "bounces * 10 + 7");
    example.build_rules();
    let line = session.prints("7  |");
    assert!(line.contains('@'), "{line}");
    // What the ball's type is in the game cannot change under it.
    example.project.edit("physics.c", "physics_bounce(struct Ball *ball) {", "physics_bounce(double ball_height) {");
    example.project.edit(
        "physics.c",
        "ball->height -= ball->speed;",
        "struct Ball one = {ball_height, 0}, *ball = &one;",
    );
    example.make();
    let refused = session.prints("-- not reloaded: ");
    assert!(refused.contains("found extern \"C\" fn(f64) -> u32"), "{refused}");
}
