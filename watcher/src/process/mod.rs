//! What differs between systems: process groups, signals, and whether a program has taken the terminal over.

#[cfg(unix)]
#[path = "unix.rs"]
mod platform;
#[cfg(not(unix))]
#[path = "other.rs"]
mod platform;

pub(crate) use platform::{
    exec, exit_of, fault, kill, kill_tree, own_group, signal_name, terminal_is_taken, terminate,
};
