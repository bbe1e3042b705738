//! What a person, or the watcher, asks of a running session: one JSON object per line of a file that is only appended to.

use serde::{Deserialize, Serialize};

/// Something that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", rename_all_fields = "snake_case")]
pub enum Request {
    /// Of hosts: make the generation before the live one live.
    Undo,
    /// Of hosts: make the generation live that was live before the undo.
    Redo,
    /// Of the watcher: build the program anew and start it with its state.
    Restart,
    /// Of hosts: save all carried values at the next safe point.
    Save {
        /// Comes back in the event `saved`.
        id: u64,
        /// Whether the program ends then, at the same safe point.
        end: bool,
        /// The process that is meant; all of the session's where none is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pid: Option<u32>,
    },
}
