//! What differs between systems: process groups, signals, and the terminal that a program may have taken over.

#[cfg(unix)]
#[path = "unix.rs"]
mod platform;
#[cfg(not(unix))]
#[path = "other.rs"]
mod platform;

pub(crate) use platform::{
    Question, Terminal, copy_executable, exec, exit_of, fault, is_executable, kill, kill_tree, own_group, signal_name,
    terminal_is_taken, terminate, wait_for_tree,
};
