//! Proves that an image matches the running program, from its file alone: no code of it runs.

use crate::library::Shelf;
use crate::program::Program;
use pitstop_contract::descriptor::Descriptor;
use pitstop_contract::manifest::{Image, Kind, layouts_of};
use pitstop_contract::{Generation, Reason, Rule};
use pitstop_proof::file::{identical, read};
use pitstop_proof::layout::{self, FORMAT, Layouts};
use pitstop_proof::{Image as Contents, Proof, complete, descriptor, exports, prove, prove_kept_by_type};
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
    contents: Contents,
    proof: Proof,
    started: Instant,
}

impl Verified {
    pub(crate) fn into_parts(self) -> (Image, PathBuf, Contents, Proof, Instant) {
        (self.image, self.path, self.contents, self.proof, self.started)
    }

    pub(crate) fn image(&self) -> &Image {
        &self.image
    }

    pub(crate) fn proof(&self) -> &Proof {
        &self.proof
    }
}

/// What images are compared with.
pub(crate) struct Against<'a> {
    pub(crate) program: &'a Program,
    pub(crate) shelf: &'a Shelf,
    /// Earlier images, whose values may still be there.
    pub(crate) earlier: &'a [Layouts],
}

/// Proves one image.
///
/// # Errors
/// All reasons against it that the first failing stage found.
pub(crate) fn verify(candidate: Candidate, against: &Against<'_>) -> Result<Verified, Vec<Reason>> {
    let started = Instant::now();
    let Candidate { image, path } = candidate;
    inside(&image.file).map_err(one)?;
    let bytes = read(&path).map_err(one)?;
    identical(&path, &bytes, image.bytes, image.crc32).map_err(one)?;
    complete(&path, &bytes).map_err(one)?;
    let (contents, proof) = match image.kind {
        Kind::Library | Kind::Plugin => {
            let exports = exports(&path, &bytes).map_err(one)?;
            against.shelf.prove(&image.crate_name, &path, &exports)?;
            (Contents::default(), Proof::default())
        }
        Kind::Reloadable => {
            let descriptor = descriptor(&path, &bytes).map_err(one)?;
            let layouts = layouts(&image, &path, &bytes, &descriptor);
            let contents = Contents { descriptor, layouts };
            let Program { built, .. } = against.program;
            let proof = prove(&image.crate_name, &bytes, &contents, built, against.program.layouts())?;
            for earlier in against.earlier {
                prove_kept_by_type(earlier, &contents.layouts)?;
            }
            (contents, proof)
        }
    };
    Ok(Verified { image, path, contents, proof, started })
}

/// The types that cross the image's border: as the watcher has read them, or else from the image itself.
fn layouts(image: &Image, path: &Path, bytes: &[u8], descriptor: &Descriptor) -> Layouts {
    attached(image, path).unwrap_or_else(|| layout::read(bytes, &descriptor.crate_names()))
}

/// What the watcher has read, if it is there, whole, and of a form that is known here.
pub(crate) fn attached(image: &Image, path: &Path) -> Option<Layouts> {
    let attachment = image.layouts?;
    let path = layouts_of(path);
    let text = read(&path).ok()?;
    identical(&path, &text, attachment.bytes, attachment.crc32).ok()?;
    serde_json::from_slice(&text).ok().filter(|layouts: &Layouts| layouts.format == FORMAT)
}

/// Proves that a library, of which nothing is known beforehand, is complete.
pub(crate) fn library(name: &str, number: Generation, path: &Path) -> Result<Verified, Vec<Reason>> {
    let started = Instant::now();
    let bytes = read(path).map_err(one)?;
    complete(path, &bytes).map_err(one)?;
    let image = Image {
        crate_name: name.to_owned(),
        kind: Kind::Library,
        generation: number,
        file: path.display().to_string(),
        bytes: bytes.len() as u64,
        crc32: 0,
        layouts: None,
        edit_at_us: 0,
        published_at_us: 0,
        detect_ms: 0.0,
        build_ms: 0.0,
        stage_ms: 0.0,
    };
    let (contents, proof) = (Contents::default(), Proof::default());
    Ok(Verified { image, path: path.to_owned(), contents, proof, started })
}

fn one(reason: Reason) -> Vec<Reason> {
    vec![reason]
}

/// The manifest names files of the session directory, nothing else.
pub(crate) fn inside(file: &str) -> Result<(), Reason> {
    let is_inside = Path::new(file).components().all(|part| matches!(part, Component::Normal(_)));
    if is_inside {
        return Ok(());
    }
    let advice = "the manifest was not written by Pitstop; end the session and start it anew";
    Err(Reason::new(Rule::File, file, "a file inside the session directory", "a path that leads out of it", advice))
}
