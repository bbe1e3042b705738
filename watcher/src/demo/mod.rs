//! `cargo pitstop demo`: shows with an example of the repository what Pitstop guards against.

mod cases;
mod version_match;

mod damage;
mod workshop;

mod blind;
mod table;

use crate::exit_code::{ExitCode, Fatal};
use crate::output::Output;

/// What of a demo is asked for.
pub(crate) struct Request {
    /// The names of its cases only.
    pub(crate) list: bool,
    /// Only these; none for all.
    pub(crate) cases: Vec<String>,
}

/// Shows a demo, or which there are.
pub(crate) fn run(name: Option<&str>, request: &Request, mut output: Output) -> std::process::ExitCode {
    let code = match name {
        None => {
            output.result(
                "version-match    one plugin in all mismatching ways: what Pitstop says, and what happens without it",
            );
            Ok(ExitCode::Success)
        }
        Some("version-match") => version_match::run(request, &mut output),
        Some(other) => {
            Err(Fatal { code: ExitCode::Usage, message: format!("no demo `{other}`; there is `version-match`") })
        }
    };
    code.unwrap_or_else(|fatal| {
        output.line(format!("\x1b[1;31merror\x1b[0m: {}", fatal.message));
        fatal.code
    })
    .into()
}
