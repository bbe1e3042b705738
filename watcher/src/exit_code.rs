//! Exit codes of `cargo pitstop`.

use std::path::Path;

/// Exit codes of `cargo pitstop`. `run` ends with the program's own code where there is one, or 128 and the number of
/// the signal that ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// All went well.
    Success = 0,
    /// `doctor` found something that prevents reloading, or `inspect` something that prevents loading; or the program did
    /// not do what `undo` or `redo` asked for.
    Unfit = 1,
    /// The arguments make no sense; clap's own code.
    Usage = 2,
    /// The workspace cannot be read, has no such program, or cargo cannot build its dependencies.
    Workspace = 3,
    /// The session directory cannot be written, or there is no session to ask something of.
    Session = 4,
    /// A file to inspect cannot be read, or is neither library nor executable.
    File = 5,
    /// A case of a demo did not come out as it has to.
    Unexpected = 6,
    /// Something of a mechanism could not be built or measured by `compare`; the rest of it was.
    Unmeasured = 7,
    /// Ended by Ctrl-C.
    Interrupted = 130,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

/// A reason to end the command, and the code to end it with.
#[derive(Debug)]
pub(crate) struct Fatal {
    pub(crate) code: ExitCode,
    pub(crate) message: String,
}

impl Fatal {
    pub(crate) fn workspace(message: impl Into<String>) -> Self {
        Self { code: ExitCode::Workspace, message: message.into() }
    }

    /// A file to inspect that is nothing to be inspected.
    pub(crate) fn file(path: &Path, found: &str) -> Self {
        let message = format!("{} is {found}; name a library or an executable", path.display());
        Self { code: ExitCode::File, message }
    }

    pub(crate) fn session(message: impl Into<String>) -> Self {
        Self { code: ExitCode::Session, message: message.into() }
    }
}
