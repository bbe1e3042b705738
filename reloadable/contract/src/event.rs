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
    /// A host asks for a plugin: the watcher builds it where it is told how, publishes it now and whenever it is another, as
    /// the image `plugin:<name>`.
    PluginWanted {
        /// By which the program knows it.
        name: String,
        /// The file that it is loaded from, absolute; none where the watcher makes it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        artifact: Option<String>,
        /// The crate of the workspace that it is.
        #[serde(rename = "crate", default, skip_serializing_if = "Option::is_none")]
        crate_name: Option<String>,
        /// How it is built, where it is not a crate.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        build: Option<Recipe>,
        /// Where it is built, absolute.
        directory: String,
    },
    /// A host has unloaded a plugin: it is neither watched nor built for this host any more.
    PluginForgotten {
        /// By which the program knew it.
        name: String,
    },
    /// A version of a plugin has ended: no call of it runs any more.
    Retired {
        /// The plugin.
        #[serde(rename = "crate")]
        crate_name: String,
        /// The version's number.
        generation: Generation,
        /// How many calls it had.
        calls: u64,
        /// How many of them ended in an error.
        errors: u64,
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
        /// The number that the images will have; 0 where the program itself is built anew.
        generation: Generation,
        /// The crates that become images, or the program.
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
    /// Carried values were saved by the code that made them and restored by the new code, whose types differ.
    Migrated {
        /// The crate.
        #[serde(rename = "crate")]
        crate_name: String,
        /// The generation that has restored them.
        generation: Generation,
        /// Each value.
        states: Vec<MigratedState>,
        /// How long the safe point took for all of them, in ms.
        took_ms: f64,
    },
    /// A reloadable function panicked.
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
        /// `file:line:column` of the panic.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        location: Option<String>,
        /// What was called by what, innermost first, one frame per entry; empty where none can be had.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        backtrace: Vec<String>,
        /// How often this panic has happened in this generation: told at the first, and then ever more rarely.
        #[serde(default = "once")]
        count: u64,
        /// What is done about it.
        #[serde(default)]
        answer: Answer,
    },
    /// Another generation than the newest is live.
    RolledBack {
        /// The crate.
        #[serde(rename = "crate")]
        crate_name: String,
        /// What was live.
        from: Generation,
        /// What is live now: 0 for the code that is linked into the program.
        generation: Generation,
        /// Who wanted it.
        why: Why,
    },
    /// The program's carried values are in a file.
    Saved {
        /// Of the request that asked; 0 for a save of the program's own accord.
        id: u64,
        /// The file.
        file: String,
        /// Each value, as `type` or `type "key"`.
        states: Vec<String>,
        /// Those that could not be saved, and why.
        lost: Vec<Reason>,
        /// Length of the file, in bytes.
        bytes: u64,
        /// How long the safe point took for it, in ms.
        took_ms: f64,
    },
    /// A program that was started anew has its values back.
    Restored {
        /// Each value, as `type` or `type "key"`.
        states: Vec<String>,
        /// Those that could not be restored, and began anew.
        lost: Vec<Reason>,
    },
    /// The program asks to be started anew, with its state.
    RestartWanted {
        /// Why, for a person.
        why: String,
    },
    /// What was changed takes effect in a program that is started anew, which a person may ask for.
    RestartOffered {
        /// Why, each a sentence; none where the offer is taken back.
        reasons: Vec<String>,
    },
    /// The program was started anew.
    Restarted {
        /// Why, for a person.
        why: String,
        /// From the end of the one to the start of the other, in ms.
        down_ms: f64,
        /// Whether it was given saved values. A program without any has none to give.
        with_state: bool,
    },
    /// The program was ended by a signal that tells of a fault.
    Crashed {
        /// The signal's number.
        signal: i32,
        /// Its name: `SIGSEGV`.
        name: String,
        /// The address that could not be reached, where the signal tells one: `0x8`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
        /// The thread's name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thread: Option<String>,
        /// The crate whose code was running; empty where that cannot be told.
        #[serde(rename = "crate", default)]
        crate_name: String,
        /// Its generation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        generation: Option<Generation>,
        /// The innermost function of an image, or else of the program.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        function: Option<String>,
        /// What was called by what, innermost first, one frame per entry; empty where none can be had.
        backtrace: Vec<String>,
    },
    /// What earlier generations still take up.
    Retained {
        /// Each image that is mapped, the live ones too.
        images: Vec<RetainedImage>,
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

/// How a plugin is built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// Program and arguments, which no shell looks at; in each, `{out}` is the file to write.
    pub command: Vec<String>,
    /// Files and folders, absolute, whose change asks for a build.
    pub watch: Vec<String>,
}

/// A carried value that has another layout now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MigratedState {
    /// Its type: `logic::World`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its key, empty for the one without.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// The generation that made the value before.
    pub from: Generation,
    /// The saved form's length, in bytes.
    pub bytes: u64,
    /// How long the saving took, in ms.
    pub save_ms: f64,
    /// How long the restoring took, in ms.
    pub restore_ms: f64,
}

/// What a program does about a panic in a reloadable function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Goes back to the last good generation, and waits for the next one.
    Rollback,
    /// Holds the call until a generation arrives that may do better, and calls that.
    Hold,
    /// Lets the caller have the panic.
    #[default]
    Propagate,
}

/// Who wanted an earlier or a later generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Its successor panicked.
    Panic,
    /// A person went back.
    Undo,
    /// A person went forward again.
    Redo,
}

/// An image that is mapped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetainedImage {
    /// The crate.
    #[serde(rename = "crate")]
    pub crate_name: String,
    /// Its number.
    pub generation: Generation,
    /// Whether it is live.
    pub live: bool,
    /// Address space, in bytes.
    pub mapped_bytes: u64,
    /// Memory that it takes of its own, in bytes; `None` where the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident_bytes: Option<u64>,
    /// What keeps it mapped, each a sentence: threads, values, hooks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_by: Vec<String>,
}

fn once() -> u64 {
    1
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
