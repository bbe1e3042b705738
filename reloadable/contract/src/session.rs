//! Names of the files in a session directory, and of the environment that leads to it.
//!
//! ```text
//! target/pitstop/<session>/
//!     lock                 held by the watcher while it lives
//!     manifest.json        what to load; replaced by atomic rename
//!     events.jsonl         what the watcher says; appended
//!     requests.jsonl       what a person or the watcher asks of hosts; appended
//!     state-<pid>-<n>      carried values, as a host has saved them; replaced by atomic rename
//!     host-<pid>.crash     what a host left behind when a signal ended it
//!     host-<pid>.jsonl     what one host says; appended
//!     host-<pid>.lock      held by that host while it lives
//!     images/              staged images, one versioned name each
//!     made/                what plugins' own commands write, until it is staged
//!     lib/ bin/            the workspace's own crates, and the host, as this session built them
//! target/pitstop/current   the newest session's name
//! target/pitstop/cache/    incremental state and shared dependencies, for all sessions
//! ```

/// The manifest's file name.
pub const MANIFEST: &str = "manifest.json";
/// The watcher's event log.
pub const EVENTS: &str = "events.jsonl";
/// What is asked of hosts and of the watcher, see [`crate::request::Request`].
pub const REQUESTS: &str = "requests.jsonl";
/// The watcher's lock file.
pub const LOCK: &str = "lock";
/// Names the newest session; beside the sessions, replaced by atomic rename.
pub const CURRENT: &str = "current";
/// The folder of staged images.
pub const IMAGES: &str = "images";
/// The folder, below the target directory, that holds all sessions.
pub const ROOT: &str = "pitstop";
/// The folder beside the sessions that outlives them.
pub const CACHE: &str = "cache";

/// Environment of the host: the session directory to attach to.
pub const ENV_SESSION: &str = "PITSTOP_SESSION";
/// Environment of the host: the file of saved values to begin with.
pub const ENV_RESTORE: &str = "PITSTOP_RESTORE";
/// Environment of rustc: which form `#[reloadable]` takes, [`LIVE_HOST`] or [`LIVE_IMAGE`].
pub const ENV_LIVE: &str = "PITSTOP_LIVE";
/// Environment of rustc: the facts that go into the descriptor, see [`crate::descriptor::Facts`].
pub const ENV_FACTS: &str = "PITSTOP_FACTS";

/// Value of [`ENV_LIVE`]: the crate is linked into something else and called through its slots.
pub const LIVE_HOST: &str = "host";
/// Value of [`ENV_LIVE`]: the crate is an image and exports its bodies.
pub const LIVE_IMAGE: &str = "image";

/// The name of a host's event log.
#[must_use]
pub fn host_events(pid: u32) -> String {
    format!("host-{pid}.jsonl")
}

/// The name of a host's lock file.
#[must_use]
pub fn host_lock(pid: u32) -> String {
    format!("host-{pid}.lock")
}

/// The name of a file of saved values: of the request with this number, or with 0 of the host's own accord, which is
/// replaced by each later one.
#[must_use]
pub fn state_file(pid: u32, request: u64) -> String {
    format!("state-{pid}-{request}")
}

/// The name of what a host leaves behind when a signal ends it, see [`crate::crash`].
#[must_use]
pub fn host_crash(pid: u32) -> String {
    format!("host-{pid}.crash")
}
