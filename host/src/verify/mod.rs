//! Proves that an image matches the running program, from its file alone: no code of it runs.

use crate::library::Shelf;
use crate::program::Program;
use pitstop_contract::descriptor::Descriptor;
use pitstop_contract::manifest::{Image, Kind};
use pitstop_contract::{Generation, Reason, Rule};
use pitstop_proof::{complete, descriptor, exports, facts, slots};
use std::path::{Component, Path, PathBuf};
use std::time::Instant;

/// An image that the manifest names.
pub(crate) struct Candidate {
    pub(crate) image: Image,
    pub(crate) path: PathBuf,
}

/// An image that has been shown to match. Only [`verify`] makes one.
pub(crate) struct Verified {
    image: Image,
    path: PathBuf,
    descriptor: Descriptor,
    started: Instant,
}

impl Verified {
    pub(crate) fn into_parts(self) -> (Image, PathBuf, Descriptor, Instant) {
        (self.image, self.path, self.descriptor, self.started)
    }
}

/// Proves one image.
///
/// # Errors
/// All reasons against it that the first failing stage found.
pub(crate) fn verify(candidate: Candidate, program: &Program, shelf: &Shelf) -> Result<Verified, Vec<Reason>> {
    let started = Instant::now();
    let Candidate { image, path } = candidate;
    inside(&image).map_err(one)?;
    let bytes = read(&path).map_err(one)?;
    identical(&image, &path, &bytes).map_err(one)?;
    complete(&path, &bytes).map_err(one)?;
    let descriptor = match image.kind {
        Kind::Library => {
            let exports = exports(&path, &bytes).map_err(one)?;
            shelf.prove(&image.crate_name, &path, &exports)?;
            Descriptor::default()
        }
        Kind::Reloadable => {
            let descriptor = descriptor(&path, &bytes).map_err(one)?;
            facts::compare(&image.crate_name, &descriptor, &bytes, &program.built)?;
            slots::compare(&image.crate_name, &descriptor, &program.built)?;
            descriptor
        }
    };
    Ok(Verified { image, path, descriptor, started })
}

/// Proves that a library, of which nothing is known beforehand, is complete.
pub(crate) fn library(name: &str, path: &Path) -> Result<Verified, Vec<Reason>> {
    let started = Instant::now();
    let bytes = read(path).map_err(one)?;
    complete(path, &bytes).map_err(one)?;
    let image = Image {
        crate_name: name.to_owned(),
        kind: Kind::Library,
        generation: Generation::LINKED,
        file: path.display().to_string(),
        bytes: bytes.len() as u64,
        crc32: 0,
        edit_at_us: 0,
        published_at_us: 0,
        detect_ms: 0.0,
        build_ms: 0.0,
        stage_ms: 0.0,
    };
    Ok(Verified { image, path: path.to_owned(), descriptor: Descriptor::default(), started })
}

fn one(reason: Reason) -> Vec<Reason> {
    vec![reason]
}

/// The manifest names files of the session directory, nothing else.
fn inside(image: &Image) -> Result<(), Reason> {
    let is_inside = Path::new(&image.file).components().all(|part| matches!(part, Component::Normal(_)));
    if is_inside {
        return Ok(());
    }
    let advice = "the manifest was not written by Pitstop; end the session and start it anew";
    Err(Reason::new(
        Rule::File,
        &image.file,
        "a file inside the session directory",
        "a path that leads out of it",
        advice,
    ))
}

/// The file as the manifest describes it is a plain file: nothing else is opened, a FIFO would block.
fn read(path: &Path) -> Result<Vec<u8>, Reason> {
    let subject = path.display().to_string();
    let refuse = |found: String| {
        let advice = "save the source again; if it persists, end the session and start it anew";
        Reason::new(Rule::File, &subject, "the staged image", found, advice)
    };
    let metadata = std::fs::metadata(path).map_err(|error| refuse(error.to_string()))?;
    if !metadata.is_file() {
        return Err(refuse("something that is not a plain file".to_owned()));
    }
    std::fs::read(path).map_err(|error| refuse(error.to_string()))
}

fn identical(image: &Image, path: &Path, bytes: &[u8]) -> Result<(), Reason> {
    let advice = "something changed or cut the staged file; save the source again";
    if bytes.len() as u64 != image.bytes {
        return Err(Reason::new(
            Rule::Checksum,
            path.display().to_string(),
            format!("{} bytes", image.bytes),
            format!("{} bytes", bytes.len()),
            advice,
        ));
    }
    let found = crc32fast::hash(bytes);
    if found != image.crc32 {
        return Err(Reason::new(
            Rule::Checksum,
            path.display().to_string(),
            format!("CRC-32 {:08x}", image.crc32),
            format!("{found:08x}"),
            advice,
        ));
    }
    Ok(())
}
