//! Takes a copy of a plugin's file, so that what was checked is what is loaded.

mod contents;
mod folder;
mod read;
#[cfg(test)]
mod tests;

pub(crate) use contents::Contents;
pub(crate) use folder::Staging;
#[cfg(all(unix, feature = "rpc"))]
pub(crate) use folder::private;

use super::spec::Spec;
use folder::NotCopied;
use pitstop_contract::{Generation, Reason, Rule};
use pitstop_proof::layout::Layouts;
use read::Asked;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A version of a plugin that is to be live: its file is staged, so that nobody else writes or replaces it.
#[derive(Debug)]
#[cfg_attr(not(feature = "plugins"), allow(dead_code))]
pub(crate) struct Candidate {
    pub(crate) spec: Arc<Spec>,
    /// The staged copy. Its path has the number of the version in it and is used once.
    pub(crate) file: PathBuf,
    /// What is in it.
    pub(crate) bytes: Contents,
    /// The types that cross its border, where the session's watcher has read them.
    pub(crate) layouts: Option<Layouts>,
}

/// Copies a version of a plugin: `artifact` is the file that its configuration names, or one that a session has built.
///
/// The file is opened once: whose it is, where it is and what is in it are all asked of the open file, so that nothing
/// can be put in its place in between. The copy is closed when this returns; a process that another thread forks at this
/// moment may have it open for writing for an instant yet, in which it cannot be executed.
///
/// # Errors
/// Why it cannot be used.
pub(crate) fn stage(
    spec: &Arc<Spec>,
    artifact: &Path,
    folder: &Staging,
    number: Generation,
) -> Result<Candidate, Reason> {
    let place = folder.place(spec, artifact, number)?;
    let mut unwritten = None;
    let copied = read::read(&Asked { spec, artifact, policy: folder.policy() }, |file, length| {
        place.copy(file, length).map_err(|error| match error {
            NotCopied::Unreadable(error) => error,
            NotCopied::Unwritable(error) => {
                unwritten = Some(place.unwritable(artifact, &error));
                error
            }
        })
    });
    let bytes = copied.map_err(|reason| unwritten.unwrap_or(reason))?;
    matches_pin(spec, artifact, &bytes)?;
    Ok(Candidate { spec: Arc::clone(spec), file: place.keep(), bytes, layouts: None })
}

pub(crate) fn matches_pin(spec: &Spec, artifact: &Path, bytes: &[u8]) -> Result<(), Reason> {
    let Some(pin) = spec.sha256 else { return Ok(()) };
    let found = hmac_sha256::Hash::hash(bytes);
    if found == pin {
        return Ok(());
    }
    let place = format!("{}:{}", spec.origin.file.display(), spec.origin.line);
    let advice = format!("if this is the file that is meant, write its digest as `sha256` at {place}");
    let (expected, found) = (format!("SHA-256 {}", hex(&pin)), hex(&found));
    Err(Reason::new(Rule::Checksum, artifact.display().to_string(), expected, found, advice))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
