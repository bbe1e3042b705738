//! What was measured of a mechanism: a row of the table, and a line of `--json`.

use clap::ValueEnum;
use serde::Serialize;

/// How a plugin is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mechanism {
    /// A library in Rust
    Dylib,
    /// A library with C's interface
    C,
    /// A program that speaks go-plugin's protocol
    Rpc,
    /// A module in WebAssembly
    Wasm,
    /// Any program
    Exec,
}

impl Mechanism {
    pub(super) const ALL: [Self; 5] = [Self::Dylib, Self::C, Self::Rpc, Self::Wasm, Self::Exec];

    /// As configuration files have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Dylib => "dylib",
            Self::C => "c",
            Self::Rpc => "rpc",
            Self::Wasm => "wasm",
            Self::Exec => "exec",
        }
    }

    /// Whether a call may be given a limit: not in the program's own process.
    pub(super) fn has_limits(self) -> bool {
        matches!(self, Self::Rpc | Self::Wasm | Self::Exec)
    }
}

/// All that was measured of a mechanism. What could not be is `null`, and `problems` says why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) mechanism: Mechanism,
    /// What made the plugin: `rustc 1.95.0`, `cc`.
    pub(super) built_by: String,
    pub(super) problems: Vec<String>,
    #[serde(flatten)]
    pub(super) figures: Figures,
    /// The kernel in the plugin, one call.
    pub(super) compute_ns: Option<f64>,
    /// The kernel in the program itself.
    pub(super) native_ns: Option<f64>,
    pub(super) compute_times_native: Option<f64>,
    /// From the file that is replaced to the answer of the new one; nothing is compiled.
    pub(super) reload_ns: Option<f64>,
    pub(super) crash: Option<Behaviour>,
    pub(super) endless_loop: Option<Behaviour>,
    pub(super) bad_version: Option<Behaviour>,
    pub(super) read_file: Option<Behaviour>,
    /// `exec` only: the same program with `mode = "serve"`, which is kept running.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) serve: Option<Figures>,
    /// The needs that it is advised for.
    pub(super) advised_for: Vec<&'static str>,
}

/// What starting and calling costs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Figures {
    /// From opening the plugin to its first answer: the median of several programs.
    pub(super) start_ns: Option<f64>,
    /// The first of them: of `wasm` without its cache.
    pub(super) first_start_ns: Option<f64>,
    /// What is resident after the first answer and was not before, of the program and of all processes below it.
    pub(super) memory_bytes: Option<u64>,
    pub(super) calls: Vec<Call>,
}

impl Figures {
    /// The nanoseconds of a call with so many bytes.
    pub(super) fn call(&self, payload: u64) -> Option<f64> {
        self.calls.iter().find(|call| call.payload_bytes == payload)?.call_ns
    }
}

/// A call with so many bytes, which come back.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Call {
    pub(super) payload_bytes: u64,
    pub(super) call_ns: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<String>,
}

/// What came of something that no plugin should do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Behaviour {
    pub(super) outcome: Outcome,
    /// The same for a person.
    pub(super) words: String,
    /// The error, the signal.
    pub(super) detail: String,
    /// How long it took until the plugin answered again.
    pub(super) again_ms: Option<f64>,
}

/// How it came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Outcome {
    /// The program ended with the plugin.
    TakesTheProgram,
    /// The call did not return.
    Hangs,
    /// The call was an error.
    Error,
    /// The call was ended at its limit.
    Limit,
    /// The plugin was not taken.
    Refused,
    /// It did what it was asked for.
    Done,
    /// It was kept from it.
    Denied,
}

impl Row {
    /// Of which nothing is known yet.
    pub(super) fn new(mechanism: Mechanism) -> Self {
        Self {
            mechanism,
            built_by: String::new(),
            problems: Vec::new(),
            figures: Figures::default(),
            compute_ns: None,
            native_ns: None,
            compute_times_native: None,
            reload_ns: None,
            crash: None,
            endless_loop: None,
            bad_version: None,
            read_file: None,
            serve: None,
            advised_for: Vec::new(),
        }
    }

    /// What no plugin should do, as a person calls it, and what came of it.
    pub(super) fn behaviours(&self) -> [(&'static str, Option<&Behaviour>); 4] {
        [
            ("a crash", self.crash.as_ref()),
            ("an endless loop", self.endless_loop.as_ref()),
            ("a bad version", self.bad_version.as_ref()),
            (READ, self.read_file.as_ref()),
        ]
    }
}

/// A file that is none of a plugin's business.
#[cfg(unix)]
pub(super) const FOREIGN: &str = "/etc/passwd";
#[cfg(not(unix))]
pub(super) const FOREIGN: &str = "C:\\Windows\\win.ini";
#[cfg(unix)]
const READ: &str = "a read of /etc/passwd";
#[cfg(not(unix))]
const READ: &str = "a read of win.ini";

/// The sizes that are measured, and what a person calls them.
pub(super) const PAYLOADS: [(u64, &str); 5] =
    [(16, "16 B"), (1 << 10, "1 KB"), (64 << 10, "64 KB"), (1 << 20, "1 MB"), (16 << 20, "16 MB")];
