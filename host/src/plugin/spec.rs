//! A plugin as it is configured: what `pitstop.toml` and `plugin.toml` say of it, checked.

mod rpc;
mod wasm;

pub(crate) use rpc::Rpc;
#[cfg(feature = "plugins")]
pub(crate) use rpc::{Cookie, Reattach, ReattachAddress, Tls};
pub(crate) use wasm::Wasm;
#[cfg(feature = "plugins")]
pub(crate) use wasm::{Access, Address, Folder, Host, STACKS};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A plugin as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    /// By which the program knows it.
    pub(crate) name: String,
    pub(crate) mechanism: Mechanism,
    pub(crate) source: Source,
    /// For programs that are executed.
    pub(crate) mode: Mode,
    /// For programs that are executed: what comes after the verb.
    pub(crate) arguments: Vec<String>,
    /// For programs that speak go-plugin's protocol.
    pub(crate) rpc: Rpc,
    /// For WebAssembly.
    pub(crate) wasm: Wasm,
    /// How it is built in a session.
    pub(crate) build: Option<Build>,
    pub(crate) limits: Limits,
    /// The variables of the program's environment that it gets.
    pub(crate) environment: Vec<String>,
    /// Further variables, with their values.
    pub(crate) set: BTreeMap<String, String>,
    /// Where it runs: its folder, if nothing else is said.
    pub(crate) directory: PathBuf,
    /// The SHA-256 that its file must have.
    pub(crate) sha256: Option<[u8; 32]>,
    pub(crate) enabled: bool,
    pub(crate) origin: Origin,
}

impl Spec {
    /// Of a library that is no plugin: all that its copy depends on. `number` tells it from others of the same name.
    pub(crate) fn of_library(path: &Path, number: usize) -> Self {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        Self {
            name: format!("{}-{number}", stem.strip_prefix("lib").unwrap_or(&stem)),
            mechanism: Mechanism::C,
            source: Source::File(path.to_owned()),
            mode: Mode::Once,
            arguments: Vec::new(),
            rpc: Rpc::default(),
            wasm: Wasm::default(),
            build: None,
            limits: Limits::default(),
            environment: Vec::new(),
            set: BTreeMap::new(),
            directory: PathBuf::new(),
            sha256: None,
            enabled: true,
            origin: Origin { file: path.to_owned(), line: 1, drop_in: false },
        }
    }
}

/// How a plugin is run. One variant, one file below `backend/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mechanism {
    /// A library written in Rust.
    Dylib,
    /// A library that exports the table of `pitstop_plugin.h`.
    C,
    /// Any program.
    Exec,
    /// A program that speaks go-plugin's protocol.
    Rpc,
    /// A module or component in WebAssembly.
    Wasm,
}

impl Mechanism {
    /// Whether it is run as a process of its own.
    pub(crate) fn is_program(self) -> bool {
        matches!(self, Self::Exec | Self::Rpc)
    }

    /// As configuration files have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Dylib => "dylib",
            Self::C => "c",
            Self::Exec => "exec",
            Self::Rpc => "rpc",
            Self::Wasm => "wasm",
        }
    }
}

/// What it is loaded from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A file, absolute.
    File(PathBuf),
    /// A crate of the workspace, which the watcher builds.
    Crate(String),
}

/// How a program is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Once for each call: `PROGRAM process`.
    Once,
    /// Once for all calls: `PROGRAM serve`, JSON-RPC 2.0 by lines.
    Serve,
}

/// How a plugin is built when its source changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Build {
    /// Program and arguments; in these, `{out}` is the file to write.
    pub(crate) command: Vec<String>,
    /// Files and folders, absolute, whose change asks for a build.
    pub(crate) watch: Vec<PathBuf>,
}

/// What a plugin may take up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// A call, and the start.
    pub(crate) time: Duration,
    /// The address space of a process, in bytes.
    pub(crate) memory: Option<u64>,
    /// The output of a call, in bytes.
    pub(crate) output: u64,
    /// How long calls that have begun may go on once a newer version is live.
    pub(crate) drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_secs(30), memory: None, output: 64 << 20, drain: Duration::from_secs(30) }
    }
}

/// Where a plugin is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The file, absolute.
    pub(crate) file: PathBuf,
    /// Its line, from 1.
    pub(crate) line: usize,
    /// Whether it is a drop-in, whose paths must stay in its folder.
    pub(crate) drop_in: bool,
}

impl Origin {
    /// The folder that relative paths start from.
    pub(crate) fn folder(&self) -> PathBuf {
        self.file.parent().map(PathBuf::from).unwrap_or_default()
    }
}
