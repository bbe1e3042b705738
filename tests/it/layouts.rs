//! Edits of types: what would be read wrongly is refused with its path, all else goes live.

use pitstop_contract::event::Event;
use pitstop_contract::{Reason, Rule};
use pitstop_tests::{Project, Session};

const LOGIC: &str = "logic/src/lib.rs";

/// What the host said when it had proven an image.
struct Proof {
    types: usize,
    gaps: Vec<String>,
    notes: Vec<String>,
}

fn proven(session: &mut Session) -> Proof {
    session.event("verified", |event| match event {
        Event::Verified { types, gaps, notes, .. } => {
            Some(Proof { types: *types, gaps: gaps.clone(), notes: notes.clone() })
        }
        Event::Rejected { reasons, .. } => panic!("refused: {reasons:?}"),
        Event::BuildFailed { rendered, .. } => panic!("the build failed: {rendered}"),
        _ => None,
    })
}

/// A running program whose types are edited, one edit at a time, each undone.
struct Edited {
    project: Project,
    session: Session,
    looks: u32,
}

impl Edited {
    fn new(arguments: &[&str]) -> Self {
        Self::of(Project::new("types"), arguments)
    }

    fn of(project: Project, arguments: &[&str]) -> Self {
        let mut session = project.live(arguments);
        session.prints("look 0, sum 6, Calm, extra 11, effects 5, list 7, picked 3");
        Self { project, session, looks: 0 }
    }

    /// Makes the edits, and undoes them when they were refused.
    fn refuses(&mut self, edits: &[(&str, &str)]) -> Vec<Reason> {
        self.refuses_in(LOGIC, edits)
    }

    fn refuses_in(&mut self, file: &str, edits: &[(&str, &str)]) -> Vec<Reason> {
        let before = self.project.read(file);
        self.edit(file, edits);
        let reasons = self.session.rejected();
        assert!(reasons.iter().all(|reason| !reason.advice.is_empty()), "{reasons:?}");
        self.project.write(file, &before);
        // The program goes on, and takes what matches.
        self.shows_new_code();
        reasons
    }

    fn accepts(&mut self, edits: &[(&str, &str)]) -> Proof {
        self.edit(LOGIC, edits);
        let proof = proven(&mut self.session);
        self.session.goes_live("logic");
        self.shows_new_code();
        proof
    }

    fn edit(&self, file: &str, edits: &[(&str, &str)]) {
        let text = edits.iter().fold(self.project.read(file), |text, (from, to)| {
            assert!(text.contains(from), "{file} has no `{from}`");
            text.replace(from, to)
        });
        self.project.write(file, &text);
    }

    fn shows_new_code(&mut self) {
        let next = self.looks + 1;
        self.project.edit(LOGIC, &format!("LOOK: u32 = {};", self.looks), &format!("LOOK: u32 = {next};"));
        self.looks = next;
        self.session.goes_live("logic");
        self.session.prints(&format!("look {next}, sum 6"));
    }
}

fn is_layout(reasons: &[Reason], subject: &str, expected: &str, found: &str) {
    let fits = |reason: &Reason| {
        reason.rule == Rule::Layout && reason.subject == subject && reason.expected == expected && reason.found == found
    };
    assert!(reasons.iter().any(fits), "no `{subject}: {expected} → {found}` among {reasons:#?}");
}

#[test]
fn a_field_behind_a_vec_that_comes_goes_moves_or_changes_its_type_is_refused_by_path() {
    let mut edited = Edited::new(&[]);
    let reasons =
        edited.refuses(&[("pub hue: u32", "pub hue: u32,\n    pub age: u64"), ("hue: n }", "hue: n, age: 0 }")]);
    is_layout(&reasons, "World.balls[].age", "no such field", "u64 at 0");
    let notes = &reasons[0].notes;
    assert!(notes.contains(&"reached from logic::create(result)".to_owned()), "{notes:?}");
    assert!(notes.iter().any(|note| note.starts_with("size 12 → 24")), "{notes:?}");

    let reasons = edited.refuses(&[("    pub mass: f32,\n", ""), ("mass: 1.0, ", "")]);
    is_layout(&reasons, "World.balls[].mass", "f32 at 4", "no such field");

    // Of one size: nothing but the type tells.
    let reasons = edited.refuses(&[("pub hue: u32", "pub hue: f32"), ("hue: n }", "hue: n as f32 }")]);
    is_layout(&reasons, "World.balls[].hue", "u32 at 8", "f32 at 8");

    let reasons = edited.refuses(&[("    pub x: f32,\n    pub mass: f32,", "    pub mass: f32,\n    pub x: f32,")]);
    is_layout(&reasons, "World.balls[].x", "f32 at 0", "f32 at 4");
}

#[test]
fn enums_generics_maps_traits_and_nested_crates_are_looked_into() {
    let mut edited = Edited::new(&[]);
    let reasons = edited.refuses(&[("    Gone,\n}", "    Gone,\n    Tiny(u8),\n}")]);
    is_layout(&reasons, "World.shapes[].Tiny", "no such variant", "variant 3");

    let reasons = edited.refuses(&[("Wild = 2", "Wild = 3")]);
    is_layout(&reasons, "World.mood.Wild", "variant 2", "variant 3");

    let reasons = edited.refuses(&[("Grid<u16, 2>", "Grid<i16, 2>")]);
    is_layout(&reasons, "World.grid.cells[][]", "u16", "i16");

    let reasons = edited.refuses(&[(
        "fn apply(&self, light: &Light) -> u32;",
        "fn apply(&self, light: &Light) -> u32;\n    fn more(&self) -> u32 { 1 }",
    )]);
    assert!(reasons.iter().all(|reason| reason.rule == Rule::Layout), "{reasons:?}");
    assert!(reasons[0].subject.starts_with("World.effects[]"), "{reasons:?}");

    // Of one length: only the methods' places tell.
    let reasons = edited.refuses(&[
        (
            "fn apply(&self, light: &Light) -> u32;\n",
            "fn name(&self) -> u32 { 1 }\n    fn apply(&self, light: &Light) -> u32;\n",
        ),
        ("    fn name(&self) -> u32 { 9 }\n}", "}"),
    ]);
    is_layout(&reasons, "dyn logic::Effect", "methods apply, name", "methods name, apply");

    // Of what a method behind `dyn` is given, by whichever image's code.
    let reasons = edited.refuses(&[
        ("pub level: u32", "pub level: f32"),
        ("Light { level: 0 }", "Light { level: 0.0 }"),
        ("light.level", "light.level as u32"),
    ]);
    is_layout(&reasons, "Light.level", "u32 at 0", "f32 at 0");

    let reasons = edited.refuses_in("parts/src/lib.rs", &[("pub spokes: u32", "pub spokes: i32")]);
    is_layout(&reasons, "World.wheels?[].spokes", "u32 at 4", "i32 at 4");

    let reasons = edited.refuses(&[
        ("pick: fn(&World) -> u32", "pick: fn(&World) -> u64"),
        ("len() as u32", "len() as u64"),
        ("helper(&sum) +", "helper(&sum) as u32 +"),
    ]);
    is_layout(&reasons, "World.pick(result)", "u32", "u64");
}

#[test]
fn a_type_that_values_are_kept_by_is_proven_though_no_signature_names_it() {
    let mut edited = Edited::new(&[]);
    let reasons = edited.refuses(&[
        ("    value: u32,\n}\n\n/// Lives", "    value: f32,\n}\n\n/// Lives"),
        ("Extra { value: 11 }", "Extra { value: 11.0 }"),
        ("extra.value).sum()", "extra.value as u32).sum()"),
    ]);
    is_layout(&reasons, "Extra.value", "u32 at 0", "f32 at 0");
    // One that the program does not know, and that two images do.
    let store = "struct Late { age: u32 }\n\n#[reloadable]\npub fn report(";
    let keep = "world.frames += 1;\n    if world.extras.len() == 1 { world.extras.push(Box::new(Late { age: 1 })); }\n    let late = world.extras.iter().find_map(|extra| extra.downcast_ref::<Late>()).map_or(0, |late| late.age as u32);\n    assert!(late <= 1);";
    edited.accepts(&[("#[reloadable]\npub fn report(", store), ("world.frames += 1;", keep)]);
    let reasons =
        edited.refuses(&[("Late { age: u32 }", "Late { age: f32 }"), ("Late { age: 1 }", "Late { age: 1.0 }")]);
    is_layout(&reasons, "Late.age", "u32 at 0", "f32 at 0");
}

#[test]
fn what_does_not_cross_may_change_and_what_is_only_renamed_is_noted() {
    let mut edited = Edited::new(&[]);
    let first = edited.accepts(&[("world.frames += 1", "world.frames += 2")]);
    assert!(first.types > 20 && first.gaps.is_empty(), "{} types, {:?}", first.types, first.gaps);
    // With a reloadable function that only the crate itself calls.
    edited
        .accepts(&[("    total: f32,", "    more: u64,\n    total: f32,"), ("Sum { total:", "Sum { more: 1, total:")]);
    edited.accepts(&[(
        "#[derive(Clone, Copy, Debug, PartialEq)]\npub enum Mood",
        "pub struct Fresh(pub u8);\n#[derive(Clone, Copy, Debug, PartialEq)]\npub enum Mood",
    )]);
    let proof = edited.accepts(&[("pub mass: f32", "pub weight: f32"), ("mass: 1.0", "weight: 1.0")]);
    let renamed =
        |note: &&String| note.starts_with("World.balls[].mass is now called weight") && note.contains("TypeId");
    assert_eq!(proof.notes.iter().filter(renamed).count(), 1, "{:?}", proof.notes);
}

#[test]
fn what_starts_afresh_and_what_points_into_old_images_is_told() {
    let mut edited = Edited::new(&[]);
    let notes = edited.accepts(&[("world.frames += 1", "world.frames += 2")]).notes;
    let told = |start: &str| assert!(notes.iter().any(|note| note.starts_with(start)), "no `{start}` among {notes:#?}");
    told("static logic::REPORTS starts afresh");
    told("thread-local logic::DEPTH starts afresh");
    told("World.effects[] (trait object `Box<dyn logic::Effect>`)");
    told("World.name (");
    told("World.pick (");
    assert!(notes.iter().all(|note| !note.contains("__")), "{notes:#?}");
}

#[test]
fn where_debug_info_leaves_types_out_the_weaker_check_is_stated() {
    let project = Project::new("types");
    project
        .write("Cargo.toml", &format!("{}\n[profile.dev]\ndebug = \"line-tables-only\"\n", project.read("Cargo.toml")));
    let mut edited = Edited::of(project, &[]);
    let proof = edited.accepts(&[("world.frames += 1", "world.frames += 2")]);
    assert!(proof.gaps.iter().any(|gap| gap.contains("debug info")), "{:?}", proof.gaps);
    // Of the types in signatures, the size is still compared.
    let reasons = edited.refuses(&[
        ("pub frames: u64,", "pub frames: u64,\n    pub more: u64,"),
        ("frames: 0,", "frames: 0, more: 0,"),
    ]);
    assert_eq!(reasons[0].rule, Rule::Layout, "{reasons:?}");
}

#[test]
fn types_are_proven_in_optimised_builds_and_with_split_debug_info() {
    let project = Project::new("types");
    let profile = "\n[profile.dev.package.logic]\nopt-level = 3\nsplit-debuginfo = \"packed\"\n";
    project.write("Cargo.toml", &format!("{}{profile}", project.read("Cargo.toml")));
    let mut edited = Edited::of(project, &[]);
    let proof = edited.accepts(&[("world.frames += 1", "world.frames += 2")]);
    assert!(proof.types > 20 && proof.gaps.is_empty(), "{:?}", proof.gaps);
    let reasons = edited.refuses(&[("pub hue: u32", "pub hue: f32"), ("hue: n }", "hue: n as f32 }")]);
    is_layout(&reasons, "World.balls[].hue", "u32 at 8", "f32 at 8");
    let reasons = edited.refuses(&[
        ("    value: u32,\n}\n\n/// Lives", "    value: f32,\n}\n\n/// Lives"),
        ("Extra { value: 11 }", "Extra { value: 11.0 }"),
        ("extra.value).sum()", "extra.value as u32).sum()"),
    ]);
    is_layout(&reasons, "Extra.value", "u32 at 0", "f32 at 0");
}
