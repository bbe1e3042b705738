//! Which version of the interface this is.
#![expect(unsafe_code, reason = "functions that C finds by name")]

use std::ffi::{CStr, c_char};

/// The version of this interface: what a header and a library must have in common. It changes when a program that was
/// compiled before would not work any more.
pub const PITSTOP_ABI: u32 = 1;

/// The `PITSTOP_ABI` of the library, for a program that loads it by itself: compare it with that of the header before
/// anything else is called. Any thread; cannot fail.
#[unsafe(no_mangle)]
pub extern "C" fn pitstop_abi() -> u32 {
    PITSTOP_ABI
}

/// The library's version, such as "0.1.0". Valid for as long as the process lives; not to be freed. Any thread; cannot fail.
#[unsafe(no_mangle)]
pub extern "C" fn pitstop_version() -> *const c_char {
    const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };
    VERSION.as_ptr()
}
