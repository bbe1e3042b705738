//! Programs in Go that stand on Debian's go-plugin, compiled once and without a network.

use crate::project::{repository, scratch};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Where Debian puts what is written in Go.
const DEBIAN: &str = "/usr/share/gocode";

/// Which go-plugin a program stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoPlugin {
    /// 1.0.1, as Debian has it.
    Debian,
    /// The same with what 1.4.4 put right: with a certificate, its plugins can call their host back.
    CallsBack,
}

/// A package of `tests/fixtures/go-plugin`, compiled.
#[must_use]
pub fn go(package: &str, library: GoPlugin) -> PathBuf {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = scratch().join("tests/go");
    let (own, name) = match library {
        GoPlugin::Debian => (folder.join("debian"), package.to_owned()),
        GoPlugin::CallsBack => (folder.join("calls-back"), format!("{package}-calls-back")),
    };
    let program = folder.join(name);
    std::fs::create_dir_all(own.join("src")).expect("a folder");
    // The name that its packages import each other by.
    let _ = std::os::unix::fs::symlink(repository().join("tests/fixtures/go-plugin"), own.join("src/peer"));
    if library == GoPlugin::CallsBack {
        put_right(&own.join("src/github.com/hashicorp"));
    }
    let mut go = Command::new("go");
    go.args(["build", "-o"]).arg(&program).arg(format!("peer/{package}"));
    go.env("GO111MODULE", "off").env("GOFLAGS", "").env("GOTOOLCHAIN", "local");
    go.env("GOPATH", format!("{}:{DEBIAN}", own.display())).env("GOCACHE", folder.join("cache"));
    assert!(go.status().is_ok_and(|status| status.success()), "{go:?}; tests/run installs what it needs");
    program
}

/// Copies go-plugin, and changes the one line.
fn put_right(hashicorp: &Path) {
    let copy = Command::new("mkdir").arg("-p").arg(hashicorp).status().is_ok_and(|status| status.success())
        && Command::new("cp")
            .arg("-r")
            .arg(format!("{DEBIAN}/src/github.com/hashicorp/go-plugin"))
            .arg(hashicorp)
            .status()
            .is_ok_and(|status| status.success());
    assert!(copy, "no copy of go-plugin");
    let file = hashicorp.join("go-plugin/server.go");
    let text = std::fs::read_to_string(&file).expect("go-plugin's server.go");
    let old = "ClientCAs:    clientCertPool,";
    assert!(text.contains(old), "go-plugin is another than 1.0.1");
    let new = format!("{old}\n\t\t\tRootCAs: clientCertPool,\n\t\t\tServerName: \"localhost\",");
    std::fs::write(&file, text.replacen(old, &new, 1)).expect("a written file");
}
