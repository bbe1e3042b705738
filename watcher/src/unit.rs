//! One rustc command as cargo would run it, taken apart so that it can be run in other forms.

use pitstop_contract::dependency::{Dependencies, Dependency};
use pitstop_contract::descriptor::{Facts, fact};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What the wrapper writes down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Captured {
    pub(crate) rustc: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) directory: PathBuf,
    /// What cargo added to the environment that the command was started with.
    pub(crate) environment: BTreeMap<String, String>,
}

/// One flag and its value. `-Copt-level=3`, `-C opt-level=3` and `--codegen=opt-level=3` are the same.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Argument {
    pub(crate) flag: String,
    pub(crate) value: Option<String>,
}

/// A crate of the workspace, and how rustc is called for it.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    pub(crate) crate_name: String,
    pub(crate) version: String,
    pub(crate) manifest_directory: PathBuf,
    pub(crate) crate_types: Vec<String>,
    /// The `-C metadata` that makes its types its own. Kept over all generations, or `TypeId`s would change.
    pub(crate) metadata: String,
    /// The `-C extra-filename` that cargo chose.
    pub(crate) suffix: String,
    pub(crate) externs: Vec<Extern>,
    pub(crate) captured: Captured,
    pub(crate) arguments: Vec<Argument>,
    /// Other people's crates that are linked into it, directly or not.
    pub(crate) dependencies: Dependencies,
}

/// `--extern name=path`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Extern {
    /// With modifiers, as in `priv:name`.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

impl Extern {
    /// The file's name without `lib` and extension: crate and suffix.
    pub(crate) fn stem(&self) -> &str {
        let stem = self.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("");
        stem.strip_prefix("lib").unwrap_or(stem)
    }

    /// The library itself where cargo named its metadata only.
    pub(crate) fn rlib(&self) -> PathBuf {
        match self.path.extension() {
            Some(extension) if extension == "rmeta" => self.path.with_extension("rlib"),
            _ => self.path.clone(),
        }
    }

    pub(crate) fn is_proc_macro(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == std::env::consts::DLL_EXTENSION)
    }
}

impl Unit {
    pub(crate) fn new(captured: Captured) -> Option<Self> {
        let arguments = parse(&captured.arguments);
        let environment = |name: &str| captured.environment.get(name).cloned().unwrap_or_default();
        let values = |flag: &str| {
            let matching = arguments.iter().filter(|argument| argument.flag == flag);
            matching.filter_map(|argument| argument.value.clone()).collect::<Vec<_>>()
        };
        let externs = values("--extern").into_iter().filter_map(|value| {
            let (name, path) = value.split_once('=')?;
            Some(Extern { name: name.to_owned(), path: captured.directory.join(path) })
        });
        let unit = Self {
            crate_name: values("--crate-name").pop()?,
            version: environment("CARGO_PKG_VERSION"),
            manifest_directory: PathBuf::from(environment("CARGO_MANIFEST_DIR")),
            crate_types: values("--crate-type"),
            metadata: codegen(&arguments, "metadata").unwrap_or_default(),
            suffix: codegen(&arguments, "extra-filename").unwrap_or_default(),
            externs: externs.collect(),
            arguments: arguments.clone(),
            captured,
            dependencies: Dependencies::new(),
        };
        Some(unit)
    }

    /// Compiles as that crate, whatever cargo chose.
    pub(crate) fn set_metadata(&mut self, metadata: &str) {
        for argument in &mut self.arguments {
            let is_metadata = argument.value.as_deref().is_some_and(|value| value.starts_with("metadata="));
            if argument.flag == "-C" && is_metadata {
                argument.value = Some(format!("metadata={metadata}"));
            }
        }
        metadata.clone_into(&mut self.metadata);
    }

    /// Whether rustc would do the same. Names that cargo derives from a hash of everything do not count.
    pub(crate) fn is_same_command(&self, other: &Self) -> bool {
        self.is_same_but_for(other, &["--extern"])
    }

    /// The same for what is linked into the program: that one of its crates has a new dependency adds a folder to look for
    /// libraries in.
    pub(crate) fn is_same_program(&self, other: &Self) -> bool {
        self.is_same_but_for(other, &["--extern", "-L"])
    }

    fn is_same_but_for(&self, other: &Self, flags: &[&str]) -> bool {
        let essence = |unit: &Self| {
            let derived = ["metadata=", "extra-filename=", "incremental="];
            let kept = unit.arguments.iter().filter(|argument| {
                let value = argument.value.as_deref().unwrap_or("");
                !flags.contains(&argument.flag.as_str()) && !derived.iter().any(|name| value.starts_with(name))
            });
            kept.cloned().collect::<Vec<_>>()
        };
        let third_party = |unit: &Self| unit.externs.iter().map(|found| found.name.clone()).collect::<Vec<_>>();
        essence(self) == essence(other)
            && third_party(self) == third_party(other)
            && self.captured.environment == other.captured.environment
    }

    /// Whether both are the same crate, however it is called for.
    pub(crate) fn is_same_crate(&self, other: &Self) -> bool {
        self.crate_name == other.crate_name
            && self.manifest_directory == other.manifest_directory
            && self.is_program() == other.is_program()
    }

    /// Crate and suffix: how other units' `--extern` arguments name it.
    pub(crate) fn stem(&self) -> String {
        format!("{}{}", self.crate_name, self.suffix)
    }

    pub(crate) fn is_program(&self) -> bool {
        self.crate_types.iter().any(|kind| kind == "bin")
    }

    /// Where the compiled file would lie, beside all others of the build.
    pub(crate) fn out_directory(&self) -> Option<PathBuf> {
        let out = self.arguments.iter().find(|argument| argument.flag == "--out-dir")?;
        Some(self.captured.directory.join(out.value.as_ref()?))
    }

    pub(crate) fn codegen(&self, option: &str) -> Option<String> {
        codegen(&self.arguments, option)
    }

    /// The target triple, where cargo names one.
    pub(crate) fn target(&self) -> Option<&str> {
        let target = self.arguments.iter().find(|argument| argument.flag == "--target")?;
        target.value.as_deref()
    }

    /// The crate's root file, as rustc is given it.
    fn source(&self) -> Option<&str> {
        let mut plain = self.arguments.iter().filter(|argument| argument.flag.is_empty());
        plain.find_map(|argument| argument.value.as_deref().filter(|value| value.ends_with(".rs")))
    }

    fn features(&self) -> BTreeSet<String> {
        let given = self.arguments.iter().filter(|argument| argument.flag == "--cfg");
        let names =
            given.filter_map(|argument| argument.value.as_deref()?.strip_prefix("feature=\"")?.strip_suffix('"'));
        names.map(str::to_owned).collect()
    }

    /// What it is to the crates that depend on it.
    pub(crate) fn as_dependency(&self) -> Dependency {
        Dependency { version: self.version.clone(), identity: self.metadata.clone(), features: self.features() }
    }

    /// What goes into the descriptor. What depends on the linkage is added by the caller.
    pub(crate) fn facts(&self, compiler: &Compiler) -> Facts {
        let opt_level = self.codegen("opt-level").unwrap_or_else(|| "0".to_owned());
        let flag = |name: &str, default: bool| match self.codegen(name).as_deref() {
            Some("on" | "yes" | "y" | "true" | "") => "on".to_owned(),
            Some(_) => "off".to_owned(),
            None => (if default { "on" } else { "off" }).to_owned(),
        };
        let debug_assertions = flag("debug-assertions", opt_level == "0");
        let overflow_checks = flag("overflow-checks", debug_assertions == "on");
        // Each of these adds to those before it.
        let target_features: Vec<String> = codegens(&self.arguments, "target-feature").collect();
        let values = [
            (fact::RUSTC, compiler.version.clone()),
            (fact::RUSTC_COMMIT, compiler.commit.clone()),
            (fact::TARGET, self.target().unwrap_or(&compiler.host).to_owned()),
            (fact::PANIC, self.codegen("panic").unwrap_or_else(|| "unwind".to_owned())),
            (fact::OPT_LEVEL, opt_level),
            (fact::DEBUG_ASSERTIONS, debug_assertions),
            (fact::OVERFLOW_CHECKS, overflow_checks),
            (fact::TARGET_CPU, self.codegen("target-cpu").unwrap_or_default()),
            (fact::TARGET_FEATURE, target_features.join(",")),
            (fact::FEATURES, self.features().into_iter().collect::<Vec<_>>().join(",")),
            (fact::VERSION, self.version.clone()),
            (fact::METADATA, self.metadata.clone()),
            (fact::SOURCE, self.source().unwrap_or_default().to_owned()),
        ];
        Facts {
            crate_name: self.crate_name.clone(),
            values: values.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        }
    }
}

/// What rustc says of itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Compiler {
    /// The compiler itself, not rustup's proxy of the same name: the proxy costs 13 to 31 ms a call.
    pub(crate) path: PathBuf,
    /// `1.95.0 (59807616e 2026-04-14)`.
    pub(crate) version: String,
    /// The whole hash.
    pub(crate) commit: String,
    /// The triple that it runs on.
    pub(crate) host: String,
    /// The folder of `libstd-*.so`.
    pub(crate) libraries: PathBuf,
}

/// The last one holds, as for rustc.
fn codegen(arguments: &[Argument], option: &str) -> Option<String> {
    codegens(arguments, option).last()
}

fn codegens(arguments: &[Argument], option: &str) -> impl Iterator<Item = String> {
    arguments.iter().filter_map(move |argument| match argument.flag.as_str() {
        "-C" => {
            let value = argument.value.as_deref()?;
            let (name, value) = value.split_once('=').unwrap_or((value, ""));
            (name.replace('_', "-") == option).then(|| value.to_owned())
        }
        "-O" => (option == "opt-level").then(|| "3".to_owned()),
        _ => None,
    })
}

/// Flags whose value is the next argument unless it is joined.
const WITH_VALUE: [&str; 32] = [
    "-C",
    "-L",
    "-l",
    "-o",
    "-A",
    "-W",
    "-D",
    "-F",
    "-Z",
    "--codegen",
    "--extern",
    "--crate-type",
    "--crate-name",
    "--emit",
    "--out-dir",
    "--edition",
    "--cfg",
    "--check-cfg",
    "--target",
    "--cap-lints",
    "--allow",
    "--warn",
    "--deny",
    "--forbid",
    "--force-warn",
    "--print",
    "--error-format",
    "--json",
    "--sysroot",
    "--remap-path-prefix",
    "--color",
    "--diagnostic-width",
];

/// Takes a command line apart. The source file has an empty flag.
pub(crate) fn parse(arguments: &[String]) -> Vec<Argument> {
    let mut parsed = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let (flag, value) = if WITH_VALUE.contains(&argument.as_str()) {
            (argument.clone(), rest.next().cloned())
        } else if let Some((flag, value)) = argument.split_once('=').filter(|(flag, _)| flag.starts_with("--")) {
            (flag.to_owned(), Some(value.to_owned()))
        } else if argument.starts_with('-')
            && !argument.starts_with("--")
            && WITH_VALUE.contains(&&argument[..2.min(argument.len())])
        {
            (argument[..2].to_owned(), Some(argument[2..].to_owned()))
        } else if argument.starts_with('-') {
            (argument.clone(), None)
        } else {
            (String::new(), Some(argument.clone()))
        };
        let flag = if flag == "--codegen" { "-C".to_owned() } else { flag };
        parsed.push(Argument { flag, value });
    }
    parsed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_to_write_a_flag_are_one() {
        let words = ["-Copt-level=3", "-C", "opt-level=2", "--codegen=opt-level=1", "--emit=link", "src/lib.rs", "-g"];
        let parsed = parse(&words.map(str::to_owned));
        let flags: Vec<&str> = parsed.iter().map(|argument| argument.flag.as_str()).collect();
        assert_eq!(flags, ["-C", "-C", "-C", "--emit", "", "-g"]);
        assert_eq!(codegen(&parsed, "opt-level").as_deref(), Some("1"));
        assert_eq!(codegen(&parse(&["-Copt-level=1", "-O"].map(str::to_owned)), "opt-level").as_deref(), Some("3"));
    }
}
