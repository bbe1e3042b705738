//! `cargo pitstop inspect`: what is known of a library or an executable, and whether an image could be loaded. From the
//! files alone: nothing of them ever runs.

mod file;
mod verdict;

mod page;
mod text;

#[cfg(all(test, target_os = "linux"))]
mod tests;

use crate::exit_code::{ExitCode, Fatal};
use crate::output::Output;
use file::Inspected;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// How much of a file a person wants to see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// Types of the standard library, tuples and closures too, and all of them.
    pub(crate) all_types: bool,
    /// Only types whose name contains this.
    pub(crate) types: Option<String>,
    /// Every fact and every dependency.
    pub(crate) facts: bool,
}

/// Shows one file, or compares two: the first is what the program was built with or has loaded.
pub(crate) fn run(image: &Path, other: Option<&Path>, shown: &Shown, mut output: Output) -> std::process::ExitCode {
    let code = match inspect(image, other, shown, &output) {
        Ok(code) => code,
        Err(fatal) => {
            output.line(format!("\x1b[1;31merror\x1b[0m: {}", fatal.message));
            fatal.code
        }
    };
    code.into()
}

fn inspect(image: &Path, other: Option<&Path>, shown: &Shown, output: &Output) -> Result<ExitCode, Fatal> {
    let (expected, bytes) = open(image)?;
    let Some(other) = other else {
        if output.is_json() {
            json(output, &expected);
        } else {
            output.result(&text::image(&expected, shown));
        }
        return Ok(ExitCode::Success);
    };
    let (found, found_bytes) = open(other)?;
    let verdict = verdict::judge((&expected, &bytes), (&found, &found_bytes));
    if output.is_json() {
        json(output, &expected);
        json(output, &found);
        json(output, &verdict);
    } else {
        output.result(&text::verdict(&expected, &found, &verdict));
    }
    Ok(if verdict.reasons.is_empty() { ExitCode::Success } else { ExitCode::Unfit })
}

fn json(output: &Output, value: &impl Serialize) {
    output.result(&serde_json::to_string(value).unwrap_or_default());
}

fn open(path: &Path) -> Result<(Inspected, Vec<u8>), Fatal> {
    let bytes = file::read(path)?;
    let inspected = Inspected::of(path, &bytes).map_err(|found| Fatal::file(path, &found))?;
    Ok((inspected, bytes))
}

/// The file's own name.
fn name(path: &str) -> String {
    let name = PathBuf::from(path).file_name().map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| path.to_owned())
}
