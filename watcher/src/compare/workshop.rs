//! The folder in which the measuring program and the plugins are built, and building them: with the user's own cargo.

use super::row::Mechanism;
use super::sources::{self, Origin};
use crate::cargo;
use crate::exit_code::Fatal;
use cargo_metadata::Message;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The measuring program's package.
const HOST: &str = "compare-host";

/// Where all of it is, in the workspace's target directory or the user's cache.
pub(super) struct Workshop {
    folder: PathBuf,
    is_offline: bool,
    /// Nobody else builds or measures here.
    _lock: File,
}

/// The measuring program, and what it could be built with.
pub(super) struct Host {
    pub(super) program: PathBuf,
    /// The mechanisms that it had to be built without, and why.
    pub(super) without: Vec<(Mechanism, String)>,
}

/// How the network may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    Free,
    Offline,
}

impl Workshop {
    /// Writes the sources.
    pub(super) fn open(network: Network) -> Result<Self, Fatal> {
        let folder = place();
        let cannot = |error: std::io::Error| {
            let advice = "is the folder writable, and has its disk room?";
            Fatal::session(format!("cannot write {}: {error}; {advice}", folder.display()))
        };
        std::fs::create_dir_all(&folder).map_err(cannot)?;
        let lock = File::create(folder.join("lock")).map_err(cannot)?;
        if lock.try_lock().is_err() {
            let message = format!("another `cargo pitstop compare` uses {}; wait until it has ended", folder.display());
            return Err(Fatal::session(message));
        }
        sources::write(&folder, &Origin::find()).map_err(cannot)?;
        Ok(Self { folder, is_offline: network == Network::Offline, _lock: lock })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the measuring program was built before with all that is wanted, so that it takes moments.
    pub(super) fn is_warm(&self, wanted: &[Mechanism]) -> bool {
        let built = std::fs::read_to_string(self.folder.join("built")).unwrap_or_default();
        features(wanted).iter().all(|feature| built.split_whitespace().any(|built| built == feature.name()))
            && self.folder.join("built").is_file()
    }

    /// Builds the measuring program: with all mechanisms, or with as many as can be.
    pub(super) fn host(&self, wanted: &[Mechanism]) -> Result<Host, Fatal> {
        let features = features(wanted);
        let mut without = Vec::new();
        let mut left = features.clone();
        loop {
            let names: Vec<&str> = left.iter().map(|mechanism| mechanism.name()).collect();
            let why = match self.cargo(HOST, &names) {
                Ok(program) => {
                    let _ = std::fs::write(self.folder.join("built"), names.join(" "));
                    return Ok(Host { program, without });
                }
                Err(why) => why,
            };
            // The larger one first: it needs the newer compiler.
            let Some(dropped) = left.pop() else { return Err(Fatal::workspace(why)) };
            without.push((dropped, why));
        }
    }

    /// Builds a package, and returns its library or program.
    pub(super) fn cargo(&self, package: &str, features: &[&str]) -> Result<PathBuf, String> {
        let features = features.join(",");
        let mut arguments =
            vec!["build", "--release", "--package", package, "--message-format=json-render-diagnostics"];
        if !features.is_empty() {
            arguments.extend(["--features", &features]);
        }
        if self.is_offline {
            arguments.push("--offline");
        }
        let mut command = Command::new(cargo::cargo());
        command.args(&arguments).current_dir(&self.folder).arg("--target-dir").arg(self.folder.join("target"));
        // These would be for the caller's own crates.
        command.env_remove("CARGO_BUILD_TARGET").env_remove("RUSTC_WORKSPACE_WRAPPER");
        let failed = |found: &dyn std::fmt::Display| format!("`cargo {}` {found}", arguments.join(" "));
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| failed(&error))?;
        let mut file = None;
        if let Some(stdout) = child.stdout.take() {
            for message in Message::parse_stream(BufReader::new(stdout)) {
                let Ok(Message::CompilerArtifact(artifact)) = message else { continue };
                // A program's name has the package's hyphens, and a library's has not.
                if artifact.target.name.replace('_', "-") == package {
                    file = artifact.filenames.iter().find(|file| is_wanted(file.as_str())).cloned();
                }
            }
        }
        let status = child.wait().map_err(|error| failed(&error))?;
        if !status.success() {
            return Err(failed(&format!("failed ({status}); what it says is on standard error")));
        }
        let file = file.map(cargo_metadata::camino::Utf8PathBuf::into_std_path_buf);
        file.ok_or_else(|| failed(&"has built neither a program nor a library"))
    }
}

/// Neither debug info nor an import library.
fn is_wanted(file: &str) -> bool {
    let ends = |suffix: &str| !suffix.is_empty() && file.ends_with(suffix);
    ends(std::env::consts::DLL_SUFFIX)
        || ends(std::env::consts::EXE_SUFFIX)
        || !file.rsplit('/').next().unwrap_or(file).contains('.')
}

/// The mechanisms that are features of the measuring program.
fn features(wanted: &[Mechanism]) -> Vec<Mechanism> {
    [Mechanism::Rpc, Mechanism::Wasm].into_iter().filter(|mechanism| wanted.contains(mechanism)).collect()
}

/// In the workspace that the command is called in; else in the user's cache.
fn place() -> PathBuf {
    let workspace = cargo::target_directory().map(|target| target.join(pitstop_contract::session::ROOT));
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = || {
        let home = || Some(variable("HOME")?.join(if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" }));
        let cache = variable("XDG_CACHE_HOME").or_else(|| variable("LOCALAPPDATA")).or_else(home);
        cache.unwrap_or_else(std::env::temp_dir).join("pitstop")
    };
    workspace.unwrap_or_else(cache).join("compare")
}
