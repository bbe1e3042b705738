//! Takes a candidate from its file to a version that is ready for calls: staged, proven, opened. Takes as long as it takes, on a
//! thread of its own.

use super::access;
use super::backend::{self, Candidate};
use super::post::Post;
use super::shared::Shared;
use super::spec::{Source, Spec};
use super::stage::{self, Contents};
use super::version::Version;
use crate::swap::micros_since_1970;
use crate::verify::attached;
use crossbeam_channel::Sender;
use pitstop_contract::event::Stages;
use pitstop_contract::manifest::Image;
use pitstop_contract::{Generation, Reason, Rule};
use pitstop_proof::Proof;
use pitstop_proof::file::{identical, read};
use pitstop_reloadable::PluginError;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What became of a candidate.
pub(super) enum Outcome {
    /// The file is what it was.
    Same,
    Refused(Vec<Reason>),
    Ready {
        version: Arc<Version>,
        proof: Proof,
        timing: Timing,
    },
}

/// What a candidate is loaded for.
pub(super) enum Purpose {
    /// To be live.
    Live,
    /// To be routed to.
    Standby(Sender<Result<Generation, Vec<Reason>>>),
}

/// A candidate that is to be loaded.
pub(crate) struct Order {
    pub(super) number: Generation,
    pub(super) from: From,
    /// When it was noticed.
    pub(super) seen: (u64, Instant),
    pub(super) reload: Reload,
}

/// Whether a file is loaded that is the same as the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reload {
    IfOther,
    Always,
}

/// Where a candidate comes from.
pub(super) enum From {
    /// A file that anything may write.
    File(PathBuf),
    /// One that the watcher has staged.
    Image { image: Box<Image>, path: PathBuf },
}

/// When its change was noticed, and where the time went since.
#[derive(Clone, Copy)]
pub(super) struct Timing {
    pub(super) edit_at_us: u64,
    pub(super) stages: Stages,
    pub(super) bytes: u64,
    pub(super) ready: Instant,
}

impl Order {
    pub(super) fn now(number: Generation, from: From, reload: Reload) -> Self {
        Self { number, from, seen: (micros_since_1970(), Instant::now()), reload }
    }
}

/// Stages, proves and opens a candidate.
pub(super) fn open(
    shared: &Arc<Shared>,
    post: &Post,
    spec: &Arc<Spec>,
    number: Generation,
    from: From,
    seen: (u64, Instant),
    purpose: &Purpose,
) -> Outcome {
    let mut stages = Stages { detect: ms(seen.1.elapsed()), ..Stages::default() };
    let mut edit_at_us = seen.0;
    let begun = Instant::now();
    let candidate = match from {
        From::File(file) => {
            let candidate = stage::stage(spec, &file, &shared.staging, number);
            stages.stage = ms(begun.elapsed());
            candidate
        }
        From::Image { image, path } => {
            (stages.detect, stages.build, stages.stage) = (image.detect_ms, image.build_ms, image.stage_ms);
            edit_at_us = image.edit_at_us;
            published(spec, &image, path)
        }
    };
    let candidate = match candidate {
        Ok(candidate) => candidate,
        Err(reason) => return Outcome::Refused(vec![reason]),
    };
    if matches!(purpose, Purpose::Live) && is_staged_again(post, &candidate.bytes) {
        shared.staging.remove(&candidate.file);
        return Outcome::Same;
    }
    let (file, bytes) = (candidate.file.clone(), candidate.bytes.len() as u64);
    let verifying = Instant::now();
    let proven = match backend::prove(candidate) {
        Ok(proven) => proven,
        Err(reasons) => {
            shared.staging.remove(&file);
            // The same bytes may be good once something else about the file is.
            post.standing().staged = None;
            return Outcome::Refused(reasons.into_iter().map(|reason| of_source(spec, &file, reason)).collect());
        }
    };
    stages.verify = ms(verifying.elapsed());
    let opening = Instant::now();
    let instance = match backend::backend(spec.mechanism).open(&proven) {
        Ok(instance) => instance,
        Err(error) => {
            // A library that was mapped stays so; its file is not needed for that.
            shared.staging.remove(&file);
            return Outcome::Refused(vec![of_source(spec, &file, not_opened(spec, &file, &error))]);
        }
    };
    stages.load = ms(opening.elapsed());
    let proof = proven.proof().clone();
    let version = Version::new(number, Arc::clone(spec), file, instance, shared.yard.clone());
    let timing = Timing { edit_at_us, stages, bytes, ready: Instant::now() };
    Outcome::Ready { version: Arc::new(version), proof, timing }
}

/// Whether it is what was staged before it. From now on, another one is compared with this.
fn is_staged_again(post: &Post, bytes: &Contents) -> bool {
    let before = post.standing().staged.replace(bytes.clone());
    before.is_some_and(|before| before == *bytes)
}

/// A file that the watcher has staged, which nobody else writes.
fn published(spec: &Arc<Spec>, image: &Image, path: PathBuf) -> Result<Candidate, Reason> {
    let file = access::open(&path).ok().filter(|file| file.metadata().is_ok_and(|metadata| metadata.is_file()));
    let mapped = file.and_then(|file| Contents::of(&file).ok());
    // That says why it cannot be read.
    let bytes = mapped.map_or_else(|| read(&path).map(Contents::from), Ok)?;
    identical(&path, &bytes, image.bytes, image.crc32)?;
    stage::matches_pin(spec, &path, &bytes)?;
    let layouts = attached(image, &path);
    Ok(Candidate { spec: Arc::clone(spec), file: path, bytes, layouts })
}

/// A reason that names what a person edits, in place of the copy that was looked at.
fn of_source(spec: &Spec, copy: &Path, reason: Reason) -> Reason {
    let source = match &spec.source {
        Source::File(file) => file.display().to_string(),
        Source::Crate(name) => format!("the library of crate `{name}`"),
    };
    let copy = copy.display().to_string();
    let told = |text: String| text.replace(&copy, &source);
    Reason {
        subject: told(reason.subject),
        expected: told(reason.expected),
        found: told(reason.found),
        notes: reason.notes.into_iter().map(told).collect(),
        advice: told(reason.advice),
        ..reason
    }
}

fn not_opened(spec: &Spec, file: &Path, error: &PluginError) -> Reason {
    let rule = match error {
        PluginError::Protocol { .. } => Rule::Signature,
        _ => Rule::Load,
    };
    let (expected, found) = match error {
        PluginError::Protocol { expected, found } => (expected.clone(), found.clone()),
        other => ("a plugin that starts and says that it is well".to_owned(), other.to_string()),
    };
    let advice = "mend the plugin; the version before it stays live";
    let subject = format!("{} of plugin `{}`", file.display(), spec.name);
    Reason::new(rule, subject, expected, found, advice)
}

pub(super) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
