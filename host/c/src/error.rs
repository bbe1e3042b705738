//! The one form in which everything that fails says so.
#![expect(unsafe_code, reason = "functions that C finds by name")]
#![allow(clippy::missing_safety_doc, reason = "the words are for the header, and say of each argument what it must be")]

use crate::arguments::{free, peek};
use pitstop_host::{FunctionError, LibraryError, PluginError, PluginsError};
use std::ffi::{CStr, CString, c_char};

/// An argument is null, no UTF-8, or otherwise not what it has to be.
pub const PITSTOP_ERROR_ARGUMENT: i32 = 1;
/// There is no such library, or no such symbol in it.
pub const PITSTOP_ERROR_NOT_FOUND: i32 = 2;
/// The system's loader, or the proof, refused the library.
pub const PITSTOP_ERROR_REFUSED: i32 = 3;
/// The function has another signature.
pub const PITSTOP_ERROR_SIGNATURE: i32 = 4;
/// The library has no debug info to prove the signature from: build it with `-g`.
pub const PITSTOP_ERROR_UNPROVEN: i32 = 5;
/// It is another thread's to do.
pub const PITSTOP_ERROR_THREAD: i32 = 6;
/// Not possible as things are; the text says why.
pub const PITSTOP_ERROR_STATE: i32 = 7;
/// A panic inside the library, which is a mistake of its own: please report it.
pub const PITSTOP_ERROR_PANICKED: i32 = 8;
/// A file of settings says something that cannot be; the text has its line.
pub const PITSTOP_ERROR_CONFIG: i32 = 9;
/// A plugin says that it cannot do what it was asked for, in its own words.
pub const PITSTOP_ERROR_PLUGIN_FAILED: i32 = 10;
/// A plugin is switched off, or has no version that can be used.
pub const PITSTOP_ERROR_PLUGIN_AWAY: i32 = 11;
/// A plugin panicked, took too long, ended, or broke its interface.
pub const PITSTOP_ERROR_PLUGIN: i32 = 12;

/// What went wrong. Functions that can fail return one, or null when all is well; whoever gets it frees it, with
/// `pitstop_error_free`. There is no other place to look for errors.
#[derive(Debug)]
pub struct Error {
    code: i32,
    text: CString,
}

impl Error {
    pub(crate) fn new(code: i32, text: impl Into<String>) -> Self {
        Self { code, text: c_text(text.into()) }
    }

    pub(crate) fn argument(text: impl Into<String>) -> Self {
        Self::new(PITSTOP_ERROR_ARGUMENT, text)
    }
}

impl From<LibraryError> for Error {
    fn from(error: LibraryError) -> Self {
        let code = match error {
            LibraryError::Absent { .. } => PITSTOP_ERROR_NOT_FOUND,
            _ => PITSTOP_ERROR_REFUSED,
        };
        Self::new(code, error.to_string())
    }
}

impl From<FunctionError> for Error {
    fn from(error: FunctionError) -> Self {
        let code = match error {
            FunctionError::Missing { .. } => PITSTOP_ERROR_NOT_FOUND,
            FunctionError::Signature { .. } => PITSTOP_ERROR_SIGNATURE,
            FunctionError::Unproven { .. } => PITSTOP_ERROR_UNPROVEN,
            _ => PITSTOP_ERROR_ARGUMENT,
        };
        Self::new(code, error.to_string())
    }
}

impl From<PluginsError> for Error {
    fn from(error: PluginsError) -> Self {
        let code = match error {
            PluginsError::Config(_) => PITSTOP_ERROR_CONFIG,
            PluginsError::Unknown { .. } => PITSTOP_ERROR_NOT_FOUND,
            PluginsError::Refused { .. } => PITSTOP_ERROR_REFUSED,
            _ => PITSTOP_ERROR_STATE,
        };
        Self::new(code, error.to_string())
    }
}

impl From<PluginError> for Error {
    fn from(error: PluginError) -> Self {
        let code = match error {
            PluginError::Failed { .. } => PITSTOP_ERROR_PLUGIN_FAILED,
            PluginError::Unavailable { .. } => PITSTOP_ERROR_PLUGIN_AWAY,
            _ => PITSTOP_ERROR_PLUGIN,
        };
        Self::new(code, error.to_string())
    }
}

/// What sort of error it is: one of `PITSTOP_ERROR_...`; 0 for null. More may come, so that a `switch` wants a `default`.
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_error_code(error: *const Error) -> i32 {
    // SAFETY: null, or an error that was not freed, as the header asks.
    unsafe { peek(error) }.map_or(0, |error| error.code)
}

/// What went wrong, in a sentence or more for a person: NUL-terminated UTF-8, which is the error's and valid until that is
/// freed. Empty for null. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_error_text(error: *const Error) -> *const c_char {
    // SAFETY: null, or an error that was not freed, as the header asks.
    unsafe { peek(error) }.map_or(c"", |error| error.text.as_c_str()).as_ptr()
}

/// Frees an error. Null does nothing. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pitstop_error_free(error: *mut Error) {
    // SAFETY: null, or an error that was not freed, as the header asks.
    unsafe { free(error) };
}

/// Text for C, where a NUL ends it.
pub(crate) fn c_text(text: String) -> CString {
    CString::new(text).unwrap_or_else(|error| {
        let bytes = error.into_vec().into_iter().map(|byte| if byte == 0 { b' ' } else { byte }).collect::<Vec<u8>>();
        CString::new(bytes).unwrap_or_else(|_| CStr::to_owned(c""))
    })
}
