//! A program that takes part: attach, safe point, undo and redo.
#![expect(unsafe_code, reason = "functions that C finds by name")]
#![allow(clippy::missing_safety_doc, reason = "the words are for the header, and say of each argument what it must be")]

use crate::arguments::{free, give, handle, peek, place};
use crate::border::guarded;
use crate::config::{self, Config};
use crate::error::Error;
use crate::events;
use pitstop_host::Pitstop;

/// A program that takes part. All handles of a process stand for the same one.
#[derive(Debug)]
pub struct Host {
    pub(crate) pit: Pitstop,
}

/// Attaches the program: to the session that started it, if there is one.
///
/// `config` may be null for the defaults; the settings of the first call in the process hold. `*host` is the caller's, to be
/// freed with `pitstop_host_free`; on failure it is null. Attaching again gives another handle to the same host.
///
/// Fails with PITSTOP_ERROR_ARGUMENT. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_attach(config: *const Config, host: *mut *mut Host) -> *mut Error {
    guarded(|| {
        // SAFETY: null, or the caller's variable.
        let place = unsafe { place("host", host) }?;
        // SAFETY: null, or a struct that begins with its size.
        let config = unsafe { config::read(config) }?;
        let pit = pitstop_host::attach_with(config);
        events::listen(pit);
        give(place, Host { pit });
        Ok(())
    })
}

/// Frees the handle. The program goes on taking part, and what was opened through the handle stays good. Null does nothing.
/// Any thread, when no other uses the handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_host_free(host: *mut Host) {
    // SAFETY: null, or a handle that is not used any more, as the header asks.
    unsafe { free(host) };
}

/// 1 if a session was found, otherwise 0; 0 for null. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_is_attached(host: *const Host) -> i32 {
    // SAFETY: null, or a handle that lives.
    let host = unsafe { peek(host) };
    host.is_some_and(|host| host.pit.is_attached()).into()
}

/// The moment at which it is fine to swap: call it where no function of a reloaded library is on the calling thread's stack,
/// from one place, once per frame. Costs one atomic load when nothing is new.
///
/// With new code it makes all functions point to it and returns. When other threads are in units of work (`pitstop_enter`), it
/// holds new ones back and waits for at most `wait_ms`; if some are still busy, it is tried again at the next safe point.
///
/// Fails with PITSTOP_ERROR_ARGUMENT. Always the same thread, which thereby becomes the thread of the safe point; not within
/// a unit of work.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_safe_point(host: *const Host) -> *mut Error {
    // SAFETY: null, or a handle that lives.
    unsafe { with(host, |pit| pit.safe_point()) }
}

/// Goes back to the version that was live before, at the next safe point. The outcome is an event. Does nothing without a session.
///
/// Fails with PITSTOP_ERROR_ARGUMENT. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_undo(host: *const Host) -> *mut Error {
    // SAFETY: null, or a handle that lives.
    unsafe { with(host, |pit| pit.undo()) }
}

/// Goes forward again, after `pitstop_undo`. Does nothing without a session.
///
/// Fails with PITSTOP_ERROR_ARGUMENT. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_redo(host: *const Host) -> *mut Error {
    // SAFETY: null, or a handle that lives.
    unsafe { with(host, |pit| pit.redo()) }
}

/// Asks the session's command to build the program anew and to start it in place of this one; this returns at once. Does
/// nothing without a session.
///
/// Fails with PITSTOP_ERROR_ARGUMENT. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_restart(host: *const Host) -> *mut Error {
    // SAFETY: null, or a handle that lives.
    unsafe { with(host, |pit| pit.restart()) }
}

/// # Safety
/// `host` must be null or a handle that lives.
unsafe fn with(host: *const Host, work: impl FnOnce(Pitstop)) -> *mut Error {
    guarded(|| {
        // SAFETY: the caller says so.
        work(unsafe { handle("host", host) }?.pit);
        Ok(())
    })
}
