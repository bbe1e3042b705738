//! Rebuilds reloadable crates the moment their source changes, and publishes the images for the running program.
//!
//! The flow, in reading order: `watch` sees an edit, `build` runs rustc on what it reaches, `stage` publishes the
//! images under versioned names. `run` is the loop that decides; `cargo` and `wrapper` find out the commands.

mod cli;
mod compare;
mod demo;
mod doctor;
mod inspect;
mod request;
mod run;

mod build;
mod crash;
mod stage;
mod tree;
mod watch;

mod cargo;
mod describe;
mod exit_code;
mod host_process;
mod output;
mod process;
mod program;
mod session;
mod unit;
mod wrapper;

pub use exit_code::ExitCode;

/// The command: what `cargo pitstop` runs, and what cargo runs in place of rustc while commands are captured.
#[must_use]
pub fn main() -> std::process::ExitCode {
    if let Some(capture) = wrapper::requested() {
        return wrapper::main(&capture);
    }
    cli::main()
}
