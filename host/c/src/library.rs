//! Libraries and their functions.
#![expect(unsafe_code, reason = "functions that C finds by name")]
#![allow(clippy::missing_safety_doc, reason = "the words are for the header, and say of each argument what it must be")]

use crate::arguments::{free, give, handle, peek, place, text};
use crate::border::guarded;
use crate::error::Error;
use crate::host::Host;
use pitstop_host::{LibraryError, Pitstop};
use std::ffi::c_char;

/// A library whose functions are asked for by name.
#[derive(Debug)]
pub struct Library {
    library: pitstop_host::Library,
}

/// A function of a library. Its pointer is swapped at the safe point, together with all others.
#[derive(Debug)]
pub struct Function {
    inner: Led<pitstop_host::Function<unsafe extern "C" fn()>>,
}

/// What the header knows of a function's handle: `pitstop_function_live` relies on what comes first.
#[repr(C)]
#[derive(Debug)]
struct Led<F> {
    /// Where the pointer is.
    cell: *const Pointer,
    function: F,
}

const _: () = assert!(std::mem::offset_of!(Function, inner) == 0);

/// A function of unknown type: cast it to its own before it is called.
pub type Pointer = Option<unsafe extern "C" fn()>;

/// Opens a library: a file, where `name` has a path separator, or else the dynamic library of a crate by the crate's name.
///
/// A file may be built by anything, and is followed with a session and without: when it is written anew, the new version is live
/// from a safe point on. A crate's library is looked for beside the executable, once; in a session it is built and followed. In
/// a session this waits for up to `library_wait_ms` for a library that is not there yet. `*library` is the caller's, to be freed with `pitstop_library_free`; on failure it is null.
///
/// Fails with PITSTOP_ERROR_ARGUMENT, PITSTOP_ERROR_NOT_FOUND, PITSTOP_ERROR_REFUSED. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_library_open(
    host: *const Host,
    name: *const c_char,
    name_length: usize,
    library: *mut *mut Library,
) -> *mut Error {
    guarded(|| {
        // SAFETY: null, or the caller's variable.
        let place = unsafe { place("library", library) }?;
        // SAFETY: null, or a handle that lives.
        let host = unsafe { handle("host", host) }?;
        // SAFETY: null, or the caller's text, which is used within this call.
        let name = unsafe { text("name", name, name_length) }?;
        give(place, Library { library: open(host.pit, name)? });
        Ok(())
    })
}

/// Frees the handle. The library stays loaded, and functions of it stay good. Null does nothing. Any thread, when no other
/// uses the handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_library_free(library: *mut Library) {
    // SAFETY: null, or a handle that is not used any more, as the header asks.
    unsafe { free(library) };
}

/// A function of a library, by the symbol that the library exports.
///
/// `signature` says in Rust's terms what the function is, for example `extern "C" fn(u64, *const f32) -> i32`: it is then proven
/// from the library's debug info, now and for every later version, and a version in which it differs is refused. With null in
/// its place nothing is proven, and the caller vouches for all versions. `*function` is the caller's, to be freed with
/// `pitstop_function_free`; on failure it is null.
///
/// Fails with PITSTOP_ERROR_ARGUMENT, PITSTOP_ERROR_NOT_FOUND, PITSTOP_ERROR_SIGNATURE, PITSTOP_ERROR_UNPROVEN. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_library_function(
    library: *const Library,
    symbol: *const c_char,
    symbol_length: usize,
    signature: *const c_char,
    signature_length: usize,
    function: *mut *mut Function,
) -> *mut Error {
    guarded(|| {
        // SAFETY: null, or the caller's variable.
        let place = unsafe { place("function", function) }?;
        // SAFETY: null, or a handle that lives.
        let library = unsafe { handle("library", library) }?;
        // SAFETY: null, or the caller's text, which is used within this call.
        let symbol = unsafe { text("symbol", symbol, symbol_length) }?;
        let signature = if signature.is_null() {
            None
        } else {
            // SAFETY: not null, so the caller's text, which is used within this call.
            Some(callable(unsafe { text("signature", signature, signature_length) }?)?)
        };
        let function = library.library.function_by_text(symbol, signature)?;
        give(place, Function { inner: Led { cell: function.cell().cast(), function } });
        Ok(())
    })
}

/// The live function: cast it to its type and call it. Get it anew for each use, since a kept pointer stays with the old code. One
/// atomic load. Null for null. Any thread; threads other than the one of the safe point within a unit of work.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_function_get(function: *const Function) -> Pointer {
    // SAFETY: null, or a handle that lives.
    let function = unsafe { peek(function) }?;
    Some(function.inner.function.get())
}

/// Frees the handle. Pointers that came of it stay good. Null does nothing. Any thread, when no other uses the handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_function_free(function: *mut Function) {
    // SAFETY: null, or a handle that is not used any more, as the header asks.
    unsafe { free(function) };
}

/// A file is followed with a session and without; a crate by its name needs the session's command.
fn open(pit: Pitstop, name: &str) -> Result<pitstop_host::Library, LibraryError> {
    let is_path = name.contains('/') || name.contains(std::path::MAIN_SEPARATOR);
    if is_path { pit.follow(name) } else { pit.library(name) }
}

/// C calls what it is given by C's rules, so no other function may be proven.
fn callable(signature: &str) -> Result<&str, Error> {
    let rest = signature.strip_prefix("unsafe ").unwrap_or(signature);
    let abi = rest.strip_prefix("extern \"").and_then(|rest| rest.split_once("\" fn(")).map(|(abi, _)| abi);
    if abi.is_some_and(|abi| matches!(abi, "C" | "C-unwind")) {
        return Ok(signature);
    }
    let text = format!("`{signature}` is no signature that C can call, such as `extern \"C\" fn(u64) -> u64`");
    Err(Error::argument(text))
}
