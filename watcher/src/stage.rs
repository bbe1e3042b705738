//! Publishes built images: the manifest names them with their hash, and is replaced in one step.

use crate::session::{Session, replace};
use pitstop_contract::Generation;
use pitstop_contract::event::Why;
use pitstop_contract::manifest::{Attachment, FORMAT, Image, Kind, Manifest, layouts_of};
use pitstop_contract::session::MANIFEST;
use pitstop_proof::layout::Layouts;
use pitstop_proof::plugin_layouts;
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
    history: History,
}

/// The images that the running program made live, as sets: each what was live after a swap.
#[derive(Default)]
struct History {
    published: BTreeMap<(String, Generation), Image>,
    live: BTreeMap<String, Generation>,
    /// By the generation of the swap.
    sets: BTreeMap<Generation, BTreeMap<String, Generation>>,
    /// Generations that crashed or panicked.
    bad: BTreeSet<Generation>,
}

impl History {
    /// The newest set without anything bad in it. None: the program alone.
    fn good(&self) -> BTreeMap<String, Generation> {
        let is_good = |set: &&BTreeMap<String, Generation>| set.values().all(|image| !self.bad.contains(image));
        self.sets.values().rev().find(is_good).cloned().unwrap_or_default()
    }
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
                    Kind::Reloadable => Some(attach_layouts(artifact, &layouts(artifact, &bytes))?),
                    Kind::Plugin => match plugin_layouts(&artifact.path, &bytes) {
                        Some(layouts) => Some(attach_layouts(artifact, &layouts)?),
                        None => None,
                    },
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
        write(session, generation, &newest)?;
        self.newest = newest;
        for artifact in artifacts {
            let staged = self.staged.entry(artifact.crate_name.clone()).or_default();
            staged.push((generation, artifact.path.clone()));
            let name = &artifact.crate_name;
            self.history.published.insert((name.clone(), generation), self.newest[name].clone());
        }
        Ok(())
    }

    /// Publishes that there are no images: the program that is started next has all code in it.
    ///
    /// # Errors
    /// When the manifest can be neither written nor removed: then a program that is started would be given images older than
    /// itself.
    pub(crate) fn reset(&mut self, session: &Session, generation: Generation) -> std::io::Result<()> {
        // A full disk has no room for an empty one, and without any there are no images either.
        write(session, generation, &BTreeMap::new())
            .or_else(|_| std::fs::remove_file(session.directory.join(MANIFEST)))?;
        self.newest.clear();
        self.history = History::default();
        Ok(())
    }

    /// Publishes what was live before `bad`, for a program that is started once more. Other crates keep what came later: it
    /// may be what mends it. Returns the crates whose newest image is no longer published.
    ///
    /// # Errors
    /// When the manifest cannot be written: what was published before stays.
    pub(crate) fn roll_back(&mut self, session: &Session, bad: Generation) -> std::io::Result<Vec<String>> {
        self.history.bad.insert(bad);
        self.history.live.clear();
        let mut images = BTreeMap::new();
        if bad != Generation::LINKED {
            let good = self.history.good().into_iter();
            images.extend(good.filter_map(|(name, generation)| {
                let image = self.history.published.get(&(name.clone(), generation))?;
                Some((name, image.clone()))
            }));
            let later = self.newest.iter().filter(|(_, image)| image.generation > bad);
            images.extend(later.map(|(name, image)| (name.clone(), image.clone())));
        }
        let highest = images.values().map(|image| image.generation).max().unwrap_or(Generation::LINKED);
        write(session, highest, &images)?;
        let dropped = self.newest.iter().filter(|(name, image)| images.get(*name) != Some(image));
        let dropped = dropped.map(|(name, _)| name.clone()).collect();
        self.newest = images;
        Ok(dropped)
    }

    /// The newest published image of a crate.
    pub(crate) fn newest(&self, crate_name: &str) -> Option<Generation> {
        self.newest.get(crate_name).map(|image| image.generation)
    }

    /// Whether this is asked for by name, and so no part of the program that is built anew.
    pub(crate) fn is_asked_for(&self, crate_name: &str) -> bool {
        self.newest.get(crate_name).is_some_and(|image| image.kind != Kind::Reloadable)
    }

    /// Publishes an image no longer. Its file stays as long as others do: calls may go on in it.
    ///
    /// # Errors
    /// When the manifest cannot be written: what was published before stays.
    pub(crate) fn withdraw(&mut self, session: &Session, name: &str) -> std::io::Result<()> {
        let mut images = self.newest.clone();
        if images.remove(name).is_none() {
            return Ok(());
        }
        let highest = images.values().map(|image| image.generation).max().unwrap_or(Generation::LINKED);
        write(session, highest, &images)?;
        self.newest = images;
        self.history.live.remove(name);
        Ok(())
    }

    /// The highest generation that is published.
    pub(crate) fn highest(&self) -> Generation {
        self.newest.values().map(|image| image.generation).max().unwrap_or(Generation::LINKED)
    }

    /// The newest generation of which the program runs something; 0 when it runs no image.
    pub(crate) fn newest_live(&self) -> Generation {
        self.history.live.values().copied().max().unwrap_or(Generation::LINKED)
    }

    /// The program runs this image.
    pub(crate) fn is_live(&mut self, crate_name: &str, generation: Generation) {
        self.history.live.insert(crate_name.to_owned(), generation);
        let swap = self.newest_live();
        self.history.sets.insert(swap, self.history.live.clone());
    }

    /// The program runs an earlier or later image again.
    pub(crate) fn rolled_back(&mut self, crate_name: &str, from: Generation, to: Generation, why: Why) {
        if why == Why::Panic {
            self.history.bad.insert(from);
        }
        if to == Generation::LINKED {
            self.history.live.remove(crate_name);
        } else {
            self.history.live.insert(crate_name.to_owned(), to);
        }
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

fn write(session: &Session, generation: Generation, images: &BTreeMap<String, Image>) -> std::io::Result<()> {
    let images = images.values().cloned().collect();
    let manifest = Manifest { format: FORMAT, session: session.name.clone(), generation, images };
    replace(&session.directory.join(MANIFEST), &serde_json::to_vec(&manifest)?)
}

/// Reads the types that cross the image's border.
fn layouts(artifact: &Artifact, bytes: &[u8]) -> Layouts {
    // Of an image without a readable descriptor nothing is told; the host refuses it.
    let descriptor = pitstop_proof::descriptor(&artifact.path, bytes).unwrap_or_default();
    pitstop_proof::layout::read(bytes, &descriptor.crate_names())
}

/// Writes these types beside the image.
fn attach_layouts(artifact: &Artifact, layouts: &Layouts) -> std::io::Result<Attachment> {
    let text = serde_json::to_vec(layouts)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use pitstop_contract::session::IMAGES;

    fn published(session: &Session) -> Vec<(String, u32)> {
        let text = std::fs::read(session.directory.join(MANIFEST)).expect("a manifest");
        let manifest: Manifest = serde_json::from_slice(&text).expect("JSON");
        manifest.images.into_iter().map(|image| (image.crate_name, image.generation.0)).collect()
    }

    fn publish(shop: &mut Shop, session: &Session, generation: u32, crates: &[&str]) {
        let artifacts = crates.iter().map(|name| {
            let path = session.directory.join(IMAGES).join(format!("{name}-{generation}"));
            std::fs::write(&path, name).expect("an image");
            Artifact { crate_name: (*name).to_owned(), kind: Kind::Library, path }
        });
        let timing = Timing { edit_at_us: 0, detect: Duration::ZERO, build: Duration::ZERO, built: Instant::now() };
        shop.publish(session, Generation(generation), &artifacts.collect::<Vec<_>>(), &timing).expect("published");
    }

    fn set(images: &[(&str, u32)]) -> Vec<(String, u32)> {
        images.iter().map(|(name, generation)| ((*name).to_owned(), *generation)).collect()
    }

    #[test]
    fn after_a_crash_what_was_live_before_is_published() {
        let target = tempfile::tempdir().expect("a folder");
        let session = Session::begin(target.path(), target.path()).expect("a session");
        let mut shop = Shop::default();
        publish(&mut shop, &session, 1, &["left"]);
        shop.is_live("left", Generation(1));
        publish(&mut shop, &session, 2, &["left", "right"]);
        shop.is_live("left", Generation(2));
        shop.is_live("right", Generation(2));
        publish(&mut shop, &session, 3, &["right"]);
        shop.is_live("right", Generation(3));
        assert_eq!(shop.newest_live(), Generation(3));
        // Only what came with the crash goes back.
        let dropped = shop.roll_back(&session, Generation(3)).expect("published");
        assert_eq!((published(&session), dropped), (set(&[("left", 2), ("right", 2)]), vec!["right".to_owned()]));
        // And further, with all of a generation.
        shop.is_live("left", Generation(2));
        shop.roll_back(&session, Generation(2)).expect("published");
        assert_eq!(published(&session), set(&[("left", 1)]));
        // A later generation may be what mends it, and is left alone.
        publish(&mut shop, &session, 4, &["left"]);
        assert_eq!(shop.roll_back(&session, Generation(1)).expect("published"), Vec::<String>::new());
        assert_eq!(published(&session), set(&[("left", 4)]));
        // The program itself crashed.
        shop.roll_back(&session, Generation::LINKED).expect("published");
        assert_eq!((published(&session), shop.highest()), (set(&[]), Generation::LINKED));
    }

    #[test]
    fn what_crashed_goes_back_alone() {
        let target = tempfile::tempdir().expect("a folder");
        let session = Session::begin(target.path(), target.path()).expect("a session");
        let mut shop = Shop::default();
        for (generation, name) in [(1, "left"), (2, "left"), (3, "right")] {
            publish(&mut shop, &session, generation, &[name]);
            shop.is_live(name, Generation(generation));
        }
        let dropped = shop.roll_back(&session, Generation(2)).expect("published");
        assert_eq!((published(&session), dropped), (set(&[("left", 1), ("right", 3)]), vec!["left".to_owned()]));
    }

    #[test]
    fn what_a_host_runs_and_what_it_may_take_next_is_never_removed() {
        let target = tempfile::tempdir().expect("a folder");
        let session = Session::begin(target.path(), target.path()).expect("a session");
        let mut shop = Shop::default();
        let name = pitstop_contract::manifest::plugin_image("greeter");
        for generation in 1..=30 {
            publish(&mut shop, &session, generation, &[&name]);
            if generation % 10 == 1 {
                shop.mapped(&name, Generation(generation));
            }
            shop.prune();
        }
        let kept = (1..=30).filter(|number| session.directory.join(IMAGES).join(format!("{name}-{number}")).exists());
        let kept: Vec<u32> = kept.collect();
        assert!(kept.starts_with(&[1, 11, 21]) && kept.ends_with(&[26, 27, 28, 29, 30]), "{kept:?}");
        shop.withdraw(&session, &name).expect("withdrawn");
        assert_eq!(published(&session), set(&[]));
        assert!(session.directory.join(IMAGES).join(format!("{name}-30")).exists());
    }

    #[test]
    fn a_program_that_is_built_anew_is_given_nothing_older_than_itself() {
        let target = tempfile::tempdir().expect("a folder");
        let session = Session::begin(target.path(), target.path()).expect("a session");
        let mut shop = Shop::default();
        publish(&mut shop, &session, 1, &["left"]);
        shop.is_live("left", Generation(1));
        shop.reset(&session, Generation(1)).expect("published");
        assert_eq!(published(&session), set(&[]));
        publish(&mut shop, &session, 2, &["right"]);
        shop.is_live("right", Generation(2));
        shop.roll_back(&session, Generation(2)).expect("published");
        assert_eq!(published(&session), set(&[]), "the first image is older than the program");
    }
}
