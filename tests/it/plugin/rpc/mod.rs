//! go-plugin's protocol: hosts and plugins, Pitstop's and the real ones in Go, with each other.

mod by_hand;
mod certificates;
mod pairs;

use pitstop_tests::{GoPlugin, go};
use std::path::PathBuf;

/// Who made the plugin. Both say and do the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    Rust,
    Go,
}

impl Peer {
    const BOTH: [Self; 2] = [Self::Rust, Self::Go];

    fn program(self) -> PathBuf {
        match self {
            Self::Rust => env!("CARGO_BIN_EXE_peer-plugin").into(),
            Self::Go => go("plugin", GoPlugin::Debian),
        }
    }
}
