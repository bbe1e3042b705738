//! What an edit may be, and what becomes of it.

use pitstop_contract::Rule;
use pitstop_contract::event::Event;
use pitstop_tests::Project;

const LOGIC: &str = "logic/src/lib.rs";

#[test]
fn a_changed_body_is_live_and_the_state_is_kept() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    session.prints("answer 42, util plain, asset apple, rule 4, score 1");
    project.edit(LOGIC, "world.score = score();", "world.score = score() + 6;");
    assert_eq!(session.goes_live("logic"), 1);
    session.prints("score 7");
    project.edit(
        LOGIC,
        "    false\n",
        "    world_is_old(_world)\n}\n\nfn world_is_old(world: &World) -> bool {\n    world.frames > 50\n",
    );
    // The program may end before it can tell that the generation went live.
    let over = session.prints("over after");
    let frames: u64 = over.split_whitespace().rev().nth(1).and_then(|word| word.parse().ok()).expect("a number");
    assert!(frames > 50, "the frame count went on over both reloads: {over}");
    assert!(session.ends().success());
}

#[test]
fn a_changed_constant_is_live() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    project.edit(LOGIC, "ANSWER: u32 = 42", "ANSWER: u32 = 43");
    session.goes_live("logic");
    session.prints("answer 43");
}

#[test]
fn a_new_function_is_called_by_the_new_code() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    project.edit(
        LOGIC,
        "fn score() -> u32 {\n    1\n}",
        "fn score() -> u32 {\n    bonus(4)\n}\n\nfn bonus(number: u32) -> u32 {\n    number * 10\n}",
    );
    session.goes_live("logic");
    session.prints("score 40");
}

#[test]
fn a_new_reloadable_function_is_called_by_the_new_code() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    project.edit(
        LOGIC,
        "fn score() -> u32 {\n    1\n}",
        "fn score() -> u32 {\n    fresh()\n}\n\n#[reloadable]\npub fn fresh() -> u32 {\n    81\n}",
    );
    session.goes_live("logic");
    session.prints("score 81");
    project.edit(LOGIC, "    81\n", "    82\n");
    session.goes_live("logic");
    session.prints("score 82");
}

#[test]
fn a_module_file_that_is_made_after_its_declaration_mends_the_build() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    project.edit(LOGIC, "mod rules;", "mod more;\nmod rules;");
    let words = session.build_failed();
    assert!(words.contains("E0583") || words.contains("file not found for module"), "{words}");
    project.write("logic/src/more.rs", "pub fn seven() -> u32 {\n    7\n}\n");
    session.goes_live("logic");
    project.edit(LOGIC, "world.score = score();", "world.score = more::seven();");
    session.goes_live("logic");
    session.prints("score 7");
    project.edit("logic/src/more.rs", "    7\n", "    8\n");
    session.goes_live("logic");
    session.prints("score 8");
}

#[test]
fn a_module_file_that_is_made_before_its_declaration_is_watched() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    project.write("logic/src/deep/more.rs", "pub fn seven() -> u32 {\n    7\n}\n");
    project.write("logic/src/deep/mod.rs", "pub mod more;\n");
    let text = project.replaced(LOGIC, "mod rules;", "mod deep;\nmod rules;");
    project.write(LOGIC, &text.replace("world.score = score();", "world.score = deep::more::seven();"));
    session.goes_live("logic");
    session.prints("score 7");
    project.edit("logic/src/deep/more.rs", "    7\n", "    9\n");
    session.goes_live("logic");
    session.prints("score 9");
}

#[test]
fn a_deleted_function_is_refused_by_name() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    project.edit(LOGIC, "#[reloadable]\npub fn is_over(_world: &World) -> bool {\n    false\n}\n", "");
    let reasons = session.rejected();
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    assert_eq!((reasons[0].rule, reasons[0].subject.as_str()), (Rule::Missing, "logic::is_over"));
    assert!(reasons[0].expected.contains("fn(&World) -> bool"), "{reasons:?}");
    project.edit(
        LOGIC,
        "fn score()",
        "#[reloadable]\npub fn is_over(_world: &World) -> bool {\n    false\n}\n\nfn score()",
    );
    session.goes_live("logic");
}

#[test]
fn a_renamed_function_is_refused_and_the_new_name_is_hinted_at() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    project.edit(LOGIC, "pub fn extra(", "pub fn additional(");
    let reasons = session.rejected();
    assert_eq!(reasons[0].subject, "logic::extra");
    assert!(reasons[0].found.contains("logic::additional"), "{reasons:?}");
}

#[test]
fn a_private_reloadable_function_may_change_its_signature_or_go() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    project.edit(
        LOGIC,
        "fn helper(&self) -> u64 {\n        self.frames",
        "fn helper(&self, plus: u64) -> u64 {\n        plus",
    );
    project.edit(LOGIC, "self.helper()", "self.helper(5)");
    session.goes_live("logic");
    project.edit(LOGIC, "    fn helper(&self, plus: u64) -> u64 {\n        plus\n    }\n", "");
    project.edit(LOGIC, "self.helper(5)", "6");
    session.goes_live("logic");
}

#[test]
fn a_changed_signature_is_refused_and_both_are_shown() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    project.edit(
        LOGIC,
        "pub fn extra(number: u32) -> u32 {\n    number",
        "pub fn extra(number: u64) -> u64 {\n    number",
    );
    let reasons = session.rejected();
    assert_eq!(reasons[0].rule, Rule::Signature);
    assert_eq!(reasons[0].subject, "logic::extra");
    assert!(reasons[0].expected.contains("fn(u32) -> u32"), "{reasons:?}");
    assert!(reasons[0].found.contains("fn(u64) -> u64"), "{reasons:?}");
    project.edit(
        LOGIC,
        "pub fn extra(number: u64) -> u64 {\n    number",
        "pub fn extra(number: u32) -> u32 {\n    number",
    );
    session.goes_live("logic");
}

#[test]
fn a_method_is_replaced_and_its_signature_is_checked() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    project.edit(LOGIC, "format!(\"score {}\", self.score)", "format!(\"points {}\", self.score)");
    session.goes_live("logic");
    session.prints("points 1");
    project.edit(LOGIC, "pub fn describe(&self)", "pub fn describe(&mut self)");
    let reasons = session.rejected();
    assert_eq!(reasons[0].subject, "logic::World::describe");
    assert!(reasons[0].expected.contains("fn(&World)") && reasons[0].found.contains("fn(&mut World)"), "{reasons:?}");
}

#[test]
fn a_type_that_grew_is_refused() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    project.edit(LOGIC, "pub score: u32,", "pub score: u32,\n    pub lives: [u64; 2],");
    let reasons = session.rejected();
    assert!(reasons.iter().all(|reason| reason.rule == Rule::Layout), "{reasons:?}");
    assert_eq!(reasons[0].subject, "World.lives", "{reasons:?}");
    assert!(reasons[0].notes.contains(&"size 16 → 32".to_owned()), "{reasons:?}");
}

#[test]
fn a_dependency_crate_is_rebuilt_into_the_image() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    project.edit("util/src/lib.rs", "plain", "fancy");
    session.goes_live("logic");
    session.prints("util fancy");
    // A function that only its new version has.
    project.edit("util/src/lib.rs", "\"fancy\"\n}", "\"fancy\"\n}\n\npub fn more() -> u32 {\n    3\n}");
    session.goes_live("logic");
    project.edit(LOGIC, "world.score = score();", "world.score = util::more();");
    session.goes_live("logic");
    session.prints("score 3");
}

#[test]
fn an_included_asset_is_watched() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    project.write("logic/src/asset.txt", "pear\n");
    session.goes_live("logic");
    session.prints("asset pear");
}

#[test]
fn a_syntax_error_keeps_the_program_going_and_its_fix_is_live() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    project.edit(LOGIC, "ANSWER: u32 = 42", "ANSWER: u32 = = 43");
    let words = session.build_failed();
    assert!(words.contains("logic/src/lib.rs:5"), "rustc's own rendering names the line: {words}");
    project.edit(LOGIC, "= = 43", "= 43");
    session.goes_live("logic");
    session.prints("answer 43");
}

#[test]
fn an_error_in_a_dependency_crate_is_reported_for_that_crate() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    project.edit("util/src/lib.rs", "\"plain\"", "5");
    let name = session.event("build-failed", |event| match event {
        Event::BuildFailed { crate_name, rendered, errors, .. } => {
            assert!(rendered.contains("E0308") && *errors == 1, "{rendered}");
            Some(crate_name.clone())
        }
        _ => None,
    });
    assert_eq!(name, "util");
    project.edit("util/src/lib.rs", "    5\n", "    \"mended\"\n");
    session.goes_live("logic");
    session.prints("util mended");
}

#[test]
fn host_code_is_not_reloaded_and_that_is_said() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    project.edit("game/src/main.rs", "host: over after", "host: ended after");
    let reasons = session.rejected();
    assert_eq!(reasons[0].rule, Rule::HostCode);
    assert!(reasons[0].subject.contains("game/src/main.rs"), "{reasons:?}");
}

#[test]
fn a_panic_in_new_code_reaches_the_host_and_is_reported() {
    let project = Project::new("basic");
    project.edit(
        "game/src/main.rs",
        "let now = logic::report(&mut world);",
        "let now = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| logic::report(&mut world)))\n            .unwrap_or_else(|payload| {\n                let text = payload.downcast_ref::<String>().map(String::as_str);\n                format!(\"caught {}\", text.or(payload.downcast_ref::<&str>().copied()).unwrap_or(\"?\"))\n            });",
    );
    project.edit(LOGIC, "#[reloadable]\npub fn report", "#[reloadable(on_panic = propagate)]\npub fn report");
    for linkage in ["shared", "self-contained"] {
        let mut session = project.live(&["--linkage", linkage]);
        project.edit(LOGIC, "world.score = score();", "world.score = score();\n    panic!(\"no {} left\", \"fuel\");");
        session.goes_live("logic");
        session.prints("caught no fuel left");
        let told = session.event("panicked", |event| match event {
            Event::Panicked { function, generation, message, .. } => {
                Some((function.clone(), generation.0, message.clone()))
            }
            _ => None,
        });
        assert_eq!(told, ("logic::report".to_owned(), 1, "no fuel left".to_owned()), "{linkage}");
        project.edit(LOGIC, "\n    panic!(\"no {} left\", \"fuel\");", "");
        session.goes_live("logic");
        session.prints("answer 42");
    }
}

#[test]
fn a_new_dependency_on_a_workspace_crate_goes_through_cargo() {
    let project = Project::new("basic");
    project.edit("logic/Cargo.toml", "util = { path = \"../util\" }\n", "");
    project.edit(LOGIC, "util::label()", "\"none\"");
    let mut session = project.live(&[]);
    session.prints("util none");
    let manifest = project.read("logic/Cargo.toml");
    project.write("logic/Cargo.toml", &format!("{manifest}util = {{ path = \"../util\" }}\n"));
    session.goes_live("logic");
    project.edit(LOGIC, "\"none\"", "util::label()");
    session.goes_live("logic");
    session.prints("util plain");
}

#[test]
fn a_broken_manifest_is_reported_and_its_repair_goes_on() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    let manifest = project.read("logic/Cargo.toml");
    project.write("logic/Cargo.toml", &format!("{manifest}this is no toml\n"));
    session.event("notice", |event| match event {
        Event::Notice { message } => message.contains("logic/Cargo.toml").then_some(()),
        _ => None,
    });
    project.write("logic/Cargo.toml", &manifest);
    project.edit(LOGIC, "ANSWER: u32 = 42", "ANSWER: u32 = 43");
    session.goes_live("logic");
    session.prints("answer 43");
}

#[test]
fn a_new_dependency_from_the_registry_is_linked_into_the_image() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    let manifest = project.read("logic/Cargo.toml");
    project.write("logic/Cargo.toml", &format!("{manifest}fastrand = \"2\"\n"));
    session.goes_live("logic");
    project.edit(LOGIC, "world.score = score();", "world.score = fastrand::Rng::with_seed(7).u32(3..4);");
    session.goes_live("logic");
    session.prints("score 3");
}

#[test]
fn another_version_of_a_linked_dependency_asks_for_a_restart() {
    let project = Project::new("basic");
    let manifest = project.read("logic/Cargo.toml");
    project.write("logic/Cargo.toml", &format!("{manifest}fastrand = \"=2.0.0\"\n"));
    project.edit(LOGIC, "world.score = score();", "world.score = fastrand::Rng::with_seed(7).u32(3..4);");
    let mut session = project.live(&[]);
    session.prints("score 3");
    project.edit("logic/Cargo.toml", "=2.0.0", "=2.0.1");
    let reasons = session.rejected();
    assert_eq!(reasons[0].rule, Rule::Dependencies, "{reasons:?}");
    assert_eq!(reasons[0].subject, "dependency `fastrand` of `logic`");
    assert!(reasons[0].expected.starts_with("2.0.0 (features "), "{reasons:?}");
    assert!(reasons[0].found.starts_with("2.0.1 (features "), "{reasons:?}");
    project.edit("logic/Cargo.toml", "=2.0.1", "=2.0.0");
    project.edit(LOGIC, "u32(3..4)", "u32(4..5)");
    session.goes_live("logic");
    session.prints("score 4");
}

#[test]
fn the_dependency_that_moved_is_named_and_not_the_one_above_it() {
    let project = Project::new("basic");
    let package = |name: &str| format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n");
    project.edit("Cargo.toml", "[workspace]\n", "[workspace]\nexclude = [\"others\"]\n");
    let upper = format!("{}\n[dependencies]\nlower = {{ path = \"../lower\" }}\n", package("upper"));
    project.write("others/upper/Cargo.toml", &upper);
    project.write("others/upper/src/lib.rs", "pub use lower::three;\n");
    project.write("others/lower/Cargo.toml", &format!("{}\n[features]\nloud = []\n", package("lower")));
    project.write("others/lower/src/lib.rs", "pub fn three() -> u32 {\n    3\n}\n");
    let manifest = project.read("logic/Cargo.toml");
    let with_upper = format!("{manifest}upper = {{ path = \"../others/upper\" }}\n");
    project.write("logic/Cargo.toml", &with_upper);
    project.edit(LOGIC, "world.score = score();", "world.score = upper::three();");
    let mut session = project.live(&[]);
    session.prints("score 3");
    project.edit("others/lower/Cargo.toml", "0.1.0", "0.1.1");
    project.write("logic/Cargo.toml", &format!("{with_upper}\n"));
    let reasons = session.rejected();
    assert_eq!(reasons[0].subject, "dependency `lower` of `logic`", "{reasons:?}");
    assert_eq!((&*reasons[0].expected, &*reasons[0].found), ("0.1.0 (no features)", "0.1.1 (no features)"));
    project.edit("others/lower/Cargo.toml", "0.1.1", "0.1.0");
    project.edit("others/upper/Cargo.toml", "\"../lower\"", "\"../lower\", features = [\"loud\"]");
    project.write("logic/Cargo.toml", &with_upper);
    let reasons = session.rejected();
    assert_eq!(reasons[0].subject, "dependency `lower` of `logic`", "{reasons:?}");
    assert_eq!((&*reasons[0].expected, &*reasons[0].found), ("0.1.0 (no features)", "0.1.0 (features loud)"));
}

#[test]
fn a_new_crate_of_any_name_leaves_the_others_reloadable() {
    let project = Project::new("basic");
    let mut session = project.live(&[]);
    project.write("alpha/Cargo.toml", "[package]\nname = \"alpha\"\nversion = \"0.1.0\"\nedition = \"2021\"\n");
    project.write("alpha/src/lib.rs", "pub fn seven() -> u32 {\n    7\n}\n");
    project.edit("Cargo.toml", "[\"game\"", "[\"alpha\", \"game\"");
    let manifest = project.read("logic/Cargo.toml");
    project.write("logic/Cargo.toml", &format!("{manifest}alpha = {{ path = \"../alpha\" }}\n"));
    session.goes_live("logic");
    project.edit(LOGIC, "world.score = score();", "world.score = alpha::seven();");
    session.goes_live("logic");
    session.prints("score 7");
    project.edit("alpha/src/lib.rs", "    7\n", "    8\n");
    session.goes_live("logic");
    session.prints("score 8");
}
