//! The sources of the measuring program and of the plugins, embedded in the command, and the manifests that are written to
//! them: no package of a registry may have other packages in it.

use std::path::{Path, PathBuf};

/// Where a file goes, and what is in it.
type Source = (&'static str, &'static [u8]);

macro_rules! embedded {
    ($($name:literal),* $(,)?) => {
        /// As in `watcher/compare/`.
        const SOURCES: &[Source] = &[$(($name, include_bytes!(concat!("../../compare/", $name)))),*];
    };
}

embedded![
    "answer.rs",
    "kernel.rs",
    "c/pitstop_plugin.h",
    "c/lib.rs",
    "c/plugin.c",
    "dylib/lib.rs",
    "exec/main.rs",
    "host/behave.rs",
    "host/calls.rs",
    "host/compute.rs",
    "host/main.rs",
    "host/memory.rs",
    "host/reload.rs",
    "host/start.rs",
    "rpc/main.rs",
];

/// The plugin in WebAssembly, made of `plugin.wat`.
pub(super) const PLUGIN: &[u8] = include_bytes!("../../compare/wasm/plugin.wasm");
/// One for another version of the interface, made of `other.wat`.
pub(super) const OTHER: &[u8] = include_bytes!("../../compare/wasm/other.wasm");

/// Where the packages of Pitstop come from that the sources need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The checkout that the command was built from.
    Checkout(PathBuf),
    /// The registry, in the command's own version.
    Registry,
}

impl Origin {
    /// The checkout, if it is still there.
    pub(super) fn find() -> Self {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        let is_there =
            |root: &&Path| ["host", "reloadable"].iter().all(|name| root.join(name).join("Cargo.toml").is_file());
        checkout.filter(is_there).map_or(Self::Registry, |root| Self::Checkout(root.to_owned()))
    }

    /// `{ path = ".." }` or `{ version = "=.." }`, with what follows.
    fn dependency(&self, package: &str, more: &str) -> String {
        let from = match self {
            Self::Checkout(root) => {
                let folder = root.join(package.trim_start_matches("pitstop-"));
                format!("path = {}", toml::Value::String(folder.display().to_string()))
            }
            Self::Registry => format!("version = \"={}\"", env!("CARGO_PKG_VERSION")),
        };
        format!("{package} = {{ {from}{more} }}")
    }
}

/// Writes sources and manifests. A file that is as it should be stays: cargo sees no change.
pub(super) fn write(folder: &Path, origin: &Origin) -> std::io::Result<()> {
    for (name, bytes) in SOURCES {
        put(&folder.join(name), bytes)?;
    }
    for (name, manifest) in manifests(origin) {
        put(&folder.join(name), manifest.as_bytes())?;
    }
    if let Origin::Checkout(root) = origin {
        // What was tested together. Cargo takes out what is not needed, so that what was copied is known by another copy.
        let (lock, copied) = (std::fs::read(root.join("Cargo.lock"))?, folder.join("checkout.lock"));
        if std::fs::read(&copied).ok().as_ref() != Some(&lock) {
            put(&folder.join("Cargo.lock"), &lock)?;
            put(&copied, &lock)?;
        }
    }
    Ok(())
}

fn put(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if std::fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, bytes)
}

/// All manifests: where each goes, and what is in it.
pub(super) fn manifests(origin: &Origin) -> Vec<(&'static str, String)> {
    let workspace =
        "[workspace]\nresolver = \"3\"\nmembers = [\"host\", \"dylib\", \"c\", \"rpc\", \"exec\"]\n".to_owned();
    let package = |name: &str, target: &str, features: &str, dependencies: &[String]| {
        format!(
            "[package]\nname = \"compare-{name}\"\nversion = \"1.0.0\"\nedition = \"2024\"\npublish = false\n\n{target}\n\n\
             [features]\n{features}\n\n[dependencies]\n{}\n",
            dependencies.join("\n")
        )
    };
    let program = |name: &str| format!("[[bin]]\nname = \"compare-{name}\"\npath = \"main.rs\"");
    let library =
        |name: &str| format!("[lib]\nname = \"compare_{name}\"\npath = \"lib.rs\"\ncrate-type = [\"cdylib\"]");
    let json = || "serde_json = \"1\"".to_owned();
    let (host, reloadable) = ("pitstop-host", "pitstop-reloadable");
    let by_feature = "rpc = [\"pitstop-host/rpc\"]\nwasm = [\"pitstop-host/wasm\"]";
    let rpc = origin.dependency(reloadable, ", features = [\"rpc\"]");
    vec![
        ("Cargo.toml", workspace),
        (
            "host/Cargo.toml",
            package(
                "host",
                &program("host"),
                by_feature,
                &[origin.dependency(host, ", features = [\"plugins\"]"), json()],
            ),
        ),
        ("dylib/Cargo.toml", package("dylib", &library("dylib"), "second = []", &[origin.dependency(reloadable, "")])),
        ("c/Cargo.toml", package("c", &library("c"), "second = []\nother = []", &[])),
        ("rpc/Cargo.toml", package("rpc", &program("rpc"), "second = []", &[rpc])),
        ("exec/Cargo.toml", package("exec", &program("exec"), "second = []", &[json()])),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifests_name_the_checkout_or_the_very_version_of_the_command() {
        let exact = format!("={}", env!("CARGO_PKG_VERSION"));
        for (origin, key, value) in [
            (Origin::Checkout(PathBuf::from("/a \"b\"")), "path", "/a \"b\"/host"),
            (Origin::Registry, "version", exact.as_str()),
        ] {
            let manifests = manifests(&origin);
            let host = manifests.iter().find(|(name, _)| *name == "host/Cargo.toml").expect("the program's");
            let table: toml::Table = host.1.parse().expect("TOML");
            assert_eq!(table["dependencies"]["pitstop-host"][key].as_str(), Some(value));
            assert!(table["features"]["wasm"].is_array());
        }
    }

    #[test]
    fn every_member_of_the_workspace_has_a_manifest_and_the_source_that_it_names() {
        let manifests = manifests(&Origin::Registry);
        let workspace: toml::Table = manifests[0].1.parse().expect("TOML");
        for member in workspace["workspace"]["members"].as_array().expect("a list") {
            let member = member.as_str().expect("a name");
            let manifest =
                manifests.iter().find(|(name, _)| *name == format!("{member}/Cargo.toml")).expect("a manifest");
            let table: toml::Table = manifest.1.parse().expect("TOML");
            let target = table.get("lib").unwrap_or_else(|| &table["bin"][0]);
            let source = format!("{member}/{}", target["path"].as_str().expect("a path"));
            assert!(SOURCES.iter().any(|(name, _)| *name == source), "{source}");
        }
    }

    #[test]
    fn what_is_written_again_is_not_touched() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), &Origin::Registry).expect("written");
        let changed =
            |name: &str| folder.path().join(name).metadata().and_then(|file| file.modified()).expect("a time");
        let before = changed("kernel.rs");
        std::fs::write(folder.path().join("answer.rs"), "other").expect("written over");
        write(folder.path(), &Origin::Registry).expect("written");
        assert_eq!(changed("kernel.rs"), before);
        assert!(std::fs::read_to_string(folder.path().join("answer.rs")).expect("a source").contains("pub fn answer"));
    }

    #[test]
    fn the_modules_are_what_their_text_says() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("compare/wasm");
        for (name, bytes) in [("plugin", PLUGIN), ("other", OTHER)] {
            let made = wat::parse_file(folder.join(name).with_extension("wat")).expect("a module in text");
            if std::env::var_os("PITSTOP_WRITE_WASM").is_some() {
                std::fs::write(folder.join(name).with_extension("wasm"), &made).expect("written");
            }
            let advice = "PITSTOP_WRITE_WASM=1 cargo test -p pitstop-watcher the_modules_are writes it anew";
            assert!(made == bytes, "{name}.wasm is another than {name}.wat says; {advice}");
        }
    }

    #[test]
    fn the_header_is_the_one_of_the_host() {
        let header = SOURCES.iter().find(|(name, _)| *name == "c/pitstop_plugin.h").expect("the header").1;
        let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/c/include/pitstop_plugin.h");
        assert!(std::fs::read(original).expect("the header of the host") == header, "copy it to watcher/compare/c/");
    }
}
