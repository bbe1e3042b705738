//! The library's log, for a program that has its own.
#![expect(unsafe_code, reason = "calls a function of C's")]
#![allow(clippy::missing_safety_doc, reason = "the words are for the header, and say of each argument what it must be")]

use crate::border::guarded;
use crate::error::{Error, PITSTOP_ERROR_STATE, c_text};
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::cell::Cell;
use std::ffi::{c_char, c_void};
use std::sync::{PoisonError, RwLock};

/// Takes a line of the log: `level` is 1 for error, 2 warning, 3 info, 4 debug, 5 trace; `text` is NUL-terminated UTF-8 of
/// `length` bytes before that, valid during the call only. Called on any thread, several at once; must not unwind.
pub type LogCallback =
    Option<unsafe extern "C" fn(context: *mut c_void, level: i32, text: *const c_char, length: usize)>;

/// Has `callback` called with `context` for each line of the library's log up to `max_level` (1 for errors alone, 3 is usual).
/// Without it the log goes nowhere. It takes the place of the one before; null in its place ends the log. When this returns, the
/// one before is not running any more, and what its context points to may be freed.
///
/// Fails with PITSTOP_ERROR_ARGUMENT; with PITSTOP_ERROR_STATE when called from a callback, or when other Rust code of
/// the process has installed a logger. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_log_to(callback: LogCallback, context: *mut c_void, max_level: i32) -> *mut Error {
    guarded(|| {
        let level = match max_level {
            1 => LevelFilter::Error,
            2 => LevelFilter::Warn,
            3 => LevelFilter::Info,
            4 => LevelFilter::Debug,
            5 => LevelFilter::Trace,
            other => return Err(Error::argument(format!("max_level is {other}, where 1 to 5 is expected"))),
        };
        install()?;
        if INSIDE.get() {
            let text = "a log callback cannot be changed from within one: it would wait for itself";
            return Err(Error::new(PITSTOP_ERROR_STATE, text));
        }
        // Waits for the callbacks that run.
        *SINK.write().unwrap_or_else(PoisonError::into_inner) = callback.map(|callback| Sink { callback, context });
        log::set_max_level(if callback.is_some() { level } else { LevelFilter::Off });
        Ok(())
    })
}

struct Sink {
    callback: unsafe extern "C" fn(*mut c_void, i32, *const c_char, usize),
    context: *mut c_void,
}

// SAFETY: the header says that the callback is called on any thread, with its context.
unsafe impl Send for Sink {}
// SAFETY: as above, and several at once.
unsafe impl Sync for Sink {}

static SINK: RwLock<Option<Sink>> = RwLock::new(None);

thread_local! {
    /// Whether a callback runs on this thread.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// The logger that hands on to the callback.
struct ToC;

fn install() -> Result<(), Error> {
    static TO_C: ToC = ToC;
    static INSTALLED: RwLock<bool> = RwLock::new(false);
    let mut installed = INSTALLED.write().unwrap_or_else(PoisonError::into_inner);
    if !*installed {
        log::set_logger(&TO_C).map_err(|_| {
            let text = "other Rust code of this process has installed a logger: its records go there";
            Error::new(PITSTOP_ERROR_STATE, text)
        })?;
        *installed = true;
    }
    Ok(())
}

impl Log for ToC {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        // What a callback causes to be logged would wait for a lock that its own call holds.
        if INSIDE.replace(true) {
            return;
        }
        let text = c_text(record.args().to_string());
        let level = match record.level() {
            Level::Error => 1,
            Level::Warn => 2,
            Level::Info => 3,
            Level::Debug => 4,
            Level::Trace => 5,
        };
        if let Some(sink) = &*SINK.read().unwrap_or_else(PoisonError::into_inner) {
            // SAFETY: the callback was given for this, and is not taken away while the lock is held.
            unsafe { (sink.callback)(sink.context, level, text.as_ptr(), text.as_bytes().len()) };
        }
        INSIDE.set(false);
    }

    fn flush(&self) {}
}
