//! State that survives: carried, migrated, given to the next program; and what a panic leaves of it.

mod carried;
mod crash;
mod hooks;
mod long;
mod one_program;
mod panics;
mod requests;
mod restart;
mod retained;
mod terminal;
