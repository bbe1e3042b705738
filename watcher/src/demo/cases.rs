//! The cases of `version-match`: what is changed, and what has to come of it.

use pitstop_contract::Rule;

/// One variant of the plugin.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// What is changed, for a person.
    pub(super) change: &'static str,
    pub(super) expected: Expected,
    /// In the example's files, before it is built.
    pub(super) edits: &'static [Edit],
    /// For `rustc -C`, on top of those that the program was built with.
    pub(super) options: &'static [&'static str],
    /// Whether it is linked with a `std` and dependencies of its own.
    pub(super) is_static: bool,
    pub(super) compiler: Compiler,
    /// What is done to the file, after it is built.
    pub(super) damage: Option<Damage>,
}

/// What Pitstop has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// The first finding is of this rule.
    Refused(Rule),
    Accepted,
    /// Accepted, and a note contains this.
    Noted(&'static str),
}

/// Which compiler builds the plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compiler {
    /// The program's.
    Same,
    /// A nightly, where one is installed; else the descriptor is made to say so.
    Other,
}

/// A text in a file of the example, and what takes its place.
pub(super) struct Edit {
    pub(super) file: &'static str,
    pub(super) from: &'static str,
    pub(super) to: &'static str,
}

/// What becomes of a built plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Damage {
    /// All from where the code of `tick` begins is missing.
    Cut,
    /// After it was published, one bit of `tick`'s first instruction is another.
    Flipped,
    Empty,
    /// The descriptor names another compiler.
    OtherCompiler,
    /// The header says that it is for another processor.
    OtherMachine,
    /// The header says that it is for 32 bits.
    Narrow,
    Script,
    /// Another library, that nobody built with Pitstop: `std` itself.
    Stranger,
    LinkLoop,
    Fifo,
}

const PLUGIN: &str = "plugin/src/lib.rs";
const PLUGIN_MANIFEST: &str = "plugin/Cargo.toml";
const GEOMETRY: &str = "geometry/src/lib.rs";
const GEOMETRY_MANIFEST: &str = "geometry/Cargo.toml";

const fn edit(file: &'static str, from: &'static str, to: &'static str) -> Edit {
    Edit { file, from, to }
}

/// A feature of the processor that the program was not built to rely on.
const TARGET_FEATURE: &str = if cfg!(target_arch = "x86_64") { "target-feature=+avx2" } else { "target-feature=+crc" };

impl Case {
    const fn refused(name: &'static str, rule: Rule, change: &'static str) -> Self {
        Self::new(name, Expected::Refused(rule), change)
    }

    const fn accepted(name: &'static str, change: &'static str, edits: &'static [Edit]) -> Self {
        Self::new(name, Expected::Accepted, change).edits(edits)
    }

    const fn new(name: &'static str, expected: Expected, change: &'static str) -> Self {
        let compiler = Compiler::Same;
        Self { name, change, expected, edits: &[], options: &[], is_static: false, compiler, damage: None }
    }

    const fn edits(self, edits: &'static [Edit]) -> Self {
        Self { edits, ..self }
    }

    const fn options(self, options: &'static [&'static str]) -> Self {
        Self { options, ..self }
    }

    const fn linked_statically(self) -> Self {
        Self { is_static: true, ..self }
    }

    const fn other_compiler(self) -> Self {
        Self { compiler: Compiler::Other, ..self }
    }

    const fn damage(self, damage: Damage) -> Self {
        Self { damage: Some(damage), ..self }
    }
}

/// All cases, in the order in which they are shown.
pub(super) const CASES: &[Case] = &[
    // How it is built.
    Case::refused("other-compiler", Rule::Compiler, "a nightly rustc").other_compiler(),
    Case::refused("other-profile", Rule::Profile, "opt-level 3, no asserts")
        .options(&["opt-level=3", "debug-assertions=off"]),
    // The dynamic `std` unwinds, so that this one needs a `std` of its own.
    Case::refused("other-panic", Rule::Profile, "panic = \"abort\"").options(&["panic=abort"]).linked_statically(),
    Case::refused("target-features", Rule::Profile, TARGET_FEATURE).options(&[TARGET_FEATURE]),
    Case::refused("static-std", Rule::Linkage, "a std of its own").linked_statically(),
    // Not below `src`, where one would be taken for the program's.
    Case::refused("other-allocator", Rule::Allocator, "a #[global_allocator]").edits(&[edit(
        PLUGIN,
        "use geometry::Vector;",
        "#[path = \"../arena.rs\"]\nmod arena;\n\nuse geometry::Vector;",
    )]),
    // What it is built of.
    Case::refused("dependency-version", Rule::Dependencies, "geometry 2.0.0").edits(&[
        edit(GEOMETRY_MANIFEST, "version = \"1.0.0\"", "version = \"2.0.0\""),
        // It means something else by the same bytes.
        edit(GEOMETRY, "self.x.hypot(self.y)", "self.x * self.x + self.y * self.y"),
    ]),
    Case::refused("dependency-features", Rule::Dependencies, "geometry/manhattan").edits(&[edit(
        PLUGIN_MANIFEST,
        "path = \"../geometry\"",
        "path = \"../geometry\", features = [\"manhattan\"]",
    )]),
    Case::refused("plugin-features", Rule::Dependencies, "plugin/loud").edits(&[edit(
        PLUGIN_MANIFEST,
        "[features]\n",
        "[features]\ndefault = [\"loud\"]\n",
    )]),
    // The types that cross.
    Case::refused("field-added", Rule::Layout, "Ball.spin: f32").edits(&[
        edit(
            PLUGIN,
            "    /// Half its width.",
            "    /// How fast it turns.\n    pub spin: f32,\n    /// Half its width.",
        ),
        edit(PLUGIN, "speed, radius, mass }", "speed, spin: 0.0, radius, mass }"),
    ]),
    Case::refused("field-removed", Rule::Layout, "Ball.speed").edits(&[
        edit(PLUGIN, "    /// Its speed, per second.\n    pub speed: Vector,\n", ""),
        edit(PLUGIN, "    let speed = Vector::new(1.0, 0.0);\n", ""),
        edit(PLUGIN, "place, speed, radius", "place, radius"),
        edit(PLUGIN, "        ball.speed.x += push.right * seconds;\n        ball.speed.y += push.up * seconds;\n", ""),
        edit(PLUGIN, "ball.speed.x * seconds", "push.right * seconds"),
        edit(PLUGIN, "ball.speed.y * seconds", "push.up * seconds"),
        edit(PLUGIN, "        tell(\"speed\", f64::from(ball.speed.length()));\n", ""),
    ]),
    Case::refused("field-reordered", Rule::Layout, "mass before radius").edits(&[edit(
        PLUGIN,
        "    /// Half its width.\n    pub radius: f32,\n    /// What it weighs.\n    pub mass: f32,\n",
        "    /// What it weighs.\n    pub mass: f32,\n    /// Half its width.\n    pub radius: f32,\n",
    )]),
    Case::refused("field-retyped", Rule::Layout, "Ball.radius: f32 → u32").edits(&[
        edit(PLUGIN, "pub radius: f32,", "pub radius: u32,"),
        edit(PLUGIN, "fn ball(radius: f32,", "fn ball(radius: u32,"),
        edit(PLUGIN, "ball(2.0, 8.0), ball(3.0, 27.0)", "ball(2, 8.0), ball(3, 27.0)"),
    ]),
    Case::refused("variant-added", Rule::Layout, "Weather::Rain").edits(&[
        edit(PLUGIN, "    /// It blows to", "    /// It falls with this force.\n    Rain(f32),\n    /// It blows to"),
        edit(
            PLUGIN,
            "        Weather::Calm => 0.0,\n",
            "        Weather::Calm => 0.0,\n        Weather::Rain(force) => -*force,\n",
        ),
    ]),
    Case::refused("nested-type", Rule::Layout, "geometry::Vector.z").edits(&[
        edit(GEOMETRY, "    /// Upwards.\n", "    /// Towards the eye.\n    pub z: f32,\n    /// Upwards.\n"),
        edit(GEOMETRY, "Self { x, y }", "Self { x, y, z: 0.0 }"),
    ]),
    Case::refused("generic-argument", Rule::Layout, "trail: Vec<[f64; 2]>").edits(&[
        edit(PLUGIN, "pub trail: Vec<Vector>", "pub trail: Vec<[f64; 2]>"),
        edit(
            PLUGIN,
            "vec![from, world.balls[0].place]",
            "[from, world.balls[0].place].iter().map(|place| [place.x.into(), place.y.into()]).collect()",
        ),
        edit(PLUGIN, "f64::from(place.x)", "place[0]"),
    ]),
    // The functions.
    Case::refused("signature", Rule::Signature, "tick(.., seconds: f64)").edits(&[edit(
        PLUGIN,
        "world: &mut World, seconds: f32) {\n",
        "world: &mut World, seconds: f64) {\n    let seconds = seconds as f32;\n",
    )]),
    Case::refused("function-removed", Rule::Missing, "tick → advance").edits(&[edit(
        PLUGIN,
        "pub fn tick(",
        "pub fn advance(",
    )]),
    // The file.
    Case::refused("truncated", Rule::Complete, "cut where tick begins").damage(Damage::Cut),
    Case::refused("bit-flipped", Rule::Checksum, "one bit of tick's code").damage(Damage::Flipped),
    Case::refused("empty", Rule::Complete, "no bytes").damage(Damage::Empty),
    Case::refused("other-architecture", Rule::Target, "ELF header: another CPU").damage(Damage::OtherMachine),
    Case::refused("32-bit", Rule::Target, "ELF header: 32 bits").damage(Damage::Narrow),
    Case::refused("script", Rule::Complete, "a shell script").damage(Damage::Script),
    Case::refused("other-library", Rule::Descriptor, "libstd itself").damage(Damage::Stranger),
    Case::refused("symlink-loop", Rule::File, "a link to itself").damage(Damage::LinkLoop),
    Case::refused("fifo", Rule::File, "a FIFO without a writer").damage(Damage::Fifo),
    // What does no harm.
    Case::new("field-renamed", Expected::Noted("TypeId"), "Ball.mass → Ball.weight").edits(&[
        edit(PLUGIN, "pub mass: f32", "pub weight: f32"),
        edit(PLUGIN, "radius, mass }", "radius, weight: mass }"),
        edit(PLUGIN, "ball.mass", "ball.weight"),
    ]),
    Case::accepted(
        "body",
        "look tells more",
        &[edit(
            PLUGIN,
            "        tell(\"speed\"",
            "        tell(\"energy\", f64::from(ball.mass * ball.speed.length().powi(2) / 2.0));\n        tell(\"speed\"",
        )],
    ),
    Case::accepted(
        "private-function",
        "a helper",
        &[
            edit(PLUGIN, "fn push(", "fn fall() -> f32 {\n    -GRAVITY\n}\n\nfn push("),
            edit(PLUGIN, "up: -GRAVITY", "up: fall()"),
        ],
    ),
    Case::accepted(
        "private-type",
        "Push.drag, inside",
        &[
            edit(PLUGIN, "struct Push {\n", "struct Push {\n    drag: f64,\n"),
            edit(PLUGIN, "Push { right:", "Push { drag: 0.0, right:"),
            edit(PLUGIN, "push.up * seconds", "(push.up + push.drag as f32) * seconds"),
        ],
    ),
    Case::accepted(
        "public-function",
        "stop, reloadable",
        &[edit(
            PLUGIN,
            "fn push(",
            "/// Stops everything.\n#[reloadable]\npub fn stop(world: &mut World) {\n    world.balls.clear();\n}\n\nfn push(",
        )],
    ),
    Case::accepted(
        "comment",
        "other documentation",
        &[
            edit(PLUGIN, "/// A ball.\n", "/// A ball, which is round.\n"),
            edit(PLUGIN, "/// Downwards, per second squared.\n", "// Down.\n\n\n"),
        ],
    ),
];
