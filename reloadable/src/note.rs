//! What only a panic hook gets to see of a panic: its place, and what was called by what.
//!
//! The host chains it once; images that have a `std` of their own tell it of theirs (`hook.rs`). It calls the hook that was
//! there before. A panic that is caught at the border again and again, as one in a frame loop is, is printed and traced once.

use crate::backtrace::frames;
use crate::border::message;
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicU32, Ordering};

/// What the hook saw.
pub struct Note {
    /// `file:line:column`.
    pub location: String,
    /// The same, to tell it from others without comparing text.
    pub place: Place,
    /// Makes the backtrace readable, which takes a while; for another thread to call. `None` for a repeated panic.
    pub trace: Option<Trace>,
}

/// See [`Note::trace`].
pub type Trace = Box<dyn FnOnce() -> Vec<String> + Send>;

impl std::fmt::Debug for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Note").field("location", &self.location).finish_non_exhaustive()
    }
}

/// The place of a panic in one generation's code: the file's name is at another address in each image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    file: usize,
    line: u32,
    column: u32,
    epoch: u32,
}

struct Seen {
    message: String,
    note: Note,
}

thread_local! {
    static LAST: Cell<Option<Seen>> = const { Cell::new(None) };
    static HUSHED: RefCell<Vec<Place>> = const { RefCell::new(Vec::new()) };
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Places that are remembered on one thread.
const HUSHED_AT_MOST: usize = 32;

static EPOCH: AtomicU32 = AtomicU32::new(0);

/// Chains the hook before the one that is there.
pub fn install() {
    if std::thread::panicking() {
        // The standard library would panic anew.
        return;
    }
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if see(info) {
            previous(info);
        }
        let _ = INSIDE.try_with(|inside| inside.set(false));
    }));
}

/// Other code is live: what panics now is told anew.
pub fn new_epoch() {
    EPOCH.fetch_add(1, Ordering::Relaxed);
}

/// Notes a panic, and says whether the hook that was there before is to hear of it.
fn see(info: &PanicHookInfo<'_>) -> bool {
    // The hook may have been chained twice.
    if INSIDE.try_with(|inside| inside.replace(true)).unwrap_or(true) {
        return true;
    }
    let Some(location) = info.location() else { return true };
    let place = Place {
        file: location.file().as_ptr().addr(),
        line: location.line(),
        column: location.column(),
        epoch: EPOCH.load(Ordering::Relaxed),
    };
    let is_hushed = HUSHED.try_with(|places| places.try_borrow().is_ok_and(|places| places.contains(&place)));
    let is_hushed = is_hushed.unwrap_or(false);
    let trace = (!is_hushed).then(|| -> Trace {
        let backtrace = Backtrace::force_capture();
        Box::new(move || frames(&backtrace.to_string()))
    });
    let message = message(info.payload());
    let note = Note { location: location.to_string(), place, trace };
    let _ = LAST.try_with(|last| last.set(Some(Seen { message, note })));
    !is_hushed
}

/// What was noted of this thread's last panic, if that had this message: a panic that was resumed has passed no hook.
#[must_use]
pub fn take(message: &str) -> Option<Note> {
    let seen = LAST.try_with(Cell::take).ok().flatten()?;
    (seen.message == message).then_some(seen.note)
}

/// This panic has been told of: on this thread it is not printed again.
pub fn hush(place: Place) {
    let _ = HUSHED.try_with(|places| {
        let Ok(mut places) = places.try_borrow_mut() else { return };
        if !places.contains(&place) {
            if places.len() == HUSHED_AT_MOST {
                places.remove(0);
            }
            places.push(place);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::tests::THE_HOOK;
    use std::panic::{catch_unwind, panic_any, resume_unwind};
    use std::sync::PoisonError;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn a_panic_is_noted_and_a_hushed_one_is_neither_traced_nor_passed_on() {
        let _mine = THE_HOOK.lock().unwrap_or_else(PoisonError::into_inner);
        static HEARD: AtomicUsize = AtomicUsize::new(0);
        let me = std::thread::current().id();
        std::panic::set_hook(Box::new(move |_| {
            if std::thread::current().id() == me {
                HEARD.fetch_add(1, Ordering::Relaxed);
            }
        }));
        install();
        // Chained twice by mistake, it notes once.
        install();
        let fail = || drop(catch_unwind(|| panic!("no {} left", "fuel")));
        fail();
        let note = take("no fuel left").expect("a note");
        assert!(note.location.contains("note.rs:") && note.trace.is_some(), "{note:?}");
        assert_eq!(HEARD.load(Ordering::Relaxed), 1);
        assert!(take("no fuel left").is_none(), "it was taken");

        hush(note.place);
        fail();
        assert!(take("no fuel left").is_some_and(|note| note.trace.is_none()));
        assert_eq!(HEARD.load(Ordering::Relaxed), 1, "a repeated panic is not passed on");
        new_epoch();
        fail();
        assert!(take("no fuel left").is_some_and(|note| note.trace.is_some()));
        assert_eq!(HEARD.load(Ordering::Relaxed), 2, "another generation's is");

        drop(catch_unwind(|| panic_any(7_u8)));
        assert!(take(&message(&())).is_some());
        fail();
        drop(catch_unwind(|| resume_unwind(Box::new("resumed"))));
        assert!(take("resumed").is_none(), "what was noted before is not its place");
        drop(std::panic::take_hook());
    }
}
