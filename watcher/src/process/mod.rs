//! What differs between systems: process groups, and whether a program has taken the terminal over.

#[cfg(unix)]
#[path = "unix.rs"]
mod platform;
#[cfg(not(unix))]
#[path = "other.rs"]
mod platform;

pub(crate) use platform::{exec, exit_of, kill, kill_tree, own_group, terminal_is_taken, terminate};
