//! What watcher and host say, one JSON object per line; `--json` prints these as they are.

use crate::{Generation, Reason};
use serde::{Deserialize, Serialize};

/// Something that happened in a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum Event {
    /// The watcher is ready: an edit from now on is seen.
    Session {
        /// The session's name.
        session: String,
        /// Its directory.
        directory: String,
        /// The crates that can be reloaded.
        crates: Vec<String>,
        /// `shared` or `self-contained`.
        linkage: String,
        /// Why the linkage is `self-contained`; empty otherwise.
        linkage_reason: String,
        /// The host's executable.
        host: Option<String>,
    },
    /// A host attached to the session.
    Attached {
        /// The host's process.
        pid: u32,
    },
    /// A host asks for a library that is not of the workspace: the watcher publishes it now and whenever it changes.
    Wanted {
        /// The file, absolute.
        path: String,
    },
    /// Files changed, in content and not only in time stamp.
    Change {
        /// Which, relative to the workspace where they are inside it.
        files: Vec<String>,
        /// The crates that will be rebuilt for it; empty when none can.
        crates: Vec<String>,
    },
    /// The compiler starts.
    BuildStarted {
        /// The number that the images will have.
        generation: Generation,
        /// The crates that become images.
        crates: Vec<String>,
    },
    /// More edits came: the compiler was stopped, and starts again.
    BuildCancelled {
        /// The number, which the next build uses again.
        generation: Generation,
    },
    /// The compiler refused the code; the program goes on with what it has.
    BuildFailed {
        /// The number, which the next build uses again.
        generation: Generation,
        /// The crate that failed.
        #[serde(rename = "crate")]
        crate_name: String,
        /// How many errors.
        errors: usize,
        /// rustc's own rendering.
        rendered: String,
    },
    /// Images are staged and published.
    Built {
        /// Their number.
        generation: Generation,
        /// The crates.
        crates: Vec<String>,
        /// The compiler's time, in ms.
        build_ms: f64,
        /// Warnings of the compiler.
        warnings: usize,
    },
    /// An image was shown to match the program.
    Verified {
        /// The crate.
        #[serde(rename = "crate")]
        crate_name: String,
        /// Its number.
        generation: Generation,
        /// How many types were compared, each with all that it consists of.
        types: usize,
        /// Where this could not be done, and why; there, only signatures and the sizes and alignments of the types in
        /// them were compared. Empty: all types that cross are proven.
        gaps: Vec<String>,
        /// What a person should know of the new code: renamed fields, statics that start afresh, values that may point
        /// into an old image.
        notes: Vec<String>,
    },
    /// An image was not loaded, or an edit cannot be reloaded. The program goes on with what it has.
    Rejected {
        /// The crate.
        #[serde(rename = "crate")]
        crate_name: String,
        /// The image's number; the live one where no image was built.
        generation: Generation,
        /// Why, one entry per finding.
        reasons: Vec<Reason>,
    },
    /// The swap has to wait for threads that are in a unit of work.
    Waiting {
        /// The number that waits.
        generation: Generation,
        /// Who: thread, place of its `enter()`, and for how long, in ms.
        threads: Vec<Waited>,
        /// Whether the host has given up for now and lets new units begin.
        gave_up: bool,
    },
    /// New code runs.
    Live {
        /// The crate.
        #[serde(rename = "crate")]
        crate_name: String,
        /// Its number.
        generation: Generation,
        /// From the first notice of the edit to the swap.
        edit_to_live_ms: f64,
        /// Where the time went.
        stages: Stages,
        /// Functions swapped.
        slots: usize,
        /// Bytes of the image's file.
        image_bytes: u64,
    },
    /// A reloaded function panicked. The panic goes on to the host's caller.
    Panicked {
        /// The crate.
        #[serde(rename = "crate")]
        crate_name: String,
        /// The generation it ran.
        generation: Generation,
        /// The function.
        function: String,
        /// The panic's message.
        message: String,
    },
    /// The host ended.
    Exited {
        /// Its exit code, where it had one.
        code: Option<i32>,
        /// The signal that ended it, where one did.
        signal: Option<i32>,
    },
    /// Something a person should know that is none of the above.
    Notice {
        /// A sentence.
        message: String,
    },
}

/// A thread that a swap waited for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waited {
    /// Its name, or its id where it has none.
    pub thread: String,
    /// `file:line` of the `enter()`.
    pub place: String,
    /// Since it entered, in ms.
    pub for_ms: f64,
}

/// Where the time between edit and live went, in ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stages {
    /// From the edit to the start of the compiler.
    pub detect: f64,
    /// The compiler.
    pub build: f64,
    /// Hash and manifest.
    pub stage: f64,
    /// From the manifest to the proof, with the reading of the file.
    pub verify: f64,
    /// The system's loader.
    pub load: f64,
    /// For the host's safe point.
    pub wait: f64,
    /// The swap.
    pub swap: f64,
}
