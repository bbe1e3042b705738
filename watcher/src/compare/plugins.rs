//! The plugin of each mechanism: two versions that greet differently, one for another interface, and what configures them.

use super::row::Mechanism;
use super::sources::{OTHER, PLUGIN};
use super::workshop::Workshop;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How the first version greets.
const GREETING: &[u8] = b"Hello, ";
/// The time that a call may take where an endless loop is tried.
pub(super) const LIMIT_MS: u64 = 2000;

/// A mechanism's plugin, ready to be measured.
pub(super) struct Subject {
    pub(super) built_by: String,
    /// The file that the configurations name.
    pub(super) live: PathBuf,
    /// Its two versions.
    pub(super) first: PathBuf,
    pub(super) second: PathBuf,
    folder: PathBuf,
}

/// What the plugin is opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    /// As it comes.
    Plain,
    /// With a limit for a call, where there can be one.
    Limited,
    /// The one that was made for another version of the interface.
    Other,
    /// `exec`: kept running.
    Kept,
}

impl Subject {
    /// Builds it.
    pub(super) fn make(workshop: &Workshop, mechanism: Mechanism) -> Result<Self, String> {
        let folder = workshop.folder().join("run").join(mechanism.name());
        let cannot = |error: std::io::Error| format!("{}: {error}", folder.display());
        // What an earlier run has left may be what it has failed by.
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(cannot)?;
        }
        std::fs::create_dir_all(&folder).map_err(cannot)?;
        let suffix = match mechanism {
            Mechanism::Dylib | Mechanism::C => std::env::consts::DLL_SUFFIX,
            Mechanism::Rpc | Mechanism::Exec => std::env::consts::EXE_SUFFIX,
            Mechanism::Wasm => ".wasm",
        };
        let [live, first, second, other] =
            ["live", "first", "second", "other"].map(|name| folder.join(format!("{name}{suffix}")));
        let built_by = match mechanism {
            Mechanism::C => c(workshop, [&first, &second, &other])?,
            Mechanism::Wasm => wasm([&first, &second, &other]).map_err(cannot)?,
            Mechanism::Dylib | Mechanism::Rpc | Mechanism::Exec => {
                rust(workshop, mechanism, [&first, &second, &other])?
            }
        };
        std::fs::copy(&first, &live).map_err(cannot)?;
        let subject = Self { built_by, live, first, second, folder: folder.clone() };
        subject.configure(mechanism, &other).map_err(cannot)?;
        Ok(subject)
    }

    /// A folder of the plugin's own.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file that configures it so.
    pub(super) fn configuration(&self, setting: Setting) -> PathBuf {
        self.folder.join(setting.file())
    }

    fn configure(&self, mechanism: Mechanism, other: &Path) -> std::io::Result<()> {
        std::fs::write(self.folder.join("none.toml"), "")?;
        for setting in [Setting::Plain, Setting::Limited, Setting::Other, Setting::Kept] {
            let file = if setting == Setting::Other { other } else { &self.live };
            std::fs::write(self.configuration(setting), configuration(mechanism, setting, file))?;
        }
        Ok(())
    }
}

impl Setting {
    fn file(self) -> &'static str {
        match self {
            Self::Plain => "plain.toml",
            Self::Limited => "limited.toml",
            Self::Other => "other.toml",
            Self::Kept => "kept.toml",
        }
    }
}

/// `pitstop.toml` of one plugin.
fn configuration(mechanism: Mechanism, setting: Setting, file: &Path) -> String {
    let (name, file) = (mechanism.name(), toml::Value::String(file.display().to_string()));
    let mut text = format!("[[plugin]]\nname = \"subject\"\nmechanism = \"{name}\"\nartifact = {file}\n");
    if mechanism == Mechanism::Exec && setting == Setting::Kept {
        text.push_str("mode = \"serve\"\n");
    }
    match (mechanism, setting) {
        // The plugin speaks version 1 of its protocol.
        (Mechanism::Rpc, Setting::Other) => text.push_str("rpc = { versions = [7] }\n"),
        (Mechanism::Exec, Setting::Other) => text.push_str("set = { COMPARE_OTHER = \"1\" }\n"),
        _ => {}
    }
    if mechanism.has_limits() && setting == Setting::Limited {
        text.push_str(&format!("limits = {{ time_ms = {LIMIT_MS} }}\n"));
    }
    text
}

/// A package in Rust, twice; returns its compiler.
fn rust(workshop: &Workshop, mechanism: Mechanism, files: [&Path; 3]) -> Result<String, String> {
    let package = format!("compare-{}", mechanism.name());
    let [first, second, other] = files;
    copy(&workshop.cargo(&package, &["second"])?, second)?;
    copy(&workshop.cargo(&package, &[])?, first)?;
    if mechanism == Mechanism::Dylib {
        let bytes = std::fs::read(first).map_err(|error| format!("{}: {error}", first.display()))?;
        let bytes = other_compiler(bytes)
            .ok_or_else(|| format!("{} does not say which compiler has made it", first.display()))?;
        std::fs::write(other, bytes).map_err(|error| format!("{}: {error}", other.display()))?;
    } else {
        // Its configuration makes it another.
        copy(first, other)?;
    }
    Ok("cargo build --release".to_owned())
}

/// A library as another compiler's, which calls itself by another version. `None` if it does not name any.
fn other_compiler(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let name = b"rustc version 1.";
    let places: Vec<usize> =
        bytes.windows(name.len()).enumerate().filter(|(_, window)| window == name).map(|(at, _)| at).collect();
    for at in &places {
        let digit = bytes.get_mut(at + name.len())?;
        *digit = if *digit == b'1' { b'2' } else { b'1' };
    }
    (!places.is_empty()).then_some(bytes)
}

/// The module that comes with the command; returns what has made it.
fn wasm(files: [&Path; 3]) -> std::io::Result<String> {
    let [first, second, other] = files;
    std::fs::write(first, PLUGIN)?;
    let mut bytes = PLUGIN.to_vec();
    let at = bytes.windows(GREETING.len()).position(|window| window == GREETING);
    let greeting = at.and_then(|at| bytes.get_mut(at..at + GREETING.len()));
    greeting.ok_or_else(|| std::io::Error::other("the module does not greet"))?.copy_from_slice(b"Howdy, ");
    std::fs::write(second, bytes)?;
    std::fs::write(other, OTHER)?;
    Ok("WebAssembly's text".to_owned())
}

/// The source in C, thrice, or its twin in Rust where there is no C compiler; returns what has built it.
fn c(workshop: &Workshop, files: [&Path; 3]) -> Result<String, String> {
    let compiler = std::env::var("CC").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "cc".to_owned());
    let source = workshop.folder().join("c/plugin.c");
    for (file, more) in files.into_iter().zip([&[][..], &["-DSECOND"], &["-DABI=999"]]) {
        let mut command = Command::new(&compiler);
        command.args(["-std=c11", "-O2", "-ffp-contract=off", "-shared", "-fPIC"]).args(more).arg("-o").arg(file);
        let output = match command.arg(&source).output() {
            Ok(output) => output,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return c_in_rust(workshop, files),
            Err(error) => return Err(format!("`{compiler}` cannot be run: {error}; name a C compiler in `CC`")),
        };
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(format!("`{compiler}` cannot build the plugin in C ({}): {said}", output.status));
        }
    }
    Ok(format!("{compiler} -O2"))
}

fn c_in_rust(workshop: &Workshop, files: [&Path; 3]) -> Result<String, String> {
    for (file, features) in files.into_iter().zip([&[][..], &["second"], &["other"]]) {
        copy(&workshop.cargo("compare-c", features)?, file)?;
    }
    Ok("cargo build --release, without a C compiler".to_owned())
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    std::fs::copy(from, to).map(drop).map_err(|error| format!("cannot copy {}: {error}", from.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_configures_a_plugin_is_toml_with_what_its_mechanism_keeps() {
        let file = Path::new("/a \"b\"/live.so");
        let table = |mechanism, setting| {
            let table: toml::Table = configuration(mechanism, setting, file).parse().expect("TOML");
            table["plugin"][0].as_table().expect("a plugin").clone()
        };
        for mechanism in Mechanism::ALL {
            let plain = table(mechanism, Setting::Plain);
            assert_eq!(plain["artifact"].as_str(), file.to_str());
            assert_eq!(plain["mechanism"].as_str(), Some(mechanism.name()));
            assert_eq!(table(mechanism, Setting::Limited).contains_key("limits"), mechanism.has_limits());
            let is_kept = table(mechanism, Setting::Kept).contains_key("mode");
            assert_eq!(is_kept, mechanism == Mechanism::Exec);
        }
    }

    #[test]
    fn the_two_modules_differ_by_their_greeting() {
        let folder = tempfile::tempdir().expect("a folder");
        let [first, second, other] = ["first", "second", "other"].map(|name| folder.path().join(name));
        wasm([&first, &second, &other]).expect("written");
        let [first, second] = [first, second].map(|file| std::fs::read(file).expect("a module"));
        assert_eq!(first.iter().zip(&second).filter(|(one, other)| one != other).count(), 4);
        assert_eq!(first.len(), second.len());
    }

    #[test]
    fn another_compiler_has_another_version_everywhere_and_all_else_is_the_same() {
        let bytes = b"..rustc version 1.95.0 (abc)..rustc version 1.15.0..".to_vec();
        let other = other_compiler(bytes).expect("a version");
        assert_eq!(other, b"..rustc version 1.15.0 (abc)..rustc version 1.25.0..");
        assert_eq!(other_compiler(b"1.95.0".to_vec()), None);
    }
}
