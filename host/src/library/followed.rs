//! Libraries that are followed without a session: copied, proven and loaded anew when their file changes, and swapped at the
//! safe point.

use super::handle::{Library, LibraryError};
use super::shelf::{Shelf, absolute};
use crate::events::{LOCAL, log_event};
use crate::follow::{Depth, Follow, Touch, Touched};
use crate::load::Loaded;
use crate::lock::lock;
use crate::pending;
use crate::plugin::stage::{Staging, stage};
use crate::plugin::{Policy, Spec};
use crate::swap::micros_since_1970;
use crossbeam_channel::{Receiver, Sender, unbounded};
use pitstop_contract::event::{Event, Stages};
use pitstop_contract::{Generation, Reason};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

/// All libraries that are followed.
struct Followed {
    shelf: Shelf,
    staging: Staging,
    seen: Mutex<HashMap<String, Seen>>,
    news: Sender<News>,
}

/// The newest file that was looked at: its number, and its length and CRC-32.
type Seen = (Generation, (u64, u32));

enum News {
    Opened(PathBuf),
    Touched(Touch),
}

static FOLLOWED: OnceLock<Result<Followed, Reason>> = OnceLock::new();

/// A library by its file, of which each later one is live from a safe point on.
pub(crate) fn follow(name: &str) -> Result<Library, LibraryError> {
    let mut mailbox = None;
    let followed = FOLLOWED.get_or_init(|| {
        let (news, receiver) = unbounded();
        mailbox = Some(receiver);
        let staging = Staging::new(None, Policy::AllowWorldWritable)?;
        Ok(Followed { shelf: Shelf::default(), staging, seen: Mutex::default(), news })
    });
    let path = absolute(name);
    let followed = followed.as_ref().map_err(|reason| refused(&path, std::slice::from_ref(reason)))?;
    if let Some(receiver) = mailbox {
        pending::begin();
        let thread = std::thread::Builder::new().name("pitstop-follow".to_owned());
        if let Err(error) = thread.spawn(move || followed.run(&receiver)) {
            log::error!("pitstop: libraries are not followed: {error}");
        }
    }
    followed.open(&path)
}

fn refused(path: &str, reasons: &[Reason]) -> LibraryError {
    let message = reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    LibraryError::Refused { path: PathBuf::from(path), message }
}

impl Followed {
    fn open(&self, path: &str) -> Result<Library, LibraryError> {
        if !Path::new(path).is_file() {
            return Err(LibraryError::Absent { name: path.to_owned(), looked: format!("no such file as {path}") });
        }
        if let Some(library) = self.shelf.known(path) {
            return Ok(library);
        }
        let (image, _) = self.load(path).map_err(|(_, reasons)| refused(path, &reasons))?;
        // Another thread may have been quicker: then this one's image is for nobody.
        let library = match image {
            Some(image) => self.shelf.put(path, image),
            None => self.shelf.known(path),
        };
        let _ = self.news.send(News::Opened(PathBuf::from(path)));
        let gone = || LibraryError::Absent { name: path.to_owned(), looked: "it is being opened".to_owned() };
        library.ok_or_else(gone)
    }

    fn run(&'static self, news: &Receiver<News>) {
        let touched = self.news.clone();
        let mut follow = Follow::new(move |touch| drop(touched.send(News::Touched(touch))));
        self.staging.sweep();
        for news in news {
            match news {
                News::Opened(path) => {
                    if let Some(folder) = path.parent() {
                        follow.folder(folder, Depth::Folder);
                    }
                    // It may have changed before the watch began.
                    self.look(&path.display().to_string(), micros_since_1970());
                }
                News::Touched(touch) if touch.what == Touched::Permissions => {}
                News::Touched(touch) => {
                    for path in self.shelf.names() {
                        if touch.paths.iter().any(|touched| Path::new(&path).starts_with(touched)) {
                            self.look(&path, touch.at_us);
                        }
                    }
                }
            }
        }
    }

    /// Loads the file that is there now, if it is another, and has it live from the next safe point on.
    fn look(&'static self, path: &str, edit_at_us: u64) {
        if !Path::new(path).exists() {
            // It is being built anew.
            return;
        }
        let outcome = self.load(path).and_then(|(image, number)| {
            let Some(image) = image else { return Ok(()) };
            let image = Arc::new(image);
            let images = [Arc::clone(&image)];
            self.shelf.admit(&images).map_err(|(_, reasons)| (number, reasons))?;
            pending::offer(&format!("library {path}"), move || self.swap(&image, edit_at_us));
            Ok(())
        });
        if let Err((generation, reasons)) = outcome {
            self.tell(Event::Rejected { crate_name: path.to_owned(), generation, reasons });
        }
    }

    /// Copies, proves and maps what is at a path; nothing, if it is what was there before.
    fn load(&self, path: &str) -> Result<(Option<Loaded>, Generation), (Generation, Vec<Reason>)> {
        let mut seen = lock(&self.seen);
        let (before, sum) = seen.get(path).copied().unwrap_or_default();
        let number = before.next();
        let refuse = |reasons| (number, reasons);
        let spec = Arc::new(Spec::of_library(Path::new(path), seen.keys().filter(|known| *known != path).count()));
        let candidate = stage(&spec, Path::new(path), &self.staging, number);
        let candidate = candidate.map_err(|reason| refuse(vec![reason]))?;
        let found = (candidate.bytes.len() as u64, crc32fast::hash(&candidate.bytes));
        seen.insert(path.to_owned(), (number, found));
        drop(seen);
        if found == sum {
            self.staging.remove(&candidate.file);
            return Ok((None, number));
        }
        let image = Loaded::without_session(path, number, &candidate.file).map_err(refuse)?;
        Ok((Some(image), number))
    }

    fn swap(&self, image: &Arc<Loaded>, edit_at_us: u64) {
        for (cell, pointer) in self.shelf.stores(image) {
            cell.replace(pointer);
        }
        self.shelf.swapped(std::slice::from_ref(image));
        self.tell(Event::Live {
            crate_name: image.image.crate_name.clone(),
            generation: image.image.generation,
            edit_to_live_ms: micros_since_1970().saturating_sub(edit_at_us) as f64 / 1e3,
            stages: Stages { verify: image.verify_ms, load: image.load_ms, ..Stages::default() },
            slots: 0,
            image_bytes: image.image.bytes,
        });
    }

    fn tell(&self, event: Event) {
        log_event(&event);
        LOCAL.tell(&event);
    }
}
