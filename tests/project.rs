//! A fixture workspace, copied to a folder of its own, and edits of its files.

use crate::session::Session;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// A copy of a fixture, removed when dropped.
#[derive(Debug)]
pub struct Project {
    directory: PathBuf,
    environment: Vec<(String, String)>,
}

/// The repository.
#[must_use]
pub fn repository() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// The command, built once.
#[must_use]
pub fn command() -> PathBuf {
    std::env::var_os("PITSTOP_COMMAND").map_or_else(|| built("cargo-pitstop"), PathBuf::from)
}

/// A program of the repository, built once.
///
/// As `cargo test --workspace` builds: of other packages, or without what only tests need, dependencies would have other features
/// and all be compiled once more, which takes minutes.
#[must_use]
pub fn built(program: &str) -> PathBuf {
    static BUILT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut built = BUILT.lock().expect("no test has panicked in here");
    if !built.contains(program) {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let arguments = ["build", "--quiet", "--workspace", "--test", "it", "--bin", program];
        let status = Command::new(cargo).args(arguments).current_dir(repository()).status();
        assert!(status.is_ok_and(|status| status.success()), "{program} does not build");
        built.insert(program.to_owned());
    }
    scratch().join("debug").join(program)
}

/// The target directory of the repository.
pub(crate) fn scratch() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| repository().join("target"))
}

impl Project {
    /// Copies `tests/fixtures/<fixture>`.
    #[must_use]
    pub fn new(fixture: &str) -> Self {
        Self::named(fixture, fixture)
    }

    /// Copies a fixture into a folder whose name begins with `folder`.
    #[must_use]
    pub fn named(fixture: &str, folder: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = scratch().join("tests").join(format!("{folder}-{}-{number}", std::process::id()));
        copy(&repository().join("tests/fixtures").join(fixture), &directory);
        // Dependencies are compiled once for all copies; sessions are in the copy's own target directory.
        let shared = scratch().join("tests/build").display().to_string();
        let environment = vec![("CARGO_BUILD_BUILD_DIR".to_owned(), shared)];
        Self { directory, environment }
    }

    /// The copy's folder.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A file of the copy.
    #[must_use]
    pub fn path(&self, file: &str) -> PathBuf {
        self.directory.join(file)
    }

    /// Sets an environment variable for every session of this project.
    #[must_use]
    pub fn with_env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A file's text.
    #[must_use]
    pub fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    /// Writes a file in place.
    pub fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{file}: {error}"));
        }
        std::fs::write(path, text).unwrap_or_else(|error| panic!("{file}: {error}"));
    }

    /// A file's text with `from` replaced by `to`; `from` must be there.
    #[must_use]
    pub fn replaced(&self, file: &str, from: &str, to: &str) -> String {
        let text = self.read(file);
        assert!(text.contains(from), "{file} has no `{from}`");
        text.replace(from, to)
    }

    /// Replaces `from` by `to` in a file, in place.
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        self.write(file, &self.replaced(file, from, to));
    }

    /// `cargo pitstop <arguments>` in the copy, with its own target directory.
    #[must_use]
    pub fn pitstop(&self, arguments: &[&str]) -> Command {
        let mut pitstop = Command::new(command());
        pitstop.arg("pitstop").args(arguments).current_dir(&self.directory);
        pitstop.env_remove("CARGO_TARGET_DIR").env_remove("PITSTOP_SESSION");
        for name in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "RUSTC_WRAPPER", "RUSTFLAGS"] {
            pitstop.env_remove(name);
        }
        pitstop.envs(self.environment.iter().map(|(name, value)| (name, value)));
        pitstop
    }

    /// Starts `cargo pitstop run --json`.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Session {
        let mut all = vec!["run", "--json"];
        // The whole suite can be run in either linkage; a test that asks for one gets it.
        let linkage = std::env::var("PITSTOP_TEST_LINKAGE").unwrap_or_default();
        if !linkage.is_empty() && !arguments.contains(&"--linkage") {
            all.extend(["--linkage", &linkage]);
        }
        all.extend(arguments);
        Session::start(self.pitstop(&all))
    }

    /// Starts `cargo pitstop run --json` and waits until the program has attached.
    #[must_use]
    pub fn live(&self, arguments: &[&str]) -> Session {
        let mut session = self.run(arguments);
        session.attached();
        session
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("kept for a look: {}", self.directory.display());
            return;
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder for the copy");
    let entries = std::fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    for entry in entries.flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            if entry.file_name() != "target" {
                copy(&source, &target);
            }
        } else if entry.file_name() == "Cargo.toml" {
            let text = std::fs::read_to_string(&source).expect("a manifest");
            let text = text.replace("{repository}", &repository().display().to_string());
            std::fs::write(&target, text).expect("a copied manifest");
        } else {
            std::fs::copy(&source, &target).expect("a copied file");
        }
    }
}
