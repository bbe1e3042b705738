//! Compiles the generated crates, as the command would and as the truth needs it.

use pitstop_contract::descriptor::{Facts, allocator, fact, linkage};
use pitstop_contract::session::{ENV_FACTS, ENV_LIVE};
use pitstop_proof::layout::read;
use pitstop_proof::{Image, complete, descriptor};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};

/// The crate's name in all builds.
pub(crate) const CRATE: &str = "logic";

pub(crate) struct Compiler {
    rustc: std::ffi::OsString,
    /// As it signs what it compiles.
    version: String,
    /// The built `pitstop_reloadable`, and the folder of what it is built upon.
    library: PathBuf,
    dependencies: PathBuf,
    folder: tempfile::TempDir,
    count: AtomicU64,
}

/// A compiled image, read.
pub(crate) struct Built {
    pub(crate) bytes: Vec<u8>,
    pub(crate) image: Image,
}

impl Compiler {
    pub(crate) fn new() -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--package", "pitstop-reloadable", "--message-format=json"]);
        let output = build.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let messages = String::from_utf8_lossy(&output.stdout);
        let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let is_ours = |message: &serde_json::Value| message["target"]["name"] == "pitstop_reloadable";
        let library = messages.filter(is_ours).find_map(|message| {
            let files = message["filenames"].as_array()?.iter().filter_map(|file| file.as_str());
            files.map(PathBuf::from).find(|file| file.extension().is_some_and(|extension| extension == "rlib"))
        });
        let library = library.expect("a built library");
        let dependencies = library.parent().expect("a folder").join("deps");
        let folder = tempfile::tempdir().expect("a folder");
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let version = Command::new(&rustc).arg("--version").output().expect("a compiler").stdout;
        let version = String::from_utf8_lossy(&version).trim().trim_start_matches("rustc ").to_owned();
        Self { rustc, version, library, dependencies, folder, count: AtomicU64::new(0) }
    }

    /// Compiles to an image. The source has been shown to compile.
    pub(crate) fn image(&self, source: &str) -> Built {
        let facts = [
            (fact::SOURCE, "logic.rs"),
            (fact::RUSTC, self.version.as_str()),
            (fact::LINKAGE, linkage::SHARED),
            (fact::ALLOCATOR, allocator::SHARED),
        ];
        let values = facts.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let facts = Facts { crate_name: CRATE.to_owned(), values };
        let (folder, mut rustc) = self.command(source);
        rustc.args(["--crate-type=cdylib", "-Cprefer-dynamic", "-Cdebuginfo=2", "-Copt-level=0", "-ologic.so"]);
        rustc.env(ENV_LIVE, "image").env(ENV_FACTS, facts.to_lines());
        let output = rustc.output().expect("a compiler");
        assert!(output.status.success(), "{}\n{source}", String::from_utf8_lossy(&output.stderr));
        let path = folder.join("logic.so");
        let bytes = std::fs::read(&path).expect("an image");
        std::fs::remove_dir_all(folder).expect("a folder to remove");
        complete(&path, &bytes).expect("a complete image");
        let descriptor = descriptor(&path, &bytes).expect("a descriptor");
        let layouts = read(&bytes, &[CRATE]);
        assert_eq!(layouts.gaps, [""; 0], "{source}");
        Built { bytes, image: Image { descriptor, layouts } }
    }

    /// The layouts of the types that the source's probes name, as the compiler writes them; `None`: the source does not
    /// compile.
    pub(crate) fn layouts(&self, source: &str, count: usize) -> Option<Vec<String>> {
        let source = format!("#![feature(rustc_attrs)]\n#![allow(internal_features)]\n{source}");
        let (folder, mut rustc) = self.command(&source);
        rustc.env("RUSTC_BOOTSTRAP", "1").env_remove(ENV_LIVE);
        rustc.args(["--crate-type=lib", "--emit=metadata", "--error-format=json"]);
        let Output { stderr, .. } = rustc.output().expect("a compiler");
        std::fs::remove_dir_all(folder).expect("a folder to remove");
        let stderr = String::from_utf8_lossy(&stderr);
        let mut found = vec![None; count];
        for line in stderr.lines() {
            let Ok(message) = serde_json::from_str::<serde_json::Value>(line) else { continue };
            let text = message["message"].as_str().unwrap_or_default();
            let probe = message["spans"][0]["text"][0]["text"].as_str().unwrap_or_default();
            if let (true, Some((_, rest))) = (text.starts_with("layout_of("), probe.split_once("type Probe")) {
                let number = rest.split_once(' ').and_then(|(number, _)| number.parse::<usize>().ok());
                found[number.expect("a probe's number")] = Some(text.to_owned());
            } else if message["level"] == "error" && !text.starts_with("aborting") {
                if std::env::var_os("PITSTOP_MUTATIONS_VERBOSE").is_some() {
                    println!("{}", message["rendered"].as_str().unwrap_or_default());
                }
                return None;
            }
        }
        found.into_iter().collect()
    }

    fn command(&self, source: &str) -> (PathBuf, Command) {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder.path().join(number.to_string());
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("logic.rs"), source).expect("a source");
        let mut rustc = Command::new(&self.rustc);
        rustc.current_dir(&folder).args(["logic.rs", "--edition=2024", "--crate-name", CRATE]);
        rustc.arg("-L").arg(format!("dependency={}", self.dependencies.display()));
        rustc.arg("--extern").arg(format!("pitstop_reloadable={}", self.library.display()));
        // What the attribute takes for the crate's name.
        rustc.env("CARGO_CRATE_NAME", CRATE);
        (folder, rustc)
    }
}
