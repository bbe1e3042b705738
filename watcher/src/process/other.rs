//! Systems without process groups: the process itself is all that is killed.

use std::fs::Metadata;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};

/// See the Unix twin.
pub(crate) fn own_group(_: &mut Command) {}

/// See the Unix twin. The compiler's handle kills it.
pub(crate) fn kill_tree(_: u32) {}

/// See the Unix twin. What the process leaves behind goes on.
pub(crate) fn wait_for_tree(child: &mut Child, before_free: impl FnOnce()) -> std::io::Result<ExitStatus> {
    let status = child.wait();
    before_free();
    status
}

/// See the Unix twin: a file's name says whether it can be executed.
pub(crate) fn is_executable(_: &Metadata) -> bool {
    true
}

/// See the Unix twin.
pub(crate) fn copy_executable(_: &Metadata, _: &Path) -> std::io::Result<()> {
    Ok(())
}

/// See the Unix twin. Ctrl-C reaches the program by itself.
pub(crate) fn terminate(_: u32) {}

/// See the Unix twin.
pub(crate) fn kill(_: u32) {}

/// See the Unix twin: runs the command and exits with its code.
pub(crate) fn exec(mut command: Command) -> std::io::Error {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => error,
    }
}

/// See the Unix twin.
pub(crate) fn exit_of(status: ExitStatus) -> (Option<i32>, Option<i32>) {
    (status.code(), None)
}

/// See the Unix twin: nothing ends by a signal.
pub(crate) fn fault(_: i32) -> bool {
    false
}

/// See the Unix twin.
pub(crate) fn signal_name(signal: i32) -> String {
    format!("signal {signal}")
}

/// See the Unix twin.
pub(crate) struct Terminal;

impl Terminal {
    pub(crate) fn now() -> Self {
        Self
    }

    pub(crate) fn restore(&self) {}
}

/// See the Unix twin. Nobody is asked: the question could not be withdrawn.
pub(crate) struct Question;

impl Question {
    pub(crate) fn ask(_: impl FnOnce(bool) + Send + 'static) -> Option<Self> {
        None
    }
}

/// See the Unix twin.
pub(crate) fn terminal_is_taken() -> bool {
    false
}
