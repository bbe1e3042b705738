//! Units of work, for threads other than that of the safe point.
#![expect(unsafe_code, reason = "functions that C finds by name")]
#![allow(clippy::missing_safety_doc, reason = "the words are for the header, and say of each argument what it must be")]

use crate::arguments::{free, give, handle, place};
use crate::border::guarded;
use crate::error::{Error, PITSTOP_ERROR_THREAD};
use crate::host::Host;
use std::thread::ThreadId;

/// A unit of work of one thread: until it ends, no swap happens. Belongs to the thread that began it.
#[derive(Debug)]
pub struct Unit {
    _inside: pitstop_host::Unit<'static>,
    thread: ThreadId,
}

/// Begins a unit of work on this thread: all functions of reloaded libraries that it calls until `pitstop_leave` are of one
/// version. For threads other than the one of the safe point. Waits while a swap is about to happen, unless this thread is in a
/// unit already; then the swap waits for the outer one.
///
/// `*unit` is the caller's, who ends and frees it with `pitstop_leave`; on failure it is null. Get functions' pointers after
/// this, not before.
///
/// Fails with PITSTOP_ERROR_ARGUMENT. Any thread but the one of the safe point.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_enter(host: *const Host, unit: *mut *mut Unit) -> *mut Error {
    guarded(|| {
        // SAFETY: null, or the caller's variable.
        let place = unsafe { place("unit", unit) }?;
        // SAFETY: null, or a handle that lives.
        let pit = unsafe { handle("host", host) }?.pit;
        give(place, Unit { _inside: pit.enter(), thread: std::thread::current().id() });
        Ok(())
    })
}

/// Ends the unit of work and frees its handle.
///
/// Fails with PITSTOP_ERROR_ARGUMENT, and with PITSTOP_ERROR_THREAD on another thread than the one that began it; the unit
/// then goes on, and its handle stays good. The thread that began it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_leave(unit: *mut Unit) -> *mut Error {
    guarded(|| {
        // SAFETY: null, or a unit that was not left yet, as the header asks.
        let begun = unsafe { handle("unit", unit) }?.thread;
        let here = std::thread::current().id();
        if begun != here {
            let text =
                format!("a unit of work of {begun:?} is left on {here:?}: leave it on the thread that entered it");
            return Err(Error::new(PITSTOP_ERROR_THREAD, text));
        }
        // SAFETY: as above, on its own thread; it is freed once.
        unsafe { free(unit) };
        Ok(())
    })
}
