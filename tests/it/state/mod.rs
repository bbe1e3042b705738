//! State that survives: carried, migrated, given to the next program; and what a panic leaves of it.

mod carried;
mod crash;
mod one_program;
mod requests;
mod restart;
mod terminal;
