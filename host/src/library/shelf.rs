//! All libraries that were asked for, and the handles given out of each.

use super::handle::{FunctionError, Library, LibraryError, is_path, prove};
use crate::attach::Host;
use crate::inbox::Message;
use crate::load::Loaded;
use crate::swap::{Cell, Target};
use pitstop_contract::event::Event;
use pitstop_contract::{Reason, Rule};
use pitstop_reloadable::__private::Slot;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// All libraries of a host.
#[derive(Default)]
pub(crate) struct Shelf {
    books: Mutex<HashMap<String, Arc<Book>>>,
    arrived: Condvar,
}

/// One library.
pub(crate) struct Book {
    name: String,
    host: Option<&'static Host>,
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    /// What handles point into; a newer image may be waiting for the safe point.
    live: Option<Arc<Loaded>>,
    handles: Vec<Handle>,
}

struct Handle {
    symbol: String,
    /// The signature to prove; `None` where the caller vouches for it.
    wanted: Option<&'static str>,
    pointer: Arc<Slot>,
}

impl std::fmt::Debug for Book {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Library").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Shelf {
    /// A library by name; waits for its first image.
    pub(crate) fn open(&self, name: &str, host: &'static Host) -> Result<Library, LibraryError> {
        let key = if is_path(name) { absolute(name) } else { name.replace('-', "_") };
        let mut books = lock(&self.books);
        let fresh = !books.contains_key(&key);
        let book = books.entry(key.clone()).or_insert_with(|| Arc::new(Book::new(&key, Some(host))));
        let book = Arc::clone(book);
        if fresh {
            host.report(Event::Wanted { path: key });
            // An image that arrived before anybody asked.
            let _ = host.inbox.send(Message::Replan);
        }
        let deadline = Instant::now() + host.config.library_wait;
        while !book.has_image() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let looked = format!("the watcher published none within {:?}", host.config.library_wait);
                return Err(LibraryError::Absent { name: name.to_owned(), looked });
            }
            books = self.arrived.wait_timeout(books, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(books);
        Ok(Library::of(book))
    }

    /// Shows that every handle given out finds its function in a new image.
    pub(crate) fn prove(&self, name: &str, path: &Path, exports: &[String]) -> Result<(), Vec<Reason>> {
        let Some(book) = lock(&self.books).get(name).cloned() else {
            return Ok(());
        };
        let pages = lock(&book.pages);
        let reasons: Vec<Reason> = pages.handles.iter().filter_map(|handle| handle.prove(path, exports)).collect();
        if reasons.is_empty() { Ok(()) } else { Err(reasons) }
    }

    /// What to store so that all handles point into a new image.
    pub(crate) fn stores(&self, image: &Loaded) -> Vec<(Cell, *const ())> {
        let Some(book) = lock(&self.books).get(&image.image.crate_name).cloned() else {
            return Vec::new();
        };
        let pages = lock(&book.pages);
        let stores = pages.handles.iter().filter_map(|handle| {
            let pointer = image.symbol(&handle.symbol)?;
            Some((Cell::Handle(Arc::clone(&handle.pointer)), pointer))
        });
        stores.collect()
    }

    /// A library's first image needs no safe point: nothing points into an older one.
    pub(crate) fn arrived(&self, target: &Target) {
        let books = lock(&self.books);
        for (name, book) in books.iter() {
            if let Some(image) = target.get(name) {
                lock(&book.pages).live.get_or_insert_with(|| Arc::clone(image));
            }
        }
        self.arrived.notify_all();
    }

    /// These images are live now: new handles point into them.
    pub(crate) fn swapped(&self, fresh: &[Arc<Loaded>]) {
        let books = lock(&self.books);
        for image in fresh {
            if let Some(book) = books.get(&image.image.crate_name) {
                lock(&book.pages).live = Some(Arc::clone(image));
            }
        }
    }
}

impl Book {
    fn new(name: &str, host: Option<&'static Host>) -> Self {
        Self { name: name.to_owned(), host, pages: Mutex::default() }
    }

    /// A library that is loaded once and never changes.
    pub(super) fn bound(name: &str, image: Loaded) -> Self {
        let book = Self::new(name, None);
        lock(&book.pages).live = Some(Arc::new(image));
        book
    }

    fn has_image(&self) -> bool {
        lock(&self.pages).live.is_some()
    }

    /// A handle to a function, in the live image and each later one.
    pub(super) fn handle(&self, symbol: &str, wanted: Option<&'static str>) -> Result<Arc<Slot>, FunctionError> {
        let mut pages = lock(&self.pages);
        let missing = |path: &Path| FunctionError::Missing { symbol: symbol.to_owned(), path: path.to_owned() };
        let Some(image) = pages.live.clone() else {
            return Err(missing(Path::new(&self.name)));
        };
        let pointer = image.symbol(symbol).ok_or_else(|| missing(&image.path))?;
        if let Some(wanted) = wanted {
            prove(&image.path, symbol, wanted)?;
        }
        let pointer = Arc::new(Slot::new(pointer));
        pages.handles.push(Handle { symbol: symbol.to_owned(), wanted, pointer: Arc::clone(&pointer) });
        drop(pages);
        if let Some(host) = self.host {
            let _ = host.inbox.send(Message::Replan);
        }
        Ok(pointer)
    }
}

impl Handle {
    fn prove(&self, path: &Path, exports: &[String]) -> Option<Reason> {
        if !exports.contains(&self.symbol) {
            return Some(Reason::new(
                Rule::Missing,
                &self.symbol,
                "an exported function",
                "no such symbol",
                "bring it back, or restart the program without its calls",
            ));
        }
        let error = prove(path, &self.symbol, self.wanted?).err()?;
        let (expected, found) = match error {
            FunctionError::Signature { expected, found, .. } => (expected, found),
            other => (self.wanted?.to_owned(), other.to_string()),
        };
        let advice = "undo the change, or restart with the new signature in the program";
        Some(Reason::new(Rule::Signature, &self.symbol, expected, found, advice))
    }
}

fn absolute(name: &str) -> String {
    std::path::absolute(name).map_or_else(|_| name.to_owned(), |path| path.display().to_string())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these hold is whole at every point where a panic could be.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
