//! Stands in for rustc while cargo resolves: writes each workspace crate's command down instead of running it.
//!
//! Cargo builds the dependencies, the build scripts and the procedural macros as always. For the crates that
//! Pitstop compiles itself it gets empty files, which take no time and which no compiler ever reads: all of their
//! users are captured too.

use crate::process::exec;
use crate::unit::{Captured, Unit};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Environment of cargo: the folder to write commands to.
pub(crate) const ENV_CAPTURE: &str = "PITSTOP_CAPTURE";
/// What the wrapper has to know, in the capture folder.
const SETTINGS: &str = "settings.json";

/// What the command tells its wrappers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// The environment that cargo was started with; what is new or different in a wrapper's is cargo's doing.
    pub(crate) environment: BTreeMap<String, String>,
    /// The user's own `RUSTC_WRAPPER`.
    pub(crate) outer: Option<String>,
    /// Manifest folders of workspace crates that are compiled as always, since build scripts or procedural macros use them.
    pub(crate) real: BTreeSet<PathBuf>,
}

impl Settings {
    pub(crate) fn write(&self, capture: &Path) -> std::io::Result<()> {
        std::fs::write(capture.join(SETTINGS), serde_json::to_vec(self)?)
    }
}

/// The capture folder, when this process was started by cargo in place of rustc.
pub(crate) fn requested() -> Option<PathBuf> {
    // Something that a captured cargo runs may start `cargo pitstop` itself: then the first argument is no compiler.
    let first = std::env::args_os().nth(1)?;
    let capture = std::env::var_os(ENV_CAPTURE).map(PathBuf::from)?;
    (first != "pitstop").then_some(capture)
}

pub(crate) fn main(capture: &Path) -> ExitCode {
    match wrap(capture) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("cargo pitstop, in place of rustc: {message}");
            ExitCode::FAILURE
        }
    }
}

fn wrap(capture: &Path) -> Result<(), String> {
    let text = std::fs::read(capture.join(SETTINGS)).map_err(|error| format!("{}: {error}", capture.display()))?;
    let settings: Settings = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    let mut arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    // As RUSTC_WRAPPER this is called for every crate, for those of the workspace with itself as the next argument.
    let is_workspace = settings.outer.is_none() || arguments.first().is_some_and(|first| Path::new(first) == this);
    if settings.outer.is_some() && is_workspace {
        arguments.remove(0);
    }
    let unit = is_workspace.then(|| captured(&arguments, &settings)).flatten();
    match unit {
        Some(unit) => write_down(&unit, capture),
        None => {
            let mut words = settings.outer.map(OsString::from).into_iter().chain(arguments);
            let program = words.next().ok_or("called without a compiler")?;
            let mut command = Command::new(program);
            command.args(words);
            Err(exec(command).to_string())
        }
    }
}

/// The command as a unit, where it is one that Pitstop runs itself.
fn captured(arguments: &[OsString], settings: &Settings) -> Option<Unit> {
    let mut words = arguments.iter().map(|word| word.to_str().map(str::to_owned));
    let rustc = words.next()??;
    let arguments = words.collect::<Option<Vec<String>>>()?;
    let new = |(name, value): &(String, String)| {
        name.starts_with("CARGO") || name == "OUT_DIR" || settings.environment.get(name) != Some(value)
    };
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(new)
        .filter(|(name, _)| name != ENV_CAPTURE && !name.starts_with("RUSTC_W"));
    let unit = Unit::new(Captured {
        rustc: PathBuf::from(rustc),
        arguments,
        directory: std::env::current_dir().ok()?,
        environment: environment.collect(),
    })?;
    let is_source = unit.arguments.iter().any(|argument| {
        argument.flag.is_empty() && argument.value.as_deref().is_some_and(|value| value.ends_with(".rs"))
    });
    let is_tool =
        unit.crate_types.iter().any(|kind| kind == "proc-macro") || unit.crate_name.starts_with("build_script_");
    let is_real = settings.real.contains(&unit.manifest_directory);
    (is_source && !is_tool && !is_real).then_some(unit)
}

fn write_down(unit: &Unit, capture: &Path) -> Result<(), String> {
    let file = capture.join(format!("{}-{}.json", unit.stem(), unit.metadata));
    let text = serde_json::to_vec(&unit.captured).map_err(|error| error.to_string())?;
    std::fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    let out = unit.out_directory().ok_or("rustc without --out-dir")?;
    let stem = unit.stem();
    let mut files = vec![];
    for kind in &unit.crate_types {
        match kind.as_str() {
            "bin" => files.push(format!("{stem}{}", std::env::consts::EXE_SUFFIX)),
            "cdylib" | "dylib" => {
                files.push(format!("{}{stem}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX));
                files.push(format!("lib{stem}.rmeta"));
            }
            "staticlib" => files.push(format!("lib{stem}.a")),
            _ => files.extend([format!("lib{stem}.rlib"), format!("lib{stem}.rmeta")]),
        }
    }
    for name in files {
        let path = out.join(name);
        std::fs::write(&path, b"").map_err(|error| format!("{}: {error}", path.display()))?;
    }
    // A dependency that is never there: cargo asks anew every time, and so the commands are always the current ones.
    let path = out.join(format!("{stem}.d"));
    let rule = format!("{}: {}\n", escape(&path), escape(&capture.join("never")));
    std::fs::write(&path, rule).map_err(|error| format!("{}: {error}", path.display()))
}

fn escape(path: &Path) -> String {
    path.display().to_string().replace(' ', "\\ ")
}
