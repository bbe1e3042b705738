//! The example `examples/kv`: its hosts and its plugins, in Rust and in Go, keep and find the same.

use crate::plugin::garage::Garage;
use pitstop_tests::{built, repository};
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn what_one_pair_keeps_another_one_finds() {
    let example = Example::new();
    for (number, (host, plugin)) in Example::PAIRS.into_iter().enumerate() {
        let key = format!("key-{number}");
        assert_eq!(example.says(host, plugin, &["put", &key, "a text"]), "kept", "{host} {plugin}");
        for (host, plugin) in Example::PAIRS {
            assert_eq!(example.says(host, plugin, &["get", &key]), "a text", "{host} {plugin}");
        }
        let sum = (10 * (number + 1)).to_string();
        assert_eq!(example.says(host, plugin, &["add", "sum", "10"]), sum, "{host} {plugin}: by the host's adder");
        assert_eq!(
            example.says(host, plugin, &["add", &key, "1"]),
            format!("{key} is \"a text\", which is no number to add to")
        );
        assert_eq!(example.says(host, plugin, &["get", "nothing"]), "nothing is kept under nothing", "{host} {plugin}");
        let refused = example.says(host, plugin, &["put", "../etc", "x"]);
        assert!(refused.starts_with("\"../etc\" is no key"), "{host} {plugin}: {refused}");
    }
}

/// The example's programs, and plugins that are built as a person would without a session.
struct Example {
    garage: Garage,
    hosts: [PathBuf; 2],
}

impl Example {
    const PAIRS: [(&str, &str); 4] = [("rust", "rust"), ("rust", "go"), ("go", "rust"), ("go", "go")];

    fn new() -> Self {
        let folder = repository().join("examples/kv");
        let garage = Garage::new();
        for file in [
            "plugins/rust/plugin.toml",
            "plugins/rust/src/main.rs",
            "plugins/rust/Cargo.toml",
            "plugins/go/plugin.toml",
        ] {
            garage.write(file, &std::fs::read_to_string(folder.join(file)).expect("a file of the example"));
        }
        garage.write("plugins/go/main.go", "");
        garage.write("pitstop.toml", "[plugins]\ndirectories = [\"plugins\"]\n");
        let [host, plugin] = ["kv", "kv-rust"].map(built);
        garage.program("plugins/rust/kv-rust", &std::fs::read(plugin).expect("a plugin"));
        go(&folder, "plugins/go", &garage.path("plugins/go/kv-go"));
        let hosts = [host, garage.path("kv-host")];
        go(&folder, "go/host", &hosts[1]);
        std::fs::create_dir(garage.path("data")).expect("a folder");
        Self { garage, hosts }
    }

    /// What a host says, in whichever stream.
    fn says(&self, host: &str, plugin: &str, words: &[&str]) -> String {
        let [in_rust, in_go] = &self.hosts;
        let mut command = match host {
            "rust" => {
                let mut command = Command::new(in_rust);
                command.arg("--plugins").arg(self.garage.path("pitstop.toml")).args(["--plugin", plugin]);
                command
            }
            _ => {
                let mut command = Command::new(in_go);
                command.arg(self.garage.path(&format!("plugins/{plugin}/kv-{plugin}")));
                command
            }
        };
        let output = command.args(words).env("KV_DATA", self.garage.path("data")).output().expect("a host");
        let text = if output.status.success() { output.stdout } else { output.stderr };
        String::from_utf8_lossy(&text).trim().to_owned()
    }
}

fn go(folder: &Path, package: &str, out: &Path) {
    let mut build = Command::new(folder.join("go/build.sh"));
    build.arg(package).arg(out);
    assert!(build.status().is_ok_and(|status| status.success()), "{build:?}");
}
