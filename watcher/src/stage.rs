//! Publishes built images: the manifest names them with their hash, and is replaced in one step.

use crate::session::{Session, replace};
use pitstop_contract::Generation;
use pitstop_contract::manifest::{Attachment, FORMAT, Image, Kind, Manifest, layouts_of};
use pitstop_contract::session::MANIFEST;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How many images of a crate are kept besides those that a host has mapped.
const KEPT: usize = 8;

/// When an edit was seen, and how long each stage since took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) edit_at_us: u64,
    pub(crate) detect: Duration,
    pub(crate) build: Duration,
    pub(crate) built: Instant,
}

/// A library file that the linker, or a hard link, put under its final name.
#[derive(Clone, Debug)]
pub(crate) struct Artifact {
    pub(crate) crate_name: String,
    pub(crate) kind: Kind,
    pub(crate) path: PathBuf,
}

/// All that a session has published.
#[derive(Default)]
pub(crate) struct Shop {
    newest: BTreeMap<String, Image>,
    staged: BTreeMap<String, Vec<(Generation, PathBuf)>>,
    /// Generations that a host said it runs: it or a debugger may have the file mapped.
    mapped: BTreeSet<(String, Generation)>,
}

impl Shop {
    /// Publishes a generation.
    ///
    /// # Errors
    /// When a file cannot be read, or the manifest cannot be written: what was published before stays.
    pub(crate) fn publish(
        &mut self,
        session: &Session,
        generation: Generation,
        artifacts: &[Artifact],
        timing: &Timing,
    ) -> std::io::Result<()> {
        let mut newest = self.newest.clone();
        for artifact in artifacts {
            let bytes = std::fs::read(&artifact.path)?;
            let image = Image {
                crate_name: artifact.crate_name.clone(),
                kind: artifact.kind,
                generation,
                file: relative(&artifact.path, &session.directory),
                bytes: bytes.len() as u64,
                crc32: crc32fast::hash(&bytes),
                layouts: match artifact.kind {
                    Kind::Reloadable => Some(attach_layouts(artifact, &bytes)?),
                    Kind::Library => None,
                },
                edit_at_us: timing.edit_at_us,
                published_at_us: now_us(),
                detect_ms: ms(timing.detect),
                build_ms: ms(timing.build),
                stage_ms: ms(timing.built.elapsed()),
            };
            newest.insert(image.crate_name.clone(), image);
        }
        let manifest = Manifest {
            format: FORMAT,
            session: session.name.clone(),
            generation,
            images: newest.values().cloned().collect(),
        };
        replace(&session.directory.join(MANIFEST), &serde_json::to_vec(&manifest)?)?;
        self.newest = newest;
        for artifact in artifacts {
            let staged = self.staged.entry(artifact.crate_name.clone()).or_default();
            staged.push((generation, artifact.path.clone()));
        }
        Ok(())
    }

    /// A host runs this generation: its file is kept for as long as the session.
    pub(crate) fn mapped(&mut self, crate_name: &str, generation: Generation) {
        self.mapped.insert((crate_name.to_owned(), generation));
    }

    /// Removes the oldest files by number, never one that a host has ever made live.
    pub(crate) fn prune(&mut self) {
        for (crate_name, staged) in &mut self.staged {
            while staged.len() > KEPT {
                let old =
                    staged.iter().position(|(generation, _)| !self.mapped.contains(&(crate_name.clone(), *generation)));
                // The newest ones may be on their way into a host.
                match old.filter(|&old| old + KEPT < staged.len()) {
                    Some(old) => {
                        let (_, path) = staged.remove(old);
                        let _ = std::fs::remove_file(layouts_of(&path));
                        let _ = std::fs::remove_file(path);
                    }
                    None => break,
                }
            }
        }
    }
}

/// Reads the types that cross the image's border, and writes them beside it.
fn attach_layouts(artifact: &Artifact, bytes: &[u8]) -> std::io::Result<Attachment> {
    // Of an image without a readable descriptor nothing is told; the host refuses it.
    let descriptor = pitstop_proof::descriptor(&artifact.path, bytes).unwrap_or_default();
    let layouts = pitstop_proof::layout::read(bytes, &descriptor.crate_names());
    let text = serde_json::to_vec(&layouts)?;
    std::fs::write(layouts_of(&artifact.path), &text)?;
    Ok(Attachment { bytes: text.len() as u64, crc32: crc32fast::hash(&text) })
}

fn relative(path: &Path, directory: &Path) -> String {
    path.strip_prefix(directory).unwrap_or(path).display().to_string()
}

/// The wall clock, which host and watcher share.
pub(crate) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

pub(crate) fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
