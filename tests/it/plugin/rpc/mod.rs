//! go-plugin's protocol: hosts and plugins, Pitstop's and the real ones in Go, with each other.

mod by_hand;
mod certificates;
mod ends;
mod kv;
mod pairs;
mod reload;
mod rust_host;

use pitstop_tests::{GoPlugin, TIMEOUT, go, repository};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Who made the plugin. Both say and do the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Peer {
    Rust,
    Go,
}

impl Peer {
    const BOTH: [Self; 2] = [Self::Rust, Self::Go];

    fn program(self) -> PathBuf {
        static RUST: OnceLock<PathBuf> = OnceLock::new();
        match self {
            Self::Rust => RUST.get_or_init(stripped).clone(),
            Self::Go => go("plugin", GoPlugin::Debian),
        }
    }
}

/// The plugin in Rust without its debug information: a tenth, which is copied often.
fn stripped() -> PathBuf {
    let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("peer-plugin-{}", std::process::id()));
    let mut strip = Command::new("strip");
    strip.arg("-o").arg(&program).arg(env!("CARGO_BIN_EXE_peer-plugin")).current_dir(repository());
    assert!(strip.status().is_ok_and(|status| status.success()), "{strip:?}");
    program
}

/// Waits until a process is there no more.
fn gone(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process");
    // One that is gone already, and was waited for, cannot be opened.
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    let limit = Timespec::try_from(TIMEOUT).expect("a time");
    let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&limit)).expect("a poll");
    assert_eq!(ended, 1, "{pid:?} is there still");
}
