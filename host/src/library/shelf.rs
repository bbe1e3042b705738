//! All libraries that were asked for, and the handles given out of each.

use super::handle::{FunctionError, Library, LibraryError, is_path, prove};
use crate::attach::Host;
use crate::inbox::Message;
use crate::load::Loaded;
use crate::lock::lock;
use crate::swap::{Cell, Target};
use pitstop_contract::event::Event;
use pitstop_contract::manifest::Kind;
use pitstop_contract::{Reason, Rule};
use pitstop_reloadable::__private::Slot;
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
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
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    /// What handles point into.
    live: Option<Arc<Loaded>>,
    /// Newer images that wait for the safe point, the oldest first. Every handle is proven for each of them.
    coming: Vec<Arc<Loaded>>,
    handles: Vec<Handle>,
    /// A file, and how many of the handles were proven for it.
    proven: (PathBuf, usize),
}

struct Handle {
    claim: Claim,
    pointer: Arc<Slot>,
    /// Given out when a plan to swap may have been made already, which then lacks it.
    late: bool,
}

/// What a handle asks of every image.
#[derive(Clone, PartialEq)]
struct Claim {
    symbol: String,
    /// The signature to prove; `None` where the caller vouches for it.
    wanted: Option<Cow<'static, str>>,
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
        let book = books.entry(key.clone()).or_insert_with(|| Arc::new(Book::new(&key)));
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

    /// A library that is there.
    pub(super) fn known(&self, name: &str) -> Option<Library> {
        self.book(name).map(Library::of)
    }

    /// A library by its first image, unless it is there already.
    pub(super) fn put(&self, name: &str, image: Loaded) -> Option<Library> {
        let mut books = lock(&self.books);
        let book = books.entry(name.to_owned()).or_insert_with(|| Arc::new(Book::bound(name, image)));
        Some(Library::of(Arc::clone(book)))
    }

    /// The names of all libraries that were asked for.
    pub(crate) fn names(&self) -> Vec<String> {
        lock(&self.books).keys().cloned().collect()
    }

    fn book(&self, name: &str) -> Option<Arc<Book>> {
        lock(&self.books).get(name).cloned()
    }

    /// Shows that every handle given out finds its function in a new image.
    pub(crate) fn prove(&self, name: &str, path: &Path, exports: &[String]) -> Result<(), Vec<Reason>> {
        let Some(book) = self.book(name) else { return Ok(()) };
        book.prove(path, |symbol| exports.iter().any(|export| export == symbol))
    }

    /// Takes in loaded images, all or none, or names the one refused: handles that were given out since the images were
    /// proven may not suit them. From now on only such are given out that do.
    pub(crate) fn admit<'i>(&self, images: &'i [Arc<Loaded>]) -> Result<(), (&'i Loaded, Vec<Reason>)> {
        let libraries = images.iter().filter(|image| image.image.kind == Kind::Library);
        let books = libraries.filter_map(|image| Some((image, self.book(&image.image.crate_name)?)));
        let books: Vec<(&Arc<Loaded>, Arc<Book>)> = books.collect();
        loop {
            for (image, book) in &books {
                let proven = book.prove(&image.path, |symbol| image.symbol(symbol).is_some());
                proven.map_err(|reasons| (&***image, reasons))?;
            }
            let mut all: Vec<_> = books.iter().map(|(image, book)| (*image, lock(&book.pages))).collect();
            if all.iter().all(|(image, pages)| pages.proven == (image.path.clone(), pages.handles.len())) {
                all.iter_mut().for_each(|(image, pages)| pages.coming.push(Arc::clone(image)));
                return Ok(());
            }
        }
    }

    /// What to store so that all handles point into a new image.
    pub(crate) fn stores(&self, image: &Loaded) -> Vec<(Cell, *const ())> {
        let Some(book) = self.book(&image.image.crate_name) else { return Vec::new() };
        let pages = lock(&book.pages);
        let stores = pages.handles.iter().filter_map(|handle| {
            let pointer = image.symbol(&handle.claim.symbol)?;
            Some((Cell::Handle(Arc::clone(&handle.pointer)), pointer))
        });
        stores.collect()
    }

    /// A library's first image needs no safe point: nothing points into an older one.
    pub(crate) fn arrived(&self, target: &Target) {
        let books = lock(&self.books);
        for (name, book) in books.iter() {
            if let Some(image) = target.get(name) {
                let mut pages = lock(&book.pages);
                if pages.live.is_none() {
                    pages.turn(image);
                }
            }
        }
        self.arrived.notify_all();
    }

    /// These images are live now: new handles point into them.
    pub(crate) fn swapped(&self, fresh: &[Arc<Loaded>]) {
        let books = lock(&self.books);
        for image in fresh {
            if let Some(book) = books.get(&image.image.crate_name) {
                lock(&book.pages).turn(image);
            }
        }
    }
}

impl Book {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), pages: Mutex::default() }
    }

    /// A library that is loaded once and never changes.
    pub(super) fn bound(name: &str, image: Loaded) -> Self {
        let book = Self::new(name);
        lock(&book.pages).live = Some(Arc::new(image));
        book
    }

    fn has_image(&self) -> bool {
        lock(&self.pages).live.is_some()
    }

    /// Proves for a file those handles that were not yet. Without the lock while it reads: the host never waits for it.
    fn prove(&self, path: &Path, exports: impl Fn(&str) -> bool) -> Result<(), Vec<Reason>> {
        let (known, claims) = {
            let pages = lock(&self.pages);
            let known = if pages.proven.0 == path { pages.proven.1 } else { 0 };
            (known, pages.handles.iter().skip(known).map(|handle| handle.claim.clone()).collect::<Vec<_>>())
        };
        let reasons: Vec<Reason> = claims.iter().filter_map(|claim| claim.objection(path, &exports)).collect();
        if !reasons.is_empty() {
            return Err(reasons);
        }
        lock(&self.pages).proven = (path.to_owned(), known + claims.len());
        Ok(())
    }

    /// A handle to a function, in the live image and each later one.
    pub(super) fn handle(
        &self,
        symbol: &str,
        wanted: Option<impl Into<Cow<'static, str>>>,
    ) -> Result<Arc<Slot>, FunctionError> {
        let claim = Claim { symbol: symbol.to_owned(), wanted: wanted.map(Into::into) };
        loop {
            let (live, coming) = {
                let pages = lock(&self.pages);
                if let Some(handle) = pages.handles.iter().find(|handle| handle.claim == claim) {
                    return Ok(Arc::clone(&handle.pointer));
                }
                (pages.live.clone(), pages.coming.clone())
            };
            let missing = || FunctionError::Missing { symbol: symbol.to_owned(), path: PathBuf::from(&self.name) };
            let live = live.ok_or_else(missing)?;
            let pointer = claim.find(&live)?;
            for image in &coming {
                claim.find(image)?;
            }
            let mut pages = lock(&self.pages);
            // Else other images came meanwhile, for which nothing was proven.
            if pages.is_still(&live, &coming) {
                let pointer = Arc::new(Slot::new(pointer));
                pages.handles.push(Handle { claim, pointer: Arc::clone(&pointer), late: !coming.is_empty() });
                return Ok(pointer);
            }
        }
    }
}

impl Pages {
    fn is_still(&self, live: &Arc<Loaded>, coming: &[Arc<Loaded>]) -> bool {
        let same = |one: &[Arc<Loaded>], other: &[Arc<Loaded>]| {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| Arc::ptr_eq(one, other))
        };
        same(self.live.as_slice(), std::slice::from_ref(live)) && same(&self.coming, coming)
    }

    /// Another image is live.
    fn turn(&mut self, image: &Arc<Loaded>) {
        self.live = Some(Arc::clone(image));
        if let Some(index) = self.coming.iter().position(|coming| Arc::ptr_eq(coming, image)) {
            self.coming.drain(..=index);
        }
        for handle in self.handles.iter_mut().filter(|handle| handle.late) {
            image.symbol(&handle.claim.symbol).into_iter().for_each(|pointer| handle.pointer.set(pointer));
            handle.late = !self.coming.is_empty();
        }
    }
}

impl Claim {
    /// The function in an image, its signature proven.
    fn find(&self, image: &Loaded) -> Result<*const (), FunctionError> {
        let missing = || FunctionError::Missing { symbol: self.symbol.clone(), path: image.path.clone() };
        let pointer = image.symbol(&self.symbol).ok_or_else(missing)?;
        self.wanted.as_deref().map_or(Ok(()), |wanted| prove(&image.path, &self.symbol, wanted))?;
        Ok(pointer)
    }

    /// What speaks against a new image.
    fn objection(&self, path: &Path, exports: impl Fn(&str) -> bool) -> Option<Reason> {
        if !exports(&self.symbol) {
            return Some(Reason::new(
                Rule::Missing,
                &self.symbol,
                "an exported function",
                "no such symbol",
                "bring it back, or restart the program without its calls",
            ));
        }
        let wanted = self.wanted.as_deref()?;
        let error = prove(path, &self.symbol, wanted).err()?;
        let (expected, found) = match error {
            FunctionError::Signature { expected, found, .. } => (expected, found),
            other => (wanted.to_owned(), other.to_string()),
        };
        let advice = "undo the change, or restart with the new signature in the program";
        Some(Reason::new(Rule::Signature, &self.symbol, expected, found, advice))
    }
}

pub(super) fn absolute(name: &str) -> String {
    std::path::absolute(name).map_or_else(|_| name.to_owned(), |path| path.display().to_string())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use pitstop_contract::Generation;
    use std::process::Command;

    const LONG: &str = "extern \"C\" fn(u64) -> u64";

    /// A shelf with one library, whose first image is live.
    struct Fixture {
        folder: PathBuf,
        shelf: Shelf,
        book: Arc<Book>,
    }

    impl Fixture {
        fn new(test: &str, source: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("pitstop-shelf-{test}-{}", std::process::id()));
            std::fs::create_dir_all(&folder).expect("a folder");
            let book = Arc::new(Book::new("phys"));
            let shelf = Shelf::default();
            lock(&shelf.books).insert("phys".to_owned(), Arc::clone(&book));
            let fixture = Self { folder, shelf, book };
            let first = fixture.image("first", source);
            lock(&fixture.book.pages).turn(&first);
            fixture
        }

        fn image(&self, name: &str, source: &str) -> Arc<Loaded> {
            let (input, output) = (self.folder.join(format!("{name}.c")), self.folder.join(format!("{name}.so")));
            std::fs::write(&input, source).expect("a source");
            let cc = Command::new("cc").args(["-g", "-shared", "-fPIC", "-o"]).arg(&output).arg(&input).status();
            assert!(cc.is_ok_and(|status| status.success()), "cc");
            Arc::new(Loaded::without_session("phys", Generation::LINKED, &output).expect("an image"))
        }

        fn proves(&self, image: &Loaded) -> bool {
            self.shelf.prove("phys", &image.path, &["tick".to_owned()]).is_ok()
        }
    }

    impl Drop for Fixture {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }

    #[test]
    fn a_function_asked_for_while_another_signature_waits_is_refused() {
        let fixture = Fixture::new("waits", "unsigned long tick(unsigned long n) { return n; }");
        let next = fixture.image("next", "unsigned long tick(unsigned n) { return n; }");
        assert!(fixture.proves(&next), "nothing was asked for yet");
        assert!(fixture.shelf.admit(&[next]).is_ok());
        let error = fixture.book.handle("tick", Some(LONG)).expect_err("a pointer of another type would follow");
        assert!(matches!(error, FunctionError::Signature { .. }), "{error}");
    }

    #[test]
    fn a_function_asked_for_while_an_image_is_loaded_is_proven_before_the_swap() {
        let fixture = Fixture::new("loaded", "unsigned long tick(unsigned long n) { return n; }");
        let next = fixture.image("next", "unsigned long tick(unsigned n) { return n; }");
        assert!(fixture.proves(&next), "nothing was asked for yet");
        fixture.book.handle("tick", Some(LONG)).expect("the live one");
        let images = [next];
        let (_, reasons) = fixture.shelf.admit(&images).expect_err("the handle's signature is another");
        assert_eq!((reasons[0].rule, reasons[0].subject.as_str()), (Rule::Signature, "tick"));
        assert!(lock(&fixture.book.pages).coming.is_empty());
    }

    #[test]
    fn a_function_asked_for_while_an_image_waits_is_swapped_with_all_others() {
        let fixture = Fixture::new("swapped", "unsigned long tick(unsigned long n) { return n; }");
        let next = fixture.image("next", "unsigned long tick(unsigned long n) { return n + 1; }");
        assert!(fixture.proves(&next) && fixture.shelf.admit(&[Arc::clone(&next)]).is_ok());
        let before = lock(&fixture.book.pages).live.as_ref().and_then(|image| image.symbol("tick"));
        let handle = fixture.book.handle("tick", Some(LONG)).expect("a function");
        assert_eq!(Some(handle.pointer()), before);
        fixture.shelf.swapped(&[Arc::clone(&next)]);
        assert_eq!(Some(handle.pointer()), next.symbol("tick"));
        let again = fixture.book.handle("tick", Some(LONG)).expect("a function");
        assert!(Arc::ptr_eq(&handle, &again), "one pointer, however often it is asked for");
    }
}
