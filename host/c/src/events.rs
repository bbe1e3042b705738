//! What happened, for a program that asks once per frame.
#![expect(unsafe_code, reason = "functions that C finds by name")]
#![allow(clippy::missing_safety_doc, reason = "the words are for the header, and say of each argument what it must be")]

use crate::arguments::{free, give, handle, peek, place};
use crate::border::guarded;
use crate::error::{Error, c_text};
use crate::host::Host;
use pitstop_host::{Events, Pitstop};
use std::ffi::{CStr, CString, c_char};
use std::sync::{Mutex, OnceLock, PoisonError};

/// A new version of a library is live.
pub const PITSTOP_EVENT_RELOADED: i32 = 1;
/// A new version did not build, or was refused. The program goes on with what it has.
pub const PITSTOP_EVENT_FAILED: i32 = 2;
/// Another version than the newest is live.
pub const PITSTOP_EVENT_ROLLED_BACK: i32 = 3;
/// Something that a person should know.
pub const PITSTOP_EVENT_NOTICE: i32 = 4;

/// Something that happened.
#[derive(Debug)]
pub struct Event {
    kind: i32,
    library: CString,
    version: u32,
    text: CString,
}

/// The next thing that happened since the program attached. `*event` is the caller's, to be freed with `pitstop_event_free`; it
/// is null when there is none. Each event is reported once in the process; of those that nobody asks for, the newest 256 are kept.
///
/// Fails with PITSTOP_ERROR_ARGUMENT. Any thread; never waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_poll(host: *const Host, event: *mut *mut Event) -> *mut Error {
    guarded(|| {
        // SAFETY: null, or the caller's variable.
        let place = unsafe { place("event", event) }?;
        // SAFETY: null, or a handle that lives.
        unsafe { handle("host", host) }?;
        if let Some(event) = next() {
            give(place, event);
        }
        Ok(())
    })
}

/// What happened: one of `PITSTOP_EVENT_...`; 0 for null. More may come, so that a `switch` wants a `default`. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_event_kind(event: *const Event) -> i32 {
    // SAFETY: null, or an event that was not freed, as the header asks.
    unsafe { peek(event) }.map_or(0, |event| event.kind)
}

/// Which library or crate it is about: the crate's name, or the library's absolute path. NUL-terminated UTF-8, which is the
/// event's and valid until that is freed; empty where it is about none, and for null. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_event_library(event: *const Event) -> *const c_char {
    // SAFETY: null, or an event that was not freed, as the header asks.
    unsafe { peek(event) }.map_or(c"", |event| event.library.as_c_str()).as_ptr()
}

/// The number of the version it is about: that which is live now, or that which failed; where nothing was built, the live one. 0
/// is what the program began with, and for null. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_event_version(event: *const Event) -> u32 {
    // SAFETY: null, or an event that was not freed, as the header asks.
    unsafe { peek(event) }.map_or(0, |event| event.version)
}

/// What happened, for a person, in one line or more: of a failure all that the compiler or the proof says. NUL-terminated UTF-8,
/// which is the event's and valid until that is freed; empty for null. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_event_text(event: *const Event) -> *const c_char {
    // SAFETY: null, or an event that was not freed, as the header asks.
    unsafe { peek(event) }.map_or(c"", |event: &Event| -> &CStr { &event.text }).as_ptr()
}

/// Frees an event. Null does nothing. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_event_free(event: *mut Event) {
    // SAFETY: null, or an event that was not freed, as the header asks.
    unsafe { free(event) };
}

/// All handles share what happened, for a listener is never given up.
static EVENTS: OnceLock<Mutex<Events>> = OnceLock::new();

/// Keeps what happens from now on.
pub(crate) fn listen(pit: Pitstop) {
    EVENTS.get_or_init(|| Mutex::new(pit.events()));
}

fn next() -> Option<Event> {
    let mut events = EVENTS.get()?.lock().unwrap_or_else(PoisonError::into_inner);
    std::iter::from_fn(|| events.try_next()).find_map(Event::of)
}

impl Event {
    /// As C hears of it, if it does.
    fn of(event: pitstop_host::Event) -> Option<Self> {
        use pitstop_host::Event as Happened;
        let (kind, library, version, text) = match event {
            Happened::Live { crate_name, generation, edit_to_live_ms, .. } => {
                let text =
                    format!("version {generation} of {crate_name} is live, {edit_to_live_ms:.0} ms after the edit");
                (PITSTOP_EVENT_RELOADED, crate_name, generation, text)
            }
            Happened::BuildFailed { crate_name, generation, rendered, .. } => {
                (PITSTOP_EVENT_FAILED, crate_name, generation, rendered)
            }
            Happened::Rejected { crate_name, generation, reasons } => {
                let text = reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
                (PITSTOP_EVENT_FAILED, crate_name, generation, text)
            }
            Happened::RolledBack { crate_name, from, generation, .. } => {
                let text = format!("version {generation} of {crate_name} is live in the place of version {from}");
                (PITSTOP_EVENT_ROLLED_BACK, crate_name, generation, text)
            }
            Happened::Notice { message } => {
                (PITSTOP_EVENT_NOTICE, String::new(), pitstop_host::Generation::LINKED, message)
            }
            _ => return None,
        };
        Some(Self { kind, library: c_text(library), version: version.0, text: c_text(text) })
    }
}
