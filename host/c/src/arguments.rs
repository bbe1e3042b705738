//! Takes what C hands over: texts, handles, and places for results. Null is an error and never a crash.
#![expect(unsafe_code, reason = "reads and writes through the caller's pointers")]

use crate::error::Error;
use std::ffi::c_char;

/// A text, as pointer and length.
///
/// # Safety
/// `text` must be null or valid for reads of `length` bytes, which nobody changes while the result is used.
pub(crate) unsafe fn text<'a>(what: &str, text: *const c_char, length: usize) -> Result<&'a str, Error> {
    if text.is_null() {
        return Err(Error::argument(format!("{what} is null, where a text is expected")));
    }
    // SAFETY: not null, and the caller says that the bytes are there.
    let bytes = unsafe { bytes(what, text.cast::<u8>(), length) }?;
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Error::argument(format!("{what} is no UTF-8 after its first {} of {length} bytes", error.valid_up_to()))
    })?;
    if text.contains('\0') {
        return Err(Error::argument(format!("{what} has a NUL in it; its length must not count the one at its end")));
    }
    if text.is_empty() {
        return Err(Error::argument(format!("{what} is empty")));
    }
    Ok(text)
}

/// Bytes, of which there may be none.
///
/// # Safety
/// `bytes` must be null or valid for reads of `length` bytes, which nobody changes while the result is used.
pub(crate) unsafe fn bytes<'a>(what: &str, bytes: *const u8, length: usize) -> Result<&'a [u8], Error> {
    if length == 0 {
        return Ok(&[]);
    }
    if bytes.is_null() {
        return Err(Error::argument(format!("{what} is null, where {length} bytes are expected")));
    }
    if isize::try_from(length).is_err() {
        return Err(Error::argument(format!("{what} has an impossible length of {length} bytes")));
    }
    // SAFETY: not null, and of a possible length; the caller says that the bytes are there.
    Ok(unsafe { std::slice::from_raw_parts(bytes, length) })
}

/// What a handle stands for.
///
/// # Safety
/// `handle` must be null or one of ours that lives for as long as the result is used.
pub(crate) unsafe fn handle<'a, T>(what: &str, handle: *const T) -> Result<&'a T, Error> {
    // SAFETY: the caller says so.
    unsafe { peek(handle) }.ok_or_else(|| Error::argument(format!("{what} is null, where a handle is expected")))
}

/// The same where null needs no words.
///
/// # Safety
/// As for [`handle`].
pub(crate) unsafe fn peek<'a, T>(handle: *const T) -> Option<&'a T> {
    // SAFETY: the caller says so.
    unsafe { handle.as_ref() }
}

/// A place for a result, which is null until there is one.
///
/// # Safety
/// `place` must be null or valid for writes for as long as the result is used.
pub(crate) unsafe fn place<'a, T>(what: &str, place: *mut *mut T) -> Result<&'a mut *mut T, Error> {
    if place.is_null() {
        return Err(Error::argument(format!("{what} is null, where a place for the result is expected")));
    }
    // Written before it is borrowed: it may never have been.
    // SAFETY: not null, and the caller says that it may be written.
    unsafe { place.write(std::ptr::null_mut()) };
    // SAFETY: as above, and written now.
    Ok(unsafe { &mut *place })
}

/// Hands a value over to C, which frees it with [`free`].
pub(crate) fn give<T>(place: &mut *mut T, value: T) {
    *place = Box::into_raw(Box::new(value));
}

/// Frees a handle; null does nothing.
///
/// # Safety
/// `handle` must be null or one of [`give`]'s, which is not used any more.
pub(crate) unsafe fn free<T>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: of `give`, freed once.
        drop(unsafe { Box::from_raw(handle) });
    }
}
